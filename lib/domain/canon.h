/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Canonical forms of header fields and bodies (RFC 6376 3.4), for what libopendkim does not
 * know: ARC. Pure; the octets come out in pieces of a few kilobytes at most, so nothing as
 * large as a message is ever held.
 */
#ifndef GATEPOST_DOMAIN_CANON_H
#define GATEPOST_DOMAIN_CANON_H

#include "lib/mail/message.h"

typedef void (*canon_sink)(void *context, struct view piece);

/* canon_body - returns the number of octets that went out. A body that does not end in CRLF is
 * taken as if it did: so it leaves. */
uint64_t canon_body(struct view body, bool relaxed, canon_sink sink, void *context);

/* canon_field - a whole field with its final CRLF. */
void canon_field(
    const struct header_field *field, bool relaxed, canon_sink sink, void *context);

/*
 * canon_signature - the signature's own field, as its hash covers it (RFC 6376 3.7): without
 * the octets of b, which lie in field->body, without the blanks around them, and without the
 * final CRLF.
 */
void canon_signature(const struct header_field *field, struct view b, bool relaxed,
    canon_sink sink, void *context);

#endif
