/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS records as lines of text, as a zone file has them (RFC 1035 5.1), both ways. Pure
 * functions.
 *
 *	A 192.0.2.1		MX 10 mail.example.com		TXT "v=spf1 " "-all"
 *	AAAA 2001:db8::1	NS, CNAME, PTR ns1.example.com	TLSA, SOA \# 4 03010100
 *
 * TXT: its strings between quotes are joined, \DDD is any octet and \X the character X; a text
 * that does not begin with a quote is taken as it stands, to the end of the line. TLSA and SOA
 * are octets in the form of RFC 3597.
 */
#ifndef GATEPOST_NET_DNS_TEXT_H
#define GATEPOST_NET_DNS_TEXT_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/net/dns.h"

/* dns_type_find - by its name, whatever the case. */
MUST_CHECK bool dns_type_find(struct view name, enum dns_type *out);

/* dns_text_read - the data of one record; texts go to the arena. Errors: ERR_CONFIG. */
MUST_CHECK bool dns_text_read(enum dns_type type, struct view text, struct arena *arena,
    struct dns_record *out, struct err *err);

/*
 * dns_text_write - the same text from a record as a source gave it; printable ASCII only. TXT
 * is cut into strings of 255 octets. False: out's cap.
 */
MUST_CHECK bool dns_text_write(
    enum dns_type type, const struct dns_record *record, struct buf *out);

/*
 * dns_text_name - a name in the one form that it has here: without final dot, letters in lower
 * case, odd octets as \DDD. False: it is no name. The root is one, ".".
 */
MUST_CHECK bool dns_text_name(struct view text, char out[DNS_NAME_TEXT_MAX]);

#endif
