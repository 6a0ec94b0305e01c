/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fix_headers: what a submission server may put right (RFC 6409 8): a missing Date, a missing
 * Message-ID; and Bcc, which must not reach the recipients (RFC 5322 3.6.3), is taken out. A
 * message with no recipient field left is valid: RFC 5322 3.6 asks for From and Date only. What
 * is there is never rewritten.
 */
#include "filters/filters.h"

#include "lib/mail/author.h"
#include "lib/mail/date.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/random.h>

enum id_domain { ID_DOMAIN_HOSTNAME, ID_DOMAIN_FROM };

struct fix_headers_settings {
	bool add_date, add_message_id, remove_bcc;
	int message_id_domain; /* enum id_domain */
};

static const struct conf_choice id_domain_choices[] = {
	{ "hostname", ID_DOMAIN_HOSTNAME },
	{ "from", ID_DOMAIN_FROM },
	{ NULL, 0 },
};

static const struct conf_row fix_headers_rows[] = {
	{ .key = "add_date",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct fix_headers_settings, add_date),
	    .fallback = "true",
	    .help = "Add a Date field (in UTC) where there is none." },
	{ .key = "add_message_id",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct fix_headers_settings, add_message_id),
	    .fallback = "true",
	    .help = "Add a Message-ID field where there is none." },
	{ .key = "message_id_domain",
	    .type = CONF_ENUM,
	    .offset = offsetof(struct fix_headers_settings, message_id_domain),
	    .fallback = "hostname",
	    .choices = id_domain_choices,
	    .help =
		"What stands behind the @ of an added Message-ID: this server's hostname, or "
		"the domain of the (first) From address." },
	{ .key = "remove_bcc",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct fix_headers_settings, remove_bcc),
	    .fallback = "true",
	    .help = "Remove Bcc and Resent-Bcc fields." },
	{ .key = NULL },
};

static const struct conf_table fix_headers_table = {
	.name = "fix_headers",
	.help = "Adds what a message lacks (Date, Message-ID) and removes what must not leave "
		"(Bcc). Fields that are there are never rewritten.",
	.size = sizeof(struct fix_headers_settings),
	.rows = fix_headers_rows,
	.where_offset = SIZE_MAX,
};

static bool
add_message_id(struct link_call *call, const struct fix_headers_settings *settings)
{
	struct arena *arena = link_arena(call);
	const char *domain = NULL;
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return false;
	if (settings->message_id_domain == ID_DOMAIN_FROM)
		domain = author_domain(link_message(call), arena);
	if (domain == NULL)
		domain = link_facts(call)->hostname;
	return edits_prepend(link_edits(call), "Message-ID",
	    view_of(arena_printf(
		arena, "<%016" PRIx64 "%016" PRIx64 "@%s>", random[0], random[1], domain)));
}

static bool
add_date(struct link_call *call)
{
	char text[DATE_MAX];

	date_format(link_facts(call)->received_at, text);
	return edits_prepend(link_edits(call), "Date", view_of(text));
}

static bool
remove_all(struct link_call *call, const char *name)
{
	const struct message *m = link_message(call);

	for (size_t i = message_find(m, name, 0); i != SIZE_MAX;
	     i = message_find(m, name, i + 1)) {
		if (!edits_remove(link_edits(call), i))
			return false;
	}
	return true;
}

static enum link_answer
fix_headers_message(struct link_call *call)
{
	const struct fix_headers_settings *settings = link_settings(call);
	const struct message *m = link_message(call);

	if (settings->add_date && message_count_of(m, "Date") == 0 && !add_date(call))
		return link_fail(call, "a Date field could not be added");
	if (settings->add_message_id && message_count_of(m, "Message-ID") == 0 &&
	    !add_message_id(call, settings))
		return link_fail(call, "a Message-ID field could not be added");
	if (settings->remove_bcc &&
	    (!remove_all(call, "Bcc") || !remove_all(call, "Resent-Bcc")))
		return link_fail(call, "a Bcc field could not be removed");
	return LINK_NEXT;
}

const struct link link_fix_headers = {
	.abi = LINK_ABI,
	.name = "fix_headers",
	.summary = "adds Date and Message-ID where missing, removes Bcc and Resent-Bcc",
	.kind = LINK_FILTER,
	.settings = &fix_headers_table,
	.message = fix_headers_message,
};
