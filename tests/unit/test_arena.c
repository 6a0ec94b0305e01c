/* SPDX-License-Identifier: MPL-2.0 */
/* Arenas: what is given out is zeroed, aligned, and nobody else's. */
#include "lib/base/arena.h"

#include <stdalign.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
memory_is_zeroed_and_aligned_at_every_size(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a);
	assert_null(a.chunks);
	for (size_t size = 0; size < 2000; size += 7) {
		unsigned char *p = arena_alloc(&a, size);
		assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
	arena_finish(&a);
}

static void
pieces_do_not_overlap(void **state)
{
	(void)state;
	enum { COUNT = 500 };
	struct arena a;
	unsigned char *pieces[COUNT];
	size_t sizes[COUNT];
	arena_init(&a);
	for (size_t i = 0; i < COUNT; i++) {
		sizes[i] = i % 50 == 0 ? 40000 : 1 + i * 31 % 700;
		pieces[i] = arena_alloc(&a, sizes[i]);
		memset(pieces[i], (int)(i % 251), sizes[i]);
	}
	for (size_t i = 0; i < COUNT; i++)
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(pieces[i][j], i % 251);
	arena_finish(&a);
}

static void
copies_are_terminated_and_keep_their_octets(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a);
	assert_string_equal(arena_strdup(&a, VIEW("text")), "text");
	assert_string_equal(arena_strdup(&a, view_make(NULL, 0)), "");
	struct view copy = arena_view(&a, VIEW("a\0b"));
	assert_true(view_eq(copy, VIEW("a\0b")));
	assert_int_equal(copy.p[3], '\0');
	arena_finish(&a);
}

static void
printf_of_any_length_is_whole(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a);
	for (int width = 1; width < 1000; width++) {
		char *text = arena_printf(&a, "%*d", width, 5);
		assert_int_equal(strlen(text), width);
		assert_int_equal(text[width - 1], '5');
	}
	arena_finish(&a);
}

static void
a_finished_arena_is_usable_again(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a);
	arena_finish(&a);
	assert_string_equal(arena_strdup(&a, VIEW("one")), "one");
	arena_finish(&a);
	assert_null(a.chunks);
	assert_string_equal(arena_strdup(&a, VIEW("two")), "two");
	arena_finish(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned_at_every_size),
		cmocka_unit_test(pieces_do_not_overlap),
		cmocka_unit_test(copies_are_terminated_and_keep_their_octets),
		cmocka_unit_test(printf_of_any_length_is_whole),
		cmocka_unit_test(a_finished_arena_is_usable_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
