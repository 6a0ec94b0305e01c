/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writing an Authentication-Results value. Everything that a peer has chosen goes through one
 * of two functions: add_value (addresses, names: exact but for encoded octets) or add_text
 * (what people read: simplified). Neither lets an octet through that means something to a
 * reader of the field.
 */
#include "lib/mail/authres_field.h"

#include "lib/mail/domain_name.h"

#include <stdio.h>

#define LINE_COLUMNS 78
#define NAME_COLUMNS 24 /* "Authentication-Results: " */
#define TAB_COLUMNS  8
#define TEXT_MAX     200 /* octets of a reason or a comment */
#define KEYWORD_MAX  40	 /* octets of a property's type or name */

struct layout {
	struct buf *out;
	size_t column;
	bool ok;
};

/* RFC 2045 5.1 */
static bool
is_token_char(char c)
{
	return c > ' ' && c < 127 && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static bool
is_token(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		if (!is_token_char(v.p[i]))
			return false;
	}
	return v.len > 0;
}

static void
layout_raw(struct layout *l, struct view text)
{
	l->ok = l->ok && buf_add_view(l->out, text);
	l->column += text.len;
}

static void
layout_new_line(struct layout *l)
{
	l->ok = l->ok && buf_add_str(l->out, "\r\n\t");
	l->column = TAB_COLUMNS;
}

/* A piece that stays together, behind a blank or a fold. */
static void
layout_piece(struct layout *l, struct view text)
{
	if (l->column + 1 + text.len > LINE_COLUMNS)
		layout_new_line(l);
	else
		layout_raw(l, VIEW(" "));
	layout_raw(l, text);
}

/* RFC 8601 2.2: "Keyword" of RFC 5321, in lower case here. */
static bool
is_keyword(const char *text)
{
	size_t len = 0;

	for (; text[len] != '\0'; len++) {
		if (!ascii_is_alnum(text[len]) && text[len] != '-')
			return false;
	}
	return len > 0 && len <= KEYWORD_MAX && text[len - 1] != '-';
}

static bool
begins_pass(struct view v)
{
	return view_starts_nocase(v, VIEW("=pass"));
}

/* A value's octets, encoded. False: too long. */
static bool
value_encode(struct view value, struct buf *out)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		bool plain = c > ' ' && c < 127 && strchr("\"\\();%", c) == NULL &&
			     !begins_pass(view_from(value, i));

		if (!(plain ? buf_add_char(out, c)
			    : buf_printf(out, "%%%02X", (unsigned)(unsigned char)c)))
			return false;
	}
	return true;
}

/* RFC 5322 3.2.3 */
static bool
is_dot_atom(struct view v)
{
	struct view atom;

	while (view_split(&v, '.', &atom)) {
		if (atom.len == 0)
			return false;
		for (size_t i = 0; i < atom.len; i++) {
			if (!ascii_is_alnum(atom.p[i]) &&
			    strchr("!#$%&'*+-/=?^_`{|}~", atom.p[i]) == NULL)
				return false;
		}
	}
	return true;
}

/*
 * May it stand without quotes: a token; or an address, or its domain behind "@". Readers get
 * along with these; with quotes not all do.
 */
static bool
value_is_bare(struct view v)
{
	size_t at = view_find(v, '@');
	char domain[DOMAIN_NAME_MAX];

	if (at == v.len)
		return is_token(v);
	return (at == 0 || is_dot_atom(view_make(v.p, at))) &&
	       domain_to_ascii(view_from(v, at + 1), domain);
}

/* " type.name=value", or nothing when that cannot be written. */
static void
add_property(struct layout *l, const struct authres_property *p)
{
	struct buf value, piece;

	if (strcmp(p->type, AUTHRES_INTERNAL) == 0 || !is_keyword(p->type) ||
	    !is_keyword(p->name) || p->value == NULL || p->value[0] == '\0')
		return;
	buf_init(&value, AUTHRES_VALUE_MAX);
	buf_init(&piece, AUTHRES_VALUE_MAX + 2 * KEYWORD_MAX + 8);
	if (value_encode(view_of(p->value), &value)) {
		const char *quote = value_is_bare(buf_view(&value)) ? "" : "\"";

		l->ok = l->ok && buf_printf(&piece, "%s.%s=%s%.*s%s", p->type, p->name, quote,
				     VIEW_ARG(buf_view(&value)), quote);
		layout_piece(l, buf_view(&piece));
	}
	buf_finish(&value);
	buf_finish(&piece);
}

/* A reason or a comment: printable ASCII without what quotes, comments and results are made of.
 */
static void
text_simplify(const char *text, char out[TEXT_MAX + 1])
{
	static const char from[] = "\"\\();", to[] = "'/[],";
	size_t len = 0;

	for (; *text != '\0' && len < TEXT_MAX; text++) {
		const char *special = strchr(from, *text);
		char c = special != NULL ? to[special - from] : *text;

		if (c == '\t' || c == '\r' || c == '\n')
			c = ' ';
		else if (c < ' ' || c > 126)
			c = '?';
		else if (begins_pass(view_of(text)))
			c = ':';
		if (c != ' ' || (len > 0 && out[len - 1] != ' '))
			out[len++] = c;
	}
	while (len > 0 && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
}

static void
add_text(struct layout *l, const char *before, const char *text, const char *after)
{
	char simple[TEXT_MAX + 1], piece[TEXT_MAX + 32];

	if (text == NULL)
		return;
	text_simplify(text, simple);
	if (simple[0] == '\0')
		return;
	int len = snprintf(piece, sizeof(piece), "%s%s%s", before, simple, after);
	layout_piece(l, view_make(piece, (size_t)len));
}

static void
begin_result(struct layout *l, const char *method, const char *result)
{
	layout_raw(l, VIEW(";"));
	layout_new_line(l);
	layout_raw(l, view_of(method));
	layout_raw(l, VIEW("="));
	layout_raw(l, view_of(result));
}

static void
add_result(struct layout *l, const struct authres *r)
{
	begin_result(l, authres_method_name(r->method), authres_result_name(r->result));
	add_text(l, "(", r->comment, ")");
	add_text(l, "reason=\"", r->reason, "\"");
	for (size_t i = 0; i < r->property_count; i++)
		add_property(l, &r->properties[i]);
}

static void
add_login(struct layout *l, const struct authres_field *field)
{
	const struct authres_property login = { "smtp", "auth", field->login };

	begin_result(l, "auth", "pass");
	add_text(l, "(", field->mechanism, ")");
	add_property(l, &login);
}

bool
authres_field_write(const struct authres_field *field, struct buf *out)
{
	struct layout l = { .out = out, .column = NAME_COLUMNS, .ok = true };

	layout_raw(&l, view_of(field->authserv_id));
	if (field->login != NULL)
		add_login(&l, field);
	for (size_t i = 0; i < field->count; i++)
		add_result(&l, &field->results[i]);
	if (field->login == NULL && field->count == 0)
		layout_raw(&l, VIEW("; none"));
	return l.ok;
}
