/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Accepting connections; see listener.h. When descriptors run out, one kept in reserve serves
 * to tell the newcomers so, and the listener pauses: a loop that spins helps nobody.
 */
#include "proxy/session/listener.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/net/address.h"
#include "lib/net/own_listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG	    1024
#define ACCEPTS_MAX 64	/* in one turn of the loop */
#define PAUSE_MS    200 /* after descriptors ran out */

struct listener {
	struct listener *next;
	struct listeners *set;
	struct sockaddr_storage address; /* as configured: identity of the listener */
	int fd;
	struct event *event, *resume;
	bool wanted; /* by the snapshot at hand */
};

struct listeners {
	struct event_base *base;
	listener_accepted accepted;
	listener_refused refused;
	void *context;
	struct listener *first;
	int reserve_fd; /* -1: somebody else was quicker */
};

static void
listener_free(struct listener *l)
{
	if (l->event != NULL)
		event_free(l->event);
	if (l->resume != NULL)
		event_free(l->resume);
	if (l->fd >= 0)
		(void)close(l->fd);
	mem_free(l);
}

static void
keep_reserve(struct listeners *set)
{
	if (set->reserve_fd < 0)
		set->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	keep_reserve(l->set);
	(void)event_add(l->event, NULL);
}

/* refuse_waiting - one after the other by the reserved descriptor. */
static void
refuse_waiting(struct listener *l)
{
	struct listeners *set = l->set;

	if (set->reserve_fd < 0)
		return;
	(void)close(set->reserve_fd);
	set->reserve_fd = -1;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			break;
		set->refused(set->context, fd, &l->address);
	}
	keep_reserve(set);
}

static void
out_of_descriptors(struct listener *l, int error)
{
	const struct timeval pause = { .tv_usec = (suseconds_t)PAUSE_MS * 1000 };

	log_event(LEVEL_ERROR, "listener.accept_fail", LOG_STR("text", strerror(error)));
	refuse_waiting(l);
	(void)event_del(l->event);
	(void)evtimer_add(l->resume, &pause);
}

static void
on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listener *l = arg;
	struct sockaddr_storage client;
	const int on = 1;

	(void)what;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		socklen_t len = sizeof(client);
		int fd = accept4(
		    listen_fd, (struct sockaddr *)&client, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			l->set->accepted(l->set->context, fd, &client, &l->address);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			out_of_descriptors(l, errno);
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		return;
	}
}

struct listeners *
listeners_create(struct event_base *base, listener_accepted accepted, listener_refused refused,
    void *context)
{
	struct listeners *set = mem_calloc(1, sizeof(*set));

	set->base = base;
	set->accepted = accepted;
	set->refused = refused;
	set->context = context;
	set->reserve_fd = -1;
	keep_reserve(set);
	return set;
}

static struct listener *
find(struct listeners *set, const struct sockaddr_storage *address)
{
	for (struct listener *l = set->first; l != NULL; l = l->next) {
		if (address_eq(&l->address, address))
			return l;
	}
	return NULL;
}

static bool
open_socket(struct listener *l, struct err *err)
{
	const int on = 1, off = 0;
	bool v6 = l->address.ss_family == AF_INET6;
	socklen_t len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	char text[ADDRESS_TEXT_MAX];

	address_text(&l->address, text);
	l->fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return err_set_errno(err, errno, "cannot open a socket for %s", text);
	(void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (v6) /* [::] is every address, of both families */
		(void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(l->fd, (const struct sockaddr *)&l->address, len) != 0 ||
	    listen(l->fd, BACKLOG) != 0)
		return err_set_errno(err, errno, "cannot listen on %s%s", text,
		    errno == EACCES ? " (a port under 1024 takes root or "
				      "CAP_NET_BIND_SERVICE, at the start, not at a reload)"
				    : "");
	return true;
}

static struct listener *
listener_open(struct listeners *set, const struct sockaddr_storage *address, struct err *err)
{
	struct listener *l = mem_calloc(1, sizeof(*l));

	l->set = set;
	l->address = *address;
	if (!open_socket(l, err)) {
		listener_free(l);
		return NULL;
	}
	l->event = event_new(set->base, l->fd, EV_READ | EV_PERSIST, on_accept, l);
	l->resume = evtimer_new(set->base, on_resume, l);
	if (l->event == NULL || l->resume == NULL)
		BUG("no event for a listener");
	l->next = set->first;
	set->first = l;
	return l;
}

/* Close the listeners that are not wanted. */
static void
sweep(struct listeners *set)
{
	struct listener **at = &set->first;

	while (*at != NULL) {
		struct listener *l = *at;
		if (l->wanted) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		listener_free(l);
	}
}

bool
listeners_bind(
    struct listeners *set, const struct snapshot *snapshot, struct conf_errors *errors)
{
	size_t errors_before = errors->count;

	for (struct listener *l = set->first; l != NULL; l = l->next)
		l->wanted = true;
	for (size_t i = 0; i < snapshot->config->listeners.count; i++) {
		const struct snapshot_listener *want = &snapshot->listeners[i];
		struct err err = { 0 };
		if (find(set, &want->address) == NULL &&
		    listener_open(set, &want->address, &err) == NULL)
			conf_error(
			    errors, want->config->where, "listeners.listen", "%s", err.text);
	}
	if (errors->count == errors_before)
		return true;
	sweep(set); /* the ones just opened are not wanted yet */
	return false;
}

/* tell_own - where we listen, to whom we must not send mail. */
static void
tell_own(const struct listeners *set)
{
	size_t count = 0;

	for (const struct listener *l = set->first; l != NULL; l = l->next)
		count++;
	struct sockaddr_storage *addresses = mem_calloc(count + 1, sizeof(*addresses));
	count = 0;
	for (const struct listener *l = set->first; l != NULL; l = l->next)
		addresses[count++] = l->address;
	own_listeners_set(addresses, count);
	mem_free(addresses);
}

void
listeners_use(struct listeners *set, const struct snapshot *snapshot)
{
	for (struct listener *l = set->first; l != NULL; l = l->next)
		l->wanted = false;
	for (size_t i = 0; snapshot != NULL && i < snapshot->config->listeners.count; i++) {
		struct listener *l = find(set, &snapshot->listeners[i].address);
		if (l != NULL)
			l->wanted = true;
	}
	sweep(set);
	for (struct listener *l = set->first; l != NULL; l = l->next)
		(void)event_add(l->event, NULL);
	tell_own(set);
}

void
listeners_destroy(struct listeners **setp)
{
	struct listeners *set = *setp;

	if (set == NULL)
		return;
	listeners_use(set, NULL);
	if (set->reserve_fd >= 0)
		(void)close(set->reserve_fd);
	mem_free(set);
	*setp = NULL;
}
