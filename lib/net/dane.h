/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DANE for SMTP: which certificates a server may show is asked of the DNS, and believed where
 * DNSSEC vouches for the answer. RFC 7672, RFC 7671, RFC 6698. OpenSSL does the matching.
 */
#ifndef GATEPOST_NET_DANE_H
#define GATEPOST_NET_DANE_H

#include "lib/base/err.h"
#include "lib/net/dns.h"

#include <openssl/ssl.h>

/* One server, and its TLSA records that SMTP may use (usages 2 and 3). */
struct dane {
	const char *host;
	uint16_t port;
	struct dns_record *records; /* in the arena */
	size_t count;
};

/*
 * dane_find - one record at least of dane->host and port, by deadline_ms. An alias (CNAME) of
 * host is not followed: the records are looked for at _port._tcp.host alone (RFC 7672 2.2.3).
 * Errors: ERR_TEMP the DNS does not answer, or the answer is bogus; ERR_TLS there is no record,
 * none that SMTP may use, or DNSSEC does not vouch for them.
 */
MUST_CHECK bool dane_find(const struct dns_source *source, struct dane *dane,
    int64_t deadline_ms, struct arena *arena, struct err *err);

/*
 * dane_apply - a session of a context with SSL_CTX_dane_enable will be verified by the records,
 * and their host is what it says in SNI. The certificate's names and dates count for usage 2
 * alone (RFC 7672 3.1.1). Errors: ERR_TLS OpenSSL can use none of the records.
 */
MUST_CHECK bool dane_apply(SSL *ssl, const struct dane *dane, struct err *err);

#endif
