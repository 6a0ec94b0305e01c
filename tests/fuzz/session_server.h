/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the session's fuzzer: the upstream servers. Stands in for lib/net/stream, so that no run
 * depends on time or threads. A server answers as a good one does, unless the input has put
 * something else in line for its turn. It holds the gate to the order of SMTP, and hands each
 * message over with what it said to it.
 */
#ifndef GATEPOST_TESTS_SESSION_SERVER_H
#define GATEPOST_TESTS_SESSION_SERVER_H

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "proxy/upstream/conn.h"
#include "tests/fuzz/session_messages.h"

#define SERVER_LINE_MAX	   1024
#define SERVER_CONTENT_MAX (1 << 20)

enum server_state { SERVER_IDLE, SERVER_MAIL, SERVER_RCPT, SERVER_CONTENT, SERVER_CHUNK };

struct stream {
	struct view said; /* and not yet read */
	bool is_closed;	  /* behind that */
	enum server_state state;
	struct buf content; /* as it came */
	size_t chunk_len;   /* octets of it that are to come */
};

static struct view server_script[64]; /* borrowed from the input */
static size_t script_next, script_count;
static bool server_has_chunking; /* offers it */
static bool server_has_mail;	 /* some server has heard MAIL */
static unsigned server_oks;	 /* 250 to a final dot, and the gate could read it */

/* message_arrived - content as it came: with its dot, or in a chunk. */
static void message_arrived(struct view content, bool is_chunk);

static inline void
server_script_add(struct view piece)
{
	if (script_count < ARRAY_LEN(server_script))
		server_script[script_count++] = piece;
}

/* server_says - its turn: what the script has for it, or the usual. 0xfd at a piece's end
 * closes the connection. */
static inline void
server_says(struct stream *s, struct view usual)
{
	struct view piece = script_next < script_count ? server_script[script_next++] : usual;

	if (piece.len > 0 && piece.p[piece.len - 1] == '\xfd') {
		s->is_closed = true;
		piece.len--;
	}
	s->said = piece;
}

static inline struct stream *
server_connect(const struct conn_target *t, int64_t deadline_ms, struct err *err)
{
	struct stream *s = mem_calloc(1, sizeof(*s));

	(void)t, (void)deadline_ms, (void)err;
	buf_init(&s->content, SERVER_CONTENT_MAX);
	server_says(s, VIEW("220 mta.test ESMTP\r\n"));
	return s;
}

static inline bool
starts_250(struct view v)
{
	return view_starts(v, VIEW("250 ")) || view_starts(v, VIEW("250-")) ||
	       view_starts(v, VIEW("250\r\n"));
}

/* The state is what a server takes its own reply to mean. */
static inline void
server_hears(struct stream *s, struct view line)
{
	static const char chunking[] = "250-mta.test\r\n250-CHUNKING\r\n250 8BITMIME\r\n";
	static const char ehlo[] =
	    "250-mta.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-DSN\r\n"
	    "250-SMTPUTF8\r\n250 8BITMIME\r\n";

	if (view_starts(line, VIEW("EHLO "))) {
		server_says(s, server_has_chunking ? VIEW(chunking) : VIEW(ehlo));
	} else if (view_starts(line, VIEW("MAIL FROM:<"))) {
		check(s->state == SERVER_IDLE, "MAIL begins a transaction");
		server_has_mail = true;
		server_says(s, VIEW("250 2.1.0 Ok\r\n"));
		s->state = view_starts(s->said, VIEW("2")) ? SERVER_MAIL : SERVER_IDLE;
	} else if (view_starts(line, VIEW("RCPT TO:<"))) {
		check(s->state == SERVER_MAIL || s->state == SERVER_RCPT, "RCPT behind MAIL");
		server_says(s, VIEW("250 2.1.5 Ok\r\n"));
		s->state = view_starts(s->said, VIEW("2")) ? SERVER_RCPT : s->state;
	} else if (view_eq(line, VIEW("DATA\r\n"))) {
		check(s->state == SERVER_RCPT, "DATA behind RCPT");
		server_says(s, VIEW("354 go on\r\n"));
		s->state = view_starts(s->said, VIEW("354")) ? SERVER_CONTENT : s->state;
	} else if (view_eq(line, VIEW("RSET\r\n"))) {
		server_says(s, VIEW("250 2.0.0 Ok\r\n"));
		s->state = SERVER_IDLE;
	} else {
		check(view_eq(line, VIEW("QUIT\r\n")) || view_starts(line, VIEW("HELO ")),
		    "a command that the gate has");
		server_says(s, VIEW("250 mta.test\r\n"));
	}
}

static inline void
server_has_all(struct stream *s, struct view all)
{
	const bool is_chunk = s->state == SERVER_CHUNK;

	server_says(s, VIEW("250 2.0.0 Ok: queued as X\r\n"));
	s->state = SERVER_IDLE;
	server_oks += starts_250(s->said);
	message_arrived(all, is_chunk);
	buf_clear(&s->content);
}

static inline void
server_takes(struct stream *s, struct view data)
{
	const struct view end = VIEW("\r\n.\r\n");
	struct view all;

	check(buf_add(&s->content, data.p, data.len), "no more content than a message has");
	all = buf_view(&s->content);
	if (s->state == SERVER_CHUNK) {
		check(all.len <= s->chunk_len, "nothing behind the chunk");
		if (all.len == s->chunk_len)
			server_has_all(s, all);
		return;
	}
	for (size_t i = 0; i + end.len <= all.len; i++) {
		if (memcmp(all.p + i, end.p, end.len) != 0)
			continue;
		check(i + end.len == all.len, "nothing behind the dot");
		server_has_all(s, all);
		return;
	}
}

/* server_hears_chunk - the command, and the first of its octets maybe. */
static inline void
server_hears_chunk(struct stream *s, struct view data)
{
	const size_t line = view_find(data, '\n') + 1;
	bool is_last;

	check(server_has_chunking && s->state == SERVER_RCPT && s->said.len == 0,
	    "BDAT behind RCPT, where it is offered");
	check(line <= data.len && bdat_line(view_make(data.p, line), &s->chunk_len, &is_last) &&
		  is_last,
	    "one chunk, the last");
	s->state = SERVER_CHUNK;
	server_takes(s, view_from(data, line));
}

bool
stream_write(struct stream *s, struct view data, int64_t deadline_ms, struct err *err)
{
	(void)deadline_ms;
	if (s->is_closed)
		return err_set(err, ERR_IO, "closed");
	if (s->state == SERVER_CONTENT || s->state == SERVER_CHUNK) {
		server_takes(s, data);
		return true;
	}
	if (view_starts(data, VIEW("BDAT "))) {
		server_hears_chunk(s, data);
		return true;
	}
	check(data.len >= 2 && data.len <= SERVER_LINE_MAX &&
		  view_find(data, '\r') == data.len - 2 &&
		  view_find(data, '\n') == data.len - 1,
	    "a command is one line");
	check(view_eq(data, VIEW("QUIT\r\n")) || s->said.len == 0,
	    "the server has not talked unasked");
	server_hears(s, data);
	return true;
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
	memcpy(out, s->said.p, len);
	s->said = view_from(s->said, len);
	return len;
}

void
stream_abort(struct stream **s)
{
	if (*s != NULL)
		buf_finish(&(*s)->content);
	mem_free(*s);
	*s = NULL;
}

void
stream_close(struct stream **s)
{
	check(*s == NULL || ((*s)->state != SERVER_CONTENT && (*s)->state != SERVER_CHUNK),
	    "content without its dot is cut");
	stream_abort(s);
}

bool
stream_is_quiet(struct stream *s)
{
	return s->said.len == 0 && !s->is_closed;
}

/* ---- what nobody calls here ---- */

struct stream *
stream_connect(const char *host, uint16_t port, int64_t deadline_ms, struct err *err)
{
	(void)host, (void)port, (void)deadline_ms;
	err_set(err, ERR_IO, "refused");
	return NULL;
}

struct stream *
stream_connect_unix(const char *path, int64_t deadline_ms, struct err *err)
{
	return stream_connect(path, 0, deadline_ms, err);
}

struct stream *
stream_from_fd(int fd, const char *peer)
{
	(void)fd, (void)peer;
	abort();
}

bool
stream_start_tls(
    struct stream *s, SSL_CTX *ctx, const char *name, int64_t deadline_ms, struct err *err)
{
	(void)s, (void)ctx, (void)name, (void)deadline_ms;
	return err_set(err, ERR_TLS, "no handshake");
}

bool
stream_start_tls_dane(struct stream *s, SSL_CTX *ctx, const struct dane *dane,
    int64_t deadline_ms, struct err *err)
{
	(void)dane;
	return stream_start_tls(s, ctx, "", deadline_ms, err);
}

bool
stream_is_tls(const struct stream *s)
{
	(void)s;
	return false;
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
	(void)s;
	return "";
}

#endif
