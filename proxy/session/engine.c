/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The engine; see engine.h. The loop's thread accepts, keeps the park, handles signals and
 * swaps snapshots; workers run sessions; a reload builds its snapshot on a short-lived thread.
 */
#include "proxy/session/engine.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/net/address.h"
#include "proxy/helpers.h"
#include "proxy/ops/metrics_http.h"
#include "proxy/session/admission.h"
#include "proxy/session/listener.h"
#include "proxy/session/park.h"
#include "proxy/session/replies.h"
#include "proxy/session/workers.h"

#include <event2/thread.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define LINGER_MS     10   /* that long a worker stays with a client that is as quick as that */
#define TEND_S	      5	   /* between visits to the upstream pools */
#define RETIRE_MS     1000 /* that long a replaced snapshot is kept, at least */
#define DRAIN_TICK_MS 100  /* between looks at what is left while draining */
#define STOP_MS	      3000 /* for last replies and busy workers, after the drain's deadline */

METRIC_COUNTER(turned_away_total, "gatepost_turned_away_total",
    "Client connections that were refused with 421 4.3.2: too many, or no descriptor is left.",
    NULL);

struct engine {
	struct event_base *base;
	struct park *park;
	struct workers *workers;
	struct listeners *listeners;
	struct metrics_http *metrics;
	struct snapshot *current; /* the loop's thread only */
	struct snapshot
	    *retired; /* a reference: its watch ends within RETIRE_MS, unwaited for */
	int64_t retired_at_ms;
	atomic_size_t sessions;
	struct event *on_term, *on_int, *on_hup, *on_tend, *on_drain, *on_fresh;
	engine_reload reload;
	void *reload_context;
	bool reloading, reload_again;	/* the loop's thread only */
	struct snapshot *reloaded_from; /* a reference, while a reload runs */
	struct snapshot *fresh;		/* handed over by on_fresh's activation */
	int64_t drain_deadline_ms, stop_deadline_ms;
};

/* ---- sessions between park and workers ---- */

static void
on_ready(void *context, struct session *s)
{
	struct engine *e = context;

	workers_submit(e->workers, s);
}

/*
 * The way through the park costs more than most commands do. So a worker that has nothing else
 * to do waits itself, for a moment, for a client that answered within a moment the last time.
 * True: it answered.
 */
static bool
linger(struct engine *e, struct session *s, bool is_quick)
{
	struct session_slot *slot = session_slot(s);
	struct pollfd client = { .fd = session_fd(s), .events = POLLIN };
	int left_ms = clock_left_ms(slot->deadline_ms);

	if (!is_quick || slot->wait != WAIT_READ || left_ms == 0 || session_is_draining() ||
	    !workers_linger(e->workers))
		return false;
	bool is_ready = poll(&client, 1, left_ms < LINGER_MS ? left_ms : LINGER_MS) > 0;
	workers_end_linger(e->workers);
	return is_ready;
}

static void
run_session(void *context, struct session *s)
{
	struct engine *e = context;
	struct session_slot *slot = session_slot(s);
	bool is_quick;

	do {
		enum session_wake why = slot->wake;
		is_quick = clock_mono_ms() - slot->waits_since_ms <= LINGER_MS;
		slot->wake = WAKE_READY;
		slot->wait = session_run(s, why, &slot->deadline_ms);
		slot->waits_since_ms = clock_mono_ms();
	} while (linger(e, s, is_quick));
	switch (slot->wait) {
	case WAIT_READ:
	case WAIT_WRITE:
	case WAIT_TIME:
		park_add(e->park, s);
		break;
	case WAIT_TURN:
		workers_submit(e->workers, s);
		break;
	case WAIT_NONE:
		session_destroy(&s);
		atomic_fetch_sub(&e->sessions, 1);
		break;
	}
}

static const struct snapshot_listener *
find_listener(const struct snapshot *s, const struct sockaddr_storage *address)
{
	for (size_t i = 0; i < s->config->listeners.count; i++) {
		if (address_eq(&s->listeners[i].address, address))
			return &s->listeners[i];
	}
	return NULL;
}

/* One reply in clear, as far as the socket's buffer takes it, and good-bye. */
static void
turn_away(
    const struct engine *e, int fd, const struct snapshot_listener *listener, enum reply_id why)
{
	struct smtp_reply reply;
	struct buf text;

	buf_init(&text, 1024);
	reply_make(why, e->current->config->hostname, &reply);
	if (listener->config->tls != LISTENER_TLS_IMPLICIT && smtp_reply_write(&reply, &text))
		(void)!send(fd, text.p, text.len, MSG_NOSIGNAL);
	buf_finish(&text);
	(void)close(fd);
}

/* on_refused - descriptors have run out; listener.accept_fail has been logged. */
static void
on_refused(void *context, int fd, const struct sockaddr_storage *address)
{
	const struct engine *e = context;
	const struct snapshot_listener *listener = find_listener(e->current, address);

	if (listener == NULL) {
		(void)close(fd);
		return;
	}
	metric_add(&turned_away_total, 1, NULL);
	turn_away(e, fd, listener, REPLY_BUSY);
}

static void
on_accepted(void *context, int fd, const struct sockaddr_storage *client,
    const struct sockaddr_storage *address)
{
	struct engine *e = context;
	const struct config_limits *limits = &e->current->config->limits;
	const struct snapshot_listener *listener = find_listener(e->current, address);
	struct census_place place = { NULL, NULL };
	enum reply_id why;

	if (listener == NULL) {
		(void)close(fd);
		return;
	}
	if (atomic_load(&e->sessions) >= (size_t)limits->connections ||
	    workers_is_full(e->workers)) {
		log_event(LEVEL_WARNING, "session.turned_away",
		    LOG_U64("connections", atomic_load(&e->sessions)));
		metric_add(&turned_away_total, 1, NULL);
		turn_away(e, fd, listener, REPLY_BUSY);
		return;
	}
	if (!session_is_balancer(listener, client) && !xclient_is_proxy(listener, client) &&
	    !admission_count(client, limits, &place, &why)) {
		turn_away(e, fd, listener, why);
		return;
	}
	struct session *s = session_create(fd, client, snapshot_hold(e->current), listener);
	session_slot(s)->place = place;
	atomic_fetch_add(&e->sessions, 1);
	if (session_first_wait(s) == WAIT_READ) {
		session_slot(s)->wait = WAIT_READ;
		session_slot(s)->deadline_ms = clock_mono_ms() + limits->greeting_ms;
		park_add(e->park, s);
	} else {
		workers_submit(e->workers, s);
	}
}

/* ---- reload ---- */

static void *
reload_main(void *arg)
{
	struct engine *e = arg;

	e->fresh = e->reload(e->reload_context, e->reloaded_from);
	event_active(e->on_fresh, EV_READ, 0);
	return NULL;
}

static void
start_reload(struct engine *e)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (e->reloading) {
		e->reload_again = true;
		return;
	}
	e->reloaded_from = snapshot_hold(e->current);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	e->reloading = pthread_create(&thread, &attr, reload_main, e) == 0;
	pthread_attr_destroy(&attr);
	if (e->reloading)
		return;
	snapshot_release(&e->reloaded_from);
	log_event(LEVEL_ERROR, "gate.reload_failed", LOG_STR("text", "no thread for it"));
}

static void
on_hup(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	if (!session_is_draining()) /* or each one would make the end wait for it */
		start_reload(arg);
}

static void
use_snapshot(struct engine *e, struct snapshot *fresh)
{
	struct conf_errors errors;

	conf_errors_init(&errors);
	if (metrics_http_bind(e->metrics, fresh->config, &errors) &&
	    listeners_bind(e->listeners, fresh, &errors)) {
		listeners_use(e->listeners, fresh);
		metrics_http_use(e->metrics, fresh->config);
		workers_set_limit(e->workers, (size_t)fresh->config->limits.workers);
		snapshot_retire(e->current);
		snapshot_release(&e->retired);
		e->retired = e->current;
		e->retired_at_ms = clock_mono_ms();
		e->current = fresh;
		const struct log_config log = { .level =
						    (enum log_level)fresh->config->log.level,
			.format = (enum log_format)fresh->config->log.format,
			.target = (enum log_target)fresh->config->log.target };
		helpers_log_configure(&log);
		log_event(LEVEL_INFO, "gate.reloaded",
		    LOG_U64("listeners", fresh->config->listeners.count));
	} else {
		metrics_http_unbind(e->metrics);
		for (size_t i = 0; i < errors.count; i++)
			log_event(LEVEL_ERROR, "gate.reload_failed",
			    LOG_STR("text", errors.lines[i]));
		snapshot_release(&fresh);
	}
	conf_errors_finish(&errors);
}

static void
on_fresh(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	struct snapshot *fresh = e->fresh;

	(void)fd;
	(void)what;
	e->fresh = NULL;
	e->reloading = false;
	snapshot_release(&e->reloaded_from);
	if (fresh != NULL && session_is_draining())
		snapshot_release(&fresh);
	else if (fresh != NULL)
		use_snapshot(e, fresh);
	if (e->reload_again && !session_is_draining()) {
		e->reload_again = false;
		start_reload(e);
	}
}

/* ---- stopping ---- */

static void
add_drain_tick(struct engine *e)
{
	const struct timeval tick = { .tv_usec = (suseconds_t)DRAIN_TICK_MS * 1000 };

	(void)evtimer_add(e->on_drain, &tick);
}

static void
on_drain(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	int64_t now = clock_mono_ms();

	(void)fd;
	(void)what;
	if ((atomic_load(&e->sessions) == 0 && !e->reloading) || now >= e->stop_deadline_ms) {
		event_base_loopbreak(e->base);
		return;
	}
	park_wake_all(e->park, now >= e->drain_deadline_ms ? WAKE_STOP : WAKE_DRAIN);
	add_drain_tick(e);
}

static void
on_stop(evutil_socket_t signal_number, short what, void *arg)
{
	struct engine *e = arg;

	(void)what;
	if (session_is_draining()) { /* asked twice: no more patience */
		e->drain_deadline_ms = clock_mono_ms();
		e->stop_deadline_ms = e->drain_deadline_ms + STOP_MS;
		return;
	}
	log_event(LEVEL_INFO, "gate.stopping",
	    LOG_STR("signal", signal_number == SIGTERM ? "TERM" : "INT"),
	    LOG_U64("sessions", atomic_load(&e->sessions)));
	helpers_notify("STOPPING=1");
	session_set_draining(true);
	listeners_use(e->listeners, NULL);
	snapshot_retire(e->current); /* its watch ends while sessions do */
	e->drain_deadline_ms = clock_mono_ms() + e->current->config->drain_ms;
	e->stop_deadline_ms = e->drain_deadline_ms + STOP_MS;
	on_drain(-1, 0, e);
}

/* ---- life ---- */

static void
on_tend(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	if (clock_mono_ms() - e->retired_at_ms > RETIRE_MS)
		snapshot_release(&e->retired);
	for (size_t i = 0; i < e->current->config->upstreams.count; i++)
		upstream_tend(e->current->upstreams[i]);
}

struct engine *
engine_create(struct snapshot *snapshot)
{
	struct engine *e = mem_calloc(1, sizeof(*e));

	if (evthread_use_pthreads() != 0)
		BUG("libevent without threads");
	e->base = event_base_new();
	if (e->base == NULL)
		BUG("no event base");
	e->current = snapshot_hold(snapshot);
	e->park = park_create(e->base, on_ready, e);
	e->workers = workers_create((size_t)snapshot->config->limits.workers, run_session, e);
	e->listeners = listeners_create(e->base, on_accepted, on_refused, e);
	e->metrics = metrics_http_create();
	e->on_term = evsignal_new(e->base, SIGTERM, on_stop, e);
	e->on_int = evsignal_new(e->base, SIGINT, on_stop, e);
	e->on_hup = evsignal_new(e->base, SIGHUP, on_hup, e);
	e->on_tend = event_new(e->base, -1, EV_PERSIST, on_tend, e);
	e->on_drain = evtimer_new(e->base, on_drain, e);
	e->on_fresh = event_new(e->base, -1, 0, on_fresh, e);
	return e;
}

bool
engine_bind(struct engine *e, struct conf_errors *errors)
{
	return listeners_bind(e->listeners, e->current, errors) &&
	       metrics_http_bind(e->metrics, e->current->config, errors);
}

bool
engine_run(struct engine *e, engine_reload reload, void *context, struct err *err)
{
	const struct timeval tend = { .tv_sec = TEND_S };

	e->reload = reload;
	e->reload_context = context;
	if (event_add(e->on_term, NULL) != 0 || event_add(e->on_int, NULL) != 0 ||
	    event_add(e->on_hup, NULL) != 0 || event_add(e->on_tend, &tend) != 0)
		return err_set(err, ERR_IO, "cannot wait for signals");
	listeners_use(e->listeners, e->current);
	metrics_http_use(e->metrics, e->current->config);
	log_event(LEVEL_INFO, "gate.ready", LOG_STR("hostname", e->current->config->hostname),
	    LOG_U64("listeners", e->current->config->listeners.count),
	    LOG_U64("pid", getpid()));
	helpers_notify("READY=1");
	if (event_base_dispatch(e->base) < 0)
		return err_set(err, ERR_IO, "the event loop failed");
	bool stopped = workers_stop(e->workers, clock_mono_ms() + STOP_MS);
	log_event(LEVEL_INFO, "gate.stopped", LOG_U64("cut", atomic_load(&e->sessions)));
	if (!stopped || e->reloading) /* threads that still use the engine */
		return err_set(err, ERR_TIMEOUT, "some sessions were still busy");
	return true;
}

void
engine_destroy(struct engine **ep)
{
	struct engine *e = *ep;

	if (e == NULL)
		return;
	listeners_destroy(&e->listeners);
	metrics_http_destroy(&e->metrics);
	park_destroy(&e->park);
	workers_destroy(&e->workers);
	event_free(e->on_term);
	event_free(e->on_int);
	event_free(e->on_hup);
	event_free(e->on_tend);
	event_free(e->on_drain);
	event_free(e->on_fresh);
	event_base_free(e->base);
	snapshot_release(&e->retired);
	snapshot_release(&e->current);
	mem_free(e);
	*ep = NULL;
}
