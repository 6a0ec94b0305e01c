/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The census: how many connections each client address and each network has open now, and
 * whether there may be one more. An address is an IPv4 address or an IPv6 /64, a network an
 * IPv4 /24 or an IPv6 /48. What has none open takes no memory, so there are never more than
 * two entries a connection. One lock, any thread; it outlives reloads.
 */
#ifndef GATEPOST_PROXY_SESSION_CENSUS_H
#define GATEPOST_PROXY_SESSION_CENSUS_H

#include "lib/net/address.h"
#include "proxy/config_limits.h"

struct census_entry;

/* Where a connection is counted; zero: nowhere. */
struct census_place {
	struct census_entry *address, *network;
};

enum census_verdict { CENSUS_ENTERED, CENSUS_ADDRESS_FULL, CENSUS_NETWORK_FULL };

/*
 * census_enter - count a connection, within limits->address_connections and
 * network_connections. Not within: *place is zero, and *untold_out says how many were refused
 * since that was last told of this address or network; 0: it was a moment ago, be silent.
 */
MUST_CHECK enum census_verdict census_enter(const struct sockaddr_storage *client,
    const struct config_limits *limits, struct census_place *place, uint64_t *untold_out);

/* census_leave - it is closed. Zero is fine, and *place is zero then. */
void census_leave(struct census_place *place);

size_t census_count(void); /* entries: for tests */

#endif
