/* SPDX-License-Identifier: MPL-2.0 */
/* Answers of tables that are kept: how long, how many, and what of them comes back. */
#include "lib/table/table_cache.h"

#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

static void
at(int64_t now_ms)
{
	clock_fake_set(now_ms, 1795553870);
}

static void
put(struct table_cache *cache, const char *key, const char *const *values, size_t count)
{
	struct arena arena;
	struct table_answer answer = { .arena = &arena };

	arena_init(&arena);
	for (size_t i = 0; i < count; i++)
		assert_true(table_answer_add(&answer, view_of(values[i]), NULL));
	table_cache_put(cache, view_of(key), TABLE_FOUND, &answer);
	arena_finish(&arena);
}

static void
put_absent(struct table_cache *cache, const char *key)
{
	const struct table_answer answer = { .arena = NULL };

	table_cache_put(cache, view_of(key), TABLE_ABSENT, &answer);
}

/* get - "value|value", "absent", or "unknown". */
static const char *
get(struct table_cache *cache, const char *key)
{
	static char text[200];
	struct arena arena;
	struct table_answer answer = { .arena = &arena };
	enum table_result result;
	size_t len = 0;

	arena_init(&arena);
	snprintf(text, sizeof(text), "unknown");
	if (table_cache_find(cache, view_of(key), &answer, &result))
		snprintf(text, sizeof(text), "%s", result == TABLE_ABSENT ? "absent" : "");
	for (size_t i = 0; i < answer.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s",
		    i > 0 ? "|" : "", VIEW_ARG(answer.values[i]));
	arena_finish(&arena);
	return text;
}

static void
test_what_was_found_and_what_was_not_have_lives_of_their_own(void **state)
{
	const char *const values[] = { "1", "", "two words" };
	struct table_cache *cache = table_cache_create(100, 60000, 10000);

	(void)state;
	at(1000);
	assert_string_equal(get(cache, "a"), "unknown");
	put(cache, "a", values, 3);
	put_absent(cache, "b");
	assert_string_equal(get(cache, "a"), "1||two words");
	assert_string_equal(get(cache, "A"), "unknown");
	at(10999);
	assert_string_equal(get(cache, "b"), "absent");
	at(11000);
	assert_string_equal(get(cache, "b"), "unknown");
	at(60999);
	assert_string_equal(get(cache, "a"), "1||two words");
	at(61000);
	assert_string_equal(get(cache, "a"), "unknown");
	table_cache_destroy(&cache);
	clock_fake_set(-1, -1);
}

static void
test_a_newer_answer_replaces_the_older_one(void **state)
{
	const char *const values[] = { "new" };
	struct table_cache *cache = table_cache_create(100, 60000, 60000);

	(void)state;
	put_absent(cache, "a");
	put(cache, "a", values, 1);
	assert_string_equal(get(cache, "a"), "new");
	put_absent(cache, "a");
	assert_string_equal(get(cache, "a"), "absent");
	table_cache_destroy(&cache);
}

static void
test_a_life_of_nothing_keeps_nothing(void **state)
{
	const char *const values[] = { "1" };
	struct table_cache *cache = table_cache_create(100, 0, 60000);

	(void)state;
	put(cache, "a", values, 1);
	assert_string_equal(get(cache, "a"), "unknown");
	put_absent(cache, "a");
	assert_string_equal(get(cache, "a"), "absent");
	table_cache_destroy(&cache);
}

static void
test_a_fifth_answer_in_four_places_takes_the_oldest_one(void **state)
{
	struct table_cache *cache = table_cache_create(4, 60000, 60000);
	char key[] = "0";

	(void)state;
	for (int i = 0; i < 5; i++) {
		at(1000 + i);
		key[0] = (char)('0' + i);
		put_absent(cache, key);
	}
	assert_string_equal(get(cache, "0"), "unknown");
	for (int i = 1; i < 5; i++) {
		key[0] = (char)('0' + i);
		assert_string_equal(get(cache, key), "absent");
	}
	table_cache_destroy(&cache);
	clock_fake_set(-1, -1);
}

static void
test_a_flood_of_keys_keeps_the_bound(void **state)
{
	enum { ENTRIES = 64, KEYS = 5000 };
	struct table_cache *cache = table_cache_create(ENTRIES, 60000, 60000);
	size_t known = 0;
	char key[16];

	(void)state;
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		put_absent(cache, key);
		assert_string_equal(get(cache, key), "absent");
	}
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		known += strcmp(get(cache, key), "absent") == 0;
	}
	assert_in_range(known, ENTRIES / 2, ENTRIES);
	table_cache_destroy(&cache);
}

static void
test_a_large_answer_is_not_kept(void **state)
{
	static char large[TABLE_CACHED_MAX + 1];
	const char *const values[] = { large };
	struct table_cache *cache = table_cache_create(100, 60000, 60000);

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	put(cache, "a", values, 1);
	assert_string_equal(get(cache, "a"), "unknown");
	table_cache_destroy(&cache);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_found_and_what_was_not_have_lives_of_their_own),
		cmocka_unit_test(test_a_newer_answer_replaces_the_older_one),
		cmocka_unit_test(test_a_life_of_nothing_keeps_nothing),
		cmocka_unit_test(test_a_fifth_answer_in_four_places_takes_the_oldest_one),
		cmocka_unit_test(test_a_flood_of_keys_keeps_the_bound),
		cmocka_unit_test(test_a_large_answer_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
