/* SPDX-License-Identifier: MPL-2.0 */
/* What delivery_smtp.c and delivery_lmtp.c share, and nobody else includes. */
#ifndef GATEPOST_PROXY_UPSTREAM_DELIVERY_PRIVATE_H
#define GATEPOST_PROXY_UPSTREAM_DELIVERY_PRIVATE_H

#include "lib/base/arena.h"
#include "proxy/upstream/delivery.h"
#include "proxy/upstream/lmtp.h"
#include "proxy/upstream/relay.h"

struct smtp_delivery {
	struct delivery base; /* first */
	struct conn *conn;    /* owned; NULL: none at the moment */
	size_t server;	      /* of conn */
	bool is_warm;	      /* conn came out of the pool and has not replied yet */
	bool is_open;	      /* a transaction has begun on conn */
	bool is_accepted;     /* MAIL was */
	struct arena arena;
	struct smtp_mail mail; /* parameters */
	const char *mail_path;
	struct relay_rcpts rcpts;	    /* accepted ones */
	uint64_t size;			    /* of the message, once it is known; 0 before */
	unsigned needs;			    /* RELAY_* */
	unsigned char digest[LMTP_KEY_LEN]; /* of the message, for LMTP, once it is known */
	bool is_named;			    /* the digest stands for it */
	/* of the running call */
	uint32_t warm_tried, new_tried; /* servers, as bits */
	uint32_t unfit;			/* those that lack something */
	unsigned lacking;		/* what: RELAY_* */
	int64_t deadline_ms, final_by_ms;
	struct smtp_reply last_421; /* code 0: none */
	struct smtp_reply doom;	    /* code 0: not doomed */
};

/*
 * delivery_lmtp_spare - before the content: take those out who have this message by an earlier
 * try. True: there are some; what was said to the server is to be said anew.
 */
MUST_CHECK bool delivery_lmtp_spare(struct smtp_delivery *d, const struct message *message);

/* delivery_lmtp_final - lmtp_final for this delivery's recipients. */
MUST_CHECK bool delivery_lmtp_final(
    struct smtp_delivery *d, int64_t by, struct smtp_reply *reply_out, struct err *err);

#endif
