/* SPDX-License-Identifier: MPL-2.0 */
/* BDAT: its arguments (lib/smtp/command), and content that comes by size (lib/smtp/dot). */
#include "lib/smtp/command.h"
#include "lib/smtp/dot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *name, *args;
	bool ok, is_last;
	uint64_t size;
} sizes[] = {
	{ "a size", "86", true, false, 86 },
	{ "the last one", "86 LAST", true, true, 86 },
	{ "in any case", "86 lAsT", true, true, 86 },
	{ "nothing", "0", true, false, 0 },
	{ "nothing as the last one", "0 LAST", true, true, 0 },
	{ "zeros in front", "00000000000000000086", true, false, 86 },
	{ "2^63 - 1", "9223372036854775807", true, false, INT64_MAX },
	{ "2^63", "9223372036854775808", false, false, 0 },
	{ "2^64", "18446744073709551616", false, false, 0 },
	{ "2^64 + 86", "18446744073709551702 LAST", false, false, 0 },
	{ "21 digits", "000000000000000000086", false, false, 0 },
	{ "no size", "", false, false, 0 },
	{ "LAST alone", "LAST", false, false, 0 },
	{ "a sign", "+86", false, false, 0 },
	{ "a minus", "-1", false, false, 0 },
	{ "hexadecimal", "0x56", false, false, 0 },
	{ "a unit", "86K", false, false, 0 },
	{ "a fraction", "8.6", false, false, 0 },
	{ "another word", "86 FIRST", false, false, 0 },
	{ "a word that begins like LAST", "86 LASTLY", false, false, 0 },
	{ "LAST twice", "86 LAST LAST", false, false, 0 },
	{ "two sizes", "86 86", false, false, 0 },
	{ "two blanks", "86  LAST", false, false, 0 },
	{ "a blank in front", " 86", false, false, 0 },
	{ "a tab", "86\tLAST", false, false, 0 },
	{ "a CR", "86\r", false, false, 0 },
};

static void
test_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t size = 0;
		bool is_last = false;

		print_message("%s\n", sizes[i].name);
		assert_int_equal(
		    smtp_bdat_parse(view_of(sizes[i].args), &size, &is_last), sizes[i].ok);
		if (!sizes[i].ok)
			continue;
		assert_true(size == sizes[i].size);
		assert_int_equal(is_last, sizes[i].is_last);
	}
}

#define TEXT(literal)                           \
	{                                       \
		"" literal, sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct view text;
	enum dot_status status; /* at the end */
	bool unfinished;
} texts[] = {
	{ "nothing", TEXT(""), DOT_END, false },
	{ "lines", TEXT("a\r\n\r\nb\r\n"), DOT_END, false },
	{ "a last line without CRLF", TEXT("a\r\nb"), DOT_END, true },
	{ "a dot line is content", TEXT("a\r\n.\r\nb\r\n"), DOT_END, false },
	{ "a dot line at the start", TEXT(".\r\n"), DOT_END, false },
	{ "a dot line at the end", TEXT("a\r\n.\r\n"), DOT_END, false },
	{ "a lone dot", TEXT("."), DOT_END, true },
	{ "dots in a row", TEXT("..\r\n...\r\n"), DOT_END, false },
	{ "8-bit octets", TEXT("\xc3\xa4\xff\r\n"), DOT_END, false },
	{ "a bare LF", TEXT("a\nb\r\n"), DOT_BARE_LF, false },
	{ "LF first", TEXT("\n"), DOT_BARE_LF, false },
	{ "LF behind CRLF", TEXT("a\r\n\nb"), DOT_BARE_LF, false },
	{ "LF behind a dot", TEXT(".\n"), DOT_BARE_LF, false },
	{ "LF dot LF", TEXT("a\n.\n"), DOT_BARE_LF, false },
	{ "a bare CR", TEXT("a\rb\r\n"), DOT_BARE_CR, false },
	{ "CR CR LF", TEXT("a\r\r\n"), DOT_BARE_CR, false },
	{ "CR behind a dot", TEXT("\r\n.\r."), DOT_BARE_CR, false },
	{ "a CR at the end", TEXT("a\r"), DOT_BARE_CR, false },
	{ "a NUL", TEXT("a\0b\r\n"), DOT_NUL, false },
	{ "a NUL behind CR", TEXT("a\r\0\n"), DOT_NUL, false },
	{ "a NUL at the start", TEXT("\0"), DOT_NUL, false },
};

/* status_of - of the text in three pieces. */
static enum dot_status
status_of(struct view text, size_t first, size_t second, bool *unfinished)
{
	struct dot_checker c = { 0 };
	enum dot_status status = dot_check(&c, view_make(text.p, first));

	if (status == DOT_MORE)
		status = dot_check(&c, view_make(text.p + first, second - first));
	if (status == DOT_MORE)
		status = dot_check(&c, view_from(text, second));
	if (status != DOT_MORE) {
		*unfinished = false;
		/* It stays what it is, whatever comes. */
		assert_int_equal(dot_check(&c, VIEW("a\r\n")), status);
		return status;
	}
	return dot_check_end(&c, unfinished);
}

static void
test_seams(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct view t = texts[i].text;

		for (size_t a = 0; a <= t.len; a++) {
			for (size_t b = a; b <= t.len; b++) {
				bool unfinished = false;

				if (status_of(t, a, b, &unfinished) != texts[i].status ||
				    unfinished != texts[i].unfinished)
					fail_msg("%s, cut at %zu and %zu", texts[i].name, a, b);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_seams),
	};

	return cmocka_run_group_tests_name("bdat", tests, NULL, NULL);
}
