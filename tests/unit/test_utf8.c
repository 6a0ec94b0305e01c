/* SPDX-License-Identifier: MPL-2.0 */
/* lib/base/utf8: RFC 3629 to the octet. */
#include "lib/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *name;
	const char *text;
	bool is_text;
} cases[] = {
	{ "nothing", "", true },
	{ "ASCII", "abc", true },
	{ "the least of two octets that is no control", "\xc2\xa0", true },
	{ "the greatest of two octets", "\xdf\xbf", true },
	{ "the least of three octets", "\xe0\xa0\x80", true },
	{ "before the surrogates", "\xed\x9f\xbf", true },
	{ "behind the surrogates", "\xee\x80\x80", true },
	{ "the least of four octets", "\xf0\x90\x80\x80", true },
	{ "U+10FFFF", "\xf4\x8f\xbf\xbf", true },
	{ "above it", "\xf4\x90\x80\x80", false },
	{ "five octets", "\xf8\x88\x80\x80\x80", false },
	{ "the first surrogate", "\xed\xa0\x80", false },
	{ "the last surrogate", "\xed\xbf\xbf", false },
	{ "overlong, two octets", "\xc1\xbf", false },
	{ "overlong, three octets", "\xe0\x9f\xbf", false },
	{ "overlong, four octets", "\xf0\x8f\xbf\xbf", false },
	{ "a tail without a head", "\x80", false },
	{ "a head without a tail", "a\xe2\x82", false },
	{ "a head behind a head", "\xc3\xc3\xa4", false },
	{ "a C1 control", "\xc2\x80", false },
	{ "the last C1 control", "\xc2\x9f", false },
	{ "a line separator", "\xe2\x80\xa8", false },
	{ "a paragraph separator", "\xe2\x80\xa9", false },
	{ "0xff", "\xff", false },
};

static void
test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		assert_int_equal(utf8_is_text(view_of(cases[i].text)), cases[i].is_text);
	}
}

/* Every sequence of a code point decodes to it, and no cut of it does. */
static void
test_every_code_point(void **state)
{
	(void)state;
	for (uint32_t code = 0x80; code <= 0x10ffff; code++) {
		const size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		static const unsigned head[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
		const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
		char text[4];
		uint32_t got = 0;

		for (size_t i = len; i-- > 0;)
			text[i] =
			    (char)((i == 0 ? head[len] : 0x80) |
				   ((code >> 6 * (len - 1 - i)) & (i == 0 ? 0xff : 0x3f)));
		if (utf8_decode(view_make(text, len), &got) != (is_surrogate ? 0 : len) ||
		    (!is_surrogate && got != code) ||
		    utf8_decode(view_make(text, len - 1), &got) != 0)
			fail_msg("U+%04X", code);
	}
}

static void
test_ascii(void **state)
{
	(void)state;
	assert_true(utf8_is_ascii(VIEW("")));
	assert_true(utf8_is_ascii(VIEW("a\x7f")));
	assert_false(utf8_is_ascii(VIEW("a\x80")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_ascii),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
