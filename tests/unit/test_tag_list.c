/* SPDX-License-Identifier: MPL-2.0 */
/* Tag lists (RFC 6376 3.2): what is one, what is not, and what its tags are. */
#include "lib/domain/tag_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/buf.h"

/* tags: "name=value|name=value", with the folds of values as they are. */
static const struct {
	const char *name, *text;
	enum tag_list_status status;
	const char *tags;
} cases[] = {
	{ "one tag", "v=1", TAG_LIST_OK, "v=1|" },
	{ "two tags keep their order", "b=2;a=1", TAG_LIST_OK, "b=2|a=1|" },
	{ "a final semicolon", "v=1;", TAG_LIST_OK, "v=1|" },
	{ "blanks behind the final semicolon", "v=1; \t", TAG_LIST_OK, "v=1|" },
	{ "blanks everywhere they may stand", " v = 1 ;\ta\t=\tb c\t", TAG_LIST_OK,
	    "v=1|a=b c|" },
	{ "folded between tags", "v=1;\r\n a=2", TAG_LIST_OK, "v=1|a=2|" },
	{ "folded around the equals sign", "v\r\n =\r\n\t1", TAG_LIST_OK, "v=1|" },
	{ "folded inside a value", "p=ab\r\n cd", TAG_LIST_OK, "p=ab\r\n cd|" },
	{ "a folded line of blanks only", "v=1;\r\n \r\n a=2", TAG_LIST_OK, "v=1|a=2|" },
	{ "a value may be empty", "p=", TAG_LIST_OK, "p=|" },
	{ "a value may be blanks", "p= ; q=1", TAG_LIST_OK, "p=|q=1|" },
	{ "equals signs in a value", "p=a==", TAG_LIST_OK, "p=a==|" },
	{ "a name with digits and underscore", "a1_b=x", TAG_LIST_OK, "a1_b=x|" },
	{ "names differ by case", "a=1;A=2", TAG_LIST_OK, "a=1|A=2|" },
	{ "UTF-8 in a value", "n=\xc3\xa9", TAG_LIST_OK, "n=\xc3\xa9|" },
	{ "a tag twice", "a=1;b=2;a=1", TAG_LIST_DUPLICATE, "a=1|b=2|a=1|" },
	{ "nothing", "", TAG_LIST_SYNTAX, "" },
	{ "blanks only", "  ", TAG_LIST_SYNTAX, "" },
	{ "a semicolon only", ";", TAG_LIST_SYNTAX, "" },
	{ "an empty tag first", ";v=1", TAG_LIST_SYNTAX, "" },
	{ "an empty tag in between", "v=1;;a=2", TAG_LIST_SYNTAX, "v=1|" },
	{ "two final semicolons", "v=1;;", TAG_LIST_SYNTAX, "v=1|" },
	{ "no equals sign", "v=1;rubbish", TAG_LIST_SYNTAX, "v=1|" },
	{ "no name", "=1", TAG_LIST_SYNTAX, "" },
	{ "a name that begins with a digit", "1a=x", TAG_LIST_SYNTAX, "" },
	{ "a name that begins with an underscore", "_a=x", TAG_LIST_SYNTAX, "" },
	{ "a name with a hyphen", "a-b=x", TAG_LIST_SYNTAX, "" },
	{ "a name with a blank inside", "a b=x", TAG_LIST_SYNTAX, "" },
	{ "a name with UTF-8", "\xc3\xa9=x", TAG_LIST_SYNTAX, "" },
	{ "a control in a value", "a=\x01", TAG_LIST_SYNTAX, "" },
	{ "DEL in a value", "a=\x7f", TAG_LIST_SYNTAX, "" },
	{ "a bare LF", "a=1;\n b=2", TAG_LIST_SYNTAX, "" },
	{ "a bare CR", "a=1;\r b=2", TAG_LIST_SYNTAX, "" },
	{ "CRLF without a blank behind it", "a=1;\r\nb=2", TAG_LIST_SYNTAX, "" },
	{ "CRLF at the end", "a=1;\r\n", TAG_LIST_SYNTAX, "" },
	{ "quotes mean nothing", "a=\"x;b=y\"", TAG_LIST_OK, "a=\"x|b=y\"|" },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tag_list list;
		struct buf tags;
		const enum tag_list_status status =
		    tag_list_parse(view_of(cases[i].text), &list);

		buf_init(&tags, 4096);
		for (size_t n = 0; n < list.count; n++)
			assert_true(buf_printf(&tags, "%.*s=%.*s|", VIEW_ARG(list.tags[n].name),
			    VIEW_ARG(list.tags[n].value)));
		if (status != cases[i].status ||
		    !view_eq(buf_view(&tags), view_of(cases[i].tags)))
			fail_msg("%s: status %d, tags %.*s", cases[i].name, (int)status,
			    VIEW_ARG(buf_view(&tags)));
		buf_finish(&tags);
	}
}

static void
test_a_nul_is_no_end(void **state)
{
	struct tag_list list;

	(void)state;
	assert_int_equal(tag_list_parse(VIEW("a=1\0;b=2"), &list), TAG_LIST_SYNTAX);
	assert_int_equal(tag_list_parse(view_make(NULL, 0), &list), TAG_LIST_SYNTAX);
}

static void
test_cap(void **state)
{
	struct buf text;
	struct tag_list list;

	(void)state;
	buf_init(&text, 4096);
	for (int i = 0; i < TAG_LIST_MAX; i++)
		assert_true(buf_printf(&text, "t%d=;", i));
	assert_int_equal(tag_list_parse(buf_view(&text), &list), TAG_LIST_OK);
	assert_int_equal(list.count, TAG_LIST_MAX);
	assert_true(buf_add_str(&text, "x=1"));
	assert_int_equal(tag_list_parse(buf_view(&text), &list), TAG_LIST_LONG);
	buf_finish(&text);
}

static void
test_find(void **state)
{
	struct tag_list list;

	(void)state;
	assert_int_equal(tag_list_parse(VIEW("v=1; p=; k = rsa"), &list), TAG_LIST_OK);
	assert_true(view_eq(tag_list_value(&list, "k"), VIEW("rsa")));
	assert_int_equal(tag_list_value(&list, "K").len, 0);
	assert_non_null(tag_list_find(&list, "p"));
	assert_null(tag_list_find(&list, "q"));
}

static void
test_members(void **state)
{
	struct view rest = VIEW("sha1 :\r\n sha256:"), member;

	(void)state;
	assert_true(tag_next_member(&rest, &member) && view_eq(member, VIEW("sha1")));
	assert_true(tag_next_member(&rest, &member) && view_eq(member, VIEW("sha256")));
	assert_true(tag_next_member(&rest, &member) && member.len == 0);
	assert_false(tag_next_member(&rest, &member));
	assert_true(tag_has_member(VIEW("y : s"), "s"));
	assert_false(tag_has_member(VIEW("y:S"), "s"));
	assert_false(tag_has_member(VIEW("ys"), "s"));
}

static void
test_without_blanks(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena);
	struct view v = tag_without_blanks(VIEW("a b\r\n\tc"), &arena);
	assert_true(view_eq(v, VIEW("abc")));
	assert_int_equal(v.p[3], '\0');
	assert_int_equal(tag_without_blanks(VIEW(""), &arena).len, 0);
	arena_finish(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_a_nul_is_no_end),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_without_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
