/* SPDX-License-Identifier: MPL-2.0 */
/* HELO and EHLO (RFC 5321 4.1.1.1): what we offer is what we and the upstream can both carry.
 */
#include "proxy/session/session_private.h"

#include <stdarg.h>

static uint64_t
lesser(uint64_t ours, uint64_t theirs)
{
	return theirs != 0 && theirs < ours ? theirs : ours;
}

/* offer - a line of the reply; false text: none. */
static void offer(struct buf *out, bool is_offered, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
offer(struct buf *out, bool is_offered, const char *fmt, ...)
{
	va_list ap;

	if (!is_offered)
		return;
	va_start(ap, fmt);
	const bool ok = buf_add_char(out, '\n') && buf_vprintf(out, fmt, ap);
	va_end(ap);
	if (!ok)
		BUG("the EHLO reply is too long");
}

static void
offer_limits(struct session *s, const struct smtp_ehlo *upstream, struct buf *out)
{
	const uint64_t rcpt_max =
	    lesser((uint64_t)s->snapshot->config->limits.recipients, upstream->rcpt_max);

	offer(out, true, "LIMITS RCPTMAX=%llu", (unsigned long long)lesser(999999, rcpt_max));
	if (upstream->rcpt_domain_max != 0 &&
	    !buf_printf(
		out, " RCPTDOMAINMAX=%llu", (unsigned long long)upstream->rcpt_domain_max))
		BUG("the EHLO reply is too long");
}

static const char *
xclient_attributes(const struct session *s)
{
	return s->listener->config->xclient_login
		   ? "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
		   : "NAME ADDR PORT PROTO HELO DESTADDR DESTPORT";
}

static void
say_ehlo(struct session *s)
{
	const struct rule_facts facts = session_rule_facts(s);
	struct smtp_ehlo upstream;
	struct buf out;
	char text[SMTP_REPLY_TEXT_MAX];

	/* A client of a submission goes on under TLS only, and says EHLO again there. */
	if (s->ssl != NULL || s->facts.role == ROLE_INBOUND)
		upstream_ask(s->service->upstream);
	upstream_features(s->service->upstream, &upstream);
	const uint64_t size =
	    lesser((uint64_t)s->snapshot->config->limits.message_octets, upstream.size_limit);
	buf_init(&out, sizeof(text) - 1);
	if (!buf_add_str(&out, s->facts.hostname))
		BUG("the EHLO reply is too long");
	offer(&out, true, "PIPELINING");
	offer(&out, true, "CHUNKING");
	offer(&out, true, "SIZE %llu", (unsigned long long)size);
	offer(&out, upstream.eightbitmime, "8BITMIME");
	offer(&out, upstream.eightbitmime && upstream.smtputf8, "SMTPUTF8");
	offer(&out, upstream.dsn, "DSN");
	offer(&out, upstream.requiretls && s->ssl != NULL, "REQUIRETLS");
	offer(&out, facts.tls_offered && !facts.tls_on, "STARTTLS");
	offer(&out, facts.auth_offered && !facts.authenticated, "AUTH %s",
	    client_certificate_mechanisms(s));
	offer_limits(s, &upstream, &out);
	offer(&out, true, "ENHANCEDSTATUSCODES");
	offer(&out, s->proxied_by != NULL, "XCLIENT %s", xclient_attributes(s));
	if (!view_copy(buf_view(&out), text, sizeof(text)))
		BUG("the EHLO reply is too long");
	buf_finish(&out);
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
	/* Not in the arena: a client may say it as often as it likes. What XCLIENT has told is
	 * the client's own word, this then the proxy's. */
	if (!view_copy(s->proxied_by != NULL && s->proxied_by->helo[0] != '\0'
			   ? view_of(s->proxied_by->helo)
			   : command->args,
		s->helo, sizeof(s->helo)))
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
