/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Edits: the list of what a link wants to change in a header. Everything that could make a
 * header something else than it looks (a smuggled field, an early end) is refused when it is
 * asked for.
 */
#include "lib/mail/message_private.h"

#include "lib/base/mem.h"

/* Links together may bring a header over MESSAGE_FIELDS_MAX, but not without end. */
#define EDITS_PREPEND_MAX 200
#define EDITS_INDEX_MAX	  (4 * MESSAGE_FIELDS_MAX)

struct edits *
edits_create(void)
{
	struct edits *e = mem_calloc(1, sizeof(*e));

	arena_init(&e->arena);
	return e;
}

void
edits_destroy(struct edits **e)
{
	if (*e == NULL)
		return;
	arena_finish(&(*e)->arena);
	mem_free((*e)->prepended);
	mem_free((*e)->by_index);
	mem_free(*e);
	*e = NULL;
}

bool
edits_is_empty(const struct edits *e)
{
	return e->prepended_count == 0 && e->removed == 0 && e->replaced == 0;
}

void
edits_clear(struct edits *e)
{
	arena_finish(&e->arena);
	e->prepended_count = 0;
	e->index_count = 0;
	e->removed = e->replaced = 0;
}

void
edits_count(const struct edits *e, size_t *prepended, size_t *removed, size_t *replaced)
{
	*prepended = e->prepended_count;
	*removed = e->removed;
	*replaced = e->replaced;
}

/* One line or several, each further one beginning with a blank; no NUL, no other CR or LF. */
static bool
value_is_valid(struct view value)
{
	size_t i = 0;

	if (value.len > MESSAGE_HEADER_MAX)
		return false;
	while (i < value.len) {
		char c = value.p[i];
		if (c == '\r') {
			if (value.len - i < 3 || value.p[i + 1] != '\n')
				return false;
			if (value.p[i + 2] != ' ' && value.p[i + 2] != '\t')
				return false;
			i += 2;
		} else if (c == '\n' || c == '\0') {
			return false;
		}
		i++;
	}
	return true;
}

bool
edits_prepend(struct edits *e, const char *name, struct view value)
{
	struct view n = view_of(name);

	if (!message_name_is_valid(n) || !value_is_valid(value))
		return false;
	if (e->prepended_count == EDITS_PREPEND_MAX)
		return false;
	if (e->prepended_count == e->prepended_room) {
		e->prepended_room = e->prepended_room > 0 ? 2 * e->prepended_room : 8;
		e->prepended =
		    mem_realloc(e->prepended, e->prepended_room * sizeof(*e->prepended));
	}
	e->prepended[e->prepended_count++] = message_make_field(&e->arena, n, value);
	return true;
}

/* The entry of that index, as "keep"; NULL: over the cap. */
static struct edit *
edits_at(struct edits *e, size_t index)
{
	if (index >= EDITS_INDEX_MAX)
		return NULL;
	if (index >= e->index_room) {
		e->index_room = 2 * index + 16;
		e->by_index = mem_realloc(e->by_index, e->index_room * sizeof(*e->by_index));
	}
	while (e->index_count <= index)
		e->by_index[e->index_count++] = (struct edit){ .kind = EDIT_KEEP };
	struct edit *edit = &e->by_index[index];
	e->removed -= edit->kind == EDIT_REMOVE;
	e->replaced -= edit->kind == EDIT_REPLACE;
	*edit = (struct edit){ .kind = EDIT_KEEP };
	return edit;
}

bool
edits_remove(struct edits *e, size_t index)
{
	struct edit *edit = edits_at(e, index);

	if (edit == NULL)
		return false;
	edit->kind = EDIT_REMOVE;
	e->removed++;
	return true;
}

bool
edits_replace(struct edits *e, size_t index, struct view value)
{
	if (!value_is_valid(value))
		return false;
	struct edit *edit = edits_at(e, index);
	if (edit == NULL)
		return false;
	edit->kind = EDIT_REPLACE;
	edit->value = arena_view(&e->arena, value);
	e->replaced++;
	return true;
}
