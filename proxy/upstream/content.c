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
	bool cr; /* of content_is_clean */
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

static bool
add_slice(struct writer *w, struct view slice)
{
	if (!dot_encode(&w->encoder, slice, &w->out))
		BUG("a slice does not fit");
	if (w->out.len < WRITE)
		return true;
	if (!conn_put(w->conn, buf_view(&w->out), write_by(w), w->err))
		return false;
	buf_clear(&w->out);
	return true;
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

static enum content_result
send_last(struct writer *w)
{
	bool started;

	if (w->cr) {
		err_set(w->err, ERR_PROTOCOL, "content with a bare CR at its end");
		return CONTENT_BAD;
	}
	if (!dot_encode_end(&w->encoder, &w->out))
		BUG("the final dot does not fit");
	if (conn_put_last(w->conn, buf_view(&w->out), write_by(w), &started, w->err))
		return CONTENT_SENT;
	return started ? CONTENT_UNSURE : CONTENT_DEAD;
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
	if (message_write(message, add_piece, &w))
		result = send_last(&w);
	else
		result = w.is_bad ? CONTENT_BAD : CONTENT_DEAD;
	buf_finish(&w.out);
	return result;
}
