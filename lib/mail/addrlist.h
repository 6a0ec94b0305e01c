/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Address lists of RFC 5322 3.4 (From, Sender, Reply-To, To...): groups, comments, quoted
 * strings, folding, obsolete routes, UTF-8 (RFC 6532). One parser for policy, signing and
 * forwarding alike. Linear time, no recursion over input. Fuzzed.
 *
 * What two careful parsers could read in two ways is ADDRLIST_SYNTAX, some of it against the
 * letter of the RFC: control characters (obs-NO-WS-CTL), U+0080..9F and the Unicode line ends;
 * octets that are not UTF-8; a folded line of nothing but blanks; an encoded-word in a local
 * part (RFC 2047 5 forbids it, yet it gets decoded); code points in a local part that are
 * invisible, that turn the direction of text, or that compatibility mapping makes ASCII;
 * escapes, blanks and brackets in an address literal.
 */
#ifndef GATEPOST_MAIL_ADDRLIST_H
#define GATEPOST_MAIL_ADDRLIST_H

#include "lib/base/arena.h"

#define ADDRLIST_MAX	   1000 /* mailboxes in one field */
#define ADDRLIST_DEPTH_MAX 8	/* nested comments */

struct mailbox {
	const char *local; /* unquoted, without comments and folding; may hold any octet but
			      NUL, CR, LF */
	const char *
	    domain; /* lower-case A-labels, or a literal "[192.0.2.1]" as written; never NULL */
	const char *address; /* local@domain with the local part quoted again where needed */
	/*
	 * Good syntax, but written in a way that known parsers misread: a quoted local part, a
	 * route, blanks or comments within the address. Nobody who means well needs that in a
	 * From field.
	 */
	bool is_unusual;
};

enum addrlist_status {
	ADDRLIST_OK,
	ADDRLIST_EMPTY,	   /* no mailbox in it (an empty group is one way) */
	ADDRLIST_SYNTAX,   /* does not parse: *offset_out says where */
	ADDRLIST_TOO_MANY, /* over ADDRLIST_MAX */
	ADDRLIST_TOO_DEEP, /* comments nested over ADDRLIST_DEPTH_MAX */
};

/*
 * addrlist_parse - value is the field body behind the colon, folds included. On ADDRLIST_OK and
 * ADDRLIST_EMPTY *list_out (in the arena) and *count_out are set.
 */
MUST_CHECK enum addrlist_status addrlist_parse(struct view value, struct arena *arena,
    struct mailbox **list_out, size_t *count_out, size_t *offset_out);

/* addrlist_status_text - "is not a valid address list", ...: for replies. */
const char *addrlist_status_text(enum addrlist_status status);

#endif
