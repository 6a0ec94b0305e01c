/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tokens of RFC 5322 3.2. Two steps, each once over the input: first all octets are checked
 * (controls, folds, UTF-8), then tokens are cut, so that the second step can take CR and LF for
 * blanks and octets over 0x7f for letters.
 */
#include "lib/mail/addrlist_lex.h"

bool
atext_is(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c > 0x7f ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Length of the fold at the head of v (CRLF and a blank, on a line with more than blanks), or
 * 0. */
static size_t
fold_length(struct view v)
{
	if (v.len < 3 || v.p[1] != '\n' || (v.p[2] != ' ' && v.p[2] != '\t'))
		return 0;
	size_t i = 2;
	while (i < v.len && (v.p[i] == ' ' || v.p[i] == '\t'))
		i++;
	return i < v.len && v.p[i] != '\r' ? i : 0;
}

/* Length of the character at the head of v when it may stand in an address list, or 0. */
static size_t
octets_check(struct view v)
{
	uint32_t code = 0;

	if (v.p[0] == '\r')
		return fold_length(v);
	size_t len = utf8_decode(v, &code);
	if (code < 0x20 && code != '\t')
		return 0;
	if ((code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029)
		return 0;
	return len;
}

void
lexer_fail(struct lexer *l, enum addrlist_status status, size_t offset)
{
	if (l->kind == TOKEN_BAD)
		return;
	l->kind = TOKEN_BAD;
	l->status = status;
	l->offset = offset;
}

/* Skip the comment that begins at l->at. */
static bool
lexer_skip_comment(struct lexer *l)
{
	size_t start = l->at, depth = 0;

	for (; l->at < l->in.len; l->at++) {
		char c = l->in.p[l->at];

		if (c == '\\') {
			l->at++;
			if (l->at < l->in.len && l->in.p[l->at] == '\r')
				break;
		} else if (c == '(') {
			if (++depth > ADDRLIST_DEPTH_MAX) {
				lexer_fail(l, ADDRLIST_TOO_DEEP, l->at);
				return false;
			}
		} else if (c == ')' && --depth == 0) {
			l->at++;
			return true;
		}
	}
	lexer_fail(l, ADDRLIST_SYNTAX, start);
	return false;
}

static bool
lexer_skip_blanks(struct lexer *l)
{
	size_t start = l->at;

	while (l->at < l->in.len) {
		if (is_blank(l->in.p[l->at]))
			l->at++;
		else if (l->in.p[l->at] != '(')
			break;
		else if (!lexer_skip_comment(l))
			return false;
	}
	l->after_blanks = l->at > start;
	return true;
}

/* A quoted-string; l->at is at its first quote. */
static void
lexer_take_quoted(struct lexer *l)
{
	size_t i = l->at + 1;

	while (i < l->in.len && l->in.p[i] != '"') {
		if (l->in.p[i] == '\\') {
			i++;
			if (i >= l->in.len || l->in.p[i] == '\r')
				break;
		}
		i++;
	}
	if (i >= l->in.len || l->in.p[i] != '"') {
		lexer_fail(l, ADDRLIST_SYNTAX, l->at);
		return;
	}
	l->kind = TOKEN_QUOTED;
	l->text = view_make(l->in.p + l->at + 1, i - l->at - 1);
	l->at = i + 1;
}

/* An address literal: IPv4, or tag:address (RFC 5321 4.1.3); letters, digits, "." ":" "-" only.
 */
static void
lexer_take_literal(struct lexer *l)
{
	size_t i = l->at + 1;

	while (i < l->in.len && (ascii_is_alnum(l->in.p[i]) || l->in.p[i] == '.' ||
				    l->in.p[i] == ':' || l->in.p[i] == '-'))
		i++;
	if (i >= l->in.len || l->in.p[i] != ']' || i == l->at + 1) {
		lexer_fail(l, ADDRLIST_SYNTAX, l->at);
		return;
	}
	l->kind = TOKEN_LITERAL;
	l->text = view_make(l->in.p + l->at, i + 1 - l->at);
	l->at = i + 1;
}

static void
lexer_take_atom(struct lexer *l)
{
	size_t i = l->at;

	while (i < l->in.len && atext_is(l->in.p[i]))
		i++;
	if (i == l->at) {
		lexer_fail(l, ADDRLIST_SYNTAX, l->at);
		return;
	}
	l->kind = TOKEN_ATOM;
	l->text = view_make(l->in.p + l->at, i - l->at);
	l->at = i;
}

void
lexer_next(struct lexer *l)
{
	if (l->kind == TOKEN_BAD || !lexer_skip_blanks(l))
		return;
	l->offset = l->at;
	if (l->at == l->in.len) {
		l->kind = TOKEN_END;
		return;
	}
	char c = l->in.p[l->at];
	switch (c) {
	case '<':
	case '>':
	case '@':
	case ',':
	case ';':
	case ':':
	case '.':
		l->kind = TOKEN_SPECIAL;
		l->special = c;
		l->at++;
		break;
	case '"':
		lexer_take_quoted(l);
		break;
	case '[':
		lexer_take_literal(l);
		break;
	default:
		lexer_take_atom(l);
	}
}

void
lexer_init(struct lexer *l, struct view in)
{
	*l = (struct lexer){ .in = in, .status = ADDRLIST_OK };
	for (size_t i = 0; i < in.len;) {
		size_t len = octets_check(view_from(in, i));
		if (len == 0) {
			lexer_fail(l, ADDRLIST_SYNTAX, i);
			return;
		}
		i += len;
	}
	lexer_next(l);
}
