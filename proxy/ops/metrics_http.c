/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The HTTP server for metrics; see metrics_http.h. One request a connection, GET /metrics and
 * nothing else, and everything has a bound: how many clients there are, how long one may take
 * in all, how long its request is. (evhttp bounds neither the first nor the second.) When all
 * places are taken, the one that has sat longest without a whole request makes room.
 */
#include "proxy/ops/metrics_http.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/net/address.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 16
#define BACKLOG	    64
#define REQUEST_MAX 4096 /* octets of request line and header */
#define LIFE_MS	    5000 /* of a client, whatever it does */
#define PAGE_MAX    (2UL * 1024 * 1024)
#define PAUSE_MS    200 /* after accept failed */

enum client_state { CLIENT_GONE, CLIENT_ASKS, CLIENT_IS_TOLD, CLIENT_ENDS };

struct client {
	enum client_state state;
	int fd;
	struct buf in, out;
	int64_t deadline_ms;
};

/* One address that is served, by one thread. */
struct server {
	struct sockaddr_storage address;
	int listen_fd, stop_fd; /* stop_fd: an eventfd */
	int64_t accept_at_ms;	/* not before */
	struct client clients[CLIENTS_MAX];
	pthread_t thread;
};

struct metrics_http {
	struct server *server; /* owned; NULL: none */
	int bound_fd;	       /* for the next use; -1: none */
	struct sockaddr_storage bound;
};

/* ---- one client, on the server's thread ---- */

static void
client_end(struct client *c)
{
	(void)close(c->fd);
	buf_finish(&c->in);
	buf_finish(&c->out);
	c->state = CLIENT_GONE;
}

/* status_for - of a request; only its first line counts. */
static const char *
status_for(struct view request)
{
	struct view line = view_make(request.p, view_find(request, '\r')), method, target;

	if (!view_split(&line, ' ', &method) || !view_split(&line, ' ', &target) ||
	    line.p == NULL || !view_starts(line, VIEW("HTTP/1.")))
		return "400 Bad Request";
	target.len = view_find(target, '?');
	if (!view_eq(target, VIEW("/metrics")))
		return "404 Not Found";
	return view_eq(method, VIEW("GET")) ? "200 OK" : "405 Method Not Allowed";
}

static void
client_answer(struct client *c, const char *status)
{
	struct buf page;
	bool ok;

	buf_init(&page, PAGE_MAX);
	if (status[0] == '2' && !metrics_print(&page)) {
		status = "500 Too Many Metrics";
		buf_finish(&page);
		buf_init(&page, PAGE_MAX);
	}
	ok = buf_printf(&c->out,
		 "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		 "Content-Length: %zu\r\n%sConnection: close\r\n\r\n",
		 status, page.len,
		 view_starts(view_of(status), VIEW("405")) ? "Allow: GET\r\n" : "") &&
	     buf_add_view(&c->out, buf_view(&page));
	buf_finish(&page);
	c->state = ok ? CLIENT_IS_TOLD : CLIENT_ENDS;
}

/* client_read - false: it is gone. */
static bool
client_read(struct client *c)
{
	char octets[REQUEST_MAX];
	ssize_t got = recv(c->fd, octets, sizeof(octets), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0)
		return false;
	if (c->state == CLIENT_ENDS)
		return true; /* thrown away: a close(2) before could overtake our answer */
	if (!buf_add(&c->in, octets, (size_t)got))
		client_answer(c, "431 Request Header Fields Too Large");
	else if (memmem(c->in.p, c->in.len, "\r\n\r\n", 4) != NULL)
		client_answer(c, status_for(buf_view(&c->in)));
	return true;
}

static bool
client_write(struct client *c)
{
	ssize_t sent = send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL);

	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (sent < 0)
		return false;
	buf_drop(&c->out, (size_t)sent);
	if (c->out.len == 0) {
		c->state = CLIENT_ENDS;
		(void)shutdown(c->fd, SHUT_WR);
	}
	return true;
}

/* ---- all clients ---- */

/* find_place - free, or taken from the client that has been asking for longest; NULL: none. */
static struct client *
find_place(struct server *s)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];
		if (c->state == CLIENT_GONE)
			return c;
		if (c->state == CLIENT_ASKS &&
		    (oldest == NULL || c->deadline_ms < oldest->deadline_ms))
			oldest = c;
	}
	if (oldest != NULL)
		client_end(oldest);
	return oldest;
}

static void
take_client(struct server *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c = fd >= 0 ? find_place(s) : NULL;

	if (c == NULL) { /* no descriptor left, or everybody is being told */
		if (fd >= 0)
			(void)close(fd);
		else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			s->accept_at_ms = clock_mono_ms() + PAUSE_MS;
		return;
	}
	*c = (struct client){
		.state = CLIENT_ASKS, .fd = fd, .deadline_ms = clock_mono_ms() + LIFE_MS
	};
	buf_init(&c->in, REQUEST_MAX);
	buf_init(&c->out, PAGE_MAX + REQUEST_MAX);
}

static int
left_before(int64_t when_ms, int left_ms)
{
	int left = clock_left_ms(when_ms);

	return left_ms < 0 || left < left_ms ? left : left_ms;
}

/* fill_polls - what is waited for, in order of the clients; returns for how long (-1: for
 * ever).
 */
static int
fill_polls(const struct server *s, struct pollfd polls[CLIENTS_MAX + 2])
{
	bool may_accept = clock_left_ms(s->accept_at_ms) == 0;
	int left_ms = may_accept ? -1 : left_before(s->accept_at_ms, -1);

	polls[CLIENTS_MAX] = (struct pollfd){ .fd = s->stop_fd, .events = POLLIN };
	polls[CLIENTS_MAX + 1] =
	    (struct pollfd){ .fd = may_accept ? s->listen_fd : -1, .events = POLLIN };
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *c = &s->clients[i];
		polls[i] = (struct pollfd){ .fd = c->state != CLIENT_GONE ? c->fd : -1,
			.events = c->state == CLIENT_IS_TOLD ? POLLOUT : POLLIN };
		if (c->state != CLIENT_GONE)
			left_ms = left_before(c->deadline_ms, left_ms);
	}
	return left_ms;
}

static void
serve_client(struct client *c, short events)
{
	bool stays = clock_left_ms(c->deadline_ms) > 0;

	if (stays && events != 0)
		stays = c->state == CLIENT_IS_TOLD ? client_write(c) : client_read(c);
	if (!stays)
		client_end(c);
}

static void *
server_main(void *arg)
{
	struct server *s = arg;
	struct pollfd polls[CLIENTS_MAX + 2];

	for (;;) {
		int left_ms = fill_polls(s, polls);
		if (poll(polls, CLIENTS_MAX + 2, left_ms) < 0)
			continue; /* a signal */
		if (polls[CLIENTS_MAX].revents != 0)
			return NULL;
		for (size_t i = 0; i < CLIENTS_MAX; i++) {
			if (s->clients[i].state != CLIENT_GONE)
				serve_client(&s->clients[i], polls[i].revents);
		}
		if (polls[CLIENTS_MAX + 1].revents != 0)
			take_client(s);
	}
}

/* ---- on the engine's thread ---- */

static void
server_free(struct server *s)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (s->clients[i].state != CLIENT_GONE)
			client_end(&s->clients[i]);
	}
	(void)close(s->listen_fd);
	(void)close(s->stop_fd);
	mem_free(s);
}

static void
server_stop(struct server **s)
{
	const uint64_t one = 1;

	if (*s == NULL)
		return;
	(void)!write((*s)->stop_fd, &one, sizeof(one));
	pthread_join((*s)->thread, NULL);
	server_free(*s);
	*s = NULL;
}

/* The descriptor becomes the server's; NULL: it could not be served, which was logged. */
static struct server *
server_start(int fd, const struct sockaddr_storage *address)
{
	struct server *s = mem_calloc(1, sizeof(*s));
	int error = EMFILE;

	s->address = *address;
	s->listen_fd = fd;
	s->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->stop_fd >= 0)
		error = pthread_create(&s->thread, NULL, server_main, s);
	if (error == 0)
		return s;
	log_event(LEVEL_ERROR, "metrics.fail", LOG_STR("text", strerror(error)));
	server_free(s);
	return NULL;
}

static int
open_socket(const struct sockaddr_storage *address, const char *text, struct err *err)
{
	socklen_t len = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						       : sizeof(struct sockaddr_in);
	const int on = 1;
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd >= 0 && bind(fd, (const struct sockaddr *)address, len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	(void)err_set_errno(err, errno, "cannot listen on %s", text);
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

void
metrics_http_unbind(struct metrics_http *m)
{
	if (m->bound_fd >= 0)
		(void)close(m->bound_fd);
	m->bound_fd = -1;
}

struct metrics_http *
metrics_http_create(void)
{
	struct metrics_http *m = mem_calloc(1, sizeof(*m));

	m->bound_fd = -1;
	return m;
}

bool
metrics_http_bind(
    struct metrics_http *m, const struct config *config, struct conf_errors *errors)
{
	const struct config_metrics *c = &config->metrics;
	struct err err = { 0 };

	metrics_http_unbind(m);
	if (c->listen == NULL)
		return true;
	if (address_parse(c->listen, &m->bound, &err)) {
		if (m->server != NULL && address_eq(&m->server->address, &m->bound))
			return true;
		m->bound_fd = open_socket(&m->bound, c->listen, &err);
		if (m->bound_fd >= 0)
			return true;
	}
	conf_error(errors, c->where, "metrics.listen", "%s", err.text);
	return false;
}

void
metrics_http_use(struct metrics_http *m, const struct config *config)
{
	if (m->bound_fd < 0 && config->metrics.listen != NULL)
		return; /* it is served already */
	server_stop(&m->server);
	if (m->bound_fd < 0)
		return;
	m->server = server_start(m->bound_fd, &m->bound);
	m->bound_fd = -1;
}

void
metrics_http_destroy(struct metrics_http **m)
{
	if (*m == NULL)
		return;
	server_stop(&(*m)->server);
	metrics_http_unbind(*m);
	mem_free(*m);
	*m = NULL;
}
