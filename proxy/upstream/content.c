/* SPDX-License-Identifier: MPL-2.0 */
/* See content.h. */
#include "proxy/upstream/content.h"

#include "lib/base/clock.h"
#include "lib/smtp/dot.h"

#define SLICE 32768		      /* octets encoded at once: twice as many at most */
#define WRITE (2 * SLICE)	      /* octets gathered before a write */
#define ROOM  (WRITE + 2 * SLICE + 8) /* so that a slice and the final dot always fit */

struct writer {
	struct conn *conn;
	struct dot_encoder encoder;
	struct buf out;
	bool cr;	/* of content_is_clean */
	bool is_chunk;	/* by BDAT: no dots */
	bool has_begun; /* octets went out */
	bool is_early;	/* and the server has spoken since then */
	bool is_bad;
	int64_t timeout_ms, deadline_ms;
	struct err *err;
};

/* line_is_clean - the octets between two LF: a CR at the end and nowhere else. */
static bool
line_is_clean(struct view line)
{
	return line.len > 0 && view_find(line, '\r') == line.len - 1;
}

bool
content_is_clean(struct view v, bool *cr)
{
	if (view_find(v, '\0') != v.len)
		return false;
	if (*cr && v.len > 0) {
		if (v.p[0] != '\n')
			return false;
		*cr = false;
		v = view_from(v, 1);
	}
	while (v.len > 0) {
		size_t lf = view_find(v, '\n');

		if (lf < v.len && !line_is_clean(view_make(v.p, lf)))
			return false;
		if (lf == v.len) { /* the beginning of a line */
			size_t at = view_find(v, '\r');

			*cr = at == v.len - 1;
			return at >= v.len - 1;
		}
		v = view_from(v, lf + 1);
	}
	return true;
}

static int64_t
write_by(const struct writer *w)
{
	int64_t own = clock_mono_ms() + w->timeout_ms;

	return own < w->deadline_ms ? own : w->deadline_ms;
}

/* is_interrupted - within a chunk the server says what it thinks before it has all of it. */
static bool
is_interrupted(struct writer *w)
{
	w->is_early = w->is_chunk && w->has_begun && !conn_is_usable(w->conn);
	return w->is_early &&
	       !err_set(w->err, ERR_PROTOCOL, "a reply before the end of a chunk");
}

static bool
flush(struct writer *w)
{
	if (is_interrupted(w) || !conn_put(w->conn, buf_view(&w->out), write_by(w), w->err))
		return false;
	w->has_begun = true;
	buf_clear(&w->out);
	return true;
}

/* add_slice - of a chunk something always stays for the last write, to which the reply is due.
 */
static bool
add_slice(struct writer *w, struct view slice)
{
	if (w->is_chunk)
		return (w->out.len + slice.len <= WRITE || flush(w)) &&
		       buf_add_view(&w->out, slice);
	if (!dot_encode(&w->encoder, slice, &w->out))
		BUG("a slice does not fit");
	return w->out.len < WRITE || flush(w);
}

static bool
add_piece(void *context, struct view piece)
{
	struct writer *w = context;

	while (piece.len > 0) {
		struct view slice = view_make(piece.p, piece.len < SLICE ? piece.len : SLICE);

		if (!content_is_clean(slice, &w->cr)) {
			w->is_bad = true;
			return err_set(
			    w->err, ERR_PROTOCOL, "content with a bare CR, a bare LF or a NUL");
		}
		if (!add_slice(w, slice))
			return false;
		piece = view_from(piece, slice.len);
	}
	return true;
}

/* why_not - the content did not get to its end. */
static enum content_result
why_not(const struct writer *w)
{
	if (w->is_bad)
		return CONTENT_BAD;
	return w->is_early ? CONTENT_EARLY : CONTENT_DEAD;
}

static enum content_result
send_last(struct writer *w)
{
	bool started;

	if (w->cr) {
		err_set(w->err, ERR_PROTOCOL, "content with a bare CR at its end");
		return CONTENT_BAD;
	}
	if (!w->is_chunk && !dot_encode_end(&w->encoder, &w->out))
		BUG("the final dot does not fit");
	if (is_interrupted(w))
		return CONTENT_EARLY;
	if (conn_put_last(w->conn, buf_view(&w->out), write_by(w), &started, w->err))
		return CONTENT_SENT;
	return started ? CONTENT_UNSURE : CONTENT_DEAD;
}

/* finish - behind the last look at the content. */
static enum content_result
finish(struct writer *w, const struct message *message, bool is_whole)
{
	if (!message_is_intact(message)) {
		err_set(w->err, ERR_IO, "the content could not be read back");
		return CONTENT_LOST;
	}
	return is_whole ? send_last(w) : why_not(w);
}

enum content_result
content_send(struct conn *c, const struct message *message, int64_t timeout_ms,
    int64_t deadline_ms, struct err *err)
{
	struct writer w = {
		.conn = c, .timeout_ms = timeout_ms, .deadline_ms = deadline_ms, .err = err
	};
	enum content_result result;

	buf_init(&w.out, ROOM);
	result = finish(&w, message, message_write(message, add_piece, &w));
	buf_finish(&w.out);
	return result;
}

/* lacks_crlf - the last line has no end. */
static bool
lacks_crlf(const struct message *message)
{
	const struct view body = message_body(message);

	return body.len > 0 && !view_ends_nocase(body, VIEW("\r\n"));
}

enum content_result
content_send_chunk(struct conn *c, const struct message *message, int64_t timeout_ms,
    int64_t deadline_ms, struct err *err)
{
	struct writer w = { .conn = c,
		.is_chunk = true,
		.timeout_ms = timeout_ms,
		.deadline_ms = deadline_ms,
		.err = err };
	const bool is_short = lacks_crlf(message);
	const uint64_t size = message_size(message) + (is_short ? 2 : 0);
	enum content_result result;

	buf_init(&w.out, ROOM);
	if (!buf_printf(&w.out, "BDAT %llu LAST\r\n", (unsigned long long)size))
		BUG("a command does not fit");
	const bool is_whole =
	    message_write(message, add_piece, &w) && (!is_short || add_piece(&w, VIEW("\r\n")));
	result = finish(&w, message, is_whole);
	buf_finish(&w.out);
	return result;
}

void
content_give_up(enum content_result result, struct smtp_reply *reply_out)
{
	if (result == CONTENT_LOST)
		smtp_reply_set(reply_out, 451, "4.3.0",
		    "Message could not be read back from the disk, try again later");
	else
		smtp_reply_set(
		    reply_out, 554, "5.6.0", "Bare CR, bare LF or NUL in the message");
}
