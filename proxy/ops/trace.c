/* SPDX-License-Identifier: MPL-2.0 */
/* The queue of records and the thread that writes them; see trace.h. */
#include "proxy/ops/trace.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#define OUTAGE_MIN_MS 60000 /* a disk that is nearly full fails now and then: one outage */

METRIC_COUNTER(records_total, "gatepost_trace_records_total",
    "Records of transactions that were written to the trace, or lost.", "result");

struct trace_item {
	struct trace_item *next;
	size_t len;
	char text[];
};

struct trace {
	struct trace *next_open; /* under open_lock, as opens */
	unsigned opens;
	char folder[TRACE_FOLDER_MAX];

	pthread_mutex_t lock; /* for all that follows, down to the thread's own */
	pthread_cond_t news;
	struct trace_item *first, **end;
	size_t queued; /* octets */
	struct trace_limits limits;
	bool has_thread, is_stopping;
	pthread_t thread;
	bool is_out; /* an outage was logged, its end not yet */
	int64_t out_since_ms;
	uint64_t lost; /* in it */

	struct trace_file file; /* of the thread alone */
};

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct trace *open_traces;

/* ---- outages ---- */

/* lose - with the lock held; true: it is news, to be logged once the lock is given up. */
static bool
lose(struct trace *t)
{
	const bool is_news = !t->is_out;

	metric_add(&records_total, 1, METRIC_LABELS("lost"));
	if (is_news) {
		t->is_out = true;
		t->out_since_ms = clock_mono_ms();
		t->lost = 0;
	}
	t->lost++;
	return is_news;
}

static void
log_outage(const struct trace *t, const char *reason)
{
	log_event(LEVEL_ERROR, "trace.failed", LOG_STR("folder", t->folder),
	    LOG_STR("reason", reason));
}

/* settle - without the lock: what became of a record; failure is NULL when it was written. */
static void
settle(struct trace *t, const struct err *failure)
{
	bool is_over = false, is_news = false;
	uint64_t lost;

	pthread_mutex_lock(&t->lock);
	if (failure != NULL)
		is_news = lose(t);
	else
		is_over = t->is_out && clock_mono_ms() - t->out_since_ms >= OUTAGE_MIN_MS;
	lost = t->lost;
	t->is_out = t->is_out && !is_over;
	pthread_mutex_unlock(&t->lock);
	if (failure == NULL)
		metric_add(&records_total, 1, METRIC_LABELS("written"));
	if (is_news)
		log_outage(t, failure->text);
	if (is_over)
		log_event(LEVEL_INFO, "trace.works", LOG_STR("folder", t->folder),
		    LOG_U64("lost", lost));
}

/* ---- the thread ---- */

/* take - the oldest record; NULL: there is none, and none will come. */
static struct trace_item *
take(struct trace *t, struct trace_limits *limits_out)
{
	struct trace_item *item;

	pthread_mutex_lock(&t->lock);
	while (t->first == NULL && !t->is_stopping)
		(void)pthread_cond_wait(&t->news, &t->lock);
	item = t->first;
	if (item != NULL) {
		t->first = item->next;
		t->queued -= item->len;
	}
	if (t->first == NULL)
		t->end = &t->first;
	*limits_out = t->limits;
	pthread_mutex_unlock(&t->lock);
	return item;
}

static void *
run(void *context)
{
	struct trace *t = context;
	struct trace_limits limits;
	struct trace_item *item;

	while ((item = take(t, &limits)) != NULL) {
		struct err err = { 0 };
		const bool ok = trace_file_append(
		    &t->file, view_make(item->text, item->len), &limits, &err);

		mem_free(item);
		settle(t, ok ? NULL : &err);
	}
	trace_file_close(&t->file);
	return NULL;
}

/* start_thread - with the lock held. Signals are others' business. */
static bool
start_thread(struct trace *t)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	t->has_thread = pthread_create(&t->thread, NULL, run, t) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return t->has_thread;
}

/* ---- for everybody ---- */

static struct trace *
make_trace(const char *folder)
{
	struct trace *t = mem_calloc(1, sizeof(*t));

	(void)snprintf(t->folder, sizeof(t->folder), "%s", folder);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->news, NULL);
	t->end = &t->first;
	trace_file_init(&t->file, t->folder);
	return t;
}

struct trace *
trace_open(const char *folder, const struct trace_limits *limits, struct err *err)
{
	struct trace *t;

	if (strlen(folder) >= TRACE_FOLDER_MAX) {
		(void)err_set(err, ERR_CONFIG, "the folder's path is too long");
		return NULL;
	}
	pthread_mutex_lock(&open_lock);
	for (t = open_traces; t != NULL && strcmp(t->folder, folder) != 0;)
		t = t->next_open;
	if (t == NULL) {
		t = make_trace(folder);
		t->next_open = open_traces;
		open_traces = t;
	}
	t->opens++;
	pthread_mutex_lock(&t->lock);
	t->limits = *limits;
	pthread_mutex_unlock(&t->lock);
	pthread_mutex_unlock(&open_lock);
	return t;
}

static void
stop(struct trace *t)
{
	bool has_thread;

	pthread_mutex_lock(&t->lock);
	t->is_stopping = true;
	has_thread = t->has_thread;
	pthread_cond_signal(&t->news);
	pthread_mutex_unlock(&t->lock);
	if (has_thread)
		(void)pthread_join(t->thread, NULL);
}

void
trace_close(struct trace **trace)
{
	struct trace *t = *trace;

	*trace = NULL;
	if (t == NULL)
		return;
	pthread_mutex_lock(&open_lock);
	if (--t->opens > 0) {
		pthread_mutex_unlock(&open_lock);
		return;
	}
	for (struct trace **at = &open_traces; *at != NULL;) {
		if (*at == t)
			*at = t->next_open;
		else
			at = &(*at)->next_open;
	}
	/* Whoever opens it now waits: there are never two threads for one folder. */
	stop(t);
	pthread_mutex_unlock(&open_lock);
	pthread_cond_destroy(&t->news);
	pthread_mutex_destroy(&t->lock);
	mem_free(t);
}

bool
trace_put(struct trace *t, struct view record)
{
	struct trace_item *item = mem_alloc(sizeof(*item) + record.len);
	bool fits, is_news = false;

	item->next = NULL;
	item->len = record.len;
	memcpy(item->text, record.p, record.len);
	pthread_mutex_lock(&t->lock);
	fits = t->queued + record.len <= TRACE_QUEUE_MAX && (t->has_thread || start_thread(t));
	if (fits) {
		*t->end = item;
		t->end = &item->next;
		t->queued += item->len;
		pthread_cond_signal(&t->news);
	} else {
		is_news = lose(t);
	}
	pthread_mutex_unlock(&t->lock);
	if (is_news)
		log_outage(t, "the queue is full");
	if (!fits)
		mem_free(item);
	return fits;
}
