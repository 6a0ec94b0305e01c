/* SPDX-License-Identifier: MPL-2.0 */
/* lib/smtp/line: a line ends in CRLF and in nothing else. */
#include "lib/smtp/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MAX 12 /* octets, in all cases */

#define IN(literal)                            \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct view in;
	enum smtp_line status;
	size_t line_len; /* when DONE; two more are spent */
} cases[] = {
	{ "nothing is the beginning of a line", IN(""), SMTP_LINE_MORE, 0 },
	{ "text without an end needs more", IN("NOOP"), SMTP_LINE_MORE, 0 },
	{ "a CR at the end may still become CRLF", IN("NOOP\r"), SMTP_LINE_MORE, 0 },
	{ "a CR alone may still become CRLF", IN("\r"), SMTP_LINE_MORE, 0 },
	{ "a line", IN("NOOP\r\n"), SMTP_LINE_DONE, 4 },
	{ "an empty line is a line", IN("\r\n"), SMTP_LINE_DONE, 0 },
	{ "what follows a line is left", IN("QUIT\r\nNO"), SMTP_LINE_DONE, 4 },
	{ "a bare LF behind a line is not yet looked at", IN("QUIT\r\n\n"), SMTP_LINE_DONE, 4 },
	{ "a NUL behind a line is not yet looked at", IN("QUIT\r\n\0"), SMTP_LINE_DONE, 4 },
	{ "octets over 0x7f are passed on", IN("\xff\x80\r\n"), SMTP_LINE_DONE, 2 },
	{ "other control octets are passed on", IN("\x01\x1b\t\r\n"), SMTP_LINE_DONE, 3 },
	{ "a bare LF ends no line", IN("NOOP\n"), SMTP_LINE_BARE_LF, 0 },
	{ "a bare LF first", IN("\n"), SMTP_LINE_BARE_LF, 0 },
	{ "a bare LF before CRLF", IN("NO\nOP\r\n"), SMTP_LINE_BARE_LF, 0 },
	{ "LF CR is a bare LF", IN("NOOP\n\r"), SMTP_LINE_BARE_LF, 0 },
	{ "a bare CR ends no line", IN("NO\rOP\r\n"), SMTP_LINE_BARE_CR, 0 },
	{ "two CRs before LF", IN("NOOP\r\r\n"), SMTP_LINE_BARE_CR, 0 },
	{ "two CRs and no more", IN("\r\r"), SMTP_LINE_BARE_CR, 0 },
	{ "a NUL behind a CR is a bare CR first", IN("A\r\0\n"), SMTP_LINE_BARE_CR, 0 },
	{ "a NUL in the line", IN("NO\0P\r\n"), SMTP_LINE_NUL, 0 },
	{ "a NUL before any line end", IN("\0"), SMTP_LINE_NUL, 0 },
	{ "a NUL before a bare LF is a NUL first", IN("\0\n"), SMTP_LINE_NUL, 0 },
	{ "a bare LF before a NUL is a bare LF first", IN("A\n\0"), SMTP_LINE_BARE_LF, 0 },
	{ "the longest line", IN("0123456789\r\n"), SMTP_LINE_DONE, 10 },
	{ "one octet below the limit, no end", IN("0123456789\r"), SMTP_LINE_MORE, 0 },
	{ "one octet too many", IN("0123456789A\r\n"), SMTP_LINE_TOO_LONG, 0 },
	{ "as long as the limit without an end", IN("0123456789AB"), SMTP_LINE_TOO_LONG, 0 },
	{ "the limit comes before what is behind it", IN("0123456789ABC\n"), SMTP_LINE_TOO_LONG,
	    0 },
	{ "the limit between CR and LF", IN("0123456789A\r\n"), SMTP_LINE_TOO_LONG, 0 },
	{ "the limit behind a CR", IN("0123456789A\rB"), SMTP_LINE_TOO_LONG, 0 },
	{ "a bare LF on the limit", IN("0123456789A\n"), SMTP_LINE_BARE_LF, 0 },
};

static void
test_cases(void **state)
{
	struct view line;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		bool is_done = cases[i].status == SMTP_LINE_DONE;
		assert_int_equal(
		    smtp_line_scan(cases[i].in, MAX, &line, &used), cases[i].status);
		assert_int_equal(line.len, cases[i].line_len);
		assert_int_equal(used, is_done ? cases[i].line_len + 2 : 0);
		assert_ptr_equal(line.p, cases[i].in.p);
	}
}

/* The input arrives one octet more at a time: "more" up to a point, then the whole's answer. */
static void
test_growing(void **state)
{
	struct view line;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum smtp_line status = SMTP_LINE_MORE;
		print_message("%s\n", cases[i].name);
		for (size_t len = 0; len <= cases[i].in.len; len++) {
			enum smtp_line now =
			    smtp_line_scan(view_make(cases[i].in.p, len), MAX, &line, &used);
			if (status != SMTP_LINE_MORE)
				assert_int_equal(now, status);
			status = now;
		}
		assert_int_equal(status, cases[i].status);
	}
}

static void
test_real_limits(void **state)
{
	static const size_t limits[] = { SMTP_COMMAND_LINE_MAX, SMTP_AUTH_LINE_MAX };
	static char text[SMTP_AUTH_LINE_MAX + 2];
	struct view line;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		size_t max = limits[i];
		memset(text, 'A', sizeof(text));
		memcpy(text + max - 2, "\r\n", 2);
		assert_int_equal(
		    smtp_line_scan(view_make(text, max), max, &line, &used), SMTP_LINE_DONE);
		assert_int_equal(used, max);
		memcpy(text + max - 2, "A\r\n", 3);
		assert_int_equal(smtp_line_scan(view_make(text, max + 1), max, &line, &used),
		    SMTP_LINE_TOO_LONG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_real_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
