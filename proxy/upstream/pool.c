/* SPDX-License-Identifier: MPL-2.0 */
/* See pool.h. */
#include "proxy/upstream/pool.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"
#include "lib/base/mem.h"

#include <pthread.h>
#include <time.h>

struct idle {
	struct conn *conn; /* owned */
	int64_t since_ms;
};

struct pool {
	struct pool_limits limits;
	pthread_mutex_t lock;
	pthread_cond_t freed; /* a connection was given back or closed */
	struct idle *idle;    /* room for max_idle; oldest first */
	size_t idle_count;    /* <= total */
	size_t total;	      /* idle, busy, and being opened */
};

struct pool *
pool_create(const struct pool_limits *limits)
{
	struct pool *p = mem_calloc(1, sizeof(*p));

	p->limits = *limits;
	p->idle = mem_calloc(limits->max_idle + 1, sizeof(*p->idle));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->freed, NULL);
	return p;
}

void
pool_destroy(struct pool **p)
{
	if (*p == NULL)
		return;
	for (size_t i = 0; i < (*p)->idle_count; i++)
		conn_close(&(*p)->idle[i].conn);
	pthread_cond_destroy(&(*p)->freed);
	pthread_mutex_destroy(&(*p)->lock);
	mem_free((*p)->idle);
	mem_free(*p);
	*p = NULL;
}

static struct conn *
idle_remove_locked(struct pool *p, size_t at)
{
	struct conn *c = p->idle[at].conn;

	p->idle_count--;
	memmove(p->idle + at, p->idle + at + 1, (p->idle_count - at) * sizeof(*p->idle));
	return c;
}

static bool
is_old(const struct pool *p, const struct idle *idle)
{
	return clock_mono_ms() - idle->since_ms >= p->limits.idle_ms;
}

/* idle_find_locked - the newest one for the target; idle_count: none. */
static size_t
idle_find_locked(const struct pool *p, const struct conn_target *target)
{
	for (size_t i = p->idle_count; i > 0 && !is_old(p, &p->idle[i - 1]); i--) {
		if (memcmp(conn_target(p->idle[i - 1].conn)->key, target->key, CONN_KEY_LEN) ==
		    0)
			return i - 1;
	}
	return p->idle_count;
}

static bool
is_full_locked(const struct pool *p)
{
	return p->limits.max_connections > 0 && p->total >= p->limits.max_connections;
}

/* close_one - outside of the lock: one connection less. */
static void
close_one(struct pool *p, struct conn **c, bool abort)
{
	if (abort)
		conn_abort(c);
	else
		conn_close(c);
	pthread_mutex_lock(&p->lock);
	p->total--;
	pthread_cond_signal(&p->freed);
	pthread_mutex_unlock(&p->lock);
}

enum place { PLACE_WARM, PLACE_FREE, PLACE_NONE };

/*
 * find_place - a warm connection (not yet looked at), or the right to open one, which is
 * counted. PLACE_NONE: all are busy, until the deadline.
 */
static enum place
find_place(struct pool *p, const struct conn_target *target, bool fresh, int64_t deadline_ms,
    struct conn **conn_out)
{
	enum place place = PLACE_NONE;
	struct conn *evicted = NULL;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		size_t at = fresh ? p->idle_count : idle_find_locked(p, target);

		if (at < p->idle_count) {
			*conn_out = idle_remove_locked(p, at);
			place = PLACE_WARM;
			break;
		}
		if (!is_full_locked(p)) {
			p->total++;
			place = PLACE_FREE;
			break;
		}
		if (p->idle_count > 0) { /* the new one takes its place in the count */
			evicted = idle_remove_locked(p, 0);
			place = PLACE_FREE;
			break;
		}
		if (clock_left_ms(deadline_ms) == 0)
			break;
		(void)cond_wait(&p->freed, &p->lock, deadline_ms);
	}
	pthread_mutex_unlock(&p->lock);
	conn_close(&evicted);
	return place;
}

struct conn *
pool_take(struct pool *p, const struct conn_target *target, bool fresh, int64_t deadline_ms,
    bool *is_warm_out, struct err *err)
{
	struct conn *c = NULL;
	enum place place;

	*is_warm_out = false;
	while ((place = find_place(p, target, fresh, deadline_ms, &c)) == PLACE_WARM) {
		if (conn_is_usable(c)) {
			*is_warm_out = true;
			return c;
		}
		close_one(p, &c, true);
	}
	if (place == PLACE_NONE) {
		err_set(err, ERR_LIMIT, "all connections to the upstream are busy");
		return NULL;
	}
	c = conn_open(target, deadline_ms, err);
	if (c == NULL)
		close_one(p, &c, true);
	return c;
}

void
pool_give(struct pool *p, struct conn **c)
{
	struct conn *out = NULL;

	if (*c == NULL)
		return;
	if (p->limits.max_idle == 0 || !conn_is_idle(*c) || conn_is_spent(*c)) {
		close_one(p, c, false);
		return;
	}
	pthread_mutex_lock(&p->lock);
	if (p->idle_count == p->limits.max_idle)
		out = idle_remove_locked(p, 0);
	p->idle[p->idle_count++] = (struct idle){ .conn = *c, .since_ms = clock_mono_ms() };
	*c = NULL;
	pthread_cond_signal(&p->freed);
	pthread_mutex_unlock(&p->lock);
	if (out != NULL)
		close_one(p, &out, false);
}

void
pool_drop(struct pool *p, struct conn **c)
{
	if (*c != NULL)
		close_one(p, c, true);
}

void
pool_tend(struct pool *p)
{
	for (;;) {
		struct conn *old = NULL;

		pthread_mutex_lock(&p->lock);
		if (p->idle_count > 0 && is_old(p, &p->idle[0]))
			old = idle_remove_locked(p, 0);
		pthread_mutex_unlock(&p->lock);
		if (old == NULL)
			return;
		close_one(p, &old, false);
	}
}

void
pool_count(struct pool *p, size_t *idle_out, size_t *total_out)
{
	pthread_mutex_lock(&p->lock);
	*idle_out = p->idle_count;
	*total_out = p->total;
	pthread_mutex_unlock(&p->lock);
}
