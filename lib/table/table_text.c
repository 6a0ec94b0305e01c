/* SPDX-License-Identifier: MPL-2.0 */
/* The text of a file table: see table_file.h. Texts live in an arena. */
#include "lib/table/table_file.h"

#include "lib/base/mem.h"
#include "lib/base/name_index.h"

struct table_text {
	struct arena arena;
	struct table_entry *entries; /* owned, count of them */
	size_t count, room;
	struct name_index index; /* by key */
};

/* What one parse needs at hand. */
struct text_parse {
	struct table_text *text;
	struct conf_where where;
	struct conf_errors *errors;
	size_t error_count;
	struct view *words; /* room for a line of the most words */
};

/* The key, and the values. */
#define WORDS_MAX (TABLE_VALUES_MAX + 1)

static void
parse_error(struct text_parse *p, const char *field, const char *text)
{
	if (p->error_count++ < TABLE_ERRORS_KEPT)
		conf_error(p->errors, p->where, field, "%s", text);
}

/* ---- the index ---- */

static struct view
key_of(const void *entries, size_t number)
{
	return ((const struct table_entry *)entries)[number].key;
}

/* add_entry - false: the key is there already. */
static bool
add_entry(struct table_text *t, const struct table_entry *entry)
{
	if (t->count == t->room) {
		t->room = t->room == 0 ? 16 : 2 * t->room;
		t->entries = mem_realloc(t->entries, t->room * sizeof(*t->entries));
	}
	t->entries[t->count] = *entry;
	if (!name_index_add(&t->index, t->entries))
		return false;
	t->count++;
	return true;
}

/* ---- lines ---- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* unquote - a word that begins with a quote, cut off *rest; false: it has no end. */
static bool
unquote(struct arena *arena, struct view *rest, struct view *word_out)
{
	size_t end = 1, len = 0;
	char *out;

	while (end < rest->len && rest->p[end] != '"')
		end += rest->p[end] == '\\' ? 2 : 1;
	if (end >= rest->len)
		return false;
	out = arena_alloc(arena, end);
	for (size_t at = 1; at < end; at++) {
		if (rest->p[at] == '\\')
			at++;
		out[len++] = rest->p[at];
	}
	*word_out = view_make(out, len);
	*rest = view_from(*rest, end + 1);
	return rest->len == 0 || is_blank(rest->p[0]);
}

/* next_word - false: a quoted one has no end, or something sticks to it. rest is not empty. */
static bool
next_word(struct arena *arena, struct view *rest, struct view *word_out)
{
	size_t at = 0;

	if (rest->p[0] == '"')
		return unquote(arena, rest, word_out);
	while (at < rest->len && !is_blank(rest->p[at]))
		at++;
	*word_out = arena_view(arena, view_make(rest->p, at));
	*rest = view_from(*rest, at);
	return true;
}

/* split_line - into p->words; 0: it is malformed, and was reported. */
static size_t
split_line(struct text_parse *p, struct view line)
{
	size_t count = 0;

	while (line.len > 0) {
		if (count == WORDS_MAX) {
			parse_error(p, "values", "there are more than 1000");
			return 0;
		}
		if (!next_word(&p->text->arena, &line, &p->words[count])) {
			parse_error(
			    p, "line", "a quoted word needs its \" at the end, and a blank");
			return 0;
		}
		count++;
		while (line.len > 0 && is_blank(line.p[0]))
			line = view_from(line, 1);
	}
	return count;
}

/* words_are_good - the first is the key, the others the values. */
static bool
words_are_good(struct text_parse *p, size_t count)
{
	if (p->words[0].len == 0 || p->words[0].len > TABLE_KEY_MAX) {
		parse_error(p, "key", "is empty, or over 1024 octets");
		return false;
	}
	for (size_t i = 1; i < count; i++) {
		if (p->words[i].len > TABLE_VALUE_MAX) {
			parse_error(p, "value", "is over 4096 octets");
			return false;
		}
	}
	return true;
}

static void
parse_line(struct text_parse *p, struct view line)
{
	struct table_entry entry;
	struct view *values;
	size_t count;

	line = view_trim(line);
	if (line.len == 0 || line.p[0] == '#')
		return;
	if (line.len > TABLE_LINE_MAX) {
		parse_error(p, "line", "is over 16384 octets long");
		return;
	}
	if (!table_value_is_clean(line)) {
		parse_error(p, "line", "has a control character");
		return;
	}
	count = split_line(p, line);
	if (count == 0 || !words_are_good(p, count))
		return;
	values = arena_alloc(&p->text->arena, count * sizeof(*values));
	memcpy(values, p->words + 1, (count - 1) * sizeof(*values));
	entry = (struct table_entry){ p->words[0], values, count - 1 };
	if (!add_entry(p->text, &entry))
		parse_error(p, "key",
		    arena_printf(
			&p->errors->arena, "\"%.*s\" is there twice", VIEW_ARG(entry.key)));
}

struct table_text *
table_text_parse(const char *file, struct view text, struct conf_errors *errors)
{
	struct table_text *t = mem_calloc(1, sizeof(*t));
	struct text_parse p = { .text = t,
		.where = { .file = file },
		.errors = errors,
		.words = mem_calloc(WORDS_MAX, sizeof(struct view)) };
	struct view line;

	arena_init(&t->arena);
	name_index_init(&t->index, key_of);
	while (view_split(&text, '\n', &line)) {
		p.where.line++;
		parse_line(&p, line);
	}
	mem_free(p.words);
	if (p.error_count > 0)
		table_text_destroy(&t);
	return t;
}

void
table_text_destroy(struct table_text **t)
{
	if (*t == NULL)
		return;
	mem_free((*t)->entries);
	name_index_finish(&(*t)->index);
	arena_finish(&(*t)->arena);
	mem_free(*t);
	*t = NULL;
}

size_t
table_text_count(const struct table_text *t)
{
	return t->count;
}

const struct table_entry *
table_text_get(const struct table_text *t, size_t index)
{
	return &t->entries[index];
}

const struct table_entry *
table_text_find(const struct table_text *t, struct view key)
{
	const size_t number = name_index_find(&t->index, t->entries, key);

	return number != SIZE_MAX ? &t->entries[number] : NULL;
}
