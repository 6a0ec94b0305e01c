/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/base/buf.h"
#include "lib/base/name_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MANY 3000

struct names {
	char text[MANY][16];
	struct name_index index;
};

static struct view
name_at(const void *array, size_t number)
{
	const struct names *names = array;

	return view_of(names->text[number]);
}

static void
an_empty_index_knows_nothing(void **state)
{
	struct names *names = *state;

	assert_true(name_index_find(&names->index, names, view_of("a")) == SIZE_MAX);
}

static void
every_name_is_found_at_its_number_in_any_case(void **state)
{
	struct names *names = *state;

	for (size_t i = 0; i < MANY; i++) {
		snprintf(names->text[i], sizeof(names->text[i]), "Name-%zu", i);
		assert_true(name_index_add(&names->index, names));
	}
	for (size_t i = 0; i < MANY; i++) {
		char upper[16];

		snprintf(upper, sizeof(upper), "NAME-%zu", i);
		assert_int_equal(name_index_find(&names->index, names, view_of(upper)), i);
	}
	assert_true(name_index_find(&names->index, names, view_of("name-3000")) == SIZE_MAX);
	assert_true(name_index_find(&names->index, names, view_of("")) == SIZE_MAX);
}

static void
a_second_one_of_the_name_is_not_added(void **state)
{
	struct names *names = *state;

	snprintf(names->text[0], sizeof(names->text[0]), "alice");
	snprintf(names->text[1], sizeof(names->text[1]), "ALICE");
	assert_true(name_index_add(&names->index, names));
	assert_false(name_index_add(&names->index, names));
	assert_int_equal(names->index.count, 1);
	snprintf(names->text[1], sizeof(names->text[1]), "bob"); /* its place is free still */
	assert_true(name_index_add(&names->index, names));
	assert_int_equal(name_index_find(&names->index, names, view_of("bob")), 1);
	assert_int_equal(name_index_find(&names->index, names, view_of("Alice")), 0);
}

static int
begin(void **state)
{
	static struct names names;

	name_index_init(&names.index, name_at);
	*state = &names;
	return 0;
}

static int
end(void **state)
{
	struct names *names = *state;

	name_index_finish(&names->index);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_index_knows_nothing, begin, end),
		cmocka_unit_test_setup_teardown(
		    every_name_is_found_at_its_number_in_any_case, begin, end),
		cmocka_unit_test_setup_teardown(
		    a_second_one_of_the_name_is_not_added, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
