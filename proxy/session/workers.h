/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Worker threads and their run queue. A worker takes a session, runs it to its next wait, and
 * hands it on. Threads grow on demand up to a limit and leave when they idled for a while.
 */
#ifndef GATEPOST_PROXY_SESSION_WORKERS_H
#define GATEPOST_PROXY_SESSION_WORKERS_H

#include "proxy/session/session.h"

struct workers;

/* run is called on a worker; the session is the worker's until run hands it on or destroys it.
 */
typedef void (*workers_run)(void *context, struct session *s);

struct workers *workers_create(size_t limit, workers_run run, void *context);

/* workers_submit - to the end of the queue. Any thread. */
void workers_submit(struct workers *w, struct session *s);

/* workers_is_full - all threads are busy and the queue is long: no new connections, please. */
bool workers_is_full(struct workers *w);

/*
 * workers_linger - may the calling worker wait a moment for its session's client? Not while
 * others are queued, nor when a quarter of all threads does so already. After true:
 * workers_end_linger.
 */
MUST_CHECK bool workers_linger(struct workers *w);
void workers_end_linger(struct workers *w);
void workers_set_limit(struct workers *w, size_t limit);

/*
 * workers_stop - wait until every thread has left, or until the deadline; false: some are still
 * busy (and then nothing of what they use may be freed).
 */
MUST_CHECK bool workers_stop(struct workers *w, int64_t deadline_ms);
void workers_destroy(struct workers **w); /* after workers_stop said true */

#endif
