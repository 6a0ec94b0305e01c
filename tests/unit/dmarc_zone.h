/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests of DMARC: a zone in a few lines of text. Each line is a domain, a blank, and
 * the TXT record at "_dmarc." + domain; "?" instead of the record: DNS gives no answer there.
 * "= DOMAIN" makes a domain exist (an A record); "? DOMAIN" makes all questions for the domain
 * itself fail. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_DMARC_ZONE_H
#define GATEPOST_TESTS_DMARC_ZONE_H

#include "tests/unit/dns_table.h"

#include <stdio.h>

static inline void
dmarc_zone_add(struct dns_table *dns, struct view line)
{
	const size_t blank = view_find(line, ' ');
	char name[DNS_NAME_MAX + 16], text[600];

	assert_true(blank < line.len);
	assert_true(view_copy(view_from(line, blank + 1), text, sizeof(text)));
	if (line.p[0] == '=') {
		dns_table_add(dns, text, DNS_A, "192.0.2.1");
		return;
	}
	if (line.p[0] == '?') {
		dns_table_add(dns, text, DNS_A, DNS_ROW_TEMPFAIL);
		return;
	}
	snprintf(name, sizeof(name), "_dmarc.%.*s", (int)blank, line.p);
	dns_table_add(dns, name, DNS_TXT, strcmp(text, "?") == 0 ? DNS_ROW_TEMPFAIL : text);
}

static inline struct dns_table *
dmarc_zone(const char *text)
{
	struct dns_table *dns = dns_table_create(NULL);
	struct view rest = view_of(text), line;

	while (view_split(&rest, '\n', &line)) {
		if (line.len > 0)
			dmarc_zone_add(dns, line);
	}
	return dns;
}

#endif
