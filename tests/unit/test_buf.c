/* SPDX-License-Identifier: MPL-2.0 */
/* Buffers: the cap holds, a failed add changes nothing. */
#include "lib/base/buf.h"
#include "lib/base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
nothing_is_allocated_before_the_first_octet(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100);
	assert_null(b.p);
	assert_true(buf_add(&b, NULL, 0));
	assert_null(b.p);
	assert_non_null(buf_view(&b).p);
	buf_finish(&b);
}

static void
the_cap_can_be_reached_and_not_passed(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < 200; cap++) {
		struct buf b;
		buf_init(&b, cap);
		for (size_t i = 0; i < cap; i++)
			assert_true(buf_add_char(&b, (char)i));
		assert_false(buf_add_char(&b, 'x'));
		assert_false(buf_printf(&b, "%d", 1));
		assert_true(buf_printf(&b, "%s", ""));
		assert_int_equal(b.len, cap);
		assert_true(b.room <= cap);
		for (size_t i = 0; i < cap; i++)
			assert_int_equal((unsigned char)b.p[i], i);
		buf_finish(&b);
	}
}

static void
an_add_that_does_not_fit_changes_nothing(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 5);
	assert_true(buf_add_str(&b, "abc"));
	assert_false(buf_add_str(&b, "def"));
	assert_false(buf_add_view(&b, VIEW("def")));
	assert_false(buf_printf(&b, "%s", "def"));
	assert_null(buf_reserve(&b, 3));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_true(view_eq(buf_view(&b), VIEW("abc")));
	assert_true(buf_add_view(&b, VIEW("de")));
	assert_true(view_eq(buf_view(&b), VIEW("abcde")));
	buf_finish(&b);
}

static void
printf_of_any_length_is_whole(void **state)
{
	(void)state;
	for (int width = 1; width < 3000; width += 37) {
		struct buf b;
		buf_init(&b, (size_t)width + 1);
		assert_true(buf_printf(&b, "%*d", width, 7));
		assert_true(buf_printf(&b, "%c", 'x'));
		assert_int_equal(b.len, (size_t)width + 1);
		assert_int_equal(b.p[width - 1], '7');
		assert_false(buf_printf(&b, "%*d", width, 7));
		buf_finish(&b);
	}
}

static void
reserve_and_commit_add_what_was_written(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	assert_true(buf_add_str(&b, "head "));
	char *to = buf_reserve(&b, 900);
	assert_non_null(to);
	memset(to, 'y', 900);
	buf_commit(&b, 3);
	assert_true(view_eq(buf_view(&b), VIEW("head yyy")));
	buf_finish(&b);
}

static void
drop_forgets_the_front(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100);
	buf_drop(&b, 0);
	assert_true(buf_add_str(&b, "one two"));
	buf_drop(&b, 4);
	assert_true(view_eq(buf_view(&b), VIEW("two")));
	buf_drop(&b, 3);
	assert_int_equal(b.len, 0);
	buf_finish(&b);
}

static void
release_gives_memory_back_and_keeps_the_cap(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 3);
	assert_true(buf_add_str(&b, "abc"));
	buf_clear(&b);
	assert_non_null(b.p);
	assert_true(buf_add_str(&b, "def"));
	buf_release(&b);
	assert_null(b.p);
	assert_true(buf_add_str(&b, "ghi"));
	assert_false(buf_add_char(&b, 'j'));
	buf_finish(&b);
}

/* Stands in for lib/base/secret.c: what is wiped, with what stood there. */
static char wiped[256];
static size_t wiped_len;

void
secret_wipe(void *p, size_t len)
{
	assert_true(len <= sizeof(wiped));
	memcpy(wiped, p, len);
	wiped_len = len;
	explicit_bzero(p, len);
}

static void
a_secret_leaves_no_copy_when_it_grows(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 256);
	buf_set_secret(&b);
	assert_true(buf_add_str(&b, "password"));
	const size_t room = b.room;
	assert_int_equal(wiped_len, 0);
	assert_non_null(buf_reserve(&b, room));
	assert_int_equal(wiped_len, room);
	assert_memory_equal(wiped, "password", 8);
	assert_true(view_eq(buf_view(&b), VIEW("password")));
	buf_finish(&b);
	assert_true(wiped_len > room);
	assert_memory_equal(wiped, "password", 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_allocated_before_the_first_octet),
		cmocka_unit_test(the_cap_can_be_reached_and_not_passed),
		cmocka_unit_test(an_add_that_does_not_fit_changes_nothing),
		cmocka_unit_test(printf_of_any_length_is_whole),
		cmocka_unit_test(reserve_and_commit_add_what_was_written),
		cmocka_unit_test(drop_forgets_the_front),
		cmocka_unit_test(release_gives_memory_back_and_keeps_the_cap),
		cmocka_unit_test(a_secret_leaves_no_copy_when_it_grows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
