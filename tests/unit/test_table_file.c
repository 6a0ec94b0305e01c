/* SPDX-License-Identifier: MPL-2.0 */
/* Tables in files: what a line means, what is refused, and what becomes of a changed file. */
#include "lib/table/table_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/table_fixture.h"

#include <sys/stat.h>

struct line_case {
	const char *name;
	const char *text;
	const char *key;
	const char *result;
	const char *told;
};

static const struct line_case line_cases[] = {
	{ "a key has a value", "a 1\n", "a", "found", "1" },
	{ "the last line needs no end", "a 1\nb 2", "b", "found", "2" },
	{ "several values", "a\t1  2\t3\n", "a", "found", "1|2|3" },
	{ "a key may have none", "example.com\n", "example.com", "found", "" },
	{ "another key is absent", "a 1\n", "b", "absent", "" },
	{ "the case of a key does not count", "Example.COM x\n", "eXample.com", "found", "x" },
	{ "that of a value is kept", "a XyZ\n", "a", "found", "XyZ" },
	{ "blanks before a key do not count", "  a 1  \n", "a", "found", "1" },
	{ "a line may end in CR LF", "a 1\r\nb 2\r\n", "a", "found", "1" },
	{ "an empty file has nothing", "", "a", "absent", "" },
	{ "comments and empty lines are nothing", "# a 1\n\n \n  # b\n", "a", "absent", "" },
	{ "a # within a line is an ordinary character", "a #1 b#\n", "a", "found", "#1|b#" },
	{ "a quoted value holds blanks", "a \"no mail here\" x\n", "a", "found",
	    "no mail here|x" },
	{ "a quoted key holds blanks, and a #", "\"# a b\" 1\n", "# a b", "found", "1" },
	{ "a quoted value may be empty", "a \"\"\n", "a", "found", "" },
	{ "quotes and backslashes within quotes", "a \"\\\"x\\\\\"\n", "a", "found", "\"x\\" },
	{ "a quote within a word is an ordinary character", "a b\"c\n", "a", "found", "b\"c" },
	{ "octets over 127 are kept", "a b\xc3\xbc\n", "a", "found", "b\xc3\xbc" },
	{ "an empty key is absent", "a 1\n", "", "absent", "" },
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(line_cases); i++) {
		const struct line_case *c = &line_cases[i];
		struct table_fixture f;

		table_fixture_open(&f);
		table_fixture_set(&f);
		table_fixture_write(&f, c->text);
		f.table = table_fixture_find(&f, f.name);
		if (f.table == NULL)
			fail_msg("%s: %s", c->name, f.errors.lines[0]);
		if (strcmp(table_fixture_ask(&f, c->key), c->result) != 0 ||
		    strcmp(f.told, c->told) != 0)
			fail_msg("%s: %s", c->name, f.told);
		table_fixture_close(&f);
	}
}

struct bad_case {
	const char *name;
	const char *text;
	const char *error; /* behind the file's name */
};

static const struct bad_case bad_cases[] = {
	{ "a key twice", "a 1\nb 2\nA 3\n", ":3: key: \"A\" is there twice" },
	{ "a quote without an end", "a \"b\n", ":1: line: a quoted word" },
	{ "a quote whose end is escaped", "a \"b\\\"\n", ":1: line: a quoted word" },
	{ "a backslash at the end of a quote", "a \"b\\\n", ":1: line: a quoted word" },
	{ "something that sticks to a quote", "a \"b\"c\n", ":1: line: a quoted word" },
	{ "an empty key", "\"\" b\n", ":1: key: is empty" },
	{ "a control character", "a b\n\nc \x01\n", ":3: line: has a control character" },
	{ "a CR within a line", "a\rb\n", ":1: line: has a control character" },
};

static void
test_broken_files_are_refused_by_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_cases); i++) {
		struct table_fixture f;
		char error[200];

		table_fixture_open(&f);
		table_fixture_set(&f);
		table_fixture_write(&f, bad_cases[i].text);
		snprintf(error, sizeof(error), "%s%s", f.file, bad_cases[i].error);
		assert_null(table_fixture_find(&f, f.name));
		if (f.errors.count != 1 ||
		    strncmp(f.errors.lines[0], error, strlen(error)) != 0)
			fail_msg("%s: %s", bad_cases[i].name, f.errors.lines[0]);
		table_fixture_close(&f);
	}
}

/* parse - of a text with a NUL or of a great length. */
static size_t
errors_of(struct view text)
{
	struct conf_errors errors;
	struct table_text *t;
	size_t count;

	conf_errors_init(&errors);
	t = table_text_parse("t", text, &errors);
	count = errors.count;
	assert_true((t == NULL) == (count > 0));
	table_text_destroy(&t);
	conf_errors_finish(&errors);
	return count;
}

static void
test_limits(void **state)
{
	static char line[TABLE_LINE_MAX + 2];

	(void)state;
	assert_int_equal(errors_of(view_make("a\0b 1\n", 6)), 1);
	memset(line, 'k', sizeof(line));
	assert_int_equal(errors_of(view_make(line, TABLE_KEY_MAX)), 0);
	assert_int_equal(errors_of(view_make(line, TABLE_KEY_MAX + 1)), 1);
	line[1] = ' ';
	assert_int_equal(errors_of(view_make(line, 2 + TABLE_VALUE_MAX)), 0);
	assert_int_equal(errors_of(view_make(line, 2 + TABLE_VALUE_MAX + 1)), 1);
	for (size_t i = 1; i < sizeof(line); i += 2)
		line[i] = ' ';
	assert_int_equal(errors_of(view_make(line, 1 + 2 * TABLE_VALUES_MAX)), 0);
	assert_int_equal(errors_of(view_make(line, 1 + 2 * (TABLE_VALUES_MAX + 1))), 1);
	memset(line, '"', sizeof(line));
	assert_int_equal(errors_of(view_make(line, TABLE_LINE_MAX + 1)), 1);
	memset(line, '\n', sizeof(line));
	for (size_t i = 0; i < 200; i += 2)
		line[i] = '\x01';
	assert_int_equal(errors_of(view_make(line, 200)), TABLE_ERRORS_KEPT);
}

static void
test_many_keys_are_all_found(void **state)
{
	enum { KEYS = 3000 };
	static char text[KEYS * 16];
	struct table_fixture f;
	size_t len = 0;
	char key[16];

	(void)state;
	for (int i = 0; i < KEYS; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "k%d v%d\n", i, i);
	table_fixture_open(&f);
	table_fixture_set(&f);
	table_fixture_write(&f, text);
	f.table = table_fixture_find(&f, f.name);
	assert_non_null(f.table);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_string_equal(table_fixture_ask(&f, key), "found");
		assert_string_equal(f.told + 1, key + 1);
	}
	assert_string_equal(table_fixture_ask(&f, "k3000"), "absent");
	table_fixture_close(&f);
}

static void
test_a_changed_file_is_read_again_after_a_second(void **state)
{
	struct table_fixture f;

	(void)state;
	clock_fake_set(10000, 1795553870);
	table_fixture_open(&f);
	table_fixture_set(&f);
	table_fixture_write(&f, "a 1\n");
	f.table = table_fixture_find(&f, f.name);
	table_fixture_write(&f, "a 2\n");
	clock_fake_set(10999, 1795553870);
	assert_string_equal(table_fixture_ask(&f, "a"), "found");
	assert_string_equal(f.told, "1");
	clock_fake_set(11000, 1795553870);
	assert_string_equal(table_fixture_ask(&f, "a"), "found");
	assert_string_equal(f.told, "2");
	table_fixture_close(&f);
	clock_fake_set(-1, -1);
}

static void
test_the_old_version_stays_when_the_new_one_is_no_good(void **state)
{
	const char *const broken[] = { "a 2\na 3\n", NULL };
	struct table_fixture f;
	int64_t now = 10000;

	(void)state;
	clock_fake_set(now, 1795553870);
	table_fixture_open(&f);
	table_fixture_set(&f);
	table_fixture_write(&f, "a 1\n");
	f.table = table_fixture_find(&f, f.name);
	assert_non_null(f.table);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		if (broken[i] != NULL)
			table_fixture_write(&f, broken[i]);
		else
			assert_int_equal(unlink(f.file), 0);
		clock_fake_set(now += 1000, 1795553870);
		assert_string_equal(table_fixture_ask(&f, "a"), "found");
		assert_string_equal(f.told, "1");
	}
	table_fixture_write(&f, "a 4\n");
	clock_fake_set(now += 1000, 1795553870);
	assert_string_equal(table_fixture_ask(&f, "a"), "found");
	assert_string_equal(f.told, "4");
	table_fixture_close(&f);
	clock_fake_set(-1, -1);
}

static void
test_what_is_no_file_of_ours_is_refused(void **state)
{
	struct table_fixture f;

	(void)state;
	table_fixture_open(&f);
	table_fixture_set(&f);
	assert_null(table_fixture_find(&f, f.name));
	assert_non_null(strstr(f.errors.lines[0], "cannot be opened: No such file"));
	assert_int_equal(mkfifo(f.file, 0600), 0);
	assert_null(table_fixture_find(&f, f.name));
	assert_non_null(strstr(f.errors.lines[1], "is not a regular file"));
	table_fixture_write(&f, "a 1\n");
	assert_int_equal(chmod(f.file, 0646), 0);
	assert_null(table_fixture_find(&f, f.name));
	assert_non_null(strstr(f.errors.lines[2], "everybody may write it"));
	table_fixture_close(&f);
}

static void
test_one_file_is_one_table(void **state)
{
	struct table_fixture f;

	(void)state;
	table_fixture_open(&f);
	table_fixture_set(&f);
	table_fixture_write(&f, "a 1\n");
	f.table = table_fixture_find(&f, f.name);
	assert_non_null(f.table);
	assert_ptr_equal(table_fixture_find(&f, f.name), f.table);
	assert_string_equal(table_name(f.table), f.name);
	table_fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_broken_files_are_refused_by_line),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_keys_are_all_found),
		cmocka_unit_test(test_a_changed_file_is_read_again_after_a_second),
		cmocka_unit_test(test_the_old_version_stays_when_the_new_one_is_no_good),
		cmocka_unit_test(test_what_is_no_file_of_ours_is_refused),
		cmocka_unit_test(test_one_file_is_one_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
