/* SPDX-License-Identifier: MPL-2.0 */
/* JSON as it is written: texts of any octets, nesting, and a buffer that is too small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/json.h"

#define TEXT(literal) (literal), sizeof(literal) - 1

static void
expect(const struct buf *out, const char *text)
{
	assert_int_equal(out->len, strlen(text));
	assert_memory_equal(out->p, text, out->len);
}

static void
test_texts(void **state)
{
	static const struct {
		const char *says;
		const char *text;
		size_t len;
		const char *json;
	} cases[] = {
		{ "plain", TEXT("a b"), "\"a b\"" },
		{ "nothing", TEXT(""), "\"\"" },
		{ "quotes and backslashes", TEXT("a\"b\\c"), "\"a\\\"b\\\\c\"" },
		{ "control characters", TEXT("a\r\n\t\0\x7f"),
		    "\"a\\u000d\\u000a\\u0009\\u0000\\u007f\"" },
		{ "two octets of UTF-8", TEXT("\xc3\xa4"), "\"\\u00e4\"" },
		{ "three", TEXT("\xe2\x82\xac"), "\"\\u20ac\"" },
		{ "four are two surrogates", TEXT("\xf0\x9f\x93\xa7"), "\"\\ud83d\\udce7\"" },
		{ "Latin-1 is not UTF-8", TEXT("\xe4x"), "\"\\ufffdx\"" },
		{ "an overlong form is none", TEXT("\xc0\xaf"), "\"\\ufffd\\ufffd\"" },
		{ "an overlong form of three octets", TEXT("\xe0\x80\xaf"),
		    "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "a surrogate is none", TEXT("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "over U+10FFFF", TEXT("\xf4\x90\x80\x80"),
		    "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "cut at the end", TEXT("a\xe2\x82"), "\"a\\ufffd\\ufffd\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json j;
		struct buf out;

		buf_init(&out, 1000);
		json_begin(&j, &out);
		json_view(&j, NULL, view_make(cases[i].text, cases[i].len));
		assert_true(json_end(&j));
		if (!view_eq(buf_view(&out), view_of(cases[i].json)))
			fail_msg("%s: %.*s", cases[i].says, VIEW_ARG(buf_view(&out)));
		buf_finish(&out);
	}
}

static void
build(struct json *j)
{
	json_open(j, NULL, '{');
	json_str(j, "a", "x");
	json_open(j, "list", '[');
	json_int(j, NULL, -5);
	json_open(j, NULL, '{');
	json_close(j);
	json_open(j, NULL, '[');
	json_bool(j, NULL, true);
	json_bool(j, NULL, false);
	json_close(j);
	json_close(j);
	json_str(j, "none", NULL);
	json_close(j);
}

static const char built[] = "{\"a\":\"x\",\"list\":[-5,{},[true,false]],\"none\":null}";

static void
test_nesting(void **state)
{
	struct json j;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	json_begin(&j, &out);
	build(&j);
	assert_true(json_end(&j));
	expect(&out, built);
	buf_finish(&out);
}

static void
test_every_cap_but_the_right_one_is_told(void **state)
{
	(void)state;
	for (size_t cap = 0; cap <= strlen(built); cap++) {
		struct json j;
		struct buf out;

		buf_init(&out, cap);
		json_begin(&j, &out);
		build(&j);
		assert_int_equal(json_end(&j), cap == strlen(built));
		buf_finish(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_every_cap_but_the_right_one_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
