/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One connection to a milter: negotiation, then events with their macros, each answered by a
 * verdict. Knows the law of the protocol (what was negotiated, what may be answered when), and
 * nothing of SMTP. One thread at a time. Whatever fails breaks the connection: close it.
 */
#ifndef GATEPOST_MILTER_MILTER_CONN_H
#define GATEPOST_MILTER_MILTER_CONN_H

#include "lib/milter/milter_packet.h"
#include "lib/milter/milter_target.h"

#define MILTER_REPLIES_MAX 20000 /* replies to one event, changes and progress too */

struct milter_config {
	struct milter_target target;
	uint32_t version; /* highest that is offered: 2..6 */
	int64_t connect_ms, command_ms, content_ms;
	size_t reply_octets; /* of one reply; at most MILTER_REPLY_MAX */
	size_t max_idle;     /* connections that wait for another session; 0: none is kept */
	/* Macros that are sent if the milter does not name its own: as in struct
	 * milter_options.
	 */
	struct view macros[MILTER_STAGES];
};

enum milter_verdict {
	MILTER_SAYS_GO_ON,
	MILTER_SAYS_ACCEPT,
	MILTER_SAYS_REJECT,
	MILTER_SAYS_TEMPFAIL,
	MILTER_SAYS_REPLY, /* ask->reply */
	MILTER_SAYS_DISCARD,
	MILTER_SAYS_SHUTDOWN, /* also CONN_FAIL */
	MILTER_FAILED,	      /* ask->err */
};

/* What goes with an event, and what comes back. */
struct milter_ask {
	int64_t deadline_ms; /* however much progress it reports */
	/* The macro's value; false: it has none, and is not sent. value lives until the next
	 * call. */
	bool (*macro)(void *context, struct view name, struct view *value_out);
	/* A change that it asks for behind EOM, negotiated and well-formed; false: err says why
	 * it cannot be. NULL: nobody takes any. */
	bool (*change)(void *context, const struct milter_reply *reply, struct err *err);
	void *context;
	struct smtp_reply reply;
	struct err err;
};

/* Who the SMTP client is, as in milter_put_connect. */
struct milter_client {
	struct view name;
	char family;
	uint16_t port;
	struct view address;
};

struct milter_conn;

/* milter_conn_open - connect and negotiate. config is borrowed. NULL: err says why. */
MUST_CHECK struct milter_conn *milter_conn_open(
    const struct milter_config *config, int64_t deadline_ms, struct err *err);

/* milter_conn_from_stream - negotiate over a stream, which is the connection's from now on. */
MUST_CHECK struct milter_conn *milter_conn_from_stream(const struct milter_config *config,
    struct stream **stream, int64_t deadline_ms, struct err *err);

/* milter_conn_close - with QUIT, if that needs no waiting. */
void milter_conn_close(struct milter_conn **c);

/*
 * Events, in the order of SMTP: milter_conn_connect; HELO, MAIL, RCPT, HEADER with their
 * strings by milter_conn_strings; DATA, EOH, BODY, EOM by milter_conn_octets. What the milter
 * does not want is not sent, and MILTER_SAYS_GO_ON.
 */
MUST_CHECK enum milter_verdict milter_conn_connect(
    struct milter_conn *c, struct milter_ask *ask, const struct milter_client *client);
MUST_CHECK enum milter_verdict milter_conn_strings(struct milter_conn *c,
    struct milter_ask *ask, char command, const struct view *strings, size_t count);
MUST_CHECK enum milter_verdict milter_conn_octets(
    struct milter_conn *c, struct milter_ask *ask, char command, struct view octets);

/* milter_conn_abort - the message that was begun is over; it goes out with what comes next. */
void milter_conn_abort(struct milter_conn *c);

/*
 * milter_conn_renew - end of the SMTP session, for another one to come: does not wait. False:
 * the milter does not speak version 6, the connection is of no more use, or its last event was
 * not the end of a message that the milter has left open (that is: not accepted). Elsewhere
 * libmilter ignores QUIT_NC, and then all that follows.
 */
MUST_CHECK bool milter_conn_renew(struct milter_conn *c);

bool milter_conn_is_quiet(struct milter_conn *c); /* it has not closed, and says nothing */
bool milter_conn_wants(const struct milter_conn *c, char command);
bool milter_conn_has_leading_space(const struct milter_conn *c);
uint64_t milter_conn_replies(const struct milter_conn *c); /* read in all */

#endif
