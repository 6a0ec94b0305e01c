/* SPDX-License-Identifier: MPL-2.0 */
/* Whose mail it is, by its From field, as DMARC needs to know it: for the links dmarc and
 * arc. */
#ifndef GATEPOST_FILTERS_DMARC_AUTHOR_H
#define GATEPOST_FILTERS_DMARC_AUTHOR_H

#include "lib/domain/dmarc.h"
#include "lib/mail/message.h"

struct dmarc_author {
	/* Each domain once, lower-case A-labels; over DMARC_FROM_MAX is too many to judge. */
	const char *domains[DMARC_FROM_MAX + 1];
	size_t count;
	/*
	 * Why nobody can be sure of the one author domain, as the end of "this message ...";
	 * NULL: count is 1.
	 */
	const char *problem;
	bool is_incomplete; /* there are authors, or might be, whose domains nobody knows */
	bool is_malformed;  /* the problem is one of RFC 5322, not only of DMARC */
};

/* dmarc_author_read - from all From fields; texts live in the arena. */
void dmarc_author_read(
    const struct message *message, struct arena *arena, struct dmarc_author *out);

#endif
