/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the gate and a judge say to each other over a stream socket: frames of a kind, a length,
 * and values one behind the other. Both read the other's as hostile data: lengths are capped,
 * and a value that does not fit ends the connection.
 */
#ifndef GATEPOST_DOMAIN_JUDGE_WIRE_H
#define GATEPOST_DOMAIN_JUDGE_WIRE_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/domain/dkim_verify.h"
#include "lib/domain/spf.h"

#define JUDGE_FRAME_MAX (4 << 20) /* octets: a DNS answer may have two million */
#define JUDGE_CHUNK_MAX 65536	  /* of a message's content */

enum judge_frame {
	JUDGE_SPF = 'S',     /* gate: a request */
	JUDGE_DKIM = 'D',    /* gate: a request; content follows */
	JUDGE_CONTENT = 'C', /* gate: a piece of the message; an empty one is the end */
	JUDGE_ANSWER = 'A',  /* gate: of DNS */
	JUDGE_QUERY = 'Q',   /* judge: to DNS */
	JUDGE_RESULT = 'R',  /* judge: the end of a request */
	JUDGE_UNABLE = 'U',  /* judge: likewise, without a result */
};

/*
 * judge_send, judge_receive - one frame. Until deadline_ms; CLOCK_NEVER: blocking calls only,
 * for the judge, which may not poll. Errors: ERR_CLOSED, ERR_TIMEOUT, ERR_PROTOCOL.
 */
MUST_CHECK bool judge_send(
    int fd, enum judge_frame kind, struct view text, int64_t deadline_ms, struct err *err);
MUST_CHECK bool judge_receive(
    int fd, int64_t deadline_ms, char *kind_out, struct buf *text_out, struct err *err);

/* Writing and reading a frame's text; texts that were read live in the arena. */
MUST_CHECK bool judge_write_spf(struct buf *out, const struct spf_request *request);
MUST_CHECK bool judge_read_spf(struct view text, struct arena *arena,
    struct sockaddr_storage *client_out, struct spf_request *out);
MUST_CHECK bool judge_write_outcome(struct buf *out, const struct spf_outcome *outcome);
MUST_CHECK bool judge_read_outcome(
    struct view text, struct arena *arena, struct spf_outcome *out);

MUST_CHECK bool judge_write_dkim(struct buf *out, const struct dkim_verify_request *request);
MUST_CHECK bool judge_read_dkim(struct view text, struct dkim_verify_request *out);
MUST_CHECK bool judge_write_verification(struct buf *out, const struct dkim_verification *v);
MUST_CHECK bool judge_read_verification(
    struct view text, struct arena *arena, struct dkim_verification *out);

struct judge_query {
	const char *name;
	enum dns_type type; /* A, AAAA, MX, PTR or TXT */
	int64_t deadline_ms;
};
MUST_CHECK bool judge_write_query(struct buf *out, const struct judge_query *query);
MUST_CHECK bool judge_read_query(
    struct view text, struct arena *arena, struct judge_query *out);
MUST_CHECK bool judge_write_answer(struct buf *out, const struct dns_answer *answer);
MUST_CHECK bool judge_read_answer(
    struct view text, struct arena *arena, struct dns_answer *out);

#endif
