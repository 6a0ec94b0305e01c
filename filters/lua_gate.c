/* SPDX-License-Identifier: MPL-2.0 */
/* The table gate: what a script can do besides reading facts and changing the message. */
#include "filters/lua_private.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/address.h"

#include <stdio.h>
#include <time.h>

static struct link_call *
call_of(lua_State *L)
{
	struct link_call *call = sandbox_of(L)->call;

	if (call == NULL)
		luaL_error(
		    L, "this can be done in a hook only, not while the script is loaded");
	return call;
}

/* ---- answers ---- */

/* is_enhanced - "5.7.1", of the code's class (RFC 3463 2). */
static bool
is_enhanced(struct view text, int code)
{
	struct view part;
	uint64_t number;
	size_t count = 0;

	if (text.len == 0 || text.p[0] != '0' + code / 100)
		return false;
	for (; view_split(&text, '.', &part); count++) {
		if (part.len == 0 || part.len > 3 || !view_to_u64(part, &number))
			return false;
	}
	return count == 3;
}

/* code_at - as far as SMTP has it at the stage: at connect 554 and 421 alone (RFC 5321 4.3.2).
 */
static int
code_at(enum link_stage stage, int code)
{
	if (stage != STAGE_CONNECT)
		return code;
	return code >= 500 ? 554 : 421;
}

/* gate.refuse(code, enhanced, text) - what the client hears; ends the hook. */
static int
gate_refuse(lua_State *L)
{
	struct link_call *call = call_of(L);
	const lua_Integer code = luaL_checkinteger(L, 1);
	const struct view enhanced = sandbox_string(L, 2);
	const char *text = luaL_checkstring(L, 3);
	char class[12];

	luaL_argcheck(L, code >= 400 && code <= 599, 1, "a refusal has a code of 400 to 599");
	luaL_argcheck(L,
	    is_enhanced(enhanced, (int)code) && view_copy(enhanced, class, sizeof(class)), 2,
	    "an enhanced code is like \"5.7.1\", and begins as the code does");
	sandbox_end(
	    L, link_refuse(call, code_at(link_stage(call), (int)code), class, "%s", text));
}

/* gate.fail(reason) - no decision is possible: on_error says what comes of it. Ends the hook.
 */
static int
gate_fail(lua_State *L)
{
	struct link_call *call = call_of(L);

	sandbox_end(L, link_fail(call, "%s", luaL_checkstring(L, 1)));
}

/* gate.route(upstream) - where the message shall go; in the hook mail. */
static int
gate_route(lua_State *L)
{
	struct link_call *call = call_of(L);
	const char *upstream = luaL_checkstring(L, 1);

	if (link_stage(call) != STAGE_MAIL)
		return luaL_error(L, "gate.route is for the hook mail");
	if (!link_route(call, upstream))
		return luaL_error(L, "there is no upstream \"%s\"", upstream);
	return 0;
}

/* ---- words for the log ---- */

/* gate.log(text) */
static int
gate_log(lua_State *L)
{
	struct lua_sandbox *s = sandbox_of(L);
	const struct link_call *call = call_of(L);
	const struct facts *facts = link_facts(call);
	const struct view text = sandbox_string(L, 1);

	if (s->logs++ >= LUA_LOGS_MAX)
		return 0;
	log_event(LEVEL_INFO, "lua.log",
	    LOG_STR(
		"id", link_stage(call) >= STAGE_MAIL ? facts->message_id : facts->session_id),
	    LOG_STR("link", link_name(call)), LOG_VIEW("text", text));
	return 0;
}

static bool
is_note_octet(char c, bool is_key)
{
	if (ascii_is_alnum(c) || c == '_' || c == '-' || c == '.')
		return true;
	return !is_key && c > ' ' && c < 0x7f;
}

/* check_note - a key or value must not look like several. */
static const char *
check_note(lua_State *L, int n, bool is_key)
{
	const struct view text = sandbox_string(L, n);

	for (size_t i = 0; i < text.len; i++)
		luaL_argcheck(L, is_note_octet(text.p[i], is_key), n,
		    is_key ? "a key has letters, digits, \"_\", \"-\" and \".\""
			   : "a value has no blanks, and ASCII alone");
	luaL_argcheck(L, text.len > 0, n, "it is empty");
	return text.p;
}

/* gate.note(key, value) - for the line of the log that every message has. */
static int
gate_note(lua_State *L)
{
	struct link_call *call = call_of(L);
	const char *key = check_note(L, 1, true);

	link_note(call, key, "%s", check_note(L, 2, false));
	return 0;
}

/* ---- what others know ---- */

/* gate.results() - of authentication so far: a list of { method, result, domain, reason }. */
static int
gate_results(lua_State *L)
{
	size_t count;
	const struct authres *results = link_results(call_of(L), &count);

	lua_newtable(L);
	for (size_t i = 0; i < count; i++) {
		lua_createtable(L, 0, 4);
		lua_pushstring(L, authres_method_name(results[i].method));
		lua_setfield(L, -2, "method");
		lua_pushstring(L, authres_result_name(results[i].result));
		lua_setfield(L, -2, "result");
		lua_pushstring(L, results[i].domain);
		lua_setfield(L, -2, "domain");
		lua_pushstring(L, results[i].reason);
		lua_setfield(L, -2, "reason");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* gate.has_failed(link) - it could not decide, and was passed over: its results are missing. */
static int
gate_has_failed(lua_State *L)
{
	lua_pushboolean(L, link_has_failed(call_of(L), luaL_checkstring(L, 1)));
	return 1;
}

/* gate.in_network(address, network) */
static int
gate_in_network(lua_State *L)
{
	struct network network;
	struct sockaddr_storage address;
	struct err err;
	const char *text = luaL_checkstring(L, 1);

	sandbox_of(L);
	if (!network_parse(luaL_checkstring(L, 2), &network, &err))
		return luaL_argerror(L, 2, lua_pushstring(L, err.text));
	lua_pushboolean(
	    L, address_from_host(text, 0, &address) && network_has(&network, &address));
	return 1;
}

/* ---- time ---- */

static int
gate_time(lua_State *L)
{
	sandbox_of(L);
	lua_pushinteger(L, (lua_Integer)clock_real_s());
	return 1;
}

static void
set_number(lua_State *L, const char *key, int number)
{
	lua_pushinteger(L, number);
	lua_setfield(L, -2, key);
}

/* gate.date([seconds]) - local time: { year, month, day, hour, min, sec, wday (1: Sunday) }. */
static int
gate_date(lua_State *L)
{
	const time_t at = (time_t)luaL_optinteger(L, 1, (lua_Integer)clock_real_s());
	struct tm tm;

	sandbox_of(L);
	luaL_argcheck(L, localtime_r(&at, &tm) != NULL, 1, "out of range");
	lua_createtable(L, 0, 7);
	set_number(L, "year", tm.tm_year + 1900);
	set_number(L, "month", tm.tm_mon + 1);
	set_number(L, "day", tm.tm_mday);
	set_number(L, "hour", tm.tm_hour);
	set_number(L, "min", tm.tm_min);
	set_number(L, "sec", tm.tm_sec);
	set_number(L, "wday", tm.tm_wday + 1);
	return 1;
}

/* ---- tables ---- */

static const char table_type[] = "gatepost table";

/* look_up - argument 1 is the object, argument 2 the key. A table that is down ends the hook.
 */
static enum table_result
look_up(lua_State *L, struct table_values *values)
{
	struct link_call *call = call_of(L);
	struct table *const *table = luaL_checkudata(L, 1, table_type);
	struct err err = { .kind = ERR_NONE };
	const enum table_result result = table_lookup(*table, sandbox_string(L, 2),
	    link_deadline_ms(call), link_arena(call), values, &err);

	if (result == TABLE_DOWN)
		sandbox_end(L, link_fail(call, "%s", err.text));
	return result;
}

/* table:get(key) - its first value ("" when there is none), or nil when the key is absent. */
static int
table_get(lua_State *L)
{
	struct table_values values = { .count = 0 };

	if (look_up(L, &values) != TABLE_FOUND)
		lua_pushnil(L);
	else if (values.count == 0)
		lua_pushliteral(L, "");
	else
		sandbox_push_view(L, values.items[0]);
	return 1;
}

/* table:values(key) - a list of all, or nil when the key is absent. */
static int
table_values(lua_State *L)
{
	struct table_values values = { .count = 0 };

	if (look_up(L, &values) != TABLE_FOUND) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, (int)values.count, 0);
	for (size_t i = 0; i < values.count; i++) {
		sandbox_push_view(L, values.items[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* known_table - of the script; when it is loaded for the first time, it is looked for. */
static struct table *
known_table(struct lua_sandbox *s, const char *name)
{
	struct lua_script *script = s->script;
	struct table *table;

	for (size_t i = 0; i < script->table_count; i++) {
		if (strcmp(script->tables[i].name, name) == 0)
			return script->tables[i].table;
	}
	if (s->errors == NULL || script->table_count == LUA_TABLES_MAX)
		return NULL;
	table = table_find(script->env.tables, name, s->where, "lua.script", s->errors);
	if (table != NULL)
		script->tables[script->table_count++] =
		    (struct lua_script_table){ .name = mem_strdup(name), .table = table };
	return table;
}

/* gate.table(name) - "file:/etc/gatepost/customers"; while the script is loaded. */
static int
gate_table(lua_State *L)
{
	struct lua_sandbox *s = sandbox_of(L);
	const char *name = luaL_checkstring(L, 1);
	struct table *table;

	if (s->call != NULL)
		return luaL_error(L, "gate.table is for the top of the script, not for a hook");
	table = known_table(s, name);
	if (table == NULL)
		return luaL_error(L, "the table \"%s\" cannot be used", name);
	memcpy(lua_newuserdatauv(L, sizeof(table), 0), &table, sizeof(table));
	luaL_setmetatable(L, table_type);
	return 1;
}

/* ---- all together ---- */

/* push_params - the settings "key=value", checked before. */
static void
push_params(lua_State *L, const struct conf_strings *params)
{
	lua_newtable(L);
	for (size_t i = 0; i < params->count; i++) {
		const struct view text = view_of(params->items[i]);
		const size_t at = view_find(text, '=');

		sandbox_push_view(L, view_make(text.p, at));
		sandbox_push_view(L, view_from(text, at + 1));
		lua_rawset(L, -3);
	}
}

static void
make_table_type(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "get", table_get },
		{ "values", table_values },
		{ NULL, NULL },
	};

	luaL_newmetatable(L, table_type);
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
}

void
sandbox_push_gate(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "refuse", gate_refuse },
		{ "fail", gate_fail },
		{ "log", gate_log },
		{ "note", gate_note },
		{ "route", gate_route },
		{ "results", gate_results },
		{ "has_failed", gate_has_failed },
		{ "in_network", gate_in_network },
		{ "time", gate_time },
		{ "date", gate_date },
		{ "table", gate_table },
		{ NULL, NULL },
	};
	const struct lua_script *script = sandbox_of(L)->script;

	make_table_type(L);
	luaL_newlib(L, functions);
	lua_pushstring(L, script->env.name);
	lua_setfield(L, -2, "name");
	push_params(L, &script->settings->params);
	lua_setfield(L, -2, "params");
}
