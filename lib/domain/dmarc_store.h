/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What DMARC found, kept for aggregate reports (RFC 9990): one embedded SQLite file in the
 * state folder. The gate adds rows, `gatepost dmarc-report` reads them (dmarc_store_read.h);
 * both may have it open. Adding never blocks mail: rows go through a bounded queue to a thread
 * of its own, in batches, one transaction each; what does not fit is counted and dropped. Equal
 * rows of a day become one with a count, so that the file grows with the number of sources, not
 * of messages; it has a cap all the same.
 */
#ifndef GATEPOST_DOMAIN_DMARC_STORE_H
#define GATEPOST_DOMAIN_DMARC_STORE_H

#include "lib/base/err.h"
#include "lib/domain/dmarc.h"

#define DMARC_STORE_QUEUE_MAX 4096 /* rows that wait to be written */

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

/*
 * dmarc_store_open - the store of that file, shared by all who have it open in this process
 * (each open needs its close). The file is not touched: the first row starts the thread, which
 * makes the file (mode 0640) as the user that the process is by then. So a configuration can be
 * checked, and root can be given up, in between.
 * Errors: ERR_CONFIG the path is too long or empty.
 */
MUST_CHECK struct dmarc_store *dmarc_store_open(const char *path, struct err *err);
void dmarc_store_close(struct dmarc_store **s); /* the last one writes what is queued */

/*
 * dmarc_store_limit - rows of days further back than keep_days are removed (once a day; 1 at
 * least); the file grows to max_octets at most, what comes then is lost. Defaults: 30 days, 256
 * MiB.
 */
void dmarc_store_limit(struct dmarc_store *s, unsigned keep_days, int64_t max_octets);

/*
 * dmarc_store_add - copies the row; false: the queue is full (counted). Never blocks. Rows
 * whose policy domain asks for no reports (no record, no rua) are left out: true.
 */
bool dmarc_store_add(struct dmarc_store *s, const struct dmarc_store_row *row);

struct dmarc_store_counts {
	uint64_t written, lost; /* rows since it was opened */
	size_t queued;
	bool is_failing; /* the last batch could not be written */
};

void dmarc_store_count(struct dmarc_store *s, struct dmarc_store_counts *out);

#endif
