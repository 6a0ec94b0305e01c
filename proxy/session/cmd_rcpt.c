/* SPDX-License-Identifier: MPL-2.0 */
/* RCPT (RFC 5321 4.1.1.3): the chain's word first, then the upstream's own, handed on as it is.
 */
#include "proxy/session/session_private.h"

#include "lib/base/log.h"

static void
log_refused(const struct session *s, const char *address, const struct smtp_reply *reply)
{
	char text[256];

	smtp_reply_log_text(reply, text, sizeof(text));
	log_event(LEVEL_INFO, "rcpt.refused", LOG_STR("id", s->facts.message_id),
	    LOG_STR("client", s->facts.client.text), LOG_OPT("login", s->facts.identity.login),
	    LOG_STR("from", s->facts.reverse_path), LOG_STR("rcpt", address),
	    LOG_STR("reply", text));
}

void
cmd_rcpt(struct session *s, const struct smtp_command *command)
{
	struct smtp_path path;
	struct smtp_dsn dsn;
	struct smtp_reply reply;
	char address[SMTP_PATH_MAX];
	enum smtp_syntax syntax =
	    smtp_rcpt_parse(command->args, s->facts.mail.smtputf8, &path, &dsn);

	if (syntax == SMTP_SYNTAX_OK && !cmd_domain_is_valid(&path))
		syntax = SMTP_SYNTAX_PATH;
	if (syntax != SMTP_SYNTAX_OK) {
		session_say(s, reply_of_syntax(syntax), "RCPT TO:<address>");
		return;
	}
	smtp_path_write(&path, address);
	const struct recipient recipient = { .path = path, .address = address, .dsn = dsn };
	const char *by = "chain";
	if (s->facts.recipient_count >= (size_t)s->snapshot->config->limits.recipients) {
		by = "gate";
		reply_make(REPLY_RECIPIENTS, NULL, &reply);
	} else if (session_judge(s, STAGE_RCPT, &recipient, NULL, &reply)) {
		by = "upstream";
		delivery_rcpt(s->tx->delivery, &path, &dsn, &reply);
	}
	tracing_recipient(s->tracing, address, by, &reply);

	if (smtp_reply_is_ok(&reply)) {
		transaction_add_recipient(s, &path, &dsn);
		session_enter(s, EVENT_RCPT);
	} else {
		s->tx->refused_recipients++;
		/* "Too many" (RFC 5321 4.5.3.1.10) and "not now" are no mistakes. */
		s->forgiven += smtp_reply_is_temporary(&reply) ? 1 : 0;
		log_refused(s, address, &reply);
	}
	session_say_reply(s, &reply);
}
