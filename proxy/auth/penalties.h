/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Penalties for guessing passwords. A *pair* is a login from an address (an IPv4 address, an
 * IPv6 /64): after a wrong password the pair's next try waits, longer each time, and after many
 * different ones the pair is blocked for a while; elsewhere the login is not affected. Guesses
 * at all logins are counted by address too; a blocked address can still try what has succeeded
 * from there before (*known* pairs). The same wrong password again, from a program that has a
 * stale one, waits but is no further guess.
 *
 * Nothing here depends on whether a login exists, nor is any login or password kept: all are
 * known by keyed hashes. One table of fixed size, one lock, any thread; it outlives reloads.
 */
#ifndef GATEPOST_PROXY_AUTH_PENALTIES_H
#define GATEPOST_PROXY_AUTH_PENALTIES_H

#include "lib/base/secret.h"
#include "proxy/auth/auth.h"

#include <sys/socket.h>

/* A try: who, from where, and with what. */
struct penalty_try {
	uint64_t pair, address, password;
};

enum penalty_answer {
	PENALTY_GO,		 /* check it now, and call penalties_end */
	PENALTY_WAIT,		 /* ask again at *until_ms_out */
	PENALTY_BLOCKED_LOGIN,	 /* the pair is blocked: do not look at the password */
	PENALTY_BLOCKED_ADDRESS, /* the address is, and the pair is not known */
};

/* What a try that was checked has brought about. */
struct penalty_outcome {
	bool blocks_login, blocks_address; /* a block begins */
	bool is_address_blocked; /* say to a known pair what the others hear from there */
	uint32_t guesses;	 /* of the pair */
	uint32_t address_guesses;
};

struct penalty_try penalties_make_try(
    const struct sockaddr_storage *client, struct view login, const struct secret *password);

/*
 * penalties_begin - may it be checked now? No more tries run at a time than there are guesses
 * left, so that trying many at once gains nothing.
 */
MUST_CHECK enum penalty_answer penalties_begin(const struct config_penalties *config,
    const struct penalty_try *t, int64_t now_ms, int64_t *until_ms_out);

/* penalties_end - it was checked; AUTH_UNAVAILABLE counts for nothing. */
struct penalty_outcome penalties_end(const struct config_penalties *config,
    const struct penalty_try *t, enum auth_verdict verdict, int64_t now_ms);

/* penalties_resize - before all else: remember so many from now on; what matters least is lost.
 */
void penalties_resize(size_t entries);

#endif
