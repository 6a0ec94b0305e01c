/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate's way to a keeper (dkim_keeper.h): a source of keys whose signatures are made there.
 * A keeper has several connections, each for one worker at a time. One that ended, or did not
 * answer in time, is replaced by a thread of its own; who wants a signature meanwhile waits a
 * moment, and asks the next keeper once more: signing twice does no harm.
 */
#ifndef GATEPOST_DOMAIN_DKIM_KEEPER_CLIENT_H
#define GATEPOST_DOMAIN_DKIM_KEEPER_CLIENT_H

#include "lib/domain/dkim_keeper.h"

#include <stdint.h>
#include <sys/types.h>

#define KEEPER_LINKS_MAX 16

/* Connections to one keeper: SOCK_SEQPACKET. */
struct keeper_links {
	int fds[KEEPER_LINKS_MAX];
	size_t count; /* at least 1 */
	pid_t pid;
};

struct keeper_starter {
	/* open - start a keeper; the descriptors are the caller's then. Any thread. */
	bool (*open)(void *context, struct keeper_links *out, struct err *err);
	/* end - it does not answer. */
	void (*end)(void *context, pid_t pid);
	void *context;
};

struct keeper_client;

/*
 * keeper_client_create - starts nothing yet: the first key that is asked for does. answer_ms:
 * how long an answer may take; start_ms: how long a keeper may read keys until it is ready.
 */
struct keeper_client *keeper_client_create(
    const struct keeper_starter *starter, int64_t answer_ms, int64_t start_ms);
/* keeper_client_destroy - all its keys are gone. The keeper ends by itself then. */
void keeper_client_destroy(struct keeper_client **c);

/* keeper_client_start - from now on a thread replaces a keeper that ends. Until then only a key
 * that is asked for does. Once threads may be. */
MUST_CHECK bool keeper_client_start(struct keeper_client *c, struct err *err);

/*
 * keeper_client_source - keys of files; borrowed. A path that this keeper does not know may be
 * of a file that is younger than it: then another keeper is started, and takes its place.
 */
const struct dkim_key_source *keeper_client_source(const struct keeper_client *c);

#endif
