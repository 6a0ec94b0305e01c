/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What each authoritative server of a zone says: who they are is asked of a struct dns_source,
 * they themselves directly, past every cache (dns_source.query_each of the resolver). For names
 * of our own domains, never for what a message brings along. Any thread; holds no state.
 */
#ifndef GATEPOST_NET_AUTHORITY_H
#define GATEPOST_NET_AUTHORITY_H

#include "lib/net/dns.h"

struct authority_request {
	const struct dns_source *source;
	uint16_t port; /* where the servers listen */
	const char *name;
	enum dns_type type;
	int64_t deadline_ms;
	struct arena *arena;
};

/*
 * authority_query - as dns_source.query_each says. A CNAME that leads out of a server's zone is
 * followed to the servers of where it leads: their answers stand in place of its own.
 */
size_t authority_query(const struct authority_request *request, struct dns_server_answer **out);

#endif
