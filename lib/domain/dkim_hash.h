/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hashes that DKIM signs (RFC 6376 3.4, 3.7; SHA-256), by libopendkim as canonicaliser and
 * hasher and nothing else: it sees no key and asks no DNS. Signing and verification both stand
 * on this. Behind it are the guards that the library needs; callers see to it that
 *
 *  - fields are clean (as struct message has them), body holds no NUL and no bare CR or LF;
 *  - a DKIM-Signature that is fed is short, and has been read by our own parser, or its hash is
 *    not asked for.
 *
 * Any thread; no state is shared but the library's own handle.
 */
#ifndef GATEPOST_DOMAIN_DKIM_HASH_H
#define GATEPOST_DOMAIN_DKIM_HASH_H

#include "lib/base/err.h"
#include "lib/mail/message.h"

#define DKIM_HASH_SIZE	32
#define DKIM_WHOLE_BODY UINT64_MAX
#define DKIM_H_MAX	3900 /* octets of h=: libopendkim cuts it at 4095 */
#define DKIM_FIELD_MAX                                                        \
	16384 /* octets of a DKIM-Signature: over 64 KiB the library gives up \
	       */

enum dkim_canon { CANON_SIMPLE, CANON_RELAXED };

const char *dkim_canon_name(enum dkim_canon canon); /* "simple" */

/* One-time set-up of the library; before threads start. Counted: each init has its finish. */
MUST_CHECK bool dkim_hash_init(struct err *err);
void dkim_hash_finish(void);

/*
 * dkim_hash_body - of the whole body, or (l=) of the first limit octets of its canonical form.
 * A body that does not end in CRLF is hashed as if it did: so it goes out. *length_out (may be
 * NULL): octets hashed. Errors: ERR_IO the library failed; it also has fewer octets than limit.
 */
MUST_CHECK bool dkim_hash_body(struct view body, enum dkim_canon canon, uint64_t limit,
    unsigned char hash_out[DKIM_HASH_SIZE], uint64_t *length_out, struct err *err);

/*
 * The header of one message: feed its fields in their order, the DKIM-Signature fields to be
 * hashed among them; then end; then take the hash of each. Errors: ERR_IO.
 */
struct dkim_hasher;

MUST_CHECK struct dkim_hasher *dkim_hasher_create(struct err *err);
void dkim_hasher_destroy(struct dkim_hasher **h);

/*
 * dkim_hasher_feed_field - of a message. The library takes no tab before the colon: such a
 * field is fed without the blanks there, which is the same if headers are relaxed, and wrong if
 * they are simple (dkim_hash_has_tab says which fields those are).
 */
MUST_CHECK bool dkim_hasher_feed_field(
    struct dkim_hasher *h, const struct header_field *field, struct err *err);
bool dkim_hash_has_tab(const struct header_field *field);

/* dkim_hasher_feed - "Name: value", folds included, without the final CRLF. */
MUST_CHECK bool dkim_hasher_feed(struct dkim_hasher *h, struct view field, struct err *err);
MUST_CHECK bool dkim_hasher_end(struct dkim_hasher *h, struct err *err);

/*
 * dkim_hasher_take - the hash for the index'th DKIM-Signature that was fed, from 0: what its b=
 * signs. False: the library does not take that one for a signature.
 */
MUST_CHECK bool dkim_hasher_take(
    const struct dkim_hasher *h, size_t index, unsigned char hash_out[DKIM_HASH_SIZE]);

#endif
