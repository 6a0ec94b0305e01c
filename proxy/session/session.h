/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One client connection, from accept to close. Whoever calls session_run owns it; it never
 * blocks on the client: when it needs the client it says what to wait for, and until when.
 */
#ifndef GATEPOST_PROXY_SESSION_SESSION_H
#define GATEPOST_PROXY_SESSION_SESSION_H

#include "proxy/session/census.h"
#include "proxy/snapshot.h"

#include <event2/event_struct.h>

struct session;
struct park;

enum session_wait {
	WAIT_READ,  /* park until readable */
	WAIT_WRITE, /* park until writable */
	WAIT_TIME,  /* park until the deadline, whatever the client does */
	WAIT_TURN,  /* it has had its share: to the end of the run queue */
	WAIT_NONE,  /* it is over: destroy */
};

enum session_wake {
	WAKE_READY,   /* what was waited for is there, or the time is (also: the first run) */
	WAKE_TIMEOUT, /* the deadline passed */
	WAKE_DRAIN,   /* the gate is stopping: end it unless a transaction is open */
	WAKE_STOP,    /* the gate has stopped waiting: end it now */
};

/* What park and workers keep beside a session. Nobody else reads it. */
struct session_slot {
	struct event event;
	struct session *next;		     /* in the inbox of the park or the run queue */
	struct session *all_prev, *all_next; /* parked sessions, of the loop */
	enum session_wait wait;
	enum session_wake wake;
	int64_t deadline_ms;
	int64_t waits_since_ms;	   /* when the last run ended */
	struct park *park;	   /* while parked */
	struct census_place place; /* given back by session_destroy */
};

struct session_slot *session_slot(struct session *s);
int session_fd(const struct session *s);
bool session_is_draining(void); /* set by the engine at SIGTERM */
void session_set_draining(bool on);

/* xclient_is_proxy - whether it may name its clients by XCLIENT. Neither is counted itself. */
bool xclient_is_proxy(
    const struct snapshot_listener *listener, const struct sockaddr_storage *addr);
/* session_is_balancer - whether a PROXY header must come from this address at the listener. */
bool session_is_balancer(
    const struct snapshot_listener *listener, const struct sockaddr_storage *addr);

/* session_create - takes the descriptor (non-blocking) and a snapshot reference over. */
struct session *session_create(int fd, const struct sockaddr_storage *client,
    struct snapshot *snapshot, const struct snapshot_listener *listener);

/* session_first_wait - implicit TLS, a PROXY header: the peer speaks first, so it can be parked
 * at once. */
enum session_wait session_first_wait(const struct session *s);

/* session_run - as far as it goes; *deadline_ms_out is set for all but WAIT_TURN and WAIT_NONE.
 */
enum session_wait session_run(
    struct session *s, enum session_wake wake, int64_t *deadline_ms_out);

void session_destroy(struct session **s);

#endif
