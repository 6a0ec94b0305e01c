/* SPDX-License-Identifier: MPL-2.0 */
/* Patterns of addresses that a login may send as: see lib/mail/sender_pattern.h. */
#include "lib/mail/sender_pattern.h"

#include "lib/mail/domain_name.h"

enum pattern_kind {
	PATTERN_BAD,
	PATTERN_NULL,
	PATTERN_ANY,
	PATTERN_DOMAIN,
	PATTERN_SUBDOMAINS,
	PATTERN_ADDRESS,
};

struct pattern {
	enum pattern_kind kind;
	struct view local; /* PATTERN_ADDRESS: unquoted */
	char local_room[SENDER_PATTERN_MAX];
	char domain[DOMAIN_NAME_MAX]; /* all with a domain */
};

/*
 * local_unquote - a dot-string or quoted-string to its meaning: local itself, or a view into
 * scratch (at least local.len octets). False: empty, or a quoted-string that does not end at
 * its end.
 */
static bool
local_unquote(struct view local, char *scratch, struct view *out)
{
	size_t len = 0, i = 1;

	*out = local;
	if (local.len == 0 || local.p[0] != '"')
		return local.len > 0;
	for (; i < local.len && local.p[i] != '"'; i++) {
		if (local.p[i] == '\\' && ++i == local.len)
			return false;
		scratch[len++] = local.p[i];
	}
	*out = view_make(scratch, len);
	return len > 0 && i + 1 == local.len;
}

/* local_is_plain - fit to be written without quotes: no blanks, controls or specials. */
static bool
local_is_plain(struct view local)
{
	static const char specials[] = "()<>[]:;@\\,\"*";

	for (size_t i = 0; i < local.len; i++) {
		const unsigned char c = (unsigned char)local.p[i];

		if (c <= ' ' || c == 0x7f || strchr(specials, c) != NULL)
			return false;
	}
	return local.len > 0;
}

/* domain_normalise - a literal as it is written (lower case), anything else as A-labels. */
static bool
domain_normalise(struct view domain, char out[DOMAIN_NAME_MAX])
{
	if (domain.len < 3 || domain.p[0] != '[')
		return domain_to_ascii(domain, out);
	if (domain.p[domain.len - 1] != ']' || memchr(domain.p, '\0', domain.len) != NULL)
		return false;
	return view_copy(domain, out, DOMAIN_NAME_MAX);
}

static enum pattern_kind
pattern_parse_address(struct view local, struct view domain, struct pattern *p)
{
	const bool is_wild = view_eq(local, VIEW("*"));
	const bool is_below = is_wild && view_starts(domain, VIEW("*."));

	if (!domain_normalise(view_from(domain, is_below ? 2 : 0), p->domain))
		return PATTERN_BAD;
	if (is_below)
		return p->domain[0] == '[' ? PATTERN_BAD : PATTERN_SUBDOMAINS;
	if (is_wild)
		return PATTERN_DOMAIN;
	if (local.len > 0 && local.p[0] != '"' && !local_is_plain(local))
		return PATTERN_BAD;
	if (!local_unquote(local, p->local_room, &p->local))
		return PATTERN_BAD;
	return PATTERN_ADDRESS;
}

static void
pattern_parse(struct view text, struct pattern *p)
{
	size_t at = text.len;

	p->kind = PATTERN_BAD;
	if (text.len > SENDER_PATTERN_MAX)
		return;
	if (view_eq(text, VIEW("<>"))) {
		p->kind = PATTERN_NULL;
		return;
	}
	if (view_eq(text, VIEW("*"))) {
		p->kind = PATTERN_ANY;
		return;
	}
	while (at > 0 &&
	       text.p[at - 1] != '@') /* the last one: a quoted local part may hold others */
		at--;
	if (at == 0)
		return;
	p->kind = pattern_parse_address(view_make(text.p, at - 1), view_from(text, at), p);
}

static bool
local_matches(const struct pattern *p, struct view local, bool with_tag)
{
	const size_t plus = view_find(local, '+');

	if (view_eq_nocase(p->local, local))
		return true;
	return with_tag && plus > 0 && plus < local.len &&
	       view_eq_nocase(p->local, view_make(local.p, plus));
}

static bool
domain_is_sub(struct view domain, const char *parent)
{
	const struct view p = view_of(parent);

	return domain.len > p.len + 1 && domain.p[domain.len - p.len - 1] == '.' &&
	       view_ends_nocase(domain, p);
}

bool
sender_pattern_is_valid(struct view pattern)
{
	struct pattern p;

	pattern_parse(pattern, &p);
	return p.kind != PATTERN_BAD;
}

bool
sender_pattern_covers(struct view pattern, const struct sender *sender, bool with_tag)
{
	struct pattern p;

	pattern_parse(pattern, &p);
	if (sender->is_null || p.kind == PATTERN_NULL)
		return sender->is_null && p.kind == PATTERN_NULL;
	switch (p.kind) {
	case PATTERN_ANY:
		return true;
	case PATTERN_DOMAIN:
		return view_eq_nocase(sender->domain, view_of(p.domain));
	case PATTERN_SUBDOMAINS:
		return domain_is_sub(sender->domain, p.domain);
	case PATTERN_ADDRESS:
		return view_eq_nocase(sender->domain, view_of(p.domain)) &&
		       local_matches(&p, sender->local, with_tag);
	case PATTERN_BAD:
	case PATTERN_NULL:
		break;
	}
	return false;
}

bool
sender_from_path(const struct smtp_path *path, struct arena *arena, struct sender *out)
{
	char domain[DOMAIN_NAME_MAX];

	*out = (struct sender){ .is_null = path->is_null };
	if (path->is_null)
		return true;
	if (!local_unquote(path->local, arena_alloc(arena, path->local.len + 1), &out->local) ||
	    !domain_normalise(path->domain, domain))
		return false;
	out->domain = arena_view(arena, view_of(domain));
	return true;
}
