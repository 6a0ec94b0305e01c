/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A Lua state with limits: of memory by its allocator, of instructions and time by a hook that
 * looks every LUA_CHECK_EVERY instructions. What takes long within one instruction is charged
 * by those who know (lua_globals.c, lua_string.c), and what is allocated by the octet.
 */
#include "filters/lua_private.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define OCTETS_PER_STEP 16   /* of memory: what a step is worth */
#define LOAD_MS		5000 /* for running the script itself */
#define FACTS_KEY	(LUA_HOOKS + 1)
#define MESSAGE_KEY	(LUA_HOOKS + 2)

static const char keys[MESSAGE_KEY + 1]; /* their addresses are keys of the registry */

static const char *const stage_names[LUA_HOOKS] = {
	[STAGE_CONNECT] = "connect",
	[STAGE_HELO] = "helo",
	[STAGE_MAIL] = "mail",
	[STAGE_RCPT] = "rcpt",
	[STAGE_MESSAGE] = "message",
};

static struct lua_sandbox *
owner(lua_State *L)
{
	struct lua_sandbox *s;

	memcpy(&s, lua_getextraspace(L), sizeof(s));
	return s;
}

static void
spend(struct lua_sandbox *s, uint64_t steps)
{
	s->steps = s->steps > steps ? s->steps - steps : 0;
}

static void *
allocate(void *context, void *p, size_t old_size, size_t size)
{
	struct lua_sandbox *s = context;
	const size_t before = p != NULL ? old_size : 0; /* else: what kind of object it is */

	if (size == 0) {
		s->memory -= before;
		mem_free(p);
		return NULL;
	}
	if (size > before && size - before > (size_t)s->script->settings->memory - s->memory)
		return NULL;
	if (size > before)
		spend(s, (size - before) / OCTETS_PER_STEP);
	s->memory = s->memory - before + size;
	return mem_realloc(p, size);
}

/* ---- ends of a call ---- */

struct lua_sandbox *
sandbox_of(lua_State *L)
{
	struct lua_sandbox *s = owner(L);

	if (s->end != LUA_END_NONE)
		luaL_error(L, "the hook has ended");
	return s;
}

_Noreturn void
sandbox_end(lua_State *L, enum link_answer answer)
{
	struct lua_sandbox *s = sandbox_of(L);

	s->end = LUA_END_ANSWER;
	s->answer = answer;
	lua_pushnil(L);
	lua_error(L);
	BUG("lua_error has returned");
}

/* raise_exhausted - at is where; kept outside of Lua, whose memory may be used up as well: an
 * error of that kind instead of this one could be caught. */
static _Noreturn void
raise_exhausted(lua_State *L, lua_Debug *at, const char *what)
{
	struct lua_sandbox *s = owner(L);

	s->end = LUA_END_LIMIT;
	lua_getinfo(L, "Sl", at);
	err_set(&s->limit, ERR_LIMIT, "%s:%d: more than its limit of %s", at->short_src,
	    at->currentline, what);
	lua_pushnil(L);
	lua_error(L);
	BUG("lua_error has returned");
}

_Noreturn void
sandbox_exhausted(lua_State *L, const char *what)
{
	lua_Debug at;

	/* The function of ours that is called, and who calls it. */
	if (!lua_getstack(L, 1, &at) && !lua_getstack(L, 0, &at))
		BUG("nothing runs");
	raise_exhausted(L, &at, what);
}

void
sandbox_charge(lua_State *L, uint64_t steps)
{
	struct lua_sandbox *s = sandbox_of(L);

	spend(s, steps);
	if (s->steps == 0)
		sandbox_exhausted(L, "instructions");
}

/* on_count - between two instructions of the script. */
static void
on_count(lua_State *L, lua_Debug *at)
{
	struct lua_sandbox *s = owner(L);
	const char *what = NULL;

	spend(s, LUA_CHECK_EVERY);
	if (s->end != LUA_END_NONE)
		luaL_error(L, "the hook has ended");
	if (s->steps == 0)
		what = "instructions";
	else if (clock_mono_coarse_ms() > s->deadline_ms)
		what = "time";
	if (what != NULL)
		raise_exhausted(L, at, what);
}

/* take_error - what lua_pcall left on the stack, which is empty then. */
static void
take_error(struct lua_sandbox *s, struct err *err)
{
	lua_State *L = s->L;

	/* lua_tostring would make a string of a number, and may raise where nobody catches. */
	if (s->end == LUA_END_LIMIT)
		*err = s->limit;
	else if (lua_type(L, -1) == LUA_TSTRING)
		err_set(err, ERR_TEMP, "%s", lua_tostring(L, -1));
	else
		err_set(err, ERR_TEMP, "an error that is no text, but a %s",
		    lua_typename(L, lua_type(L, -1)));
	lua_settop(L, 0);
}

/* ---- what a script finds ---- */

struct view
sandbox_string(lua_State *L, int n)
{
	size_t len;
	const char *p = luaL_checklstring(L, n, &len);

	return view_make(p, len);
}

void
sandbox_push_view(lua_State *L, struct view v)
{
	lua_pushlstring(L, v.p, v.len);
}

/* cannot_set - the metamethod for an assignment to an object; its name is the upvalue. */
static int
cannot_set(lua_State *L)
{
	return luaL_error(L, "%s cannot be changed", lua_tostring(L, lua_upvalueindex(1)));
}

void
sandbox_close_object(lua_State *L, const char *name)
{
	lua_createtable(L, 0, 4); /* object, members, metatable */
	lua_insert(L, -2);
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, name);
	lua_pushcclosure(L, cannot_set, 1);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__name");
	lua_setmetatable(L, -2);
}

void
sandbox_push_object(
    lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction member)
{
	lua_newuserdatauv(L, 0, 0);
	if (methods != NULL) {
		lua_newtable(L);
		luaL_setfuncs(L, methods, 0);
	} else {
		lua_pushcfunction(L, member);
	}
	sandbox_close_object(L, name);
}

static int
no_global(lua_State *L)
{
	if (lua_type(L, 2) != LUA_TSTRING)
		return luaL_error(L, "a global cannot be set in a hook: write local");
	return luaL_error(
	    L, "the global \"%s\" cannot be set in a hook: write local", lua_tostring(L, 2));
}

/* push_frozen - a table that shows the one on top, which is popped, and takes nothing new. */
static void
push_frozen(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 3);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, no_global);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_remove(L, -2);
}

/* ---- loading ---- */

/* keep_hooks - from the globals, on top: into the registry. */
static void
keep_hooks(lua_State *L, struct lua_script *script, bool is_first)
{
	bool any = false;

	for (size_t i = 0; i < LUA_HOOKS; i++) {
		const char *name = stage_names[i];
		bool has;

		has = lua_getfield(L, -1, name) == LUA_TFUNCTION;
		if (!has && !lua_isnil(L, -1))
			luaL_error(
			    L, "\"%s\" is a %s, not a function", name, luaL_typename(L, -1));
		lua_rawsetp(L, LUA_REGISTRYINDEX, &keys[i]);
		if (is_first)
			script->has_hook[i] = has;
		any = any || has;
	}
	if (!any)
		luaL_error(L, "the script has none of the functions connect, helo, mail, rcpt, "
			      "message");
}

/* load_script - protected. The globals are its own until it has run; then they are fixed. */
static int
load_script(lua_State *L)
{
	struct lua_sandbox *s = owner(L);
	struct lua_script *script = s->script;
	const char *name = lua_pushfstring(L, "@%s", script->settings->script);

	sandbox_push_facts(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &keys[FACTS_KEY]);
	sandbox_push_message(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &keys[MESSAGE_KEY]);
	if (luaL_loadbufferx(L, script->text.p != NULL ? script->text.p : "", script->text.len,
		name, "t") != LUA_OK)
		return lua_error(L);
	sandbox_push_globals(L);
	sandbox_push_gate(L);
	lua_setfield(L, -2, "gate");
	lua_pushvalue(L, -1);
	lua_setupvalue(L, -3, 1);
	lua_pushvalue(L, -2);
	lua_call(L, 0, 0);
	keep_hooks(L, script, s->errors != NULL);
	push_frozen(L);
	lua_setupvalue(L, -2, 1);
	return 0;
}

struct lua_sandbox *
lua_sandbox_create(struct lua_script *script, struct conf_where where,
    struct conf_errors *errors, struct err *err)
{
	struct lua_sandbox *s = mem_calloc(1, sizeof(*s));

	s->script = script;
	s->errors = errors;
	s->where = where;
	s->steps = (uint64_t)script->settings->instructions;
	s->deadline_ms = clock_mono_coarse_ms() + LOAD_MS;
	s->L = lua_newstate(allocate, s);
	if (s->L == NULL) {
		err_set(err, ERR_LIMIT, "not enough memory for a Lua state: see lua.memory");
		mem_free(s);
		return NULL;
	}
	memcpy(lua_getextraspace(s->L), &s, sizeof(s));
	lua_sethook(s->L, on_count, LUA_MASKCOUNT, LUA_CHECK_EVERY);
	lua_pushcfunction(s->L, load_script);
	if (lua_pcall(s->L, 0, 0, 0) != LUA_OK) {
		take_error(s, err);
		lua_sandbox_destroy(&s);
		return NULL;
	}
	s->errors = NULL;
	return s;
}

void
lua_sandbox_destroy(struct lua_sandbox **s)
{
	if (*s == NULL)
		return;
	lua_sethook((*s)->L, NULL, 0, 0);
	lua_close((*s)->L);
	mem_free(*s);
	*s = NULL;
}

/* ---- calls ---- */

/* run_hook - protected: hook(facts), and at the message stage hook(facts, message). */
static int
run_hook(lua_State *L)
{
	const enum link_stage stage = link_stage(owner(L)->call);

	lua_rawgetp(L, LUA_REGISTRYINDEX, &keys[stage]);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &keys[FACTS_KEY]);
	if (stage == STAGE_MESSAGE)
		lua_rawgetp(L, LUA_REGISTRYINDEX, &keys[MESSAGE_KEY]);
	lua_call(L, stage == STAGE_MESSAGE ? 2 : 1, 0);
	return 0;
}

enum link_answer
lua_sandbox_call(struct lua_sandbox *s, struct link_call *call)
{
	struct err err;
	int status;

	s->call = call;
	s->steps = (uint64_t)s->script->settings->instructions;
	s->deadline_ms = link_deadline_ms(call);
	s->depth = s->logs = 0;
	s->end = LUA_END_NONE;
	lua_pushcfunction(s->L, run_hook);
	status = lua_pcall(s->L, 0, 0, 0);
	s->call = NULL;
	if (s->end == LUA_END_ANSWER) {
		lua_settop(s->L, 0);
		return s->answer;
	}
	if (status == LUA_OK && s->end == LUA_END_NONE)
		return LINK_NEXT;
	take_error(s, &err);
	return link_fail(call, "%s", err.text);
}
