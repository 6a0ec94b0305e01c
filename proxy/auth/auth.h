/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Who is it? Mechanisms turn an AUTH exchange into a login and a password; backends, in the
 * order of the configuration, say whether these belong together and what the login may send as.
 * Called on worker threads, blocks; no sessions, no sockets of clients.
 */
#ifndef GATEPOST_PROXY_AUTH_AUTH_H
#define GATEPOST_PROXY_AUTH_AUTH_H

#include "lib/base/secret.h"
#include "proxy/config.h"

enum auth_verdict {
	AUTH_REFUSED,  /* the default: 535 5.7.8, the same for unknown login and wrong password
			*/
	AUTH_ACCEPTED, /* *identity is filled, its texts in the arena */
	AUTH_UNAVAILABLE, /* no backend accepted, and one could not answer: 454 4.7.0 */
};

struct authenticator;

/*
 * auth_create - opens the backends of a configuration. Credentials proven before are remembered
 * process-wide for cache_ms under a keyed hash; auth_create empties that cache.
 */
MUST_CHECK struct authenticator *auth_create(
    const struct config_auth *config, const char *hostname, struct conf_errors *errors);
void auth_destroy(struct authenticator **a);

/* What is asked. */
struct auth_question {
	struct view login;
	const struct secret *password;
	int64_t deadline_ms;
	struct arena *arena; /* for the identity's texts */
};

/*
 * auth_check - unknown login and wrong password take the same time (a dummy hash is computed).
 * At most one password hash per core is computed at a time; others wait, within the deadline.
 * why is filled for AUTH_REFUSED and AUTH_UNAVAILABLE (for the log, never for the peer).
 */
MUST_CHECK enum auth_verdict auth_check(struct authenticator *a, const struct auth_question *q,
    struct identity *identity, struct err *why);

/*
 * auth_identify - who a login would be, were its password right: of the first backend that
 * knows it (one that only proves passwords takes any). For rehearsals: proves nothing.
 */
MUST_CHECK bool auth_identify(
    struct authenticator *a, struct view login, struct arena *arena, struct identity *identity);

/*
 * auth_vouch - who a login is that something else than a password has proven (a client's
 * certificate): of the first backend that knows it; one that only proves passwords knows
 * nobody. False: no backend does, or the login is locked there.
 */
MUST_CHECK bool auth_vouch(
    struct authenticator *a, struct view login, struct arena *arena, struct identity *identity);

/* An exchange: one AUTH command until its verdict. */
enum mech_status {
	MECH_CHALLENGE,	   /* send 334 with *challenge_out (base64 already), wait for a line */
	MECH_CREDENTIALS,  /* login and password are known now */
	MECH_BAD_ENCODING, /* 501 5.5.2 */
	MECH_BAD_CONTENT,  /* 501 5.5.2: decoded, but not of the mechanism's form */
};

struct mech_run {
	const struct mech *mech;
	int step;
	struct secret login, password; /* wiped by mech_run_finish */
};

struct mech {
	const char *name;	/* "PLAIN" */
	bool is_by_certificate; /* only for who has shown one; there may be no login */
	/* response: base64 line without CRLF; has_response false: AUTH came without one */
	enum mech_status (*step)(struct mech_run *run, bool has_response, struct view response,
	    const char **challenge_out);
};

/* mech_find - by the word behind AUTH; NULL: 504 5.5.4. */
const struct mech *mech_find(struct view name);
extern const char mech_names[]; /* "PLAIN LOGIN": for EHLO */
extern const char mech_names_with_external[];

void mech_run_init(struct mech_run *run, const struct mech *mech);
void mech_run_finish(struct mech_run *run);
/* mech_run_step - "=" is the empty initial response (RFC 4954 4); cancel ("*") is the caller's.
 */
MUST_CHECK enum mech_status mech_run_step(
    struct mech_run *run, bool has_response, struct view response, const char **challenge_out);

#endif
