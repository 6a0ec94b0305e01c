/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A backtracking matcher. Recursion is by the items of the pattern, never by the subject, and
 * at most DEPTH_MAX deep; each look at an octet of the subject takes a step of the budget.
 */
#include "filters/lua_pattern.h"

#define DEPTH_MAX 200

/* NULL: no match here, or an error: m->error, or no steps left. */
typedef const char *place;

static place match_here(struct pattern_match *m, place s, const char *p);

static const char *
pattern_end(const struct pattern_match *m)
{
	return m->pattern.p + m->pattern.len;
}

static place
subject_end(const struct pattern_match *m)
{
	return m->subject.p + m->subject.len;
}

static const char *
bad(struct pattern_match *m, const char *error)
{
	if (m->error == NULL)
		m->error = error;
	return NULL;
}

/* take - steps of the budget; false: there are not so many. */
static bool
take(struct pattern_match *m, uint64_t count)
{
	if (*m->steps < count) {
		*m->steps = 0;
		return false;
	}
	*m->steps -= count;
	return true;
}

static bool
is_stopped(const struct pattern_match *m)
{
	return m->error != NULL || *m->steps == 0;
}

/* ---- one octet ---- */

static bool
is_between(unsigned char c, char first, char last)
{
	return c >= (unsigned char)first && c <= (unsigned char)last;
}

/* is_in_class - of "%a" and its like; a letter that names no class is itself. */
static bool
is_in_class(unsigned char c, char name)
{
	const bool is_alpha = is_between(c | 0x20, 'a', 'z') && c < 0x80;
	const bool is_digit = is_between(c, '0', '9');
	const bool is_graph = c > ' ' && c < 0x7f;
	bool is_in;

	switch (ascii_lower(name)) {
	case 'a':
		is_in = is_alpha;
		break;
	case 'c':
		is_in = c < ' ' || c == 0x7f;
		break;
	case 'd':
		is_in = is_digit;
		break;
	case 'g':
		is_in = is_graph;
		break;
	case 'l':
		is_in = is_between(c, 'a', 'z');
		break;
	case 'p':
		is_in = is_graph && !is_alpha && !is_digit;
		break;
	case 's':
		is_in = c == ' ' || is_between(c, '\t', '\r');
		break;
	case 'u':
		is_in = is_between(c, 'A', 'Z');
		break;
	case 'w':
		is_in = is_alpha || is_digit;
		break;
	case 'z':
		is_in = c == '\0';
		break;
	case 'x':
		is_in = is_digit || (is_between(c | 0x20, 'a', 'f') && c < 0x80);
		break;
	default:
		return c == (unsigned char)name;
	}
	return is_between((unsigned char)name, 'A', 'Z') ? !is_in : is_in;
}

/* is_in_set - p is behind the "[", end at its "]", to which a last "%" belongs. */
static bool
is_in_set(unsigned char c, const char *p, const char *end)
{
	const bool is_complement = *p == '^';

	for (p += is_complement; p < end; p++) {
		if (*p == '%') {
			if (is_in_class(c, *++p))
				return !is_complement;
		} else if (p + 2 < end && p[1] == '-') {
			if (is_between(c, p[0], p[2]))
				return !is_complement;
			p += 2;
		} else if (c == (unsigned char)*p) {
			return !is_complement;
		}
	}
	return is_complement;
}

/* set_end - behind the "]" that closes the set; p is behind its "[". */
static const char *
set_end(struct pattern_match *m, const char *p)
{
	const char *end = pattern_end(m);
	const char *first;

	if (p < end && *p == '^')
		p++;
	for (first = p; p < end; p++) {
		if (*p == ']' && p > first)
			return p + 1;
		if (*p == '%' && p + 1 < end)
			p++;
	}
	return bad(m, "malformed pattern (missing ']')");
}

/* item_end - behind the single-character class at p. */
static const char *
item_end(struct pattern_match *m, const char *p)
{
	if (*p == '[')
		return set_end(m, p + 1);
	if (*p != '%')
		return p + 1;
	if (p + 1 == pattern_end(m))
		return bad(m, "malformed pattern (ends with '%')");
	return p + 2;
}

/* is_one - does the class from p to end stand for the octet at s? */
static bool
is_one(struct pattern_match *m, place s, const char *p, const char *end)
{
	if (s >= subject_end(m) || !take(m, 1))
		return false;
	switch (*p) {
	case '.':
		return true;
	case '%':
		return is_in_class((unsigned char)*s, p[1]);
	case '[':
		return is_in_set((unsigned char)*s, p + 1, end - 1);
	default:
		return *s == *p;
	}
}

/* ---- repetitions ---- */

/* match_most - as many as there are, then fewer, down to least. */
static place
match_most(struct pattern_match *m, place s, const char *p, const char *end, ptrdiff_t least)
{
	ptrdiff_t count = 0;

	while (is_one(m, s + count, p, end))
		count++;
	for (; count >= least && !is_stopped(m); count--) {
		place found = match_here(m, s + count, end + 1);

		if (found != NULL)
			return found;
	}
	return NULL;
}

static place
match_fewest(struct pattern_match *m, place s, const char *p, const char *end)
{
	while (!is_stopped(m)) {
		place found = match_here(m, s, end + 1);

		if (found != NULL)
			return found;
		if (!is_one(m, s, p, end))
			return NULL;
		s++;
	}
	return NULL;
}

/* ---- captures ---- */

static place
match_capture(struct pattern_match *m, place s, const char *p, enum pattern_capture_kind kind)
{
	place found;

	if (m->capture_count == PATTERN_CAPTURES_MAX)
		return bad(m, "too many captures");
	m->captures[m->capture_count++] =
	    (struct pattern_capture){ .kind = kind, .start = s, .len = 0 };
	found = match_here(m, s, p);
	if (found == NULL)
		m->capture_count--;
	return found;
}

static place
close_capture(struct pattern_match *m, place s, const char *p)
{
	size_t at = m->capture_count;
	place found;

	while (at > 0 && m->captures[at - 1].kind != CAPTURE_OPEN)
		at--;
	if (at == 0)
		return bad(m, "invalid pattern capture");
	m->captures[at - 1].kind = CAPTURE_TEXT;
	m->captures[at - 1].len = (size_t)(s - m->captures[at - 1].start);
	found = match_here(m, s, p);
	if (found == NULL)
		m->captures[at - 1].kind = CAPTURE_OPEN;
	return found;
}

/* skip_captured - behind what an earlier capture holds, if it stands here again ("%1"). */
static place
skip_captured(struct pattern_match *m, place s, char digit)
{
	const size_t index = (size_t)(digit - '1'); /* of "%0": out of range */
	const struct pattern_capture *capture;

	if (digit == '0' || index >= m->capture_count ||
	    m->captures[index].kind == CAPTURE_OPEN)
		return bad(m, "invalid capture index in the pattern");
	capture = &m->captures[index];
	if (capture->kind == CAPTURE_POSITION || (size_t)(subject_end(m) - s) < capture->len ||
	    !take(m, capture->len + 1) || memcmp(s, capture->start, capture->len) != 0)
		return NULL;
	return s + capture->len;
}

/* ---- what begins with % and is no class ---- */

/* skip_balanced - "%bxy": behind the y that closes the x at s; xy are at p. */
static place
skip_balanced(struct pattern_match *m, place s, const char *p)
{
	size_t open = 0;

	if (p + 1 >= pattern_end(m))
		return bad(m, "malformed pattern (missing arguments to '%b')");
	if (s >= subject_end(m) || *s != p[0])
		return NULL;
	for (; s < subject_end(m) && take(m, 1); s++) {
		if (*s == p[1] && open == 1)
			return s + 1;
		if (*s == p[1] && open > 0)
			open--;
		else if (*s == p[0])
			open++;
	}
	return NULL;
}

/* match_frontier - "%f[set]": between an octet that is not in the set and one that is. */
static place
match_frontier(struct pattern_match *m, place s, const char *p)
{
	const unsigned char before = s > m->subject.p ? (unsigned char)s[-1] : '\0';
	const unsigned char here = s < subject_end(m) ? (unsigned char)*s : '\0';
	const char *end;

	if (p >= pattern_end(m) || *p != '[')
		return bad(m, "missing '[' after '%f' in pattern");
	end = set_end(m, p + 1);
	if (end == NULL || is_in_set(before, p + 1, end - 1) ||
	    !is_in_set(here, p + 1, end - 1))
		return NULL;
	return match_here(m, s, end);
}

/* match_item - a class, with what repeats it, and all behind it. */
static place
match_item(struct pattern_match *m, place s, const char *p)
{
	const char *end = item_end(m, p);

	if (end == NULL)
		return NULL;
	switch (end < pattern_end(m) ? *end : '\0') {
	case '?':
		if (is_one(m, s, p, end)) {
			place found = match_here(m, s + 1, end + 1);

			if (found != NULL || is_stopped(m))
				return found;
		}
		return match_here(m, s, end + 1);
	case '*':
		return match_most(m, s, p, end, 0);
	case '+':
		return match_most(m, s, p, end, 1);
	case '-':
		return match_fewest(m, s, p, end);
	default:
		return is_one(m, s, p, end) ? match_here(m, s + 1, end) : NULL;
	}
}

static place
match_escape(struct pattern_match *m, place s, const char *p)
{
	const char name = p + 1 < pattern_end(m) ? p[1] : '\0';

	if (name == 'b') {
		s = skip_balanced(m, s, p + 2);
		return s != NULL ? match_here(m, s, p + 4) : NULL;
	}
	if (name == 'f')
		return match_frontier(m, s, p + 2);
	if (ascii_is_digit(name)) {
		s = skip_captured(m, s, name);
		return s != NULL ? match_here(m, s, p + 2) : NULL;
	}
	return match_item(m, s, p);
}

/* skip_plain - single octets that nothing repeats, without recursion; NULL: one differs. */
static place
skip_plain(struct pattern_match *m, place s, const char **p)
{
	const char *end = pattern_end(m);

	while (*p < end && strchr("%[]().*+-?$^", **p) == NULL &&
	       (*p + 1 == end || strchr("*+-?", (*p)[1]) == NULL)) {
		if (!is_one(m, s, *p, *p + 1))
			return NULL;
		s++;
		(*p)++;
	}
	return s;
}

static place
match_next(struct pattern_match *m, place s, const char *p)
{
	const char *end = pattern_end(m);

	s = skip_plain(m, s, &p);
	if (s == NULL || p == end)
		return s;
	switch (*p) {
	case '(':
		if (p + 1 < end && p[1] == ')')
			return match_capture(m, s, p + 2, CAPTURE_POSITION);
		return match_capture(m, s, p + 1, CAPTURE_OPEN);
	case ')':
		return close_capture(m, s, p + 1);
	case '$':
		if (p + 1 == end)
			return s == subject_end(m) ? s : NULL;
		return match_item(m, s, p);
	case '%':
		return match_escape(m, s, p);
	default:
		return match_item(m, s, p);
	}
}

static place
match_here(struct pattern_match *m, place s, const char *p)
{
	place found;

	if (!take(m, 1))
		return NULL;
	if (m->depth == DEPTH_MAX)
		return bad(m, "pattern too complex");
	m->depth++;
	found = match_next(m, s, p);
	m->depth--;
	return found;
}

enum pattern_result
pattern_match_at(struct pattern_match *m, size_t offset)
{
	m->capture_count = 0;
	m->depth = 0;
	m->error = NULL;
	m->start = m->subject.p + offset;
	m->end = match_here(m, m->start, m->pattern.p);
	if (m->error != NULL)
		return PATTERN_BAD;
	if (m->end != NULL)
		return PATTERN_MATCHES;
	return *m->steps == 0 ? PATTERN_EXHAUSTED : PATTERN_DIFFERS;
}

enum pattern_result
pattern_search(struct pattern_match *m, size_t offset, bool is_anchored)
{
	enum pattern_result result = pattern_match_at(m, offset);

	while (result == PATTERN_DIFFERS && !is_anchored && offset < m->subject.len)
		result = pattern_match_at(m, ++offset);
	return result;
}
