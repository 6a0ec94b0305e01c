/* SPDX-License-Identifier: MPL-2.0 */
/* Dates of header fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/attr.h"
#include "lib/mail/date.h"

#include <stdlib.h>
#include <time.h>

static void
test_format(void **state)
{
	static const struct {
		const char *name;
		int64_t unix_s;
		const char *expected;
	} rows[] = {
		{ "the beginning", 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ "a day of this product", 1795553870, "Tue, 24 Nov 2026 20:57:50 +0000" },
		{ "a leap day", 1709208000, "Thu, 29 Feb 2024 12:00:00 +0000" },
		{ "beyond 32 bits", 4294967296, "Sun, 07 Feb 2106 06:28:16 +0000" },
		{ "before the beginning", -1, "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ "the last that has four digits", INT64_C(253402300799),
		    "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ "later than that is that", INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ "earlier than 1900 is 1900", INT64_MIN, "Mon, 01 Jan 1900 00:00:00 +0000" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[DATE_MAX];

		date_format(rows[i].unix_s, out);
		assert_string_equal(out, rows[i].expected);
	}
}

static void
test_the_time_zone_of_the_host_does_not_show(void **state)
{
	char out[DATE_MAX];

	(void)state;
	setenv("TZ", "Australia/Sydney", 1);
	tzset();
	date_format(0, out);
	unsetenv("TZ");
	tzset();
	assert_string_equal(out, "Thu, 01 Jan 1970 00:00:00 +0000");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_the_time_zone_of_the_host_does_not_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
