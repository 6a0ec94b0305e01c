/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Connections of one table: as many as may be open at a time, kept open for the next question.
 * Whoever finds all of them busy waits, until its deadline, or until one of those before has
 * failed. An idle one that turns out dead is replaced, and the question asked once more. Any
 * thread.
 */
#ifndef GATEPOST_TABLE_TABLE_POOL_H
#define GATEPOST_TABLE_TABLE_POOL_H

#include "lib/table/table_private.h"

struct table_pool;

/* table_pool_create - config is borrowed; password (of config->password_file) is copied. */
MUST_CHECK struct table_pool *table_pool_create(const struct table_kind *kind,
    const struct table_config *config, const struct secret *password);
void table_pool_destroy(struct table_pool **pool); /* NULL is fine; nobody may be asking */

MUST_CHECK enum table_result table_pool_ask(struct table_pool *pool, struct view key,
    int64_t deadline_ms, struct table_answer *answer, struct err *err);

#endif
