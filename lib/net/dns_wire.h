/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS messages as octets (RFC 1035 4): a query written, a reply read. Pure functions; whatever
 * comes in is hostile.
 */
#ifndef GATEPOST_NET_DNS_WIRE_H
#define GATEPOST_NET_DNS_WIRE_H

#include "lib/net/dns.h"

#define DNS_NAME_WIRE_MAX 255
#define DNS_QUERY_MAX	  (12 + DNS_NAME_WIRE_MAX + 4 + 11)
#define DNS_UDP_MAX	  1232 /* octets of a reply that we ask for (DNS flag day 2020) */

/*
 * dns_name_to_wire - text (with \DDD and \X, one final dot allowed, "." for the root) as
 * labels; its octets, or 0: this can be no name. Letters keep their case.
 */
MUST_CHECK size_t dns_name_to_wire(struct view text, unsigned char out[DNS_NAME_WIRE_MAX]);

/* dns_name_to_text - labels without compression, as dns.h describes; returns its length. */
size_t dns_name_to_text(const unsigned char *wire, char out[DNS_NAME_TEXT_MAX]);

/* dns_wire_query - a question with EDNS, class IN; returns its octets. */
size_t dns_wire_query(uint16_t id, const unsigned char *name, enum dns_type type, bool recurse,
    unsigned char out[DNS_QUERY_MAX]);

#define DNS_RCODE_NOERROR  0
#define DNS_RCODE_SERVFAIL 2
#define DNS_RCODE_NXDOMAIN 3
#define DNS_RCODE_REFUSED  5

const char *dns_rcode_name(unsigned rcode); /* "SERVFAIL"; "an error" for rare ones */

struct dns_reply {
	uint16_t id;
	unsigned rcode;
	bool is_authoritative;
	bool is_truncated; /* nothing of the answer was read then */
	/*
	 * What it says of the name and type, CNAMEs followed within. DNS_TEMPFAIL for every
	 * rcode but NOERROR and NXDOMAIN, and for a TXT record that is too long.
	 */
	struct dns_answer answer;
	/* Where its last CNAME leads, if nothing in the reply is about that name; or NULL. */
	const char *leads_to;
};

/*
 * dns_wire_read - false: it is no reply to this question, or broken somewhere up to the end of
 * what it answers. name: from dns_name_to_wire.
 */
MUST_CHECK bool dns_wire_read(struct view wire, const unsigned char *name, enum dns_type type,
    struct arena *arena, struct dns_reply *out);

#endif
