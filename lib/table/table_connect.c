/* SPDX-License-Identifier: MPL-2.0 */
/* See table_connect.h. */
#include "lib/table/table_connect.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool
table_server_path(struct view path, struct table_server *out, struct err *err)
{
	*out = (struct table_server){ .is_path = true };
	if (path.len < sizeof(((struct sockaddr_un *)NULL)->sun_path) &&
	    view_copy(path, out->host, sizeof(out->host)))
		return true;
	return err_set(err, ERR_CONFIG, "is too long for the path of a socket");
}

static struct stream *
connect_path(const char *path, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		(void)err_set_errno(err, errno, "socket");
		return NULL;
	}
	(void)view_copy(view_of(path), address.sun_path, sizeof(address.sun_path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return stream_from_fd(fd, path);
	(void)err_set_errno(err, errno, "connect to %s", path);
	(void)close(fd);
	return NULL;
}

struct stream *
table_server_connect(const struct table_server *server, int64_t deadline_ms, struct err *err)
{
	if (server->is_path)
		return connect_path(server->host, err);
	return stream_connect(server->host, server->port, deadline_ms, err);
}

bool
table_start_tls(struct stream *stream, const struct table_server *server,
    const struct table_config *config, int64_t deadline_ms, struct err *err)
{
	SSL_CTX *ctx = tls_client_create(TLS_VERIFY_PEER, config->ca_file, err);
	bool ok;

	if (ctx == NULL)
		return false;
	ok = stream_start_tls(stream, ctx, server->host, deadline_ms, err);
	SSL_CTX_free(ctx); /* the connection holds its own reference */
	return ok;
}
