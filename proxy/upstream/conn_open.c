/* SPDX-License-Identifier: MPL-2.0 */
/* See conn.h: from nothing to a connection that takes MAIL. RFC 5321 4.1.1.1, RFC 3207, RFC
 * 4954. */
#include "lib/base/base64.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/net/address.h"
#include "lib/net/own_listeners.h"
#include "proxy/upstream/conn_private.h"

#include <stdio.h>

#define AUTH_TEXT_MAX 8192 /* octets of login and password, before base64 */

/* One opening: what has become of it so far. */
struct opening {
	const struct conn_target *target;
	enum upstream_tls tls; /* NONE in the second try of OPPORTUNISTIC */
	int64_t deadline_ms;   /* for all of it */
	bool handshake_failed;
	struct conn *conn;
	struct smtp_reply reply; /* the last one */
	struct err *err;
};

/* refused - the server said no to what; always false. */
static bool
refused(struct opening *o, const char *what)
{
	char text[160];

	smtp_reply_log_text(&o->reply, text, sizeof(text));
	return err_set(o->err, ERR_REFUSED, "%s: %s", what, text);
}

/* say - a command during opening; false: no reply. */
static bool
say(struct opening *o, const char *what, struct view line)
{
	if (conn_command(o->conn, line, o->deadline_ms, &o->reply, o->err))
		return true;
	return err_prefix(o->err, "%s", what);
}

static bool
read_greeting(struct opening *o)
{
	if (!conn_get_reply(o->conn, o->deadline_ms, &o->reply, o->err))
		return err_prefix(o->err, "greeting");
	return o->reply.code == 220 ? true : refused(o, "greeting");
}

/* hello - EHLO; HELO where nothing is needed that only EHLO gives. */
static bool
hello(struct opening *o)
{
	char line[512];
	const char *verb = o->target->is_lmtp ? "LHLO" : "EHLO";
	bool needs_ehlo = o->target->is_lmtp || upstream_tls_is_verified(o->tls) ||
			  o->target->login != NULL || stream_is_tls(o->conn->stream);

	snprintf(line, sizeof(line), "%s %s", verb, o->target->helo);
	o->conn->ehlo = (struct smtp_ehlo){ .pipelining = false };
	if (!say(o, verb, view_of(line)))
		return false;
	if (o->reply.code == 250) {
		smtp_ehlo_parse(&o->reply, &o->conn->ehlo);
		/* RFC 8689 4.2.1: worth something only where we know who says so. */
		if (!upstream_tls_is_verified(o->tls) || !stream_is_tls(o->conn->stream))
			o->conn->ehlo.requiretls = false;
		return true;
	}
	if (needs_ehlo || o->reply.code < 500)
		return refused(o, verb);
	memcpy(line, "HELO", 4);
	if (!say(o, "HELO", view_of(line)))
		return false;
	return o->reply.code == 250 ? true : refused(o, "HELO");
}

/* shake_hands - TLS; DANE asks the DNS before whom the server may be. RFC 7672 2.2. */
static bool
shake_hands(struct opening *o, int64_t deadline_ms)
{
	const struct conn_target *t = o->target;
	struct dane dane = { .host = t->tls_name, .port = t->port };
	struct arena arena;
	bool ok;

	if (o->tls != UPSTREAM_TLS_DANE)
		return stream_start_tls(
		    o->conn->stream, t->tls_ctx, t->tls_name, deadline_ms, o->err);
	arena_init(&arena);
	ok = dane_find(t->dns, &dane, deadline_ms, &arena, o->err) &&
	     stream_start_tls_dane(o->conn->stream, t->tls_ctx, &dane, deadline_ms, o->err);
	arena_finish(&arena);
	return ok;
}

/*
 * start_tls - true with TLS on, or without where that is allowed. Whatever came in clear text
 * behind the 220 would be read as if it had come over TLS (STARTTLS injection): the end.
 */
static bool
start_tls(struct opening *o)
{
	bool must = upstream_tls_is_verified(o->tls);
	int64_t by = o->deadline_ms;

	if (o->tls == UPSTREAM_TLS_NONE)
		return true;
	if (!o->conn->ehlo.starttls)
		return must ? err_set(o->err, ERR_TLS, "the server does not offer STARTTLS")
			    : true;
	if (!say(o, "STARTTLS", VIEW("STARTTLS")))
		return false;
	if (o->reply.code != 220)
		return must || o->reply.code == 421 ? refused(o, "STARTTLS") : true;
	if (o->conn->in_len > 0)
		return err_set(o->err, ERR_PROTOCOL, "clear text behind the reply to STARTTLS");
	/* One that hangs must leave time for the second connection. */
	if (!must)
		by = clock_mono_ms() + clock_left_ms(by) / 2;
	if (!shake_hands(o, by)) {
		o->handshake_failed = true;
		return false;
	}
	/* RFC 3207 4.2: all that was learned before is forgotten. In TLS 1.3 it is only here
	 * that a server's word against our certificate, or the lack of one, is heard. */
	return hello(o) || err_prefix(o->err, "behind the TLS handshake");
}

/* is_private - no third party can listen: verified TLS, or our own machine. */
static bool
is_private(const struct opening *o)
{
	struct sockaddr_storage peer;

	if (stream_is_tls(o->conn->stream) && upstream_tls_is_verified(o->tls))
		return true;
	if (o->target->port == 0)
		return true; /* a unix socket */
	return address_parse(conn_peer(o->conn), &peer, NULL) && address_is_loopback(&peer);
}

/* say_base64 - "prefix" and the octets in base64. */
static bool
say_base64(struct opening *o, const char *prefix, struct view text)
{
	char line[SMTP_WIRE_MAX];
	size_t at = strlen(prefix), len;
	bool ok;

	memcpy(line, prefix, at);
	if (text.len > AUTH_TEXT_MAX ||
	    !base64_encode(text, line + at, sizeof(line) - at, &len))
		return err_set(o->err, ERR_LIMIT, "AUTH: login or password is too long");
	ok = say(o, "AUTH", view_make(line, at + len));
	secret_wipe(line, at + len);
	return ok;
}

static bool
auth_plain(struct opening *o)
{
	const struct secret *password = o->target->password;
	size_t login_len = strlen(o->target->login);
	char text[AUTH_TEXT_MAX];
	size_t len = login_len + password->len + 2;
	bool ok;

	if (len > sizeof(text))
		return err_set(o->err, ERR_LIMIT, "AUTH: login or password is too long");
	text[0] = '\0';
	memcpy(text + 1, o->target->login, login_len + 1);
	memcpy(text + login_len + 2, password->p, password->len);
	ok = say_base64(o, "AUTH PLAIN ", view_make(text, len));
	secret_wipe(text, len);
	return ok;
}

static bool
auth_login(struct opening *o)
{
	const struct conn_target *t = o->target;

	if (!say(o, "AUTH", VIEW("AUTH LOGIN")))
		return false;
	if (o->reply.code == 334 && !say_base64(o, "", view_of(t->login)))
		return false;
	if (o->reply.code == 334 &&
	    !say_base64(o, "", view_make(t->password->p, t->password->len)))
		return false;
	return true;
}

static bool
authenticate(struct opening *o)
{
	const struct smtp_ehlo *ehlo = &o->conn->ehlo;

	if (o->target->login == NULL)
		return true;
	if (!is_private(o))
		return err_set(
		    o->err, ERR_TLS, "AUTH: no password goes over an unverified connection");
	if (!ehlo->auth_plain && !ehlo->auth_login)
		return err_set(
		    o->err, ERR_PROTOCOL, "AUTH: the server offers neither PLAIN nor LOGIN");
	if (!(ehlo->auth_plain ? auth_plain(o) : auth_login(o)))
		return false;
	if (o->reply.code == 235)
		return true;
	/* Without the server's text: one that echoes would put our password into the log. */
	return err_set(o->err, ERR_REFUSED, "AUTH: %03d %s", o->reply.code, o->reply.enhanced);
}

static bool
open_once(struct opening *o)
{
	const struct conn_target *t = o->target;
	struct stream *stream;

	if (t->connect != NULL)
		stream = t->connect(t, o->deadline_ms, o->err);
	else if (t->port == 0)
		stream = stream_connect_unix(t->host, o->deadline_ms, o->err);
	else
		stream = stream_connect(t->host, t->port, o->deadline_ms, o->err);
	if (stream == NULL)
		return false;
	if (own_listeners_has(stream_fd(stream))) {
		stream_abort(&stream);
		return err_set(o->err, ERR_CONFIG,
		    "it is one of the gate's own listeners: mail would go round in a loop");
	}
	o->conn = conn_make(t, stream);
	if (read_greeting(o) && hello(o) && start_tls(o) && authenticate(o))
		return true;
	conn_abort(&o->conn);
	return false;
}

struct conn *
conn_open(const struct conn_target *t, int64_t deadline_ms, struct err *err)
{
	struct err local = { 0 };
	int64_t own = clock_mono_ms() + t->connect_timeout_ms;
	struct opening o = { .target = t,
		.tls = t->tls,
		.deadline_ms = own < deadline_ms ? own : deadline_ms,
		.err = &local };

	if (!open_once(&o) && o.handshake_failed && t->tls == UPSTREAM_TLS_OPPORTUNISTIC) {
		log_event(LEVEL_WARNING, "upstream.tls_failed", LOG_STR("server", t->host),
		    LOG_U64("port", t->port), LOG_STR("error", local.text));
		o.tls = UPSTREAM_TLS_NONE;
		o.handshake_failed = false;
		if (!open_once(&o))
			o.conn = NULL;
	}
	if (o.conn == NULL && err != NULL)
		*err = local;
	return o.conn;
}
