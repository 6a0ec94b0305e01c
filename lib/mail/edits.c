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
#define EDITS_INSERT_MAX  (2 * MESSAGE_FIELDS_MAX)
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
	mem_free((*e)->inserted);
	body_destroy(&(*e)->body);
	envelope_finish(&(*e)->envelope);
	mem_free(*e);
	*e = NULL;
}

bool
edits_is_empty(const struct edits *e)
{
	return !edits_has_fields(e) && e->body == NULL && envelope_is_empty(&e->envelope);
}

bool
edits_has_fields(const struct edits *e)
{
	return e->prepended_count + e->inserted_count + e->removed + e->replaced > 0;
}

bool
edits_has_body(const struct edits *e)
{
	return e->body != NULL;
}

const struct envelope_edits *
edits_envelope(const struct edits *e)
{
	return &e->envelope;
}

void
edits_clear(struct edits *e)
{
	arena_finish(&e->arena);
	e->prepended_count = 0;
	e->index_count = 0;
	e->inserted_count = 0;
	e->removed = e->replaced = 0;
	body_destroy(&e->body);
	envelope_clear(&e->envelope);
}

void
edits_count(const struct edits *e, size_t *added, size_t *removed, size_t *replaced)
{
	*added = e->prepended_count + e->inserted_count;
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
	e->prepended[e->prepended_count++] = message_make_field(&e->arena, n, value, false);
	return true;
}

bool
edits_insert(struct edits *e, size_t before, const char *name, struct view value, bool exact)
{
	const struct view n = view_of(name);
	size_t at = e->inserted_count;

	if (!message_name_is_valid(n) || !value_is_valid(value) || before > EDITS_INDEX_MAX ||
	    e->inserted_count == EDITS_INSERT_MAX)
		return false;
	if (e->inserted_count == e->inserted_room) {
		e->inserted_room = e->inserted_room > 0 ? 2 * e->inserted_room : 8;
		e->inserted = mem_realloc(e->inserted, e->inserted_room * sizeof(*e->inserted));
	}
	for (; at > 0 && e->inserted[at - 1].before > before; at--)
		e->inserted[at] = e->inserted[at - 1];
	e->inserted[at].before = before;
	e->inserted[at].raw = message_make_field(&e->arena, n, value, exact);
	e->inserted_count++;
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

static bool
replace(struct edits *e, size_t index, struct view value, bool exact)
{
	if (!value_is_valid(value))
		return false;
	struct edit *edit = edits_at(e, index);
	if (edit == NULL)
		return false;
	edit->kind = EDIT_REPLACE;
	edit->exact = exact;
	edit->value = arena_view(&e->arena, value);
	e->replaced++;
	return true;
}

bool
edits_replace(struct edits *e, size_t index, struct view value)
{
	return replace(e, index, value, false);
}

bool
edits_replace_exact(struct edits *e, size_t index, struct view value)
{
	return replace(e, index, value, true);
}

/* What SMTP can carry: lines that end in CRLF, without NUL, other CR or LF (RFC 5321 2.3.8). */
static bool
content_is_clean(struct view content)
{
	const char *p = content.p, *end = content.p + content.len;

	if (memchr(content.p, '\0', content.len) != NULL)
		return false;
	while (p < end) {
		const size_t left = (size_t)(end - p);
		const char *lf = memchr(p, '\n', left), *cr = memchr(p, '\r', left);

		if (lf == NULL || cr == NULL || lf != cr + 1)
			return false;
		p = lf + 1;
	}
	return true;
}

bool
edits_set_body(struct edits *e, struct body_store **body)
{
	const struct view content = body_view(*body);

	if (content.len > 0 && !content_is_clean(content))
		return false;
	body_destroy(&e->body);
	e->body = *body;
	*body = NULL;
	return true;
}

/* ---- the envelope ---- */

bool
edits_set_sender(struct edits *e, struct view address)
{
	return envelope_set_sender(&e->envelope, address, &e->arena);
}

bool
edits_add_recipient(struct edits *e, struct view address)
{
	return envelope_add(&e->envelope, address, &e->arena);
}

bool
edits_remove_recipient(struct edits *e, size_t index)
{
	return envelope_remove(&e->envelope, index);
}

void
edits_discard(struct edits *e, const char *reason)
{
	e->envelope.discard = arena_strdup(&e->arena, view_of(reason));
}
