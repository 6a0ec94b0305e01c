/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Mail that a command sends: signed with the keys of its From domain, where there are any, and
 * handed to an upstream as a session's mail would be.
 */
#ifndef GATEPOST_PROXY_COMMANDS_REPORT_MAILER_H
#define GATEPOST_PROXY_COMMANDS_REPORT_MAILER_H

#include "proxy/snapshot.h"

#define REPORT_ANSWER_MAX 400

struct report_mailer {
	struct upstream *upstream;	  /* borrowed */
	const struct dkim_domain *signer; /* borrowed; NULL: mail goes unsigned */
	struct domain_watch *watch; /* borrowed; NULL: nobody knows which keys DNS shows */
	const struct domain_report *report; /* taken from the watch; signer is of it */
	const char *from;		    /* envelope sender too: bounces go there */
	const char *temp_dir;
	unsigned sent; /* for ids in the log */
};

/*
 * report_mailer_init - from is a plain address. Where the gate watches its domains, DNS is
 * asked which of the keys it shows: those sign. Errors: ERR_CONFIG the upstream is not there.
 */
MUST_CHECK bool report_mailer_init(struct report_mailer *m, const struct snapshot *snapshot,
    const char *from, const char *upstream, struct err *err);

void report_mailer_finish(struct report_mailer *m);

/*
 * report_mailer_send - one message (as text with CRLF) to one address. True: the upstream has
 * taken it. answer: what it said, or what went wrong before; may hold octets of peers.
 */
MUST_CHECK bool report_mailer_send(
    struct report_mailer *m, struct view text, const char *to, char answer[REPORT_ANSWER_MAX]);

#endif
