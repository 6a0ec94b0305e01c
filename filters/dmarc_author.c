/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The author domains of a message (draft-ietf-dmarc-dmarcbis-41 5.3.1, 11.5). Every address of
 * every From field counts, whatever is wrong besides: a program that shows another one than we
 * judge must not be helped to.
 */
#include "filters/dmarc_author.h"

#include "lib/mail/addrlist.h"
#include "lib/mail/domain_name.h"

static void
set_problem(struct dmarc_author *out, bool is_malformed, const char *problem)
{
	if (out->problem != NULL)
		return; /* the first one found is told */
	out->problem = problem;
	out->is_malformed = is_malformed;
}

static void
add_mailbox(const struct mailbox *mailbox, struct arena *arena, struct dmarc_author *out)
{
	char domain[DOMAIN_NAME_MAX];

	if (mailbox->is_unusual)
		set_problem(out, true,
		    "writes an address in its From field in a way that mail programs read "
		    "differently");
	if (!domain_to_ascii(view_of(mailbox->domain), domain)) {
		out->is_incomplete = true;
		set_problem(
		    out, true, "has an address without a domain name in its From field");
		return;
	}
	for (size_t i = 0; i < out->count; i++) {
		if (strcmp(out->domains[i], domain) == 0)
			return;
	}
	if (out->count > 0)
		set_problem(out, false, "has authors of several domains in its From field");
	if (out->count <= DMARC_FROM_MAX)
		out->domains[out->count++] = arena_strdup(arena, view_of(domain));
}

static void
add_field(const struct header_field *field, struct arena *arena, struct dmarc_author *out)
{
	struct mailbox *list = NULL;
	size_t count = 0, offset = 0;
	const enum addrlist_status status =
	    addrlist_parse(field->body, arena, &list, &count, &offset);

	if (status != ADDRLIST_OK) {
		out->is_incomplete = true;
		set_problem(out, true,
		    arena_printf(
			arena, "has a From field that %s", addrlist_status_text(status)));
		return;
	}
	for (size_t i = 0; i < count; i++)
		add_mailbox(&list[i], arena, out);
}

void
dmarc_author_read(const struct message *message, struct arena *arena, struct dmarc_author *out)
{
	const size_t fields = message_count_of(message, "From");

	*out = (struct dmarc_author){ 0 };
	if (fields == 0)
		set_problem(out, true, "has no From field");
	if (fields > 1)
		set_problem(out, true, arena_printf(arena, "has %zu From fields", fields));
	for (size_t i = message_find(message, "From", 0); i != SIZE_MAX;
	     i = message_find(message, "From", i + 1))
		add_field(message_field(message, i), arena, out);
}
