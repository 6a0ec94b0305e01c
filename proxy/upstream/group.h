/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The inside of an upstream: its servers with what is known of their health, its pool. For the
 * deliveries; everybody else uses upstream.h.
 * Health is passive: a server that failed rests, which is to say that it is tried last, for 1 s
 * at first, twice as long with each further failure, a minute at most; never left out
 * altogether. When it has rested, one delivery at a time tries it in its place again (a probe);
 * for the others it stays the last until a MAIL was answered there.
 */
#ifndef GATEPOST_PROXY_UPSTREAM_GROUP_H
#define GATEPOST_PROXY_UPSTREAM_GROUP_H

#include "proxy/upstream/pool.h"
#include "proxy/upstream/upstream.h"

#include <pthread.h>

#define GROUP_SERVERS_MAX  32 /* a set of them is a uint32_t */
#define GROUP_REST_MAX_MS  60000
#define GROUP_ASK_MS	   3000	 /* upstream_ask waits no longer for all servers together */
#define GROUP_ASK_AGAIN_MS 10000 /* and does so no more often */
#define GROUP_KNOWN_MS	   60000 /* what a server has offered is believed without asking */

struct group_server {
	struct conn_target target;
	char host[256];
	/* under the group's lock: */
	unsigned failures;   /* in a row */
	int64_t rests_until; /* ms, monotonic; tried last before */
	int64_t probe_until; /* then the delivery that tries it is given up; 0: none does */
	bool is_known;	     /* ehlo was heard */
	int64_t known_since; /* ms, monotonic: the last time */
	struct smtp_ehlo ehlo;
};

struct upstream {
	const struct config_upstream *config; /* borrowed */
	const char *hostname;		      /* borrowed */
	struct secret password;
	SSL_CTX *tls_ctx; /* owned; NULL without TLS */
	struct group_server servers[GROUP_SERVERS_MAX];
	size_t server_count;
	int64_t asked_at;  /* ms, monotonic, of upstream_ask; 0: never. Under the lock. */
	struct pool *pool; /* NULL: a Maildir */
	pthread_mutex_t lock;
};

/*
 * group_next - the server to try next, none of the set excluded (bits); false: none is left.
 * Who is given one that has rested is its probe, and tells by group_failed or group_works; one
 * that tells neither is not waited for longer than connecting and one command may take, and a
 * minute at most.
 */
MUST_CHECK bool group_next(struct upstream *u, uint32_t excluded, size_t *server_out);

/* group_failed, group_works - the change is logged: upstream.rests, upstream.works. */
void group_failed(struct upstream *u, size_t server);
void group_works(struct upstream *u, size_t server);

/* group_count_connect - a new connection: "ok", or the kind of the error. */
void group_count_connect(const struct upstream *u, const char *result);

/* group_forget - the upstream ends: its servers are counted no longer. */
void group_forget(struct upstream *u);

/* group_learn - what a server offered, for upstream_features. */
void group_learn(struct upstream *u, size_t server, const struct smtp_ehlo *ehlo);

/* group_offer - what it offered the last time; false: not heard in the last minute, so that one
 * that has learned something since then is asked again. */
bool group_offer(struct upstream *u, size_t server, struct smtp_ehlo *out);

/* group_may_offer - is there a server that meets these needs (RELAY_*), as far as is known? */
bool group_may_offer(struct upstream *u, unsigned needs);

#endif
