/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DKIM signing keys: read and checked once, kept as prepared EVP contexts, shared by all
 * threads (a keyring is immutable). RFC 6376 3.3, RFC 8301 (sizes), RFC 8463 (Ed25519).
 */
#ifndef GATEPOST_DOMAIN_DKIM_KEY_H
#define GATEPOST_DOMAIN_DKIM_KEY_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <sys/types.h>

#define DKIM_SELECTORS_MAX 8  /* keys of one domain: receivers check few signatures */
#define DKIM_SELECTOR_MAX  63 /* octets */

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256 };

struct dkim_key;

/*
 * dkim_key_read - PEM file. Errors (ERR_CONFIG): unreadable; under a passphrase; usable by
 * others than its owner, or writable by its group; owner neither root nor the process's user;
 * not RSA or Ed25519; RSA under 1024 or over 8192 bits. *warning_out: "" or a sentence (under
 * 2048, over 4096).
 */
MUST_CHECK struct dkim_key *dkim_key_read(
    const char *path, char warning_out[160], struct err *err);
/* dkim_key_read_for - the owner may be root or this one (whom root becomes later). */
MUST_CHECK struct dkim_key *dkim_key_read_for(
    const char *path, uid_t owner, char warning_out[160], struct err *err);
/*
 * dkim_key_read_made - from a folder of owner's, who may make links there: to a key of root's
 * too, which root would then read for it. So the file must be owner's own, and no link.
 */
MUST_CHECK struct dkim_key *dkim_key_read_made(
    const char *path, uid_t owner, char warning_out[160], struct err *err);
/* dkim_key_read_made_at - likewise, name in an open folder; path is its name for people. */
MUST_CHECK struct dkim_key *dkim_key_read_made_at(int folder, const char *name,
    const char *path, uid_t owner, char warning_out[160], struct err *err);
/* dkim_key_read_kept - as dkim_key_read_for; the owner may be the keeper's user, too. */
MUST_CHECK struct dkim_key *dkim_key_read_kept(
    const char *path, uid_t user, uid_t keeper, char warning_out[160], struct err *err);
void dkim_key_destroy(struct dkim_key **k);
enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *k);
const char *dkim_algorithm_name(enum dkim_algorithm a); /* "rsa-sha256" */

/*
 * dkim_key_sign_hash - sign a 32-octet SHA-256 hash; *len_out octets at out (room 1024: RSA up
 * to 8192 bits). Plain values in and out: this call can move to another process.
 */
MUST_CHECK bool dkim_key_sign_hash(const struct dkim_key *k, const unsigned char hash[32],
    unsigned char out[1024], size_t *len_out, struct err *err);

/*
 * Who signs where the private key is in another process (dkim_keeper_client.h): for the key of
 * that id, as dkim_key_sign_hash does.
 */
#define DKIM_KEY_ID_SIZE 32
struct dkim_signer {
	bool (*sign)(void *context, const unsigned char id[DKIM_KEY_ID_SIZE],
	    const unsigned char hash[32], unsigned char out[1024], size_t *len_out,
	    struct err *err);
	void *context;
};
/*
 * dkim_key_of_public - a key of which only the public half is here: spki is DER
 * (SubjectPublicKeyInfo). The signer is borrowed and outlives the key; how long its signatures
 * are is checked. ERR_PROTOCOL: no such thing.
 */
MUST_CHECK struct dkim_key *dkim_key_of_public(
    struct view spki, const struct dkim_signer *signer, struct err *err);
/* dkim_key_public - its public half, DER. dkim_key_id - the SHA-256 hash of that. */
MUST_CHECK bool dkim_key_public(const struct dkim_key *k, struct buf *out);
MUST_CHECK bool dkim_key_id(const struct dkim_key *k, unsigned char id_out[DKIM_KEY_ID_SIZE]);

/* Where keys come from, if not from files that this process reads: as dkim_key_read. */
struct dkim_key_source {
	struct dkim_key *(*read)(
	    void *context, const char *path, char warning_out[160], struct err *err);
	void *context;
};

/*
 * dkim_key_generate - write a new private key as PEM, mode 0600, never over an existing file.
 * rsa_bits (1024..8192) is for RSA only. Errors: ERR_CONFIG, ERR_IO; no file is left then.
 */
MUST_CHECK bool dkim_key_generate(
    enum dkim_algorithm a, unsigned rsa_bits, const char *path, struct err *err);

/* dkim_key_record - the TXT record's content: "v=DKIM1; k=rsa; p=...". */
MUST_CHECK bool dkim_key_record(const struct dkim_key *k, struct buf *out);

/* dkim_record_string - the next string (<= 255 octets) of a TXT record; false: used up. */
bool dkim_record_string(struct view *rest, struct view *string_out);

/* dkim_record_zone_line - 'selector._domainkey.domain. IN TXT ( "..." "..." )'. */
MUST_CHECK bool dkim_record_zone_line(
    const char *domain, const char *selector, struct view record, struct buf *out);

/* dkim_selector_is_valid - labels of letters, digits, inner hyphens (or _), with dots between
 * them. */
MUST_CHECK bool dkim_selector_is_valid(struct view selector);

/* The keyring: which key signs for which domain. */
struct dkim_selector {
	const char *selector;
	struct dkim_key *key; /* owned by the keyring */
};
struct dkim_domain {
	const char *name; /* lower-case A-labels */
	const struct dkim_selector *selectors;
	size_t selector_count;
};
struct dkim_keyring;

struct dkim_keyring *dkim_keyring_create(void);
void dkim_keyring_destroy(struct dkim_keyring **r);
/*
 * dkim_keyring_add - takes the key over, also when it fails: ERR_CONFIG bad name, selector
 * given twice, over DKIM_SELECTORS_MAX.
 */
MUST_CHECK bool dkim_keyring_add(struct dkim_keyring *r, const char *domain,
    const char *selector, struct dkim_key *key, struct err *err);
/* dkim_keyring_find - exact, or (parents) the nearest parent; NULL: none. domain is A-labels.
 */
const struct dkim_domain *dkim_keyring_find(
    const struct dkim_keyring *r, const char *domain, bool parents);
size_t dkim_keyring_count(const struct dkim_keyring *r); /* of domains */
/* dkim_keyring_at - the domain of that index, in order of names. */
const struct dkim_domain *dkim_keyring_at(const struct dkim_keyring *r, size_t index);

#endif
