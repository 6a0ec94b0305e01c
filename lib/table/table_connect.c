/* SPDX-License-Identifier: MPL-2.0 */
/* See table_connect.h. */
#include "lib/table/table_connect.h"

bool
table_server_path(struct view path, struct table_server *out, struct err *err)
{
	*out = (struct table_server){ .is_path = true };
	if (path.len <= STREAM_PATH_MAX && view_copy(path, out->host, sizeof(out->host)))
		return true;
	return err_set(err, ERR_CONFIG, "is too long for the path of a socket");
}

struct stream *
table_server_connect(const struct table_server *server, int64_t deadline_ms, struct err *err)
{
	if (server->is_path)
		return stream_connect_unix(server->host, deadline_ms, err);
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
