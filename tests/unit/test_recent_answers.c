/* SPDX-License-Identifier: MPL-2.0 */
/* Recent answers: who is found, for how long, and what is never kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/net/recent_answers.h"

#include <stdio.h>
#include <string.h>

#define NOW 1000000

struct kept {
	struct recent_answers *recent;
	struct arena arena;
	struct recent_answer found;
};

static int
set_up(void **state)
{
	static struct kept k;

	k = (struct kept){ .recent = recent_create() };
	arena_init(&k.arena);
	*state = &k;
	return 0;
}

static int
tear_down(void **state)
{
	struct kept *k = *state;

	recent_destroy(&k->recent);
	assert_null(k->recent);
	recent_destroy(&k->recent);
	arena_finish(&k->arena);
	return 0;
}

static bool
find(struct kept *k, const char *name, enum dns_type type, int64_t now_ms)
{
	return recent_find(k->recent, name, type, now_ms, &k->arena, &k->found);
}

static void
put(struct kept *k, const char *name, enum dns_type type, struct view packet, uint32_t ttl_s,
    int64_t now_ms)
{
	const struct recent_answer answer = {
		.packet = packet, .ttl_s = ttl_s, .is_secure = type == DNS_TLSA
	};

	recent_put(k->recent, name, type, &answer, now_ms);
}

static void
test_a_secure_one_stays_secure(void **state)
{
	struct kept *k = *state;

	put(k, "a.example", DNS_TLSA, VIEW("one"), 20, NOW);
	put(k, "b.example", DNS_TXT, VIEW("two"), 20, NOW);
	assert_true(find(k, "a.example", DNS_TLSA, NOW));
	assert_true(k->found.is_secure);
	assert_true(find(k, "b.example", DNS_TXT, NOW));
	assert_false(k->found.is_secure);
}

static void
test_found_by_name_and_type(void **state)
{
	struct kept *k = *state;

	assert_false(find(k, "a.example", DNS_TXT, NOW));
	put(k, "a.example", DNS_TXT, VIEW("one"), 20, NOW);
	assert_true(find(k, "a.example", DNS_TXT, NOW + 2500));
	assert_true(view_eq(k->found.packet, VIEW("one")));
	assert_int_equal(k->found.age_s, 2);
	assert_false(find(k, "a.example", DNS_MX, NOW));
	assert_false(find(k, "b.example", DNS_TXT, NOW));
	assert_false(find(k, "a.example.net", DNS_TXT, NOW));
}

static void
test_newer_takes_the_place(void **state)
{
	struct kept *k = *state;

	put(k, "a.example", DNS_TXT, VIEW("one"), 20, NOW);
	put(k, "a.example", DNS_TXT, VIEW("another"), 20, NOW + 9000);
	assert_true(find(k, "a.example", DNS_TXT, NOW + 28000));
	assert_true(view_eq(k->found.packet, VIEW("another")));
	assert_int_equal(k->found.age_s, 19);
}

static void
test_no_longer_than_its_ttl_and_the_limit(void **state)
{
	static const struct {
		const char *says;
		uint32_t ttl_s, kept_s;
	} cases[] = {
		{ "no time", 0, 0 },
		{ "a second", 1, 1 },
		{ "the limit", RECENT_KEPT_MAX_S, RECENT_KEPT_MAX_S },
		{ "a day", 86400, RECENT_KEPT_MAX_S },
		{ "the longest", INT32_MAX, RECENT_KEPT_MAX_S },
	};
	struct kept *k = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const int64_t end_ms = NOW + (int64_t)cases[i].kept_s * 1000;

		put(k, cases[i].says, DNS_A, VIEW("x"), cases[i].ttl_s, NOW);
		if (find(k, cases[i].says, DNS_A, end_ms - 1) != (cases[i].kept_s > 0) ||
		    find(k, cases[i].says, DNS_A, end_ms))
			fail_msg("%s", cases[i].says);
	}
}

static void
test_what_is_too_long_is_not_kept(void **state)
{
	static char octets[RECENT_OCTETS_MAX + 1];
	struct kept *k = *state;
	char name[DNS_NAME_MAX + 1];

	put(k, "a", DNS_TXT, view_make(octets, sizeof(octets)), 20, NOW);
	assert_false(find(k, "a", DNS_TXT, NOW));
	put(k, "a", DNS_TXT, view_make(octets, sizeof(octets) - 1), 20, NOW);
	assert_true(find(k, "a", DNS_TXT, NOW));
	assert_int_equal(k->found.packet.len, RECENT_OCTETS_MAX);

	memset(name, 'a', sizeof(name));
	name[DNS_NAME_MAX] = '\0';
	put(k, name, DNS_TXT, VIEW("x"), 20, NOW);
	assert_false(find(k, name, DNS_TXT, NOW));
	name[DNS_NAME_MAX - 1] = '\0';
	put(k, name, DNS_TXT, VIEW("x"), 20, NOW);
	assert_true(find(k, name, DNS_TXT, NOW));
}

/* Each that is still found has its own packet; and they cannot be more than there are places.
 */
static void
test_many_names_share_the_places(void **state)
{
	struct kept *k = *state;
	char name[32];
	size_t found = 0;

	for (int i = 0; i < 3 * RECENT_PLACES; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		put(k, name, DNS_TXT, view_of(name), 20, NOW);
	}
	for (int i = 0; i < 3 * RECENT_PLACES; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		if (!find(k, name, DNS_TXT, NOW))
			continue;
		assert_true(view_eq(k->found.packet, view_of(name)));
		found++;
	}
	assert_in_range(found, RECENT_PLACES / 2, RECENT_PLACES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_a_secure_one_stays_secure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_found_by_name_and_type, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_newer_takes_the_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_no_longer_than_its_ttl_and_the_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_what_is_too_long_is_not_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_many_names_share_the_places, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
