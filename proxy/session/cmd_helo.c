/* SPDX-License-Identifier: MPL-2.0 */
/* HELO and EHLO (RFC 5321 4.1.1.1): what we offer is what we and the upstream can both carry.
 */
#include "proxy/session/session_private.h"

#include <stdio.h>

static void
say_ehlo(struct session *s)
{
	struct rule_facts facts = session_rule_facts(s);
	struct smtp_ehlo upstream;
	uint64_t size = (uint64_t)s->snapshot->config->limits.message_octets;
	char text[SMTP_REPLY_TEXT_MAX];

	upstream_features(s->service->upstream, &upstream);
	if (upstream.size_limit != 0 && upstream.size_limit < size)
		size = upstream.size_limit;
	(void)snprintf(text, sizeof(text),
	    "%s\nPIPELINING\nCHUNKING\nSIZE %llu%s%s%s%s%s%s\nENHANCEDSTATUSCODES",
	    s->facts.hostname, (unsigned long long)size,
	    upstream.eightbitmime ? "\n8BITMIME" : "",
	    upstream.eightbitmime && upstream.smtputf8 ? "\nSMTPUTF8" : "",
	    upstream.dsn ? "\nDSN" : "", facts.tls_offered && !facts.tls_on ? "\nSTARTTLS" : "",
	    facts.auth_offered && !facts.authenticated ? "\nAUTH " : "",
	    facts.auth_offered && !facts.authenticated ? mech_names : "");
	session_say(s, REPLY_EHLO, text);
}

void
cmd_helo(struct session *s, const struct smtp_command *command)
{
	struct smtp_reply reply;

	if (!(s->service->config->strict_helo ? smtp_helo_is_valid : smtp_helo_is_text)(
		command->args)) {
		session_say(s, REPLY_HELO_SYNTAX, smtp_verb_name(command->verb));
		return;
	}
	transaction_end(s);
	/* Not in the arena: a client may say it as often as it likes. */
	if (!view_copy(command->args, s->helo, sizeof(s->helo)))
		BUG("a valid EHLO argument does not fit");
	s->facts.helo = s->helo;
	s->facts.is_esmtp = command->verb == VERB_EHLO;
	if (!session_judge(s, STAGE_HELO, NULL, NULL, &reply)) {
		session_say_reply(s, &reply);
		return;
	}
	session_enter(s, EVENT_HELO);
	if (s->facts.is_esmtp)
		say_ehlo(s);
	else
		session_say(s, REPLY_HELO, s->facts.hostname);
}
