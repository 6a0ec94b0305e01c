/* SPDX-License-Identifier: MPL-2.0 */
/* The object facts: what is known of the session and its transaction, each member made when it
 * is asked for. What is not known yet is nil; a name that is none of them is an error. */
#include "filters/lua_private.h"

struct fact {
	const char *name;
	void (*push)(lua_State *L, const struct link_call *call);
};

/* push_text - nil for what is not there. */
static void
push_text(lua_State *L, const char *text)
{
	if (text == NULL || text[0] == '\0')
		lua_pushnil(L);
	else
		lua_pushstring(L, text);
}

static bool
is_in_transaction(const struct link_call *call)
{
	return link_stage(call) >= STAGE_MAIL;
}

static void
push_id(lua_State *L, const struct link_call *call)
{
	const struct facts *f = link_facts(call);

	push_text(L, is_in_transaction(call) ? f->message_id : f->session_id);
}

static void
push_session(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->session_id);
}

static void
push_hostname(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->hostname);
}

static void
push_listener(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->listener);
}

static void
push_role(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->role == ROLE_INBOUND ? "inbound" : "submission");
}

static void
push_stage(lua_State *L, const struct link_call *call)
{
	static const char *const names[] = { "connect", "helo", "mail", "rcpt", "message" };

	push_text(L, names[link_stage(call)]);
}

static void
push_client(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->client.text);
}

static void
push_port(lua_State *L, const struct link_call *call)
{
	lua_pushinteger(L, link_facts(call)->client.port);
}

static void
push_via(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->via);
}

static void
push_helo(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->helo);
}

static void
push_esmtp(lua_State *L, const struct link_call *call)
{
	lua_pushboolean(L, link_facts(call)->is_esmtp);
}

static void
push_tls(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->tls.on ? link_facts(call)->tls.version : NULL);
}

static void
push_cipher(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->tls.on ? link_facts(call)->tls.cipher : NULL);
}

static void
push_login(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->identity.login);
}

static void
push_mechanism(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->identity.mechanism);
}

static void
push_backend(lua_State *L, const struct link_call *call)
{
	push_text(L, link_facts(call)->identity.backend);
}

static void
push_patterns(lua_State *L, const struct link_call *call)
{
	const struct identity *identity = &link_facts(call)->identity;

	lua_newtable(L);
	for (size_t i = 0; i < identity->pattern_count; i++) {
		lua_pushstring(L, identity->patterns[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* push_sender - the null reverse-path is "", not nil. */
static void
push_sender(lua_State *L, const struct link_call *call)
{
	if (is_in_transaction(call))
		lua_pushstring(L, link_facts(call)->reverse_path);
	else
		lua_pushnil(L);
}

static void
push_size(lua_State *L, const struct link_call *call)
{
	const struct smtp_mail *mail = &link_facts(call)->mail;

	if (is_in_transaction(call) && mail->has_size)
		lua_pushinteger(L, (lua_Integer)mail->size);
	else
		lua_pushnil(L);
}

static void
push_eightbit(lua_State *L, const struct link_call *call)
{
	lua_pushboolean(
	    L, is_in_transaction(call) && link_facts(call)->mail.body == SMTP_BODY_8BITMIME);
}

static void
push_smtputf8(lua_State *L, const struct link_call *call)
{
	lua_pushboolean(L, is_in_transaction(call) && link_facts(call)->mail.smtputf8);
}

static void
push_recipient(lua_State *L, const struct link_call *call)
{
	const struct recipient *recipient = link_recipient(call);

	push_text(L, recipient != NULL ? recipient->address : NULL);
}

static void
push_recipients(lua_State *L, const struct link_call *call)
{
	const struct facts *f = link_facts(call);

	lua_newtable(L);
	for (size_t i = 0; i < f->recipient_count; i++) {
		lua_pushstring(L, f->recipients[i].address);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static const struct fact known[] = {
	{ "client", push_client },
	{ "sender", push_sender },
	{ "recipient", push_recipient },
	{ "recipients", push_recipients },
	{ "login", push_login },
	{ "helo", push_helo },
	{ "role", push_role },
	{ "stage", push_stage },
	{ "listener", push_listener },
	{ "id", push_id },
	{ "tls", push_tls },
	{ "cipher", push_cipher },
	{ "session", push_session },
	{ "hostname", push_hostname },
	{ "port", push_port },
	{ "via", push_via },
	{ "esmtp", push_esmtp },
	{ "mechanism", push_mechanism },
	{ "backend", push_backend },
	{ "patterns", push_patterns },
	{ "size", push_size },
	{ "eightbit", push_eightbit },
	{ "smtputf8", push_smtputf8 },
};

/* find_member - of the object that is argument 1, by the name that is argument 2. */
static int
find_member(lua_State *L)
{
	const struct lua_sandbox *s = sandbox_of(L);
	const char *name = luaL_checkstring(L, 2);

	if (s->call == NULL)
		return luaL_error(L, "there are no facts while the script is loaded");
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		known[i].push(L, s->call);
		return 1;
	}
	return luaL_error(L, "there is no fact \"%s\"", name);
}

void
sandbox_push_facts(lua_State *L)
{
	sandbox_push_object(L, "facts", NULL, find_member);
}
