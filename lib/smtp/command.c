/* SPDX-License-Identifier: MPL-2.0 */
/* Verbs, and the arguments of MAIL and RCPT with their parameters; the paths are in path.c. */
#include "lib/smtp/path_private.h"

#define SIZE_DIGITS_MAX 20 /* RFC 1870 4 */

static const char *const verb_names[] = {
	[VERB_HELO] = "HELO",
	[VERB_EHLO] = "EHLO",
	[VERB_STARTTLS] = "STARTTLS",
	[VERB_AUTH] = "AUTH",
	[VERB_MAIL] = "MAIL",
	[VERB_RCPT] = "RCPT",
	[VERB_DATA] = "DATA",
	[VERB_RSET] = "RSET",
	[VERB_NOOP] = "NOOP",
	[VERB_VRFY] = "VRFY",
	[VERB_HELP] = "HELP",
	[VERB_QUIT] = "QUIT",
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

/* ---- parameters (RFC 5321 4.1.2: esmtp-param) ---- */

struct param {
	struct view key;
	struct view value; /* empty when there is none: "KEY=" is malformed */
};

static bool
is_value_char(char c)
{
	return c > ' ' && c <= '~' && c != '=';
}

/* Cut " KEY[=VALUE]" off *rest; false when there is something else. */
static bool
param_next(struct view *rest, struct param *out)
{
	size_t start = 0, end;

	while (start < rest->len && rest->p[start] == ' ')
		start++;
	for (end = start; end < rest->len; end++) {
		char c = rest->p[end];
		if (!ascii_is_alnum(c) && (c != '-' || end == start))
			break;
	}
	if (start == 0 || end == start)
		return false;
	out->key = view_make(rest->p + start, end - start);
	*rest = view_from(*rest, end);

	bool has_value = rest->len > 0 && rest->p[0] == '=';
	if (has_value)
		*rest = view_from(*rest, 1);
	for (end = 0; has_value && end < rest->len && is_value_char(rest->p[end]);)
		end++;
	out->value = view_make(rest->p, end);
	*rest = view_from(*rest, end);
	return has_value == (end > 0) && (rest->len == 0 || rest->p[0] == ' ');
}

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* xtext (RFC 3461 4) of printable ASCII: no way to bring a line end or a NUL along. */
static bool
is_xtext(struct view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] != '+')
			continue;
		if (text.len - i < 3)
			return false;
		int high = hex_value(text.p[i + 1]), low = hex_value(text.p[i + 2]);
		if (high < 0 || low < 0 || high * 16 + low < ' ' || high * 16 + low > '~')
			return false;
		i += 2;
	}
	return text.len > 0;
}

static bool
mail_size(struct view value, struct smtp_mail *out)
{
	if (out->has_size || value.len > SIZE_DIGITS_MAX || !view_to_u64(value, &out->size))
		return false;
	out->has_size = true;
	return true;
}

static bool
mail_body(struct view value, struct smtp_mail *out)
{
	if (out->body != SMTP_BODY_UNSET)
		return false;
	if (view_eq_nocase(value, VIEW("7BIT")))
		out->body = SMTP_BODY_7BIT;
	else if (view_eq_nocase(value, VIEW("8BITMIME")))
		out->body = SMTP_BODY_8BITMIME;
	return out->body != SMTP_BODY_UNSET;
}

static bool
mail_auth(struct view value, struct smtp_mail *out)
{
	if (out->has_auth || !is_xtext(value))
		return false;
	out->has_auth = true;
	return true;
}

static enum smtp_syntax
mail_param(const struct param *param, struct smtp_mail *out)
{
	static const struct {
		struct view key;
		bool (*take)(struct view value, struct smtp_mail *out);
	} known[] = {
		{ { "SIZE", 4 }, mail_size },
		{ { "BODY", 4 }, mail_body },
		{ { "AUTH", 4 }, mail_auth },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (view_eq_nocase(param->key, known[i].key))
			return known[i].take(param->value, out) ? SMTP_SYNTAX_OK
								: SMTP_SYNTAX_PARAM;
	}
	return SMTP_SYNTAX_PARAM_UNKNOWN;
}

/* ---- MAIL and RCPT ---- */

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
	struct param param;

	*out = (struct smtp_mail){ .path = { .local = VIEW(""), .domain = VIEW("") } };
	enum smtp_syntax syntax = path_behind(VIEW("FROM:"), &args, &out->path);
	if (syntax == SMTP_SYNTAX_OK && !out->path.is_null && out->path.domain.len == 0)
		return SMTP_SYNTAX_PATH; /* <postmaster> is a forward-path only */
	while (syntax == SMTP_SYNTAX_OK && args.len > 0)
		syntax =
		    param_next(&args, &param) ? mail_param(&param, out) : SMTP_SYNTAX_PARAM;
	return syntax;
}

enum smtp_syntax
smtp_rcpt_parse(struct view args, struct smtp_path *out)
{
	struct param param;

	*out = (struct smtp_path){ .local = VIEW(""), .domain = VIEW("") };
	enum smtp_syntax syntax = path_behind(VIEW("TO:"), &args, out);
	if (syntax != SMTP_SYNTAX_OK)
		return syntax;
	if (out->is_null)
		return SMTP_SYNTAX_NULL;
	if (args.len == 0)
		return SMTP_SYNTAX_OK;
	return param_next(&args, &param) ? SMTP_SYNTAX_PARAM_UNKNOWN : SMTP_SYNTAX_PARAM;
}
