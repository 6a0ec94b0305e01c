/* SPDX-License-Identifier: MPL-2.0 */
/*
 * XCLIENT (Postfix's XCLIENT_README): a proxy in xclient_networks says who its client is. The
 * session begins anew at the greeting, TLS stays. What was said of one client is not kept for
 * the next: a new address takes HELO name and login away that do not come with it.
 */
#include "proxy/session/session_private.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/smtp/xclient.h"
#include "proxy/session/admission.h"

bool
xclient_is_proxy(const struct snapshot_listener *listener, const struct sockaddr_storage *addr)
{
	for (size_t i = 0; i < listener->config->xclient_networks.count; i++) {
		if (network_has(&listener->xclient_networks[i], addr))
			return true;
	}
	return false;
}

void
xclient_begin(struct session *s)
{
	if (!xclient_is_proxy(s->listener, &s->facts.client.addr))
		return;
	s->proxied_by = mem_calloc(1, sizeof(*s->proxied_by));
	arena_init(&s->proxied_by->arena);
	s->proxied_by->peer = s->facts.client;
}

void
xclient_end(struct session *s)
{
	if (s->proxied_by != NULL)
		arena_finish(&s->proxied_by->arena);
	mem_free(s->proxied_by);
	s->proxied_by = NULL;
}

void
xclient_forget(struct session *s)
{
	if (s->proxied_by == NULL)
		return;
	s->proxied_by->name[0] = s->proxied_by->helo[0] = '\0';
	s->facts.identity = (struct identity){ .login = NULL };
	session_set_client(s, &s->proxied_by->peer.addr);
}

/* has - was the attribute given, known or not? */
static bool
has(const struct smtp_xclient *x, enum xclient_attribute attribute)
{
	return (x->given & XCLIENT_BIT(attribute)) != 0;
}

static bool
is_known(const struct smtp_xclient *x, enum xclient_attribute attribute)
{
	return (x->known & XCLIENT_BIT(attribute)) != 0;
}

/* address_of - of ADDR or DESTADDR; false: it is none. */
static bool
address_of(const struct smtp_xclient *x, enum xclient_attribute attribute, uint16_t port,
    struct sockaddr_storage *out)
{
	const char *text = smtp_xclient_address(x->values[attribute]);

	return text != NULL && address_from_host(text, port, out);
}

/* wrong_in - what is wrong with the values, beside their grammar; NULL: nothing. */
static const char *
wrong_in(const struct smtp_xclient *x)
{
	struct sockaddr_storage unused;

	if (is_known(x, XCLIENT_ADDR) && !address_of(x, XCLIENT_ADDR, 0, &unused))
		return "ADDR";
	if (is_known(x, XCLIENT_DESTADDR) && !address_of(x, XCLIENT_DESTADDR, 0, &unused))
		return "DESTADDR";
	if (is_known(x, XCLIENT_HELO) &&
	    (strlen(x->values[XCLIENT_HELO]) > SMTP_HELO_MAX ||
		!smtp_helo_is_text(view_of(x->values[XCLIENT_HELO]))))
		return "HELO";
	return NULL;
}

/*
 * take_client - address, port and name; an address that is not known is the proxy's own, since
 * that is where the mail comes from.
 */
static void
take_client(struct session *s, const struct smtp_xclient *x)
{
	struct proxied_by *by = s->proxied_by;
	struct sockaddr_storage addr = s->facts.client.addr;
	uint64_t port = address_port(&addr);

	if (has(x, XCLIENT_PORT) && !view_to_u64(view_of(x->values[XCLIENT_PORT]), &port))
		port = 0;
	if (has(x, XCLIENT_ADDR) && !address_of(x, XCLIENT_ADDR, 0, &addr))
		addr = by->peer.addr;
	address_set_port(&addr, (uint16_t)port);
	session_set_client(s, &addr);
	s->facts.via = by->peer.text;
	if (has(x, XCLIENT_NAME))
		(void)view_copy(view_of(x->values[XCLIENT_NAME]), by->name, sizeof(by->name));
	else if (has(x, XCLIENT_ADDR))
		by->name[0] = '\0';
	s->facts.client_name = by->name;
	if (has(x, XCLIENT_HELO))
		(void)view_copy(view_of(x->values[XCLIENT_HELO]), by->helo, sizeof(by->helo));
	else if (has(x, XCLIENT_ADDR))
		by->helo[0] = '\0';
}

/* take_login - false: it cannot be trusted, or is nobody's. */
static bool
take_login(struct session *s, const struct smtp_xclient *x)
{
	struct identity *identity = &s->facts.identity;

	if (identity->mechanism == NULL || strcmp(identity->mechanism, "XCLIENT") != 0 ||
	    has(x, XCLIENT_ADDR) || has(x, XCLIENT_LOGIN)) {
		*identity = (struct identity){ .login = NULL };
		arena_finish(&s->proxied_by->arena);
	}
	if (!is_known(x, XCLIENT_LOGIN))
		return true;
	if (!s->listener->config->xclient_login || s->snapshot->authenticator == NULL ||
	    !auth_vouch(s->snapshot->authenticator, view_of(x->values[XCLIENT_LOGIN]),
		&s->proxied_by->arena, identity)) {
		*identity = (struct identity){ .login = NULL };
		return false;
	}
	identity->mechanism = "XCLIENT";
	return true;
}

/* forget - all that was said or counted before: the next client is another one. */
static void
forget(struct session *s)
{
	transaction_end(s);
	chain_session_destroy(&s->chain_session);
	tracing_destroy(&s->tracing);
	s->facts.helo = "";
	s->facts.is_esmtp = false;
	s->name_count = 0; /* the certificate is the proxy's */
	s->errors = s->commands = s->auth_failures = s->forgiven = 0;
}

static bool
count_client(struct session *s)
{
	enum reply_id why;

	census_leave(&s->slot.place);
	if (admission_count(
		&s->facts.client.addr, &s->snapshot->config->limits, &s->slot.place, &why))
		return true;
	session_close(s, why, s->facts.hostname, "too many connections");
	return false;
}

void
cmd_xclient(struct session *s, const struct smtp_command *command)
{
	struct smtp_xclient x;
	const char *wrong;

	if (!smtp_xclient_parse(command->args, &x, &wrong) || (wrong = wrong_in(&x)) != NULL) {
		session_say(s, REPLY_XCLIENT_SYNTAX, wrong);
		return;
	}
	forget(s);
	take_client(s, &x);
	session_enter(s, EVENT_XCLIENT);
	log_event(LEVEL_INFO, "session.xclient", LOG_STR("id", s->facts.session_id),
	    LOG_STR("client", s->facts.client.text), LOG_U64("port", s->facts.client.port),
	    LOG_STR("via", s->facts.via), LOG_OPT("name", s->facts.client_name),
	    LOG_OPT("helo", s->proxied_by->helo), LOG_OPT("login", x.values[XCLIENT_LOGIN]));
	if (!take_login(s, &x))
		session_close(s, REPLY_XCLIENT_LOGIN, NULL, "refused");
	else if (count_client(s))
		session_greet(s);
}
