/* SPDX-License-Identifier: MPL-2.0 */
/*
 * xtext (RFC 3461 4): text within a parameter of MAIL or RCPT. Here it stands for printable
 * ASCII only, so that there is no way to bring a line end or a NUL along.
 */
#ifndef GATEPOST_SMTP_XTEXT_H
#define GATEPOST_SMTP_XTEXT_H

#include "lib/base/buf.h"

/* xtext_is_valid - at least one octet, each "+" with two upper-case hexadecimal digits. */
bool xtext_is_valid(struct view text);

/* xtext_is_valid_utf8 - the same with octets over 0x7f, which are UTF-8 (RFC 6533 3). */
bool xtext_is_valid_utf8(struct view text);

/* xtext_decode - of valid xtext; out has room for text.len octets. The number of octets. */
size_t xtext_decode(struct view text, char *out);

/* xtext_encode - append plain text; octets over 0x7f (RFC 6533: of UTF-8) stay. False: cap. */
MUST_CHECK bool xtext_encode(struct view plain, struct buf *out);

/* xtext_rewrite - append valid xtext, written anew from what it means. False: cap. */
MUST_CHECK bool xtext_rewrite(struct view text, struct buf *out);

#endif
