/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Base64 with the alphabet and padding of RFC 4648 4, strictly: what decodes has exactly one
 * spelling. Used for SASL exchanges (RFC 4954), so it works in the caller's memory, which the
 * caller can wipe, and keeps no copy.
 */
#ifndef GATEPOST_BASE_BASE64_H
#define GATEPOST_BASE_BASE64_H

#include "lib/base/view.h"

/* BASE64_ENCODED_LEN - octets that n octets become. BASE64_DECODED_MAX - and back, at most. */
#define BASE64_ENCODED_LEN(n) (((n) + 2) / 3 * 4)
#define BASE64_DECODED_MAX(n) ((n) / 4 * 3)

/* base64_encode - into room octets at out, no NUL behind them; false: they do not fit. */
MUST_CHECK bool base64_encode(struct view in, char *out, size_t room, size_t *len_out);

/*
 * base64_decode - false when it is not base64 to the letter (blanks, line ends, foreign
 * characters, padding missing or too much or not at the end, spare bits that are not zero), or
 * does not fit. out may have been written to even then. The empty text decodes to nothing.
 */
MUST_CHECK bool base64_decode(struct view in, char *out, size_t room, size_t *len_out);

#endif
