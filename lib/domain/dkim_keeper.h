/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The keeper: what it knows, and the packets by which the gate asks it. It holds the private
 * keys and signs hashes; the gate has only public keys, and names a key by the hash of its
 * public half, so that a keeper that was started anew knows each key by the same name.
 *
 * Plain octets in, plain octets out: no descriptor is touched here. Both sides read what the
 * other one wrote as hostile data.
 *
 *	R				-> r			is it ready?
 *	D PATH				-> d WARNING[160] SPKI	the key that was in that file
 *	S ID[32] HASH[32]		-> s SIGNATURE
 *	any of them			-> e KIND TEXT		it failed
 */
#ifndef GATEPOST_DOMAIN_DKIM_KEEPER_H
#define GATEPOST_DOMAIN_DKIM_KEEPER_H

#include "lib/domain/dkim_key.h"

#define KEEPER_PACKET_MAX 8192
#define KEEPER_KEYS_MAX	  16384

/* ---- the keeper's side ---- */

struct keeper_keys;

struct keeper_keys *keeper_keys_create(void);
void keeper_keys_destroy(struct keeper_keys **k);
/*
 * keeper_keys_add - what reading that file has given: takes key (NULL: it could not be read)
 * over; text is its warning, or why not. The same path again, or over KEEPER_KEYS_MAX: left
 * out.
 */
void keeper_keys_add(
    struct keeper_keys *k, const char *path, struct dkim_key *key, const char *text);
/* keeper_keys_end_adding - before the first answer; no thread may answer earlier. */
void keeper_keys_end_adding(struct keeper_keys *k);
size_t keeper_keys_count(const struct keeper_keys *k); /* of those that can sign */

/*
 * keeper_answer - append the answer to one packet. False: it is no request at all, and the
 * connection is not worth keeping. Any thread; reply has room for KEEPER_PACKET_MAX.
 */
MUST_CHECK bool keeper_answer(
    const struct keeper_keys *k, struct view request, struct buf *reply);

/* ---- the gate's side ---- */

MUST_CHECK bool keeper_ask_ready(struct buf *out);
MUST_CHECK bool keeper_ask_describe(struct buf *out, const char *path);
MUST_CHECK bool keeper_ask_sign(
    struct buf *out, const unsigned char id[DKIM_KEY_ID_SIZE], const unsigned char hash[32]);

/*
 * keeper_read_... - what came back. Errors: what the keeper said (ERR_CONFIG a key that cannot
 * be used, ERR_CLOSED a path or key that this keeper does not know, ERR_IO); ERR_PROTOCOL: it
 * is no answer to that question.
 */
MUST_CHECK bool keeper_read_ready(struct view reply, struct err *err);
MUST_CHECK bool keeper_read_description(
    struct view reply, struct view *spki_out, char warning_out[160], struct err *err);
MUST_CHECK bool keeper_read_signature(
    struct view reply, unsigned char out[1024], size_t *len_out, struct err *err);

#endif
