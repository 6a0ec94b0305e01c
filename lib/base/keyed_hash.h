/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"): for hash tables over
 * what peers choose. Who does not know the key cannot make entries meet in one bucket.
 */
#ifndef GATEPOST_BASE_KEYED_HASH_H
#define GATEPOST_BASE_KEYED_HASH_H

#include "lib/base/view.h"

#define KEYED_HASH_KEY 16 /* octets of a key: random ones */

uint64_t keyed_hash(const unsigned char key[KEYED_HASH_KEY], struct view octets);

#endif
