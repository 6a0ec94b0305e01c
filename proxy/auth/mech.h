/* SPDX-License-Identifier: MPL-2.0 */
/* What the mechanisms share: for mech*.c only; everybody else uses auth.h. */
#ifndef GATEPOST_PROXY_AUTH_MECH_H
#define GATEPOST_PROXY_AUTH_MECH_H

#include "proxy/auth/auth.h"

extern const struct mech mech_plain; /* RFC 4616 */
extern const struct mech
    mech_login; /* draft-murchison-sasl-login-00: never a standard, widely used */

extern const struct mech mech_external; /* RFC 4422 appendix A */

/* LOGIN_MAX - octets of a login: as long as an address may be, 64 + "@" + 255. */
#define LOGIN_MAX 320

/* A decoded response: a login and a password of 4096 octets fit. Holds secrets: wipe it. */
struct mech_response {
	char text[2 * LOGIN_MAX + 4096 + 2];
	size_t len;
};

/* mech_decode - MECH_CREDENTIALS stands for success. */
MUST_CHECK enum mech_status mech_decode(struct view response, struct mech_response *out);

/*
 * mech_take_login, _password - into the run; false: empty, too long, or with octets that have
 * no business there (a login has no control characters, a password no NUL).
 */
MUST_CHECK bool mech_take_login(struct mech_run *run, struct view login);
MUST_CHECK bool mech_take_password(struct mech_run *run, struct view password);

#endif
