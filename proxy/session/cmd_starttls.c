/* SPDX-License-Identifier: MPL-2.0 */
/*
 * STARTTLS (RFC 3207): whatever the client sent in clear behind it is thrown away, and all that
 * it said before is forgotten (4.2), so that nothing injected in clear reaches the protected
 * session.
 */
#include "proxy/session/session_private.h"

#include "lib/base/log.h"

void
cmd_starttls(struct session *s, const struct smtp_command *command)
{
	(void)command;
	if (s->in.len > 0) {
		log_event(LEVEL_WARNING, "tls.injection", LOG_STR("id", s->facts.session_id),
		    LOG_STR("client", s->facts.client.text), LOG_U64("octets", s->in.len));
		buf_release(&s->in);
	}
	session_say(s, REPLY_STARTTLS, NULL);
	s->tls_next = true;
	s->facts.helo = "";
	s->facts.is_esmtp = false;
	xclient_forget(s);
	session_enter(s, EVENT_TLS);
}
