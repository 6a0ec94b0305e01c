/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the files of the link lua share: the script of an entry, and a state that runs it, with
 * its limits. A state serves one call at a time. Nobody else includes this.
 *
 * Functions that take a lua_State are called by Lua, and may leave by lua_error (a longjmp):
 * they own nothing that the state, or the arena of the call, does not free.
 */
#ifndef GATEPOST_FILTERS_LUA_PRIVATE_H
#define GATEPOST_FILTERS_LUA_PRIVATE_H

#include "lib/base/err.h"
#include "lib/chain/link.h"
#include "lib/table/table.h"

#include <lauxlib.h>
#include <lua.h>

#define LUA_HOOKS	(STAGE_MESSAGE + 1)
#define LUA_FILE_MAX	(1024 * 1024) /* octets of a script */
#define LUA_LOGS_MAX	20	      /* lines of gate.log in one call */
#define LUA_TABLES_MAX	32	      /* of one script */
#define LUA_CHECK_EVERY 100	      /* instructions between looks at the limits */
#define LUA_DEPTH_MAX	16	      /* of replacement functions within each other */

struct lua_settings {
	const char *script;
	int64_t memory, instructions;
	struct conf_strings params; /* "key=value" */
};

struct lua_script_table {
	char *name; /* owned */
	struct table *table;
};

/* Of an entry of the chain: read-only once it was set up, but for the pool. */
struct lua_script {
	const struct lua_settings *settings; /* borrowed */
	const char *name;		     /* of the entry; borrowed */
	struct link_env env;		     /* what it names is borrowed */
	struct buf text;		     /* of the script, as it was when it was set up */
	struct lua_script_table tables[LUA_TABLES_MAX];
	size_t table_count;
	bool has_hook[LUA_HOOKS];
	struct lua_pool *pool; /* owned */
};

/* How a call ended, when it did not just return. */
enum lua_end { LUA_END_NONE, LUA_END_ANSWER, LUA_END_LIMIT };

struct lua_sandbox {
	lua_State *L;
	struct lua_script *script; /* borrowed; written during its setup only */
	struct lua_sandbox *next;  /* in the pool */
	size_t memory;		   /* octets in use */
	uint64_t steps;		   /* left of the instructions of this call */
	int64_t deadline_ms;
	unsigned depth, logs;
	struct link_call *call; /* NULL: the script is being loaded */
	/*
	 * Nothing but the end of the hook may follow: every function of ours leaves at once, so
	 * that no pcall of the script keeps it going.
	 */
	enum lua_end end;
	enum link_answer answer; /* LUA_END_ANSWER */
	struct err limit;	 /* LUA_END_LIMIT: which, and where in the script */
	/* While it is loaded for the first time: where errors of its tables go; else NULL. */
	struct conf_errors *errors;
	struct conf_where where;
};

/* ---- lua_state.c ---- */

/* lua_sandbox_create - a state that has run the script once. NULL: err says why, with file:line
 * where there is one. errors and where: only the first one may add to the script's tables. */
MUST_CHECK struct lua_sandbox *lua_sandbox_create(struct lua_script *script,
    struct conf_where where, struct conf_errors *errors, struct err *err);
void lua_sandbox_destroy(struct lua_sandbox **s);

/* lua_sandbox_call - the script's hook of that stage. */
MUST_CHECK enum link_answer lua_sandbox_call(struct lua_sandbox *s, struct link_call *call);

/* sandbox_of - whose the state is. Raises when the call is over: see enum lua_end. */
struct lua_sandbox *sandbox_of(lua_State *L);

/* sandbox_charge - so many instructions more; raises when that is too many. */
void sandbox_charge(lua_State *L, uint64_t steps);

/* sandbox_end - leave the hook with that answer. Does not return. */
_Noreturn void sandbox_end(lua_State *L, enum link_answer answer);

/* sandbox_exhausted - leave it because of a limit. Does not return. */
_Noreturn void sandbox_exhausted(lua_State *L, const char *what);

/* ---- what a script finds ---- */

void sandbox_push_globals(lua_State *L); /* lua_globals.c: a table of what Lua brings */
void sandbox_add_strings(lua_State *L);	 /* lua_string.c: into the table on top */
void sandbox_push_gate(lua_State *L);	 /* lua_gate.c: the table gate */
void sandbox_push_facts(lua_State *L);	 /* lua_facts.c: the object facts */
void sandbox_push_message(lua_State *L); /* lua_message.c: the object message */

/*
 * sandbox_push_object - of no content: with these methods, or (NULL) with that function for its
 * members. Nothing can be set in it.
 */
void sandbox_push_object(
    lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction member);

/* sandbox_close_object - the object below its table of methods or its function, both on top:
 * make the former its own, and pop it. */
void sandbox_close_object(lua_State *L, const char *name);

/* sandbox_string - the string that is argument n; raises if it is none. */
struct view sandbox_string(lua_State *L, int n);
void sandbox_push_view(lua_State *L, struct view v);

#endif
