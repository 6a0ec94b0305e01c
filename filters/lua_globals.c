/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a script has of Lua's own: the functions named here, and no others. Left out is what
 * reaches the system (os, io, package, debug), loads code, steers the collector, or would keep
 * a script going past its limits (coroutines). What takes long in one call is charged for.
 */
#include "filters/lua_private.h"

#include <lualib.h>

static const char *const base_names[] = { "assert", "error", "getmetatable", "ipairs", "next",
	"pairs", "rawequal", "rawget", "rawlen", "select", "tonumber", "tostring", "type",
	"_VERSION", NULL };
static const char *const string_names[] = { "byte", "char", "format", "len", "lower", "pack",
	"packsize", "reverse", "sub", "unpack", "upper", NULL };
static const char *const table_names[] = { "pack", NULL };

/* ---- errors that cannot be caught ---- */

/*
 * call_protected - the function below count arguments: LUA_OK and its results, or what
 * lua_pcall says and the error. What ends the hook goes through it.
 */
static int
call_protected(lua_State *L, int count)
{
	struct lua_sandbox *s = sandbox_of(L);
	const unsigned depth = s->depth;
	const int status = lua_pcall(L, count, LUA_MULTRET, 0);

	if (status == LUA_OK)
		return status;
	s->depth = depth;
	if (s->end != LUA_END_NONE)
		return lua_error(L);
	return status;
}

/* pcall(function, ...) */
static int
guarded_pcall(lua_State *L)
{
	int status;

	luaL_checkany(L, 1);
	status = call_protected(L, lua_gettop(L) - 1);
	lua_pushboolean(L, status == LUA_OK);
	lua_insert(L, 1);
	return lua_gettop(L);
}

/*
 * xpcall(function, handler, ...) - the handler is called when the stack is unwound, not where
 * the error is: an error of the counting hook is raised with hooks switched off, and so a
 * handler of Lua's own xpcall would run without any limit.
 */
static int
guarded_xpcall(lua_State *L)
{
	int status;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 2);
	lua_insert(L, 1);
	lua_remove(L, 3); /* handler, function, arguments */
	status = call_protected(L, lua_gettop(L) - 2);
	if (status != LUA_OK) {
		lua_pushvalue(L, 1);
		lua_insert(L, -2); /* handler, handler, error */
		(void)call_protected(L, 1);
	}
	lua_pushboolean(L, status == LUA_OK);
	lua_replace(L, 1);
	return lua_gettop(L);
}

/* ---- metatables ---- */

/* setmetatable - without finalizers: they would run unlimited, while memory is collected. */
static int
guarded_setmetatable(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
	lua_settop(L, 2);
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "__gc is not available");
		lua_pop(L, 1);
	}
	lua_setmetatable(L, 1);
	return 1;
}

/* ---- tables ---- */

/* check_plain - argument n is a table whose elements cost nothing to look at. */
static void
check_plain(lua_State *L, int n)
{
	luaL_checktype(L, n, LUA_TTABLE);
	if (lua_getmetatable(L, n))
		luaL_argerror(L, n, "a table with a metatable cannot be used here");
}

/* call_original - the upvalue, with all arguments. */
static int
call_original(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* guarded_concat - what it makes is charged as memory. */
static int
guarded_concat(lua_State *L)
{
	check_plain(L, 1);
	return call_original(L);
}

/* guarded_shift - insert with a position, and remove with one, move what is behind it. */
static int
guarded_shift(lua_State *L, int most_arguments)
{
	check_plain(L, 1);
	if (lua_gettop(L) > most_arguments)
		sandbox_charge(L, lua_rawlen(L, 1));
	return call_original(L);
}

static int
guarded_insert(lua_State *L)
{
	return guarded_shift(L, 2);
}

static int
guarded_remove(lua_State *L)
{
	return guarded_shift(L, 1);
}

static int
guarded_sort(lua_State *L)
{
	uint64_t count, rounds = 1;

	check_plain(L, 1);
	count = lua_rawlen(L, 1);
	while (count >> rounds > 0)
		rounds++;
	sandbox_charge(L, 2 * count * rounds);
	return call_original(L);
}

/* charge_range - for the elements from argument first to argument last. */
static void
charge_range(lua_State *L, lua_Integer first, lua_Integer last)
{
	if (last >= first)
		sandbox_charge(L, (uint64_t)last - (uint64_t)first);
}

static int
guarded_unpack(lua_State *L)
{
	check_plain(L, 1);
	charge_range(L, luaL_optinteger(L, 2, 1),
	    lua_isnoneornil(L, 3) ? (lua_Integer)lua_rawlen(L, 1) : luaL_checkinteger(L, 3));
	return call_original(L);
}

static int
guarded_move(lua_State *L)
{
	check_plain(L, 1);
	if (!lua_isnoneornil(L, 5))
		check_plain(L, 5);
	charge_range(L, luaL_checkinteger(L, 2), luaL_checkinteger(L, 3));
	return call_original(L);
}

static const luaL_Reg guarded_table[] = {
	{ "concat", guarded_concat },
	{ "insert", guarded_insert },
	{ "remove", guarded_remove },
	{ "sort", guarded_sort },
	{ "unpack", guarded_unpack },
	{ "move", guarded_move },
	{ NULL, NULL },
};

/* ---- all together ---- */

/* copy_fields - of those names, from the table at index from to the one on top. */
static void
copy_fields(lua_State *L, int from, const char *const *names)
{
	for (; *names != NULL; names++) {
		lua_getfield(L, from, *names);
		lua_setfield(L, -2, *names);
	}
}

/* push_library - Lua's own library of that name. */
static void
push_library(lua_State *L, const char *name, lua_CFunction open)
{
	lua_pushcfunction(L, open);
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
}

static void
push_table_library(lua_State *L)
{
	int own;

	push_library(L, LUA_TABLIBNAME, luaopen_table);
	own = lua_gettop(L);
	lua_newtable(L);
	copy_fields(L, own, table_names);
	for (const luaL_Reg *f = guarded_table; f->name != NULL; f++) {
		lua_getfield(L, own, f->name);
		lua_pushcclosure(L, f->func, 1);
		lua_setfield(L, -2, f->name);
	}
	lua_remove(L, own);
}

/* push_string_library - and let the methods of strings be those. */
static void
push_string_library(lua_State *L)
{
	int own;

	push_library(L, LUA_STRLIBNAME, luaopen_string);
	own = lua_gettop(L);
	lua_newtable(L);
	copy_fields(L, own, string_names);
	sandbox_add_strings(L);
	lua_remove(L, own);
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

static void
push_math_library(lua_State *L)
{
	push_library(L, LUA_MATHLIBNAME, luaopen_math);
	lua_pushnil(L);
	lua_setfield(L, -2, "randomseed");
}

void
sandbox_push_globals(lua_State *L)
{
	int own;

	push_library(L, LUA_GNAME, luaopen_base);
	own = lua_gettop(L);
	lua_createtable(L, 0, 32);
	copy_fields(L, own, base_names);
	lua_remove(L, own);
	lua_pushcfunction(L, guarded_pcall);
	lua_setfield(L, -2, "pcall");
	lua_pushcfunction(L, guarded_xpcall);
	lua_setfield(L, -2, "xpcall");
	lua_pushcfunction(L, guarded_setmetatable);
	lua_setfield(L, -2, "setmetatable");
	push_table_library(L);
	lua_setfield(L, -2, "table");
	push_string_library(L);
	lua_setfield(L, -2, "string");
	push_math_library(L);
	lua_setfield(L, -2, "math");
	push_library(L, LUA_UTF8LIBNAME, luaopen_utf8);
	lua_setfield(L, -2, "utf8");
}
