/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The DNS tree walk (draft-ietf-dmarc-dmarcbis-41 4.10): between dmarc_walk.c and dmarc.c,
 * nobody else includes this. A walker remembers every answer, so that the walks of one
 * evaluation, which share their upper names, ask each name once.
 */
#ifndef GATEPOST_DOMAIN_DMARC_WALK_H
#define GATEPOST_DOMAIN_DMARC_WALK_H

#include "lib/domain/dmarc.h"

enum dmarc_step_found {
	STEP_NOTHING,  /* no record, or several (which count as none) */
	STEP_RECORD,   /* one, and a policy can be taken from it */
	STEP_UNUSABLE, /* one that counts in the walk, without a policy (4.10.1) */
	STEP_TEMPFAIL,
};

/* What stands at "_dmarc." + domain. */
struct dmarc_step {
	const char *domain;
	enum dmarc_step_found found;
	struct dmarc_record record; /* RECORD, UNUSABLE */
	const char *problem;	    /* a sentence, or NULL */
	bool domain_exists;	    /* DNS knows _dmarc.domain, so it knows domain too */
	struct dmarc_step *next;
};

struct dmarc_walker {
	const struct dns_source *dns;
	int64_t deadline_ms;
	struct arena *arena;
	struct dmarc_step *known; /* in the arena */
	unsigned queries;
};

struct dmarc_walk {
	const char *domain;				/* where it began */
	const struct dmarc_step *steps[DMARC_WALK_MAX]; /* from the longest name to the shortest
							 */
	size_t count;
	size_t labels;	 /* of the next name; 0: the walk is over */
	bool has_failed; /* DNS gave no answer for the last step: the walk ended there */
};

/* dmarc_walk_begin - domain stays the caller's, for as long as the walk is used. */
void dmarc_walk_begin(struct dmarc_walk *walk, const char *domain);

/* dmarc_walk_step - ask for the next name; false: the walk is over. */
bool dmarc_walk_step(struct dmarc_walker *walker, struct dmarc_walk *walk);
void dmarc_walk_finish(struct dmarc_walker *walker, struct dmarc_walk *walk);

/* dmarc_walk_organizational - of a finished walk, 4.10.2; NULL: has_failed. */
const char *dmarc_walk_organizational(const struct dmarc_walk *walk);

/*
 * dmarc_walk_policy - the step whose record applies (4.10.1): of the domain itself (known after
 * the first step), of its organizational domain, of its public suffix. NULL: there is none, or
 * nobody knows (has_failed).
 */
const struct dmarc_step *dmarc_walk_policy(const struct dmarc_walk *walk);

#endif
