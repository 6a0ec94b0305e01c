/* SPDX-License-Identifier: MPL-2.0 */
/* Verbs, and the arguments of MAIL and RCPT; paths are in path.c, parameters in params.c. */
#include "lib/base/utf8.h"
#include "lib/smtp/path_private.h"

#define BDAT_DIGITS_MAX 20

static const char *const verb_names[] = {
	[VERB_HELO] = "HELO",
	[VERB_EHLO] = "EHLO",
	[VERB_STARTTLS] = "STARTTLS",
	[VERB_AUTH] = "AUTH",
	[VERB_MAIL] = "MAIL",
	[VERB_RCPT] = "RCPT",
	[VERB_DATA] = "DATA",
	[VERB_BDAT] = "BDAT",
	[VERB_RSET] = "RSET",
	[VERB_NOOP] = "NOOP",
	[VERB_VRFY] = "VRFY",
	[VERB_HELP] = "HELP",
	[VERB_QUIT] = "QUIT",
	[VERB_XCLIENT] = "XCLIENT",
	[VERB_UNKNOWN] = "?",
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static enum smtp_verb
verb_of(struct view word)
{
	size_t verb = 0;

	while (verb < VERB_UNKNOWN && !view_eq_nocase(word, view_of(verb_names[verb])))
		verb++;
	return (enum smtp_verb)verb;
}

struct smtp_command
smtp_command_parse(struct view line)
{
	while (line.len > 0 && is_blank(line.p[line.len - 1]))
		line.len--;

	struct view word = view_make(line.p, view_find(line, ' '));
	return (struct smtp_command){
		.verb = verb_of(word),
		.word = word,
		.args = view_from(line, word.len + 1),
	};
}

const char *
smtp_verb_name(enum smtp_verb verb)
{
	return verb_names[verb <= VERB_UNKNOWN ? verb : VERB_UNKNOWN];
}

bool
smtp_line_is_foreign(struct view line)
{
	static const char *const http_verbs[] = { "GET", "POST", "HEAD", "PUT", "DELETE",
		"CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI" };
	struct view word = view_make(line.p, view_find(line, ' '));

	for (size_t i = 0; i < ARRAY_LEN(http_verbs); i++) {
		if (view_eq_nocase(word, view_of(http_verbs[i])))
			return true;
	}
	return view_starts(line, VIEW("\x16\x03")); /* a TLS handshake record, RFC 8446 5.1 */
}

/* ---- MAIL and RCPT ---- */

/* explained - what octets over 0x7f have to do with an error, if there are any. */
static enum smtp_syntax
explained(enum smtp_syntax syntax, struct view args)
{
	const bool is_form = syntax == SMTP_SYNTAX_PATH || syntax == SMTP_SYNTAX_PARAM;

	return is_form && !utf8_is_ascii(args) ? SMTP_SYNTAX_UTF8 : syntax;
}

static enum smtp_syntax
path_behind(struct view keyword, struct view *rest, struct smtp_path *out)
{
	if (!view_starts_nocase(*rest, keyword))
		return SMTP_SYNTAX_KEYWORD;
	*rest = view_from(*rest, keyword.len);
	while (rest->len > 0 && rest->p[0] == ' ')
		*rest = view_from(*rest, 1);
	return smtp_path_scan(rest, out);
}

enum smtp_syntax
smtp_mail_parse(struct view args, struct smtp_mail *out)
{
	*out = (struct smtp_mail){ .path = { .local = VIEW(""), .domain = VIEW("") },
		.auth = VIEW(""),
		.envid = VIEW("") };
	const struct view all = args;
	enum smtp_syntax syntax = path_behind(VIEW("FROM:"), &args, &out->path);
	if (syntax == SMTP_SYNTAX_OK && !out->path.is_null && out->path.domain.len == 0)
		return SMTP_SYNTAX_PATH; /* <postmaster> is a forward-path only */
	if (syntax == SMTP_SYNTAX_OK)
		syntax = smtp_mail_params(args, out);
	if (syntax == SMTP_SYNTAX_OK && !out->smtputf8 && !smtp_path_is_ascii(&out->path))
		return SMTP_SYNTAX_UTF8;
	return explained(syntax, all);
}

enum smtp_syntax
smtp_rcpt_parse(
    struct view args, bool smtputf8, struct smtp_path *out, struct smtp_dsn *dsn_out)
{
	*out = (struct smtp_path){ .local = VIEW(""), .domain = VIEW("") };
	*dsn_out = (struct smtp_dsn){ .orcpt = VIEW("") };
	const struct view all = args;
	enum smtp_syntax syntax = path_behind(VIEW("TO:"), &args, out);
	if (syntax == SMTP_SYNTAX_OK && out->is_null)
		return SMTP_SYNTAX_NULL;
	if (syntax == SMTP_SYNTAX_OK && !smtputf8 && !smtp_path_is_ascii(out))
		return SMTP_SYNTAX_UTF8;
	if (syntax == SMTP_SYNTAX_OK)
		syntax = smtp_rcpt_params(args, smtputf8, dsn_out);
	return explained(syntax, all);
}

bool
smtp_bdat_parse(struct view args, uint64_t *size_out, bool *is_last_out)
{
	const size_t digits = view_find(args, ' ');
	const struct view last = view_from(args, digits + 1);

	*is_last_out = digits < args.len;
	return digits <= BDAT_DIGITS_MAX && view_to_u64(view_make(args.p, digits), size_out) &&
	       *size_out <= INT64_MAX && (!*is_last_out || view_eq_nocase(last, VIEW("LAST")));
}
