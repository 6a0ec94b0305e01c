/* SPDX-License-Identifier: MPL-2.0 */
/* Our matcher of Lua patterns, beside Lua's own; and its budget. */
#include "filters/lua_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/lua_reference.h"

static const char *const patterns[] = { "", "a", "abc", ".", ".*", ".+", ".-", "a*", "a+b",
	"a-b", "a?b", "^a", "^a*$", "a$", "$", "^$", "a$b", "%a+", "%A+", "%d%d?", "%s*", "%S+",
	"%w+", "%W", "%u%l*", "%p", "%c", "%x+", "%g+", "%.", "%%", "%-", "[abc]+", "[^abc]+",
	"[a-c]*", "[%a_][%w_]*", "[]]", "[^]]+", "[a-]", "[-a]", "[%a-z]", "[a-%%]", "[^%s]+",
	"(a)(b)", "(a*(.)%w(%s*))", "()a()", "(.-)%s*$", "^%s*(.-)%s*$", "(.)%1", "%f[%w]%w+",
	"%f[%W]", "%b()", "%bxx", "(%b())", "((a)(b))", "a.-b", "x*y*z*", "(.-):%s*(.*)",
	"[%]]", "%z",
	/* malformed */
	"%", "[", "[a", "[^", "[%", "[a%", "(", ")", "(a", "a)", "%b", "%bx", "%f", "%fa", "%1",
	"(a)%2", "(a%1)", "%0", "[]", "[^]", "((", "(()", "a%" };

static const char *const subjects[] = { "", "a", "b", "ab", "abc", "aab", "aaab", "  a b  ",
	"hello world", "THE (quick) fox", "f(a(b)c)d", "x=1, y=22", "Subject: Win now",
	"aa bb cc", "a.b.c", "100%", "[x]", "]", "-", "a]b", "key_1 = value", "zzz", "\tx\r\n",
	"foo.bar@example.com", "\x80\xff", "axxb", "aXbXc", "((", "))", "a$b", "^a" };

static void
test_it_matches_as_lua_does(void **state)
{
	struct reference r;

	(void)state;
	reference_open(&r);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		for (size_t k = 0; k < ARRAY_LEN(subjects); k++)
			if (!reference_agrees(&r, view_of(subjects[k]), view_of(patterns[i])))
				fail_msg("\"%s\" on \"%s\": %s", patterns[i], subjects[k],
				    r.difference);
	}
	reference_close(&r);
}

static void
test_nul_octets_are_octets(void **state)
{
	struct reference r;

	(void)state;
	reference_open(&r);
	assert_true(reference_agrees(&r, VIEW("a\0b"), VIEW("a\0b")));
	assert_true(reference_agrees(&r, VIEW("a\0b"), VIEW("[\0]")));
	assert_true(reference_agrees(&r, VIEW("a\0b"), VIEW("%z")));
	assert_true(reference_agrees(&r, VIEW("\0\0"), VIEW("\0+$")));
	assert_true(reference_agrees(&r, VIEW("\0"), VIEW("%f[%w]")));
	reference_close(&r);
}

/* random_text - of letters that patterns are made of, from a fixed sequence. */
static size_t
random_text(uint64_t *seed, const char *letters, size_t most, char *out)
{
	const size_t count = strlen(letters);
	size_t len;

	*seed = *seed * 6364136223846793005U + 1442695040888963407U;
	len = (size_t)(*seed >> 33) % (most + 1);
	for (size_t i = 0; i < len; i++) {
		*seed = *seed * 6364136223846793005U + 1442695040888963407U;
		out[i] = letters[(size_t)(*seed >> 33) % count];
	}
	return len;
}

static void
test_it_matches_as_lua_does_at_random(void **state)
{
	struct reference r;
	uint64_t seed = 1;
	char pattern[12], subject[16];

	(void)state;
	reference_open(&r);
	for (size_t i = 0; i < 200000; i++) {
		const size_t pattern_len =
		    random_text(&seed, "ab%[]^-*+?.()$1bfdw", sizeof(pattern), pattern);
		const size_t subject_len =
		    random_text(&seed, "abAB1()-. ", sizeof(subject), subject);
		const struct view p = view_make(pattern, pattern_len);
		const struct view s = view_make(subject, subject_len);

		if (!reference_agrees(&r, s, p))
			fail_msg(
			    "\"%.*s\" on \"%.*s\": %s", VIEW_ARG(p), VIEW_ARG(s), r.difference);
	}
	reference_close(&r);
}

static void
test_a_costly_pattern_ends_with_its_budget(void **state)
{
	static char subject[20000];
	uint64_t steps = 1000000;
	struct pattern_match m = { .subject = view_make(subject, sizeof(subject)),
		.pattern = VIEW(".-.-.-.-x"),
		.steps = &steps };

	(void)state;
	memset(subject, 'a', sizeof(subject));
	assert_int_equal(pattern_search(&m, 0, false), PATTERN_EXHAUSTED);
	assert_int_equal(steps, 0);
	steps = 1000000;
	m.pattern = VIEW("%b(a");
	memset(subject, '(', sizeof(subject));
	assert_int_equal(pattern_search(&m, 0, false), PATTERN_EXHAUSTED);
	steps = 1000000;
	m.pattern = VIEW("(.*)%1%1x");
	assert_int_equal(pattern_search(&m, 0, true), PATTERN_EXHAUSTED);
}

static void
test_a_long_subject_needs_no_stack(void **state)
{
	static char subject[1000000];
	uint64_t steps = 100000000;
	struct pattern_match m = { .subject = view_make(subject, sizeof(subject)),
		.pattern = VIEW("a*a-$"),
		.steps = &steps };

	(void)state;
	memset(subject, 'a', sizeof(subject));
	assert_int_equal(pattern_search(&m, 0, false), PATTERN_MATCHES);
	assert_ptr_equal(m.end, subject + sizeof(subject));
}

static void
test_a_pattern_is_nested_only_so_deep(void **state)
{
	char pattern[1000];
	uint64_t steps = 1000000;
	struct pattern_match m = { .subject = VIEW("aaaa"),
		.pattern = view_make(pattern, sizeof(pattern)),
		.steps = &steps };

	(void)state;
	for (size_t i = 0; i < sizeof(pattern); i += 2)
		memcpy(pattern + i, "a?", 2);
	assert_int_equal(pattern_search(&m, 0, false), PATTERN_BAD);
	assert_string_equal(m.error, "pattern too complex");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_matches_as_lua_does),
		cmocka_unit_test(test_nul_octets_are_octets),
		cmocka_unit_test(test_it_matches_as_lua_does_at_random),
		cmocka_unit_test(test_a_costly_pattern_ends_with_its_budget),
		cmocka_unit_test(test_a_long_subject_needs_no_stack),
		cmocka_unit_test(test_a_pattern_is_nested_only_so_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
