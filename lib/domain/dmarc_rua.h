/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where a domain's aggregate reports go: the rua URIs of its DMARC record as DNS has it now,
 * each of another organisation's verified by a record of that one. Nothing of a session.
 * draft-ietf-dmarc-aggregate-reporting-32 3.5 and 4, which became RFC 9990.
 */
#ifndef GATEPOST_DOMAIN_DMARC_RUA_H
#define GATEPOST_DOMAIN_DMARC_RUA_H

#include "lib/domain/dmarc.h"

#define DMARC_DESTINATIONS_MAX 16 /* of one policy domain; further ones are dropped */
#define DMARC_RUA_WHY_MAX      400

enum dmarc_destination_status {
	DMARC_DESTINATION_GOOD,
	DMARC_DESTINATION_BAD,	      /* no mailto: URI, or malformed */
	DMARC_DESTINATION_UNVERIFIED, /* another's, who does not say that it wants them */
	DMARC_DESTINATION_LATER,      /* DNS gave no answer */
};

struct dmarc_destination {
	enum dmarc_destination_status status;
	const char *address; /* "reports@example.com"; the URI when it is BAD: any octets */
	char why[DMARC_RUA_WHY_MAX]; /* not GOOD: a sentence, may hold octets of peers */
};

enum dmarc_rua_status {
	DMARC_RUA_FOUND,
	DMARC_RUA_NONE,	 /* no record, or none that asks for reports */
	DMARC_RUA_LATER, /* DNS gave no answer */
};

struct dmarc_rua {
	enum dmarc_rua_status status;
	char why[DMARC_RUA_WHY_MAX];				       /* not FOUND */
	struct dmarc_destination destinations[DMARC_DESTINATIONS_MAX]; /* no address twice */
	size_t count;
};

/* dmarc_rua_find - policy_domain is where the record stands. Texts live in the arena. */
void dmarc_rua_find(const struct dns_source *dns, const char *policy_domain,
    int64_t deadline_ms, struct arena *arena, struct dmarc_rua *out);

/*
 * dmarc_rua_address - the address of one mailto: URI (RFC 6068), its domain in lower-case
 * A-labels; NULL: none, *why_out says why. The obsolete size behind a "!" is ignored, as RFC
 * 9989 asks for.
 */
MUST_CHECK const char *dmarc_rua_address(
    struct view uri, struct arena *arena, const char **why_out);

#endif
