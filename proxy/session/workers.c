/* SPDX-License-Identifier: MPL-2.0 */
/* The run queue and its threads; see workers.h. One mutex, two conditions. */
#include "proxy/session/workers.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define IDLE_MS	     30000 /* a thread that found nothing to do for so long leaves */
#define STACK_OCTETS (1024UL * 1024)
#define LINGER_SHARE 4 /* one thread of so many may linger */
#define QUEUE_FACTOR 8 /* sessions in the queue for each thread before it counts as full */

METRIC_GAUGE(threads, "gatepost_workers", "Worker threads there are now.", NULL);

struct workers {
	workers_run run;
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t work, gone;    /* "something queued", "a thread left" */
	struct session *first, *last; /* the queue, by slot.next */
	size_t queued, threads, idle, lingering, limit;
	bool stopping, has_left;
	pthread_t left; /* with has_left: the thread that left last, not joined yet */
};

static struct session *
take(struct workers *w)
{
	struct session *s = w->first;

	if (s != NULL) {
		w->first = session_slot(s)->next;
		if (w->first == NULL)
			w->last = NULL;
		session_slot(s)->next = NULL;
		w->queued--;
	}
	return s;
}

/* Under the lock: the next session, or NULL when this thread shall leave. */
static struct session *
wait_for_work(struct workers *w)
{
	const int64_t until_ms = clock_mono_ms() + IDLE_MS;
	bool in_time = true;

	w->idle++;
	while (w->first == NULL && !w->stopping && in_time)
		in_time = cond_wait(&w->work, &w->lock, until_ms);
	w->idle--;
	return take(w);
}

/*
 * Each thread that leaves joins the one that left before it, and workers_stop joins the last:
 * so none is still giving back what it held of OpenSSL's when the process tidies up.
 */
static void *
worker_main(void *arg)
{
	struct workers *w = arg;
	struct session *s;

	pthread_mutex_lock(&w->lock);
	while ((s = wait_for_work(w)) != NULL) {
		pthread_mutex_unlock(&w->lock);
		w->run(w->context, s);
		pthread_mutex_lock(&w->lock);
	}
	bool has_before = w->has_left;
	pthread_t before = w->left;
	w->left = pthread_self();
	w->has_left = true;
	w->threads--;
	metric_add(&threads, -1, NULL);
	pthread_cond_broadcast(&w->gone);
	pthread_mutex_unlock(&w->lock);
	if (has_before)
		pthread_join(before, NULL);
	return NULL;
}

/* Under the lock. A thread that cannot be made is no error while there are others. */
static void
add_thread(struct workers *w)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_OCTETS);
	int error = pthread_create(&thread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	if (error == 0) {
		w->threads++;
		metric_add(&threads, 1, NULL);
	} else {
		log_event(LEVEL_ERROR, "workers.fail", LOG_STR("text", strerror(error)),
		    LOG_U64("threads", w->threads));
	}
}

struct workers *
workers_create(size_t limit, workers_run run, void *context)
{
	struct workers *w = mem_calloc(1, sizeof(*w));

	w->limit = limit;
	w->run = run;
	w->context = context;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	pthread_cond_init(&w->gone, NULL);
	return w;
}

void
workers_submit(struct workers *w, struct session *s)
{
	pthread_mutex_lock(&w->lock);
	session_slot(s)->next = NULL;
	if (w->last != NULL)
		session_slot(w->last)->next = s;
	else
		w->first = s;
	w->last = s;
	w->queued++;
	if (w->queued > w->idle && w->threads < w->limit)
		add_thread(w);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_signal(&w->work); /* behind the lock: who wakes up needs it at once */
}

bool
workers_is_full(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	bool full = w->threads >= w->limit && w->queued >= QUEUE_FACTOR * w->limit;
	pthread_mutex_unlock(&w->lock);
	return full;
}

bool
workers_linger(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	bool may = w->queued == 0 && !w->stopping && w->lingering < w->limit / LINGER_SHARE;
	w->lingering += may ? 1 : 0;
	pthread_mutex_unlock(&w->lock);
	return may;
}

void
workers_end_linger(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->lingering--;
	pthread_mutex_unlock(&w->lock);
}

void
workers_set_limit(struct workers *w, size_t limit)
{
	pthread_mutex_lock(&w->lock);
	w->limit = limit;
	pthread_mutex_unlock(&w->lock);
}

bool
workers_stop(struct workers *w, int64_t deadline_ms)
{
	bool in_time = true;

	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->work);
	while (w->threads > 0 && in_time)
		in_time = cond_wait(&w->gone, &w->lock, deadline_ms);
	bool done = w->threads == 0;
	bool has_left = done && w->has_left;
	if (has_left)
		w->has_left = false;
	pthread_mutex_unlock(&w->lock);
	if (has_left)
		pthread_join(w->left, NULL);
	return done;
}

void
workers_destroy(struct workers **wp)
{
	struct workers *w = *wp;
	struct session *s;

	if (w == NULL)
		return;
	while ((s = take(w)) != NULL)
		session_destroy(&s);
	pthread_cond_destroy(&w->work);
	pthread_cond_destroy(&w->gone);
	pthread_mutex_destroy(&w->lock);
	mem_free(w);
	*wp = NULL;
}
