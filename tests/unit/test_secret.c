/* SPDX-License-Identifier: MPL-2.0 */
/* Secrets: set, compared, wiped. */
#include "lib/base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
a_secret_is_copied_and_terminated(void **state)
{
	(void)state;
	struct secret s;
	secret_init(&s);
	assert_false(secret_is_set(&s));
	assert_true(secret_set(&s, view_make("passwordX", 8)));
	assert_true(secret_is_set(&s));
	assert_int_equal(s.len, 8);
	assert_string_equal(s.p, "password");
	secret_finish(&s);
	assert_false(secret_is_set(&s));
	secret_finish(&s);
}

static void
nul_and_excess_length_are_refused_and_leave_nothing(void **state)
{
	(void)state;
	char long_text[4097];
	memset(long_text, 'a', sizeof(long_text));
	struct secret s;
	secret_init(&s);
	assert_true(secret_set(&s, view_make(long_text, 4096)));
	assert_false(secret_set(&s, view_make(long_text, 4097)));
	assert_false(secret_is_set(&s));
	assert_true(secret_set(&s, VIEW("old")));
	assert_false(secret_set(&s, VIEW("a\0b")));
	assert_false(secret_is_set(&s));
	assert_true(secret_set(&s, VIEW("")));
	assert_true(secret_is_set(&s));
	secret_finish(&s);
}

static void
comparison_wants_both_set_and_every_octet(void **state)
{
	(void)state;
	struct secret a, b;
	secret_init(&a);
	secret_init(&b);
	assert_false(secret_eq(&a, &b));
	assert_true(secret_set(&a, VIEW("")));
	assert_false(secret_eq(&a, &b));
	assert_true(secret_set(&b, VIEW("")));
	assert_true(secret_eq(&a, &b));
	assert_true(secret_set(&a, VIEW("tiger")));
	assert_true(secret_set(&b, VIEW("tiger")));
	assert_true(secret_eq(&a, &b));
	for (size_t i = 0; i < b.len; i++) {
		b.p[i] = (char)(b.p[i] ^ 0x20);
		assert_false(secret_eq(&a, &b));
		b.p[i] = (char)(b.p[i] ^ 0x20);
	}
	assert_true(secret_set(&b, VIEW("tigers")));
	assert_false(secret_eq(&a, &b));
	secret_finish(&a);
	secret_finish(&b);
}

static void
a_secret_may_be_set_from_a_part_of_itself(void **state)
{
	(void)state;
	struct secret s;
	secret_init(&s);
	assert_true(secret_set(&s, VIEW("user:pass")));
	assert_true(secret_set(&s, view_from(view_make(s.p, s.len), 5)));
	assert_string_equal(s.p, "pass");
	secret_finish(&s);
}

static void
wipe_leaves_zeroes(void **state)
{
	(void)state;
	char text[] = "hunter2", zero[sizeof(text)] = { 0 };
	secret_wipe(text, sizeof(text));
	assert_memory_equal(text, zero, sizeof(text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_copied_and_terminated),
		cmocka_unit_test(nul_and_excess_length_are_refused_and_leave_nothing),
		cmocka_unit_test(comparison_wants_both_set_and_every_octet),
		cmocka_unit_test(a_secret_may_be_set_from_a_part_of_itself),
		cmocka_unit_test(wipe_leaves_zeroes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
