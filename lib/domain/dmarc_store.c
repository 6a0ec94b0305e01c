/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The writing side: a bounded list of rows, and the thread that carries them into the file. The
 * thread alone touches the file. It starts with the first row, not at open: a thread that was
 * there when root was given up would keep some of it (no_new_privs is a thread's own).
 *
 * A batch that cannot be written stays at the head of the list and is tried again; meanwhile
 * the list fills up, then rows are lost, and counted. An outage is two log lines, whatever its
 * length.
 */
#include "lib/domain/dmarc_store.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/domain/dmarc_store_private.h"
#include "lib/domain/dmarc_store_row.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define BATCH_MAX    512
#define GATHER_MS    500  /* a first row waits for others that long */
#define RETRY_MS     5000 /* after a failure */
#define PATH_OCTETS  4096
#define KEEP_DAYS    30
#define OCTETS_MAX   (INT64_C(256) << 20)
#define LOST_FOR_NOW "the queue is full"

METRIC_COUNTER(rows_total, "gatepost_dmarc_rows_total",
    "Rows for DMARC aggregate reports that were written to the file, or lost.", "result");

struct dmarc_store {
	struct dmarc_store *next_open; /* under open_lock, as opens */
	unsigned opens;
	char path[PATH_OCTETS];

	pthread_mutex_t lock; /* for all that follows, down to the thread's own */
	pthread_cond_t news;
	struct dmarc_row *first, **end;
	size_t queued; /* those of the batch that is being written too */
	uint64_t written, lost, lost_before;
	bool has_thread, is_stopping;
	bool is_failing; /* the last batch was not written */
	bool is_out;	 /* an outage was logged, its end not yet */
	unsigned keep_days;
	int64_t max_octets;
	pthread_t thread;

	struct dmarc_db db;    /* of the thread alone */
	int64_t trimmed_day;   /* the last day on which old rows were removed */
	int64_t capped_octets; /* what the handle was told */
};

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct dmarc_store *open_stores;

/* ---- outages ---- */

/* begin_outage - with the lock held; true: log it, once the lock is given up. */
static bool
begin_outage(struct dmarc_store *s)
{
	const bool is_news = !s->is_out;

	if (is_news)
		s->lost_before = s->lost;
	s->is_out = true;
	return is_news;
}

static void
log_outage(const struct dmarc_store *s, const char *reason)
{
	log_event(LEVEL_ERROR, "dmarc.store_failed", LOG_STR("file", s->path),
	    LOG_STR("reason", reason));
}

/* ---- the thread ---- */

/* wait_ms - with the lock held; until then, or until the store is to stop, or batch is there.
 */
static void
wait_ms(struct dmarc_store *s, int64_t ms, size_t batch)
{
	const int64_t until_ms = clock_mono_ms() + ms;

	while (!s->is_stopping && s->queued < batch) {
		if (!cond_wait(&s->news, &s->lock, until_ms))
			return;
	}
}

/* A file that somebody moved away is not written to any longer: there is a new one then. */
static bool
have_db(struct dmarc_store *s, struct err *err)
{
	if (dmarc_db_is_of(&s->db, s->path))
		return true;
	dmarc_db_close(&s->db);
	s->capped_octets = 0;
	return dmarc_db_open(&s->db, s->path, DMARC_DB_CREATE, err);
}

static bool
trim(struct dmarc_store *s, unsigned keep_days, struct err *err)
{
	const int64_t today = clock_real_s() / DMARC_DAY_S;

	if (today == s->trimmed_day)
		return true;
	if (!dmarc_db_trim(&s->db, today - (int64_t)keep_days, err))
		return false;
	s->trimmed_day = today;
	return true;
}

/* write_batch - without the lock. After a failure the file is opened anew the next time. */
static bool
write_batch(struct dmarc_store *s, const struct dmarc_row *rows, size_t count, struct err *err)
{
	unsigned keep_days;
	int64_t max_octets;

	pthread_mutex_lock(&s->lock);
	keep_days = s->keep_days;
	max_octets = s->max_octets;
	pthread_mutex_unlock(&s->lock);
	if (!have_db(s, err))
		return false;
	if (max_octets != s->capped_octets)
		dmarc_db_cap(&s->db, max_octets);
	s->capped_octets = max_octets;
	if (trim(s, keep_days, err) && dmarc_db_write(&s->db, rows, count, err))
		return true;
	dmarc_db_close(&s->db);
	return false;
}

/* The head of the list, while it is being written. */
struct batch {
	struct dmarc_row *first, *last;
	size_t count;
};

/* take_batch - with the lock held; there is a row. */
static struct batch
take_batch(struct dmarc_store *s)
{
	struct batch b = { .first = s->first, .last = s->first, .count = 1 };

	for (; b.last->next != NULL && b.count < BATCH_MAX; b.count++)
		b.last = b.last->next;
	s->first = b.last->next;
	if (s->first == NULL)
		s->end = &s->first;
	b.last->next = NULL;
	return b;
}

static void
put_back(struct dmarc_store *s, const struct batch *b)
{
	b->last->next = s->first;
	if (s->first == NULL)
		s->end = &b->last->next;
	s->first = b->first;
}

static void
free_rows(struct dmarc_row *rows)
{
	while (rows != NULL) {
		struct dmarc_row *next = rows->next;

		mem_free(rows);
		rows = next;
	}
}

/* give_up - the store ends and the file cannot be written: what is left is lost. */
static void
give_up(struct dmarc_store *s)
{
	free_rows(s->first);
	s->first = NULL;
	s->end = &s->first;
	metric_add(&rows_total, (int64_t)s->queued, METRIC_LABELS("lost"));
	s->lost += s->queued;
	s->queued = 0;
}

/* settle - with the lock held: what became of a batch; failure is NULL when it was written. */
static void
settle(struct dmarc_store *s, const struct batch *b, const struct err *failure)
{
	bool is_news;

	s->is_failing = failure != NULL;
	if (failure != NULL) {
		put_back(s, b);
		is_news = begin_outage(s);
		if (s->is_stopping)
			give_up(s);
	} else {
		free_rows(b->first);
		s->queued -= b->count;
		s->written += b->count;
		metric_add(&rows_total, (int64_t)b->count, METRIC_LABELS("written"));
		is_news = s->is_out;
		s->is_out = false;
	}
	const uint64_t lost = s->lost - s->lost_before;
	if (!is_news)
		return;
	pthread_mutex_unlock(&s->lock);
	if (failure != NULL)
		log_outage(s, failure->text);
	else
		log_event(LEVEL_INFO, "dmarc.store_works", LOG_STR("file", s->path),
		    LOG_U64("lost", lost));
	pthread_mutex_lock(&s->lock);
}

static void *
run(void *context)
{
	struct dmarc_store *s = context;

	pthread_mutex_lock(&s->lock);
	while (!s->is_stopping || s->first != NULL) {
		struct err err = { 0 };

		if (s->first == NULL) {
			(void)pthread_cond_wait(&s->news, &s->lock);
			continue;
		}
		if (s->is_failing)
			wait_ms(s, RETRY_MS, SIZE_MAX);
		else
			wait_ms(s, GATHER_MS, BATCH_MAX);
		const struct batch batch = take_batch(s);
		pthread_mutex_unlock(&s->lock);
		const bool ok = write_batch(s, batch.first, batch.count, &err);
		pthread_mutex_lock(&s->lock);
		settle(s, &batch, ok ? NULL : &err);
	}
	pthread_mutex_unlock(&s->lock);
	dmarc_db_close(&s->db);
	return NULL;
}

/* start_thread - with the lock held. Signals are others' business. */
static bool
start_thread(struct dmarc_store *s)
{
	sigset_t all, before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	s->has_thread = pthread_create(&s->thread, NULL, run, s) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return s->has_thread;
}

/* ---- for everybody ---- */

static struct dmarc_store *
make_store(const char *path)
{
	struct dmarc_store *s = mem_calloc(1, sizeof(*s));

	snprintf(s->path, sizeof(s->path), "%s", path);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->news, NULL);
	s->end = &s->first;
	s->keep_days = KEEP_DAYS;
	s->max_octets = OCTETS_MAX;
	s->trimmed_day = -1;
	return s;
}

struct dmarc_store *
dmarc_store_open(const char *path, struct err *err)
{
	struct dmarc_store *s;

	if (path[0] == '\0' || strlen(path) >= PATH_OCTETS) {
		(void)err_set(
		    err, ERR_CONFIG, "the path of the DMARC store is empty or too long");
		return NULL;
	}
	pthread_mutex_lock(&open_lock);
	for (s = open_stores; s != NULL && strcmp(s->path, path) != 0;)
		s = s->next_open;
	if (s == NULL) {
		s = make_store(path);
		s->next_open = open_stores;
		open_stores = s;
	}
	s->opens++;
	pthread_mutex_unlock(&open_lock);
	return s;
}

static void
stop(struct dmarc_store *s)
{
	bool has_thread;

	pthread_mutex_lock(&s->lock);
	s->is_stopping = true;
	has_thread = s->has_thread;
	pthread_cond_broadcast(&s->news);
	pthread_mutex_unlock(&s->lock);
	if (has_thread)
		(void)pthread_join(s->thread, NULL);
	if (s->is_out && s->lost > s->lost_before)
		log_event(LEVEL_ERROR, "dmarc.store_lost", LOG_STR("file", s->path),
		    LOG_U64("lost", s->lost - s->lost_before));
}

void
dmarc_store_close(struct dmarc_store **store)
{
	struct dmarc_store *s = *store;

	*store = NULL;
	if (s == NULL)
		return;
	pthread_mutex_lock(&open_lock);
	if (--s->opens > 0) {
		pthread_mutex_unlock(&open_lock);
		return;
	}
	for (struct dmarc_store **at = &open_stores; *at != NULL;) {
		if (*at == s)
			*at = s->next_open;
		else
			at = &(*at)->next_open;
	}
	/* Whoever opens it now waits: there are never two threads for one file. */
	stop(s);
	pthread_mutex_unlock(&open_lock);
	pthread_cond_destroy(&s->news);
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
}

void
dmarc_store_limit(struct dmarc_store *s, unsigned keep_days, int64_t max_octets)
{
	pthread_mutex_lock(&s->lock);
	s->keep_days = keep_days > 0 ? keep_days : 1;
	s->max_octets = max_octets;
	pthread_mutex_unlock(&s->lock);
}

bool
dmarc_store_add(struct dmarc_store *s, const struct dmarc_store_row *row)
{
	struct dmarc_row *made = dmarc_row_create(row);
	bool fits, is_news = false;

	if (made == NULL)
		return true;
	pthread_mutex_lock(&s->lock);
	fits = s->queued < DMARC_STORE_QUEUE_MAX && (s->has_thread || start_thread(s));
	if (fits) {
		*s->end = made;
		s->end = &made->next;
		s->queued++;
		if (s->queued == 1 || s->queued == BATCH_MAX)
			pthread_cond_signal(&s->news);
	} else {
		s->lost++;
		metric_add(&rows_total, 1, METRIC_LABELS("lost"));
		is_news = begin_outage(s);
		s->lost_before -= is_news;
	}
	pthread_mutex_unlock(&s->lock);
	if (is_news)
		log_outage(s, LOST_FOR_NOW);
	if (!fits)
		mem_free(made);
	return fits;
}

void
dmarc_store_count(struct dmarc_store *s, struct dmarc_store_counts *out)
{
	pthread_mutex_lock(&s->lock);
	*out = (struct dmarc_store_counts){ .written = s->written,
		.lost = s->lost,
		.queued = s->queued,
		.is_failing = s->is_failing };
	pthread_mutex_unlock(&s->lock);
}
