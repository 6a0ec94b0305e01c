/* SPDX-License-Identifier: MPL-2.0 */
/*
 * XCLIENT (Postfix's XCLIENT_README): a proxy says who its client is. The command's arguments
 * parsed, and made; values are xtext (RFC 3461 4). Pure.
 */
#ifndef GATEPOST_SMTP_XCLIENT_H
#define GATEPOST_SMTP_XCLIENT_H

#include "lib/base/view.h"

enum xclient_attribute {
	XCLIENT_NAME,
	XCLIENT_ADDR, /* "192.0.2.1", "IPV6:2001:db8::1" */
	XCLIENT_PORT,
	XCLIENT_PROTO, /* "SMTP", "ESMTP" */
	XCLIENT_HELO,
	XCLIENT_LOGIN,
	XCLIENT_DESTADDR,
	XCLIENT_DESTPORT,
	XCLIENT_COUNT,
};

#define XCLIENT_BIT(attribute) (1U << (attribute))
#define XCLIENT_VALUE_MAX      320 /* octets of a decoded value */

struct smtp_xclient {
	unsigned given; /* attributes that were said, as bits */
	unsigned known; /* those with a value; the others are [UNAVAILABLE] or [TEMPUNAVAIL] */
	char values[XCLIENT_COUNT][XCLIENT_VALUE_MAX + 1]; /* decoded; "" when not known */
};

/*
 * smtp_xclient_parse - the arguments. False: *wrong_out is the attribute at fault, or "?". An
 * attribute twice or of another name, a value that is empty, too long, no xtext, has control
 * characters (or, but in LOGIN, octets over 0x7e), a port or protocol that is none. Addresses
 * are not looked at.
 */
MUST_CHECK bool smtp_xclient_parse(
    struct view args, struct smtp_xclient *out, const char **wrong_out);

/* smtp_xclient_address - of a value of ADDR or DESTADDR: without "IPV6:". NULL: it is an IPv6
 * address without that, or the reverse. */
const char *smtp_xclient_address(const char *value);

/* smtp_xclient_write - " NAME=value" in xtext, or [UNAVAILABLE] for an empty one; 0: no room.
 */
MUST_CHECK size_t smtp_xclient_write(
    enum xclient_attribute attribute, const char *value, char *out, size_t room);

/* smtp_xclient_offered - the words behind XCLIENT in an EHLO reply, as bits. */
unsigned smtp_xclient_offered(struct view words);

#endif
