/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A blocking stream with deadlines over a socket, plain or TLS: the *back* side's
 * I/O (upstream servers, authentication servers). The client side never uses it: it is parked.
 * One thread at a time. SIGPIPE must be ignored by the process.
 */
#ifndef GATEPOST_NET_STREAM_H
#define GATEPOST_NET_STREAM_H

#include "lib/net/dane.h"
#include "lib/net/tls.h"
#include "lib/base/view.h"

struct stream;

/*
 * stream_connect - to host (name or numeric) and port; all its addresses are tried in order
 * within the deadline. Names are looked up by getaddrinfo in a thread of its own, so that a
 * hanging resolver costs no more than the deadline (lib/net/lookup.h). Errors: ERR_IO,
 * ERR_TIMEOUT, ERR_TEMP (name has no address now).
 */
MUST_CHECK struct stream *stream_connect(
    const char *host, uint16_t port, int64_t deadline_ms, struct err *err);

/*
 * stream_connect_unix - to the socket at path, of STREAM_PATH_MAX octets at most. Waits while
 * the other side's queue is full. Errors: ERR_IO, ERR_TIMEOUT.
 */
#define STREAM_PATH_MAX 107
MUST_CHECK struct stream *stream_connect_unix(
    const char *path, int64_t deadline_ms, struct err *err);

/* stream_from_fd - over a connected socket, which becomes the stream's; peer is a name for it.
 */
MUST_CHECK struct stream *stream_from_fd(int fd, const char *peer);

void stream_close(struct stream **s); /* close_notify is sent if TLS is on and it is healthy */
void stream_abort(
    struct stream **s); /* at once, without close_notify: a message must not look whole */

/* stream_start_tls - handshake; name for SNI and, with a verifying context, for the
 * certificate. */
MUST_CHECK bool stream_start_tls(
    struct stream *s, SSL_CTX *ctx, const char *name, int64_t deadline_ms, struct err *err);

/* stream_start_tls_dane - the same, verified by TLSA records; ctx: of TLS_VERIFY_DANE. */
MUST_CHECK bool stream_start_tls_dane(struct stream *s, SSL_CTX *ctx, const struct dane *dane,
    int64_t deadline_ms, struct err *err);
bool stream_is_tls(const struct stream *s);

/*
 * stream_read - at least one octet, at most room; 0 with ERR_CLOSED at a clean end. Octets of
 * plain text never reach a reader after stream_start_tls.
 */
MUST_CHECK size_t stream_read(
    struct stream *s, char *out, size_t room, int64_t deadline_ms, struct err *err);
MUST_CHECK bool stream_write(
    struct stream *s, struct view data, int64_t deadline_ms, struct err *err);

/* stream_is_quiet - nothing to read and not closed, without waiting: may a pooled one be used?
 */
bool stream_is_quiet(struct stream *s);

int stream_fd(const struct stream *s); /* borrowed: for a library that wants to know one */
const char *stream_peer(const struct stream *s); /* "192.0.2.1:25" */
const char *stream_tls_text(
    const struct stream *s); /* "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" */

#endif
