/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ARC (RFC 8617): verify the chain of seals of a message. No sealing. Any thread; blocks on
 * DNS.
 */
#ifndef GATEPOST_DOMAIN_ARC_H
#define GATEPOST_DOMAIN_ARC_H

#include "lib/mail/authres.h"
#include "lib/mail/message.h"
#include "lib/net/dns.h"

#define ARC_SETS_MAX 50 /* RFC 8617 5.1.1.1 */

struct arc_request {
	const struct message *message;
	const struct dns_source *dns;
	int64_t deadline_ms;
	int64_t now;	   /* seconds since 1970 */
	unsigned max_sets; /* each costs a look-up: more are a fail; at most ARC_SETS_MAX */
	unsigned min_rsa_bits;
};

struct arc_set {
	const char *seal_domain, *seal_selector; /* d=, s= of ARC-Seal */
	const char *signature_domain;		 /* d= of ARC-Message-Signature */
	const char *results; /* ARC-Authentication-Results behind "i=N;", unfolded */
};

struct arc_outcome {
	enum authres_result result; /* NONE, PASS, FAIL, TEMPERROR */
	char reason[160];	    /* what is wrong, and in which set; "" for NONE and PASS */
	struct arc_set *sets;	    /* i=1 first; only for PASS */
	size_t set_count;
	unsigned oldest_pass; /* RFC 8617 5.2: 0 when all message signatures still verify */
};

void arc_verify_message(
    const struct arc_request *request, struct arena *arena, struct arc_outcome *out);

#endif
