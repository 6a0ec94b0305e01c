/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DMARC evaluation (draft-ietf-dmarc-dmarcbis-41 5.3): alignment, the policy that applies, and
 * the outcome for a message. Sections in comments are those of the draft.
 *
 * DNS is asked as little as possible: the author domain's record first; the way up only when
 * that has none, or when an authenticated identifier could be aligned in relaxed mode; an
 * identifier's own walk only when it lies below the author's organizational domain, without
 * which the two cannot be the same.
 */
#include "lib/domain/dmarc.h"

#include "lib/domain/dmarc_walk.h"
#include "lib/mail/domain_name.h"

#include <stdio.h>

/* One From domain on the way to its outcome. */
struct judgement {
	struct dmarc_walker *walker;
	const struct dmarc_request *request;
	struct dmarc_walk walk; /* of the From domain */
	const struct dmarc_record *record;
	struct dmarc_outcome *out;
	bool is_uncertain; /* an answer of DNS that is missing could make it a pass */
};

static void
walker_init(struct dmarc_walker *walker, const struct dns_source *dns, int64_t deadline_ms,
    struct arena *arena)
{
	*walker =
	    (struct dmarc_walker){ .dns = dns, .deadline_ms = deadline_ms, .arena = arena };
}

/* Discovery */

/* found_explain - what was odd on the way, from the longest name on. */
static void
found_explain(const struct dmarc_walk *walk, struct dmarc_policy_found *found)
{
	size_t len = 0;

	found->why[0] = '\0';
	for (size_t i = 0; i < walk->count && len < sizeof(found->why); i++) {
		if (walk->steps[i]->problem == NULL)
			continue;
		len += (size_t)snprintf(found->why + len, sizeof(found->why) - len,
		    "%s_dmarc.%s: %s", len > 0 ? "; " : "", walk->steps[i]->domain,
		    walk->steps[i]->problem);
	}
}

/* found_fill - from a walk that has gone as far as it will. */
static void
found_fill(const struct dmarc_walker *walker, const struct dmarc_walk *walk,
    struct dmarc_policy_found *found)
{
	const struct dmarc_step *step = dmarc_walk_policy(walk);
	const char *organizational = walk->labels == 0 ? dmarc_walk_organizational(walk) : NULL;

	*found = (struct dmarc_policy_found){
		.status = walk->has_failed ? DMARC_FOUND_TEMPFAIL : DMARC_FOUND_NOTHING,
		.policy_domain = "",
		.organizational_domain = "",
		.is_from_existent = true,
		.queries = walker->queries,
	};
	if (organizational != NULL)
		found->organizational_domain =
		    arena_strdup(walker->arena, view_of(organizational));
	found_explain(walk, found);
	if (step == NULL)
		return;
	found->status = step->found == STEP_RECORD ? DMARC_FOUND : DMARC_FOUND_MALFORMED;
	found->record = step->record;
	found->policy_domain = arena_strdup(walker->arena, view_of(step->domain));
	found->is_exact = step == walk->steps[0];
}

/*
 * ask_existence - 3.2.13, A.4: the From domain does not exist when DNS says NXDOMAIN, whatever
 * type was asked for; an alias that leads nowhere exists. false: DNS gives no answer.
 */
static bool
ask_existence(struct dmarc_walker *walker, const struct dmarc_walk *walk,
    struct dmarc_policy_found *found)
{
	struct dns_answer answer;

	if (walk->count > 0 && walk->steps[0]->domain_exists)
		return true;
	walker->queries++;
	dns_query(
	    walker->dns, walk->domain, DNS_A, walker->deadline_ms, walker->arena, &answer);
	found->is_from_existent = answer.status != DNS_NXDOMAIN || answer.is_alias;
	found->queries = walker->queries;
	return answer.status != DNS_TEMPFAIL;
}

void
dmarc_discover(const struct dns_source *dns, const char *domain, int64_t deadline_ms,
    struct arena *arena, struct dmarc_policy_found *out)
{
	struct dmarc_walker walker;
	struct dmarc_walk walk;

	walker_init(&walker, dns, deadline_ms, arena);
	dmarc_walk_begin(&walk, domain);
	dmarc_walk_finish(&walker, &walk);
	found_fill(&walker, &walk, out);
	if (out->status == DMARC_FOUND && !out->is_exact && out->record.has_np &&
	    !ask_existence(&walker, &walk, out))
		snprintf(out->why, sizeof(out->why), "%s: DNS does not say whether it exists",
		    domain);
}

static const char *
find_organizational(struct dmarc_walker *walker, const char *domain)
{
	struct dmarc_walk walk;

	dmarc_walk_begin(&walk, domain);
	dmarc_walk_finish(walker, &walk);
	return dmarc_walk_organizational(&walk);
}

const char *
dmarc_organizational_domain(
    const struct dns_source *dns, const char *domain, int64_t deadline_ms, struct arena *arena)
{
	struct dmarc_walker walker;
	const char *organizational;

	walker_init(&walker, dns, deadline_ms, arena);
	organizational = find_organizational(&walker, domain);
	return organizational != NULL ? arena_strdup(arena, view_of(organizational)) : NULL;
}

/* Alignment, 4.4 and 4.10.2 */

static const char *
last_label(const char *domain)
{
	const char *dot = strrchr(domain, '.');

	return dot != NULL ? dot + 1 : domain;
}

/* Of an authenticated domain with the From domain (4.10.2). */
enum alignment {
	ALIGNED_NO,
	ALIGNED_YES,
	ALIGNED_UNKNOWN, /* DNS gave no answer that nobody could do without */
};

/* align_below - organizational is the From domain's. */
static enum alignment
align_below(struct dmarc_walker *walker, const char *organizational, const char *identifier)
{
	const char *other;

	if (!domain_is_below(identifier, organizational))
		return ALIGNED_NO;
	other = find_organizational(walker, identifier);
	if (other == NULL)
		return ALIGNED_UNKNOWN;
	return strcmp(other, organizational) == 0 ? ALIGNED_YES : ALIGNED_NO;
}

/* align - walk is the From domain's; it goes on only if need be. */
static enum alignment
align(struct dmarc_walker *walker, struct dmarc_walk *walk, const char *identifier, bool strict)
{
	const char *organizational;

	if (identifier[0] == '\0')
		return ALIGNED_NO;
	if (strcmp(identifier, walk->domain) == 0)
		return ALIGNED_YES;
	/* Without a label in common there is no common organizational domain. */
	if (strict || strcmp(last_label(identifier), last_label(walk->domain)) != 0)
		return ALIGNED_NO;
	dmarc_walk_finish(walker, walk);
	organizational = dmarc_walk_organizational(walk);
	if (organizational == NULL)
		return ALIGNED_UNKNOWN;
	return align_below(walker, organizational, identifier);
}

static bool
already_aligned(const struct dmarc_outcome *out, enum authres_method method)
{
	return method == AUTHRES_SPF ? out->spf_aligned : out->dkim_aligned;
}

static void
judge_result(struct judgement *j, const struct authres *r)
{
	const bool strict =
	    r->method == AUTHRES_SPF ? j->record->aspf_strict : j->record->adkim_strict;
	const enum alignment alignment = align(j->walker, &j->walk, r->domain, strict);

	if (alignment == ALIGNED_NO)
		return;
	if (alignment == ALIGNED_UNKNOWN || r->result == AUTHRES_TEMPERROR) {
		j->is_uncertain = true;
		return;
	}
	if (r->method == AUTHRES_SPF) {
		j->out->spf_aligned = true;
		return;
	}
	j->out->dkim_aligned = true;
	j->out->dkim_domain = r->domain;
	j->out->dkim_selector = authres_property(r, "header", "s");
}

/*
 * judge_results - identical names first: they need no look-up. Then those that passed; then,
 * only if nothing is aligned, those that might have passed but for DNS.
 */
static void
judge_results(struct judgement *j)
{
	static const enum authres_result wanted[] = { AUTHRES_PASS, AUTHRES_PASS,
		AUTHRES_TEMPERROR };

	for (size_t round = 0; round < ARRAY_LEN(wanted); round++) {
		const bool passed = j->out->spf_aligned || j->out->dkim_aligned;

		if (wanted[round] == AUTHRES_TEMPERROR && passed)
			return;
		for (size_t i = 0; i < j->request->result_count; i++) {
			const struct authres *r = &j->request->results[i];

			if (!r->is_for_dmarc || r->result != wanted[round] ||
			    (r->method != AUTHRES_SPF && r->method != AUTHRES_DKIM) ||
			    already_aligned(j->out, r->method))
				continue;
			if (round > 0 || strcmp(r->domain, j->walk.domain) == 0)
				judge_result(j, r);
		}
	}
}

/* Policy, 4.7 and 4.10.1 */

static enum dmarc_policy
one_milder(enum dmarc_policy policy)
{
	return policy == DMARC_P_REJECT ? DMARC_P_QUARANTINE : DMARC_P_NONE;
}

static void
set_policy(struct dmarc_outcome *out)
{
	const struct dmarc_record *record = &out->found.record;
	const bool use_np = !out->found.is_exact && !out->found.is_from_existent;

	if (use_np && record->has_np) {
		out->requested_policy = record->np;
		out->policy_tag = "np";
	} else if (!out->found.is_exact && record->has_sp) {
		out->requested_policy = record->sp;
		out->policy_tag = "sp";
	} else {
		out->requested_policy = record->p;
		out->policy_tag = "p";
	}
	out->policy =
	    record->is_testing ? one_milder(out->requested_policy) : out->requested_policy;
}

/* choose_policy - false: np or sp, that is the question, and DNS does not answer it. */
static bool
choose_policy(struct judgement *j)
{
	struct dmarc_policy_found *found = &j->out->found;
	const struct dmarc_record *record = &found->record;
	bool known = true;

	if (!found->is_exact && record->has_np && record->np != record->sp &&
	    j->out->result != AUTHRES_PASS) {
		known = ask_existence(j->walker, &j->walk, found);
		if (!known) /* whoever obeys it then, obeys the stricter one */
			found->is_from_existent = record->np < record->sp;
	}
	set_policy(j->out);
	return known;
}

/* Words */

/* describe_method - what became of SPF or DKIM: the aligned one, or else the first one. */
static void
describe_method(const struct judgement *j, enum authres_method method, char *out, size_t room)
{
	const struct dmarc_request *request = j->request;
	const struct authres *shown = NULL;
	size_t count = 0;

	for (size_t i = 0; i < request->result_count; i++) {
		const struct authres *r = &request->results[i];

		if (r->method != method || !r->is_for_dmarc)
			continue;
		count++;
		if (shown == NULL ||
		    (r->result == AUTHRES_PASS && shown->result != AUTHRES_PASS))
			shown = r;
	}
	if (shown == NULL || shown->result == AUTHRES_NONE) {
		snprintf(out, room, "none");
		return;
	}
	snprintf(out, room, "%s for %.60s%s", authres_result_name(shown->result),
	    shown->domain[0] != '\0' ? shown->domain : "no domain",
	    count > 1 ? " and others" : "");
}

/* describe_trouble - which answer of DNS was missing; false: it was SPF's or DKIM's. */
static bool
describe_trouble(const struct judgement *j, bool policy_is_known, char *out, size_t room)
{
	const struct dmarc_step *step = j->walker->known;

	while (step != NULL && step->found != STEP_TEMPFAIL)
		step = step->next;
	if (step != NULL)
		snprintf(out, room, "_dmarc.%s: %s", step->domain, step->problem);
	else if (!policy_is_known)
		snprintf(out, room, "DNS does not say whether %s exists", j->out->from_domain);
	return step != NULL || !policy_is_known;
}

static void
explain(struct judgement *j, bool policy_is_known)
{
	struct dmarc_outcome *out = j->out;
	char spf[90], dkim[90];

	switch (out->result) {
	case AUTHRES_PASS:
		snprintf(out->reason, sizeof(out->reason), "aligned: %s%s%s",
		    out->spf_aligned ? "SPF" : "",
		    out->spf_aligned && out->dkim_aligned ? ", " : "",
		    out->dkim_aligned ? "DKIM" : "");
		return;
	case AUTHRES_NONE:
		snprintf(out->reason, sizeof(out->reason), "no DMARC record");
		return;
	case AUTHRES_PERMERROR:
		snprintf(out->reason, sizeof(out->reason), "%s", out->found.why);
		return;
	default:
		if (out->result == AUTHRES_TEMPERROR &&
		    describe_trouble(j, policy_is_known, out->reason, sizeof(out->reason)))
			return;
		describe_method(j, AUTHRES_SPF, spf, sizeof(spf));
		describe_method(j, AUTHRES_DKIM, dkim, sizeof(dkim));
		snprintf(out->reason, sizeof(out->reason), "SPF: %s; DKIM: %s", spf, dkim);
		return;
	}
}

/* The outcome of one From domain, 5.3.2 to 5.3.6 */

static void
judge_without_record(struct judgement *j)
{
	static const enum authres_result results[] = {
		[DMARC_FOUND_NOTHING] = AUTHRES_NONE,
		[DMARC_FOUND_MALFORMED] = AUTHRES_PERMERROR,
		[DMARC_FOUND_TEMPFAIL] = AUTHRES_TEMPERROR,
	};
	struct dmarc_outcome *out = j->out;

	out->result = results[out->found.status];
	explain(j, true);
}

static void
judge_with_record(struct judgement *j)
{
	struct dmarc_outcome *out = j->out;
	bool policy_is_known;

	j->record = &out->found.record;
	judge_results(j);
	if (out->spf_aligned || out->dkim_aligned)
		out->result = AUTHRES_PASS;
	else
		out->result = j->is_uncertain ? AUTHRES_TEMPERROR : AUTHRES_FAIL;
	policy_is_known = choose_policy(j);
	if (!policy_is_known)
		out->result = AUTHRES_TEMPERROR;
	explain(j, policy_is_known);
}

static void
judge_domain(struct dmarc_walker *walker, const struct dmarc_request *request,
    const char *domain, struct dmarc_outcome *out)
{
	struct judgement j = { .walker = walker, .request = request, .out = out };

	*out = (struct dmarc_outcome){ .from_domain = domain, .policy_tag = "" };
	dmarc_walk_begin(&j.walk, domain);
	if (dmarc_walk_step(walker, &j.walk) && dmarc_walk_policy(&j.walk) == NULL)
		dmarc_walk_finish(walker, &j.walk);
	found_fill(walker, &j.walk, &out->found);
	if (out->found.status == DMARC_FOUND)
		judge_with_record(&j);
	else
		judge_without_record(&j);
	if (j.walk.labels == 0 && !j.walk.has_failed)
		out->found.organizational_domain =
		    arena_strdup(walker->arena, view_of(dmarc_walk_organizational(&j.walk)));
	out->found.queries = walker->queries;
}

/* Several From domains, 11.5 */

static int
badness(const struct dmarc_outcome *out)
{
	switch (out->result) {
	case AUTHRES_FAIL:
		return out->policy == DMARC_P_REJECT	   ? 6
		       : out->policy == DMARC_P_QUARANTINE ? 5
							   : 3;
	case AUTHRES_TEMPERROR:
		return 4;
	case AUTHRES_PERMERROR:
		return 2;
	case AUTHRES_NONE:
		return 1;
	default:
		return 0;
	}
}

static void
refuse_to_judge(struct dmarc_outcome *out, const char *why)
{
	*out = (struct dmarc_outcome){
		.result = AUTHRES_PERMERROR,
		.from_domain = "",
		.found = { .status = DMARC_FOUND_NOTHING,
		    .policy_domain = "",
		    .organizational_domain = "",
		    .is_from_existent = true },
		.policy_tag = "",
	};
	snprintf(out->reason, sizeof(out->reason), "%s", why);
}

void
dmarc_evaluate(
    const struct dmarc_request *request, struct arena *arena, struct dmarc_outcome *out)
{
	struct dmarc_walker walker;
	struct dmarc_outcome one;

	if (request->from_count == 0 || request->from_count > DMARC_FROM_MAX) {
		refuse_to_judge(out, request->from_count == 0
					 ? "the message has no author domain"
					 : "the message has too many author domains");
		return;
	}
	walker_init(&walker, request->dns, request->deadline_ms, arena);
	judge_domain(&walker, request, request->from_domains[0], out);
	for (size_t i = 1; i < request->from_count; i++) {
		judge_domain(&walker, request, request->from_domains[i], &one);
		if (badness(&one) > badness(out))
			*out = one;
	}
	out->found.queries = walker.queries;
}
