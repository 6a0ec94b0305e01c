/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Address lists: a loop over elements, each a mailbox or one end of a group. What begins an
 * element (words and dots) is a local part if "@" follows, a display name if "<" does, a
 * group's name if ":" does, and nothing else. Behind a mailbox only ",", the end of its group,
 * or the end may stand: this is what keeps "<a@b>c@d" and its many relatives out.
 */
#include "lib/mail/addrlist.h"

#include "lib/mail/addrlist_lex.h"
#include "lib/mail/domain_name.h"

struct parser {
	struct lexer lex;
	struct arena *arena;
	struct mailbox *list; /* in the arena */
	size_t count, room;
	bool is_in_group;
	/* The address under construction: local part and then domain, both unquoted and joined.
	 */
	char *scratch; /* in the arena, as long as the input */
	size_t scratch_len;
	bool is_unusual;
};

/* Words and dots in a row. */
struct words {
	size_t count;
	bool begins_with_word;
	bool is_dotted; /* word *("." word): fit for a local part */
};

static void
parser_fail(struct parser *p)
{
	lexer_fail(&p->lex, ADDRLIST_SYNTAX, p->lex.offset);
}

static void
scratch_add(struct parser *p, char c)
{
	p->scratch[p->scratch_len++] = c;
}

/* Take the present word into scratch, without quotes, escapes and line ends of folds. */
static void
scratch_add_word(struct parser *p)
{
	struct view text = p->lex.text;
	bool is_quoted = p->lex.kind == TOKEN_QUOTED;

	for (size_t i = 0; i < text.len; i++) {
		if (is_quoted && text.p[i] == '\\')
			i++; /* the lexer has seen that one follows */
		else if (text.p[i] == '\r' || text.p[i] == '\n')
			continue;
		scratch_add(p, text.p[i]);
	}
	if (is_quoted)
		p->is_unusual = true;
}

/*
 * Read words and dots, as far as they go, into scratch. Blanks within them, and behind them,
 * make an address unusual (for a display name that does not matter).
 */
static struct words
parser_take_words(struct parser *p)
{
	struct words w = { .is_dotted = true, .begins_with_word = lexer_is_word(&p->lex) };
	bool wants_word = true;

	p->scratch_len = 0;
	p->is_unusual = false;
	for (; lexer_is_word(&p->lex) || lexer_is(&p->lex, '.'); lexer_next(&p->lex)) {
		if (w.count++ > 0 && p->lex.after_blanks)
			p->is_unusual = true;
		if (lexer_is_word(&p->lex) != wants_word)
			w.is_dotted = false;
		wants_word = !wants_word;
		if (lexer_is_word(&p->lex))
			scratch_add_word(p);
		else
			scratch_add(p, '.');
	}
	if (w.count == 0 || wants_word)
		w.is_dotted = false;
	if (p->lex.after_blanks)
		p->is_unusual = true;
	return w;
}

/* Read a domain into scratch: a literal, or atoms with dots between. Blanks within are unusual.
 */
static bool
parser_take_domain(struct parser *p)
{
	struct lexer *l = &p->lex;

	if (l->after_blanks)
		p->is_unusual = true;
	if (l->kind == TOKEN_LITERAL) {
		for (size_t i = 0; i < l->text.len; i++)
			scratch_add(p, l->text.p[i]);
		lexer_next(l);
		return l->kind != TOKEN_BAD;
	}
	while (l->kind == TOKEN_ATOM) {
		scratch_add_word(p);
		lexer_next(l);
		if (!lexer_is(l, '.'))
			return l->kind != TOKEN_BAD;
		bool is_spaced = l->after_blanks;
		scratch_add(p, '.');
		lexer_next(l);
		if (is_spaced || l->after_blanks)
			p->is_unusual = true;
	}
	parser_fail(p);
	return false;
}

/* Code points that other software may drop, turn text around by, or map to ASCII. */
static bool
code_is_deceptive(uint32_t code)
{
	static const uint32_t ranges[][2] = {
		{ 0x00a0, 0x00a0 },   /* no-break space */
		{ 0x00ad, 0x00ad },   /* soft hyphen */
		{ 0x034f, 0x034f },   /* combining grapheme joiner */
		{ 0x037e, 0x037e },   /* Greek question mark: a semicolon */
		{ 0x061c, 0x061c },   /* Arabic letter mark */
		{ 0x115f, 0x1160 },   /* Hangul fillers */
		{ 0x1680, 0x1680 },   /* Ogham space */
		{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
		{ 0x180b, 0x180f },   /* Mongolian variation selectors */
		{ 0x1fef, 0x1fef },   /* Greek varia: a grave accent */
		{ 0x2000, 0x209f },   /* spaces, directions, dots, raised brackets */
		{ 0x2100, 0x214f },   /* letter-like symbols: a/c, K */
		{ 0x226e, 0x226f },   /* crossed-out < and > */
		{ 0x2460, 0x24ff },   /* enclosed letters and digits: (a), 1. */
		{ 0x2a74, 0x2a76 },   /* ::=, == */
		{ 0x3000, 0x3002 },   /* ideographic space, comma, full stop */
		{ 0x3164, 0x3164 },   /* Hangul filler */
		{ 0xfe00, 0xfe1f },   /* variation selectors, vertical punctuation */
		{ 0xfe30, 0xfe6f },   /* vertical and small punctuation */
		{ 0xfeff, 0xfeff },   /* zero-width no-break space */
		{ 0xff00, 0xff65 },   /* full-width ASCII, half-width punctuation */
		{ 0xffa0, 0xffa0 },   /* half-width Hangul filler */
		{ 0xfff0, 0xffff },   /* specials */
		{ 0x1f100, 0x1f12f }, /* enclosed letters and digits */
		{ 0xe0000, 0xe0fff }, /* tags, variation selectors */
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (code >= ranges[i][0] && code <= ranges[i][1])
			return true;
	}
	return false;
}

/* Is there something in it that looks like an encoded-word, "=?...?="? */
static bool
local_has_encoded_word(struct view local)
{
	bool is_open = false;

	for (size_t i = 0; i + 1 < local.len; i++) {
		if (local.p[i] == '=' && local.p[i + 1] == '?')
			is_open = true;
		else if (is_open && local.p[i] == '?' && local.p[i + 1] == '=')
			return true;
	}
	return false;
}

static bool
local_is_honest(struct view local)
{
	uint32_t code = 0;
	size_t len;

	for (size_t i = 0; i < local.len; i += len) {
		len = utf8_decode(view_from(local, i), &code);
		if (len == 0 || code_is_deceptive(code))
			return false;
	}
	return !local_has_encoded_word(local);
}

static bool
local_needs_quotes(struct view local)
{
	bool after_dot = true;

	for (size_t i = 0; i < local.len; i++) {
		bool is_dot = local.p[i] == '.';
		if (is_dot ? after_dot : !atext_is(local.p[i]))
			return true;
		after_dot = is_dot;
	}
	return after_dot;
}

static char *
address_make(struct arena *arena, struct view local, const char *domain)
{
	size_t domain_len = strlen(domain), n = 0;
	bool is_quoted = local_needs_quotes(local);
	char *text = arena_alloc(arena, 2 * local.len + domain_len + 4);

	if (is_quoted)
		text[n++] = '"';
	for (size_t i = 0; i < local.len; i++) {
		if (is_quoted && (local.p[i] == '"' || local.p[i] == '\\'))
			text[n++] = '\\';
		text[n++] = local.p[i];
	}
	if (is_quoted)
		text[n++] = '"';
	text[n++] = '@';
	memcpy(text + n, domain, domain_len + 1);
	return text;
}

/* Find the domain in scratch from offset from on; false: it is none. */
static bool
scratch_domain(const struct parser *p, size_t from, char out[DOMAIN_NAME_MAX])
{
	struct view text = view_make(p->scratch + from, p->scratch_len - from);

	if (text.p[0] == '[')
		return view_copy(text, out, DOMAIN_NAME_MAX);
	return domain_to_ascii(text, out);
}

static void
parser_add_mailbox(struct parser *p, size_t local_len)
{
	struct view local = view_make(p->scratch, local_len);
	char domain[DOMAIN_NAME_MAX];

	if (!local_is_honest(local) || !scratch_domain(p, local_len, domain)) {
		parser_fail(p);
		return;
	}
	if (p->count == ADDRLIST_MAX) {
		lexer_fail(&p->lex, ADDRLIST_TOO_MANY, p->lex.offset);
		return;
	}
	if (p->count == p->room) {
		size_t room = p->room > 0 ? 2 * p->room : 4;
		struct mailbox *list = arena_alloc(p->arena, room * sizeof(*list));
		if (p->count > 0)
			memcpy(list, p->list, p->count * sizeof(*list));
		p->list = list;
		p->room = room;
	}
	struct mailbox *m = &p->list[p->count++];
	m->local = arena_strdup(p->arena, local);
	m->domain = arena_strdup(p->arena, view_of(domain));
	m->address = address_make(p->arena, local, m->domain);
	m->is_unusual = p->is_unusual;
}

/* Behind a local part, at "@": read the domain and add the mailbox. */
static void
parser_take_at_domain(struct parser *p)
{
	size_t local_len = p->scratch_len, offset = p->lex.offset;

	lexer_next(&p->lex);
	if (!parser_take_domain(p))
		return;
	size_t before = p->count;
	parser_add_mailbox(p, local_len);
	if (p->count == before)
		p->lex.offset = offset;
}

/* obs-route of RFC 5322 4.4, "@a,@b:": checked, and dropped. */
static void
parser_skip_route(struct parser *p)
{
	char domain[DOMAIN_NAME_MAX];

	while (lexer_is(&p->lex, '@') || lexer_is(&p->lex, ',')) {
		bool is_comma = lexer_is(&p->lex, ',');

		lexer_next(&p->lex);
		if (is_comma)
			continue;
		p->scratch_len = 0;
		if (!parser_take_domain(p))
			return;
		if (!scratch_domain(p, 0, domain)) {
			parser_fail(p);
			return;
		}
		if (!lexer_is(&p->lex, ',') && !lexer_is(&p->lex, ':'))
			parser_fail(p);
	}
	if (!lexer_is(&p->lex, ':'))
		parser_fail(p);
	else
		lexer_next(&p->lex);
}

/* From "<" to ">". */
static void
parser_take_angle(struct parser *p)
{
	lexer_next(&p->lex);
	bool has_route = lexer_is(&p->lex, '@');
	bool is_spaced = p->lex.after_blanks;
	if (has_route)
		parser_skip_route(p);

	struct words w = parser_take_words(p);
	if (!w.is_dotted || !lexer_is(&p->lex, '@')) {
		parser_fail(p);
		return;
	}
	if (has_route || is_spaced)
		p->is_unusual = true;
	parser_take_at_domain(p);
	if (!lexer_is(&p->lex, '>')) {
		parser_fail(p);
		return;
	}
	if (p->lex.after_blanks)
		p->list[p->count - 1].is_unusual = true;
	lexer_next(&p->lex);
}

/* A mailbox, or the beginning of a group. */
static void
parser_take_element(struct parser *p)
{
	struct words w = parser_take_words(p);

	if (lexer_is(&p->lex, ':') && w.begins_with_word && !p->is_in_group) {
		p->is_in_group = true;
		lexer_next(&p->lex);
		return;
	}
	if (lexer_is(&p->lex, '@') && w.is_dotted)
		parser_take_at_domain(p);
	else if (lexer_is(&p->lex, '<') && (w.count == 0 || w.begins_with_word))
		parser_take_angle(p);
	else
		parser_fail(p);
	if (p->lex.kind != TOKEN_END && !lexer_is(&p->lex, ',') && !lexer_is(&p->lex, ';'))
		parser_fail(p);
}

/* The ";" of a group: only a comma or the end may follow. */
static void
parser_end_group(struct parser *p)
{
	if (!p->is_in_group) {
		parser_fail(p);
		return;
	}
	p->is_in_group = false;
	lexer_next(&p->lex);
	if (p->lex.kind != TOKEN_END && !lexer_is(&p->lex, ','))
		parser_fail(p);
}

static void
parser_take_list(struct parser *p)
{
	while (p->lex.kind != TOKEN_END && p->lex.kind != TOKEN_BAD) {
		if (lexer_is(&p->lex, ','))
			lexer_next(&p->lex);
		else if (lexer_is(&p->lex, ';'))
			parser_end_group(p);
		else
			parser_take_element(p);
	}
	if (p->is_in_group)
		parser_fail(p);
}

enum addrlist_status
addrlist_parse(struct view value, struct arena *arena, struct mailbox **list_out,
    size_t *count_out, size_t *offset_out)
{
	struct parser p = { .arena = arena };

	*list_out = NULL;
	*count_out = 0;
	*offset_out = 0;
	lexer_init(&p.lex, value);
	if (p.lex.kind != TOKEN_BAD)
		p.scratch = arena_alloc(arena, value.len + 1);
	parser_take_list(&p);
	if (p.lex.kind == TOKEN_BAD) {
		*offset_out = p.lex.offset;
		return p.lex.status;
	}
	*list_out = p.list;
	*count_out = p.count;
	return p.count > 0 ? ADDRLIST_OK : ADDRLIST_EMPTY;
}

const char *
addrlist_status_text(enum addrlist_status status)
{
	switch (status) {
	case ADDRLIST_OK:
		return "is an address list";
	case ADDRLIST_EMPTY:
		return "has no address in it";
	case ADDRLIST_SYNTAX:
		return "is not a valid address list";
	case ADDRLIST_TOO_MANY:
		return "has too many addresses";
	case ADDRLIST_TOO_DEEP:
		return "has comments nested too deeply";
	}
	return "is not a valid address list";
}
