/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What is well and what is not about a sending domain, as a list for people and machines: MX,
 * SPF, each key, DMARC, alignment, and what the large mailbox providers ask of bulk senders.
 * Made of a report (domain_check.h) and some more DNS queries, on the caller's thread.
 */
#ifndef GATEPOST_DOMAIN_DOMAIN_FINDINGS_H
#define GATEPOST_DOMAIN_DOMAIN_FINDINGS_H

#include "lib/domain/domain_check.h"

#define FINDINGS_MAX 256

enum finding_level {
	FINDING_OK,
	FINDING_NOTE,	 /* nothing is wrong */
	FINDING_WARNING, /* mail passes, but not for ever or not everywhere */
	FINDING_PROBLEM, /* mail will be refused, or not be found authentic */
	FINDING_UNKNOWN, /* DNS gave no answer */
};

struct finding {
	enum finding_level level;
	const char *area;    /* "mx", "spf", "dkim", "dmarc", "alignment", "bulk" */
	const char *subject; /* "192.0.2.1", "202611", "p": what it is about; "" */
	const char *text;    /* a sentence without a final dot */
	const char *publish; /* what to put into the DNS; "" nothing */
};

struct findings {
	struct finding *items;
	size_t count;
};

/* A key that is configured and cannot be read, by whoever asks. */
struct unread_key {
	const char *selector, *why;
};

struct findings_request {
	const struct domain_report *report;
	const struct dns_source *dns;
	int64_t deadline_ms;
	int64_t now; /* seconds since 1970 */
	const struct sockaddr_storage *egress;
	size_t egress_count;
	const struct unread_key *unread;
	size_t unread_count;
	const struct rotation *rotation; /* states of the keys; may be empty */
	struct rotation_rules rotation_rules;
	bool has_bulk_rules; /* the link bulk_rules looks at this domain's mail */
};

/* findings_make - texts live in the arena and in the report. */
void findings_make(
    const struct findings_request *request, struct arena *arena, struct findings *out);

const char *finding_level_name(enum finding_level level); /* "ok", "problem" */

/* findings_worst - PROBLEM before UNKNOWN before WARNING before the others. */
enum finding_level findings_worst(const struct findings *findings);

#endif
