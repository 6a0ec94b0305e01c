/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading an Authentication-Results value by the grammar of RFC 8601 2.2. A little is forgiven
 * that is common: a semicolon at the end, properties without a type, values that hold
 * characters which should stand in quotes. Linear, without recursion.
 */
#include "lib/mail/authres_field.h"

struct reader {
	struct view in;
	size_t at;
	struct arena *arena;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_at_end(const struct reader *r)
{
	return r->at == r->in.len;
}

static bool
is_at(const struct reader *r, char c)
{
	return !is_at_end(r) && r->in.p[r->at] == c;
}

/* Behind the comment that begins here; false, and nothing skipped: it has no end. */
static bool
skip_comment(struct reader *r)
{
	const size_t start = r->at;
	size_t depth = 0;

	for (; !is_at_end(r); r->at++) {
		char c = r->in.p[r->at];

		if (c == '\\' && r->at + 1 < r->in.len)
			r->at++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0) {
			r->at++;
			return true;
		}
	}
	r->at = start;
	return false;
}

/* CFWS */
static bool
skip_blanks(struct reader *r)
{
	while (!is_at_end(r)) {
		if (is_blank(r->in.p[r->at]))
			r->at++;
		else if (r->in.p[r->at] != '(')
			break;
		else if (!skip_comment(r))
			return false;
	}
	return true;
}

/* The special c with CFWS around it. */
static bool
take(struct reader *r, char c)
{
	if (!skip_blanks(r) || !is_at(r, c))
		return false;
	r->at++;
	return skip_blanks(r);
}

static bool
is_keyword_char(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

/* A keyword in lower case; NULL: there is none. */
static const char *
take_keyword(struct reader *r)
{
	size_t start = r->at;

	while (!is_at_end(r) && is_keyword_char(r->in.p[r->at]))
		r->at++;
	if (r->at == start)
		return NULL;
	char *text = arena_strdup(r->arena, view_make(r->in.p + start, r->at - start));
	for (char *p = text; *p != '\0'; p++)
		*p = ascii_lower(*p);
	return text;
}

static bool
is_value_char(char c)
{
	return !is_blank(c) && c != '\0' && strchr("\"\\();", c) == NULL;
}

/* The quoted-string here, its content appended to *len octets at text. */
static bool
take_quoted(struct reader *r, char *text, size_t *len)
{
	for (r->at++; !is_at_end(r) && !is_at(r, '"'); r->at++) {
		if (is_at(r, '\\')) {
			r->at++;
			if (is_at_end(r))
				return false;
		} else if (is_at(r, '\r') || is_at(r, '\n')) {
			continue;
		}
		text[(*len)++] = r->in.p[r->at];
	}
	if (is_at_end(r))
		return false;
	r->at++;
	return true;
}

/* Tokens and quoted-strings without a blank between them ("a b"@example.com is one value). */
static const char *
take_value(struct reader *r)
{
	size_t start = r->at, len = 0;
	struct reader probe = *r;

	/* Once to know its length, once to take it: the arena gets no more than that. */
	while (!is_at_end(&probe) && probe.in.p[probe.at] != ';' &&
	       (is_value_char(probe.in.p[probe.at]) || probe.in.p[probe.at] == '"')) {
		if (!is_at(&probe, '"')) {
			probe.at++;
			continue;
		}
		for (probe.at++; !is_at_end(&probe) && !is_at(&probe, '"'); probe.at++)
			probe.at += is_at(&probe, '\\') && probe.at + 1 < probe.in.len;
		if (is_at_end(&probe))
			return NULL;
		probe.at++;
	}
	if (probe.at == start)
		return NULL;
	char *text = arena_alloc(r->arena, probe.at - start + 1);
	while (r->at < probe.at) {
		if (!is_at(r, '"'))
			text[len++] = r->in.p[r->at++];
		else if (!take_quoted(r, text, &len))
			return NULL;
	}
	return text;
}

/* "reason=value", "type.name=value" or "name=value". */
static bool
take_property(struct reader *r, struct authres_read_result *out)
{
	const char *type = "", *name = take_keyword(r), *value;

	if (name == NULL || !skip_blanks(r))
		return false;
	if (is_at(r, '.')) {
		type = name;
		if (!take(r, '.') || (name = take_keyword(r)) == NULL)
			return false;
	}
	if (!take(r, '=') || (value = take_value(r)) == NULL)
		return false;
	if (type[0] == '\0' && strcmp(name, "reason") == 0) {
		out->reason = value;
		return true;
	}
	if (out->property_count == AUTHRES_READ_MAX)
		return false;
	if (out->properties == NULL)
		out->properties =
		    arena_alloc(r->arena, AUTHRES_READ_MAX * sizeof(*out->properties));
	out->properties[out->property_count++] =
	    (struct authres_property){ .type = type, .name = name, .value = value };
	return true;
}

/* "method [/version] = result" and what follows, up to ";" or the end. */
static bool
take_result(struct reader *r, struct authres_read_result *out)
{
	*out = (struct authres_read_result){ .method = take_keyword(r) };
	if (out->method == NULL || !skip_blanks(r))
		return false;
	if (is_at(r, '/') && (!take(r, '/') || take_keyword(r) == NULL))
		return false;
	if (!take(r, '=') || (out->result = take_keyword(r)) == NULL)
		return false;
	while (skip_blanks(r) && !is_at_end(r) && !is_at(r, ';')) {
		if (!take_property(r, out))
			return false;
	}
	return is_at_end(r) || is_at(r, ';');
}

/* "none", alone. */
static bool
take_none(struct reader *r)
{
	struct reader probe = *r;

	if (!view_starts_nocase(view_from(r->in, r->at), VIEW("none")))
		return false;
	probe.at += 4;
	if (!skip_blanks(&probe) || !is_at_end(&probe))
		return false;
	*r = probe;
	return true;
}

static bool
take_id(struct reader *r, struct authres_reading *out)
{
	if (!skip_blanks(r) || (out->authserv_id = take_value(r)) == NULL || !skip_blanks(r))
		return false;
	if (strchr(out->authserv_id, '=') != NULL)
		return false; /* "spf=pass": there is none */
	if (is_at_end(r) || is_at(r, ';'))
		return true;
	return take_keyword(r) != NULL && skip_blanks(r); /* the version */
}

bool
authres_field_read(struct view value, struct arena *arena, struct authres_reading *out)
{
	struct reader r = { .in = value, .arena = arena };

	*out = (struct authres_reading){ .authserv_id = "" };
	if (!take_id(&r, out))
		return false;
	out->results = arena_alloc(arena, AUTHRES_READ_MAX * sizeof(*out->results));
	while (!is_at_end(&r)) {
		if (!take(&r, ';'))
			return false;
		if (is_at_end(&r) || (out->count == 0 && take_none(&r)))
			break;
		if (out->count == AUTHRES_READ_MAX ||
		    !take_result(&r, &out->results[out->count]))
			return false;
		out->count++;
	}
	return is_at_end(&r);
}

const char *
authres_read_property(const struct authres_read_result *r, const char *type, const char *name)
{
	for (size_t i = 0; i < r->property_count; i++) {
		if (strcmp(r->properties[i].type, type) == 0 &&
		    strcmp(r->properties[i].name, name) == 0)
			return r->properties[i].value;
	}
	return NULL;
}
