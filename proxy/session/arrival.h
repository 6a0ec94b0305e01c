/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What becomes of content when it has arrived whole, before the chain sees it: a message with
 * our Received field on top. For the session, and for whoever rehearses one.
 */
#ifndef GATEPOST_PROXY_SESSION_ARRIVAL_H
#define GATEPOST_PROXY_SESSION_ARRIVAL_H

#include "lib/mail/facts.h"
#include "lib/mail/message.h"
#include "lib/smtp/reply.h"
#include "proxy/config.h"

/* arrival_message - of a sealed store, which the message owns on success. False: *reply_out is
 * what the client hears. */
MUST_CHECK bool arrival_message(struct body_store **store, const struct config_limits *limits,
    struct message **out, struct smtp_reply *reply_out);

/* arrival_add_received - our Received field, as the service's configuration wants it. */
void arrival_add_received(
    struct message *message, const struct facts *facts, const struct config_service *service);

#endif
