/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DMARC as RFC 9989 has it: records, the DNS tree walk, alignment, the policy that applies.
 * Pure but for the resolver; nothing of a session. Section numbers are those of
 * draft-ietf-dmarc-dmarcbis-41, which became the RFC.
 */
#ifndef GATEPOST_DOMAIN_DMARC_H
#define GATEPOST_DOMAIN_DMARC_H

#include "lib/mail/authres.h"
#include "lib/net/dns.h"

#define DMARC_WALK_MAX 8 /* queries of one tree walk */
#define DMARC_URIS_MAX 16

enum dmarc_policy { DMARC_P_NONE, DMARC_P_QUARANTINE, DMARC_P_REJECT };
enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

struct dmarc_record {
	enum dmarc_policy p, sp, np; /* sp falls back to p, np to sp */
	bool has_p, has_sp, has_np;
	bool adkim_strict, aspf_strict;
	enum dmarc_psd psd;
	bool is_testing;		 /* t=y */
	const char *rua[DMARC_URIS_MAX]; /* as written; mailto: ones are checked when used */
	size_t rua_count;
	unsigned fo; /* bits, DMARC_FO_* of dmarc.c's table; 0: the default */
	struct view text;
};

enum dmarc_parse { DMARC_RECORD, DMARC_NOT_A_RECORD, DMARC_MALFORMED };

/* dmarc_record_parse - one TXT record. *why_out: a sentence for MALFORMED. */
MUST_CHECK enum dmarc_parse dmarc_record_parse(
    struct view txt, struct arena *arena, struct dmarc_record *out, const char **why_out);

/* What the tree walk found for one domain. */
enum dmarc_discovery {
	DMARC_FOUND,
	DMARC_FOUND_NOTHING,
	DMARC_FOUND_TEMPFAIL, /* DNS gave no answer for a name that mattered */
};

struct dmarc_policy_found {
	enum dmarc_discovery status;
	struct dmarc_record record; /* of policy_domain */
	const char *policy_domain;  /* where the record stood */
	const char *organizational_domain;
	bool is_from_existent; /* np applies when the From domain does not exist */
	unsigned queries;
	char why[160]; /* what was malformed or unreachable on the way; "" nothing */
};

/* dmarc_discover - policy and organizational domain of an A-label domain. */
void dmarc_discover(const struct dns_source *dns, const char *domain, int64_t deadline_ms,
    struct arena *arena, struct dmarc_policy_found *out);

/* dmarc_organizational_domain - of any domain (an SPF or DKIM identifier); temporary trouble:
 * NULL. */
const char *dmarc_organizational_domain(
    const struct dns_source *dns, const char *domain, int64_t deadline_ms, struct arena *arena);

struct dmarc_request {
	const struct dns_source *dns;
	int64_t deadline_ms;
	const char *const *from_domains; /* of all From addresses, A-labels */
	size_t from_count;		 /* 0: no From (that parses) */
	const struct authres *results;	 /* those with is_for_dmarc count */
	size_t result_count;
};

struct dmarc_outcome {
	enum authres_result result; /* PASS, FAIL, NONE (no record), TEMPERROR, PERMERROR */
	const char *from_domain;    /* that was judged; "" when there is none */
	struct dmarc_policy_found found; /* when there is a record */
	/*
	 * The policy that the domain owner asks for on fail: p, sp or np. When is_testing,
	 * policy is one step milder than requested_policy (section on t=).
	 */
	enum dmarc_policy requested_policy, policy;
	const char *policy_tag;			 /* "p", "sp", "np" */
	bool spf_aligned, dkim_aligned;		 /* passed, and aligned */
	const char *dkim_domain, *dkim_selector; /* of an aligned signature; NULL */
	char reason[200];			 /* for people */
};

/*
 * dmarc_evaluate - several From domains: each is judged, the worst outcome counts (see
 * dmarc.c for the rule and its section). What a caller does with several From fields is up to
 * it.
 */
void dmarc_evaluate(
    const struct dmarc_request *request, struct arena *arena, struct dmarc_outcome *out);

/* dmarc_is_aligned - of an authenticated domain with the From domain. */
MUST_CHECK bool dmarc_is_aligned(const struct dns_source *dns, const char *from_domain,
    const char *from_organizational, const char *authenticated, bool strict,
    int64_t deadline_ms, struct arena *arena, bool *tempfail_out);

const char *dmarc_policy_name(enum dmarc_policy policy); /* "quarantine" */

#endif
