/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The HTTP server for metrics; see metrics_http.h. libmicrohttpd does all of it on a thread of
 * its own: it speaks HTTP, ends who is silent, and bounds the connections and the memory of
 * each. Each connection gets one answer. Whoever keeps all places busy keeps others from the
 * numbers, for which he must be let to the port, and nobody from the mail.
 */
#include "proxy/ops/metrics_http.h"

#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/net/address.h"

#include <errno.h>
#include <microhttpd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 16U
#define BACKLOG	    64
#define MEMORY_MAX  ((size_t)8192) /* octets a connection: the request, and our header */
#define SILENCE_S   5U
#define PAGE_MAX    (2UL * 1024 * 1024)

struct metrics_http {
	struct MHD_Daemon *server;	 /* owned; NULL: none */
	struct sockaddr_storage address; /* of the server */
	int bound_fd;			 /* for the next use; -1: none */
	struct sockaddr_storage bound;
};

/* ---- one request, on the library's thread ---- */

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
	unsigned status = status_for(method, path, version);
	struct MHD_Response *answer;
	enum MHD_Result result = MHD_NO;

	(void)context;
	(void)upload;
	(void)upload_size;
	(void)request;
	answer = answer_make(&status);
	if (answer == NULL)
		return MHD_NO;
	if (answer_describe(answer, status))
		result = MHD_queue_response(connection, status, answer);
	MHD_destroy_response(answer);
	return result;
}

/* ---- on the engine's thread ---- */

static void
server_stop(struct metrics_http *m)
{
	if (m->server != NULL)
		MHD_stop_daemon(m->server);
	m->server = NULL;
}

/* server_start - the descriptor becomes the library's. */
static void
server_start(struct metrics_http *m, int fd)
{
	m->server = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
	    NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
	    CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_END);
	if (m->server != NULL)
		return;
	log_event(LEVEL_ERROR, "metrics.fail", LOG_STR("text", strerror(errno)));
	(void)close(fd);
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
		if (m->server != NULL && address_eq(&m->address, &m->bound))
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
	server_stop(m);
	if (m->bound_fd < 0)
		return;
	m->address = m->bound;
	server_start(m, m->bound_fd);
	m->bound_fd = -1;
}

void
metrics_http_destroy(struct metrics_http **m)
{
	if (*m == NULL)
		return;
	server_stop(*m);
	metrics_http_unbind(*m);
	mem_free(*m);
	*m = NULL;
}
