/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Every reply of the server side's own, as rows of one table: what a client hears, in one
 * place. A text may hold "{}", where the one detail of the call goes.
 */
#ifndef GATEPOST_PROXY_SESSION_REPLIES_H
#define GATEPOST_PROXY_SESSION_REPLIES_H

#include "lib/smtp/command.h"
#include "lib/smtp/dot.h"
#include "lib/smtp/reply.h"
#include "proxy/session/rules.h"

enum reply_id {
	REPLY_GREETING,
	REPLY_HELO,
	REPLY_EHLO,
	REPLY_STARTTLS,
	REPLY_AUTH_OK,
	REPLY_AUTH_REFUSED,
	REPLY_AUTH_UNAVAILABLE,
	REPLY_AUTH_BLOCKED,
	REPLY_AUTH_CANCELLED,
	REPLY_AUTH_MECHANISM,
	REPLY_AUTH_ENCODING,
	REPLY_AUTH_CONTENT,
	REPLY_AUTH_FAILURES,
	REPLY_RSET,
	REPLY_NOOP,
	REPLY_VRFY,
	REPLY_HELP,
	REPLY_QUIT,
	REPLY_DATA,
	REPLY_CHUNK,
	REPLY_SEQUENCE,
	REPLY_NEED_TLS,
	REPLY_NEED_AUTH,
	REPLY_NOT_OFFERED,
	REPLY_REQUIRETLS_CLEAR,
	REPLY_XCLIENT,
	REPLY_XCLIENT_SYNTAX,
	REPLY_XCLIENT_LOGIN,
	REPLY_UNKNOWN,
	REPLY_NO_ARGUMENT,
	REPLY_ARGUMENT,
	REPLY_HELO_SYNTAX,
	REPLY_BDAT_SYNTAX,
	REPLY_SYNTAX_KEYWORD,
	REPLY_SYNTAX_PATH,
	REPLY_SYNTAX_LONG,
	REPLY_SYNTAX_UTF8,
	REPLY_SYNTAX_NULL,
	REPLY_SYNTAX_PARAM,
	REPLY_SYNTAX_PARAM_UNKNOWN,
	REPLY_SIZE,
	REPLY_RECIPIENTS,
	REPLY_LINE_LONG,
	REPLY_LINE_BARE_LF,
	REPLY_LINE_BARE_CR,
	REPLY_LINE_NUL,
	REPLY_CONTENT_BARE_LF,
	REPLY_CONTENT_BARE_CR,
	REPLY_CONTENT_NUL,
	REPLY_CONTENT_EARLY,
	REPLY_HEADER_SYNTAX,
	REPLY_HEADER_LARGE,
	REPLY_STORE,
	REPLY_DISCARDED,
	REPLY_EARLY_TALKER,
	REPLY_FOREIGN,
	REPLY_ERRORS,
	REPLY_COMMANDS,
	REPLY_TIMEOUT,
	REPLY_SHUTDOWN,
	REPLY_BUSY,
	REPLY_BUSY_ADDRESS,
	REPLY_BUSY_NETWORK,
	REPLY_COUNT,
};

/* reply_make - fill out from the table; detail may be NULL. */
void reply_make(enum reply_id id, const char *detail, struct smtp_reply *out);

/* What is said of a parse error of MAIL or RCPT, of a command that is not allowed now, and of
 * content that is no lines (DOT_BARE_LF, DOT_BARE_CR, DOT_NUL). */
enum reply_id reply_of_syntax(enum smtp_syntax syntax);
enum reply_id reply_of_verdict(enum rule_verdict verdict);
enum reply_id reply_of_dot(enum dot_status status);

#endif
