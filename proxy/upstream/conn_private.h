/* SPDX-License-Identifier: MPL-2.0 */
/* What conn.c and conn_open.c share, and nobody else includes. */
#ifndef GATEPOST_PROXY_UPSTREAM_CONN_PRIVATE_H
#define GATEPOST_PROXY_UPSTREAM_CONN_PRIVATE_H

#include "proxy/upstream/conn.h"

#define SMTP_WIRE_MAX 12288 /* octets of a command line with CRLF (RFC 4954 4: AUTH) */

struct conn {
	const struct conn_target *target; /* borrowed */
	struct stream *stream;		  /* owned */
	struct smtp_ehlo ehlo;		  /* of the last EHLO; all false after HELO */
	unsigned outstanding; /* commands sent, or the greeting, that await their reply */
	bool is_broken;
	uint64_t mails;	    /* MAIL was said that often */
	bool is_introduced; /* by XCLIENT, as some client's */
	struct smtp_reply_reader reader;
	char in[2048]; /* read, not yet parsed */
	size_t in_len;
};

/* conn_make - owns the stream; the greeting is outstanding. */
struct conn *conn_make(const struct conn_target *t, struct stream *stream);

#endif
