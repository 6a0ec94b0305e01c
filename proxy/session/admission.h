/* SPDX-License-Identifier: MPL-2.0 */
/* Whether one more connection of this client is let in, by the census; told to the operator. */
#ifndef GATEPOST_PROXY_SESSION_ADMISSION_H
#define GATEPOST_PROXY_SESSION_ADMISSION_H

#include "proxy/session/census.h"
#include "proxy/session/replies.h"

/*
 * admission_count - enter the census; not for a balancer, but for the client that it names.
 * False: the client's address or network has too many already. That is counted, logged (once a
 * second at most for one address), and *reply_out is what the client hears.
 */
MUST_CHECK bool admission_count(const struct sockaddr_storage *client,
    const struct config_limits *limits, struct census_place *place, enum reply_id *reply_out);

#endif
