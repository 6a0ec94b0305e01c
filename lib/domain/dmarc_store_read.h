/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The reading side of the DMARC store, for `gatepost dmarc-report`: what was seen on a day,
 * grouped as a report tells it, and which reports were mailed. A reader belongs to one thread;
 * the gate may write meanwhile.
 */
#ifndef GATEPOST_DOMAIN_DMARC_STORE_READ_H
#define GATEPOST_DOMAIN_DMARC_STORE_READ_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

#define DMARC_GROUP_CHECKS_MAX 16

struct dmarc_reader;

/* What SPF or a DKIM signature came to. Never NULL; "" where there is nothing. */
struct dmarc_check {
	const char *domain, *selector, *result;
	const char *why; /* it is no pass */
};

/*
 * One row: count messages of a day that a report does not tell apart. Texts may hold any octet
 * but controls (they came from peers, cut to 255 octets), and live until the callback returns.
 * What has a set of values has one of them.
 */
struct dmarc_group {
	int64_t count;
	const char *source_ip, *header_from, *envelope_from, *envelope_to;
	const char *disposition;		/* "none", "pass", "quarantine", "reject" */
	const char *dkim_aligned, *spf_aligned; /* "pass", "fail" */
	const char *override_type;		/* "": the policy was obeyed */
	const char *override_comment;
	struct dmarc_check spf;
	size_t spf_count; /* 0 or 1 */
	struct dmarc_check dkim[DMARC_GROUP_CHECKS_MAX];
	size_t dkim_count;
};

/* The policy that a domain published, as seen last on that day. */
struct dmarc_published {
	char p[12], sp[12], np[12];
	char adkim[2], aspf[2]; /* "r", "s" */
	char testing[2];	/* "y", "n" */
};

/* dmarc_reader_open - of a file that is there. Errors: ERR_IO, ERR_CONFIG (see text). */
MUST_CHECK struct dmarc_reader *dmarc_reader_open(const char *path, struct err *err);
void dmarc_reader_close(struct dmarc_reader **r);

/* dmarc_reader_id - 8 letters and digits that tell this store from those of other gates. */
const char *dmarc_reader_id(const struct dmarc_reader *r);

/* Days are counted from 1970-01-01, UTC. A callback that answers false ends the iteration. */
typedef bool (*dmarc_reader_domain)(void *context, const char *policy_domain);
typedef bool (*dmarc_reader_row)(void *context, const struct dmarc_group *row);

/* Those with most messages first: whoever makes up domains comes last. */
MUST_CHECK bool dmarc_reader_each_domain(struct dmarc_reader *r, int64_t day,
    dmarc_reader_domain callback, void *context, struct err *err);

/* Those with most messages first. */
MUST_CHECK bool dmarc_reader_each_row(struct dmarc_reader *r, int64_t day,
    const char *policy_domain, dmarc_reader_row callback, void *context, struct err *err);

/* dmarc_reader_policy - ERR_REFUSED: nothing was seen of it on that day. */
MUST_CHECK bool dmarc_reader_policy(struct dmarc_reader *r, int64_t day,
    const char *policy_domain, struct dmarc_published *out, struct err *err);

/*
 * What was mailed: marked by destination; the destination "" says that nothing is left to do
 * for that day and domain.
 */
MUST_CHECK bool dmarc_reader_mark(struct dmarc_reader *r, int64_t day,
    const char *policy_domain, const char *destination, int64_t now, struct err *err);
MUST_CHECK bool dmarc_reader_is_marked(struct dmarc_reader *r, int64_t day,
    const char *policy_domain, const char *destination, bool *out, struct err *err);

#endif
