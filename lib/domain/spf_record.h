/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An SPF record as values (RFC 7208 4.6.1, 5, 6, 12): terms in their order, and the two
 * modifiers that mean something. Strict and pure: what the grammar does not say is an error,
 * wherever in the record it stands. Views point into the record's text. Private to the SPF
 * engine.
 */
#ifndef GATEPOST_DOMAIN_SPF_RECORD_H
#define GATEPOST_DOMAIN_SPF_RECORD_H

#include "lib/base/arena.h"
#include "lib/mail/authres.h"
#include "lib/net/address.h"

#define SPF_WHY_MAX	     160
#define SPF_RECORD_TERMS_MAX 2048 /* more than addresses fit into a TXT record of 16 KiB */

enum spf_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
};

struct spf_term {
	enum spf_kind kind;
	char qualifier;		   /* '+', '-', '~', '?' */
	struct view text;	   /* as it stands in the record */
	struct view domain;	   /* domain-spec with its macros; empty: the current domain */
	unsigned prefix4, prefix6; /* of a, mx: bits */
	struct network network;	   /* of ip4, ip6; host bits may be set */
};

struct spf_record {
	struct spf_term *terms; /* in the arena */
	size_t count;
	struct view redirect, exp; /* domain-specs; empty: none */
};

/* spf_record_is_one - does a TXT record's text begin like one: "v=spf1", then a blank or the
 * end (RFC 7208 4.5)? */
bool spf_record_is_one(struct view text);

/*
 * spf_record_parse - text is a record that spf_record_is_one. False: a syntax error; why says
 * which, for people.
 */
MUST_CHECK bool spf_record_parse(
    struct view text, struct arena *arena, struct spf_record *out, char why[SPF_WHY_MAX]);

#endif
