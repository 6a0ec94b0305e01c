/* SPDX-License-Identifier: MPL-2.0 */
/* Key rotation: what changes a state and what does not, and the file that keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/domain/dkim_rotation.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1795000000

static const struct rotation_rules rules = { .settle_s = 3600, .queue_life_s = 7 * 86400 };

/* An active key "old" and a pending "new", both RSA. */
static void
begin(struct rotation *r)
{
	struct err err = { 0 };

	memset(r, 0, sizeof(*r));
	assert_true(rotation_adopt(r, "old", DKIM_RSA_SHA256, NOW));
	assert_true(rotation_begin(r, "new", DKIM_RSA_SHA256, NOW, &err));
}

static bool
step(struct rotation *r, enum rotation_sight_kind old, enum rotation_sight_kind fresh,
    uint32_t ttl_s, int64_t now)
{
	const struct rotation_sight sights[2] = { { old, ttl_s }, { fresh, ttl_s } };

	return rotation_step(r, sights, &rules, now);
}

static void
test_a_key_signs_when_every_server_has_shown_it_long_enough(void **state)
{
	struct rotation r;

	(void)state;
	begin(&r);
	assert_int_equal(rotation_sign_order(&r.keys[1]), -1);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW));
	assert_int_equal(r.keys[1].state, ROTATION_PENDING);
	assert_int_equal(r.keys[1].shown_since, NOW);
	assert_false(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW + 3599));
	assert_int_equal(r.keys[1].state, ROTATION_PENDING);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW + 3600));
	assert_int_equal(r.keys[1].state, ROTATION_ACTIVE);
	assert_int_equal(r.keys[0].state, ROTATION_RETIRING);
	assert_int_equal(rotation_sign_order(&r.keys[1]), 0);
	assert_int_equal(rotation_sign_order(&r.keys[0]), 1);
}

static void
test_a_server_without_it_begins_the_wait_anew(void **state)
{
	struct rotation r;

	(void)state;
	begin(&r);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW));
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_MISSING, 300, NOW + 3000));
	assert_int_equal(r.keys[1].shown_since, 0);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW + 3700));
	assert_int_equal(r.keys[1].state, ROTATION_PENDING);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW + 7300));
	assert_int_equal(r.keys[1].state, ROTATION_ACTIVE);
}

static void
test_a_server_that_does_not_answer_is_no_confirmation(void **state)
{
	struct rotation r;

	(void)state;
	begin(&r);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW));
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_UNKNOWN, 0, NOW + 3600));
	assert_int_equal(r.keys[1].state, ROTATION_PENDING);
	assert_int_equal(r.keys[1].shown_since, 0);
	assert_int_equal(r.keys[1].negative_ttl_s, 0); /* nobody said that it is missing */
}

static void
test_what_resolvers_may_still_believe_is_waited_for(void **state)
{
	struct rotation r;

	(void)state;
	begin(&r);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_MISSING, 7200, NOW));
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW + 10));
	assert_false(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW + 3700));
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW + 7210));
	assert_int_equal(r.keys[1].state, ROTATION_ACTIVE);
}

static void
test_nobody_makes_it_wait_for_ever(void **state)
{
	struct rotation r;

	(void)state;
	begin(&r);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_MISSING, UINT32_MAX, NOW));
	assert_int_equal(r.keys[1].negative_ttl_s, ROTATION_TTL_MAX);
}

static void
test_a_clock_that_went_back_does_not_end_the_wait(void **state)
{
	struct rotation r;

	(void)state;
	begin(&r);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW + 100000));
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW));
	assert_int_equal(r.keys[1].shown_since, NOW);
	assert_int_equal(r.keys[1].state, ROTATION_PENDING);
}

static void
test_a_retiring_key_stays_for_the_longer_of_ttl_and_queue_life(void **state)
{
	struct rotation r;
	const int64_t active_at = NOW + 3600;

	(void)state;
	begin(&r);
	(void)step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW);
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, active_at));
	assert_int_equal(rotation_retires_at(&r.keys[0], &rules), active_at + 7 * 86400);
	assert_false(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, active_at + 7 * 86400 - 1));
	/* a longer TTL is seen in the mean time */
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 8 * 86400, active_at + 1));
	assert_false(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, active_at + 7 * 86400));
	assert_true(step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, active_at + 8 * 86400));
	assert_int_equal(r.keys[0].state, ROTATION_RETIRED);
	assert_int_equal(rotation_sign_order(&r.keys[0]), -1);
}

static void
test_a_key_does_not_retire_while_its_successor_is_not_shown(void **state)
{
	struct rotation r;

	(void)state;
	begin(&r);
	(void)step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW);
	(void)step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW + 3600);
	assert_false(step(&r, SIGHT_SHOWN, SIGHT_UNKNOWN, 300, NOW + 30 * 86400));
	assert_int_equal(r.keys[0].state, ROTATION_RETIRING);
	assert_true(step(&r, SIGHT_MISSING, SIGHT_SHOWN, 300, NOW + 32 * 86400));
	assert_int_equal(r.keys[0].state, ROTATION_RETIRED);
}

static void
test_a_retiring_key_that_signs_again_starts_its_wait_anew(void **state)
{
	struct rotation r;
	const int64_t active_at = NOW + 3600, lost_at = active_at + 6 * 86400;

	(void)state;
	begin(&r);
	(void)step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, NOW);
	(void)step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, active_at);
	assert_false(r.keys[0].is_in_use);
	(void)step(&r, SIGHT_SHOWN, SIGHT_MISSING, 300, lost_at);
	assert_true(r.keys[0].is_in_use);
	/* after a restart while DNS is silent both sign: the lost one alone would be wrong */
	assert_int_equal(rotation_sign_order(&r.keys[0]), 0);
	(void)step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, lost_at + 1000);
	assert_true(r.keys[0].is_in_use); /* some resolvers still miss the active one */
	(void)step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, lost_at + 2000);
	assert_false(r.keys[0].is_in_use);
	assert_int_equal(r.keys[0].since, lost_at + 2000);
	(void)step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, active_at + 8 * 86400);
	assert_int_equal(r.keys[0].state, ROTATION_RETIRING);
	(void)step(&r, SIGHT_SHOWN, SIGHT_SHOWN, 300, lost_at + 2000 + 7 * 86400);
	assert_int_equal(r.keys[0].state, ROTATION_RETIRED);
}

static void
test_an_active_key_that_was_lost_waits_before_it_signs_again(void **state)
{
	struct rotation r;

	(void)state;
	begin(&r);
	(void)step(&r, SIGHT_SHOWN, SIGHT_MISSING, 900, NOW);
	assert_true(rotation_is_settled(&r.keys[0], NOW));
	(void)step(&r, SIGHT_MISSING, SIGHT_MISSING, 900, NOW + 100);
	assert_false(rotation_is_settled(&r.keys[0], NOW + 100));
	(void)step(&r, SIGHT_UNKNOWN, SIGHT_MISSING, 900, NOW + 200);
	assert_false(rotation_is_settled(&r.keys[0], NOW + 5000));
	(void)step(&r, SIGHT_SHOWN, SIGHT_MISSING, 900, NOW + 300);
	assert_false(rotation_is_settled(&r.keys[0], NOW + 1199));
	assert_true(rotation_is_settled(&r.keys[0], NOW + 1200));
	/* a server that does not answer says nothing against it */
	(void)step(&r, SIGHT_UNKNOWN, SIGHT_MISSING, 900, NOW + 1300);
	assert_true(rotation_is_settled(&r.keys[0], NOW + 1300));
	assert_int_equal(r.keys[0].state, ROTATION_ACTIVE);
}

static void
test_algorithms_rotate_on_their_own(void **state)
{
	const struct rotation_sight all[3] = { { SIGHT_SHOWN, 60 }, { SIGHT_SHOWN, 60 },
		{ SIGHT_SHOWN, 60 } };
	struct err err = { 0 };
	struct rotation r;

	(void)state;
	begin(&r);
	assert_true(rotation_begin(&r, "new-e", DKIM_ED25519_SHA256, NOW, &err));
	(void)rotation_step(&r, all, &rules, NOW);
	r.keys[1].shown_since = 0;
	r.keys[1].negative_ttl_s = 90000;
	assert_true(rotation_step(&r, all, &rules, NOW + 3600));
	assert_int_equal(r.keys[0].state, ROTATION_ACTIVE); /* RSA, and its successor waits */
	assert_int_equal(r.keys[1].state, ROTATION_PENDING);
	assert_int_equal(r.keys[2].state, ROTATION_ACTIVE);
}

static void
test_what_cannot_begin_says_why(void **state)
{
	struct err err = { 0 };
	struct rotation r;

	(void)state;
	begin(&r);
	assert_false(rotation_begin(&r, "newer", DKIM_RSA_SHA256, NOW, &err));
	assert_non_null(strstr(err.text, "\"new\" (rsa-sha256) is pending already"));
	assert_false(rotation_begin(&r, "OLD", DKIM_ED25519_SHA256, NOW, &err));
	assert_non_null(strstr(err.text, "was used already"));
	assert_false(rotation_begin(&r, "no good", DKIM_ED25519_SHA256, NOW, &err));
	assert_non_null(strstr(err.text, "is not a selector"));
	assert_int_equal(r.count, 2);
}

static void
test_the_longest_retired_key_makes_room(void **state)
{
	struct err err = { 0 };
	struct rotation r = { 0 };
	char name[16];

	(void)state;
	for (int i = 0; i < ROTATION_KEYS_MAX; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		assert_true(rotation_adopt(&r, name, DKIM_RSA_SHA256, NOW));
	}
	assert_false(rotation_begin(&r, "more", DKIM_RSA_SHA256, NOW, &err));
	assert_int_equal(err.kind, ERR_LIMIT);
	r.keys[1].state = r.keys[3].state = r.keys[7].state = ROTATION_RETIRED;
	r.keys[3].is_configured = r.keys[7].is_configured = false;
	r.keys[1].since = NOW - 9; /* the oldest, but it may still be in the configuration */
	r.keys[3].since = NOW + 9;
	assert_true(rotation_begin(&r, "more", DKIM_RSA_SHA256, NOW, &err));
	assert_int_equal(r.count, ROTATION_KEYS_MAX);
	assert_null(rotation_find(&r, "k7"));
	assert_non_null(rotation_find(&r, "k1"));
	assert_non_null(rotation_find(&r, "k3"));
	assert_int_equal(rotation_find(&r, "more")->state, ROTATION_PENDING);
}

/* ---- the file ---- */

struct folder {
	char path[64];
};

static int
set_up(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));
	char below[128];

	assert_non_null(f);
	snprintf(f->path, sizeof(f->path), "/tmp/gatepost-test-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	snprintf(below, sizeof(below), "%s/example.com", f->path);
	assert_int_equal(mkdir(below, 0750), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct folder *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/example.com/states", f->path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/example.com", f->path);
	rmdir(path);
	assert_int_equal(rmdir(f->path), 0); /* nothing else was left */
	free(f);
	return 0;
}

static void
test_states_come_back_as_they_were(void **state)
{
	const struct folder *f = *state;
	struct rotation r, back;
	struct err err = { 0 };

	begin(&r);
	r.keys[0].state = ROTATION_RETIRING;
	r.keys[0].ttl_s = 86400;
	r.keys[0].is_in_use = true;
	r.keys[1].shown_since = NOW + 5;
	r.keys[1].negative_ttl_s = 900;
	assert_true(rotation_write(f->path, "example.com", &r, &err));
	assert_true(rotation_write(f->path, "example.com", &r, &err));
	assert_true(rotation_read(f->path, "example.com", &back, &err));
	assert_int_equal(back.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(back.keys[i].selector, r.keys[i].selector);
		assert_int_equal(back.keys[i].algorithm, r.keys[i].algorithm);
		assert_int_equal(back.keys[i].state, r.keys[i].state);
		assert_int_equal(back.keys[i].is_configured, r.keys[i].is_configured);
		assert_int_equal(back.keys[i].is_in_use, r.keys[i].is_in_use);
		assert_int_equal(back.keys[i].since, r.keys[i].since);
		assert_int_equal(back.keys[i].shown_since, r.keys[i].shown_since);
		assert_int_equal(back.keys[i].ttl_s, r.keys[i].ttl_s);
		assert_int_equal(back.keys[i].negative_ttl_s, r.keys[i].negative_ttl_s);
	}
}

static void
test_no_file_is_no_rotation(void **state)
{
	const struct folder *f = *state;
	struct err err = { 0 };
	struct rotation r;

	assert_true(rotation_read(f->path, "example.com", &r, &err));
	assert_int_equal(r.count, 0);
	assert_true(rotation_read(f->path, "example.net", &r, &err)); /* no folder either */
}

static void
test_a_damaged_file_is_an_error_with_its_line(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "does not end in a whole line" },
		{ "gatepost-rotation 2\n", ":1:" },
		{ "gatepost-rotation 1\nnew rsa-sha256 pending made 1 0 0 0 0", "whole line" },
		{ "gatepost-rotation 1\nnew rsa-sha256 pending made 1 0 0 0\n", ":2:" },
		{ "gatepost-rotation 1\nnew rsa-sha256 pending made 1 0 0 0 0 0\n", ":2:" },
		{ "gatepost-rotation 1\nnew rsa-sha256 pending made 1 0 0 0 2\n", ":2:" },
		{ "gatepost-rotation 1\nnew rsa-sha1 pending made 1 0 0 0 0\n", ":2:" },
		{ "gatepost-rotation 1\nnew rsa-sha256 hoping made 1 0 0 0 0\n", ":2:" },
		{ "gatepost-rotation 1\nnew rsa-sha256 pending found 1 0 0 0 0\n", ":2:" },
		{ "gatepost-rotation 1\n../x rsa-sha256 pending made 1 0 0 0 0\n", ":2:" },
		{ "gatepost-rotation 1\nnew rsa-sha256 pending made -1 0 0 0 0\n", ":2:" },
		{ "gatepost-rotation 1\n\n", ":2:" },
		{ "gatepost-rotation 1\na rsa-sha256 active made 1 0 0 0 0\n"
		  "A rsa-sha256 active made 1 0 0 0 0\n",
		    ":3: the selector is there twice" },
	};
	const struct folder *f = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/example.com/states", f->path);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		FILE *file = fopen(path, "w");
		struct err err = { 0 };
		struct rotation r;

		assert_non_null(file);
		fputs(cases[i].text, file);
		assert_int_equal(fclose(file), 0);
		assert_false(rotation_read(f->path, "example.com", &r, &err));
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, err.text);
	}
}

static void
test_one_at_a_time(void **state)
{
	const struct folder *f = *state;
	struct err err = { 0 };
	int first = rotation_lock(f->path, "example.com", clock_mono_ms(), &err);

	assert_true(first >= 0);
	assert_int_equal(rotation_lock(f->path, "example.com", clock_mono_ms() + 50, &err), -1);
	assert_non_null(strstr(err.text, "cannot be locked"));
	rotation_unlock(&first);
	first = rotation_lock(f->path, "example.com", clock_mono_ms(), &err);
	assert_true(first >= 0);
	rotation_unlock(&first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_signs_when_every_server_has_shown_it_long_enough),
		cmocka_unit_test(test_a_server_without_it_begins_the_wait_anew),
		cmocka_unit_test(test_a_server_that_does_not_answer_is_no_confirmation),
		cmocka_unit_test(test_what_resolvers_may_still_believe_is_waited_for),
		cmocka_unit_test(test_nobody_makes_it_wait_for_ever),
		cmocka_unit_test(test_a_clock_that_went_back_does_not_end_the_wait),
		cmocka_unit_test(
		    test_a_retiring_key_stays_for_the_longer_of_ttl_and_queue_life),
		cmocka_unit_test(test_a_key_does_not_retire_while_its_successor_is_not_shown),
		cmocka_unit_test(test_a_retiring_key_that_signs_again_starts_its_wait_anew),
		cmocka_unit_test(test_an_active_key_that_was_lost_waits_before_it_signs_again),
		cmocka_unit_test(test_algorithms_rotate_on_their_own),
		cmocka_unit_test(test_what_cannot_begin_says_why),
		cmocka_unit_test(test_the_longest_retired_key_makes_room),
		cmocka_unit_test_setup_teardown(
		    test_states_come_back_as_they_were, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_file_is_no_rotation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_damaged_file_is_an_error_with_its_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
