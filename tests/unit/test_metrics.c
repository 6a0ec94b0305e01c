/* SPDX-License-Identifier: MPL-2.0 */
/* lib/base/metrics: counting from many threads, the cap, and the text that Prometheus reads. */
#include "lib/base/metrics.h"

#include "lib/base/buf.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define THREADS	 4
#define TURNS	 2000
#define KINDS	 50
#define OVERFLOW 20

METRIC_COUNTER(plain, "test_a_total", "Without labels.", NULL);
METRIC_GAUGE(level, "test_b", "Goes up and down.", NULL);
METRIC_COUNTER(shared, "test_c_total", "From many threads.", "kind", "parity");
METRIC_COUNTER(quoted, "test_d_total", "Awkward values.", "text");
METRIC_COUNTER(many, "test_e_total", "Too many values.", "n");

static struct buf
printed(size_t cap, bool expect_ok)
{
	struct buf out;

	buf_init(&out, cap);
	assert_int_equal(metrics_print(&out), expect_ok);
	return out;
}

static bool
has(const struct buf *out, const char *text)
{
	return memmem(out->p, out->len, text, strlen(text)) != NULL;
}

static void
test_without_labels(void **state)
{
	struct buf out;

	(void)state;
	out = printed(1 << 20, true);
	assert_true(has(&out, "\ntest_a_total 0\n"));
	buf_finish(&out);
	metric_add(&plain, 2, NULL);
	metric_add(&plain, 3, NULL);
	metric_add(&level, 7, NULL);
	metric_add(&level, -9, NULL);
	assert_int_equal(metric_value(&plain, NULL), 5);
	out = printed(1 << 20, true);
	assert_true(
	    has(&out, "# HELP test_a_total Without labels.\n# TYPE test_a_total counter\n"
		      "test_a_total 5\n# HELP test_b Goes up and down.\n# TYPE test_b "
		      "gauge\ntest_b -2\n"));
	buf_finish(&out);
}

static void *
count_shared(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		char kind[16];

		(void)snprintf(kind, sizeof(kind), "k%d", i % KINDS);
		metric_add(&shared, 1, METRIC_LABELS(kind, i % 2 == 0 ? "even" : "odd"));
	}
	return NULL;
}

static void
test_many_threads_lose_nothing(void **state)
{
	pthread_t threads[THREADS];
	int64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_shared, NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < KINDS; i++) {
		char kind[16];

		(void)snprintf(kind, sizeof(kind), "k%d", i);
		int64_t n =
		    metric_value(&shared, METRIC_LABELS(kind, i % 2 == 0 ? "even" : "odd"));
		assert_int_equal(n, THREADS * TURNS / KINDS);
		assert_int_equal(
		    metric_value(&shared, METRIC_LABELS(kind, i % 2 == 0 ? "odd" : "even")), 0);
		sum += n;
	}
	assert_int_equal(sum, THREADS * TURNS);
}

static void
test_values_are_escaped(void **state)
{
	struct buf out;

	(void)state;
	metric_add(&quoted, 1, METRIC_LABELS("a\"b\\c\nd"));
	metric_add(&quoted, 1, METRIC_LABELS(""));
	out = printed(1 << 20, true);
	assert_true(has(&out, "\ntest_d_total{text=\"a\\\"b\\\\c\\nd\"} 1\n"));
	assert_true(has(&out, "\ntest_d_total{text=\"\"} 1\n"));
	buf_finish(&out);
}

static void
test_too_many_combinations_count_together(void **state)
{
	struct buf out;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < METRIC_SERIES_MAX + OVERFLOW; i++) {
			char n[16];

			(void)snprintf(n, sizeof(n), "%d", i);
			metric_add(&many, 1, METRIC_LABELS(n));
		}
	}
	assert_int_equal(metric_value(&many, METRIC_LABELS("0")), 2);
	assert_int_equal(metric_value(&many, METRIC_LABELS("499")), 2);
	assert_int_equal(metric_value(&many, METRIC_LABELS("500")), 0);
	out = printed(1 << 20, true);
	assert_true(has(&out, "\ntest_e_total{n=\"other\"} 40\n"));
	buf_finish(&out);
}

static void
test_a_cap_is_an_error(void **state)
{
	struct buf out;

	(void)state;
	out = printed(200, false);
	buf_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_labels),
		cmocka_unit_test(test_many_threads_lose_nothing),
		cmocka_unit_test(test_values_are_escaped),
		cmocka_unit_test(test_too_many_combinations_count_together),
		cmocka_unit_test(test_a_cap_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
