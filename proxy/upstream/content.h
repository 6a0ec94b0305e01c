/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A message's content on its way to a server, in large writes: behind the 354 with dots doubled
 * and the final dot in the last of them, or behind BDAT (RFC 3030) as it is, in one chunk. The
 * last guard against SMTP smuggling stands here, whatever checks the content has passed before:
 * a bare CR, a bare LF or a NUL never goes out.
 */
#ifndef GATEPOST_PROXY_UPSTREAM_CONTENT_H
#define GATEPOST_PROXY_UPSTREAM_CONTENT_H

#include "lib/mail/message.h"
#include "proxy/upstream/conn.h"

enum content_result {
	CONTENT_SENT,	/* with the final dot; its reply is due */
	CONTENT_UNSURE, /* the write with the final dot failed: it may be there or not */
	CONTENT_DEAD,	/* the connection ended before; no final dot went out */
	CONTENT_BAD,	/* not fit to be sent; no final dot went out */
	CONTENT_LOST,	/* it could not be read back whole; no final dot went out */
	CONTENT_EARLY,	/* the server has talked before it had all: conn_early_reply */
};

/* content_send - each write has timeout_ms, all of them deadline_ms. *err but for CONTENT_SENT.
 */
MUST_CHECK enum content_result content_send(struct conn *c, const struct message *message,
    int64_t timeout_ms, int64_t deadline_ms, struct err *err);

/* content_send_chunk - the same by "BDAT n LAST": CONTENT_SENT is with the last octet, whose
 * reply is due. A last line without CRLF gets one, as with DATA. */
MUST_CHECK enum content_result content_send_chunk(struct conn *c, const struct message *message,
    int64_t timeout_ms, int64_t deadline_ms, struct err *err);

/* content_give_up - what the client hears of CONTENT_BAD and CONTENT_LOST, whoever it was for.
 */
void content_give_up(enum content_result result, struct smtp_reply *reply_out);

/*
 * content_is_clean - v continues a text in which every CR is followed by LF, every LF preceded
 * by CR, and no NUL is. *cr: the last octet was a CR; false at the start, and must be so at the
 * end.
 */
bool content_is_clean(struct view v, bool *cr);

#endif
