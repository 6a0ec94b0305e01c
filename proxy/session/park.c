/* SPDX-License-Identifier: MPL-2.0 */
/* The park on libevent; see park.h. The inbox is the only part that other threads touch. */
#include "proxy/session/park.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAKE_TRIES 100

struct park {
	struct event_base *base; /* borrowed */
	park_ready ready;
	void *context;
	int wake_fd; /* eventfd: the inbox is no longer empty */
	struct event *wake_event;
	struct session *parked; /* doubly linked by slot.all_* */
	pthread_mutex_t lock;
	struct session *inbox; /* under lock; singly linked by slot.next */
};

static void
unlink_parked(struct park *p, struct session *s)
{
	struct session_slot *slot = session_slot(s);

	if (slot->all_prev != NULL)
		session_slot(slot->all_prev)->all_next = slot->all_next;
	else
		p->parked = slot->all_next;
	if (slot->all_next != NULL)
		session_slot(slot->all_next)->all_prev = slot->all_prev;
	slot->all_prev = slot->all_next = NULL;
}

static void
leave(struct park *p, struct session *s, enum session_wake why)
{
	unlink_parked(p, s);
	session_slot(s)->wake = why;
	p->ready(p->context, s);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	const struct session_slot *slot = session_slot(arg);
	const bool is_late = (what & EV_TIMEOUT) != 0 && slot->wait != WAIT_TIME;

	(void)fd;
	leave(slot->park, arg, is_late ? WAKE_TIMEOUT : WAKE_READY);
}

static void
enter(struct park *p, struct session *s)
{
	struct session_slot *slot = session_slot(s);
	short what = slot->wait == WAIT_WRITE ? EV_WRITE : EV_READ;
	int fd = session_fd(s);
	int left_ms = clock_left_ms(slot->deadline_ms);
	const struct timeval limit = { .tv_sec = left_ms / 1000,
		.tv_usec = (suseconds_t)(left_ms % 1000) * 1000 };

	slot->park = p;
	slot->all_prev = NULL;
	slot->all_next = p->parked;
	if (p->parked != NULL)
		session_slot(p->parked)->all_prev = s;
	p->parked = s;
	if (slot->wait == WAIT_TIME) {
		fd = -1;
		what = 0;
	}
	if (event_assign(&slot->event, p->base, fd, what, on_event, s) != 0 ||
	    event_add(&slot->event, &limit) != 0)
		leave(p, s, WAKE_STOP);
}

static void
on_inbox(evutil_socket_t fd, short what, void *arg)
{
	struct park *p = arg;
	uint64_t count;

	(void)what;
	(void)!read(fd, &count, sizeof(count));
	pthread_mutex_lock(&p->lock);
	struct session *s = p->inbox;
	p->inbox = NULL;
	pthread_mutex_unlock(&p->lock);
	while (s != NULL) {
		struct session *next = session_slot(s)->next;
		session_slot(s)->next = NULL;
		enter(p, s);
		s = next;
	}
}

struct park *
park_create(struct event_base *base, park_ready ready, void *context)
{
	struct park *p = mem_calloc(1, sizeof(*p));

	p->base = base;
	p->ready = ready;
	p->context = context;
	p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pthread_mutex_init(&p->lock, NULL);
	p->wake_event = event_new(base, p->wake_fd, EV_READ | EV_PERSIST, on_inbox, p);
	if (p->wake_fd < 0 || p->wake_event == NULL || event_add(p->wake_event, NULL) != 0)
		BUG("no event for the park");
	return p;
}

void
park_destroy(struct park **pp)
{
	struct park *p = *pp;

	if (p == NULL)
		return;
	on_inbox(p->wake_fd, 0, p);
	while (p->parked != NULL) {
		struct session *s = p->parked;
		unlink_parked(p, s);
		(void)event_del(&session_slot(s)->event);
		session_destroy(&s);
	}
	event_free(p->wake_event);
	(void)close(p->wake_fd);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
	*pp = NULL;
}

/*
 * wake - the loop shall look into the inbox. Whoever finds the inbox not empty relies on this,
 * so a write that fails is tried again; EAGAIN: it is awake more often than can be counted.
 */
static void
wake(struct park *p)
{
	const uint64_t one = 1;

	for (int i = 0; i < WAKE_TRIES; i++) {
		if (write(p->wake_fd, &one, sizeof(one)) >= 0 || errno == EAGAIN)
			return;
	}
	BUG("the loop cannot be woken");
}

void
park_add(struct park *p, struct session *s)
{
	pthread_mutex_lock(&p->lock);
	bool was_empty = p->inbox == NULL;
	session_slot(s)->next = p->inbox;
	p->inbox = s;
	pthread_mutex_unlock(&p->lock);
	if (was_empty)
		wake(p);
}

void
park_wake_all(struct park *p, enum session_wake why)
{
	on_inbox(p->wake_fd, 0, p);
	while (p->parked != NULL) {
		struct session *s = p->parked;
		(void)event_del(&session_slot(s)->event);
		leave(p, s, why);
	}
}
