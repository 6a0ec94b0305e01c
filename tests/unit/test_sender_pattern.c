/* SPDX-License-Identifier: MPL-2.0 */
/* Which address is covered by which pattern. */
#include "lib/mail/sender_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

struct cover_case {
	const char *name;
	const char *pattern;
	const char *local, *domain; /* local NULL: the null reverse-path */
	bool with_tag;
	bool covers;
};

static const struct cover_case cover_cases[] = {
	{ "an address covers itself", "alice@example.com", "alice", "example.com", false,
	    true },
	{ "another local part is not covered", "alice@example.com", "bob", "example.com", false,
	    false },
	{ "another domain is not covered", "alice@example.com", "alice", "example.org", false,
	    false },
	{ "a longer local part is not covered", "alice@example.com", "alice2", "example.com",
	    false, false },
	{ "a shorter local part is not covered", "alice@example.com", "alic", "example.com",
	    false, false },
	{ "the case of the local part does not matter", "Alice@example.com", "aLICE",
	    "example.com", false, true },
	{ "the case of the pattern's domain does not matter", "alice@Example.COM", "alice",
	    "example.com", false, true },
	{ "a pattern in Unicode means its A-label", "alice@b\303\274cher.example", "alice",
	    "xn--bcher-kva.example", false, true },
	{ "other letters than ASCII compare as they are", "\303\204@example.com", "\303\244",
	    "example.com", false, false },
	{ "a domain pattern covers its addresses", "*@example.com", "anybody", "example.com",
	    false, true },
	{ "a domain pattern covers no sub-domain", "*@example.com", "bob", "a.example.com",
	    false, false },
	{ "a domain pattern covers no longer name", "*@example.com", "bob", "badexample.com",
	    false, false },
	{ "a sub-domain pattern covers a sub-domain", "*@*.example.com", "bob", "a.example.com",
	    false, true },
	{ "a sub-domain pattern covers every depth", "*@*.example.com", "bob",
	    "a.b.example.com", false, true },
	{ "a sub-domain pattern leaves the domain out", "*@*.example.com", "bob", "example.com",
	    false, false },
	{ "a sub-domain pattern needs the dot", "*@*.example.com", "bob", "badexample.com",
	    false, false },
	{ "the star covers every address", "*", "bob", "example.org", false, true },
	{ "the star does not cover the null reverse-path", "*", NULL, NULL, false, false },
	{ "a domain pattern does not cover the null reverse-path", "*@example.com", NULL, NULL,
	    false, false },
	{ "the null pattern covers the null reverse-path", "<>", NULL, NULL, false, true },
	{ "the null pattern covers nothing else", "<>", "bob", "example.com", false, false },
	{ "a tag is not covered unless allowed", "alice@example.com", "alice+shop",
	    "example.com", false, false },
	{ "a tag is covered when allowed", "alice@example.com", "alice+shop", "example.com",
	    true, true },
	{ "an empty tag is covered when allowed", "alice@example.com", "alice+", "example.com",
	    true, true },
	{ "only the first plus begins the tag", "alice@example.com", "alice+a+b", "example.com",
	    true, true },
	{ "somebody else's tag is not covered", "alice@example.com", "bob+alice", "example.com",
	    true, false },
	{ "a tag needs somebody in front of it", "alice@example.com", "+alice", "example.com",
	    true, false },
	{ "a pattern with a tag covers this tag alone", "alice+x@example.com", "alice+y",
	    "example.com", true, false },
	{ "a pattern with a tag does not cover the bare address", "alice+x@example.com",
	    "alice", "example.com", true, false },
	{ "a tag does not help in another domain", "alice@example.com", "alice+x",
	    "example.org", true, false },
	{ "a quoted pattern means what is inside", "\"a b\"@example.com", "a b", "example.com",
	    false, true },
	{ "needless quotes mean nothing", "\"alice\"@example.com", "alice", "example.com",
	    false, true },
	{ "a quoted pair is one character", "\"a\\\"b\"@example.com", "a\"b", "example.com",
	    false, true },
	{ "a quoted @ is not the end of the local part", "\"a@b\"@example.com", "a@b",
	    "example.com", false, true },
	{ "a quoted star is no wildcard", "\"*\"@example.com", "bob", "example.com", false,
	    false },
	{ "a literal covers itself", "alice@[192.0.2.1]", "alice", "[192.0.2.1]", false, true },
	{ "a malformed pattern covers nothing", "al*ce@example.com", "al*ce", "example.com",
	    false, false },
};

struct valid_case {
	const char *name;
	const char *pattern;
	bool valid;
};

static const struct valid_case valid_cases[] = {
	{ "an address", "alice@example.com", true },
	{ "a domain", "*@example.com", true },
	{ "sub-domains", "*@*.example.com", true },
	{ "everything", "*", true },
	{ "the null reverse-path", "<>", true },
	{ "a Unicode domain", "alice@b\303\274cher.example", true },
	{ "nothing at all", "", false },
	{ "no @", "alice", false },
	{ "no local part", "@example.com", false },
	{ "no domain", "alice@", false },
	{ "an empty quoted local part", "\"\"@example.com", false },
	{ "a quoted local part that goes on", "\"a\"b@example.com", false },
	{ "a quoted local part that does not end", "\"a@example.com", false },
	{ "a quoted local part that ends in a backslash", "\"a\\\"@example.com", false },
	{ "a star amid the local part", "a*@example.com", false },
	{ "a star for a user in all sub-domains", "alice@*.example.com", false },
	{ "a star for a domain", "*@*", false },
	{ "a star amid the domain", "*@a.*.example.com", false },
	{ "sub-domains of a literal", "*@*.[192.0.2.1]", false },
	{ "a blank", "al ice@example.com", false },
	{ "angle brackets", "<alice@example.com>", false },
	{ "an empty label", "alice@example..com", false },
};

static void
test_covers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cover_cases); i++) {
		const struct cover_case *c = &cover_cases[i];
		const struct sender sender = {
			.is_null = c->local == NULL,
			.local = view_of(c->local),
			.domain = view_of(c->domain),
		};

		if (sender_pattern_covers(view_of(c->pattern), &sender, c->with_tag) !=
		    c->covers)
			fail_msg("%s", c->name);
	}
}

static void
test_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(valid_cases); i++) {
		const struct valid_case *c = &valid_cases[i];

		if (sender_pattern_is_valid(view_of(c->pattern)) != c->valid)
			fail_msg("%s", c->name);
	}
}

static void
test_too_long_a_pattern_is_not_valid(void **state)
{
	char text[SENDER_PATTERN_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + sizeof(text) - 12, "@example.com", 12);
	assert_false(sender_pattern_is_valid(view_make(text, sizeof(text))));
	assert_true(sender_pattern_is_valid(view_make(text + 2, sizeof(text) - 2)));
}

static void
test_path_is_unquoted(void **state)
{
	const struct smtp_path quoted = { .local = VIEW("\"a\\ b\""),
		.domain = VIEW("EXAMPLE.com") };
	const struct smtp_path null = { .is_null = true };
	const struct smtp_path homeless = { .local = VIEW("postmaster") };
	struct sender sender;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	assert_true(sender_from_path(&quoted, &arena, &sender));
	assert_true(view_eq(sender.local, VIEW("a b")));
	assert_true(view_eq(sender.domain, VIEW("example.com")));
	assert_true(sender_from_path(&null, &arena, &sender));
	assert_true(sender.is_null);
	assert_false(sender_from_path(&homeless, &arena, &sender));
	arena_finish(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covers),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_too_long_a_pattern_is_not_valid),
		cmocka_unit_test(test_path_is_unquoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
