/* SPDX-License-Identifier: MPL-2.0 */
/* The DNS tree walk: see dmarc_walk.h. Sections are those of draft-ietf-dmarc-dmarcbis-41. */
#include "lib/domain/dmarc_walk.h"

#define PREFIX "_dmarc."

static size_t
label_count(const char *domain)
{
	size_t count = domain[0] != '\0';

	for (; *domain != '\0'; domain++)
		count += *domain == '.';
	return count;
}

/* suffix_of - the last labels of a domain that has at least as many. */
static const char *
suffix_of(const char *domain, size_t labels)
{
	for (size_t have = label_count(domain); have > labels; have--)
		domain = strchr(domain, '.') + 1;
	return domain;
}

static bool
step_has_record(const struct dmarc_step *step)
{
	return step->found == STEP_RECORD || step->found == STEP_UNUSABLE;
}

/* read_records - 4.10 steps 2 and 6: other TXT records do not count, several DMARC records
 * count as none. */
static void
read_records(
    struct dmarc_walker *walker, const struct dns_answer *answer, struct dmarc_step *step)
{
	struct dmarc_record record;
	const char *why;

	for (size_t i = 0; i < answer->count; i++) {
		const enum dmarc_parse parse =
		    dmarc_record_parse(answer->records[i].data, walker->arena, &record, &why);

		if (parse == DMARC_NOT_A_RECORD)
			continue;
		if (step_has_record(step)) {
			step->found = STEP_NOTHING;
			step->problem = "there are several records, so none counts";
			return;
		}
		step->found = parse == DMARC_RECORD ? STEP_RECORD : STEP_UNUSABLE;
		step->record = record;
		step->problem = why;
	}
}

static const struct dmarc_step *
walker_ask(struct dmarc_walker *walker, const char *domain)
{
	struct dmarc_step *step;
	struct dns_answer answer;
	const char *name;

	for (step = walker->known; step != NULL; step = step->next) {
		if (strcmp(step->domain, domain) == 0)
			return step;
	}
	step = arena_alloc(walker->arena, sizeof(*step));
	step->domain = domain;
	step->next = walker->known;
	walker->known = step;
	name = arena_printf(walker->arena, PREFIX "%s", domain);
	walker->queries += dns_name_is_valid(view_of(name));
	dns_query(walker->dns, name, DNS_TXT, walker->deadline_ms, walker->arena, &answer);
	step->domain_exists = answer.status == DNS_FOUND || answer.status == DNS_NODATA;
	if (answer.status == DNS_TEMPFAIL) {
		step->found = STEP_TEMPFAIL;
		step->problem =
		    arena_printf(walker->arena, "DNS gives no answer (%s)", answer.why);
	} else if (answer.status == DNS_FOUND)
		read_records(walker, &answer, step);
	return step;
}

void
dmarc_walk_begin(struct dmarc_walk *walk, const char *domain)
{
	*walk = (struct dmarc_walk){ .domain = domain, .labels = label_count(domain) };
}

bool
dmarc_walk_step(struct dmarc_walker *walker, struct dmarc_walk *walk)
{
	const struct dmarc_step *step;

	if (walk->labels == 0)
		return false;
	step = walker_ask(walker, suffix_of(walk->domain, walk->labels));
	walk->steps[walk->count++] = step;
	/* Step 4: from eight or more labels straight to seven. */
	walk->labels = walk->labels >= DMARC_WALK_MAX ? DMARC_WALK_MAX - 1 : walk->labels - 1;
	walk->has_failed = step->found == STEP_TEMPFAIL;
	if (walk->has_failed ||
	    (step_has_record(step) && step->record.psd != DMARC_PSD_UNKNOWN))
		walk->labels = 0;
	return walk->labels > 0;
}

void
dmarc_walk_finish(struct dmarc_walker *walker, struct dmarc_walk *walk)
{
	bool goes_on = walk->labels > 0;

	while (goes_on)
		goes_on = dmarc_walk_step(walker, walk);
}

const char *
dmarc_walk_organizational(const struct dmarc_walk *walk)
{
	const char *organizational = walk->domain;

	if (walk->has_failed)
		return NULL;
	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_step *step = walk->steps[i];

		if (!step_has_record(step))
			continue;
		if (step->record.psd == DMARC_PSD_YES && i > 0)
			return suffix_of(walk->domain, label_count(step->domain) + 1);
		organizational = step->domain; /* psd=n ended the walk, so it is the last */
	}
	return organizational;
}

const struct dmarc_step *
dmarc_walk_policy(const struct dmarc_walk *walk)
{
	const struct dmarc_step *last = walk->count > 0 ? walk->steps[walk->count - 1] : NULL;
	const char *organizational;

	if (last == NULL || step_has_record(walk->steps[0]))
		return last != NULL ? walk->steps[0] : NULL;
	organizational = dmarc_walk_organizational(walk);
	if (organizational == NULL)
		return NULL;
	for (size_t i = 1; i < walk->count; i++) {
		if (step_has_record(walk->steps[i]) &&
		    strcmp(walk->steps[i]->domain, organizational) == 0)
			return walk->steps[i];
	}
	/* The public suffix's, where the organizational domain has none. */
	return step_has_record(last) && last->record.psd == DMARC_PSD_YES ? last : NULL;
}
