/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Password hashes of crypt(3) (libxcrypt). Accepted are the methods that cost an attacker
 * something: yescrypt, gost-yescrypt, scrypt, bcrypt, SHA-512, SHA-256. Any thread; blocks for
 * the time of a hash, so callers pass the hash gate first (hash_gate.h).
 */
#ifndef GATEPOST_PROXY_AUTH_PASSWD_HASH_H
#define GATEPOST_PROXY_AUTH_PASSWD_HASH_H

#include "lib/base/err.h"
#include "lib/base/secret.h"

#define PASSWD_HASH_MAX	    256 /* octets of a hash, without a NUL */
#define PASSWD_PASSWORD_MAX 511 /* octets that libxcrypt hashes */
#define PASSWD_BCRYPT_MAX   72	/* octets that bcrypt looks at */

enum passwd_match {
	PASSWD_DIFFERENT, /* the default; also when the password is too long for crypt(3) */
	PASSWD_SAME,
	PASSWD_FAILED, /* the hash could not be computed: memory, or a cost that crypt(3)
			  refuses */
};

/* passwd_hash_is_locked - "!..." and "*...": no password fits, as in shadow(5). */
bool passwd_hash_is_locked(struct view hash);

/* passwd_hash_is_sound - a whole hash of a method that is accepted; else *err says why not. */
MUST_CHECK bool passwd_hash_is_sound(struct view hash, struct err *err);

/*
 * passwd_hash_cost - the head of a sound hash: method and cost, up to its salt. Two hashes with
 * equal heads take the same time.
 */
struct view passwd_hash_cost(struct view hash);

/* passwd_hash_match - compute and compare in constant time; hash is sound. */
MUST_CHECK enum passwd_match passwd_hash_match(const struct secret *password, const char *hash);

/*
 * passwd_hash_make - a hash with a fresh salt. method: "yescrypt", "bcrypt", "sha512".
 * Errors: ERR_CONFIG unknown method, a password that it cannot take whole; ERR_IO.
 */
MUST_CHECK bool passwd_hash_make(const char *method, const struct secret *password,
    char out[PASSWD_HASH_MAX + 1], struct err *err);

/*
 * passwd_hash_observe - observer is called before each hash that is computed, with the setting
 * (tests count and slow them down); NULL ends it.
 */
void passwd_hash_observe(void (*observer)(const char *setting));

#endif
