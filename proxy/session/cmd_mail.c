/* SPDX-License-Identifier: MPL-2.0 */
/* MAIL (RFC 5321 4.1.1.2, RFC 1870 SIZE, RFC 6531): checked, judged by the chain, relayed at
 * once. */
#include "lib/base/utf8.h"
#include "lib/mail/domain_name.h"
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
