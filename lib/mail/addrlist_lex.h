/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The words of structured header fields (RFC 5322 3.2) for addrlist.c; nobody else includes
 * this. Blanks, folds and comments are skipped between tokens.
 */
#ifndef GATEPOST_MAIL_ADDRLIST_LEX_H
#define GATEPOST_MAIL_ADDRLIST_LEX_H

#include "lib/base/utf8.h"
#include "lib/mail/addrlist.h"

enum token_kind {
	TOKEN_END,
	TOKEN_ATOM,   /* text is the atom */
	TOKEN_QUOTED, /* text is what stands between the quotes, still with escapes and folds */
	TOKEN_LITERAL, /* text is a domain literal with its brackets */
	TOKEN_SPECIAL, /* special is one of < > @ , ; : . */
	TOKEN_BAD,     /* status says why */
};

struct lexer {
	struct view in; /* checked by lexer_init */
	size_t at;	/* behind the token */
	/* the token */
	enum token_kind kind;
	char special;
	struct view text;
	size_t offset;	   /* where it begins; where the trouble is, for TOKEN_BAD */
	bool after_blanks; /* blanks, a fold or a comment stand before it */
	enum addrlist_status status;
};

/* lexer_init - check all octets of in and read the first token. */
void lexer_init(struct lexer *l, struct view in);

/* lexer_next - go to the next token; END and BAD stay. */
void lexer_next(struct lexer *l);

/* lexer_fail - make the token a BAD one (unless it is one already). */
void lexer_fail(struct lexer *l, enum addrlist_status status, size_t offset);

static inline bool
lexer_is(const struct lexer *l, char special)
{
	return l->kind == TOKEN_SPECIAL && l->special == special;
}

static inline bool
lexer_is_word(const struct lexer *l)
{
	return l->kind == TOKEN_ATOM || l->kind == TOKEN_QUOTED;
}

/* atext_is - a character of an atom: RFC 5322 3.2.3, and all of UTF-8 beyond ASCII (RFC 6532).
 */
bool atext_is(char c);

#endif
