/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Two deliveries, one after the other, to two servers that say what the input says. This file
 * is the network: it stands in for lib/net/stream, so that no run depends on time or threads.
 *
 * Input: an octet of options, then pieces parted by 0xff. A piece is what the server says when
 * a connection is opened, and after each write of ours; one that ends in 0xfe closes behind it.
 *
 * Invariants: a delivery sends at most one final dot, or last octet of BDAT, and the exact
 * content; it answers
 * 250 only when the reply to that dot began with 250; no other 2xx, no 421, nothing under 400
 * else; every command is one line; nothing is sent to a server that has talked unasked but
 * QUIT; a password never goes out in the clear.
 */
#include "proxy/upstream/delivery.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONTENT	 "From: a@example.com\r\n\r\n.\r\n..two\r\nend"
#define ON_WIRE	 "From: a@example.com\r\n\r\n..\r\n...two\r\nend\r\n.\r\n"
#define CHUNK	 "BDAT 38 LAST\r\n" CONTENT "\r\n"
#define SECRET64 "czNjcmV0" /* as AUTH PLAIN and AUTH LOGIN both show it, with this login */

struct stream {
	struct view said; /* by the server, not yet read */
	bool is_closed;	  /* behind what it said */
	bool is_tls, in_data;
};

static struct view input; /* pieces that are left */
static size_t dots;	  /* of this delivery */
static bool dot_was_confirmed;

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* say_next - the server's turn. */
static void
say_next(struct stream *s)
{
	size_t len = view_find(input, '\xff');
	struct view piece = view_make(input.p, len);

	if (s->is_closed)
		return;
	s->is_closed = input.len == 0 || (len > 0 && piece.p[len - 1] == '\xfe');
	if (len > 0 && s->is_closed)
		piece.len--;
	if (s->said.len == 0)
		s->said = piece;
	input = view_from(input, len + 1);
}

static struct stream *
connect_here(const struct conn_target *t, int64_t deadline_ms, struct err *err)
{
	struct stream *s;

	(void)t, (void)deadline_ms;
	if (input.len == 0) {
		err_set(err, ERR_IO, "refused");
		return NULL;
	}
	s = mem_calloc(1, sizeof(*s));
	say_next(s);
	return s;
}

struct stream *
stream_connect(const char *host, uint16_t port, int64_t deadline_ms, struct err *err)
{
	(void)host, (void)port, (void)deadline_ms, (void)err;
	abort();
}

struct stream *
stream_connect_unix(const char *path, int64_t deadline_ms, struct err *err)
{
	(void)path, (void)deadline_ms;
	err_set(err, ERR_IO, "none here");
	return NULL;
}

struct stream *
stream_from_fd(int fd, const char *peer)
{
	(void)fd, (void)peer;
	abort();
}

void
stream_close(struct stream **s)
{
	check(*s == NULL || !(*s)->in_data, "content without its dot is cut, not closed");
	mem_free(*s);
	*s = NULL;
}

void
stream_abort(struct stream **s)
{
	mem_free(*s);
	*s = NULL;
}

bool
stream_start_tls(
    struct stream *s, SSL_CTX *ctx, const char *name, int64_t deadline_ms, struct err *err)
{
	(void)ctx, (void)name, (void)deadline_ms;
	s->is_tls = true;
	if (s->said.len == 0)
		say_next(s);
	/* What comes now is no handshake, nor is clear text that came late. */
	if (s->said.len == 0)
		return true;
	s->is_closed = true;
	return err_set(err, ERR_TLS, "no handshake");
}

bool
stream_start_tls_dane(struct stream *s, SSL_CTX *ctx, const struct dane *dane,
    int64_t deadline_ms, struct err *err)
{
	(void)dane;
	return stream_start_tls(s, ctx, NULL, deadline_ms, err);
}

bool
stream_is_tls(const struct stream *s)
{
	return s->is_tls;
}

size_t
stream_read(struct stream *s, char *out, size_t room, int64_t deadline_ms, struct err *err)
{
	size_t len = s->said.len < room ? s->said.len : room;

	(void)deadline_ms;
	if (len == 0) {
		err_set(err, s->is_closed ? ERR_CLOSED : ERR_TIMEOUT, "nothing");
		return 0;
	}
	if (len > 1 && s->said.p[0] % 2 == 0)
		len = len / 2; /* in two reads */
	memcpy(out, s->said.p, len);
	s->said = view_from(s->said, len);
	return len;
}

static void
take_content(struct stream *s, struct view data)
{
	check(view_eq(data, VIEW(ON_WIRE)), "the content is exact, and whole");
	s->in_data = false;
	dots++;
}

static void
take_command(struct stream *s, struct view line)
{
	check(line.len >= 2 && view_find(line, '\r') == line.len - 2 &&
		  view_find(line, '\n') == line.len - 1,
	    "a command is one line");
	if (!s->is_tls) {
		for (size_t i = 0; i + 8 <= line.len; i++)
			check(memcmp(line.p + i, SECRET64, 8) != 0, "no password in the clear");
	}
	check(view_eq(line, VIEW("QUIT\r\n")) || (s->said.len == 0 && !s->is_closed),
	    "the server has not talked unasked");
}

static void
take_chunk(struct stream *s, struct view data)
{
	check(view_eq(data, VIEW(CHUNK)), "a chunk is exact, and whole");
	check(s->said.len == 0 && !s->is_closed, "the server has not talked unasked");
	dots++;
	say_next(s);
	dot_was_confirmed = view_starts(s->said, VIEW("250"));
}

bool
stream_write(struct stream *s, struct view data, int64_t deadline_ms, struct err *err)
{
	(void)deadline_ms;
	if (s->is_closed)
		return err_set(err, ERR_IO, "closed");
	if (s->in_data) {
		take_content(s, data);
		say_next(s);
		dot_was_confirmed = view_starts(s->said, VIEW("250"));
		return true;
	}
	if (view_starts(data, VIEW("BDAT "))) {
		take_chunk(s, data);
		return true;
	}
	take_command(s, data);
	say_next(s);
	if (view_eq(data, VIEW("DATA\r\n")))
		s->in_data = view_starts(s->said, VIEW("354"));
	return true;
}

bool
stream_is_quiet(struct stream *s)
{
	return s->said.len == 0 && !s->is_closed;
}

int
stream_fd(const struct stream *s)
{
	(void)s;
	return -1;
}

const char *
stream_peer(const struct stream *s)
{
	(void)s;
	return "192.0.2.1:25";
}

const char *
stream_tls_text(const struct stream *s)
{
	return s->is_tls ? "TLSv1.3" : "";
}

static void
check_reply(const struct smtp_reply *r)
{
	check(r->code == 250 || r->code == 251 || (r->code >= 400 && r->code < 600),
	    "a code for the client");
	check(r->code != 421, "no 421 for the client");
	check(memchr(r->text, '\0', sizeof(r->text)) != NULL, "the text has an end");
}

static void
deliver(struct upstream *u, const struct message *m, unsigned options)
{
	struct delivery *d = delivery_create(u, "fuzz");
	struct smtp_mail mail = { .path = { .local = VIEW("a"), .domain = VIEW("example.com") },
		.body = (options & 0x20) != 0 ? SMTP_BODY_8BITMIME : SMTP_BODY_UNSET,
		.ret = (options & 0x40) != 0 ? SMTP_RET_HDRS : SMTP_RET_UNSET,
		.smtputf8 = (options & 0x80) != 0 };
	const struct smtp_dsn dsn = { .notify = (options & 0x40) != 0 ? SMTP_NOTIFY_NEVER : 0,
		.orcpt = VIEW("") };
	struct smtp_path path = { .local = VIEW("b"), .domain = VIEW("example.net") };
	struct smtp_reply reply;
	size_t accepted = 0;

	dots = 0;
	dot_was_confirmed = false;
	delivery_mail(d, &mail, &reply);
	check_reply(&reply);
	for (int i = 0; i < 2 && smtp_reply_is_ok(&reply); i++) {
		delivery_rcpt(d, &path, &dsn, &reply);
		check_reply(&reply);
		accepted += smtp_reply_is_ok(&reply);
	}
	if (accepted > 0) {
		delivery_send(d, m, &reply);
		check_reply(&reply);
		if (smtp_reply_is_ok(&reply))
			check(reply.code == 250 && dots == 1 && dot_was_confirmed,
			    "250 only for a dot that was answered so");
	} else {
		check(dots == 0, "no dot without a recipient");
	}
	check(dots <= 1, "one dot at most");
	delivery_destroy(&d);
	check(dots <= 1, "no dot at the end");
}

static struct message *
make_message(void)
{
	static const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 4096, .max_octets = 4096
	};
	struct body_store *store = body_create(&limits);
	struct message *m = NULL;
	size_t line;

	if (!body_append(store, VIEW(CONTENT), NULL) || !body_seal(store, NULL) ||
	    message_create(&store, &m, &line) != MESSAGE_OK)
		abort();
	return m;
}

static struct upstream *
make_upstream(unsigned options)
{
	static const char *const servers[] = { "a.example.com:25", "b.example.com:25" };
	static struct config_upstream config = { .name = "fuzz",
		.type = UPSTREAM_SMTP,
		.servers = { .items = servers, .count = 2 },
		.tls = UPSTREAM_TLS_NONE,
		.connect_timeout_ms = 1000,
		.command_timeout_ms = 1000,
		.final_timeout_ms = 1000,
		.idle_ms = 1000,
		.max_idle = 2 };
	struct conf_errors errors;
	struct upstream *u;

	conf_errors_init(&errors);
	u = upstream_create(&config, "gate.example.com", &errors);
	conf_errors_finish(&errors);
	if (u == NULL || !secret_set(&u->password, VIEW("s3cret")))
		abort();
	for (size_t i = 0; i < u->server_count; i++) {
		struct conn_target *t = &u->servers[i].target;

		t->connect = connect_here;
		t->tls = (enum upstream_tls)(options % 3);
		t->login = (options & 0x10) != 0 ? "gate" : NULL;
		conn_target_set_key(t);
	}
	return u;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct log_config quiet = { .level = LEVEL_ERROR };
	static struct message *m;
	struct upstream *u;

	if (size == 0)
		return 0;
	if (m == NULL) {
		m = make_message();
		log_configure(&quiet);
		clock_fake_set(1000000, 1700000000);
	}
	input = view_make((const char *)data + 1, size - 1);
	u = make_upstream(data[0]);
	deliver(u, m, data[0]);
	deliver(u, m, 0);
	upstream_destroy(&u);
	return 0;
}
