/* SPDX-License-Identifier: MPL-2.0 */
/* See table_pool.h. */
#include "lib/table/table_pool.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"
#include "lib/base/mem.h"

#define IDLE_MAX_MS 30000 /* an older one is not used again: who knows what became of it */

struct idle {
	void *connection; /* owned */
	int64_t since_ms;
};

struct table_pool {
	const struct table_kind *kind;
	const struct table_config *config;
	struct secret password;

	pthread_mutex_t lock;
	pthread_cond_t given;
	struct idle *idle; /* owned, room for config->connections; guarded by lock */
	size_t idle_count, busy_count; /* guarded by lock */
	uint64_t failures;	       /* guarded by lock: questions without an answer */
	struct err failure;	       /* guarded by lock: of the last one */
};

struct table_pool *
table_pool_create(const struct table_kind *kind, const struct table_config *config,
    const struct secret *password)
{
	struct table_pool *pool = mem_calloc(1, sizeof(*pool));

	pool->kind = kind;
	pool->config = config;
	secret_init(&pool->password);
	if (secret_is_set(password) &&
	    !secret_set(&pool->password, view_make(password->p, password->len)))
		BUG("a secret that cannot be copied");
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->given, NULL);
	pool->idle = mem_calloc((size_t)config->connections, sizeof(*pool->idle));
	return pool;
}

void
table_pool_destroy(struct table_pool **pool)
{
	struct table_pool *p = *pool;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->idle_count; i++)
		p->kind->close(p->idle[i].connection);
	mem_free(p->idle);
	secret_finish(&p->password);
	pthread_cond_destroy(&p->given);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
	*pool = NULL;
}

/* await - with the lock held, for a connection. False: err says why not. */
static bool
await(struct table_pool *pool, int64_t deadline_ms, struct err *err)
{
	const uint64_t failures = pool->failures;

	while (pool->busy_count == (size_t)pool->config->connections) {
		if (!cond_wait(&pool->given, &pool->lock, deadline_ms))
			return err_set(err, ERR_TIMEOUT, "all %lld connections are busy",
			    (long long)pool->config->connections);
		if (pool->failures == failures)
			continue;
		*err = pool->failure; /* whoever was before found nobody there */
		return false;
	}
	return true;
}

/*
 * enter - the right to use one connection; *idle_out is it, with NULL in it: one is to be
 * opened. False: err says why not.
 */
static bool
enter(struct table_pool *pool, int64_t deadline_ms, struct idle *idle_out, struct err *err)
{
	bool may;

	pthread_mutex_lock(&pool->lock);
	may = await(pool, deadline_ms, err);
	if (may) {
		pool->busy_count++;
		*idle_out = pool->idle_count > 0 ? pool->idle[--pool->idle_count]
						 : (struct idle){ .connection = NULL };
	}
	pthread_mutex_unlock(&pool->lock);
	return may;
}

/* leave - NULL: the connection is closed. failure: there was no answer; NULL: there was. */
static void
leave(struct table_pool *pool, void *connection, const struct err *failure)
{
	pthread_mutex_lock(&pool->lock);
	pool->busy_count--;
	if (connection != NULL)
		pool->idle[pool->idle_count++] = (struct idle){ connection, clock_mono_ms() };
	if (failure != NULL) {
		pool->failures++;
		pool->failure = *failure;
		pthread_cond_broadcast(&pool->given);
	} else {
		pthread_cond_signal(&pool->given);
	}
	pthread_mutex_unlock(&pool->lock);
}

/* still_good - the idle connection, or NULL, and it is closed. */
static void *
still_good(struct table_pool *pool, const struct idle *idle)
{
	if (idle->connection == NULL)
		return NULL;
	if (clock_mono_ms() - idle->since_ms <= IDLE_MAX_MS &&
	    (pool->kind->is_usable == NULL || pool->kind->is_usable(idle->connection)))
		return idle->connection;
	pool->kind->close(idle->connection);
	return NULL;
}

/* ask_on - one attempt; the connection is closed if it is of no more use, and then NULL. */
static enum table_result
ask_on(struct table_pool *pool, void **connection, struct view key, int64_t deadline_ms,
    struct table_answer *answer, struct err *err)
{
	enum table_result result;

	if (*connection == NULL)
		*connection = pool->kind->open(pool->config, &pool->password, deadline_ms, err);
	if (*connection == NULL)
		return TABLE_DOWN;
	result = pool->kind->ask(*connection, key, deadline_ms, answer, err);
	if (result == TABLE_DOWN && !answer->is_bad) {
		pool->kind->close(*connection);
		*connection = NULL;
	}
	return result;
}

enum table_result
table_pool_ask(struct table_pool *pool, struct view key, int64_t deadline_ms,
    struct table_answer *answer, struct err *err)
{
	enum table_result result;
	struct idle idle = { .connection = NULL };
	void *connection;
	bool was_idle;

	if (!enter(pool, deadline_ms, &idle, err))
		return TABLE_DOWN;
	connection = still_good(pool, &idle);
	was_idle = connection != NULL;
	result = ask_on(pool, &connection, key, deadline_ms, answer, err);
	if (result == TABLE_DOWN && was_idle && connection == NULL &&
	    err->kind != ERR_TIMEOUT) {
		table_answer_reset(answer);
		result = ask_on(pool, &connection, key, deadline_ms, answer, err);
	}
	leave(pool, connection, result == TABLE_DOWN && !answer->is_bad ? err : NULL);
	return result;
}
