/* SPDX-License-Identifier: MPL-2.0 */
/*
 * BDAT (RFC 3030 2): content in chunks of a size that is told. Its octets follow the command
 * whatever we think of it, so they are read first, then comes the reply; what is refused is
 * thrown away, within a bound. A command whose size cannot be read ends the connection, since
 * nobody knows where the next one begins. Content is held to the same lines as with DATA
 * (BINARYMIME is not offered); a last line without CRLF gets one, as DATA would have it.
 */
#include "proxy/session/session_private.h"

#include <stdio.h>

#define CHUNK_SMALL 1024 /* octets; a chunk of less counts as a command (limits.commands) */

/* is_kept - false: *reply_out says why the content cannot be. */
static bool
is_kept(struct session *s, struct smtp_reply *reply_out)
{
	char limit[CMD_SIZE_TEXT];

	switch (s->tx->content) {
	case CONTENT_GOOD:
		return true;
	case CONTENT_TOO_LARGE:
		cmd_size_text(s, limit);
		reply_make(REPLY_SIZE, limit, reply_out);
		break;
	case CONTENT_NOT_STORED:
		reply_make(REPLY_STORE, NULL, reply_out);
		break;
	}
	return false;
}

/* finish_last - the message is whole, if its last line is. */
static void
finish_last(struct session *s)
{
	bool is_unfinished;
	const enum dot_status status = dot_check_end(&s->tx->checker, &is_unfinished);

	if (status != DOT_END) {
		content_refuse(s, status);
		return;
	}
	if (is_unfinished)
		content_add(s, VIEW("\r\n"));
	content_finish(s);
}

/* finish_chunk - all its octets have come. */
static void
finish_chunk(struct session *s)
{
	char octets[24];
	struct smtp_reply reply;

	if (s->chunk.is_refused) {
		session_say_reply(s, &s->chunk.refusal);
	} else if (s->chunk.is_last) {
		finish_last(s);
	} else if (!is_kept(s, &reply)) {
		session_say_reply(s, &reply);
	} else {
		(void)snprintf(
		    octets, sizeof(octets), "%llu", (unsigned long long)s->tx->content_octets);
		session_say(s, REPLY_CHUNK, octets);
	}
}

void
cmd_bdat(struct session *s, const struct smtp_command *command)
{
	const uint64_t max = (uint64_t)s->snapshot->config->limits.message_octets;
	struct transaction *tx = s->tx;

	s->chunk = (struct chunk){ .is_last = false };
	if (!smtp_bdat_parse(command->args, &s->chunk.left, &s->chunk.is_last)) {
		session_close(s, REPLY_BDAT_SYNTAX, NULL, "malformed BDAT");
		return;
	}
	if (s->state == STATE_RCPT)
		content_open(s);
	session_enter(s, EVENT_BDAT);
	if (s->chunk.left >= CHUNK_SMALL)
		s->commands--; /* it brings more than it costs */
	if (tx->content == CONTENT_GOOD && s->chunk.left > max - tx->content_octets) {
		tx->content = CONTENT_TOO_LARGE;
		body_destroy(&tx->store);
	}
	if (s->chunk.left == 0)
		finish_chunk(s);
}

void
cmd_bdat_refused(
    struct session *s, const struct smtp_command *command, enum rule_verdict verdict)
{
	const enum reply_id id = reply_of_verdict(verdict);
	const uint64_t max = (uint64_t)s->snapshot->config->limits.message_octets;

	s->chunk = (struct chunk){ .is_refused = true };
	if (!smtp_bdat_parse(command->args, &s->chunk.left, &s->chunk.is_last)) {
		session_close(s, REPLY_BDAT_SYNTAX, NULL, "malformed BDAT");
		return;
	}
	/* Nobody sends a message before AUTH by mistake. */
	if (s->chunk.left > 0 && (verdict == RULE_NEED_TLS || verdict == RULE_NEED_AUTH)) {
		session_close(s, id, "BDAT", "chunk before AUTH");
		return;
	}
	if (s->chunk.left > max - s->discarded) {
		session_close(s, id, "BDAT", "refused chunks far too large");
		return;
	}
	s->discarded += s->chunk.left;
	reply_make(id, "BDAT", &s->chunk.refusal);
	if (s->chunk.left == 0)
		finish_chunk(s);
}

void
cmd_bdat_octets(struct session *s)
{
	struct view octets = buf_view(&s->in);

	if (octets.len > s->chunk.left)
		octets.len = (size_t)s->chunk.left;
	s->chunk.left -= octets.len;
	if (!s->chunk.is_refused) {
		const enum dot_status status = dot_check(&s->tx->checker, octets);

		if (status != DOT_MORE) {
			content_refuse(s, status);
			return;
		}
		content_add(s, octets);
	}
	buf_drop(&s->in, octets.len);
	if (!s->chunk.is_refused && content_is_endless(s))
		return;
	if (s->chunk.left == 0)
		finish_chunk(s);
}
