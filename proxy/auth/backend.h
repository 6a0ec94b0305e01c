/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A backend knows whether a login and a password belong together. This is what auth.c sees of
 * one; each is a file of its own, backend_*.c. All functions may be called by any number of
 * threads at a time.
 */
#ifndef GATEPOST_PROXY_AUTH_BACKEND_H
#define GATEPOST_PROXY_AUTH_BACKEND_H

#include "proxy/auth/auth.h"

struct backend;

struct backend_ops {
	const char *name; /* static: the identity's backend */

	/* refresh - look whether files have changed; may empty the credential cache. */
	void (*refresh)(struct backend *b);

	/*
	 * check - AUTH_ACCEPTED: login and patterns of *identity are filled. Otherwise *why
	 * says why, without password and without what a peer has echoed.
	 */
	enum auth_verdict (*check)(struct backend *b, const struct auth_question *q,
	    struct identity *identity, struct err *why);

	/* identify - the identity of a login proven a while ago; false: there is none now. */
	bool (*identify)(struct backend *b, struct view login, struct arena *arena,
	    struct identity *identity);

	void (*destroy)(struct backend *b);
};

/* The first member of every backend. */
struct backend {
	const struct backend_ops *ops;
	uint64_t number;    /* unique in the process: names it in the credential cache */
	int64_t timeout_ms; /* for one check */
	bool knows_logins;  /* identify is false for one that does not exist */
};

/*
 * backend_*_create - path is the group's name in errors ("auth.backends[0]"); NULL when an
 * error was added. config and hostname are borrowed and outlive the backend.
 */
MUST_CHECK struct backend *backend_passwd_create(
    const struct config_backend *config, const char *path, struct conf_errors *errors);
MUST_CHECK struct backend *backend_upstream_create(const struct config_backend *config,
    const char *path, const char *hostname, struct conf_errors *errors);

#endif
