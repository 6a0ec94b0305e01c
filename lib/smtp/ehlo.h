/* SPDX-License-Identifier: MPL-2.0 */
/* What an upstream offered in its EHLO reply (RFC 5321 4.1.1.1), as facts. Unknown lines are
 * passed over. */
#ifndef GATEPOST_SMTP_EHLO_H
#define GATEPOST_SMTP_EHLO_H

#include "lib/smtp/reply.h"

struct smtp_ehlo {
	bool pipelining, size, eightbitmime, starttls, enhanced_codes, smtputf8, chunking, dsn;
	bool auth_plain, auth_login;
	uint64_t size_limit; /* octets; 0: none told */
};

/* smtp_ehlo_parse - from a 250 reply to EHLO; its first line is the greeting and skipped. */
void smtp_ehlo_parse(const struct smtp_reply *reply, struct smtp_ehlo *out);

#endif
