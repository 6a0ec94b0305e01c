/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Warm connections, last in first out, found by the key of their target: server, TLS mode and
 * name, credentials, EHLO name. Counts busy ones too, for max_connections. Any thread; nothing
 * is waited for on the network while the lock is held.
 */
#ifndef GATEPOST_PROXY_UPSTREAM_POOL_H
#define GATEPOST_PROXY_UPSTREAM_POOL_H

#include "proxy/upstream/conn.h"

struct pool;

struct pool_limits {
	size_t max_idle;	/* warm connections kept; 0: none */
	size_t max_connections; /* in all; 0: no limit */
	int64_t idle_ms;	/* a warm one is closed after */
};

struct pool *pool_create(const struct pool_limits *limits);
void pool_destroy(struct pool **p); /* closes the warm ones; no busy one may be left */

/*
 * pool_take - a connection to the target: a warm one that is still quiet, else a new one.
 * fresh: only a new one will do. With max_connections reached an idle one of another target
 * gives way; without idle ones it waits until deadline_ms. The taker owns it until pool_give /
 * _drop. Errors: of conn_open; ERR_LIMIT all connections are busy.
 */
MUST_CHECK struct conn *pool_take(struct pool *p, const struct conn_target *target, bool fresh,
    int64_t deadline_ms, bool *is_warm_out, struct err *err);

/* pool_give - keep it warm; one that is of no more use is closed. No transaction may be open on
 * it. */
void pool_give(struct pool *p, struct conn **c);
void pool_drop(struct pool *p, struct conn **c); /* conn_abort it */

void pool_tend(struct pool *p); /* close what idled too long */

/* For tests and metrics. */
void pool_count(struct pool *p, size_t *idle_out, size_t *total_out);

#endif
