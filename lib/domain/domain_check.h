/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The judge of one sending domain: SPF for the addresses from which its mail leaves, each key
 * that signs against the one that DNS shows, DMARC. Asks DNS on the caller's thread; keeps
 * nothing. The watch calls it in the background, `gatepost check-domain` in front of a person.
 */
#ifndef GATEPOST_DOMAIN_DOMAIN_CHECK_H
#define GATEPOST_DOMAIN_DOMAIN_CHECK_H

#include "lib/domain/domain_watch.h"

#define DOMAIN_KEYS_MAX 48 /* of one domain: the keyring's, and what rotation adds */

/* A key that there is for a domain. */
struct domain_key {
	struct dkim_selector selector; /* name and key borrowed; they outlive the report */
	const char *rotation;	       /* static name of its state; NULL: not rotated */
	/* May it sign, and how gladly: 0 first; 1 when no confirmed one is 0; -1 never. */
	int sign_order;
	/* NULL, or why it counts as absent whatever a cache says: rotation asked every server.
	 */
	const char *absent_why;
};

struct domain_check_request {
	const struct dns_source *dns; /* NULL: ask nothing, say what earlier knows */
	const char *hostname;	      /* that the receivers hear in HELO */
	const struct sockaddr_storage *egress;
	size_t egress_count;
	const char *domain; /* A-labels */
	const struct domain_key *keys;
	size_t key_count; /* up to DOMAIN_KEYS_MAX */
	int64_t now;	  /* seconds since 1970 */
	int64_t deadline_ms;
	/*
	 * An earlier report, or NULL: what DNS does not answer now is taken from it and is
	 * stale then. Only what is about the same address, or the very same key, is.
	 */
	const struct domain_report *earlier;
};

/*
 * domain_check - fills *out; texts live in the arena, but selectors and keys stay the
 * request's. Which keys sign is decided by domain_report.signing's rule (domain_watch.h).
 */
void domain_check(
    const struct domain_check_request *request, struct arena *arena, struct domain_report *out);

/* domain_report_lacks_answer - DNS failed for a part of it: look again soon. */
bool domain_report_lacks_answer(const struct domain_report *report);

/* domain_report_is_well - SPF passes (where there is an egress), every key that may sign is
 * confirmed, there is a DMARC record. */
bool domain_report_is_well(const struct domain_report *report);

const char *key_presence_name(enum key_presence presence); /* "confirmed" */

#endif
