/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The HTTP server for metrics; see metrics_http.h. libmicrohttpd speaks HTTP and bounds the
 * memory of a connection and their number. Its time limit is one for silence, which a client
 * that sends an octet now and then outlives, and when all places are taken it lets the next one
 * wait. So it runs on a thread of ours, which bounds the life of a connection too, and of those
 * that have asked for nothing yet cuts the oldest to keep a place free. Each connection gets
 * one answer.
 */
#include "proxy/ops/metrics_http.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/net/address.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 16
#define BACKLOG	    64
#define MEMORY_MAX  8192 /* octets a connection: the request, and the header of our answer */
#define LIFE_MS	    5000 /* of a client, whatever it does */
#define PAGE_MAX    (2UL * 1024 * 1024)
#define PAUSE_MS    200 /* after accept failed */

enum client_state { CLIENT_GONE, CLIENT_ASKS, CLIENT_IS_TOLD, CLIENT_IS_CUT };

struct client {
	enum client_state state;
	int fd; /* the library's */
	int64_t deadline_ms;
};

/* One address that is served, by one thread. */
struct server {
	struct sockaddr_storage address;
	int listen_fd; /* the library's as soon as there is a daemon */
	int epoll_fd;  /* the library's: readable when MHD_run has something to do */
	int stop_fd;   /* an eventfd */
	struct MHD_Daemon *daemon;
	struct client clients[CLIENTS_MAX];
	size_t count;  /* of those that are not gone */
	bool has_news; /* clients came or went since MHD_run began */
	pthread_t thread;
};

struct metrics_http {
	struct server *server; /* owned; NULL: none */
	int bound_fd;	       /* for the next use; -1: none */
	struct sockaddr_storage bound;
};

/* ---- one request, on the server's thread ---- */

/* answer_make - NULL: no memory. */
static struct MHD_Response *
answer_make(unsigned *status)
{
	struct MHD_Response *answer;
	struct buf page;

	buf_init(&page, PAGE_MAX);
	if (*status == MHD_HTTP_OK && !metrics_print(&page)) {
		*status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		buf_finish(&page);
		buf_init(&page, PAGE_MAX);
	}
	answer = MHD_create_response_from_buffer(page.len, page.p, MHD_RESPMEM_MUST_COPY);
	buf_finish(&page);
	return answer;
}

static bool
answer_describe(struct MHD_Response *answer, unsigned status)
{
	return MHD_add_response_header(answer, "Connection", "close") == MHD_YES &&
	       MHD_add_response_header(answer, "Content-Type",
		   "text/plain; version=0.0.4; charset=utf-8") == MHD_YES &&
	       (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
		   MHD_add_response_header(answer, "Allow", "GET, HEAD") == MHD_YES);
}

static unsigned
status_for(const char *method, const char *path, const char *version)
{
	if (!view_starts(view_of(version), VIEW("HTTP/1.")))
		return MHD_HTTP_BAD_REQUEST;
	if (strcmp(path, "/metrics") != 0)
		return MHD_HTTP_NOT_FOUND;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	return MHD_HTTP_OK;
}

/* on_request - answered by its header alone: a body is never read. MHD_NO ends the connection.
 */
static enum MHD_Result
on_request(void *context, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	unsigned status = status_for(method, path, version);
	struct client *c = info != NULL ? info->socket_context : NULL;
	struct MHD_Response *answer;
	enum MHD_Result result = MHD_NO;

	(void)context;
	(void)upload;
	(void)upload_size;
	(void)request;
	if (c == NULL || c->state != CLIENT_ASKS)
		return MHD_NO;
	answer = answer_make(&status);
	if (answer == NULL)
		return MHD_NO;
	c->state = CLIENT_IS_TOLD;
	if (answer_describe(answer, status))
		result = MHD_queue_response(connection, status, answer);
	MHD_destroy_response(answer);
	return result;
}

/* ---- all clients, on the server's thread ---- */

/* client_cut - the library finds the end of the connection and lets go of it. */
static void
client_cut(struct client *c)
{
	(void)shutdown(c->fd, SHUT_RDWR);
	c->state = CLIENT_IS_CUT;
}

/* cut_oldest - of those that have asked for nothing yet, other than the newest. */
static void
cut_oldest(struct server *s, const struct client *newest)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];
		if (c->state == CLIENT_ASKS && c != newest &&
		    (oldest == NULL || c->deadline_ms < oldest->deadline_ms))
			oldest = c;
	}
	if (oldest != NULL)
		client_cut(oldest);
}

/* client_add - NULL: there is no place, which the library's own limit rules out. */
static struct client *
client_add(struct server *s, int fd)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];
		if (c->state != CLIENT_GONE)
			continue;
		*c = (struct client){
			.state = CLIENT_ASKS, .fd = fd, .deadline_ms = clock_mono_ms() + LIFE_MS
		};
		if (++s->count == CLIENTS_MAX)
			cut_oldest(s, c);
		return c;
	}
	return NULL;
}

static void
on_connection(void *context, struct MHD_Connection *connection, void **client,
    enum MHD_ConnectionNotificationCode what)
{
	struct server *s = context;
	const union MHD_ConnectionInfo *info;
	struct client *c = *client;

	s->has_news = true;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		*client = info != NULL ? client_add(s, info->connect_fd) : NULL;
	} else if (c != NULL) {
		c->state = CLIENT_GONE;
		s->count--;
	}
}

/* cut_late - returns for how long nobody else is late (-1: for ever). */
static int
cut_late(struct server *s)
{
	int left_ms = -1;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];
		int left = clock_left_ms(c->deadline_ms);
		if (c->state == CLIENT_GONE || c->state == CLIENT_IS_CUT)
			continue;
		if (left == 0)
			client_cut(c);
		else if (left_ms < 0 || left < left_ms)
			left_ms = left;
	}
	return left_ms;
}

/* cannot_accept - somebody waits, there is a place, and yet nothing happened. */
static bool
cannot_accept(const struct server *s)
{
	struct pollfd waits = { .fd = s->listen_fd, .events = POLLIN };

	return !s->has_news && s->count < CLIENTS_MAX && poll(&waits, 1, 0) > 0;
}

/* wait_ms - until MHD_run is due at the latest (-1: for ever). */
static int
wait_ms(struct server *s)
{
	int left_ms = cut_late(s);
	MHD_UNSIGNED_LONG_LONG library_ms;

	if (s->has_news) /* it looks at its listening socket again only at its next run */
		return 0;
	if (MHD_get_timeout(s->daemon, &library_ms) == MHD_YES &&
	    (left_ms < 0 || library_ms < (MHD_UNSIGNED_LONG_LONG)left_ms))
		left_ms = library_ms < LIFE_MS ? (int)library_ms : LIFE_MS;
	return left_ms;
}

static void *
server_main(void *arg)
{
	struct server *s = arg;
	struct pollfd polls[] = { { .fd = s->stop_fd, .events = POLLIN },
		{ .fd = s->epoll_fd, .events = POLLIN } };

	while (polls[0].revents == 0) {
		s->has_news = false;
		(void)MHD_run(s->daemon);
		if (cannot_accept(s)) /* no descriptor left: its socket would wake us at once */
			(void)poll(polls, 1, PAUSE_MS);
		else
			(void)poll(polls, ARRAY_LEN(polls), wait_ms(s));
	}
	return NULL;
}

/* ---- on the engine's thread ---- */

/* server_free - its thread has ended, or never began. */
static void
server_free(struct server *s)
{
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	else
		(void)close(s->listen_fd);
	if (s->stop_fd >= 0)
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

/* server_open - false: errno says why. */
static bool
server_open(struct server *s)
{
	const union MHD_DaemonInfo *info;

	s->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->stop_fd < 0)
		return false;
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, s,
	    MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CLIENTS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_END);
	if (s->daemon == NULL)
		return false;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL)
		return false;
	s->epoll_fd = info->epoll_fd;
	return true;
}

/* The descriptor becomes the server's; NULL: it could not be served, which was logged. */
static struct server *
server_start(int fd, const struct sockaddr_storage *address)
{
	struct server *s = mem_calloc(1, sizeof(*s));
	int error;

	s->address = *address;
	s->listen_fd = fd;
	errno = ENOMEM;
	error = server_open(s) ? pthread_create(&s->thread, NULL, server_main, s) : errno;
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
