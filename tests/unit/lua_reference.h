/* SPDX-License-Identifier: MPL-2.0 */
/* Lua's own string.find, beside our matcher: for the unit test and the fuzzer. */
#ifndef GATEPOST_TESTS_LUA_REFERENCE_H
#define GATEPOST_TESTS_LUA_REFERENCE_H

#include "filters/lua_pattern.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

struct reference {
	lua_State *L;
	char difference[200];
};

static inline void
reference_open(struct reference *r)
{
	r->L = luaL_newstate();
	luaL_requiref(r->L, "string", luaopen_string, 1);
	lua_settop(r->L, 0);
}

static inline void
reference_close(struct reference *r)
{
	lua_close(r->L);
}

static inline bool
reference_differs(struct reference *r, const char *what, long long ours, long long theirs)
{
	(void)snprintf(
	    r->difference, sizeof(r->difference), "%s: %lld, not %lld", what, ours, theirs);
	return false;
}

/* reference_capture - our capture i is their value at that index of the stack. */
static inline bool
reference_capture(struct reference *r, const struct pattern_match *m, size_t i, int index)
{
	const struct pattern_capture *capture = &m->captures[i];
	size_t len;
	const char *text;

	if (capture->kind == CAPTURE_POSITION) {
		const long long ours = capture->start - m->subject.p + 1;

		return lua_isinteger(r->L, index) && lua_tointeger(r->L, index) == ours
			   ? true
			   : reference_differs(r, "position", ours, -1);
	}
	if (lua_type(r->L, index) != LUA_TSTRING)
		return reference_differs(r, "kind of capture", (long long)i, -1);
	text = lua_tolstring(r->L, index, &len);
	if (view_eq(view_make(text, len), view_make(capture->start, capture->len)))
		return true;
	return reference_differs(r, "capture", (long long)capture->len, (long long)len);
}

/* reference_is_open - a capture that the pattern never closed: an error of whoever asks for it.
 */
static inline bool
reference_is_open(const struct pattern_match *m)
{
	for (size_t i = 0; i < m->capture_count; i++) {
		if (m->captures[i].kind == CAPTURE_OPEN)
			return true;
	}
	return false;
}

static inline bool
reference_results(struct reference *r, const struct pattern_match *m)
{
	const int count = lua_gettop(r->L);

	if (lua_isnil(r->L, 1))
		return reference_differs(r, "result", PATTERN_MATCHES, PATTERN_DIFFERS);
	if (count != 2 + (int)m->capture_count)
		return reference_differs(r, "captures", (long long)m->capture_count, count - 2);
	if (lua_tointeger(r->L, 1) != m->start - m->subject.p + 1)
		return reference_differs(
		    r, "start", m->start - m->subject.p + 1, lua_tointeger(r->L, 1));
	if (lua_tointeger(r->L, 2) != m->end - m->subject.p)
		return reference_differs(
		    r, "end", m->end - m->subject.p, lua_tointeger(r->L, 2));
	for (size_t i = 0; i < m->capture_count; i++) {
		if (!reference_capture(r, m, i, (int)i + 3))
			return false;
	}
	return true;
}

/* reference_is_text - find looks for it as it is, though the matcher would not take it. */
static inline bool
reference_is_text(struct view pattern)
{
	bool has_close = false;

	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.p[i] != '\0' && strchr("^$*+?.([%-", pattern.p[i]) != NULL)
			return false;
		has_close = has_close || pattern.p[i] == ')';
	}
	return has_close;
}

/* reference_is_deep - either of them gives up for the depth, which they count differently. */
static inline bool
reference_is_deep(struct reference *r, const struct pattern_match *m, bool is_bad)
{
	static const char words[] = "pattern too complex";

	return (m->error != NULL && strcmp(m->error, words) == 0) ||
	       (is_bad && strstr(lua_tostring(r->L, -1), words) != NULL);
}

/* reference_agrees - false: r->difference says how they differ. */
static inline bool
reference_agrees(struct reference *r, struct view subject, struct view pattern)
{
	uint64_t steps = 1000000;
	const bool is_anchored = pattern.len > 0 && pattern.p[0] == '^';
	struct pattern_match m = {
		.subject = subject, .pattern = view_from(pattern, is_anchored), .steps = &steps
	};
	const enum pattern_result result = pattern_search(&m, 0, is_anchored);
	bool is_bad, agrees;

	if (reference_is_text(pattern) || result == PATTERN_EXHAUSTED)
		return true;

	lua_settop(r->L, 0);
	lua_getglobal(r->L, "string");
	lua_getfield(r->L, -1, "find");
	lua_remove(r->L, 1);
	lua_pushlstring(r->L, subject.p, subject.len);
	lua_pushlstring(r->L, pattern.p, pattern.len);
	is_bad = lua_pcall(r->L, 2, LUA_MULTRET, 0) != LUA_OK;
	if (reference_is_deep(r, &m, is_bad))
		return true;
	if (is_bad)
		return result == PATTERN_BAD ||
			       (result == PATTERN_MATCHES && reference_is_open(&m))
			   ? true
			   : reference_differs(r, "result", (long long)result, PATTERN_BAD);
	if (result == PATTERN_MATCHES)
		return reference_results(r, &m);
	agrees = result == PATTERN_DIFFERS && lua_isnil(r->L, 1);
	return agrees ? true : reference_differs(r, "result", (long long)result, -1);
}

#endif
