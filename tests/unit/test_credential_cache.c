/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/auth/credential_cache: what is remembered, for how long, and how much of it. */
#include "proxy/auth/credential_cache.h"

#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static bool
has(uint64_t backend, const char *login, const char *password)
{
	struct secret s = { 0 };
	struct credential c = { backend, view_of(login), &s };
	bool found;

	assert_true(secret_set(&s, view_of(password)));
	found = credential_cache_has(&c);
	secret_finish(&s);
	return found;
}

static void
put_at(uint64_t backend, const char *login, const char *password, int64_t expires_at_ms,
    uint64_t generation)
{
	struct secret s = { 0 };
	struct credential c = { backend, view_of(login), &s };

	assert_true(secret_set(&s, view_of(password)));
	credential_cache_put(&c, expires_at_ms, generation);
	secret_finish(&s);
}

static void
put(const char *login, const char *password)
{
	put_at(1, login, password, 1000, credential_cache_generation());
}

static int
set_up(void **state)
{
	(void)state;
	clock_fake_set(0, 0);
	credential_cache_resize(3);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	credential_cache_resize(0);
	clock_fake_set(-1, -1);
	return 0;
}

static void
test_only_the_same_credential_is_found(void **state)
{
	(void)state;
	assert_false(has(1, "alice", "sesame"));
	put("alice", "sesame");
	assert_true(has(1, "alice", "sesame"));
	assert_false(has(2, "alice", "sesame"));
	assert_false(has(1, "alice", "sesamE"));
	assert_false(has(1, "Alice", "sesame"));
	assert_false(has(1, "alices", "esame")); /* the border counts */
	assert_false(has(1, "alicesesame", ""));
	assert_false(has(1, "", "alicesesame"));
}

static void
test_an_entry_expires(void **state)
{
	(void)state;
	put("alice", "sesame");
	clock_fake_set(999, 0);
	assert_true(has(1, "alice", "sesame")); /* and use does not lengthen it */
	clock_fake_set(1000, 0);
	assert_false(has(1, "alice", "sesame"));
	assert_int_equal(credential_cache_count(), 0);
}

static void
test_putting_again_renews_it(void **state)
{
	(void)state;
	put("alice", "sesame");
	put_at(1, "alice", "sesame", 2000, credential_cache_generation());
	assert_int_equal(credential_cache_count(), 1);
	clock_fake_set(1500, 0);
	assert_true(has(1, "alice", "sesame"));
}

static void
test_the_least_recently_used_makes_room(void **state)
{
	(void)state;
	put("a", "x");
	put("b", "x");
	put("c", "x");
	assert_true(has(1, "a", "x"));
	put("d", "x");
	assert_int_equal(credential_cache_count(), 3);
	assert_true(has(1, "a", "x"));
	assert_false(has(1, "b", "x"));
	assert_true(has(1, "c", "x"));
	assert_true(has(1, "d", "x"));
}

static void
test_clearing_ends_a_generation(void **state)
{
	uint64_t before;

	(void)state;
	put("alice", "sesame");
	before = credential_cache_generation();
	credential_cache_clear();
	assert_false(has(1, "alice", "sesame"));
	/* proven by the old file, put after the new one was read */
	put_at(1, "alice", "sesame", 1000, before);
	assert_false(has(1, "alice", "sesame"));
	put("alice", "sesame");
	assert_true(has(1, "alice", "sesame"));
}

static void
test_no_room_keeps_nothing(void **state)
{
	(void)state;
	credential_cache_resize(0);
	put("alice", "sesame");
	assert_false(has(1, "alice", "sesame"));
	assert_int_equal(credential_cache_count(), 0);
}

static void
test_many_are_all_found(void **state)
{
	char login[16];

	(void)state;
	credential_cache_resize(1000);
	for (int i = 0; i < 1500; i++) {
		snprintf(login, sizeof(login), "u%d", i);
		put(login, "x");
	}
	assert_int_equal(credential_cache_count(), 1000);
	for (int i = 0; i < 1500; i++) {
		snprintf(login, sizeof(login), "u%d", i);
		assert_int_equal(has(1, login, "x"), i >= 500);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_only_the_same_credential_is_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_entry_expires, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_putting_again_renews_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_the_least_recently_used_makes_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_clearing_ends_a_generation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room_keeps_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_are_all_found, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
