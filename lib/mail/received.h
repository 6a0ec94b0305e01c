/* SPDX-License-Identifier: MPL-2.0 */
/* Our Received field (RFC 5321 4.4, RFC 3848 for ESMTPSA and its kin, RFC 8314 for TLS
 * details). */
#ifndef GATEPOST_MAIL_RECEIVED_H
#define GATEPOST_MAIL_RECEIVED_H

#include "lib/base/buf.h"
#include "lib/mail/facts.h"

/*
 * received_value - the value of the field, folded, without name and final CRLF. with_client
 * false leaves out the client's address and HELO name (privacy of users at home). The recipient
 * is named
 * ("for") only when there is exactly one. False: out's cap.
 */
MUST_CHECK bool received_value(const struct facts *facts, bool with_client, struct buf *out);

#endif
