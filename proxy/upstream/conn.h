/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One dialogue with one upstream server, as SMTP client: connect, greeting, EHLO, STARTTLS,
 * AUTH, then commands one at a time. The server is no friend either: a reply is only taken for
 * a command that was sent; octets that come unasked end the connection; replies are capped by
 * the reader. Blocks, with deadlines. One thread at a time. RFC 5321 3, 4.2; RFC 3207; RFC
 * 4954.
 */
#ifndef GATEPOST_PROXY_UPSTREAM_CONN_H
#define GATEPOST_PROXY_UPSTREAM_CONN_H

#include "lib/base/secret.h"
#include "lib/net/stream.h"
#include "lib/smtp/ehlo.h"
#include "proxy/config.h"

#define CONN_KEY_LEN 32

/* A server as we talk to it. Immutable; lives longer than its connections. */
struct conn_target {
	const char *host; /* of a unix socket its path; port is 0 then */
	uint16_t port;
	bool is_lmtp; /* RFC 2033: LHLO, and a reply for each recipient behind the dot */
	enum upstream_tls tls;
	const char *tls_name; /* in the certificate, and SNI */
	SSL_CTX *tls_ctx;     /* NULL with UPSTREAM_TLS_NONE; verifies with REQUIRED and DANE */
	const struct dns_source *dns; /* borrowed; UPSTREAM_TLS_DANE only */
	const char *login;	      /* NULL: no AUTH */
	const struct secret *password;
	const char *helo;	    /* our name */
	int64_t connect_timeout_ms; /* for all of conn_open */
	unsigned char
	    key[CONN_KEY_LEN]; /* equal only for connections that can stand for each other */
	/* Instead of stream_connect (tests, the fuzzer); NULL: stream_connect. */
	struct stream *(*connect)(
	    const struct conn_target *t, int64_t deadline_ms, struct err *err);
};

struct conn;

/* conn_target_set_key - a digest of everything that makes two connections different. */
void conn_target_set_key(struct conn_target *t);

/*
 * conn_open - connected, greeted, over TLS and authenticated as the target says, within the
 * target's connect_timeout_ms and by deadline_ms. TLS: with OPPORTUNISTIC it is used when
 * offered, without verification, and a handshake that fails makes a second connection without;
 * with REQUIRED and DANE anything but a verified session is an error. A password only travels
 * over verified TLS or to a loopback address. Errors: those of stream_connect; ERR_REFUSED the
 * server said no; ERR_PROTOCOL; ERR_TLS.
 */
MUST_CHECK struct conn *conn_open(
    const struct conn_target *t, int64_t deadline_ms, struct err *err);

void conn_close(struct conn **c); /* QUIT is sent, its reply not waited for */
void conn_abort(struct conn **c); /* at once: the server must not take what it has for whole */

/*
 * conn_command - line without CRLF; false: no reply, the connection is of no more use.
 * Errors: of stream_read and stream_write; ERR_PROTOCOL something came unasked, or is no reply.
 */
MUST_CHECK bool conn_command(struct conn *c, struct view line, int64_t deadline_ms,
    struct smtp_reply *reply_out, struct err *err);

/* conn_put - octets of message content, to which no reply is due. */
MUST_CHECK bool conn_put(
    struct conn *c, struct view data, int64_t deadline_ms, struct err *err);

/*
 * conn_put_last - the octets with the final dot, to which a reply is due: conn_get_reply.
 * *started_out false: the server has talked or closed before, and nothing was sent.
 */
MUST_CHECK bool conn_put_last(
    struct conn *c, struct view data, int64_t deadline_ms, bool *started_out, struct err *err);
MUST_CHECK bool conn_get_reply(
    struct conn *c, int64_t deadline_ms, struct smtp_reply *reply_out, struct err *err);

/*
 * conn_early_reply - what the server says in the midst of content that has a size (BDAT), if it
 * has said anything; false: it has not, or it was no reply. The connection must end either way.
 */
MUST_CHECK bool conn_early_reply(
    struct conn *c, int64_t deadline_ms, struct smtp_reply *reply_out, struct err *err);

/* conn_expect - so many more replies are due: of LMTP, behind the dot. */
void conn_expect(struct conn *c, unsigned more);

/* conn_is_usable - nothing outstanding, nothing unasked, not closed: fit for the next command.
 */
bool conn_is_usable(struct conn *c);

/* conn_is_idle - the same without a look at the network. */
bool conn_is_idle(const struct conn *c);

/* conn_is_spent - it has had as many transactions as the server allows (RFC 9422, MAILMAX). */
bool conn_is_spent(const struct conn *c);

const struct conn_target *conn_target(const struct conn *c);
const struct smtp_ehlo *conn_ehlo(const struct conn *c);
const char *conn_peer(const struct conn *c);	 /* "192.0.2.1:25" */
const char *conn_tls_text(const struct conn *c); /* "TLSv1.3 ...", or "" */

#endif
