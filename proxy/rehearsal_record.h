/* SPDX-License-Identifier: MPL-2.0 */
/* How a rehearsal looks on (copies of what the chain shows), and how it takes a message in. For
 * rehearsal.c alone. */
#ifndef GATEPOST_PROXY_REHEARSAL_RECORD_H
#define GATEPOST_PROXY_REHEARSAL_RECORD_H

#include "proxy/rehearsal.h"

struct rehearsal_observer {
	struct chain_observer observer; /* must not be moved */
	struct rehearsal *rehearsal;
	struct dns_recorder *dns;
	size_t questions_before;
};

void rehearsal_observe(
    struct rehearsal_observer *o, struct rehearsal *r, struct dns_recorder *dns);

/*
 * rehearsal_receive - the message that comes of the content; NULL: *reply_out is what the
 * client hears. What was put right (see rehearsal.h) is remarked in r.
 */
MUST_CHECK struct message *rehearsal_receive(const struct config *config, struct view content,
    struct rehearsal *r, struct smtp_reply *reply_out);

#endif
