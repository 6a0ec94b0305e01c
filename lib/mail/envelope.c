/* SPDX-License-Identifier: MPL-2.0 */
/* Changes of the envelope: see envelope.h. RFC 5321 4.1.2. */
#include "lib/mail/envelope.h"

#include "lib/base/mem.h"
#include "lib/base/utf8.h"
#include "lib/mail/domain_name.h"

#include <string.h>

/* domain_is_known - one beyond ASCII must be an internationalized domain name. */
static bool
domain_is_known(struct view domain)
{
	char ascii[DOMAIN_NAME_MAX];

	return utf8_is_ascii(domain) || domain_to_ascii(domain, ascii);
}

/* parse - address as a path with its text in the arena; false: it is none. */
static bool
parse(
    struct view address, struct arena *arena, struct smtp_path *path_out, const char **text_out)
{
	char text[SMTP_PATH_MAX];

	if (address.len >= SMTP_PATH_MAX)
		return false;
	const char *bracketed = arena_printf(arena, "<%.*s>", VIEW_ARG(address));
	if (smtp_path_parse_utf8(view_of(bracketed), path_out) != SMTP_SYNTAX_OK ||
	    !domain_is_known(path_out->domain))
		return false;
	smtp_path_write(path_out, text);
	*text_out = arena_strdup(arena, view_of(text));
	return true;
}

bool
envelope_set_sender(struct envelope_edits *e, struct view address, struct arena *arena)
{
	struct smtp_path path;
	const char *text;

	if (!parse(address, arena, &path, &text))
		return false;
	e->has_sender = true;
	e->sender = path;
	e->sender_text = text;
	return true;
}

bool
envelope_add(struct envelope_edits *e, struct view address, struct arena *arena)
{
	struct recipient r = { .address = NULL };

	if (e->added_count == ENVELOPE_ADDED_MAX || address.len == 0 ||
	    !parse(address, arena, &r.path, &r.address))
		return false;
	if (e->added_count == e->added_room) {
		e->added_room = e->added_room > 0 ? 2 * e->added_room : 4;
		e->added = mem_realloc(e->added, e->added_room * sizeof(*e->added));
	}
	e->added[e->added_count++] = r;
	return true;
}

bool
envelope_remove(struct envelope_edits *e, size_t index)
{
	if (index > ENVELOPE_REMOVED_MAX)
		return false;
	if (index >= e->removed_room) {
		const size_t room = 2 * index + 8;

		e->removed = mem_realloc(e->removed, room * sizeof(*e->removed));
		memset(e->removed + e->removed_room, 0,
		    (room - e->removed_room) * sizeof(*e->removed));
		e->removed_room = room;
	}
	e->removed_count += !e->removed[index];
	e->removed[index] = true;
	return true;
}

bool
envelope_is_removed(const struct envelope_edits *e, size_t index)
{
	return index < e->removed_room && e->removed[index];
}

bool
envelope_is_empty(const struct envelope_edits *e)
{
	return !e->has_sender && e->added_count == 0 && e->removed_count == 0 &&
	       e->discard == NULL;
}

void
envelope_clear(struct envelope_edits *e)
{
	e->has_sender = false;
	e->added_count = e->removed_count = 0;
	e->discard = NULL;
	if (e->removed != NULL)
		memset(e->removed, 0, e->removed_room * sizeof(*e->removed));
}

void
envelope_finish(struct envelope_edits *e)
{
	mem_free(e->added);
	mem_free(e->removed);
	memset(e, 0, sizeof(*e));
}

/* copy - a recipient whose texts live in the arena. */
static struct recipient
copy(const struct recipient *r, struct arena *arena)
{
	struct recipient out = { .path.is_null = r->path.is_null, .dsn.orcpt = VIEW("") };

	out.path.local = arena_view(arena, r->path.local);
	out.path.domain = arena_view(arena, r->path.domain);
	out.address = arena_strdup(arena, view_of(r->address));
	return out;
}

static bool
has(const struct recipient *list, size_t count, const struct recipient *r)
{
	for (size_t i = 0; i < count; i++) {
		if (view_eq(list[i].path.local, r->path.local) &&
		    view_eq_nocase(list[i].path.domain, r->path.domain))
			return true;
	}
	return false;
}

static bool
apply_sender(const struct envelope_edits *e, struct facts *facts, struct arena *arena)
{
	if (!e->has_sender || strcmp(facts->reverse_path, e->sender_text) == 0)
		return false;
	facts->mail.path.is_null = e->sender.is_null;
	facts->mail.path.local = arena_view(arena, e->sender.local);
	facts->mail.path.domain = arena_view(arena, e->sender.domain);
	facts->mail.smtputf8 |= !smtp_path_is_ascii(&e->sender);
	facts->reverse_path = arena_strdup(arena, view_of(e->sender_text));
	return true;
}

bool
envelope_apply(const struct envelope_edits *e, struct facts *facts, struct arena *arena)
{
	const bool has_new_sender = apply_sender(e, facts, arena);
	bool changed = false;
	size_t count = 0;

	if (e->added_count == 0 && e->removed_count == 0)
		return has_new_sender;
	struct recipient *list =
	    arena_alloc(arena, (facts->recipient_count + e->added_count + 1) * sizeof(*list));
	for (size_t i = 0; i < facts->recipient_count; i++) {
		if (envelope_is_removed(e, i))
			changed = true;
		else
			list[count++] = facts->recipients[i];
	}
	for (size_t i = 0; i < e->added_count; i++) {
		if (has(list, count, &e->added[i]))
			continue;
		list[count++] = copy(&e->added[i], arena);
		facts->mail.smtputf8 |= !smtp_path_is_ascii(&e->added[i].path);
		changed = true;
	}
	facts->recipients = list;
	facts->recipient_count = count;
	return changed || has_new_sender;
}
