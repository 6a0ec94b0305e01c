/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Domain names as this house compares them: lower-case A-labels without a final dot (RFC 5890;
 * libidn2, IDNA2008 with the usual case mapping). One function for policy, signing and DNS
 * alike.
 */
#ifndef GATEPOST_MAIL_DOMAIN_NAME_H
#define GATEPOST_MAIL_DOMAIN_NAME_H

#include "lib/base/view.h"

#define DOMAIN_NAME_MAX 254 /* octets with the NUL */

/*
 * domain_to_ascii - false when it is no domain name (empty labels, labels over 63, characters
 * other than letters, digits, hyphen, underscore after conversion). Pure-ASCII input never
 * meets libidn2.
 */
MUST_CHECK bool domain_to_ascii(struct view domain, char out[DOMAIN_NAME_MAX]);

/* domain_is_below - child is parent itself or ends in ".parent"; both from domain_to_ascii. */
bool domain_is_below(const char *child, const char *parent);

#endif
