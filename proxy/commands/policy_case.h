/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A case of gatepost test-policy: a file in the syntax of the configuration that says who sends
 * what, and what must come of it.
 */
#ifndef GATEPOST_PROXY_COMMANDS_POLICY_CASE_H
#define GATEPOST_PROXY_COMMANDS_POLICY_CASE_H

#include "proxy/commands/rehearse.h"

struct policy_expect {
	int verdict;	      /* enum rehearsal_verdict */
	int64_t code;	      /* 0: any */
	const char *enhanced; /* NULL: any, as each below */
	const char *text;     /* shell pattern */
	const char *by;	      /* a link, "session", "upstream" */
	const char *upstream; /* the name of one */
	const char *stage;    /* "connect", "helo", "mail", "rcpt", "message" */
	struct conf_strings fields, no_fields; /* "Name: pattern" */
	struct conf_strings results;	       /* "spf=pass", "dkim=pass example.com" */
	struct conf_strings refused_recipients;
	const char *envelope_from;
	struct conf_strings envelope_to; /* all of them, in any order; none: any */
};

struct policy_case {
	const char *login, *listener, *ip, *helo, *from;
	int role; /* enum gate_role, or POLICY_ROLE_AUTO */
	bool tls, strict_dns;
	struct conf_strings to;
	const char *message, *dns, *time; /* files, absolute; NULL: see test_policy.c */
	struct policy_expect expect;
};

#define POLICY_ROLE_AUTO (-1)

extern const struct conf_table policy_case_table;

/* policy_case_request - all but the content; the client's address is left out. */
void policy_case_request(const struct policy_case *c, struct rehearsal_request *out);

/*
 * policy_case_compare - what is not as expected, one line each ("code: expected 550, got 250"),
 * safe for any terminal; returns how many. False: out's cap.
 */
MUST_CHECK bool policy_case_compare(const struct policy_expect *expect,
    const struct rehearsal *r, struct buf *out, size_t *count_out);

#endif
