/* SPDX-License-Identifier: MPL-2.0 */
/* See lookup.h. One lock for all; nothing blocks while it is held. */
#include "lib/net/lookup.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"
#include "lib/base/mem.h"
#include "lib/base/view.h"
#include "lib/net/address.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define HOST_MAX   256 /* octets with the NUL */
#define CACHE_SIZE 64

struct job {
	struct job *next; /* in jobs, until done */
	char host[HOST_MAX];
	int references; /* the resolving thread's and one for each waiter */
	bool is_done;
	int status; /* of getaddrinfo */
	struct lookup_answer answer;
	pthread_cond_t changed;
};

struct cached {
	char host[HOST_MAX]; /* "": free */
	int64_t expires_at;  /* ms, monotonic */
	struct lookup_answer answer;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct job *jobs; /* running ones */
static size_t job_count;
static struct cached cache[CACHE_SIZE];

/* Below: the lock is held by the caller of every function that is called *_locked. */

static struct cached *
cache_find_locked(const char *host)
{
	for (size_t i = 0; i < CACHE_SIZE; i++) {
		if (strcmp(cache[i].host, host) == 0 && cache[i].expires_at > clock_mono_ms())
			return &cache[i];
	}
	return NULL;
}

/* cache_put_locked - over the same name, or else over what expires first. */
static void
cache_put_locked(const char *host, const struct lookup_answer *answer)
{
	struct cached *place = &cache[0];

	for (size_t i = 0; i < CACHE_SIZE; i++) {
		if (strcmp(cache[i].host, host) == 0) {
			place = &cache[i];
			break;
		}
		if (cache[i].expires_at < place->expires_at)
			place = &cache[i];
	}
	snprintf(place->host, sizeof(place->host), "%s", host);
	place->answer = *answer;
	place->expires_at = clock_mono_ms() + LOOKUP_KEEP_MS;
}

static void
job_leave_locked(struct job *job)
{
	if (--job->references > 0)
		return;
	pthread_cond_destroy(&job->changed);
	mem_free(job);
}

static void
job_unlink_locked(struct job *job)
{
	struct job **at = &jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	job_count--;
}

static void
copy_answer(const struct addrinfo *list, struct lookup_answer *out)
{
	for (; list != NULL && out->count < LOOKUP_ADDRESSES_MAX; list = list->ai_next) {
		struct sockaddr_storage *to = &out->addresses[out->count];

		if (list->ai_addrlen > sizeof(*to) ||
		    (list->ai_family != AF_INET && list->ai_family != AF_INET6))
			continue;
		memset(to, 0, sizeof(*to));
		memcpy(to, list->ai_addr, list->ai_addrlen);
		address_fold(to);
		out->count++;
	}
}

static void *
job_run(void *context)
{
	struct job *job = context;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	struct lookup_answer answer = { .count = 0 };
	int status = getaddrinfo(job->host, NULL, &hints, &list);

	if (status == 0) {
		copy_answer(list, &answer);
		freeaddrinfo(list);
		if (answer.count == 0)
			status = EAI_NONAME;
	}
	pthread_mutex_lock(&lock);
	job->status = status;
	job->answer = answer;
	job->is_done = true;
	job_unlink_locked(job);
	if (status == 0)
		cache_put_locked(job->host, &answer);
	pthread_cond_broadcast(&job->changed);
	job_leave_locked(job);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static bool
thread_start(struct job *job)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, job_run, job);
	pthread_attr_destroy(&attr);
	return rc == 0;
}

/* job_enter_locked - join the running look-up of host, or start one; NULL: not possible now. */
static struct job *
job_enter_locked(const char *host)
{
	struct job *job = jobs;

	while (job != NULL && strcmp(job->host, host) != 0)
		job = job->next;
	if (job != NULL) {
		job->references++;
		return job;
	}
	if (job_count >= LOOKUP_JOBS_MAX)
		return NULL;
	job = mem_calloc(1, sizeof(*job));
	snprintf(job->host, sizeof(job->host), "%s", host);
	pthread_cond_init(&job->changed, NULL);
	job->references = 2;
	if (!thread_start(job)) {
		pthread_cond_destroy(&job->changed);
		mem_free(job);
		return NULL;
	}
	job->next = jobs;
	jobs = job;
	job_count++;
	return job;
}

static void
job_wait_locked(struct job *job, int64_t deadline_ms)
{
	while (!job->is_done) {
		if (!cond_wait(&job->changed, &lock, deadline_ms))
			return;
	}
}

static bool
lookup_locked(const char *host, int64_t deadline_ms, struct lookup_answer *out, struct err *err)
{
	const struct cached *hit = cache_find_locked(host);
	struct job *job;
	bool ok = true;

	if (hit != NULL) {
		*out = hit->answer;
		return true;
	}
	job = job_enter_locked(host);
	if (job == NULL)
		return err_set(err, ERR_TEMP, "look-up of %s: too many are under way", host);
	job_wait_locked(job, deadline_ms);
	if (!job->is_done)
		ok = err_set(err, ERR_TIMEOUT, "look-up of %s: no answer in time", host);
	else if (job->status != 0)
		ok = err_set(
		    err, ERR_TEMP, "look-up of %s: %s", host, gai_strerror(job->status));
	else
		*out = job->answer;
	job_leave_locked(job);
	return ok;
}

bool
lookup_host(const char *host, uint16_t port, int64_t deadline_ms, struct lookup_answer *out,
    struct err *err)
{
	bool ok;

	out->count = 1;
	if (address_from_host(host, port, &out->addresses[0]))
		return true;
	if (host[0] == '\0' || strlen(host) >= HOST_MAX)
		return err_set(err, ERR_TEMP, "look-up: \"%.40s\" is no host name", host);
	pthread_mutex_lock(&lock);
	ok = lookup_locked(host, deadline_ms, out, err);
	pthread_mutex_unlock(&lock);
	for (size_t i = 0; ok && i < out->count; i++)
		address_set_port(&out->addresses[i], port);
	return ok;
}

void
lookup_forget(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < CACHE_SIZE; i++)
		cache[i] = (struct cached){ .expires_at = 0 };
	pthread_mutex_unlock(&lock);
}
