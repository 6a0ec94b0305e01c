/* SPDX-License-Identifier: MPL-2.0 */
/*
 * See resolver.h. libunbound's own thread does the asking; a thread of ours, the pump, waits
 * for its results and hands them to whoever waits. Both start with the first query, so after a
 * change of user. A query is a job with two owners, the one who waits and libunbound; the last
 * to leave frees it. libunbound has no time limit: who waits leaves at his deadline.
 */
#include "lib/net/resolver.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/net/address.h"
#include "lib/net/authority.h"
#include "lib/net/dns_wire.h"
#include "lib/net/recent_answers.h"
#include "lib/net/resolver_private.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unbound.h>
#include <unistd.h>

#define CLASS_IN 1

struct job {
	struct job *next, **at; /* in resolver.jobs while libunbound has it */
	struct resolver *resolver;
	int references;
	bool is_done;
	int error;		  /* UB_... */
	struct ub_result *result; /* owned */
	pthread_cond_t changed;
};

struct resolver {
	struct resolver *next; /* in all, below */
	int opens;
	struct resolver_config config; /* a copy, owned */
	struct dns_source source;
	struct recent_answers *recent; /* owned; locks itself */
	pthread_mutex_t lock;	       /* of what follows */
	struct ub_ctx *ctx;	       /* locks itself */
	bool has_pump;
	pthread_t pump;
	int stop_fd;	  /* an eventfd: readable when the pump shall end */
	struct job *jobs; /* those that libunbound has */
	size_t job_count;
};

METRIC_GAUGE(running, "gatepost_dns_running",
    "DNS queries under way, those included that nobody waits for any more.", NULL);

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct resolver *all;

/* ---- jobs ---- */

static struct job *
job_create(struct resolver *r)
{
	struct job *job = mem_calloc(1, sizeof(*job));

	pthread_cond_init(&job->changed, NULL);
	job->resolver = r;
	return job;
}

static void
job_leave_locked(struct job *job)
{
	if (--job->references > 0)
		return;
	ub_resolve_free(job->result);
	pthread_cond_destroy(&job->changed);
	mem_free(job);
}

static void
job_link_locked(struct job *job)
{
	struct resolver *r = job->resolver;

	job->next = r->jobs;
	job->at = &r->jobs;
	if (job->next != NULL)
		job->next->at = &job->next;
	r->jobs = job;
	r->job_count++;
	metric_add(&running, 1, NULL);
}

static void
job_unlink_locked(struct job *job)
{
	*job->at = job->next;
	if (job->next != NULL)
		job->next->at = job->at;
	job->resolver->job_count--;
	metric_add(&running, -1, NULL);
}

/* on_result - libunbound's call, in the pump. */
static void
on_result(void *context, int error, struct ub_result *result)
{
	struct job *job = context;
	struct resolver *r = job->resolver;

	pthread_mutex_lock(&r->lock);
	job->error = error;
	job->result = result;
	job->is_done = true;
	job_unlink_locked(job);
	pthread_cond_signal(&job->changed);
	job_leave_locked(job);
	pthread_mutex_unlock(&r->lock);
}

static void
job_wait_locked(struct job *job, int64_t deadline_ms)
{
	while (!job->is_done) {
		if (!cond_wait(&job->changed, &job->resolver->lock, deadline_ms))
			return;
	}
}

/* ---- the pump ---- */

static void *
pump_run(void *context)
{
	struct resolver *r = context;
	struct pollfd fds[2] = {
		{ .fd = ub_fd(r->ctx), .events = POLLIN },
		{ .fd = r->stop_fd, .events = POLLIN },
	};

	while ((fds[1].revents & POLLIN) == 0) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			break;
		if ((fds[0].revents & ~POLLIN) != 0)
			break; /* libunbound's thread is gone: every query times out */
		if (fds[0].revents != 0)
			(void)ub_process(r->ctx);
	}
	return NULL;
}

/* start_locked - at the first query; with all signals blocked, for threads take that over. */
static bool
start_locked(struct resolver *r)
{
	if (!r->has_pump)
		r->has_pump = resolver_context_start(r->ctx, r->config.recursive) &&
			      pthread_create(&r->pump, NULL, pump_run, r) == 0;
	return r->has_pump;
}

/* hand_over_locked - the job to libunbound, which starts its thread if need be; UB_... */
static int
hand_over_locked(struct resolver *r, struct job *job, const char *name, enum dns_type type)
{
	sigset_t every, before;
	int error = UB_INITFAIL;

	sigfillset(&every);
	pthread_sigmask(SIG_BLOCK, &every, &before);
	if (start_locked(r))
		error =
		    ub_resolve_async(r->ctx, name, (int)type, CLASS_IN, job, on_result, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* ---- queries ---- */

static void
fail(struct dns_answer *out, const char *why)
{
	*out = (struct dns_answer){ .status = DNS_TEMPFAIL };
	snprintf(out->why, sizeof(out->why), "%s", why);
}

/* submit_locked - NULL: *out says why there can be no query now. */
static struct job *
submit_locked(struct resolver *r, const char *name, enum dns_type type, struct dns_answer *out)
{
	struct job *job;
	int error;

	if (r->job_count >= RESOLVER_RUNNING_MAX) {
		fail(out, "too many queries at a time");
		return NULL;
	}
	job = job_create(r);
	job->references = 2;
	job_link_locked(job);
	error = hand_over_locked(r, job, name, type);
	if (error == 0)
		return job;
	job_unlink_locked(job);
	job->references = 1;
	job_leave_locked(job);
	fail(out, ub_strerror(error));
	return NULL;
}

/* ask - what libunbound says until deadline_ms; NULL: *out says why not. */
static struct ub_result *
ask(struct resolver *r, const char *name, enum dns_type type, int64_t deadline_ms,
    struct dns_answer *out)
{
	struct ub_result *result = NULL;
	struct job *job;

	pthread_mutex_lock(&r->lock);
	job = submit_locked(r, name, type, out);
	if (job != NULL) {
		job_wait_locked(job, deadline_ms);
		result = job->result;
		job->result = NULL;
		if (!job->is_done)
			fail(out, "timed out");
		else if (result == NULL)
			fail(out, ub_strerror(job->error));
		job_leave_locked(job);
	}
	pthread_mutex_unlock(&r->lock);
	return result;
}

static void
read_packet(struct view packet, const unsigned char *name, enum dns_type type,
    struct arena *arena, struct dns_answer *out)
{
	struct dns_reply reply;

	if (dns_wire_read(packet, name, type, arena, &reply))
		*out = reply.answer;
	else
		fail(out, "a broken answer");
}

/* packet_of - what libunbound found is a DNS message again; false: *out says why not. */
static bool
packet_of(const struct ub_result *result, struct view *packet_out, struct dns_answer *out)
{
	if (result->bogus)
		fail(out, "bogus");
	else if (result->rcode != DNS_RCODE_NOERROR && result->rcode != DNS_RCODE_NXDOMAIN)
		fail(out, dns_rcode_name((unsigned)result->rcode));
	else if (result->answer_packet == NULL || result->answer_len <= 0)
		fail(out, "a broken answer");
	else {
		*packet_out = view_make(result->answer_packet, (size_t)result->answer_len);
		return true;
	}
	return false;
}

struct question {
	unsigned char wire[DNS_NAME_WIRE_MAX];
	char text[DNS_NAME_TEXT_MAX];
	enum dns_type type;
};

static bool
find_recent(const struct resolver *r, const struct question *q, struct arena *arena,
    struct dns_answer *out)
{
	struct recent_answer recent;

	if (!recent_find(r->recent, q->text, q->type, clock_mono_ms(), arena, &recent))
		return false;
	read_packet(recent.packet, q->wire, q->type, arena, out);
	out->is_secure = recent.is_secure;
	out->ttl_s -= recent.age_s < out->ttl_s ? recent.age_s : out->ttl_s;
	return true;
}

static void
keep_recent(const struct resolver *r, const struct question *q, struct view packet,
    const struct dns_answer *answer)
{
	const struct recent_answer recent = {
		.packet = packet, .is_secure = answer->is_secure, .ttl_s = answer->ttl_s
	};

	recent_put(r->recent, q->text, q->type, &recent, clock_mono_ms());
}

static void
ask_libunbound(struct resolver *r, const struct question *q, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	struct ub_result *result = ask(r, q->text, q->type, deadline_ms, out);
	struct view packet;

	if (result != NULL && packet_of(result, &packet, out)) {
		read_packet(packet, q->wire, q->type, arena, out);
		out->is_secure = result->secure != 0;
		if (out->status != DNS_TEMPFAIL)
			keep_recent(r, q, packet, out);
	}
	ub_resolve_free(result);
}

static void
resolver_query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	struct resolver *r = context;
	struct question q = { .type = type };
	const int64_t own_ms = clock_mono_ms() + r->config.timeout_ms;

	*out = (struct dns_answer){ .status = DNS_NXDOMAIN };
	if (dns_name_to_wire(view_of(name), q.wire) == 0)
		return;
	(void)dns_name_to_text(q.wire, q.text);
	if (find_recent(r, &q, arena, out))
		return;
	ask_libunbound(r, &q, own_ms < deadline_ms ? own_ms : deadline_ms, arena, out);
	if (out->status == DNS_TEMPFAIL)
		log_event(LEVEL_DEBUG, "dns.fail", LOG_STR("name", q.text),
		    LOG_STR("type", dns_type_name(type)), LOG_STR("why", out->why));
}

static size_t
resolver_query_each(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_server_answer **out)
{
	const struct resolver *r = context;
	const struct authority_request request = {
		.source = &r->source,
		.port = r->config.authority_port,
		.name = name,
		.type = type,
		.deadline_ms = deadline_ms,
		.arena = arena,
	};

	return authority_query(&request, out);
}

const struct dns_source *
resolver_source(const struct resolver *r)
{
	return &r->source;
}

/* ---- life ---- */

static void
destroy(struct resolver *r)
{
	if (r->has_pump) {
		const uint64_t one = 1;

		while (write(r->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
		pthread_join(r->pump, NULL);
	}
	if (r->ctx != NULL)
		ub_ctx_delete(r->ctx); /* ends its thread; on_result is not called any more */
	pthread_mutex_lock(&r->lock);
	while (r->jobs != NULL) {
		struct job *job = r->jobs;

		job_unlink_locked(job);
		job_leave_locked(job);
	}
	pthread_mutex_unlock(&r->lock);
	if (r->stop_fd >= 0)
		close(r->stop_fd);
	pthread_mutex_destroy(&r->lock);
	recent_destroy(&r->recent);
	resolver_config_finish(&r->config);
	mem_free(r);
}

static struct resolver *
create(const struct resolver_config *config, struct err *err)
{
	struct resolver *r = mem_calloc(1, sizeof(*r));

	r->opens = 1;
	r->recent = recent_create();
	pthread_mutex_init(&r->lock, NULL);
	resolver_config_copy(config, &r->config);
	r->source = (struct dns_source){
		.query = resolver_query,
		.query_each = resolver_query_each,
		.context = r,
	};
	r->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (r->stop_fd < 0)
		(void)err_set_errno(err, errno, "eventfd");
	else
		r->ctx = resolver_context_create(&r->config, err);
	if (r->ctx == NULL) {
		destroy(r);
		return NULL;
	}
	return r;
}

struct resolver *
resolver_open(const struct resolver_config *config, struct err *err)
{
	struct resolver_config whole = { 0 };
	struct resolver *r;

	if (!resolver_config_complete(config, &whole, err))
		return NULL;
	pthread_mutex_lock(&all_lock);
	for (r = all; r != NULL; r = r->next) {
		if (resolver_config_eq(&r->config, &whole))
			break;
	}
	if (r != NULL) {
		r->opens++;
	} else {
		r = create(&whole, err);
		if (r != NULL) {
			r->next = all;
			all = r;
		}
	}
	pthread_mutex_unlock(&all_lock);
	resolver_config_finish(&whole);
	return r;
}

void
resolver_close(struct resolver **r)
{
	struct resolver *last = NULL;

	if (*r == NULL)
		return;
	pthread_mutex_lock(&all_lock);
	if (--(*r)->opens == 0) {
		struct resolver **at = &all;

		while (*at != *r)
			at = &(*at)->next;
		*at = (*r)->next;
		last = *r;
	}
	pthread_mutex_unlock(&all_lock);
	if (last != NULL)
		destroy(last);
	*r = NULL;
}
