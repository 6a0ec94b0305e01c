/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lua: a script with the hooks of a link. It is read once for each configuration; each worker
 * that needs one has a state of its own, made when no idle one is left, and thrown away after
 * an error. docs/FILTERS.md ("lua") says what a script can do.
 */
#include "filters/filters.h"
#include "filters/lua_private.h"

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/stat.h>

/* States that nobody uses now; as many as were ever used at a time. */
struct lua_pool {
	pthread_mutex_t lock;
	struct lua_sandbox *idle; /* owned */
};

static const struct conf_row lua_rows[] = {
	{ .key = "script",
	    .type = CONF_PATH,
	    .offset = offsetof(struct lua_settings, script),
	    .help = "The script; needed. Read at start and at a reload; its errors are errors "
		    "of the "
		    "configuration." },
	{ .key = "params",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct lua_settings, params),
	    .help = "\"key=value\" each: what the script finds in `gate.params`." },
	{ .key = "memory",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct lua_settings, memory),
	    .fallback = "8M",
	    .min = 256 * 1024,
	    .max = 1024 * 1024 * 1024,
	    .help = "What one state of the script may use; every worker has one of its own." },
	{ .key = "instructions",
	    .type = CONF_INT,
	    .offset = offsetof(struct lua_settings, instructions),
	    .fallback = "10000000",
	    .min = 1000,
	    .max = 100000000000,
	    .help = "What one call may use: about as many instructions of Lua's machine, or "
		    "octets looked at by a pattern. Ten million are some 0.1 s." },
	{ .key = NULL },
};

static const struct conf_table lua_table = {
	.name = "lua",
	.help = "A script of yours as a link, with limits, and without access to the system.",
	.size = sizeof(struct lua_settings),
	.rows = lua_rows,
	.where_offset = SIZE_MAX,
};

/* ---- setup ---- */

static void
lua_teardown(void *p)
{
	struct lua_script *script = p;

	if (script == NULL)
		return;
	while (script->pool->idle != NULL) {
		struct lua_sandbox *s = script->pool->idle;

		script->pool->idle = s->next;
		lua_sandbox_destroy(&s);
	}
	for (size_t i = 0; i < script->table_count; i++)
		mem_free(script->tables[i].name);
	pthread_mutex_destroy(&script->pool->lock);
	mem_free(script->pool);
	buf_finish(&script->text);
	mem_free(script);
}

static bool
check_params(
    const struct conf_strings *params, struct conf_where where, struct conf_errors *errors)
{
	bool ok = true;

	for (size_t i = 0; i < params->count; i++) {
		const char *at = strchr(params->items[i], '=');

		if (at != NULL && at > params->items[i])
			continue;
		conf_error(errors, where, "lua.params",
		    "\"%s\" is not of the form \"key=value\"", params->items[i]);
		ok = false;
	}
	return ok;
}

/* load - read the script and run it once. */
static bool
load(struct lua_script *script, struct conf_where where, struct conf_errors *errors)
{
	struct stat st;
	struct err err = { .kind = ERR_NONE };

	if (!file_read_regular(script->settings->script, &script->text, &st, &err)) {
		conf_error(errors, where, "lua.script", "\"%s\" %s", script->settings->script,
		    err.text);
		return false;
	}
	script->pool->idle = lua_sandbox_create(script, where, errors, &err);
	if (script->pool->idle == NULL)
		conf_error(errors, where, "lua.script", "%s", err.text);
	return script->pool->idle != NULL;
}

static bool
lua_setup(const void *settings, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	struct lua_script *script = mem_calloc(1, sizeof(*script));
	bool ok;

	script->settings = settings;
	script->env = *env;
	script->pool = mem_calloc(1, sizeof(*script->pool));
	pthread_mutex_init(&script->pool->lock, NULL);
	buf_init(&script->text, LUA_FILE_MAX);
	if (script->settings->script == NULL)
		conf_error(errors, where, "lua.script", "is missing: which script?");
	ok = script->settings->script != NULL &&
	     check_params(&script->settings->params, where, errors) &&
	     load(script, where, errors);
	*state_out = script;
	if (!ok) {
		lua_teardown(script);
		*state_out = NULL;
	}
	return ok;
}

/* ---- hooks ---- */

/* take - an idle state, or a new one. NULL: err says why. */
static struct lua_sandbox *
take(struct lua_script *script, struct err *err)
{
	struct lua_sandbox *s;

	pthread_mutex_lock(&script->pool->lock);
	s = script->pool->idle;
	if (s != NULL)
		script->pool->idle = s->next;
	pthread_mutex_unlock(&script->pool->lock);
	if (s != NULL)
		return s;
	return lua_sandbox_create(script, (struct conf_where){ .line = 0 }, NULL, err);
}

static void
give(struct lua_script *script, struct lua_sandbox *s)
{
	pthread_mutex_lock(&script->pool->lock);
	s->next = script->pool->idle;
	script->pool->idle = s;
	pthread_mutex_unlock(&script->pool->lock);
}

static enum link_answer
lua_hook(struct link_call *call)
{
	struct lua_script *script = link_state(call);
	struct lua_sandbox *s;
	struct err err;
	enum link_answer answer;

	if (!script->has_hook[link_stage(call)])
		return LINK_NEXT;
	s = take(script, &err);
	if (s == NULL)
		return link_fail(call, "%s", err.text);
	answer = lua_sandbox_call(s, call);
	/* What an error has left behind in its variables is unknown. */
	if (answer == LINK_FAIL)
		lua_sandbox_destroy(&s);
	else
		give(script, s);
	return answer;
}

const struct link link_lua = {
	.abi = LINK_ABI,
	.name = "lua",
	.summary = "runs a script of yours at each stage, which may refuse, change and route",
	.refuses = "what the script says",
	.kind = LINK_FILTER,
	.settings = &lua_table,
	.setup = lua_setup,
	.teardown = lua_teardown,
	.connect = lua_hook,
	.helo = lua_hook,
	.mail = lua_hook,
	.rcpt = lua_hook,
	.message = lua_hook,
};
