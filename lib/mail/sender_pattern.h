/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a login may send as: patterns of the users file, and whether one covers an address. Pure
 * functions, no memory of their own. Fuzzed.
 *
 *	user@example.com	this address
 *	"a b"@example.com	the same, with a quoted local part (a quoted "*" is no wildcard)
 *	*@example.com		every address of the domain
 *	*@*.example.com		every address of its sub-domains, at any depth; not the domain's
 *own *			every address (not the null reverse-path)
 *	<>			the null reverse-path, which nothing else covers
 *
 * Comparing: domains as lower-case A-labels. Local parts without regard to ASCII case: RFC 5321
 * 2.4 would have them differ, but no mail system of today gives Bob@ and bob@ to two people,
 *and an operator who writes one means both. Other octets compare as they are (no Unicode
 *folding).
 */
#ifndef GATEPOST_MAIL_SENDER_PATTERN_H
#define GATEPOST_MAIL_SENDER_PATTERN_H

#include "lib/base/arena.h"
#include "lib/smtp/command.h"

#define SENDER_PATTERN_MAX 320 /* octets of one pattern */

/* An address to be covered. */
struct sender {
	bool is_null;	    /* <>; the rest is unused then */
	struct view local;  /* without quotes; never empty */
	struct view domain; /* lower-case A-labels, or a literal "[192.0.2.1]" */
};

/* sender_pattern_is_valid - for whoever reads patterns from a file. */
bool sender_pattern_is_valid(struct view pattern);

/*
 * sender_pattern_covers - false also for a pattern that is not valid. with_tag: user+tag@ is
 * covered by a pattern for user@ (what stands before the first "+", if anything does).
 */
bool sender_pattern_covers(struct view pattern, const struct sender *sender, bool with_tag);

/*
 * sender_from_path - MAIL FROM's path as a sender: local part unquoted, domain as A-labels, in
 * the arena. False: the domain is no domain name, or there is none.
 */
MUST_CHECK bool sender_from_path(
    const struct smtp_path *path, struct arena *arena, struct sender *out);

#endif
