/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The backend "upstream": a login and a password belong together when another mail server takes
 * them in AUTH (RFC 4954), so that a gate in front of an existing server needs no list of its
 * own. One connection for each check, always over verified TLS. 535 refuses; everything
 * else but 235 (no connection, no good certificate, 4xx, nonsense, silence) is "cannot say
 * now".
 *
 * What the login may send as: its patterns in the patterns file, if that names it, else the
 * login itself when it is an address. A server that takes one mailbox under many names (any
 * domain behind the @, say) vouches for all of them: then a patterns file has to say more.
 */
#include "proxy/auth/backend.h"

#include "lib/base/base64.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/address.h"
#include "proxy/auth/credential_cache.h"
#include "proxy/auth/mech.h"
#include "proxy/auth/users_file.h"
#include "proxy/upstream/conn.h"

#include <stdio.h>

#define HOST_MAX	 256
#define COMMAND_LINE_MAX 510 /* octets without CRLF; RFC 4954 4: no longer initial response */

struct backend_upstream {
	struct conn_target target; /* first: the connect hook gets back from it to us */
	struct backend base;
	char host[HOST_MAX];
	SSL_CTX *tls_ctx;	     /* owned; verifies */
	struct users_file *patterns; /* owned; NULL: none configured */
};

/* One check while it runs. */
struct proof {
	struct conn *conn;
	int64_t deadline_ms;
	struct smtp_reply reply;
	struct err *why;
};

/* A response with room for the longest login and password; wiped after use. */
struct response {
	char plain[LOGIN_MAX + 4096 + 2];
	char line[BASE64_ENCODED_LEN(LOGIN_MAX + 4096 + 2) + 16];
	size_t plain_len, line_len;
};

static struct backend_upstream *
upstream_of(struct backend *b)
{
	return (struct backend_upstream *)(void *)((char *)b -
						   offsetof(struct backend_upstream, base));
}

/* connect_implicit - TLS first, then SMTP (RFC 8314 3.3). */
static struct stream *
connect_implicit(const struct conn_target *t, int64_t deadline_ms, struct err *err)
{
	const struct backend_upstream *u = (const struct backend_upstream *)t;
	struct stream *s = stream_connect(t->host, t->port, deadline_ms, err);

	if (s != NULL && !stream_start_tls(s, u->tls_ctx, t->tls_name, deadline_ms, err))
		stream_abort(&s);
	return s;
}

static bool
say(struct proof *p, struct view line)
{
	return conn_command(p->conn, line, p->deadline_ms, &p->reply, p->why);
}

/* response_make - "prefix" and the plain octets in base64; false: too long. */
static bool
response_make(struct response *r, const char *prefix)
{
	const size_t at = strlen(prefix);

	if (at >= sizeof(r->line))
		return false;
	memcpy(r->line, prefix, at);
	if (!base64_encode(view_make(r->plain, r->plain_len), r->line + at,
		sizeof(r->line) - at, &r->line_len))
		return false;
	r->line_len += at;
	return true;
}

/* say_text - a text in base64, as an answer to 334. */
static bool
say_text(struct proof *p, struct response *r, struct view text)
{
	memcpy(r->plain, text.p, text.len);
	r->plain_len = text.len;
	return response_make(r, "") && say(p, view_make(r->line, r->line_len));
}

static bool
prove_plain(struct proof *p, const struct auth_question *q, struct response *r)
{
	r->plain[0] = '\0';
	memcpy(r->plain + 1, q->login.p, q->login.len);
	r->plain[1 + q->login.len] = '\0';
	memcpy(r->plain + q->login.len + 2, q->password->p, q->password->len);
	r->plain_len = q->login.len + q->password->len + 2;
	if (!response_make(r, "AUTH PLAIN "))
		return false;
	if (r->line_len <= COMMAND_LINE_MAX)
		return say(p, view_make(r->line, r->line_len));
	if (!say(p, VIEW("AUTH PLAIN")))
		return false;
	if (p->reply.code != 334)
		return true;
	return response_make(r, "") && say(p, view_make(r->line, r->line_len));
}

static bool
prove_login(struct proof *p, const struct auth_question *q, struct response *r)
{
	if (!say(p, VIEW("AUTH LOGIN")))
		return false;
	if (p->reply.code == 334 && !say_text(p, r, q->login))
		return false;
	return p->reply.code != 334 ||
	       say_text(p, r, view_make(q->password->p, q->password->len));
}

/* verdict_of - the server's last reply. Its text is left out: it may echo what was sent. */
static enum auth_verdict
verdict_of(const struct smtp_reply *reply, struct err *why)
{
	const bool is_no = reply->code == 535 || reply->code == 534 ||
			   (reply->code >= 500 && strcmp(reply->enhanced, "5.7.8") == 0);

	if (reply->code == 235)
		return AUTH_ACCEPTED;
	err_set(why, is_no ? ERR_REFUSED : ERR_TEMP, "AUTH was answered by %d %s", reply->code,
	    reply->enhanced);
	return is_no ? AUTH_REFUSED : AUTH_UNAVAILABLE;
}

/* prove - AUTH on an open connection. */
static enum auth_verdict
prove(struct proof *p, const struct auth_question *q)
{
	const struct smtp_ehlo *ehlo = conn_ehlo(p->conn);
	struct response r;
	bool is_answered;

	/* conn_open has verified it; a password must not go out if that ever changes. */
	if (conn_tls_text(p->conn)[0] == '\0') {
		err_set(p->why, ERR_TLS, "the connection has no TLS");
		return AUTH_UNAVAILABLE;
	}
	if (!ehlo->auth_plain && !ehlo->auth_login) {
		err_set(p->why, ERR_PROTOCOL, "the server offers neither AUTH PLAIN nor LOGIN");
		return AUTH_UNAVAILABLE;
	}
	is_answered = ehlo->auth_plain ? prove_plain(p, q, &r) : prove_login(p, q, &r);
	secret_wipe(&r, sizeof(r));
	return is_answered ? verdict_of(&p->reply, p->why) : AUTH_UNAVAILABLE;
}

/* hang_up - QUIT; but in the middle of an AUTH exchange it would be taken for a response. */
static void
hang_up(struct proof *p)
{
	if (p->reply.code == 334)
		conn_abort(&p->conn);
	else
		conn_close(&p->conn);
}

static bool
identify_by(struct users_file *patterns, struct view login, struct arena *arena,
    struct identity *identity)
{
	struct users_table *table = users_file_take(patterns);
	const struct user *u = users_table_find(table, login);

	if (u != NULL)
		users_identify(u, arena, identity);
	users_table_unref(&table);
	return u != NULL;
}

static bool
identify(struct backend *b, struct view login, struct arena *arena, struct identity *identity)
{
	const struct backend_upstream *u = upstream_of(b);
	const char **own;

	if (u->patterns != NULL && identify_by(u->patterns, login, arena, identity))
		return true;
	own = arena_alloc(arena, sizeof(*own));
	own[0] = identity->login = arena_strdup(arena, login);
	identity->patterns = own;
	identity->pattern_count = users_login_is_address(login) ? 1 : 0;
	return true;
}

static enum auth_verdict
check(struct backend *b, const struct auth_question *q, struct identity *identity,
    struct err *why)
{
	struct backend_upstream *u = upstream_of(b);
	struct proof p = { .deadline_ms = q->deadline_ms, .why = why };
	enum auth_verdict verdict;

	if (q->login.len == 0 || q->login.len > LOGIN_MAX || q->password->len > 4096 ||
	    view_find(q->login, '\0') < q->login.len) {
		err_set(why, ERR_REFUSED, "a login or password that cannot be sent");
		return AUTH_REFUSED;
	}
	p.conn = conn_open(&u->target, q->deadline_ms, why);
	if (p.conn == NULL)
		return AUTH_UNAVAILABLE;
	verdict = prove(&p, q);
	hang_up(&p);
	if (verdict == AUTH_ACCEPTED)
		(void)identify(b, q->login, q->arena, identity);
	return verdict;
}

static void
refresh(struct backend *b)
{
	const struct backend_upstream *u = upstream_of(b);

	if (u->patterns != NULL)
		users_file_refresh(u->patterns);
}

static void
destroy(struct backend *b)
{
	struct backend_upstream *u = upstream_of(b);

	users_file_destroy(&u->patterns);
	SSL_CTX_free(u->tls_ctx);
	mem_free(u);
}

static const struct backend_ops ops = {
	.name = "upstream",
	.refresh = refresh,
	.check = check,
	.identify = identify,
	.destroy = destroy,
};

/* fill_target - false when an error was added. */
static bool
fill_target(struct backend_upstream *u, const struct config_backend *config, const char *path,
    struct conf_errors *errors)
{
	struct err err = { .kind = ERR_NONE };
	const bool is_implicit = config->tls == LISTENER_TLS_IMPLICIT;

	if (config->server == NULL) {
		conf_error(errors, config->where, path,
		    "type \"upstream\" needs server, as \"host:port\"");
		return false;
	}
	u->tls_ctx = tls_client_create(TLS_VERIFY_PEER, config->ca_file, &err);
	if (u->tls_ctx == NULL ||
	    !address_split(config->server, 0, u->host, HOST_MAX, &u->target.port, &err)) {
		conf_error(errors, config->where, path, "%s", err.text);
		return false;
	}
	u->target.host = u->host;
	u->target.tls_ctx = u->tls_ctx;
	u->target.tls_name = config->tls_name != NULL ? config->tls_name : u->host;
	u->target.connect_timeout_ms = config->timeout_ms;
	/* For conn_open implicit TLS is a transport: nothing is left to be started there. */
	u->target.tls = is_implicit ? UPSTREAM_TLS_NONE : UPSTREAM_TLS_REQUIRED;
	u->target.connect = is_implicit ? connect_implicit : NULL;
	return true;
}

struct backend *
backend_upstream_create(const struct config_backend *config, const char *path,
    const char *hostname, struct conf_errors *errors)
{
	struct backend_upstream *u = mem_calloc(1, sizeof(*u));
	bool is_made;

	u->base.ops = &ops;
	u->target.helo = hostname;
	is_made = fill_target(u, config, path, errors);
	/* Patterns are part of an identity, so a proof rests on them too. */
	if (is_made && config->patterns != NULL) {
		u->patterns = users_file_create(
		    config->patterns, USERS_PATTERNS_ONLY, credential_cache_clear, errors);
		is_made = u->patterns != NULL;
		u->base.knows_logins = true;
	}
	if (is_made)
		return &u->base;
	destroy(&u->base);
	return NULL;
}
