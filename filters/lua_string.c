/* SPDX-License-Identifier: MPL-2.0 */
/*
 * string.find, match, gmatch, gsub and rep for scripts: as Lua's (reference manual, 6.4), over
 * the matcher that keeps to the call's budget.
 */
#include "filters/lua_pattern.h"
#include "filters/lua_private.h"

#define REP_STEP 16 /* octets that cost a step; the memory is charged besides */

/* find_offset - of argument n in a string of that length, as Lua counts: from 1, or from the
 * end if negative. False: behind the end. */
static bool
find_offset(lua_State *L, int n, size_t len, size_t *out)
{
	const lua_Integer init = luaL_optinteger(L, n, 1);

	if (init > 0)
		*out = (size_t)init - 1;
	else if (init == 0 || init < -(lua_Integer)len)
		*out = 0;
	else
		*out = len - (size_t)-init;
	return *out <= len;
}

/* begin - the subject and pattern that are arguments 1 and 2; is_anchored_out NULL: a "^" is
 * nothing special. */
static struct pattern_match
begin(lua_State *L, bool *is_anchored_out)
{
	struct lua_sandbox *s = sandbox_of(L);
	struct pattern_match m = { .subject = sandbox_string(L, 1),
		.pattern = sandbox_string(L, 2),
		.steps = &s->steps };

	if (is_anchored_out != NULL) {
		*is_anchored_out = m.pattern.len > 0 && m.pattern.p[0] == '^';
		m.pattern = view_from(m.pattern, *is_anchored_out);
	}
	return m;
}

/* has_matched - raises what is no answer. */
static bool
has_matched(lua_State *L, const struct pattern_match *m, enum pattern_result result)
{
	switch (result) {
	case PATTERN_MATCHES:
		return true;
	case PATTERN_DIFFERS:
		return false;
	case PATTERN_BAD:
		luaL_error(L, "%s", m->error);
		return false;
	case PATTERN_EXHAUSTED:
		break;
	}
	sandbox_exhausted(L, "instructions");
}

static void
push_capture(lua_State *L, const struct pattern_match *m, size_t index)
{
	const struct pattern_capture *capture = &m->captures[index];

	if (index == 0 && m->capture_count == 0) {
		lua_pushlstring(L, m->start, (size_t)(m->end - m->start));
		return;
	}
	if (index >= m->capture_count)
		luaL_error(L, "invalid capture index %%%d", (int)index + 1);
	if (capture->kind == CAPTURE_OPEN)
		luaL_error(L, "unfinished capture");
	if (capture->kind == CAPTURE_POSITION)
		lua_pushinteger(L, capture->start - m->subject.p + 1);
	else
		lua_pushlstring(L, capture->start, capture->len);
}

/* push_captures - all; with is_whole the match itself when there are none. How many. */
static int
push_captures(lua_State *L, const struct pattern_match *m, bool is_whole)
{
	const size_t count = m->capture_count == 0 && is_whole ? 1 : m->capture_count;

	luaL_checkstack(L, (int)count, "too many captures");
	for (size_t i = 0; i < count; i++)
		push_capture(L, m, i);
	return (int)count;
}

static int
push_places(lua_State *L, size_t first, size_t behind)
{
	lua_pushinteger(L, (lua_Integer)first + 1);
	lua_pushinteger(L, (lua_Integer)behind);
	return 2;
}

static int
find_plain(lua_State *L, struct view subject, struct view text, size_t offset)
{
	const char *found;

	sandbox_charge(L, (subject.len - offset) / REP_STEP + 1);
	found = text.len == 0
		    ? subject.p + offset
		    : memmem(subject.p + offset, subject.len - offset, text.p, text.len);
	if (found == NULL) {
		lua_pushnil(L);
		return 1;
	}
	return push_places(
	    L, (size_t)(found - subject.p), (size_t)(found - subject.p) + text.len);
}

/* is_text - nothing in the pattern is special: what is looked for is itself. */
static bool
is_text(struct view pattern)
{
	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.p[i] != '\0' && strchr("^$*+?.([%-", pattern.p[i]) != NULL)
			return false;
	}
	return true;
}

static int
find_or_match(lua_State *L, bool is_find)
{
	bool is_anchored;
	const bool is_plain = is_find && (lua_toboolean(L, 4) || is_text(sandbox_string(L, 2)));
	struct pattern_match m = begin(L, is_plain ? NULL : &is_anchored);
	size_t offset;
	int places = 0;

	if (!find_offset(L, 3, m.subject.len, &offset)) {
		lua_pushnil(L);
		return 1;
	}
	if (is_plain)
		return find_plain(L, m.subject, m.pattern, offset);
	if (!has_matched(L, &m, pattern_search(&m, offset, is_anchored))) {
		lua_pushnil(L);
		return 1;
	}
	if (is_find)
		places = push_places(
		    L, (size_t)(m.start - m.subject.p), (size_t)(m.end - m.subject.p));
	return places + push_captures(L, &m, !is_find);
}

static int
string_find(lua_State *L)
{
	return find_or_match(L, true);
}

static int
string_match(lua_State *L)
{
	return find_or_match(L, false);
}

/* ---- gmatch ---- */

/* next_match - upvalues: subject, pattern, the offset to go on from, the end of the last match
 * (-1: none), where an empty one would be found again. */
static int
next_match(lua_State *L)
{
	struct pattern_match m;
	lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
	size_t offset = (size_t)lua_tointeger(L, lua_upvalueindex(3));

	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, lua_upvalueindex(2));
	m = begin(L, NULL);
	for (; offset <= m.subject.len; offset++) {
		lua_Integer end;

		if (!has_matched(L, &m, pattern_search(&m, offset, false)))
			break;
		offset = (size_t)(m.start - m.subject.p);
		end = m.end - m.subject.p;
		if (end == last)
			continue;
		lua_pushinteger(L, end);
		lua_copy(L, -1, lua_upvalueindex(3));
		lua_replace(L, lua_upvalueindex(4));
		return push_captures(L, &m, true);
	}
	lua_pushinteger(L, (lua_Integer)m.subject.len + 1);
	lua_replace(L, lua_upvalueindex(3));
	return 0;
}

static int
string_gmatch(lua_State *L)
{
	const struct pattern_match m = begin(L, NULL);
	size_t offset;

	if (!find_offset(L, 3, m.subject.len, &offset))
		offset = m.subject.len + 1;
	lua_settop(L, 2);
	lua_pushinteger(L, (lua_Integer)offset);
	lua_pushinteger(L, -1);
	lua_pushcclosure(L, next_match, 4);
	return 1;
}

/* ---- gsub ---- */

/* add_template - the replacement text, with %0 to %9 and %% replaced. */
static void
add_template(lua_State *L, luaL_Buffer *out, const struct pattern_match *m)
{
	struct view rest = sandbox_string(L, 3);

	while (rest.len > 0) {
		const size_t plain = view_find(rest, '%');
		const char c = plain + 1 < rest.len ? rest.p[plain + 1] : '\0';

		luaL_addlstring(out, rest.p, plain);
		if (plain == rest.len)
			return;
		if (c == '%') {
			luaL_addchar(out, '%');
		} else if (c == '0') {
			luaL_addlstring(out, m->start, (size_t)(m->end - m->start));
		} else if (ascii_is_digit(c)) {
			push_capture(L, m, (size_t)(c - '1'));
			luaL_addvalue(out);
		} else {
			luaL_error(L, "invalid use of '%%' in replacement string");
		}
		rest = view_from(rest, plain + 2);
	}
}

/* call_replacement - the function that is argument 3: its first result is on top. */
static void
call_replacement(lua_State *L, const struct pattern_match *m)
{
	struct lua_sandbox *s = sandbox_of(L);
	int count;

	if (++s->depth > LUA_DEPTH_MAX)
		luaL_error(L, "replacement functions within each other, more than %d deep",
		    LUA_DEPTH_MAX);
	lua_pushvalue(L, 3);
	count = push_captures(L, m, true);
	lua_call(L, count, 1);
	s->depth--;
}

/* add_replacement - of a match, to out. */
static void
add_replacement(lua_State *L, luaL_Buffer *out, const struct pattern_match *m)
{
	const int type = lua_type(L, 3);

	if (type != LUA_TFUNCTION && type != LUA_TTABLE) {
		add_template(L, out, m);
		return;
	}
	if (type == LUA_TFUNCTION) {
		call_replacement(L, m);
	} else {
		push_capture(L, m, 0);
		lua_gettable(L, 3);
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(out, m->start, (size_t)(m->end - m->start));
	} else if (lua_isstring(L, -1)) {
		luaL_addvalue(out);
	} else {
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	}
}

static int
string_gsub(lua_State *L)
{
	bool is_anchored;
	struct pattern_match m = begin(L, &is_anchored);
	const lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)m.subject.len + 1);
	const char *p = m.subject.p, *end = p + m.subject.len, *last = NULL;
	lua_Integer count = 0;
	luaL_Buffer out;

	luaL_argexpected(L, lua_isstring(L, 3) || lua_istable(L, 3) || lua_isfunction(L, 3), 3,
	    "string/function/table");
	luaL_buffinit(L, &out);
	while (count < most) {
		if (has_matched(L, &m, pattern_match_at(&m, (size_t)(p - m.subject.p))) &&
		    m.end != last) {
			count++;
			add_replacement(L, &out, &m);
			p = last = m.end;
		} else if (p < end) {
			luaL_addchar(&out, *p);
			p++;
		} else {
			break;
		}
		if (is_anchored)
			break;
	}
	luaL_addlstring(&out, p, (size_t)(end - p));
	luaL_pushresult(&out);
	lua_pushinteger(L, count);
	return 2;
}

static int
string_rep(lua_State *L)
{
	const struct view text = sandbox_string(L, 1);
	const lua_Integer count = luaL_checkinteger(L, 2);
	const struct view between = lua_isnoneornil(L, 3) ? VIEW("") : sandbox_string(L, 3);
	luaL_Buffer out;

	luaL_buffinit(L, &out);
	if (text.len + between.len > 0) {
		for (lua_Integer i = 0; i < count; i++) {
			sandbox_charge(L, 1);
			luaL_addlstring(&out, text.p, text.len);
			if (i + 1 < count)
				luaL_addlstring(&out, between.p, between.len);
		}
	}
	luaL_pushresult(&out);
	return 1;
}

void
sandbox_add_strings(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "find", string_find },
		{ "gmatch", string_gmatch },
		{ "gsub", string_gsub },
		{ "match", string_match },
		{ "rep", string_rep },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
