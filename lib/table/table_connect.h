/* SPDX-License-Identifier: MPL-2.0 */
/* Connecting to the server of a table: what LDAP and redis share. */
#ifndef GATEPOST_TABLE_TABLE_CONNECT_H
#define GATEPOST_TABLE_TABLE_CONNECT_H

#include "lib/net/stream.h"
#include "lib/table/table_set.h"

#define TABLE_HOST_MAX 256 /* octets with NUL; also of a path */

/* Where a server is. */
struct table_server {
	bool is_path;		   /* of a unix socket */
	char host[TABLE_HOST_MAX]; /* without brackets; or the path */
	uint16_t port;
};

/* table_server_path - false: it is too long for a path of a socket. */
MUST_CHECK bool table_server_path(struct view path, struct table_server *out, struct err *err);

/* table_server_connect - NULL: err says why. */
MUST_CHECK struct stream *table_server_connect(
    const struct table_server *server, int64_t deadline_ms, struct err *err);

/* table_start_tls - verified, for server's host, by config's ca_file. */
MUST_CHECK bool table_start_tls(struct stream *stream, const struct table_server *server,
    const struct table_config *config, int64_t deadline_ms, struct err *err);

#endif
