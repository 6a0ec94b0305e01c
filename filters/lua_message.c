/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The object message: the content as it reached this link, and what shall change in it. Fields
 * are counted from 1 as they are now; changes become real when the hook has returned.
 */
#include "filters/lua_private.h"

#include "lib/mail/body.h"

#define BODY_MEMORY (256 * 1024) /* octets of a new body before it goes to a file */

/* call_of - of the message stage: the object cannot be used elsewhere. */
static struct link_call *
call_of(lua_State *L)
{
	struct link_call *call = sandbox_of(L)->call;

	if (call == NULL || link_message(call) == NULL)
		luaL_error(L, "there is no message yet: only the hook \"message\" has one");
	return call;
}

static const struct message *
message_of(lua_State *L)
{
	return link_message(call_of(L));
}

/* name_argument - a field's name, as a string that ends in NUL. */
static const char *
name_argument(lua_State *L, int n)
{
	const struct view name = sandbox_string(L, n);

	luaL_argcheck(L, view_find(name, '\0') == name.len, n, "no name of a field");
	return name.p;
}

/* push_value - the field's body on one line (RFC 5322 2.2.3), without blanks at its ends. */
static void
push_value(lua_State *L, const struct header_field *field)
{
	const struct view body = view_trim(field->body);
	luaL_Buffer out;

	if (view_find(body, '\r') == body.len) {
		sandbox_push_view(L, body);
		return;
	}
	luaL_buffinit(L, &out);
	for (size_t i = 0; i < body.len; i++) {
		if (body.p[i] != '\r' && body.p[i] != '\n')
			luaL_addchar(&out, body.p[i]);
	}
	luaL_pushresult(&out);
}

/* ---- to look at ---- */

/* message:get(name [, n]) - the nth field's value, or nil. */
static int
message_get(lua_State *L)
{
	const struct message *m = message_of(L);
	const char *name = name_argument(L, 2);
	const lua_Integer nth = luaL_optinteger(L, 3, 1);
	size_t at = message_find(m, name, 0);

	luaL_argcheck(L, nth >= 1, 3, "fields are counted from 1");
	for (lua_Integer i = 1; i < nth && at != SIZE_MAX; i++)
		at = message_find(m, name, at + 1);
	if (at == SIZE_MAX)
		lua_pushnil(L);
	else
		push_value(L, message_field(m, at));
	return 1;
}

/* message:count([name]) */
static int
message_count(lua_State *L)
{
	const struct message *m = message_of(L);
	const size_t count = lua_isnoneornil(L, 2) ? message_field_count(m)
						   : message_count_of(m, name_argument(L, 2));

	lua_pushinteger(L, (lua_Integer)count);
	return 1;
}

static void
push_field(lua_State *L, const struct message *m, size_t at)
{
	const struct header_field *field = message_field(m, at);

	lua_createtable(L, 0, 4);
	lua_pushinteger(L, (lua_Integer)at + 1);
	lua_setfield(L, -2, "index");
	sandbox_push_view(L, field->name);
	lua_setfield(L, -2, "name");
	push_value(L, field);
	lua_setfield(L, -2, "value");
	sandbox_push_view(L, field->raw);
	lua_setfield(L, -2, "raw");
}

/* message:fields([name]) - a list of { index, name, value, raw }. */
static int
message_fields(lua_State *L)
{
	const struct message *m = message_of(L);
	const struct view name =
	    lua_isnoneornil(L, 2) ? view_make(NULL, 0) : sandbox_string(L, 2);
	lua_Integer count = 0;

	lua_newtable(L);
	for (size_t i = 0; i < message_field_count(m); i++) {
		if (name.p != NULL && !view_eq_nocase(message_field(m, i)->name, name))
			continue;
		push_field(L, m, i);
		lua_rawseti(L, -2, ++count);
	}
	return 1;
}

/* message:body([first [, last]]) - octets of it, counted from 1; all by default. */
static int
message_body_text(lua_State *L)
{
	const struct view body = message_body(message_of(L));
	const lua_Integer first = luaL_optinteger(L, 2, 1);
	lua_Integer last = luaL_optinteger(L, 3, (lua_Integer)body.len);

	luaL_argcheck(L, first >= 1, 2, "octets are counted from 1");
	if (last > (lua_Integer)body.len)
		last = (lua_Integer)body.len;
	if (first > last)
		lua_pushliteral(L, "");
	else
		lua_pushlstring(L, body.p + first - 1, (size_t)(last - first + 1));
	return 1;
}

static int
message_body_size(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)message_body(message_of(L)).len);
	return 1;
}

static int
message_octets(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)message_size(message_of(L)));
	return 1;
}

/* ---- to change ---- */

/* be_done - a change of an edits_ function; its refusal is the script's error. */
static int
be_done(lua_State *L, bool is_done, const char *what)
{
	return is_done ? 0 : luaL_error(L, "%s", what);
}

static const char bad_field[] =
    "no field: a name of RFC 5322, and a value whose lines end in CRLF and a blank";

/* index_argument - of a field, from 0. */
static size_t
index_argument(lua_State *L, int n, size_t most)
{
	const lua_Integer index = luaL_checkinteger(L, n);

	luaL_argcheck(L, index >= 1 && (uint64_t)index <= most, n, "there is no such field");
	return (size_t)index - 1;
}

/* message:add(name, value) - on top of the header. */
static int
message_add(lua_State *L)
{
	struct link_call *call = call_of(L);

	return be_done(L,
	    edits_prepend(link_edits(call), name_argument(L, 2), sandbox_string(L, 3)),
	    bad_field);
}

/* message:insert(index, name, value) - above the field that has this index. */
static int
message_insert(lua_State *L)
{
	struct link_call *call = call_of(L);
	const size_t before = index_argument(L, 2, message_field_count(link_message(call)) + 1);

	return be_done(L,
	    edits_insert(
		link_edits(call), before, name_argument(L, 3), sandbox_string(L, 4), false),
	    bad_field);
}

/* message:append(name, value) - at the end of the header. */
static int
message_append(lua_State *L)
{
	struct link_call *call = call_of(L);

	return be_done(L,
	    edits_insert(link_edits(call), message_field_count(link_message(call)),
		name_argument(L, 2), sandbox_string(L, 3), false),
	    bad_field);
}

/* remove_all - of that name, from an index on; how many. */
static lua_Integer
remove_all(lua_State *L, struct link_call *call, const char *name, size_t from)
{
	const struct message *m = link_message(call);
	lua_Integer count = 0;

	for (size_t at = message_find(m, name, from); at != SIZE_MAX;
	     at = message_find(m, name, at + 1)) {
		if (!edits_remove(link_edits(call), at))
			luaL_error(L, "field %d is changed already", (int)at + 1);
		count++;
	}
	return count;
}

/* message:remove(name or index) - all fields of a name; how many. */
static int
message_remove(lua_State *L)
{
	struct link_call *call = call_of(L);
	size_t at;

	if (lua_type(L, 2) == LUA_TSTRING) {
		lua_pushinteger(L, remove_all(L, call, name_argument(L, 2), 0));
		return 1;
	}
	at = index_argument(L, 2, message_field_count(link_message(call)));
	if (!edits_remove(link_edits(call), at))
		return luaL_error(L, "field %d is changed already", (int)at + 1);
	lua_pushinteger(L, 1);
	return 1;
}

/* message:replace(index, value) */
static int
message_replace(lua_State *L)
{
	struct link_call *call = call_of(L);
	const size_t at = index_argument(L, 2, message_field_count(link_message(call)));

	return be_done(L, edits_replace(link_edits(call), at, sandbox_string(L, 3)),
	    "the value is none of a field, or the field is changed already");
}

/* message:set(name, value) - one field of that name, where the first one is, or on top. */
static int
message_set(lua_State *L)
{
	struct link_call *call = call_of(L);
	const char *name = name_argument(L, 2);
	const struct view value = sandbox_string(L, 3);
	const size_t at = message_find(link_message(call), name, 0);

	if (at == SIZE_MAX)
		return be_done(L, edits_prepend(link_edits(call), name, value), bad_field);
	if (!edits_replace(link_edits(call), at, value))
		return luaL_error(
		    L, "the value is none of a field, or the field is changed already");
	remove_all(L, call, name, at + 1);
	return 0;
}

/* append_lines - with CRLF at the end of every line. */
static bool
append_lines(struct body_store *body, struct view text, struct err *err)
{
	struct view rest = text, line;
	bool ok = true;

	while (ok && rest.len > 0) {
		const size_t len = view_find(rest, '\n');

		line = view_make(rest.p, len);
		rest = view_from(rest, len + 1);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		ok = body_append(body, line, err) && body_append(body, VIEW("\r\n"), err);
	}
	return ok;
}

/* message:set_body(text) - lines may end in LF alone. */
static int
message_set_body(lua_State *L)
{
	struct link_call *call = call_of(L);
	const struct view text = sandbox_string(L, 2);
	const struct link_env *env = &sandbox_of(L)->script->env;
	const struct body_limits limits = { .temp_dir = env->temp_dir,
		.memory_octets = env->temp_dir != NULL && env->temp_dir[0] != '\0'
				     ? BODY_MEMORY
				     : (size_t)env->message_octets,
		.max_octets = (uint64_t)env->message_octets };
	struct body_store *body = body_create(&limits);
	struct err err = { .kind = ERR_NONE };

	if (!append_lines(body, text, &err) || !body_seal(body, &err)) {
		body_destroy(&body);
		return luaL_error(L, "the new body: %s", err.text);
	}
	if (edits_set_body(link_edits(call), &body))
		return 0;
	body_destroy(&body);
	return luaL_error(L, "a body has no NUL, and no CR without its LF");
}

/* ---- the envelope ---- */

static int
message_set_sender(lua_State *L)
{
	struct link_call *call = call_of(L);

	return be_done(L, edits_set_sender(link_edits(call), sandbox_string(L, 2)),
	    "no address that a message can come from");
}

static int
message_add_recipient(lua_State *L)
{
	struct link_call *call = call_of(L);

	return be_done(L, edits_add_recipient(link_edits(call), sandbox_string(L, 2)),
	    "no address that a message can go to");
}

/* message:remove_recipient(address) - was it among them? */
static int
message_remove_recipient(lua_State *L)
{
	struct link_call *call = call_of(L);
	const struct view address = sandbox_string(L, 2);
	const struct facts *f = link_facts(call);
	bool any = false;

	for (size_t i = 0; i < f->recipient_count; i++) {
		if (!view_eq_nocase(view_of(f->recipients[i].address), address))
			continue;
		if (!edits_remove_recipient(link_edits(call), i))
			return luaL_error(L, "it was removed already");
		any = true;
	}
	lua_pushboolean(L, any);
	return 1;
}

/* message:discard(reason) - not delivered, though the client hears that it was accepted. */
static int
message_discard(lua_State *L)
{
	struct link_call *call = call_of(L);

	edits_discard(link_edits(call), luaL_checkstring(L, 2));
	return 0;
}

void
sandbox_push_message(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "get", message_get },
		{ "count", message_count },
		{ "fields", message_fields },
		{ "body", message_body_text },
		{ "body_size", message_body_size },
		{ "size", message_octets },
		{ "add", message_add },
		{ "insert", message_insert },
		{ "append", message_append },
		{ "remove", message_remove },
		{ "replace", message_replace },
		{ "set", message_set },
		{ "set_body", message_set_body },
		{ "set_sender", message_set_sender },
		{ "add_recipient", message_add_recipient },
		{ "remove_recipient", message_remove_recipient },
		{ "discard", message_discard },
		{ NULL, NULL },
	};

	sandbox_push_object(L, "message", methods, NULL);
}
