/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lua patterns (reference manual of Lua 5.4, section 6.4.1), matched with a budget: a pattern
 * such as ".-.-.-x" takes time in a power of the subject's length, the subject is the peer's,
 * and the library's own matcher cannot be interrupted. ASCII classes, whatever the locale.
 */
#ifndef GATEPOST_FILTERS_LUA_PATTERN_H
#define GATEPOST_FILTERS_LUA_PATTERN_H

#include "lib/base/view.h"

#define PATTERN_CAPTURES_MAX 32

enum pattern_result {
	PATTERN_MATCHES,
	PATTERN_DIFFERS,
	PATTERN_BAD,	   /* malformed, or nested too deep: error says what */
	PATTERN_EXHAUSTED, /* the steps are used up */
};

enum pattern_capture_kind { CAPTURE_OPEN, CAPTURE_POSITION, CAPTURE_TEXT };

struct pattern_capture {
	enum pattern_capture_kind kind;
	const char *start;
	size_t len;
};

struct pattern_match {
	struct view subject;
	struct view pattern; /* without the "^" that anchors it */
	uint64_t *steps;     /* left; about the cost of an instruction each */
	/* Results. */
	const char *start, *end; /* of the match */
	struct pattern_capture captures[PATTERN_CAPTURES_MAX];
	size_t capture_count;
	const char *error; /* static */
	/* Private. */
	unsigned depth;
};

/* pattern_match_at - does it match at this offset of the subject (at most its length)? */
MUST_CHECK enum pattern_result pattern_match_at(struct pattern_match *m, size_t offset);

/* pattern_search - the first match at or behind the offset; only there if it is anchored. */
MUST_CHECK enum pattern_result pattern_search(
    struct pattern_match *m, size_t offset, bool is_anchored);

#endif
