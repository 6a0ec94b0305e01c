/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Connections to one milter that wait for another SMTP session. Any thread; locks itself, and
 * not while it connects. A connection that is handed out is the caller's.
 */
#ifndef GATEPOST_MILTER_MILTER_POOL_H
#define GATEPOST_MILTER_MILTER_POOL_H

#include "lib/milter/milter_conn.h"

struct milter_pool;

struct milter_pool *milter_pool_create(const struct milter_config *config); /* borrowed */
void milter_pool_destroy(struct milter_pool **pool);

/*
 * milter_pool_take - a connection that waits, or a new one. *is_new_out: it was opened now; one
 * that waited may have died unseen. may_reuse false: a new one in any case. NULL: err.
 */
MUST_CHECK struct milter_conn *milter_pool_take(struct milter_pool *pool, bool may_reuse,
    int64_t deadline_ms, bool *is_new_out, struct err *err);

/* milter_pool_give - the session is over; the connection waits or is closed. Does not block. */
void milter_pool_give(struct milter_pool *pool, struct milter_conn **c);

#endif
