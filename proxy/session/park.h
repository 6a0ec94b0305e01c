/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The park: sessions that wait for their client, on one event loop, each with a deadline.
 * Putting one in may come from any thread; it goes to the workers when its wait is over.
 */
#ifndef GATEPOST_PROXY_SESSION_PARK_H
#define GATEPOST_PROXY_SESSION_PARK_H

#include "proxy/session/session.h"

#include <event2/event.h>

struct park;

/* ready is called on the loop's thread, with the session's slot.wake filled; ownership passes
 * on. */
typedef void (*park_ready)(void *context, struct session *s);

struct park *park_create(struct event_base *base, park_ready ready, void *context);
void park_destroy(struct park **p); /* destroys what is still parked */

/* park_add - slot.wait and slot.deadline_ms say for what and until when. Any thread. */
void park_add(struct park *p, struct session *s);

/* park_wake_all - end every wait with this reason. The loop's thread only. */
void park_wake_all(struct park *p, enum session_wake why);

#endif
