/* SPDX-License-Identifier: MPL-2.0 */
/* Tag lists: see tag_list.h. One pass over the text; nothing here fails but by the grammar. */
#include "lib/domain/tag_list.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 6376 2.8: line ends are CRLF, and only with a blank behind them. */
static bool
folds_are_good(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] == '\n')
			return false;
		if (v.p[i] != '\r')
			continue;
		if (i + 2 >= v.len || v.p[i + 1] != '\n' ||
		    (v.p[i + 2] != ' ' && v.p[i + 2] != '\t'))
			return false;
		i += 2;
	}
	return true;
}

static bool
is_name(struct view v)
{
	if (v.len == 0 || ascii_is_digit(v.p[0]) || v.p[0] == '_')
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (!ascii_is_alnum(v.p[i]) && v.p[i] != '_')
			return false;
	}
	return true;
}

static bool
is_value(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		if (((unsigned char)v.p[i] < ' ' || v.p[i] == 0x7f) && !is_blank(v.p[i]))
			return false;
	}
	return true;
}

static bool
parse_tag(struct view text, struct tag *out)
{
	const size_t equals = view_find(text, '=');

	if (equals == text.len)
		return false;
	out->name = view_trim(view_make(text.p, equals));
	out->value = view_trim(view_from(text, equals + 1));
	return is_name(out->name) && is_value(out->value);
}

static bool
has_name(const struct tag_list *list, struct view name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (view_eq(list->tags[i].name, name))
			return true;
	}
	return false;
}

enum tag_list_status
tag_list_parse(struct view text, struct tag_list *out)
{
	enum tag_list_status status = TAG_LIST_OK;
	struct view rest = text.p != NULL ? text : VIEW(""), piece;

	out->count = 0;
	if (!folds_are_good(rest))
		return TAG_LIST_SYNTAX;
	while (view_split(&rest, ';', &piece)) {
		struct tag tag;

		if (rest.p == NULL && out->count > 0 && view_trim(piece).len == 0)
			break; /* behind the final ";" */
		if (!parse_tag(piece, &tag))
			return TAG_LIST_SYNTAX;
		if (out->count == TAG_LIST_MAX)
			return TAG_LIST_LONG;
		if (has_name(out, tag.name))
			status = TAG_LIST_DUPLICATE;
		out->tags[out->count++] = tag;
	}
	return status;
}

const char *
tag_list_why(enum tag_list_status status)
{
	switch (status) {
	case TAG_LIST_OK:
		break;
	case TAG_LIST_SYNTAX:
		return "it is not a list of tags";
	case TAG_LIST_DUPLICATE:
		return "a tag stands twice";
	case TAG_LIST_LONG:
		return "it has too many tags";
	}
	BUG("tag list status %d", (int)status);
}

const struct tag *
tag_list_find(const struct tag_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (view_eq(list->tags[i].name, view_of(name)))
			return &list->tags[i];
	}
	return NULL;
}

struct view
tag_list_value(const struct tag_list *list, const char *name)
{
	const struct tag *tag = tag_list_find(list, name);

	return tag != NULL ? tag->value : VIEW("");
}

bool
tag_next_member(struct view *rest, struct view *member_out)
{
	if (!view_split(rest, ':', member_out))
		return false;
	*member_out = view_trim(*member_out);
	return true;
}

bool
tag_has_member(struct view value, const char *member)
{
	struct view one;

	while (tag_next_member(&value, &one)) {
		if (view_eq(one, view_of(member)))
			return true;
	}
	return false;
}

struct view
tag_without_blanks(struct view value, struct arena *arena)
{
	char *out = arena_alloc(arena, value.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (!is_blank(value.p[i]))
			out[len++] = value.p[i];
	}
	return view_make(out, len);
}
