/* SPDX-License-Identifier: MPL-2.0 */
/* edits_describe: what edits would do, change by change, in the order of the header. */
#include "lib/mail/message_private.h"

#include <string.h>

const char *
edit_change_name(enum edit_change change)
{
	static const char *const names[] = {
		[CHANGE_ADDED] = "added",
		[CHANGE_REMOVED] = "removed",
		[CHANGE_BODY] = "body",
		[CHANGE_SENDER] = "sender",
		[CHANGE_RECIPIENT_ADDED] = "recipient_added",
		[CHANGE_RECIPIENT_REMOVED] = "recipient_removed",
		[CHANGE_DISCARD] = "discard",
	};

	return names[change];
}

struct description {
	const struct edits *edits;
	const struct message *message;
	edits_line line;
	void *context;
	struct arena arena; /* of lines that are put together here */
};

static void
say(const struct description *d, enum edit_change change, size_t index, struct view text)
{
	d->line(d->context, change, index, text);
}

/* The field without its final CRLF. */
static struct view
field_text(struct view raw)
{
	return view_make(raw.p, raw.len - strlen("\r\n"));
}

static void
describe_field(struct description *d, size_t index)
{
	const struct edit *edit = &d->edits->by_index[index];
	const struct header_field *field = message_field(d->message, index);

	if (edit->kind == EDIT_KEEP)
		return;
	say(d, CHANGE_REMOVED, index, field_text(field->raw));
	if (edit->kind == EDIT_REPLACE)
		say(d, CHANGE_ADDED, index,
		    field_text(
			message_make_field(&d->arena, field->name, edit->value, edit->exact)));
}

static void
describe_header(struct description *d)
{
	const struct edits *e = d->edits;
	const size_t count = message_field_count(d->message);
	size_t next = 0;

	for (size_t i = 0; i < e->prepended_count; i++)
		say(d, CHANGE_ADDED, 0, field_text(e->prepended[i]));
	for (size_t i = 0; i <= count; i++) {
		for (; next < e->inserted_count && e->inserted[next].before <= i; next++)
			say(d, CHANGE_ADDED, i, field_text(e->inserted[next].raw));
		if (i < count && i < e->index_count)
			describe_field(d, i);
	}
}

static void
describe_envelope(struct description *d, const struct facts *facts)
{
	const struct envelope_edits *e = &d->edits->envelope;

	if (e->has_sender)
		say(d, CHANGE_SENDER, 0, view_of(e->sender_text));
	for (size_t i = 0; i < facts->recipient_count; i++) {
		if (envelope_is_removed(e, i))
			say(d, CHANGE_RECIPIENT_REMOVED, i,
			    view_of(facts->recipients[i].address));
	}
	for (size_t i = 0; i < e->added_count; i++)
		say(d, CHANGE_RECIPIENT_ADDED, i, view_of(e->added[i].address));
	if (e->discard != NULL)
		say(d, CHANGE_DISCARD, 0, view_of(e->discard));
}

void
edits_describe(const struct edits *e, const struct message *m, const struct facts *facts,
    edits_line line, void *context)
{
	struct description d = { .edits = e, .message = m, .line = line, .context = context };

	arena_init(&d.arena);
	describe_header(&d);
	if (e->body != NULL)
		say(&d, CHANGE_BODY, 0,
		    view_of(arena_printf(&d.arena, "%llu octets instead of %zu",
			(unsigned long long)body_size(e->body), message_body(m).len)));
	describe_envelope(&d, facts);
	arena_finish(&d.arena);
}
