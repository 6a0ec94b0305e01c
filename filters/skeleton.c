/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A link to begin with: copy this file, rename "skeleton", take out what you do not need.
 * docs/FILTERS.md ("Writing a plugin") leads from here to a tested plugin. This one adds a
 * field to each message, and refuses senders of one domain.
 */
#include "lib/chain/link.h"

#include <stddef.h>

/* Settings: one member and one row each. Rows check types and ranges, and are the manual. */
struct skeleton_settings {
	const char *field;
	const char *refused_domain; /* NULL: none */
};

static const struct conf_row skeleton_rows[] = {
	{ .key = "field",
	    .type = CONF_STRING,
	    .offset = offsetof(struct skeleton_settings, field),
	    .fallback = "X-Skeleton",
	    .help = "Name of the field that every message gets." },
	{ .key = "refused_domain",
	    .type = CONF_STRING,
	    .offset = offsetof(struct skeleton_settings, refused_domain),
	    .help = "Senders of this domain are refused." },
	{ .key = NULL },
};

static const struct conf_table skeleton_table = {
	.name = "skeleton",
	.help = "Shows how a link is written.",
	.size = sizeof(struct skeleton_settings),
	.rows = skeleton_rows,
	.where_offset = SIZE_MAX,
};

/* Once for each configuration: what no single row can check. An error keeps the gate from
 * starting, and a reload from happening. */
static bool
skeleton_setup(const void *settings, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct skeleton_settings *s = settings;
	const char *domain = s->refused_domain;

	(void)env;
	*state_out = NULL; /* or what teardown frees; several threads see it at a time */
	if (domain == NULL || strchr(domain, '@') == NULL)
		return true;
	conf_error(errors, where, "skeleton.refused_domain",
	    "\"%s\" is an address: write the domain alone", domain);
	return false;
}

/* MAIL FROM. The reply says what the client can do about it. */
static enum link_answer
skeleton_mail(struct link_call *call)
{
	const struct skeleton_settings *s = link_settings(call);
	const char *at = strrchr(link_facts(call)->reverse_path, '@');

	if (s->refused_domain != NULL && at != NULL &&
	    view_eq_nocase(view_of(at + 1), view_of(s->refused_domain)))
		return link_refuse(call, 550, "5.7.1",
		    "mail from %s is not taken here, please use another address",
		    s->refused_domain);
	return LINK_NEXT;
}

/* The whole message. Edits become real when the answer is NEXT, all or none. */
static enum link_answer
skeleton_message(struct link_call *call)
{
	const struct skeleton_settings *s = link_settings(call);

	if (!edits_prepend(link_edits(call), s->field, VIEW("seen")))
		return link_fail(call, "\"%s\" is no name of a field", s->field);
	link_note(call, "skeleton", "seen");
	return LINK_NEXT;
}

/* The one name that the gate looks for. A built-in link is called link_NAME instead, and has no
 * size. */
extern const struct link gatepost_link;
const struct link gatepost_link = {
	.abi = LINK_ABI,
	.size = LINK_SIZE,
	.name = "skeleton",
	.summary = "shows how a link is written",
	.refuses = "550 5.7.1",
	.kind = LINK_FILTER,
	.settings = &skeleton_table,
	.setup = skeleton_setup,
	.mail = skeleton_mail,
	.message = skeleton_message,
};
