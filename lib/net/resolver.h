/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The one resolver: libunbound behind struct dns_source. Caching, bounded, with deadlines of
 * our own (libunbound has none: a query that is late is given up and goes on in the background
 * for the cache's sake). Any thread; blocks worker threads only. Without a trust anchor DNSSEC
 * is left to the servers that are asked: what they call bogus is DNS_TEMPFAIL, and is_secure is
 * never set. With one every answer is validated here.
 */
#ifndef GATEPOST_NET_RESOLVER_H
#define GATEPOST_NET_RESOLVER_H

#include "lib/base/err.h"
#include "lib/net/dns.h"

#define RESOLVER_SERVERS_MAX 16

struct resolver;

struct resolver_config {
	/* "192.0.2.53:53" each; none: those of /etc/resolv.conf as it is at resolver_open */
	const char *const *servers;
	size_t server_count;
	bool recursive;		  /* ask the root's servers and down, instead of any server */
	const char *trust_anchor; /* file of DS or DNSKEY records; NULL: no validation */
	int64_t timeout_ms;	  /* for one query, besides the caller's deadline */
	int64_t cache_octets;
	uint16_t authority_port; /* where query_each asks: 53 but in tests */
};

/*
 * resolver_open - a resolver of this configuration: a new one, or the one that is open already
 * with the same settings (a reload keeps its cache). Each open needs its close.
 * No thread starts before the first query. Errors: ERR_CONFIG (a server that is no address, a
 * trust anchor that cannot be read), ERR_IO.
 */
MUST_CHECK struct resolver *resolver_open(
    const struct resolver_config *config, struct err *err);
void resolver_close(struct resolver **r); /* no query may be running */

/* resolver_source - lives as long as r. */
const struct dns_source *resolver_source(const struct resolver *r);

#endif
