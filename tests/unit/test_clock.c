/* SPDX-License-Identifier: MPL-2.0 */
/* The clocks: they stand still when told to; what is left of a deadline fits poll(2). */
#include "lib/base/clock.h"

#include <limits.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
fake_clocks_stand_still(void **state)
{
	(void)state;
	clock_fake_set(1000, 1795553870);
	assert_int_equal(clock_mono_ms(), 1000);
	assert_int_equal(clock_real_s(), 1795553870);
	assert_int_equal(clock_real_ms(), 1795553870000);
	clock_fake_set(0, 0);
	assert_int_equal(clock_mono_ms(), 0);
	assert_int_equal(clock_real_s(), 0);
}

static void
what_is_left_is_never_negative_nor_over_int_max(void **state)
{
	(void)state;
	clock_fake_set(1000, 0);
	assert_int_equal(clock_left_ms(1500), 500);
	assert_int_equal(clock_left_ms(1000), 0);
	assert_int_equal(clock_left_ms(999), 0);
	assert_int_equal(clock_left_ms(INT64_MIN), 0);
	assert_int_equal(clock_left_ms(CLOCK_NEVER), INT_MAX);
	assert_int_equal(clock_left_ms(1000 + (int64_t)INT_MAX), INT_MAX);
	assert_int_equal(clock_left_ms(999 + (int64_t)INT_MAX), INT_MAX - 1);
}

static void
the_true_clocks_come_back(void **state)
{
	(void)state;
	clock_fake_set(-1, -1);
	int64_t before = clock_mono_ms();
	assert_true(clock_mono_ms() >= before);
	assert_true(clock_real_s() > 1700000000);
	assert_true(clock_real_ms() / 1000 - clock_real_s() <= 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fake_clocks_stand_still),
		cmocka_unit_test(what_is_left_is_never_negative_nor_over_int_max),
		cmocka_unit_test(the_true_clocks_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
