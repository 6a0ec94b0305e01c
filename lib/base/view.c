/* SPDX-License-Identifier: MPL-2.0 */
/* Views: comparing, cutting, reading numbers. Pure functions; nothing here allocates. */
#include "lib/base/view.h"

char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
ascii_is_alnum(char c)
{
	char lower = ascii_lower(c);
	return ascii_is_digit(c) || (lower >= 'a' && lower <= 'z');
}

bool
view_eq(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
view_eq_nocase(struct view a, struct view b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool
view_starts(struct view v, struct view prefix)
{
	return v.len >= prefix.len && view_eq(view_make(v.p, prefix.len), prefix);
}

bool
view_starts_nocase(struct view v, struct view prefix)
{
	return v.len >= prefix.len && view_eq_nocase(view_make(v.p, prefix.len), prefix);
}

bool
view_ends_nocase(struct view v, struct view suffix)
{
	return v.len >= suffix.len && view_eq_nocase(view_from(v, v.len - suffix.len), suffix);
}

struct view
view_from(struct view v, size_t offset)
{
	if (offset == 0)
		return v;
	if (offset >= v.len)
		return v.len > 0 ? view_make(v.p + v.len, 0) : v;
	return view_make(v.p + offset, v.len - offset);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct view
view_trim(struct view v)
{
	while (v.len > 0 && is_blank(v.p[0]))
		v = view_from(v, 1);
	while (v.len > 0 && is_blank(v.p[v.len - 1]))
		v.len--;
	return v;
}

size_t
view_find(struct view v, char c)
{
	const char *at = v.len > 0 ? memchr(v.p, c, v.len) : NULL;
	return at != NULL ? (size_t)(at - v.p) : v.len;
}

bool
view_split(struct view *rest, char sep, struct view *piece_out)
{
	if (rest->p == NULL)
		return false;
	size_t len = view_find(*rest, sep);
	*piece_out = view_make(rest->p, len);
	*rest = len < rest->len ? view_from(*rest, len + 1) : view_make(NULL, 0);
	return true;
}

bool
view_to_u64(struct view v, uint64_t *out)
{
	uint64_t n = 0;
	if (v.len == 0)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (!ascii_is_digit(v.p[i]))
			return false;
		uint64_t digit = (uint64_t)(v.p[i] - '0');
		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = n;
	return true;
}

bool
view_copy(struct view v, char *out, size_t room)
{
	if (room == 0)
		return false;
	size_t len = v.len < room ? v.len : room - 1;
	if (len > 0)
		memcpy(out, v.p, len);
	out[len] = '\0';
	return len == v.len;
}

int
ascii_hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
