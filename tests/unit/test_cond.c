/* SPDX-License-Identifier: MPL-2.0 */
/* Waiting on a condition: until a signal, or until the deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/cond.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool is_done;

static void *
finish(void *arg)
{
	pthread_mutex_lock(&lock);
	is_done = true;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
	return arg;
}

static void
test_a_signal_ends_the_wait(void **state)
{
	pthread_t thread;
	bool in_time = true;

	(void)state;
	pthread_mutex_lock(&lock);
	assert_int_equal(pthread_create(&thread, NULL, finish, NULL), 0);
	while (!is_done && in_time)
		in_time = cond_wait(&cond, &lock, CLOCK_NEVER);
	assert_true(is_done);
	pthread_mutex_unlock(&lock);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void
test_the_deadline_ends_the_wait(void **state)
{
	const int64_t deadline_ms = clock_mono_ms() + 30;

	(void)state;
	pthread_mutex_lock(&lock);
	while (cond_wait(&cond, &lock, deadline_ms))
		;
	pthread_mutex_unlock(&lock);
	assert_true(clock_mono_ms() >= deadline_ms);
}

static void
test_a_deadline_that_is_past_does_not_wait(void **state)
{
	(void)state;
	clock_fake_set(5000, 1795000000); /* the clock of a test stands still */
	pthread_mutex_lock(&lock);
	assert_false(cond_wait(&cond, &lock, 4000));
	assert_false(cond_wait(&cond, &lock, 5000));
	assert_false(cond_wait(&cond, &lock, 5001)); /* what is left runs in real time */
	pthread_mutex_unlock(&lock);
	clock_fake_set(-1, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_signal_ends_the_wait),
		cmocka_unit_test(test_the_deadline_ends_the_wait),
		cmocka_unit_test(test_a_deadline_that_is_past_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
