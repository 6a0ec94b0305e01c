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

#define DMARC_WALK_MAX 8 /* queries of one tree walk (4.10) */
#define DMARC_URIS_MAX 16
#define DMARC_FROM_MAX 4 /* From domains judged for one message (11.5) */

enum dmarc_policy { DMARC_P_NONE, DMARC_P_QUARANTINE, DMARC_P_REJECT };
enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

/* fo= (4.7): when failure reports are wanted. */
enum dmarc_fo {
	DMARC_FO_ALL = 1,  /* "0" */
	DMARC_FO_ANY = 2,  /* "1" */
	DMARC_FO_DKIM = 4, /* "d" */
	DMARC_FO_SPF = 8,  /* "s" */
};

struct dmarc_record {
	enum dmarc_policy p, sp, np; /* sp falls back to p, np to sp */
	bool has_p, has_sp, has_np;  /* it is there, valid, and counts */
	bool adkim_strict, aspf_strict;
	enum dmarc_psd psd;
	bool is_testing; /* t=y */
	/*
	 * The syntactically valid URIs, as written but without the obsolete size behind "!".
	 * mailto: ones are checked when used.
	 */
	const char *rua[DMARC_URIS_MAX];
	size_t rua_count;
	bool has_ruf; /* with a valid URI in it */
	unsigned fo;  /* bits of enum dmarc_fo; 0: no ruf, so it does not count */
	struct view text;
};

enum dmarc_parse {
	DMARC_RECORD,
	DMARC_NOT_A_RECORD, /* does not begin with v=DMARC1 (4.7): as if it were not there */
	/*
	 * Begins so, but p, sp or np is missing or malformed and no rua makes up for it: it
	 * counts in the tree walk, no policy can be taken from it (4.10.1). *out is filled.
	 */
	DMARC_MALFORMED,
};

/*
 * dmarc_record_parse - one TXT record (its strings joined). *why_out: a sentence about what was
 * wrong, also when the rest of the record counts; NULL: nothing.
 */
MUST_CHECK enum dmarc_parse dmarc_record_parse(
    struct view txt, struct arena *arena, struct dmarc_record *out, const char **why_out);

/* What the tree walk found for one domain. */
enum dmarc_discovery {
	DMARC_FOUND,
	DMARC_FOUND_NOTHING,
	DMARC_FOUND_MALFORMED, /* a record that gives no policy: DMARC does not apply (4.10.1)
				*/
	DMARC_FOUND_TEMPFAIL,  /* DNS gave no answer for a name that mattered */
};

struct dmarc_policy_found {
	enum dmarc_discovery status;
	struct dmarc_record record; /* of policy_domain */
	const char *policy_domain;  /* where the record stood; "" */
	/*
	 * "" when DNS gave no answer on the way up, or (dmarc_evaluate) when nobody had to
	 * know.
	 */
	const char *organizational_domain;
	bool is_exact; /* policy_domain is the From domain itself: p applies */
	/* np applies when the From domain does not exist. Asked for only where it matters. */
	bool is_from_existent;
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
	const char *const *from_domains; /* of all From addresses, A-labels, each once */
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
	 * policy is one step milder than requested_policy (4.7, "t"). NONE where no record
	 * applies.
	 */
	enum dmarc_policy requested_policy, policy;
	const char *policy_tag; /* "p", "sp", "np": the tag that it comes from; "" no record */
	bool spf_aligned, dkim_aligned;		 /* passed, and aligned */
	const char *dkim_domain, *dkim_selector; /* of an aligned signature; NULL */
	char reason[200];			 /* for people */
};

/*
 * dmarc_evaluate - PASS when one passed result is aligned with the From domain, whatever else
 * failed. TEMPERROR when DNS gave no answer that could have changed the outcome (5.3.6).
 * Several From domains (11.5): each is judged, the worst outcome counts: FAIL by policy (reject
 * before quarantine), TEMPERROR, FAIL with none, PERMERROR, NONE, PASS. Over DMARC_FROM_MAX:
 * PERMERROR. What a caller does with several From fields is up to it.
 */
void dmarc_evaluate(
    const struct dmarc_request *request, struct arena *arena, struct dmarc_outcome *out);

const char *dmarc_policy_name(enum dmarc_policy policy); /* "quarantine" */

#endif
