/* SPDX-License-Identifier: MPL-2.0 */
/* See dmarc_report_options.h. */
#include "proxy/commands/dmarc_report_options.h"

#include "proxy/commands/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <time.h>

#define DAY_S 86400

static const char usage[] =
    "usage: gatepost dmarc-report [OPTION]...\n"
    "\n"
    "Mails DMARC aggregate reports of what the gate recorded (dmarc_reports in the\n"
    "configuration) to the addresses that the domains publish. What was mailed is remembered:\n"
    "a second run mails only what the first could not. Made for a timer, a few times a day.\n"
    "\n"
    "  -c, --config FILE      configuration (default " CONFIG_FILE_DEFAULT ")\n"
    "      --day YYYY-MM-DD   a day, UTC (default: the last three that are over)\n"
    "      --domain DOMAIN    only the report for this policy domain\n"
    "      --dry-run          look everything up, mail nothing\n"
    "      --print            print the XML instead; nothing is looked up or mailed\n"
    "      --resend           also what was mailed before\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit status: 0 all is done, 1 something is left for the next run, 2 wrong usage.\n";

static bool
parse_day(const char *text, int64_t *day_out)
{
	uint64_t year, month, day;
	const struct view v = view_of(text);
	struct tm tm = { .tm_isdst = 0 }, back;

	if (v.len != 10 || v.p[4] != '-' || v.p[7] != '-' ||
	    !view_to_u64(view_make(v.p, 4), &year) ||
	    !view_to_u64(view_make(v.p + 5, 2), &month) ||
	    !view_to_u64(view_make(v.p + 8, 2), &day) || year < 1970)
		return false;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day;
	const time_t at = timegm(&tm);
	*day_out = at / DAY_S;
	return gmtime_r(&at, &back) != NULL && back.tm_mon == (int)month - 1 &&
	       back.tm_mday == (int)day;
}

static bool
take_option(struct dmarc_report_options *o, int c)
{
	switch (c) {
	case 'c':
		o->config = optarg;
		return true;
	case 'd':
		return parse_day(optarg, &o->day);
	case 'D':
		return domain_to_ascii(view_of(optarg), o->domain);
	case 'n':
		o->mode = REPORT_DRY_RUN;
		return true;
	case 'p':
		o->mode = REPORT_PRINT;
		return true;
	case 'r':
		o->resend = true;
		return true;
	default:
		return false;
	}
}

int
dmarc_report_options_read(struct dmarc_report_options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "day", required_argument, NULL, 'd' },
		{ "domain", required_argument, NULL, 'D' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "print", no_argument, NULL, 'p' },
		{ "resend", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct dmarc_report_options){ .config = CONFIG_FILE_DEFAULT, .day = -1 };
	while ((c = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (!take_option(o, c)) {
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "gatepost dmarc-report: \"%s\" is one too many\n%s",
		    argv[optind], usage);
		return EXIT_USAGE;
	}
	return -1;
}
