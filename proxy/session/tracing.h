/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The trace of a session: what its links said and its upstream answered, gathered while it
 * happens, and written as one record (a line of JSON) when a transaction ends, however it ends.
 * A session without a trace has none of this: every function takes NULL for it and does
 * nothing. docs/OPERATIONS.md describes a record's members. Never in it: passwords, content.
 */
#ifndef GATEPOST_PROXY_SESSION_TRACING_H
#define GATEPOST_PROXY_SESSION_TRACING_H

#include "lib/chain/chain.h"
#include "proxy/snapshot.h"

#define TRACING_FORMAT	  1   /* of a record: another one when a member changes its meaning */
#define TRACING_VALUE_MAX 512 /* octets of a text; a longer one is cut and ends in "..." */

struct tracing;

/* What is known when a transaction ends. */
struct tracing_end {
	const char *reason; /* the session ends too: why, as in session.end; NULL: it goes on */
	uint64_t octets, receive_ms, chain_ms, total_ms;
	bool has_new_envelope; /* facts have another one than the client gave */
};

/* tracing_create - NULL when the snapshot has no trace; s outlives it. */
MUST_CHECK struct tracing *tracing_create(const struct snapshot *s);
void tracing_destroy(struct tracing **t);

/* tracing_observer - who looks on while the chain runs that stage; NULL: nobody. What links
 * said to an earlier HELO is forgotten. */
const struct chain_observer *tracing_observer(struct tracing *t, enum link_stage stage);

/*
 * tracing_begin - a transaction: facts and d are its own, borrowed until tracing_end, which
 * writes its record.
 */
void tracing_begin(struct tracing *t, const struct facts *facts, struct delivery *d);
/* tracing_route - the transaction has this delivery instead; the one before is gone. */
void tracing_route(struct tracing *t, struct delivery *d);
void tracing_recipient(
    struct tracing *t, const char *address, const char *by, const struct smtp_reply *reply);
/* tracing_message - From and Message-ID, if they are wanted; copied. */
void tracing_message(struct tracing *t, struct view from, struct view message_id);
/*
 * tracing_reply - the client hears how it ended: "delivered", "refused", "deferred",
 * "discarded", and by whom: "gate", "chain", "upstream". Without one tracing_end says "reset",
 * or "aborted" when the session ends. tracing_last_words - what the client hears then.
 */
void tracing_reply(
    struct tracing *t, const char *result, const char *by, const struct smtp_reply *reply);
void tracing_last_words(struct tracing *t, const struct smtp_reply *reply);
void tracing_end(struct tracing *t, const struct tracing_end *end);

#endif
