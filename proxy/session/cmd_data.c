/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DATA (RFC 5321 4.1.1.4): 354, then content until CRLF.CRLF, into the store. What cannot be
 * kept (too large, disk full) is read to its end all the same, within a bound, so that the
 * reply comes where the client waits for it. A line end that is no CRLF ends the connection.
 */
#include "proxy/session/session_private.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"

void
content_open(struct session *s)
{
	const struct config_limits *limits = &s->snapshot->config->limits;
	const struct body_limits store = { .temp_dir = s->snapshot->temp_dir,
		.memory_octets = (size_t)limits->memory_octets,
		.max_octets = (uint64_t)limits->message_octets };

	s->tx->store = body_create(&store);
}

void
cmd_data(struct session *s, const struct smtp_command *command)
{
	(void)command;
	/* RFC 2920 3.1: DATA ends a group. Content before its 354 would be commands, had we
	 * said 5xx. */
	if (s->in.len > 0) {
		session_close(s, REPLY_CONTENT_EARLY, NULL, "content before 354");
		return;
	}
	content_open(s);
	session_say(s, REPLY_DATA, NULL);
	session_enter(s, EVENT_DATA);
}

void
content_refuse(struct session *s, enum dot_status status)
{
	log_event(LEVEL_INFO, "msg.malformed", LOG_STR("id", s->facts.message_id),
	    LOG_STR("client", s->facts.client.text), LOG_OPT("login", s->facts.identity.login),
	    LOG_STR("from", s->facts.reverse_path),
	    LOG_STR("reason", status == DOT_BARE_LF   ? "bare LF"
			      : status == DOT_BARE_CR ? "bare CR"
						      : "NUL"));
	session_close(s, reply_of_dot(status), NULL, "malformed content");
}

void
content_add(struct session *s, struct view octets)
{
	struct transaction *tx = s->tx;
	struct err err = { 0 };

	tx->content_octets += octets.len;
	if (tx->content == CONTENT_GOOD && !body_append(tx->store, octets, &err)) {
		tx->content = err.kind == ERR_LIMIT ? CONTENT_TOO_LARGE : CONTENT_NOT_STORED;
		log_event(err.kind == ERR_LIMIT ? LEVEL_INFO : LEVEL_ERROR, "msg.not_stored",
		    LOG_STR("id", s->facts.message_id), LOG_STR("reason", err.text));
		body_destroy(&tx->store);
	}
}

void
content_finish(struct session *s)
{
	struct smtp_reply reply;

	s->tx->content_done_ms = clock_mono_ms();
	s->commands = 0;
	transaction_finish(s, &reply);
	transaction_end(s);
	session_say_reply(s, &reply);
	if (session_is_draining())
		session_close(s, REPLY_SHUTDOWN, s->facts.hostname, "shutdown");
}

bool
content_is_endless(struct session *s)
{
	char limit[CMD_SIZE_TEXT];

	if (s->tx->content_octets / 2 <= (uint64_t)s->snapshot->config->limits.message_octets)
		return false;
	/* Twice the limit, and still no end: not worth the bandwidth. */
	cmd_size_text(s, limit);
	session_close(s, REPLY_SIZE, limit, "message far too large");
	return true;
}

void
cmd_data_content(struct session *s)
{
	char decoded[SESSION_IN_MAX + 2];
	size_t decoded_len, used;
	enum dot_status status =
	    dot_decode(&s->tx->decoder, buf_view(&s->in), decoded, &decoded_len, &used);

	buf_drop(&s->in, used);
	if (status != DOT_MORE && status != DOT_END) {
		content_refuse(s, status);
		return;
	}
	content_add(s, view_make(decoded, decoded_len));
	if (status == DOT_END)
		content_finish(s);
	else
		(void)content_is_endless(s);
}
