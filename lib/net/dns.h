/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS answers as values, and whoever gives them as one struct of two functions: the resolver
 * (lib/net/resolver.h), a table in a test, a file, another process. The engines of lib/domain
 * know DNS by this header only.
 */
#ifndef GATEPOST_NET_DNS_H
#define GATEPOST_NET_DNS_H

#include "lib/base/arena.h"

#define DNS_NAME_MAX	  254	/* octets of a name as text, with NUL, if it has no odd ones */
#define DNS_NAME_TEXT_MAX 1024	/* the same of any name: an odd octet takes four, \\DDD */
#define DNS_RECORDS_MAX	  128	/* of one answer; the rest is dropped */
#define DNS_TXT_MAX	  16384 /* octets of one TXT record; a longer one is DNS_TEMPFAIL */
#define DNS_SERVERS_MAX	  32	/* authoritative servers (addresses) of one zone */
#define DNS_WHY_MAX	  96

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52,
};

enum dns_status {
	DNS_FOUND,    /* at least one record of the type */
	DNS_NODATA,   /* the name exists, without a record of the type */
	DNS_NXDOMAIN, /* the name does not exist */
	DNS_TEMPFAIL, /* nobody knows now: no answer in time, SERVFAIL, REFUSED, bogus, a broken
			 answer */
};

struct dns_record {
	/*
	 * A: 4 octets. AAAA: 16. TXT: its strings joined without a blank, any octet. MX, NS,
	 * PTR, CNAME: the name as text without the final dot, NUL-terminated ("." for the
	 * root), letters in lower case, any octet but letters, digits, "-" and "_" as \DDD:
	 * under DNS_NAME_TEXT_MAX octets, and fit to be asked for.
	 * Others: the RDATA.
	 */
	struct view data;
	uint16_t preference; /* MX */
};

struct dns_answer {
	enum dns_status status;
	struct dns_record *records; /* in the arena; NULL without any */
	size_t count;
	uint32_t ttl_s;	       /* of the answer; negative answers: how long they may be kept */
	bool is_alias;	       /* a CNAME led to it */
	bool is_secure;	       /* validated by DNSSEC */
	char why[DNS_WHY_MAX]; /* DNS_TEMPFAIL: for the log ("timed out", "SERVFAIL") */
};

/* What one authoritative server says. */
struct dns_server_answer {
	char server[80]; /* "ns1.example.com 192.0.2.1" */
	struct dns_answer answer;
};

struct dns_source {
	/*
	 * query - blocks until deadline_ms at most. What out points to lives in the arena.
	 * Any thread.
	 */
	void (*query)(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
	    struct arena *arena, struct dns_answer *out);
	/*
	 * query_each - ask every authoritative server of the name's zone, past all caches;
	 * returns how many answers *out (in the arena) has: one for each address of each
	 * server, DNS_TEMPFAIL for those that cannot be reached. (An address that this
	 * machine has no way to, IPv6 mostly, is left out when its server has another.) 0: who
	 * the servers are could not be found out. May be NULL: this source cannot do it.
	 */
	size_t (*query_each)(void *context, const char *name, enum dns_type type,
	    int64_t deadline_ms, struct arena *arena, struct dns_server_answer **out);
	void *context;
};

/*
 * dns_query - ask the source. A text that cannot be a name in the DNS (an empty label, one over
 * 63 octets, over 253 in all, characters outside of printable ASCII, or a blank) is
 * DNS_NXDOMAIN without a query: no such name can exist. One final dot is allowed. A backslash
 * begins an escape, \DDD (three decimal digits) or \X for the character X; whoever makes names
 * of what a peer says writes \092 for a backslash.
 */
void dns_query(const struct dns_source *source, const char *name, enum dns_type type,
    int64_t deadline_ms, struct arena *arena, struct dns_answer *out);

/* dns_name_is_valid - as above. */
bool dns_name_is_valid(struct view name);

const char *dns_type_name(enum dns_type type);	     /* "TXT" */
const char *dns_status_name(enum dns_status status); /* "found", "nodata", "nxdomain",
							"tempfail" */

#endif
