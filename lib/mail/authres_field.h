/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The Authentication-Results field (RFC 8601): writing ours, reading what others wrote, and
 * finding those that claim to be ours. Pure. Values here are what stands behind the colon.
 */
#ifndef GATEPOST_MAIL_AUTHRES_FIELD_H
#define GATEPOST_MAIL_AUTHRES_FIELD_H

#include "lib/base/buf.h"
#include "lib/mail/authres.h"

#define AUTHRES_FIELD_MAX (192 * 1024) /* octets: what AUTHRES_MAX results can become */

struct authres_field {
	const char *authserv_id; /* a domain name, from domain_to_ascii */
	const struct authres *results;
	size_t count;
	/* A submitter who logged in: "auth=pass (plain) smtp.auth=LOGIN"; NULL: nobody did. */
	const char *login;
	const char *mechanism; /* "PLAIN" */
};

/*
 * authres_field_write - the value, folded before column 78 where it can be, in printable ASCII;
 * "ID; none" without any result. Whatever the results hold:
 *
 *  - blanks, controls, octets over 0x7e, quotes, backslashes, parentheses, semicolons and the
 *    percent sign of a property's value are written as %HH each, so no reader, however simple,
 *    sees a second result in it; "=pass" in a value becomes "%3Dpass". What is then no token
 *    and no plain address stands in quotes.
 *  - a value of more than AUTHRES_VALUE_MAX written octets is left out: cut, it could name
 *    somebody else. So is an empty one: some readers take the next property for it.
 *  - reason and comment are made plain text on one line, and cut.
 *  - properties of the type AUTHRES_INTERNAL are for links only and never written.
 *
 * Only appends to out. False: out's cap is passed (one of AUTHRES_FIELD_MAX never is).
 */
#define AUTHRES_VALUE_MAX 400
MUST_CHECK bool authres_field_write(const struct authres_field *field, struct buf *out);

/* What a field says, as it says it: any method, any result. */
#define AUTHRES_READ_MAX 64 /* results of one field, and properties of one result */

struct authres_read_result {
	const char *method, *result; /* lower case, without the method's version */
	const char *reason;	     /* NULL: none */
	/* type "" for "action=none", which is not of RFC 8601 but often seen */
	struct authres_property *properties;
	size_t property_count;
};

struct authres_reading {
	const char *authserv_id; /* as written */
	struct authres_read_result *results;
	size_t count;
};

/* authres_field_read - false: it is not of the form of RFC 8601 2.2, or of more than
 * AUTHRES_READ_MAX. Comments are skipped. Texts live in the arena. */
MUST_CHECK bool authres_field_read(
    struct view value, struct arena *arena, struct authres_reading *out);

const char *authres_read_property(
    const struct authres_read_result *r, const char *type, const char *name);

/*
 * authres_field_is_claim - could anybody take this field for one of id's? Such a field, coming
 * from outside, is a forgery (RFC 8601 5). In doubt the answer is yes: see
 * authres_field_claim.c for the ways to read that are thought of. id: from
 * domain_to_ascii.
 */
MUST_CHECK bool authres_field_is_claim(struct view value, const char *id);

#endif
