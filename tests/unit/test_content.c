/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/upstream/content: the last guard, whatever pieces the content comes in. */
#include "proxy/upstream/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *sentence;
	struct view text;
	bool clean;
} rows[] = {
	{ "nothing is clean", { "", 0 }, true },
	{ "lines with CRLF are clean", { "a\r\n\r\nb\r\n", 8 }, true },
	{ "a last line without CRLF is clean", { "a\r\nb", 4 }, true },
	{ "8-bit octets are clean", { "\xc3\xa4\xff\r\n", 5 }, true },
	{ "a bare LF is found", { "a\nb\r\n", 5 }, false },
	{ "an LF in first place is found", { "\nb\r\n", 4 }, false },
	{ "LF behind CRLF is found", { "a\r\n\nb", 5 }, false },
	{ "a bare CR is found", { "a\rb\r\n", 5 }, false },
	{ "CR in first place is found", { "\rb\r\n", 4 }, false },
	{ "two CR before an LF are found", { "a\r\r\nb", 5 }, false },
	{ "a CR at the end is found", { "a\r\nb\r", 5 }, false },
	{ "a dot between LF and LF is found", { "a\r\n\n.\n", 6 }, false },
	{ "a dot between CR and CR is found", { "a\r\n\r.\r", 6 }, false },
	{ "a NUL is found", { "a\0b\r\n", 5 }, false },
};

static bool
is_clean(struct view text, size_t first)
{
	bool cr = false;

	return content_is_clean(view_make(text.p, first), &cr) &&
	       content_is_clean(view_from(text, first), &cr) && !cr;
}

static void
test_clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t first = 0; first <= rows[i].text.len; first++) {
			if (is_clean(rows[i].text, first) != rows[i].clean)
				fail_msg("%s (cut at %zu)", rows[i].sentence, first);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_clean) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
