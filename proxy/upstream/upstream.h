/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where mail goes: an upstream is a configured group of servers (or a Maildir). A delivery is
 * one transaction at it. Blocks on worker threads, with deadlines; every outcome is the reply
 * that our client shall hear. Rule: a 2xx of delivery_send means "there once and whole";
 * nothing else is ever claimed. Before our final dot a dead connection is replaced and the
 * transaction replayed, on another server if need be; after it never: 451 4.4.2. RFC
 * 5321 4.5.3.2 (time limits), 4.2.5 (replies to the dot).
 */
#ifndef GATEPOST_PROXY_UPSTREAM_UPSTREAM_H
#define GATEPOST_PROXY_UPSTREAM_UPSTREAM_H

#include "lib/mail/message.h"
#include "lib/smtp/command.h"
#include "lib/smtp/ehlo.h"
#include "proxy/config.h"

struct upstream;
struct delivery;

/*
 * upstream_create - config is borrowed and outlives it. Checks what can be checked without
 * network (CA file, password file, the Maildir's folders).
 */
MUST_CHECK struct upstream *upstream_create(
    const struct config_upstream *config, const char *hostname, struct conf_errors *errors);
void upstream_destroy(
    struct upstream **u); /* closes warm connections; no delivery may be left */

/* upstream_use_dns - where tls = "dane" asks; borrowed, and there before the first delivery. */
void upstream_use_dns(struct upstream *u, const struct dns_source *dns);

const char *upstream_name(const struct upstream *u);

/*
 * upstream_features - what the group offers, as learned from its EHLO replies (the least of its
 * servers; before the first one: what nearly everybody offers, 8BITMIME and no size limit).
 * Never blocks on the network. A Maildir carries everything.
 */
void upstream_features(struct upstream *u, struct smtp_ehlo *out);

/*
 * upstream_ask - when no server was heard since the configuration was loaded: ask them in turn,
 * until one has answered, so that the first client is not offered too little. Waits for
 * GROUP_ASK_MS at most, once in GROUP_ASK_AGAIN_MS; the connection stays warm for the mail that
 * comes. Worker threads.
 */
void upstream_ask(struct upstream *u);

/* upstream_tend - close connections that idled too long: called every few seconds by the
 * engine. */
void upstream_tend(struct upstream *u);

/* What a delivery did, for the msg.done line. */
struct delivery_facts {
	const char *upstream; /* the group's name */
	char server[64];      /* "192.0.2.1:25", or "" */
	char tls[64];	      /* "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" */
	char queue_id[64];    /* taken from "queued as X", the Maildir's file name, or "" */
	unsigned connects;    /* connections opened for it */
	unsigned replays;     /* times the transaction was begun anew */
	uint64_t wait_ms;     /* spent waiting for the upstream */
};

/* delivery_create - costs nothing yet; id is our transaction id, for the log and the Maildir.
 */
struct delivery *delivery_create(struct upstream *u, const char *id);

/* delivery_present - whose mail it is, for servers that are told (XCLIENT). Borrowed. */
struct facts;
void delivery_present(struct delivery *d, const struct facts *client);

/*
 * delivery_mail, _rcpt - relayed at once. Paths and parameters are written anew from the parsed
 * form; dsn may be NULL. A server that lacks what they need (relay.h) is passed over; when none
 * has it, the reply is a refusal.
 */
void delivery_mail(
    struct delivery *d, const struct smtp_mail *mail, struct smtp_reply *reply_out);
void delivery_rcpt(struct delivery *d, const struct smtp_path *path, const struct smtp_dsn *dsn,
    struct smtp_reply *reply_out);

/*
 * delivery_readdress - the chain has changed the envelope: what MAIL and RCPT have said is
 * taken back (RSET), and facts' sender and recipients (at least one) are said instead. False:
 * *reply_out is the upstream's word against the first of them that it refuses (or that nothing
 * is reachable), and nothing may be sent: an address that the client was promised cannot be
 * delivered without the one that a link has added, or the reverse.
 */
MUST_CHECK bool delivery_readdress(
    struct delivery *d, const struct facts *facts, struct smtp_reply *reply_out);

/* delivery_send - the whole message; at least one RCPT was accepted. */
void delivery_send(
    struct delivery *d, const struct message *message, struct smtp_reply *reply_out);

const struct delivery_facts *delivery_facts(const struct delivery *d);

/* What a delivery said to a server and heard, for who looks on (the trace). */
struct delivery_event {
	const char *server;  /* "192.0.2.1:25"; "" for a Maildir */
	const char *command; /* as it was said, without CRLF; "." for the content, "connect",
				"reuse" (of a connection that was open) */
	const struct smtp_reply *reply; /* NULL: none */
	const char *error;		/* why there is none; NULL: no error */
	int64_t took_us;
};

struct delivery_observer {
	void (*event)(void *context, const struct delivery_event *event); /* on this thread */
	void *context;
};

/* delivery_observe - from now on; borrowed, NULL: nobody any more. */
void delivery_observe(struct delivery *d, const struct delivery_observer *observer);

/*
 * delivery_destroy - a healthy connection goes back to the pool (RSET first when a transaction
 * is open); one in the middle of DATA is cut, never ended by a dot.
 */
void delivery_destroy(struct delivery **d);

#endif
