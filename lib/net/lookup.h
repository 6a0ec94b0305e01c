/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Host names to addresses for our own outgoing connections, by the system's resolver
 * (getaddrinfo), with a deadline. The resolver cannot be interrupted, so it runs in a thread of
 * its own; whoever waits may go away, and the last one to leave frees the job. Look-ups of one
 * name that is asked for at the moment are shared, so a hanging resolver costs one thread a
 * name, LOOKUP_JOBS_MAX in all. Good answers are kept for LOOKUP_KEEP_MS. Numeric hosts never
 * take this way. Any thread.
 */
#ifndef GATEPOST_NET_LOOKUP_H
#define GATEPOST_NET_LOOKUP_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define LOOKUP_ADDRESSES_MAX 16 /* the rest of a longer answer is dropped */
#define LOOKUP_JOBS_MAX	     32
#define LOOKUP_KEEP_MS	     30000

struct lookup_answer {
	struct sockaddr_storage
	    addresses[LOOKUP_ADDRESSES_MAX]; /* port set, IPv4-mapped folded */
	size_t count;			     /* at least 1 */
};

/*
 * lookup_host - addresses of host in the resolver's order.
 * Errors: ERR_TIMEOUT; ERR_TEMP no address now, or too many look-ups hang.
 */
MUST_CHECK bool lookup_host(const char *host, uint16_t port, int64_t deadline_ms,
    struct lookup_answer *out, struct err *err);

/* lookup_forget - empty the cache (reload). */
void lookup_forget(void);

#endif
