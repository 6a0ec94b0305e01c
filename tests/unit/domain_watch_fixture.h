/* SPDX-License-Identifier: MPL-2.0 */
/* For unit tests of the watch: reports of a domain. Include behind cmocka.h. */
#ifndef GATEPOST_TESTS_DOMAIN_WATCH_FIXTURE_H
#define GATEPOST_TESTS_DOMAIN_WATCH_FIXTURE_H

#include "lib/domain/domain_watch.h"
#include "tests/unit/log_capture.h"
#include "tests/unit/watch_fixture.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The report of a domain, which stays the watch's: the next look ends it. */
static inline const struct domain_report *
report_of(struct watch_fixture *f, const char *domain)
{
	const struct domain_report *report = domain_watch_take(f->watch, domain),
				   *same = report;

	domain_watch_give(f->watch, &report);
	assert_null(report);
	return same;
}

static inline const char *
signing_text(const struct domain_report *report)
{
	static char text[256];

	text[0] = '\0';
	for (size_t i = 0; i < report->signing.selector_count; i++) {
		strcat(text, i > 0 ? "+" : "");
		strcat(text, report->signing.selectors[i].selector);
	}
	return text;
}

static inline void
assert_all_is_known(const struct domain_report *report, bool is_stale)
{
	assert_int_equal(report->keys[0].presence, KEY_CONFIRMED);
	assert_int_equal(report->keys[1].presence, KEY_CONFIRMED);
	assert_int_equal(report->keys[0].is_stale, is_stale);
	assert_int_equal(report->spf.result, AUTHRES_PASS);
	assert_int_equal(report->addresses[1].is_stale, is_stale);
	assert_int_equal(report->dmarc.status, DMARC_FOUND);
	assert_int_equal(report->is_dmarc_stale, is_stale);
	assert_int_equal(report->dmarc.record.rua_count, 1);
	assert_string_equal(report->dmarc.record.rua[0], "mailto:d@example.com");
	assert_string_equal(report->dmarc.organizational_domain, "example.com");
	assert_false(report->signs_unconfirmed);
}

/* ---- when ---- */

static inline size_t
looks_after_ms(struct watch_fixture *f, int64_t ms, const char *name)
{
	dns_table_forget_asked(f->dns);
	watch_fixture_pass_ms(ms);
	domain_watch_refresh(f->watch, NULL);
	return dns_table_asked(f->dns, name, DNS_TXT);
}

#endif
