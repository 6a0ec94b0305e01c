/* SPDX-License-Identifier: MPL-2.0 */
/*
 * subject_tag: an example of a filter as a plugin. Mail to one of some domains gets a word in
 * front of its Subject. Shows edits, and how to look at recipients.
 */
#include "lib/chain/link.h"

#include <stddef.h>

struct subject_tag_settings {
	const char *tag;
	struct conf_strings domains;
};

static const struct conf_row subject_tag_rows[] = {
	{ .key = "tag",
	    .type = CONF_STRING,
	    .offset = offsetof(struct subject_tag_settings, tag),
	    .fallback = "[external]",
	    .help = "What stands before the subject." },
	{ .key = "domains",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct subject_tag_settings, domains),
	    .help = "Domains of recipients; a message to any of them is tagged." },
	{ .key = NULL },
};

static const struct conf_table subject_tag_table = {
	.name = "subject_tag",
	.help = "Puts a word before the subject of mail to some domains.",
	.size = sizeof(struct subject_tag_settings),
	.rows = subject_tag_rows,
	.where_offset = SIZE_MAX,
};

/* is_tagged - is a recipient of one of the domains among those that were accepted? */
static bool
is_tagged(const struct subject_tag_settings *s, const struct recipient *recipient)
{
	const char *at = strrchr(recipient->address, '@');

	for (size_t i = 0; at != NULL && i < s->domains.count; i++) {
		if (view_eq_nocase(view_of(at + 1), view_of(s->domains.items[i])))
			return true;
	}
	return false;
}

static bool
any_is_tagged(const struct subject_tag_settings *s, const struct facts *facts)
{
	for (size_t i = 0; i < facts->recipient_count; i++) {
		if (is_tagged(s, &facts->recipients[i]))
			return true;
	}
	return false;
}

static enum link_answer
subject_tag_message(struct link_call *call)
{
	const struct subject_tag_settings *s = link_settings(call);
	const struct message *m = link_message(call);
	const size_t at = message_find(m, "Subject", 0);
	struct view subject;
	const char *tagged;

	if (!any_is_tagged(s, link_facts(call)))
		return LINK_NEXT;
	if (at == SIZE_MAX) {
		if (!edits_insert(link_edits(call), message_field_count(m), "Subject",
			view_of(s->tag), false))
			return link_fail(
			    call, "the tag \"%s\" cannot stand in a field", s->tag);
		return LINK_NEXT;
	}
	subject = view_trim(message_field(m, at)->body);
	if (view_starts(subject, view_of(s->tag)))
		return LINK_NEXT; /* an answer to a tagged message */
	tagged = arena_printf(link_arena(call), "%s %.*s", s->tag, (int)subject.len, subject.p);
	if (!edits_replace(link_edits(call), at, view_of(tagged)))
		return link_fail(call, "the subject with its tag is no proper field");
	return LINK_NEXT;
}

extern const struct link gatepost_link;
const struct link gatepost_link = {
	.abi = LINK_ABI,
	.size = LINK_SIZE,
	.name = "subject_tag",
	.summary = "puts a word before the subject of mail to some domains",
	.kind = LINK_FILTER,
	.settings = &subject_tag_table,
	.message = subject_tag_message,
};
