/* SPDX-License-Identifier: MPL-2.0 */
/* RFC 5322 3.3 dates. Own tables, since strftime's names follow the locale. */
#include "lib/mail/date.h"

#include "lib/base/attr.h"

#include <stdio.h>
#include <time.h>

/* What the grammar can say: years of four digits, from 1900 on. */
#define DATE_FIRST INT64_C(-2208988800)	 /* 1900-01-01 00:00:00 */
#define DATE_LAST  INT64_C(253402300799) /* 9999-12-31 23:59:59 */

void
date_format(int64_t unix_s, char out[DATE_MAX])
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;

	if (unix_s < DATE_FIRST)
		unix_s = DATE_FIRST;
	if (unix_s > DATE_LAST)
		unix_s = DATE_LAST;
	time_t t = (time_t)unix_s;
	if (gmtime_r(&t, &tm) == NULL)
		BUG("gmtime_r refused %lld", (long long)unix_s);
	/* The remainders tell the compiler that nothing can be longer than DATE_MAX. */
	snprintf(out, DATE_MAX, "%s, %02u %s %04u %02u:%02u:%02u +0000", days[tm.tm_wday],
	    (unsigned)tm.tm_mday % 100U, months[tm.tm_mon],
	    ((unsigned)tm.tm_year + 1900U) % 10000U, (unsigned)tm.tm_hour % 100U,
	    (unsigned)tm.tm_min % 100U, (unsigned)tm.tm_sec % 100U);
}
