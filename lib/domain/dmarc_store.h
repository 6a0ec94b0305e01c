/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What DMARC found, kept for aggregate reports (RFC 9990): one embedded SQLite file in the
 * state folder. The gate adds rows, `gatepost dmarc-report` reads them; both may have it open.
 * Adding never blocks mail: rows go through a bounded queue to a thread of its own, in batches;
 * what does not fit is counted and dropped.
 */
#ifndef GATEPOST_DOMAIN_DMARC_STORE_H
#define GATEPOST_DOMAIN_DMARC_STORE_H

#include "lib/base/err.h"
#include "lib/domain/dmarc.h"

struct dmarc_store;

struct dmarc_store_row {
	int64_t at;	    /* seconds since 1970 */
	const char *client; /* address as text */
	const struct dmarc_outcome *outcome;
	const char *disposition; /* what was done: "none", "pass", "quarantine", "reject" */
	const char
	    *override_type; /* RFC 9990: "local_policy", "trusted_forwarder", ...; NULL */
	const char *override_comment;  /* NULL */
	const char *envelope_from;     /* domain, "" for <> */
	const char *envelope_to;       /* domain of the first recipient */
	const struct authres *results; /* SPF and DKIM, as published */
	size_t result_count;
};

/* dmarc_store_open - made if need be, mode 0640; its thread runs from now on. */
MUST_CHECK struct dmarc_store *dmarc_store_open(const char *path, struct err *err);
void dmarc_store_close(struct dmarc_store **s); /* writes what is queued */

/* dmarc_store_add - copies the row; false: the queue is full (counted). Never blocks. */
bool dmarc_store_add(struct dmarc_store *s, const struct dmarc_store_row *row);

#endif
