/* SPDX-License-Identifier: MPL-2.0 */
/* The commands without consequences: RSET, NOOP, VRFY, HELP, QUIT (RFC 5321 4.1.1.5
 * to 4.1.1.10). */
#include "proxy/session/session_private.h"

void
cmd_rset(struct session *s, const struct smtp_command *command)
{
	(void)command;
	transaction_end(s);
	session_say(s, REPLY_RSET, NULL);
}

void
cmd_noop(struct session *s, const struct smtp_command *command)
{
	(void)command;
	session_say(s, REPLY_NOOP, NULL);
}

/* RFC 5321 7.3: whether an address exists is not told here; RCPT relays the upstream's own
 * word. */
void
cmd_vrfy(struct session *s, const struct smtp_command *command)
{
	(void)command;
	session_say(s, REPLY_VRFY, NULL);
}

void
cmd_help(struct session *s, const struct smtp_command *command)
{
	(void)command;
	session_say(s, REPLY_HELP,
	    "HELO EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
}

void
cmd_quit(struct session *s, const struct smtp_command *command)
{
	(void)command;
	s->has_quit = s->in.len == 0;
	session_close(s, REPLY_QUIT, NULL, "quit");
}
