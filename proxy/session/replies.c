/* SPDX-License-Identifier: MPL-2.0 */
/* The table of our own replies; see replies.h. Each says what is wrong and what to do about it.
 */
#include "proxy/session/replies.h"

static const struct {
	int code;
	const char *enhanced, *text;
} replies[REPLY_COUNT] = {
	[REPLY_GREETING] = { 220, "", "{} ESMTP Gatepost" },
	[REPLY_HELO] = { 250, "", "{}" },
	[REPLY_EHLO] = { 250, "", "{}" },
	[REPLY_STARTTLS] = { 220, "2.0.0", "Ready to start TLS" },
	[REPLY_AUTH_OK] = { 235, "2.7.0", "Authentication succeeded" },
	[REPLY_AUTH_REFUSED] = { 535, "5.7.8",
	    "Authentication failed: check login and password" },
	[REPLY_AUTH_UNAVAILABLE] = { 454, "4.7.0",
	    "Authentication is not possible right now, try again later" },
	[REPLY_AUTH_BLOCKED] = { 454, "4.7.0", "Too many failed logins, try again later" },
	[REPLY_AUTH_CANCELLED] = { 501, "5.7.0", "Authentication cancelled" },
	[REPLY_AUTH_MECHANISM] = { 504, "5.5.4", "Mechanism is not supported, use one of: {}" },
	[REPLY_AUTH_ENCODING] = { 501, "5.5.2", "Response is not valid base64" },
	[REPLY_AUTH_CONTENT] = { 501, "5.5.2", "Response is not of the mechanism's form" },
	[REPLY_AUTH_FAILURES] = { 421, "4.7.0", "Too many failed authentications, closing" },
	[REPLY_RSET] = { 250, "2.0.0", "Ok" },
	[REPLY_NOOP] = { 250, "2.0.0", "Ok" },
	[REPLY_VRFY] = { 252, "2.5.2",
	    "Cannot verify an address, but will try to deliver to it" },
	[REPLY_HELP] = { 214, "2.0.0", "Commands: {}" },
	[REPLY_QUIT] = { 221, "2.0.0", "Bye" },
	[REPLY_DATA] = { 354, "", "End the message with <CRLF>.<CRLF>" },
	[REPLY_CHUNK] = { 250, "2.0.0", "Ok: {} octets so far" },
	[REPLY_SEQUENCE] = { 503, "5.5.1", "{} is out of sequence" },
	[REPLY_NEED_TLS] = { 530, "5.7.0", "Must issue STARTTLS first" },
	[REPLY_NEED_AUTH] = { 530, "5.7.0", "Authentication required" },
	[REPLY_NOT_OFFERED] = { 502, "5.5.1", "{} is not available here" },
	[REPLY_REQUIRETLS_CLEAR] = { 530, "5.7.10",
	    "REQUIRETLS is not to be had in clear: issue STARTTLS first" },
	[REPLY_XCLIENT] = { 550, "5.7.0", "{} is not accepted from your address" },
	[REPLY_XCLIENT_SYNTAX] = { 501, "5.5.4", "Bad XCLIENT attribute or value: {}" },
	[REPLY_XCLIENT_LOGIN] = { 550, "5.7.0",
	    "The LOGIN of XCLIENT is not trusted here, or nobody's, closing" },
	[REPLY_UNKNOWN] = { 500, "5.5.2", "Command not recognized" },
	[REPLY_NO_ARGUMENT] = { 501, "5.5.4", "{} takes no argument" },
	[REPLY_ARGUMENT] = { 501, "5.5.4", "{} needs an argument" },
	[REPLY_HELO_SYNTAX] = { 501, "5.5.4", "{} needs a domain name or an address literal" },
	[REPLY_BDAT_SYNTAX] = { 501, "5.5.4",
	    "Write BDAT with a size in octets, and LAST with the last chunk, closing" },
	[REPLY_SYNTAX_KEYWORD] = { 501, "5.5.4", "Syntax: {}" },
	[REPLY_SYNTAX_PATH] = { 501, "5.1.3",
	    "Address is not valid: write <local-part@domain>" },
	[REPLY_SYNTAX_LONG] = { 501, "5.1.3",
	    "Address is too long: 64 octets of local part, 255 of domain at most" },
	[REPLY_SYNTAX_UTF8] = { 553, "5.6.7",
	    "Address has characters beyond ASCII: they need SMTPUTF8, and must be UTF-8" },
	[REPLY_SYNTAX_NULL] = { 501, "5.1.3", "A recipient cannot be <>" },
	[REPLY_SYNTAX_PARAM] = { 501, "5.5.4", "A parameter is malformed or given twice" },
	[REPLY_SYNTAX_PARAM_UNKNOWN] = { 555, "5.5.4", "A parameter is not supported" },
	[REPLY_SIZE] = { 552, "5.3.4", "Message is larger than {} octets" },
	[REPLY_RECIPIENTS] = { 452, "4.5.3",
	    "Too many recipients: send the rest in another message" },
	[REPLY_LINE_LONG] = { 500, "5.5.2", "Line is too long, closing" },
	[REPLY_LINE_BARE_LF] = { 500, "5.5.2", "Line ends in LF without CR, closing" },
	[REPLY_LINE_BARE_CR] = { 500, "5.5.2", "Line holds a CR without LF, closing" },
	[REPLY_LINE_NUL] = { 500, "5.5.2", "Line holds a NUL, closing" },
	[REPLY_CONTENT_BARE_LF] = { 550, "5.6.0",
	    "Message refused: a line ends in LF without CR (RFC 5321 2.3.8), closing" },
	[REPLY_CONTENT_BARE_CR] = { 550, "5.6.0",
	    "Message refused: it holds a CR without LF (RFC 5321 2.3.8), closing" },
	[REPLY_CONTENT_NUL] = { 550, "5.6.0",
	    "Message refused: it holds a NUL octet, closing" },
	[REPLY_CONTENT_EARLY] = { 503, "5.5.0",
	    "Content was sent before the 354 reply to DATA, closing" },
	[REPLY_HEADER_SYNTAX] = { 554, "5.6.0", "Message header is malformed at line {}" },
	[REPLY_HEADER_LARGE] = { 552, "5.3.4", "Message header is too large" },
	[REPLY_STORE] = { 452, "4.3.1", "Message cannot be stored right now, try again later" },
	[REPLY_DISCARDED] = { 250, "2.0.0", "Ok: discarded" },
	[REPLY_EARLY_TALKER] = { 554, "5.5.0",
	    "Wait for the greeting before you speak, closing" },
	[REPLY_FOREIGN] = { 554, "5.5.0", "This is an SMTP server, closing" },
	[REPLY_ERRORS] = { 421, "4.7.0", "Too many errors, closing" },
	[REPLY_COMMANDS] = { 421, "4.7.0", "Too many commands without a message, closing" },
	[REPLY_TIMEOUT] = { 421, "4.4.2", "{} timeout exceeded, closing" },
	[REPLY_SHUTDOWN] = { 421, "4.3.2", "{} is shutting down, try again in a moment" },
	[REPLY_BUSY] = { 421, "4.3.2", "{} has too many connections, try again later" },
	[REPLY_BUSY_ADDRESS] = { 421, "4.7.0",
	    "{} has too many connections from your address, try again later" },
	[REPLY_BUSY_NETWORK] = { 421, "4.7.0",
	    "{} has too many connections from your network, try again later" },
};

void
reply_make(enum reply_id id, const char *detail, struct smtp_reply *out)
{
	const char *text = replies[id].text;
	const char *gap = strstr(text, "{}");

	if (gap == NULL)
		smtp_reply_set(out, replies[id].code, replies[id].enhanced, "%s", text);
	else
		smtp_reply_set(out, replies[id].code, replies[id].enhanced, "%.*s%s%s",
		    (int)(gap - text), text, detail != NULL ? detail : "", gap + 2);
}

enum reply_id
reply_of_syntax(enum smtp_syntax syntax)
{
	switch (syntax) {
	case SMTP_SYNTAX_KEYWORD:
		return REPLY_SYNTAX_KEYWORD;
	case SMTP_SYNTAX_LONG:
		return REPLY_SYNTAX_LONG;
	case SMTP_SYNTAX_UTF8:
		return REPLY_SYNTAX_UTF8;
	case SMTP_SYNTAX_NULL:
		return REPLY_SYNTAX_NULL;
	case SMTP_SYNTAX_PARAM:
		return REPLY_SYNTAX_PARAM;
	case SMTP_SYNTAX_PARAM_UNKNOWN:
		return REPLY_SYNTAX_PARAM_UNKNOWN;
	case SMTP_SYNTAX_PATH:
	case SMTP_SYNTAX_OK:
		break;
	}
	return REPLY_SYNTAX_PATH;
}

enum reply_id
reply_of_verdict(enum rule_verdict verdict)
{
	switch (verdict) {
	case RULE_NEED_TLS:
		return REPLY_NEED_TLS;
	case RULE_NEED_AUTH:
		return REPLY_NEED_AUTH;
	case RULE_NOT_OFFERED:
		return REPLY_NOT_OFFERED;
	case RULE_NOT_ALLOWED:
		return REPLY_XCLIENT;
	case RULE_UNKNOWN:
		return REPLY_UNKNOWN;
	case RULE_NO_ARGUMENT:
		return REPLY_NO_ARGUMENT;
	case RULE_ARGUMENT:
		return REPLY_ARGUMENT;
	case RULE_GO:
	case RULE_SEQUENCE:
		break;
	}
	return REPLY_SEQUENCE;
}

enum reply_id
reply_of_dot(enum dot_status status)
{
	switch (status) {
	case DOT_BARE_LF:
		return REPLY_CONTENT_BARE_LF;
	case DOT_BARE_CR:
		return REPLY_CONTENT_BARE_CR;
	case DOT_NUL:
		return REPLY_CONTENT_NUL;
	case DOT_MORE:
	case DOT_END:
		break;
	}
	BUG("no reply to content of status %d", (int)status);
}
