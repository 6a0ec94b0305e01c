/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What gatepost explain and test-policy share: a configuration ready to be rehearsed over the
 * live DNS or a file, and how a rehearsal is told.
 */
#ifndef GATEPOST_PROXY_COMMANDS_REHEARSE_H
#define GATEPOST_PROXY_COMMANDS_REHEARSE_H

#include "lib/net/dns_file.h"
#include "proxy/rehearsal.h"

#define REHEARSE_MESSAGE_MAX (512 * 1024 * 1024) /* octets of a file with a message */
#define REHEARSE_TEXT_MAX    (256 * 1024 * 1024) /* octets of what is printed */

/* Where the answers of the DNS come from. */
enum rehearse_dns {
	REHEARSE_DNS_LIVE,   /* as the configuration says */
	REHEARSE_DNS_FILE,   /* unlisted names do not exist */
	REHEARSE_DNS_STRICT, /* unlisted names are an error */
	REHEARSE_DNS_EMPTY,  /* no name exists */
};

struct rehearse {
	struct dns_file *file;	       /* owned; NULL: live */
	struct resolver *resolver;     /* owned; NULL: not live */
	struct dns_recorder *recorder; /* owned */
	struct snapshot *snapshot;     /* owned */
};

/*
 * rehearse_start - once, before all else: libraries, and a log that is silent but for errors.
 * False: said on stderr.
 */
MUST_CHECK bool rehearse_start(const char *command);
void rehearse_stop(void);

/* rehearse_open - dns_file is for FILE and STRICT. False: errors were added. Close it in both
 * cases. */
MUST_CHECK bool rehearse_open(struct rehearse *r, const char *config, enum rehearse_dns dns,
    const char *dns_file, struct conf_errors *errors);
void rehearse_close(struct rehearse *r);

/* rehearse_unlisted - how many questions a strict file had no answer to. */
size_t rehearse_unlisted(struct rehearse *r);

/* rehearse_time - "2026-11-24T12:00:00Z" as seconds since 1970. */
MUST_CHECK bool rehearse_time(const char *text, int64_t *out);

/* A rehearsal and what it was of, to be told. */
struct rehearse_story {
	const struct rehearsal_request *request;
	const struct rehearsal *rehearsal;
	struct dns_recorder *dns;
};

/*
 * For people, in lines that begin with prefix, safe for any terminal: octets that are no
 * printable ASCII are shown as \xNN. And as one JSON object on one line, as the manual page
 * gatepost-explain(8) describes. False: out's cap.
 */
MUST_CHECK bool rehearse_tell(
    const struct rehearse_story *story, const char *prefix, struct buf *out);
MUST_CHECK bool rehearse_tell_json(const struct rehearse_story *story, struct buf *out);

#endif
