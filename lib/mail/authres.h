/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Authentication results: what one link found out about a message, as a typed value for the
 * links behind it (DMARC reads SPF and DKIM; the Authentication-Results field lists all).
 * RFC 8601 2.7; the engines of lib/domain speak in these results too.
 */
#ifndef GATEPOST_MAIL_AUTHRES_H
#define GATEPOST_MAIL_AUTHRES_H

#include "lib/base/arena.h"

#define AUTHRES_PROPERTIES_MAX 6
#define AUTHRES_MAX	       32 /* results of one transaction; further ones are dropped */

enum authres_method { AUTHRES_SPF, AUTHRES_DKIM, AUTHRES_DMARC, AUTHRES_ARC };

enum authres_result {
	AUTHRES_NONE,
	AUTHRES_PASS,
	AUTHRES_FAIL,
	AUTHRES_SOFTFAIL,
	AUTHRES_NEUTRAL,
	AUTHRES_POLICY, /* valid, but refused by our own rules (RFC 8601 2.7.1) */
	AUTHRES_TEMPERROR,
	AUTHRES_PERMERROR,
};

/*
 * "header.d=example.com": ptype, property, value (any text without NUL; made safe when
 * written). One of type AUTHRES_INTERNAL is from link to link and never written.
 */
#define AUTHRES_INTERNAL "arc"
struct authres_property {
	const char *type, *name, *value;
};

struct authres {
	enum authres_method method;
	enum authres_result result;
	/*
	 * The domain that was authenticated, or failed to be: SPF's domain, DKIM's d=, DMARC's
	 * From domain, ARC's newest sealer. Lower-case A-labels; "" when there is none.
	 */
	const char *domain;
	/* DMARC may use it: a DKIM signature, or SPF of the MAIL FROM identity (not HELO's). */
	bool is_for_dmarc;
	const char *reason;  /* for people: "body hash did not verify"; NULL: none */
	const char *comment; /* stands in ( ) behind the result; NULL: none */
	struct authres_property properties[AUTHRES_PROPERTIES_MAX];
	size_t property_count;
};

const char *authres_method_name(enum authres_method method); /* "spf" */
const char *authres_result_name(enum authres_result result); /* "pass" */

/* authres_copy - all texts into the arena; NULL domains become "". */
struct authres authres_copy(const struct authres *r, struct arena *arena);

/* authres_property - value of that property, or NULL. */
const char *authres_property(const struct authres *r, const char *type, const char *name);

#endif
