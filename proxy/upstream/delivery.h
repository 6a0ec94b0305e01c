/* SPDX-License-Identifier: MPL-2.0 */
/* What a kind of delivery is to the others: behind delivery_* of upstream.h. */
#ifndef GATEPOST_PROXY_UPSTREAM_DELIVERY_H
#define GATEPOST_PROXY_UPSTREAM_DELIVERY_H

#include "proxy/upstream/group.h"

struct delivery_ops {
	void (*mail)(
	    struct delivery *d, const struct smtp_mail *mail, struct smtp_reply *reply_out);
	void (*rcpt)(struct delivery *d, const struct smtp_path *path,
	    const struct smtp_dsn *dsn, struct smtp_reply *reply_out);
	/* The transaction is taken back: mail and rcpt follow anew. */
	void (*reset)(struct delivery *d);
	void (*send)(
	    struct delivery *d, const struct message *message, struct smtp_reply *reply_out);
	void (*destroy)(struct delivery *d); /* frees all of it */
};

/* The head of each kind's own struct. */
struct delivery {
	const struct delivery_ops *ops;
	struct upstream *upstream; /* borrowed */
	struct delivery_facts facts;
	const struct facts *client;		  /* borrowed; NULL: not known */
	const struct delivery_observer *observer; /* borrowed; NULL: nobody looks on */
	char id[64];
};

/* delivery_began_us - when something begins that is told later; 0 when nobody looks on. */
int64_t delivery_began_us(const struct delivery *d);

/* delivery_tell - who looks on, if anybody does; the time is filled in here, and the server
 * when it is NULL. */
void delivery_tell(
    const struct delivery *d, int64_t began_us, const struct delivery_event *event);

struct delivery *delivery_smtp_create(void);
struct delivery *delivery_maildir_create(void);

#endif
