/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A scripted SMTP server for the tests of the upstream side. Each connection runs one script:
 *	">text"   send text and CRLF        ">>text"  send text as it stands
 *	"<text"   a line must come that begins with text
 *	"!some"   read 1000 octets
 *	"!data"   read up to CRLF.CRLF      "!tls"    be the server of a TLS handshake
 *	"!hang"   read until the client goes            "!close"  close
 *	"!reset"  close so that the client sees a reset "!wait"   wait for rig_go
 * A connection without a script is closed at once. All that came is kept in got[].
 */
#ifndef GATEPOST_TESTS_UNIT_UPSTREAM_RIG_H
#define GATEPOST_TESTS_UNIT_UPSTREAM_RIG_H

#include "lib/base/buf.h"
#include "lib/net/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/certs.h"

#define RIG_SCRIPTS 8

/* What nearly every script begins with. */
#define RIG_HELLO                                                             \
	">220 mta.example.com ESMTP", "<EHLO gate.example.com",               \
	    ">250-mta.example.com\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250 " \
	    "ENHANCEDSTATUSCODES"
#define RIG_MAIL "<MAIL FROM:<a@example.com>", ">250 2.1.0 Ok"
#define RIG_RCPT "<RCPT TO:<b@example.net>", ">250 2.1.5 Ok"
#define RIG_DATA "<DATA", ">354 go", "!data"

#define STEPS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define FINAL_OK   ">250 2.0.0 Ok: queued as Q1"
#define UP_TO_RCPT RIG_HELLO, RIG_MAIL, RIG_RCPT
#define UP_TO_DATA UP_TO_RCPT, "<DATA"
#define UP_TO_DOT  UP_TO_RCPT, RIG_DATA
#define WHOLE	   STEPS(UP_TO_DOT, FINAL_OK, "<QUIT")

struct rig;

struct rig_conn {
	struct rig *rig;
	const char *const *script; /* NULL ends it */
	pthread_t thread;
	int fd;
	SSL *ssl;
	struct buf got;
	char in[65536];
	size_t in_len, in_used;
	char line[4096];
	char failure[256]; /* "": the script ran to its end */
};

struct rig {
	int listener;
	uint16_t port;
	char server[32]; /* "127.0.0.1:port" */
	pthread_t thread;
	const struct cert_files *files; /* for !tls */
	struct rig_conn conns[RIG_SCRIPTS];
	size_t scripts; /* set up */
	atomic_size_t accepted;
	atomic_bool go;
};

/* rig_read - one octet, kept; false: the end. */
static inline bool
rig_read(struct rig_conn *c, char *out)
{
	if (c->in_used == c->in_len) {
		ssize_t n = c->ssl != NULL ? SSL_read(c->ssl, c->in, sizeof(c->in))
					   : recv(c->fd, c->in, sizeof(c->in), 0);

		c->in_used = 0;
		c->in_len = n > 0 ? (size_t)n : 0;
		if (n <= 0)
			return false;
		if (!buf_add(&c->got, c->in, c->in_len))
			abort();
	}
	*out = c->in[c->in_used++];
	return true;
}

static inline bool
rig_write(struct rig_conn *c, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, p, (int)len)
					   : send(c->fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static inline bool
rig_fail(struct rig_conn *c, const char *step, const char *why)
{
	snprintf(c->failure, sizeof(c->failure), "%.100s: %.100s", step, why);
	return false;
}

static inline bool
rig_line(struct rig_conn *c, const char *want)
{
	size_t len = 0;
	char o;

	while (len < sizeof(c->line) - 1 && rig_read(c, &o)) {
		c->line[len++] = o;
		if (o == '\n')
			break;
	}
	c->line[len] = '\0';
	if (strncmp(c->line, want, strlen(want)) != 0)
		return rig_fail(c, want, len > 0 ? c->line : "the client has gone");
	return true;
}

static inline bool
rig_data(struct rig_conn *c)
{
	static const char end[] = "\r\n.\r\n";
	size_t matched = 2; /* as if a line had just ended */
	char o;

	while (rig_read(c, &o)) {
		if (o == end[matched])
			matched++;
		else
			matched = o == '\r' ? 1 : 0;
		if (matched == 5)
			return true;
	}
	return rig_fail(c, "!data", "the client has gone before the dot");
}

static inline bool
rig_tls(struct rig_conn *c)
{
	struct tls_server_config config = { .certificate = c->rig->files->certificate,
		.key = c->rig->files->key,
		.min_version = TLS1_2_VERSION,
		.listener = "rig" };
	SSL_CTX *ctx = tls_server_create(&config, NULL);

	c->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_fd(c->ssl, c->fd);
	return SSL_accept(c->ssl) == 1 || rig_fail(c, "!tls", "handshake failed");
}

static inline bool
rig_step(struct rig_conn *c, const char *step)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	char o;

	if (step[0] == '<')
		return rig_line(c, step + 1);
	if (step[0] == '>') {
		const char *text = step + (step[1] == '>' ? 2 : 1);

		return rig_write(c, text, strlen(text)) &&
		       (step[1] == '>' || rig_write(c, "\r\n", 2));
	}
	if (strcmp(step, "!data") == 0)
		return rig_data(c);
	if (strcmp(step, "!tls") == 0)
		return rig_tls(c);
	if (strcmp(step, "!reset") == 0)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	else if (strcmp(step, "!some") == 0)
		for (int i = 0; i < 1000 && rig_read(c, &o); i++)
			continue;
	else if (strcmp(step, "!hang") == 0)
		while (rig_read(c, &o))
			continue;
	else if (strcmp(step, "!wait") == 0)
		while (!c->rig->go)
			poll(NULL, 0, 2);
	else if (strcmp(step, "!close") != 0)
		return rig_fail(c, step, "no such step");
	return true;
}

static inline void *
rig_serve(void *context)
{
	struct rig_conn *c = context;

	for (size_t i = 0; c->script[i] != NULL; i++) {
		if (!rig_step(c, c->script[i]))
			break;
	}
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
	return NULL;
}

static inline void *
rig_accept(void *context)
{
	struct rig *r = context;
	struct timeval limit = { .tv_sec = 20 };

	for (;;) {
		int fd = accept(r->listener, NULL, NULL);
		struct rig_conn *c = &r->conns[r->accepted];

		if (fd < 0)
			return NULL;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		if (r->accepted >= r->scripts) {
			close(fd);
			continue;
		}
		c->fd = fd;
		if (pthread_create(&c->thread, NULL, rig_serve, c) != 0)
			abort();
		r->accepted++;
	}
}

static inline void
rig_add(struct rig *r, const char *const *script)
{
	struct rig_conn *c = &r->conns[r->scripts++];

	c->rig = r;
	c->script = script;
	buf_init(&c->got, 64U << 20);
}

/* rig_narrow - make the receive buffers of connections to come this small. */
static inline void
rig_narrow(struct rig *r, int octets)
{
	setsockopt(r->listener, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
}

/* rig_open - listens; add scripts, then rig_start. */
static inline void
rig_open(struct rig *r)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int small = 65536; /* so that a large message does not fit into the sockets' buffers */

	memset(r, 0, sizeof(*r));
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(r->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(r->listener, (struct sockaddr *)&in, sizeof(in)) != 0 ||
	    listen(r->listener, 16) != 0 ||
	    getsockname(r->listener, (struct sockaddr *)&in, &len) != 0)
		abort();
	r->port = ntohs(in.sin_port);
	snprintf(r->server, sizeof(r->server), "127.0.0.1:%u", r->port);
}

static inline void
rig_start(struct rig *r)
{
	if (pthread_create(&r->thread, NULL, rig_accept, r) != 0)
		abort();
}

static inline void
rig_go(struct rig *r)
{
	r->go = true;
}

/* rig_stop - waits for all scripts; got[] and failures can be read until rig_free. */
static inline void
rig_stop(struct rig *r)
{
	shutdown(r->listener, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->listener);
	for (size_t i = 0; i < r->accepted; i++)
		pthread_join(r->conns[i].thread, NULL);
}

static inline void
rig_free(struct rig *r)
{
	for (size_t i = 0; i < r->scripts; i++)
		buf_finish(&r->conns[i].got);
}

/* rig_got - all that came over the connection, as text. */
static inline const char *
rig_got(struct rig *r, size_t conn)
{
	struct buf *b = &r->conns[conn].got;

	if (!buf_add_char(b, '\0'))
		abort();
	b->len--;
	return b->p;
}

/* rig_dots - how many contents came to their final dot, over all connections. */
static inline size_t
rig_dots(struct rig *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->scripts; i++) {
		const char *at = rig_got(r, i);

		while ((at = strstr(at, "\r\n.\r\n")) != NULL) {
			n++;
			at += 5;
		}
	}
	return n;
}

/* rig_problem - the first script that did not run to its end, or was not reached; NULL: none.
 */
static inline const char *
rig_problem(struct rig *r)
{
	for (size_t i = 0; i < r->scripts; i++) {
		if (i >= r->accepted)
			return "a connection was expected that did not come";
		if (r->conns[i].failure[0] != '\0')
			return r->conns[i].failure;
	}
	return NULL;
}

static inline void
rig_begin(struct rig *rig, const char *const *const *scripts, size_t count)
{
	rig_open(rig);
	for (size_t i = 0; i < count && scripts[i] != NULL; i++)
		rig_add(rig, scripts[i]);
	rig_start(rig);
}

#endif
