/* SPDX-License-Identifier: MPL-2.0 */
/* The grammar of SPF records: see spf_record.h. */
#include "lib/domain/spf_record.h"

#include "lib/domain/spf_macro.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#define SHOWN_MAX 64 /* octets of a term in an error text */

enum domain_rule { DOMAIN_NONE, DOMAIN_OPTIONAL, DOMAIN_REQUIRED, DOMAIN_IS_NETWORK };

static const struct mechanism {
	struct view name;
	enum spf_kind kind;
	enum domain_rule domain;
	bool has_prefix; /* dual-cidr-length */
} mechanisms[] = {
	{ { "all", 3 }, SPF_ALL, DOMAIN_NONE, false },
	{ { "include", 7 }, SPF_INCLUDE, DOMAIN_REQUIRED, false },
	{ { "a", 1 }, SPF_A, DOMAIN_OPTIONAL, true },
	{ { "mx", 2 }, SPF_MX, DOMAIN_OPTIONAL, true },
	{ { "ptr", 3 }, SPF_PTR, DOMAIN_OPTIONAL, false },
	{ { "ip4", 3 }, SPF_IP4, DOMAIN_IS_NETWORK, false },
	{ { "ip6", 3 }, SPF_IP6, DOMAIN_IS_NETWORK, false },
	{ { "exists", 6 }, SPF_EXISTS, DOMAIN_REQUIRED, false },
};

struct parser {
	struct view term; /* for error texts */
	char *why;
};

static bool fail(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "term": what is wrong. Octets that are no visible ASCII are shown as "?". */
static bool
fail(struct parser *p, const char *fmt, ...)
{
	char shown[SHOWN_MAX + 1], text[SPF_WHY_MAX - SHOWN_MAX - 4];
	va_list ap;

	(void)view_copy(p->term, shown, sizeof(shown));
	for (size_t i = 0; i < p->term.len && i < SHOWN_MAX; i++) {
		if (shown[i] <= ' ' || shown[i] > '~')
			shown[i] = '?';
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(p->why, SPF_WHY_MAX, "\"%s\": %s", shown, text);
	return false;
}

bool
spf_record_is_one(struct view text)
{
	static const struct view version = { "v=spf1", 6 };

	return view_starts_nocase(text, version) &&
	       (text.len == version.len || text.p[version.len] == ' ');
}

/* How many characters from the start on can be of a name. */
static size_t
name_length(struct view s)
{
	size_t n = 0;

	while (n < s.len &&
	       (ascii_is_alnum(s.p[n]) || (n > 0 && memchr("-_.", s.p[n], 3) != NULL)))
		n++;
	return n;
}

/* A prefix length: no sign, no leading zero, max at most. */
static bool
parse_prefix(struct parser *p, struct view digits, unsigned max, unsigned *out)
{
	uint64_t n;

	if (!view_to_u64(digits, &n) || n > max || (digits.len > 1 && digits.p[0] == '0'))
		return fail(p, "a prefix length is a number from 0 to %u", max);
	*out = (unsigned)n;
	return true;
}

/* The digits at the end of s, when "/" is in front of them; without any, the length is 0. */
static struct view
last_prefix(struct view s)
{
	size_t start = s.len;

	while (start > 0 && ascii_is_digit(s.p[start - 1]))
		start--;
	if (start == 0 || start == s.len || s.p[start - 1] != '/')
		return view_make("", 0);
	return view_from(s, start);
}

/* Take "/24", "//64" or "/24//64" off the end of *s. */
static bool
cut_prefixes(struct parser *p, struct view *s, struct spf_term *term)
{
	struct view digits = last_prefix(*s);
	size_t at = s->len - digits.len;

	if (digits.len > 0 && at >= 2 && s->p[at - 2] == '/') {
		if (!parse_prefix(p, digits, 128, &term->prefix6))
			return false;
		s->len = at - 2;
		digits = last_prefix(*s);
	}
	if (digits.len == 0)
		return true;
	s->len -= digits.len + 1;
	return parse_prefix(p, digits, 32, &term->prefix4);
}

static bool
parse_network(struct parser *p, struct view s, struct spf_term *term)
{
	const bool is_v4 = term->kind == SPF_IP4;
	const unsigned bits = is_v4 ? 32 : 128;
	const size_t slash = view_find(s, '/');
	char text[INET6_ADDRSTRLEN];

	term->network =
	    (struct network){ .family = is_v4 ? AF_INET : AF_INET6, .prefix = bits };
	if (memchr(s.p, '\0', slash) != NULL ||
	    !view_copy(view_make(s.p, slash), text, sizeof(text)) ||
	    inet_pton(term->network.family, text, term->network.octets) != 1)
		return fail(p, "not an IPv%c address", is_v4 ? '4' : '6');
	return slash == s.len ||
	       parse_prefix(p, view_from(s, slash + 1), bits, &term->network.prefix);
}

static bool
parse_domain(struct parser *p, struct view s, struct view *out)
{
	const char *wrong = spf_domain_spec_check(s);

	if (wrong != NULL)
		return fail(p, "%s", wrong);
	*out = s;
	return true;
}

static const struct mechanism *
find_mechanism(struct view name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
		if (view_eq_nocase(name, mechanisms[i].name))
			return &mechanisms[i];
	}
	return NULL;
}

static bool
parse_directive(struct parser *p, struct view s, struct spf_term *term)
{
	const struct mechanism *mechanism;
	size_t n;

	*term = (struct spf_term){ .qualifier = '+', .text = s, .prefix4 = 32, .prefix6 = 128 };
	if (memchr("+-~?", s.p[0], 4) != NULL) {
		term->qualifier = s.p[0];
		s = view_from(s, 1);
	}
	n = name_length(s);
	mechanism = find_mechanism(view_make(s.p, n));
	if (mechanism == NULL)
		return fail(p, "there is no such mechanism");
	term->kind = mechanism->kind;
	s = view_from(s, n);
	if (mechanism->has_prefix && !cut_prefixes(p, &s, term))
		return false;
	if (s.len == 0 && mechanism->domain <= DOMAIN_OPTIONAL)
		return true;
	if (s.len == 0 || s.p[0] != ':' || mechanism->domain == DOMAIN_NONE)
		return fail(p, "the mechanism is not followed by what belongs there");
	s = view_from(s, 1);
	if (mechanism->domain == DOMAIN_IS_NETWORK)
		return parse_network(p, s, term);
	return parse_domain(p, s, &term->domain);
}

static bool
parse_modifier(struct parser *p, struct view name, struct view value, struct spf_record *out)
{
	const bool is_exp = view_eq_nocase(name, VIEW("exp"));
	const char *wrong;

	if (is_exp || view_eq_nocase(name, VIEW("redirect"))) {
		struct view *to = is_exp ? &out->exp : &out->redirect;

		if (to->len > 0)
			return fail(p, "the modifier is there twice");
		return parse_domain(p, value, to);
	}
	wrong = spf_macro_check(value, SPF_IN_RECORD);
	return wrong == NULL || fail(p, "%s", wrong);
}

static bool
parse_term(struct parser *p, struct spf_record *out)
{
	const struct view s = p->term;
	const size_t n = name_length(s);

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return fail(p, "an octet that no record may hold");
	}
	if (n > 0 && n < s.len && s.p[n] == '=' && !ascii_is_digit(s.p[0]))
		return parse_modifier(p, view_make(s.p, n), view_from(s, n + 1), out);
	return parse_directive(p, s, &out->terms[out->count++]);
}

static size_t
count_terms(struct view text)
{
	struct view term;
	size_t count = 0;

	while (view_split(&text, ' ', &term))
		count += term.len > 0;
	return count;
}

bool
spf_record_parse(
    struct view text, struct arena *arena, struct spf_record *out, char why[SPF_WHY_MAX])
{
	struct parser p = { .why = why };
	struct view rest = view_from(text, sizeof("v=spf1") - 1);
	const size_t room = count_terms(rest);

	*out = (struct spf_record){ .terms = NULL };
	if (room > SPF_RECORD_TERMS_MAX) {
		(void)snprintf(why, SPF_WHY_MAX, "%zu terms are too many", room);
		return false;
	}
	out->terms = arena_alloc(arena, (room + 1) * sizeof(*out->terms));
	while (view_split(&rest, ' ', &p.term)) {
		if (p.term.len > 0 && !parse_term(&p, out))
			return false;
	}
	return true;
}
