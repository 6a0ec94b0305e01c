/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Of the link preflight: what the receivers of a message would find, by what the watch knows of
 * its domains. Pure: facts in, findings out.
 */
#ifndef GATEPOST_FILTERS_PREFLIGHT_JUDGE_H
#define GATEPOST_FILTERS_PREFLIGHT_JUDGE_H

#include "lib/domain/domain_watch.h"

#define PREFLIGHT_TEXT_MAX	 700 /* octets of a sentence with NUL */
#define PREFLIGHT_SIGNATURES_MAX 16  /* looked at, from the top */

enum preflight_area {
	PREFLIGHT_SPF,	     /* does SPF authorise the egress addresses? */
	PREFLIGHT_DKIM,	     /* does DNS show a key that has signed? */
	PREFLIGHT_DMARC,     /* is there a DMARC record? */
	PREFLIGHT_ALIGNMENT, /* would the message pass DMARC? */
	PREFLIGHT_AREAS,
};

enum preflight_kind {
	PREFLIGHT_WELL,
	PREFLIGHT_PROBLEM, /* somebody has to publish something */
	PREFLIGHT_NO_DNS,  /* DNS did not answer, and never has */
	PREFLIGHT_NOT_YET, /* the watch has not looked at that domain yet */
};

struct preflight_finding {
	enum preflight_kind kind;
	const char *name;	       /* "spf-fail" (static); NULL when all is well */
	const char *status;	       /* enhanced code without its class: "7.23" (static) */
	char text[PREFLIGHT_TEXT_MAX]; /* a sentence, printable ASCII */
	const char *publish;	       /* a record to publish, of a report; NULL: none */
};

/* A signature with a key of ours, or one that could be. */
struct preflight_signature {
	const char *domain, *selector;
	const struct domain_report *report; /* NULL: not looked at yet */
};

struct preflight_facts {
	const char *spf_domain;		 /* "": MAIL FROM names none */
	const struct domain_report *spf; /* of spf_domain; NULL: not looked at yet */
	const char *from_domain;	 /* "": the From field names none */
	const struct domain_report *from;
	struct preflight_signature signatures[PREFLIGHT_SIGNATURES_MAX];
	size_t signature_count;
};

/* preflight_judge - one finding for each area. */
void preflight_judge(
    const struct preflight_facts *facts, struct preflight_finding out[PREFLIGHT_AREAS]);

#endif
