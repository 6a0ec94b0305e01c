/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Listening sockets. The set is kept over reloads: what stays in the configuration keeps its
 * socket, what is new is bound, what is gone is closed. The loop's thread only.
 */
#ifndef GATEPOST_PROXY_SESSION_LISTENER_H
#define GATEPOST_PROXY_SESSION_LISTENER_H

#include "proxy/snapshot.h"

#include <event2/event.h>

struct listeners;

/* accepted - a new connection (non-blocking, close-on-exec) at the listener written as address.
 */
typedef void (*listener_accepted)(void *context, int fd, const struct sockaddr_storage *client,
    const struct sockaddr_storage *listener);

/* refused - a new connection that no descriptor is left for but this one: to be closed at once.
 */
typedef void (*listener_refused)(
    void *context, int fd, const struct sockaddr_storage *listener);

struct listeners *listeners_create(struct event_base *base, listener_accepted accepted,
    listener_refused refused, void *context);

/*
 * listeners_bind - open what the snapshot has and the set has not; nothing is closed and
 * nothing accepted yet. False: an error was added, and the set is as it was before.
 */
MUST_CHECK bool listeners_bind(
    struct listeners *l, const struct snapshot *snapshot, struct conf_errors *errors);

/* listeners_use - accept at the snapshot's addresses, close all others. NULL: close all. */
void listeners_use(struct listeners *l, const struct snapshot *snapshot);

void listeners_destroy(struct listeners **l);

#endif
