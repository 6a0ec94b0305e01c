/* SPDX-License-Identifier: MPL-2.0 */
/* MAIL (RFC 5321 4.1.1.2, RFC 1870 SIZE, RFC 6531, RFC 4954 5 AUTH=): checked, judged by the
 * chain, relayed at once. */
#include "lib/base/utf8.h"
#include "lib/mail/domain_name.h"
#include "lib/mail/sender_pattern.h"
#include "lib/smtp/xtext.h"
#include "proxy/session/session_private.h"

#include <stdio.h>

void
cmd_size_text(const struct session *s, char out[CMD_SIZE_TEXT])
{
	(void)snprintf(out, CMD_SIZE_TEXT, "%llu",
	    (unsigned long long)s->snapshot->config->limits.message_octets);
}

bool
cmd_domain_is_valid(const struct smtp_path *path)
{
	char ascii[DOMAIN_NAME_MAX];

	return utf8_is_ascii(path->domain) || domain_to_ascii(path->domain, ascii);
}

/* may_send_as - is it an address that the login may use, by its patterns? */
static bool
may_send_as(const struct session *s, struct view address)
{
	const struct identity *identity = &s->facts.identity;
	char bracketed[SMTP_PATH_MAX + 2];
	struct smtp_path path;
	struct sender sender;
	struct arena arena;
	bool is_covered = false;

	(void)snprintf(bracketed, sizeof(bracketed), "<%.*s>", VIEW_ARG(address));
	if (identity->login == NULL || address.len >= SMTP_PATH_MAX ||
	    smtp_path_parse(view_of(bracketed), &path) != SMTP_SYNTAX_OK)
		return false;
	arena_init(&arena);
	if (!path.is_null && sender_from_path(&path, &arena, &sender)) {
		for (size_t i = 0; i < identity->pattern_count && !is_covered; i++)
			is_covered = sender_pattern_covers(
			    view_of(identity->patterns[i]), &sender, true);
	}
	arena_finish(&arena);
	return is_covered;
}

/*
 * settle_auth - who the client says has submitted this (RFC 4954 5) is believed as far as the
 * login may send as that address; otherwise it is as if <> had been said.
 */
static void
settle_auth(const struct session *s, struct smtp_mail *mail)
{
	char address[SMTP_COMMAND_LINE_MAX];

	if (!mail->has_auth)
		return;
	const size_t len = xtext_decode(mail->auth, address);
	if (!may_send_as(s, view_make(address, len)))
		mail->auth = VIEW("<>");
}

void
cmd_mail(struct session *s, const struct smtp_command *command)
{
	struct smtp_mail mail;
	struct smtp_reply reply;
	char limit[CMD_SIZE_TEXT];
	enum smtp_syntax syntax = smtp_mail_parse(command->args, &mail);

	if (syntax == SMTP_SYNTAX_OK && !cmd_domain_is_valid(&mail.path))
		syntax = SMTP_SYNTAX_PATH;
	if (syntax != SMTP_SYNTAX_OK) {
		session_say(s, reply_of_syntax(syntax), "MAIL FROM:<address>");
		return;
	}
	if (mail.has_size && mail.size > (uint64_t)s->snapshot->config->limits.message_octets) {
		cmd_size_text(s, limit);
		session_say(s, REPLY_SIZE, limit);
		return;
	}
	if (mail.requiretls && s->ssl == NULL) {
		session_say(s, REPLY_REQUIRETLS_CLEAR, NULL);
		return;
	}
	settle_auth(s, &mail);
	transaction_begin(s, &mail);
	const bool go = session_judge(s, STAGE_MAIL, NULL, NULL, &reply);
	if (go) {
		transaction_route(s);
		delivery_mail(s->tx->delivery, &s->facts.mail, &reply);
	}
	if (smtp_reply_is_ok(&reply)) {
		session_enter(s, EVENT_MAIL);
	} else {
		tracing_reply(s->tracing,
		    smtp_reply_is_temporary(&reply) ? "deferred" : "refused",
		    go ? "upstream" : "chain", &reply);
		transaction_end(s);
	}
	session_say_reply(s, &reply);
}
