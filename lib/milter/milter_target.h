/* SPDX-License-Identifier: MPL-2.0 */
/* Where a milter listens, as libmilter and Postfix write it. */
#ifndef GATEPOST_MILTER_MILTER_TARGET_H
#define GATEPOST_MILTER_MILTER_TARGET_H

#include "lib/base/err.h"
#include "lib/net/stream.h"

#define MILTER_HOST_MAX 256 /* octets with NUL; also of a path */

struct milter_target {
	bool is_path;		    /* of a unix socket */
	char host[MILTER_HOST_MAX]; /* without brackets; or the path */
	uint16_t port;
};

/*
 * milter_target_parse - "unix:/run/x.sock", "local:/run/x.sock" or "/run/x.sock";
 * "inet:8891@host", "inet6:8891@::1" (libmilter), "inet:host:8891" (Postfix), "host:8891".
 * Errors: ERR_CONFIG.
 */
MUST_CHECK bool milter_target_parse(
    const char *text, struct milter_target *out, struct err *err);

/* milter_target_connect - NULL: err says why. */
MUST_CHECK struct stream *milter_target_connect(
    const struct milter_target *target, int64_t deadline_ms, struct err *err);

#endif
