/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One evaluation of SPF, shared by spf.c (the library and its hooks), spf_dns.c (every question
 * to DNS, counted) and spf_terms.c (what a term matches).
 */
#ifndef GATEPOST_DOMAIN_SPF_PRIVATE_H
#define GATEPOST_DOMAIN_SPF_PRIVATE_H

#include "lib/domain/spf.h"
#include "lib/domain/spf_macro.h"
#include "lib/domain/spf_record.h"

#define SPF_FRAMES_MAX	 (1 + SPF_TERMS_MAX) /* the first record, and one for each term */
#define SPF_EXPANDED_MAX 16384		     /* octets of an expanded macro-string */

/* One record under evaluation. */
struct spf_frame {
	const char *domain; /* whose record it is, as text for DNS; in the arena */
	struct spf_record record;
	bool is_top;	 /* neither it nor what redirected to it was included */
	size_t reached;	 /* index of the last term that was asked about */
	bool is_matched; /* and whether that one matched */
};

struct spf_run {
	const struct spf_request *request;
	struct arena *arena;
	struct spf_outcome *out;
	struct sockaddr_storage client; /* IPv4-mapped folded */
	struct spf_macro_values values;

	struct spf_frame frames[SPF_FRAMES_MAX];
	size_t frame_count;
	size_t top; /* the frame whose terms give the result: the end of the redirects */

	/* The first error, or that there is no record: it outranks what the library says. */
	bool is_stopped;
	bool is_judged; /* the result stands: nothing stops any more */
	enum authres_result verdict;

	bool names_known; /* the client's validated names: asked for once */
	const char *names[SPF_PTR_NAMES_MAX];
	size_t name_count;
};

/* spf_stop - the evaluation ends with this; later ones are ignored. */
void spf_stop(struct spf_run *run, enum authres_result verdict, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/*
 * spf_ask - one query, counted. Past the deadline it is DNS_TEMPFAIL, and the evaluation ends.
 * Other DNS_TEMPFAIL are for the caller to judge: spf_stop_dns for those that matter.
 */
void spf_ask(struct spf_run *run, const char *name, enum dns_type type, struct dns_answer *out);
void spf_stop_dns(
    struct spf_run *run, const char *name, enum dns_type type, const struct dns_answer *answer);

/* spf_names - the client's validated names (RFC 7208 5.5), 10 of its PTR records at most. */
void spf_names(struct spf_run *run);

/* spf_validated_name - %{p} of the frame whose macros are expanded; context is the run. */
const char *spf_validated_name(void *context);

/*
 * spf_target - a domain-spec (empty: the frame's domain) expanded to a name as text for DNS: no
 * final dot, cut on the left to 253 octets (RFC 7208 7.3), odd octets as \DDD. In the arena.
 * NULL: too long to be expanded, the evaluation has ended.
 */
const char *spf_target(struct spf_run *run, const struct spf_frame *frame, struct view spec);

/* spf_count_term - false: over the budget, the evaluation has ended. */
bool spf_count_term(struct spf_run *run);

/* spf_term_matches - a, mx, ptr or exists; counts it. False also when the evaluation ended. */
bool spf_term_matches(
    struct spf_run *run, const struct spf_frame *frame, const struct spf_term *term);

/* spf_explain - fill out->explanation from the frame's exp modifier. */
void spf_explain(struct spf_run *run, const struct spf_frame *frame);

#endif
