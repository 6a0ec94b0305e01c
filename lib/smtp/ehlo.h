/* SPDX-License-Identifier: MPL-2.0 */
/* What an upstream offered in its EHLO reply (RFC 5321 4.1.1.1), as facts. Unknown lines are
 * passed over. */
#ifndef GATEPOST_SMTP_EHLO_H
#define GATEPOST_SMTP_EHLO_H

#include "lib/smtp/reply.h"

struct smtp_ehlo {
	bool pipelining, size, eightbitmime, starttls, enhanced_codes, smtputf8, chunking, dsn;
	bool auth_plain, auth_login;
	bool requiretls;     /* RFC 8689; of a connection over verified TLS only */
	uint64_t size_limit; /* octets; 0: none told */
	/* RFC 9422; 0: none told */
	uint64_t mail_max, rcpt_max, rcpt_domain_max;
	unsigned xclient; /* attributes, as bits of xclient.h; 0: not offered */
};

/* smtp_ehlo_parse - from a 250 reply to EHLO; its first line is the greeting and skipped. */
void smtp_ehlo_parse(const struct smtp_reply *reply, struct smtp_ehlo *out);

#endif
