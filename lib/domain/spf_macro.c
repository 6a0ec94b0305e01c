/* SPDX-License-Identifier: MPL-2.0 */
/* Macro-strings of SPF: see spf_macro.h. */
#include "lib/domain/spf_macro.h"

#include "lib/net/address.h"

#include <inttypes.h>
#include <stdio.h>

#define NIBBLES_MAX 64	/* "1.0.0. ... .2" of an IPv6 address, with NUL */
#define PARTS_MAX   256 /* of a value that is split: a name has no more */
#define VALUE_MAX   640 /* octets of "local@domain"; a longer one is cut */

struct macro {
	char letter;	 /* lower case */
	bool is_escaped; /* it was upper case: URL escapes (RFC 7208 7.3) */
	bool is_reversed;
	size_t keep; /* parts on the right; 0: all */
	struct view delimiters;
};

/* The text between "%{" and "}". False: not of the grammar. */
static bool
macro_parse(struct view s, struct macro *out)
{
	static const char letters[] = "slodipvhcrt";
	size_t i = 1;

	if (s.len == 0)
		return false;
	*out = (struct macro){ .letter = ascii_lower(s.p[0]) };
	out->is_escaped = out->letter != s.p[0];
	if (memchr(letters, out->letter, sizeof(letters) - 1) == NULL)
		return false;
	for (; i < s.len && ascii_is_digit(s.p[i]); i++) {
		if (out->keep < PARTS_MAX)
			out->keep = out->keep * 10 + (size_t)(s.p[i] - '0');
	}
	if (i > 1 && out->keep == 0)
		return false;
	if (i < s.len && ascii_lower(s.p[i]) == 'r') {
		out->is_reversed = true;
		i++;
	}
	out->delimiters = view_from(s, i);
	for (; i < s.len; i++) {
		if (memchr(".-+,/_=", s.p[i], 7) == NULL)
			return false;
	}
	return true;
}

/*
 * Cut one piece off the front of *rest, which is not empty: a macro "%{...}", one of "%%",
 * "%_",
 * "%-", or a run of literals. False: the grammar has no such piece.
 */
static bool
take_piece(struct view *rest, struct view *piece)
{
	size_t len = view_find(*rest, '%');

	if (len == 0) {
		if (rest->len < 2)
			return false;
		len = rest->p[1] == '{' ? view_find(*rest, '}') + 1 : 2;
		if (len > rest->len || memchr("{%_-", rest->p[1], 4) == NULL)
			return false;
	}
	*piece = view_make(rest->p, len);
	*rest = view_from(*rest, len);
	return true;
}

static bool
piece_is_macro(struct view piece)
{
	return piece.len > 2 && piece.p[0] == '%' && piece.p[1] == '{';
}

static struct view
macro_inside(struct view piece)
{
	return view_make(piece.p + 2, piece.len - 3);
}

const char *
spf_macro_check(struct view s, enum spf_macro_place place)
{
	const char first = place == SPF_IN_EXPLANATION ? ' ' : '!';
	struct view piece;
	struct macro macro;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < first || s.p[i] > '~')
			return "an octet that no macro-string may hold";
	}
	while (s.len > 0) {
		if (!take_piece(&s, &piece))
			return "\"%\" does not begin a macro";
		if (!piece_is_macro(piece))
			continue;
		if (!macro_parse(macro_inside(piece), &macro))
			return "there is no such macro";
		if (place == SPF_IN_RECORD && memchr("crt", macro.letter, 3) != NULL)
			return "a macro that is for explanations only";
	}
	return NULL;
}

/* toplabel: letters, digits and inner hyphens; not digits alone. */
static bool
is_top_label(struct view s)
{
	bool is_number = true;

	if (s.len == 0 || s.p[0] == '-' || s.p[s.len - 1] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
		is_number = is_number && ascii_is_digit(s.p[i]);
	}
	return !is_number;
}

const char *
spf_domain_spec_check(struct view s)
{
	const char *wrong = spf_macro_check(s, SPF_IN_RECORD);
	struct view rest = s, last = view_make("", 0);
	size_t dot;

	if (wrong != NULL)
		return wrong;
	if (s.len == 0)
		return "a domain is missing";
	while (rest.len > 0) {
		if (!take_piece(&rest, &last))
			BUG("a macro-string that was not checked");
	}
	if (view_starts(last, VIEW("%")))
		return NULL;
	if (view_ends_nocase(last, VIEW(".")))
		last.len--;
	for (dot = last.len; dot > 0 && last.p[dot - 1] != '.'; dot--)
		continue;
	if (dot == 0 || !is_top_label(view_from(last, dot)))
		return "the domain does not end in a top-level domain";
	return NULL;
}

/* %{i}: dotted quads, or dotted nibbles; these in upper case, as the world's test suite has
 * them. */
static void
put_address(const struct sockaddr_storage *client, char out[VALUE_MAX])
{
	if (client->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)client;
		char *p = out;

		for (size_t i = 0; i < 16; i++) {
			(void)snprintf(p, 5, "%X.%X.", v6->sin6_addr.s6_addr[i] >> 4,
			    v6->sin6_addr.s6_addr[i] & 15U);
			p += 4;
		}
		out[NIBBLES_MAX - 1] = '\0';
		return;
	}
	address_host_text(client, out);
}

static void
put_view(struct view v, char out[VALUE_MAX])
{
	(void)view_copy(v, out, VALUE_MAX);
}

static void
macro_value(char letter, const struct spf_macro_values *v, char out[VALUE_MAX])
{
	switch (letter) {
	case 's':
		(void)snprintf(out, VALUE_MAX, "%.*s@%.*s", VIEW_ARG(v->local),
		    VIEW_ARG(v->sender_domain));
		break;
	case 'l':
		put_view(v->local, out);
		break;
	case 'o':
		put_view(v->sender_domain, out);
		break;
	case 'd':
		put_view(v->domain, out);
		break;
	case 'i':
		put_address(v->client, out);
		break;
	case 'c':
		address_host_text(v->client, out);
		break;
	case 'v':
		put_view(v->client->ss_family == AF_INET6 ? VIEW("ip6") : VIEW("in-addr"), out);
		break;
	case 'h':
		put_view(v->helo, out);
		break;
	case 'r':
		put_view(view_of(v->receiver), out);
		break;
	case 't':
		(void)snprintf(out, VALUE_MAX, "%" PRId64, v->now);
		break;
	default: /* macro_parse lets nothing else through */
		put_view(view_of(v->validated_name(v->context)), out);
	}
}

/* Split at any of the delimiters: how many parts. Those past PARTS_MAX stay in the last one. */
static size_t
split_value(const char *value, struct view delimiters, struct view parts[PARTS_MAX])
{
	struct view rest = view_of(value);
	size_t count = 0, i = 0;

	if (delimiters.len == 0)
		delimiters = VIEW(".");
	while (count < PARTS_MAX - 1 && i < rest.len) {
		if (memchr(delimiters.p, rest.p[i], delimiters.len) == NULL) {
			i++;
			continue;
		}
		parts[count++] = view_make(rest.p, i);
		rest = view_from(rest, i + 1);
		i = 0;
	}
	parts[count++] = rest;
	return count;
}

static bool
add_escaped(struct buf *out, struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		const char c = v.p[i];
		const bool is_plain = ascii_is_alnum(c) || (c != '\0' && strchr("-._~", c));

		if (is_plain ? !buf_add_char(out, c)
			     : !buf_printf(out, "%%%02X", (unsigned)(unsigned char)c))
			return false;
	}
	return true;
}

static bool
add_macro(struct view inside, const struct spf_macro_values *values, struct buf *out)
{
	struct view parts[PARTS_MAX];
	char value[VALUE_MAX];
	struct macro macro;
	size_t count, first;

	if (!macro_parse(inside, &macro))
		BUG("a macro that was not checked");
	macro_value(macro.letter, values, value);
	count = split_value(value, macro.delimiters, parts);
	first = macro.keep > 0 && macro.keep < count ? count - macro.keep : 0;
	for (size_t i = first; i < count; i++) {
		/* Reversed first, then cut on the left: the parts that stay are the first ones.
		 */
		const struct view part = parts[macro.is_reversed ? count - 1 - i : i];

		if (i > first && !buf_add_char(out, '.'))
			return false;
		if (macro.is_escaped ? !add_escaped(out, part) : !buf_add_view(out, part))
			return false;
	}
	return true;
}

static bool
add_piece(struct view piece, const struct spf_macro_values *values, struct buf *out)
{
	if (piece_is_macro(piece))
		return add_macro(macro_inside(piece), values, out);
	if (piece.p[0] != '%')
		return buf_add_view(out, piece);
	if (piece.p[1] == '-')
		return buf_add_str(out, "%20");
	return buf_add_char(out, piece.p[1] == '_' ? ' ' : '%');
}

bool
spf_macro_expand(struct view s, const struct spf_macro_values *values, struct buf *out)
{
	struct view piece;

	while (s.len > 0) {
		if (!take_piece(&s, &piece))
			BUG("a macro-string that was not checked");
		if (!add_piece(piece, values, out))
			return false;
	}
	return true;
}
