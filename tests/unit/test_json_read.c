/* SPDX-License-Identifier: MPL-2.0 */
/* JSON as it is read: what is one value and what is none, texts, numbers, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/base/json_read.h"

#define TEXT(literal) (literal), sizeof(literal) - 1

static const struct json_value *
read_text(const char *text, struct arena *arena)
{
	return json_read(view_of(text), arena);
}

static void
test_what_is_json_and_what_is_not(void **state)
{
	static const struct {
		const char *text;
		bool is_json;
	} cases[] = {
		{ "{}", true },
		{ " [ ] \r\n", true },
		{ "[1,-0,0.5,1e9,-1.5E+3]", true },
		{ "{\"a\":{\"b\":[true,false,null]}}", true },
		{ "\"x\"", true },
		{ "", false },
		{ " ", false },
		{ "[1,]", false },
		{ "[,1]", false },
		{ "[1 2]", false },
		{ "[1", false },
		{ "{\"a\":1,}", false },
		{ "{\"a\"}", false },
		{ "{a:1}", false },
		{ "{1:1}", false },
		{ "{\"a\":1", false },
		{ "{} {}", false },
		{ "{}x", false },
		{ "]", false },
		{ "01", false },
		{ "1.", false },
		{ ".5", false },
		{ "-", false },
		{ "+1", false },
		{ "1e", false },
		{ "tru", false },
		{ "nulll", false },
		{ "\"x", false },
		{ "\"\\\"", false },
		{ "\"\\x\"", false },
		{ "\"\\u12\"", false },
		{ "\"\\u12G4\"", false },
		{ "\"a\nb\"", false },
		{ "'x'", false },
	};
	struct arena arena;

	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if ((read_text(cases[i].text, &arena) != NULL) != cases[i].is_json)
			fail_msg("%s", cases[i].text);
	}
	assert_null(json_read(VIEW("\"a\0b\""), &arena));
	arena_finish(&arena);
}

static void
test_texts(void **state)
{
	static const struct {
		const char *json, *text;
		size_t len;
	} cases[] = {
		{ "\"\"", TEXT("") },
		{ "\"a\\\"b\\\\c\\/d\"", TEXT("a\"b\\c/d") },
		{ "\"\\b\\f\\n\\r\\t\"", TEXT("\b\f\n\r\t") },
		{ "\"\\u0000\\u0041\\u007f\"", TEXT("\0A\x7f") },
		{ "\"\\u00e4\\u20AC\"", TEXT("\xc3\xa4\xe2\x82\xac") },
		{ "\"\\ud83d\\udce7\"", TEXT("\xf0\x9f\x93\xa7") },
		{ "\"\\ud83dx\"", TEXT("\xef\xbf\xbdx") },
		{ "\"\\ud83d\\u0041\"", TEXT("\xef\xbf\xbd\x41") },
		{ "\"\\udce7\"", TEXT("\xef\xbf\xbd") },
		{ "\"\xc3\xa4\xff\"", TEXT("\xc3\xa4\xff") },
	};
	struct arena arena;

	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct json_value *v = read_text(cases[i].json, &arena);

		assert_non_null(v);
		assert_int_equal(v->type, JSON_STRING);
		if (!view_eq(v->text, view_make(cases[i].text, cases[i].len)))
			fail_msg("%s", cases[i].json);
	}
	arena_finish(&arena);
}

static void
test_looking_into_it(void **state)
{
	struct arena arena;
	const struct json_value *v;

	(void)state;
	arena_init(&arena);
	v = read_text(
	    "{\"n\":-12,\"f\":1.5,\"big\":99999999999999999999,\"s\":\"x\",\"b\":true,"
	    "\"list\":[{\"k\":1},{\"k\":2}],\"n\":3}",
	    &arena);
	assert_int_equal(json_get_int(v, "n"), -12);
	assert_int_equal(json_get_int(v, "f"), 0);
	assert_int_equal(json_get_int(v, "big"), 0);
	assert_int_equal(json_get_int(v, "s"), 0);
	assert_int_equal(json_get_int(v, "none"), 0);
	assert_true(view_eq(json_get_text(v, "s"), VIEW("x")));
	assert_int_equal(json_get_text(v, "n").len, 0);
	assert_true(json_get_bool(v, "b"));
	assert_false(json_get_bool(v, "s"));
	v = json_first(v, "list");
	assert_int_equal(json_get_int(v, "k"), 1);
	assert_int_equal(json_get_int(v->next, "k"), 2);
	assert_null(v->next->next);
	assert_null(json_get(NULL, "k"));
	assert_null(json_first(v, "none"));
	arena_finish(&arena);
}

static void
test_limits(void **state)
{
	static char text[4 * JSON_READ_VALUES_MAX];
	struct arena arena;

	(void)state;
	arena_init(&arena);
	memset(text, '[', JSON_READ_DEPTH_MAX);
	memset(text + JSON_READ_DEPTH_MAX, ']', JSON_READ_DEPTH_MAX);
	assert_non_null(json_read(view_make(text, (size_t)2 * JSON_READ_DEPTH_MAX), &arena));
	memset(text, '[', JSON_READ_DEPTH_MAX + 1);
	memset(text + JSON_READ_DEPTH_MAX + 1, ']', JSON_READ_DEPTH_MAX + 1);
	assert_null(json_read(view_make(text, (size_t)2 * JSON_READ_DEPTH_MAX + 2), &arena));

	text[0] = '[';
	for (size_t i = 0; i < JSON_READ_VALUES_MAX; i++)
		memcpy(text + 1 + 2 * i, "1,", 2);
	text[(size_t)2 * JSON_READ_VALUES_MAX] = ']';
	assert_null(json_read(view_make(text, (size_t)2 * JSON_READ_VALUES_MAX + 1), &arena));
	text[(size_t)2 * JSON_READ_VALUES_MAX - 2] = ']';
	assert_non_null(
	    json_read(view_make(text, (size_t)2 * JSON_READ_VALUES_MAX - 1), &arena));
	arena_finish(&arena);
}

static void
test_what_is_written_is_read(void **state)
{
	char every[256];
	const struct json_value *v;
	struct arena arena;
	struct buf out;
	struct json j;

	(void)state;
	for (size_t i = 0; i < sizeof(every); i++)
		every[i] = (char)i;
	arena_init(&arena);
	buf_init(&out, 10000);
	json_begin(&j, &out);
	json_open(&j, NULL, '{');
	json_view(&j, "ascii", view_make(every, 128));
	json_view(&j, "all", view_make(every, 256));
	json_int(&j, "least", INT64_MIN + 1);
	json_raw(&j, "raw", VIEW("[1,2]"));
	json_raw(&j, "nothing", VIEW(""));
	json_close(&j);
	assert_true(json_end(&j));
	v = json_read(buf_view(&out), &arena);
	assert_non_null(v);
	assert_true(view_eq(json_get_text(v, "ascii"), view_make(every, 128)));
	assert_int_equal(json_get_text(v, "all").len, 128 + 3 * 128); /* U+FFFD each */
	assert_int_equal(json_get_int(v, "least"), INT64_MIN + 1);
	assert_non_null(json_first(v, "raw")->next);
	assert_null(json_get(v, "nothing"));
	buf_finish(&out);
	arena_finish(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_json_and_what_is_not),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_looking_into_it),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_what_is_written_is_read),
	};

	return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
