/* SPDX-License-Identifier: MPL-2.0 */
/* lib/base/base64: one spelling for every value. */
#include "lib/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *name;
	struct view text, value;
} good[] = {
	{ "nothing is nothing", { "", 0 }, { "", 0 } },
	{ "one octet has two paddings", { "Zg==", 4 }, { "f", 1 } },
	{ "two octets have one", { "Zm8=", 4 }, { "fo", 2 } },
	{ "three have none", { "Zm9v", 4 }, { "foo", 3 } },
	{ "six octets", { "Zm9vYmFy", 8 }, { "foobar", 6 } },
	{ "NUL octets are octets", { "AGEAYg==", 8 }, { "\0a\0b", 4 } },
	{ "plus and slash", { "+/+/", 4 }, { "\xfb\xff\xbf", 3 } },
	{ "high octets", { "//79", 4 }, { "\xff\xfe\xfd", 3 } },
};

static const struct {
	const char *name;
	struct view text;
} bad[] = {
	{ "padding is missing", { "Zg", 2 } },
	{ "one padding is missing", { "Zg=", 3 } },
	{ "padding alone", { "====", 4 } },
	{ "three paddings", { "Z===", 4 } },
	{ "padding in the middle", { "Zg==Zg==", 8 } },
	{ "padding before the last character", { "Zg=v", 4 } },
	{ "a lone equals sign", { "=", 1 } },
	{ "five characters", { "Zm9vY", 5 } },
	{ "a blank", { "Zm 9", 4 } },
	{ "a line end", { "Zm9v\r\n==", 8 } },
	{ "a NUL", { "Zm9\0", 4 } },
	{ "the URL alphabet", { "-_-_", 4 } },
	{ "a high octet", { "Zm9\xc3", 4 } },
	{ "spare bits of one octet are set", { "Zh==", 4 } },
	{ "spare bits of two octets are set", { "Zm9=", 4 } },
};

static void
test_good(void **state)
{
	char out[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		print_message("%s\n", good[i].name);
		assert_true(base64_decode(good[i].text, out, sizeof(out), &len));
		assert_true(view_eq(view_make(out, len), good[i].value));
		assert_true(base64_encode(good[i].value, out, sizeof(out), &len));
		assert_true(view_eq(view_make(out, len), good[i].text));
	}
}

static void
test_bad(void **state)
{
	char out[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		print_message("%s\n", bad[i].name);
		assert_false(base64_decode(bad[i].text, out, sizeof(out), &len));
		assert_int_equal(len, 0);
	}
}

static void
test_room(void **state)
{
	char out[8];
	size_t len;

	(void)state;
	assert_true(base64_decode(VIEW("Zm8="), out, 2, &len));
	assert_false(base64_decode(VIEW("Zm8="), out, 1, &len));
	assert_true(base64_encode(VIEW("fo"), out, 4, &len));
	assert_false(base64_encode(VIEW("fo"), out, 3, &len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
