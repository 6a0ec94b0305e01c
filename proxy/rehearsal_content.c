/* SPDX-License-Identifier: MPL-2.0 */
/* The content of a rehearsed message: sent to ourselves as a client sends it, so that it is
 * judged by the session's own reader. See rehearsal_record.h. */
#include "proxy/rehearsal_record.h"

#include "proxy/session/arrival.h"
#include "proxy/session/replies.h"

#include <stdio.h>

#define PIECE_OCTETS 16384 /* as a session reads it */

static void
remark(struct rehearsal *r, const char *text)
{
	if (r->remark_count < REHEARSAL_REMARKS_MAX)
		r->remarks[r->remark_count++] = text;
}

/* complete_lines - content as a client would send it: what has no CR at all gets them. */
static void
complete_lines(struct view content, struct rehearsal *r, struct buf *out)
{
	struct view line;
	bool ok = true;

	if (content.len == 0)
		return;
	if (memchr(content.p, '\r', content.len) == NULL &&
	    memchr(content.p, '\n', content.len) != NULL) {
		remark(r, "its lines end in LF alone: each got its CR, as a client adds it");
		while (ok && content.len > 0 && view_split(&content, '\n', &line))
			ok = buf_add_view(out, line) && buf_add_str(out, "\r\n");
	} else {
		ok = buf_add_view(out, content);
		if (ok && !view_ends_nocase(content, VIEW("\n"))) {
			remark(r, "its last line had no end, and got one");
			ok = buf_add_str(out, "\r\n");
		}
	}
	if (!ok)
		BUG("twice the content is not enough for its line ends");
}

/* take - octets of the dialogue; false: *reply is what the client hears. */
static bool
take(struct dot_decoder *decoder, struct view octets, struct body_store *store,
    struct smtp_reply *reply)
{
	char decoded[PIECE_OCTETS + 2];

	while (octets.len > 0) {
		const size_t len = octets.len < PIECE_OCTETS ? octets.len : PIECE_OCTETS;
		size_t decoded_len, used;
		const enum dot_status status =
		    dot_decode(decoder, view_make(octets.p, len), decoded, &decoded_len, &used);
		struct err err;

		if (status != DOT_MORE && status != DOT_END) {
			reply_make(reply_of_dot(status), NULL, reply);
			return false;
		}
		if (!body_append(store, view_make(decoded, decoded_len), &err)) {
			reply_make(REPLY_STORE, NULL, reply);
			return false;
		}
		octets = view_from(octets, used);
	}
	return true;
}

/* send_lines - with their dots doubled, and the dot behind them (RFC 5321 4.5.2). */
static bool
send_lines(struct view content, struct body_store *store, struct smtp_reply *reply)
{
	struct dot_decoder decoder = { 0 };

	while (content.len > 0) {
		const size_t end = view_find(content, '\n');
		const size_t len = end < content.len ? end + 1 : content.len;

		if ((content.p[0] == '.' && !take(&decoder, VIEW("."), store, reply)) ||
		    !take(&decoder, view_make(content.p, len), store, reply))
			return false;
		content = view_from(content, len);
	}
	return take(&decoder, VIEW(".\r\n"), store, reply);
}

/* make_message - of a store that has all of the content; NULL: *reply. */
static struct message *
make_message(
    struct body_store **store, const struct config_limits *limits, struct smtp_reply *reply)
{
	struct message *message = NULL;
	struct err err;
	char text[24];

	if (body_size(*store) > (uint64_t)limits->message_octets) {
		(void)snprintf(text, sizeof(text), "%lld", (long long)limits->message_octets);
		reply_make(REPLY_SIZE, text, reply);
		return NULL;
	}
	if (!body_seal(*store, &err)) {
		reply_make(REPLY_STORE, NULL, reply);
		return NULL;
	}
	return arrival_message(store, limits, &message, reply) ? message : NULL;
}

struct message *
rehearsal_receive(const struct config *config, struct view content, struct rehearsal *r,
    struct smtp_reply *reply_out)
{
	const size_t room = 2 * content.len + 2;
	const struct body_limits store_limits = {
		.temp_dir = "", .memory_octets = room, .max_octets = room
	};
	struct body_store *store = body_create(&store_limits);
	struct message *message = NULL;
	struct buf lines;

	buf_init(&lines, room);
	complete_lines(content, r, &lines);
	if (send_lines(buf_view(&lines), store, reply_out))
		message = make_message(&store, &config->limits, reply_out);
	body_destroy(&store);
	buf_finish(&lines);
	return message;
}
