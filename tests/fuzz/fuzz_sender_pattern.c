/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Patterns against addresses. Input: pattern, NUL, local part, NUL, domain. Invariants: a
 * pattern that is not valid covers nothing; a tag only ever adds; the null reverse-path and
 * addresses do not mix; what an address pattern covers is its own local part (or that with a
 * tag) at its own domain, and every address is covered by itself and by its domain.
 */
#include "lib/mail/domain_name.h"
#include "lib/mail/sender_pattern.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* check_self - the address written as a pattern, quoted so that any local part can be written.
 */
static void
check_self(const struct sender *s)
{
	char text[2 * SENDER_PATTERN_MAX];
	size_t len = 0;

	if (s->local.len == 0 || 2 * s->local.len + s->domain.len + 3 > SENDER_PATTERN_MAX)
		return;
	text[len++] = '"';
	for (size_t i = 0; i < s->local.len; i++) {
		text[len++] = '\\';
		text[len++] = s->local.p[i];
	}
	text[len++] = '"';
	text[len++] = '@';
	memcpy(text + len, s->domain.p, s->domain.len);
	len += s->domain.len;
	check(
	    sender_pattern_covers(view_make(text, len), s, false), "an address covers itself");

	text[0] = '*';
	text[1] = '@';
	memcpy(text + 2, s->domain.p, s->domain.len);
	check(sender_pattern_covers(view_make(text, 2 + s->domain.len), s, false),
	    "a domain covers its addresses");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest = view_make((const char *)data, size), pattern, local, domain;
	char ascii[DOMAIN_NAME_MAX];

	if (!view_split(&rest, '\0', &pattern) || !view_split(&rest, '\0', &local) ||
	    !view_split(&rest, '\0', &domain))
		return 0;
	const bool has_domain = domain_to_ascii(domain, ascii);
	const struct sender null = { .is_null = true };
	const struct sender sender = { .local = local,
		.domain = has_domain ? view_of(ascii) : domain };
	const bool valid = sender_pattern_is_valid(pattern);
	const bool plain = sender_pattern_covers(pattern, &sender, false);
	const bool tagged = sender_pattern_covers(pattern, &sender, true);
	const bool covers_null = sender_pattern_covers(pattern, &null, true);

	check(valid || (!plain && !tagged && !covers_null), "what is not valid covers nothing");
	check(!plain || tagged, "a tag only adds");
	check(covers_null == view_eq(pattern, VIEW("<>")), "<> alone covers the null path");
	check(!covers_null || !plain, "<> covers no address");
	if (tagged && !plain)
		check(view_find(local, '+') < local.len, "what a tag adds has a plus");
	if (view_starts(pattern, VIEW("*@*.")) && plain)
		check(view_find(sender.domain, '.') < sender.domain.len,
		    "a sub-domain has a dot");
	if (has_domain)
		check_self(&sender);
	return 0;
}
