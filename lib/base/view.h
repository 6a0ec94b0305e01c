/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A view: octets that somebody else owns, with their length. Not NUL-terminated. All parsers of
 * this house take views and return views into what they were given.
 * Case-insensitive comparison here is ASCII only, whatever the locale.
 */
#ifndef GATEPOST_BASE_VIEW_H
#define GATEPOST_BASE_VIEW_H

#include "lib/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct view {
	const char *p;
	size_t len;
};

#define VIEW(literal) ((struct view){ (literal), sizeof(literal) - 1 })
#define VIEW_ARG(v)   (int)(v).len, (v).p /* for "%.*s" */

static inline struct view
view_make(const char *p, size_t len)
{
	return (struct view){ p, len };
}

/* view_of - the view of a C string; NULL gives the empty view. */
static inline struct view
view_of(const char *s)
{
	return s != NULL ? (struct view){ s, strlen(s) } : (struct view){ "", 0 };
}

bool view_eq(struct view a, struct view b);
bool view_eq_nocase(struct view a, struct view b);
bool view_starts(struct view v, struct view prefix);
bool view_starts_nocase(struct view v, struct view prefix);
bool view_ends_nocase(struct view v, struct view suffix);

/* view_from - the rest of v from offset on (an offset past the end gives the empty view). */
struct view view_from(struct view v, size_t offset);
struct view view_trim(struct view v); /* without SP, HT, CR, LF at either end */

/* view_find - offset of the first c, or v.len when there is none. */
size_t view_find(struct view v, char c);

/*
 * view_split - cut the next piece off *rest at separator sep. False when *rest is used up
 * (an empty piece between two separators is a piece).
 * Usage: while (view_split(&rest, ',', &piece)) ...   Start with rest.p non-NULL.
 */
bool view_split(struct view *rest, char sep, struct view *piece_out);

/* view_to_u64 - decimal digits only, no sign, no blanks, no overflow; false otherwise. */
MUST_CHECK bool view_to_u64(struct view v, uint64_t *out);

/* view_copy - into room octets at out, always NUL-terminated; false if it did not fit. */
bool view_copy(struct view v, char *out, size_t room);

char ascii_lower(char c);
bool ascii_is_alnum(char c);
bool ascii_is_digit(char c);
int ascii_hex_value(char c); /* 0..15, either case; -1: it is no hexadecimal digit */

#endif
