/* SPDX-License-Identifier: MPL-2.0 */
/* Views: comparing, cutting, splitting, reading numbers. */
#include "lib/base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
equality_is_by_length_and_octets(void **state)
{
	(void)state;
	assert_true(view_eq(VIEW("abc"), VIEW("abc")));
	assert_false(view_eq(VIEW("abc"), VIEW("abd")));
	assert_false(view_eq(VIEW("abc"), VIEW("ab")));
	assert_true(view_eq(view_make(NULL, 0), VIEW("")));
	assert_true(view_eq(VIEW("a\0b"), VIEW("a\0b")));
	assert_false(view_eq(VIEW("a\0b"), VIEW("a\0c")));
	assert_false(view_eq(VIEW("ABC"), VIEW("abc")));
}

static void
case_is_ignored_for_ascii_letters_alone(void **state)
{
	(void)state;
	assert_true(view_eq_nocase(VIEW("MAIL From"), VIEW("mail fROM")));
	assert_false(view_eq_nocase(VIEW("\xc4"), VIEW("\xe4")));
	assert_false(view_eq_nocase(VIEW("@"), VIEW("`")));
	assert_false(view_eq_nocase(VIEW("["), VIEW("{")));
	assert_true(view_starts_nocase(VIEW("STARTTLS"), VIEW("start")));
	assert_false(view_starts(VIEW("STARTTLS"), VIEW("start")));
	assert_true(view_starts(VIEW("start"), VIEW("start")));
	assert_false(view_starts(VIEW("star"), VIEW("start")));
	assert_true(view_ends_nocase(VIEW("a@Example.COM"), VIEW("example.com")));
	assert_false(view_ends_nocase(VIEW("com"), VIEW("example.com")));
	assert_true(view_ends_nocase(VIEW("com"), VIEW("")));
}

static void
from_never_leaves_the_view(void **state)
{
	(void)state;
	assert_true(view_eq(view_from(VIEW("abc"), 1), VIEW("bc")));
	assert_int_equal(view_from(VIEW("abc"), 3).len, 0);
	assert_int_equal(view_from(VIEW("abc"), 99).len, 0);
	assert_int_equal(view_from(view_make(NULL, 0), 5).len, 0);
}

static void
trim_takes_blanks_at_both_ends(void **state)
{
	(void)state;
	assert_true(view_eq(view_trim(VIEW(" \t a b\r\n")), VIEW("a b")));
	assert_int_equal(view_trim(VIEW(" \r\n\t")).len, 0);
	assert_true(view_eq(view_trim(VIEW("\va")), VIEW("\va")));
}

static void
find_gives_the_length_when_there_is_none(void **state)
{
	(void)state;
	assert_int_equal(view_find(VIEW("a:b:c"), ':'), 1);
	assert_int_equal(view_find(VIEW("abc"), ':'), 3);
	assert_int_equal(view_find(view_make(NULL, 0), ':'), 0);
}

static void
split_gives_every_piece_once(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *pieces[5];
	} cases[] = {
		{ "a,b,c", { "a", "b", "c" } },
		{ "a,,c", { "a", "", "c" } },
		{ "a,", { "a", "" } },
		{ ",", { "", "" } },
		{ "", { "" } },
		{ "alone", { "alone" } },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct view rest = view_of(cases[i].text), piece;
		size_t n = 0;
		while (view_split(&rest, ',', &piece)) {
			assert_non_null(cases[i].pieces[n]);
			assert_true(view_eq(piece, view_of(cases[i].pieces[n])));
			n++;
		}
		assert_null(cases[i].pieces[n]);
	}
}

static void
numbers_are_digits_within_64_bits(void **state)
{
	(void)state;
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1a",
		"18446744073709551616", "99999999999999999999" };
	uint64_t n = 7;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(view_to_u64(view_of(bad[i]), &n));
	assert_int_equal(n, 7);
	assert_true(view_to_u64(VIEW("18446744073709551615"), &n));
	assert_true(n == UINT64_MAX);
	assert_true(view_to_u64(VIEW("000"), &n));
	assert_int_equal(n, 0);
}

static void
copy_is_always_terminated_and_says_when_it_cut(void **state)
{
	(void)state;
	char out[4] = "xxx";
	assert_true(view_copy(VIEW("abc"), out, sizeof(out)));
	assert_string_equal(out, "abc");
	assert_false(view_copy(VIEW("abcd"), out, sizeof(out)));
	assert_string_equal(out, "abc");
	assert_true(view_copy(view_make(NULL, 0), out, 1));
	assert_string_equal(out, "");
	assert_false(view_copy(VIEW(""), out, 0));
}

static void
character_classes_know_ascii_alone(void **state)
{
	(void)state;
	int alnum = 0, digit = 0;
	for (int c = -128; c < 128; c++) {
		alnum += ascii_is_alnum((char)c);
		digit += ascii_is_digit((char)c);
	}
	assert_int_equal(alnum, 62);
	assert_int_equal(digit, 10);
	assert_int_equal(ascii_lower('Z'), 'z');
	assert_int_equal(ascii_lower('\xdc'), '\xdc');
}

static void
hexadecimal_digits_have_values(void **state)
{
	(void)state;
	assert_int_equal(ascii_hex_value('0'), 0);
	assert_int_equal(ascii_hex_value('9'), 9);
	assert_int_equal(ascii_hex_value('a'), 10);
	assert_int_equal(ascii_hex_value('F'), 15);
	assert_int_equal(ascii_hex_value('g'), -1);
	assert_int_equal(ascii_hex_value('G'), -1);
	assert_int_equal(ascii_hex_value('\0'), -1);
	assert_int_equal(ascii_hex_value((char)0xb2), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equality_is_by_length_and_octets),
		cmocka_unit_test(case_is_ignored_for_ascii_letters_alone),
		cmocka_unit_test(from_never_leaves_the_view),
		cmocka_unit_test(trim_takes_blanks_at_both_ends),
		cmocka_unit_test(find_gives_the_length_when_there_is_none),
		cmocka_unit_test(split_gives_every_piece_once),
		cmocka_unit_test(numbers_are_digits_within_64_bits),
		cmocka_unit_test(copy_is_always_terminated_and_says_when_it_cut),
		cmocka_unit_test(character_classes_know_ascii_alone),
		cmocka_unit_test(hexadecimal_digits_have_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
