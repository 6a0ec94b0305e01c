/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SPF (RFC 7208): may this address send mail for this domain? libspf2 judges records that we
 * have selected, checked and freed of macros ourselves; HELO names and local parts never enter
 * it. No session, no configuration file: facts in, result out. Any thread; blocks on DNS.
 */
#ifndef GATEPOST_DOMAIN_SPF_H
#define GATEPOST_DOMAIN_SPF_H

#include "lib/mail/authres.h"
#include "lib/net/dns.h"

#include <sys/socket.h>

/* Budgets of one whole evaluation, includes and redirects in it (RFC 7208 4.6.4). */
#define SPF_TERMS_MAX	  10 /* terms that query DNS */
#define SPF_VOIDS_MAX	  2  /* look-ups without an answer */
#define SPF_MX_NAMES_MAX  10 /* of one mx term: more are permerror */
#define SPF_PTR_NAMES_MAX 10 /* of one ptr term: the others are ignored */

#define SPF_EXPLANATION_MAX 400 /* octets with NUL */

enum spf_identity { SPF_HELO, SPF_MAIL_FROM };

struct spf_request {
	const struct sockaddr_storage *client;
	enum spf_identity identity;
	const char *helo;     /* as the client gave it */
	struct view local;    /* MAIL FROM's; empty: postmaster. HELO: ignored */
	struct view domain;   /* MAIL FROM's; empty (null reverse-path): the HELO name */
	const char *receiver; /* our name, for %{r} */
	int64_t now;	      /* seconds since 1970, for %{t} */
	int64_t deadline_ms;  /* over it: temperror (RFC 7208 4.6.4 asks for 20 s at least) */
	const struct dns_source *dns;
};

struct spf_outcome {
	enum authres_result result; /* never POLICY */
	const char *domain;	    /* that was checked, A-labels; "" when it is no domain */
	char mechanism[128]; /* that matched, as in the record: "include:_spf.example.net"; or
				"default" */
	char problem[320];   /* temperror, permerror: what and where, for people; else "" */
	/*
	 * fail: the domain owner's words, made safe: printable ASCII, one line. "" when it
	 * gave none.
	 */
	char explanation[SPF_EXPLANATION_MAX];
	unsigned terms, voids, queries; /* used up */
};

void spf_evaluate(
    const struct spf_request *request, struct arena *arena, struct spf_outcome *out);

#endif
