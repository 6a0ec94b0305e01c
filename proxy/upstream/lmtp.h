/* SPDX-License-Identifier: MPL-2.0 */
/*
 * LMTP (RFC 2033): behind the final dot there is one reply for each recipient that was
 * accepted, and our client gets one answer to all of them. It never hears 250 unless every
 * recipient has the message. All refused: the worst that can be retried, so that nothing is
 * given up for one recipient which another server, or a later hour, would take. Some have it,
 * some do not: 451 when all that failed may be tried again; 554 with the names when one of them
 * never will. Who has it is remembered, so that the same message, sent again for that 451, is
 * delivered to the others only.
 */
#ifndef GATEPOST_PROXY_UPSTREAM_LMTP_H
#define GATEPOST_PROXY_UPSTREAM_LMTP_H

#include "lib/mail/message.h"
#include "proxy/upstream/conn.h"

#define LMTP_KEY_LEN 32

/* One message to the recipients of one LMTP transaction. */
struct lmtp_delivery {
	const char *id, *upstream; /* for the log; of our transaction; of the group */
	const char *sender;	   /* "" for <> */
	const char *const *recipients;
	size_t count;
	bool is_named;			     /* the message can be told from all others */
	unsigned char message[LMTP_KEY_LEN]; /* lmtp_digest; unused when it cannot */
};

/*
 * lmtp_digest - of what makes it the same message: its main fields and its body, without what
 * is added on the way. False: it has no Message-ID or no Date, so that two of them may be
 * alike, and nothing is remembered of it.
 */
MUST_CHECK bool lmtp_digest(const struct message *message, unsigned char out[LMTP_KEY_LEN]);

/* lmtp_has - does the recipient have it, by an earlier try of which somebody else's failed? */
bool lmtp_has(const struct lmtp_delivery *d, const char *recipient);

/*
 * lmtp_final - the replies of all recipients, each within by, folded into *reply_out. A
 * recipient who has it while another does not is remembered. False: one of the replies did not
 * come, or was none; those that came are remembered likewise.
 */
MUST_CHECK bool lmtp_final(struct conn *c, const struct lmtp_delivery *d, int64_t by,
    struct smtp_reply *reply_out, struct err *err);

void lmtp_forget_all(void); /* for tests */

#endif
