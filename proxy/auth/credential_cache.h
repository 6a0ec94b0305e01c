/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Credentials that were proven a short while ago, so that a busy application does not pay for a
 * password hash (or a dialogue with another server) at each connection. One for the process,
 * any thread. Kept is HMAC-SHA-256 of backend, login and password under a random key that never
 * leaves the process; nothing else: neither password nor login can be had from it. Failures are
 * never kept.
 */
#ifndef GATEPOST_PROXY_AUTH_CREDENTIAL_CACHE_H
#define GATEPOST_PROXY_AUTH_CREDENTIAL_CACHE_H

#include "lib/base/secret.h"

/* What was proven, and by whom. */
struct credential {
	uint64_t backend; /* number of the backend, unique in the process */
	struct view login;
	const struct secret *password;
};

/*
 * credential_cache_clear - forget everything, and begin a new generation: what was proven in
 * an older one is not put any more. credential_cache_resize - and hold this many from now on
 * (0: none); the one not used for longest makes room.
 */
void credential_cache_clear(void);
void credential_cache_resize(size_t max_entries);

/* credential_cache_generation - take it *before* looking at what the proof rests on. */
uint64_t credential_cache_generation(void);

bool credential_cache_has(const struct credential *c);
void credential_cache_put(
    const struct credential *c, int64_t expires_at_ms, uint64_t generation);

size_t credential_cache_count(void); /* entries, expired ones too: for tests and metrics */

#endif
