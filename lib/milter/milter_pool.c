/* SPDX-License-Identifier: MPL-2.0 */
/* See milter_pool.h. */
#include "lib/milter/milter_pool.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#include <pthread.h>

#define IDLE_MAX_MS 30000 /* an older one is not used again: who knows what became of it */

struct idle {
	struct milter_conn *conn; /* owned */
	int64_t since_ms;
};

struct milter_pool {
	const struct milter_config *config; /* borrowed */
	pthread_mutex_t lock;
	struct idle *idle; /* owned, room for config->max_idle; guarded by lock; newest last */
	size_t count;	   /* guarded by lock */
};

struct milter_pool *
milter_pool_create(const struct milter_config *config)
{
	struct milter_pool *pool = mem_calloc(1, sizeof(*pool));

	pool->config = config;
	pthread_mutex_init(&pool->lock, NULL);
	pool->idle = mem_calloc(config->max_idle + 1, sizeof(*pool->idle));
	return pool;
}

void
milter_pool_destroy(struct milter_pool **pool)
{
	struct milter_pool *p = *pool;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->count; i++)
		milter_conn_close(&p->idle[i].conn);
	mem_free(p->idle);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
	*pool = NULL;
}

/* pop - the newest that waits; false: none. */
static bool
pop(struct milter_pool *pool, struct idle *out)
{
	bool has;

	pthread_mutex_lock(&pool->lock);
	has = pool->count > 0;
	if (has)
		*out = pool->idle[--pool->count];
	pthread_mutex_unlock(&pool->lock);
	return has;
}

struct milter_conn *
milter_pool_take(struct milter_pool *pool, bool may_reuse, int64_t deadline_ms,
    bool *is_new_out, struct err *err)
{
	struct idle idle;

	*is_new_out = false;
	while (may_reuse && pop(pool, &idle)) {
		if (clock_mono_ms() - idle.since_ms <= IDLE_MAX_MS &&
		    milter_conn_is_quiet(idle.conn))
			return idle.conn;
		milter_conn_close(&idle.conn);
	}
	*is_new_out = true;
	return milter_conn_open(pool->config, deadline_ms, err);
}

/* push - takes conn, if there is room. */
static void
push(struct milter_pool *pool, struct milter_conn **c)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->count < pool->config->max_idle) {
		pool->idle[pool->count++] = (struct idle){ *c, clock_mono_ms() };
		*c = NULL;
	}
	pthread_mutex_unlock(&pool->lock);
}

void
milter_pool_give(struct milter_pool *pool, struct milter_conn **c)
{
	if (*c == NULL)
		return;
	if (pool->config->max_idle > 0 && milter_conn_renew(*c))
		push(pool, c);
	milter_conn_close(c); /* what was not taken */
}
