/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Telling a server who our client is, by XCLIENT (Postfix's XCLIENT_README), before each
 * transaction: connections go from one client to the next. Only the attributes that the server
 * has offered are said, each time all of them, what is not known as [UNAVAILABLE]. With HELO,
 * the EHLO behind it has the client's name, too.
 */
#ifndef GATEPOST_PROXY_UPSTREAM_INTRODUCE_H
#define GATEPOST_PROXY_UPSTREAM_INTRODUCE_H

#include "lib/mail/facts.h"
#include "proxy/upstream/conn.h"

/*
 * conn_introduce - XCLIENT and the EHLO behind it; nothing at all where it is not offered.
 * client NULL: nothing is known. True: a *reply_out of 400 or more is the server's word against
 * this client; the connection is still good. False: it is of no more use (no reply, 421, or it
 * was somebody else's and the server takes no other name any more).
 */
MUST_CHECK bool conn_introduce(struct conn *c, const struct facts *client, int64_t by,
    struct smtp_reply *reply_out, struct err *err);

#endif
