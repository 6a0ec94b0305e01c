/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Answers of a table, kept for a while: what was found, and that there is nothing. A fixed
 * number of places, four for each hash of a key; a new answer takes the one of the four that
 * ends first. Answers over TABLE_CACHED_MAX are not kept. Any thread.
 */
#ifndef GATEPOST_TABLE_TABLE_CACHE_H
#define GATEPOST_TABLE_TABLE_CACHE_H

#include "lib/table/table_private.h"

#define TABLE_CACHED_MAX 4096 /* octets of a key and its values */

struct table_cache;

/* table_cache_create - for about that many entries (at least 4). Lives in ms; 0: not kept. */
MUST_CHECK struct table_cache *table_cache_create(
    size_t entries, int64_t found_ms, int64_t absent_ms);
void table_cache_destroy(struct table_cache **cache); /* NULL is fine */

/* table_cache_find - false: it is not known. answer is filled with what was found. */
MUST_CHECK bool table_cache_find(struct table_cache *cache, struct view key,
    struct table_answer *answer, enum table_result *result_out);
/* table_cache_put - result is TABLE_FOUND or TABLE_ABSENT. */
void table_cache_put(struct table_cache *cache, struct view key, enum table_result result,
    const struct table_answer *answer);

#endif
