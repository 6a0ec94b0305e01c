/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Connections to a helper; see helper_pool.h. A set is the connections to one helper. Who uses
 * a set holds it, so that it can be given up by others meanwhile; the last one closes it, and
 * the helper ends when its connections do.
 */
#include "lib/net/helper_pool.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PAUSE_MS     50	   /* before a helper is replaced that ended soon; doubled each time */
#define PAUSE_MAX_MS 800   /* there is another one within a second */
#define GOOD_MS	     10000 /* a helper that has lived that long was a good one */

METRIC_COUNTER(helper_restarts_total, "gatepost_helper_restarts_total",
    "Helper processes that were started because one had ended.", "helper");

struct helper_set {
	struct helper_links links; /* owned */
	bool is_busy[HELPER_LINKS_MAX];
	unsigned users; /* of whom the pool itself is one while it is the current set */
};

struct helper_pool {
	struct helper_kind kind;
	pthread_mutex_t open_lock; /* one helper is started at a time; not within lock */
	pthread_t thread;
	int wake; /* owned: eventfd; the thread has to look */

	pthread_mutex_t lock; /* what stands below, and the sets' insides */
	pthread_cond_t changed;
	struct helper_set *set; /* current; NULL: there is none now */
	bool may_start;		/* the thread, once there has been a helper */
	bool is_started, is_stopping;
};

/* ---- sets ---- */

/* With the lock. */
static void
let_go(struct helper_set *set)
{
	if (--set->users > 0)
		return;
	for (size_t i = 0; i < set->links.count; i++)
		(void)close(set->links.fds[i]);
	mem_free(set);
}

static void
wake_thread(struct helper_pool *p)
{
	const uint64_t one = 1;

	(void)!write(p->wake, &one, sizeof(one));
}

/* give_up - set is no good: nobody takes it from now on. */
static void
give_up(struct helper_pool *p, struct helper_set *set)
{
	pthread_mutex_lock(&p->lock);
	if (p->set == set) {
		p->set = NULL;
		let_go(set);
		wake_thread(p);
	}
	pthread_mutex_unlock(&p->lock);
}

static bool
find_idle(const struct helper_set *set, size_t *index_out)
{
	for (size_t i = 0; set != NULL && i < set->links.count; i++) {
		if (!set->is_busy[i]) {
			*index_out = i;
			return true;
		}
	}
	return false;
}

bool
helper_pool_take(
    struct helper_pool *p, int64_t deadline_ms, struct helper_turn *out, struct err *err)
{
	bool found;

	pthread_mutex_lock(&p->lock);
	while (!(found = find_idle(p->set, &out->index)) && !p->is_stopping &&
	       (p->set != NULL || p->is_started) &&
	       cond_wait(&p->changed, &p->lock, deadline_ms))
		continue;
	if (found) {
		out->set = p->set;
		out->set->is_busy[out->index] = true;
		out->set->users++;
		out->fd = out->set->links.fds[out->index];
	}
	pthread_mutex_unlock(&p->lock);
	return found ||
	       err_set(err, ERR_TEMP, "there is no %s, or it has no time", p->kind.name);
}

void
helper_pool_give(struct helper_pool *p, struct helper_turn *turn, enum turn_outcome outcome)
{
	if (outcome == TURN_HANGS)
		p->kind.end(p->kind.context, turn->set->links.pid);
	if (outcome != TURN_GOOD)
		give_up(p, turn->set);
	pthread_mutex_lock(&p->lock);
	turn->set->is_busy[turn->index] = false;
	let_go(turn->set);
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* ---- starting helpers ---- */

/* No locks are held. */
static struct helper_set *
open_set(struct helper_pool *p, struct err *err)
{
	struct helper_set *set = mem_calloc(1, sizeof(*set));

	if (!p->kind.open(p->kind.context, &set->links, err)) {
		mem_free(set);
		return NULL;
	}
	set->users = 1;
	if (p->kind.greet == NULL || p->kind.greet(set->links.fds[0], err))
		return set;
	p->kind.end(p->kind.context, set->links.pid);
	let_go(set);
	return NULL;
}

static void *tend(void *arg);

/* With the lock. */
static void
start_thread(struct helper_pool *p)
{
	if (p->may_start && !p->is_started && p->set != NULL)
		p->is_started = pthread_create(&p->thread, NULL, tend, p) == 0;
}

const struct helper_set *
helper_pool_current(struct helper_pool *p)
{
	pthread_mutex_lock(&p->lock);
	const struct helper_set *set = p->set;
	pthread_mutex_unlock(&p->lock);
	return set;
}

bool
helper_pool_replace(struct helper_pool *p, const struct helper_set *old, struct err *err)
{
	struct helper_set *fresh = NULL;
	bool is_done, ok = true;

	pthread_mutex_lock(&p->open_lock);
	pthread_mutex_lock(&p->lock);
	is_done = p->set != NULL && p->set != old;
	pthread_mutex_unlock(&p->lock);
	if (!is_done)
		ok = (fresh = open_set(p, err)) != NULL;
	pthread_mutex_lock(&p->lock);
	if (fresh != NULL) {
		if (p->set != NULL)
			let_go(p->set);
		p->set = fresh;
		start_thread(p);
		pthread_cond_broadcast(&p->changed);
		wake_thread(p);
	}
	pthread_mutex_unlock(&p->lock);
	pthread_mutex_unlock(&p->open_lock);
	return ok;
}

/* ---- the thread ---- */

/* wait_for_end - of the current helper, or until somebody wants the thread to look. */
static void
wait_for_end(struct helper_pool *p, struct helper_set *set, int64_t time_ms)
{
	struct pollfd fds[2] = { { .fd = p->wake, .events = POLLIN },
		{ .fd = set != NULL ? set->links.fds[0] : -1 } };
	uint64_t count;

	(void)poll(fds, 2, time_ms < 0 ? -1 : (int)time_ms);
	if ((fds[0].revents & POLLIN) != 0)
		(void)!read(p->wake, &count, sizeof(count));
	if (set != NULL && (fds[1].revents & (POLLHUP | POLLERR)) != 0)
		give_up(p, set);
}

static void
restart(struct helper_pool *p, int64_t *pause_ms, int64_t *started_ms)
{
	struct err err = { 0 };

	if (clock_mono_ms() - *started_ms > GOOD_MS)
		*pause_ms = 0;
	const int64_t waited_ms = *pause_ms;
	if (waited_ms > 0)
		wait_for_end(p, NULL, waited_ms);
	pthread_mutex_lock(&p->lock);
	const bool stop = p->is_stopping;
	pthread_mutex_unlock(&p->lock);
	if (stop)
		return;
	*pause_ms = *pause_ms == 0 ? PAUSE_MS : 2 * *pause_ms;
	if (*pause_ms > PAUSE_MAX_MS)
		*pause_ms = PAUSE_MAX_MS;
	metric_add(&helper_restarts_total, 1, METRIC_LABELS(p->kind.name));
	if (helper_pool_replace(p, NULL, &err))
		log_event(LEVEL_WARNING, "helper.restarted", LOG_STR("name", p->kind.name),
		    LOG_U64("waited_ms", waited_ms));
	else
		log_event(LEVEL_ERROR, "helper.failed", LOG_STR("name", p->kind.name),
		    LOG_STR("text", err.text));
	*started_ms = clock_mono_ms();
}

static void *
tend(void *arg)
{
	int64_t pause_ms = 0, started_ms = clock_mono_ms();
	struct helper_pool *p = arg;

	for (;;) {
		pthread_mutex_lock(&p->lock);
		const bool stop = p->is_stopping;
		struct helper_set *set = p->set;
		if (set != NULL)
			set->users++;
		pthread_mutex_unlock(&p->lock);
		if (set != NULL && !stop)
			wait_for_end(p, set, -1);
		if (set != NULL) {
			pthread_mutex_lock(&p->lock);
			let_go(set);
			pthread_mutex_unlock(&p->lock);
		}
		if (stop)
			return NULL;
		if (set == NULL)
			restart(p, &pause_ms, &started_ms);
	}
}

/* ---- life ---- */

struct helper_pool *
helper_pool_create(const struct helper_kind *kind)
{
	struct helper_pool *p = mem_calloc(1, sizeof(*p));

	p->kind = *kind;
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->wake < 0)
		BUG("no eventfd");
	pthread_mutex_init(&p->open_lock, NULL);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	return p;
}

bool
helper_pool_start(struct helper_pool *p, struct err *err)
{
	pthread_mutex_lock(&p->lock);
	p->may_start = true;
	start_thread(p);
	const bool ok = p->set == NULL || p->is_started;
	pthread_mutex_unlock(&p->lock);
	return ok || err_set(err, ERR_IO, "no thread for the %s", p->kind.name);
}

void
helper_pool_destroy(struct helper_pool **pp)
{
	struct helper_pool *p = *pp;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_stopping = true;
	pthread_cond_broadcast(&p->changed);
	wake_thread(p);
	pthread_mutex_unlock(&p->lock);
	if (p->is_started)
		pthread_join(p->thread, NULL);
	if (p->set != NULL)
		let_go(p->set);
	(void)close(p->wake);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->open_lock);
	mem_free(p);
	*pp = NULL;
}
