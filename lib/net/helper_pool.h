/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Connections to a helper: a process of our own that does one kind of work for the gate, and
 * may end at any time. It has several connections, each for one worker at a time. One that
 * ended, or hangs, is replaced by a thread; who wants work done meanwhile waits a moment.
 */
#ifndef GATEPOST_NET_HELPER_POOL_H
#define GATEPOST_NET_HELPER_POOL_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HELPER_LINKS_MAX 250 /* as many descriptors as one packet takes */

/* Connections to one helper. */
struct helper_links {
	int fds[HELPER_LINKS_MAX];
	size_t count; /* at least 1 */
	pid_t pid;
};

struct helper_kind {
	const char *name; /* "keeper": for the log and errors */
	/* open - start one; the descriptors are the caller's then. Any thread. */
	bool (*open)(void *context, struct helper_links *out, struct err *err);
	/* greet - wait until a new one is ready; NULL: it is at once. */
	bool (*greet)(int fd, struct err *err);
	/* end - it hangs. */
	void (*end)(void *context, pid_t pid);
	void *context;
};

struct helper_pool;
struct helper_set;

/* helper_pool_create - starts nothing yet; kind is copied. */
struct helper_pool *helper_pool_create(const struct helper_kind *kind);
/* helper_pool_destroy - nobody uses it. The helper sees its connections end. */
void helper_pool_destroy(struct helper_pool **p);

/* helper_pool_start - from now on a thread replaces a helper that ends. Once threads may be. */
MUST_CHECK bool helper_pool_start(struct helper_pool *p, struct err *err);

/* helper_pool_current - for helper_pool_replace; NULL: there is none now. */
const struct helper_set *helper_pool_current(struct helper_pool *p);
/*
 * helper_pool_replace - start a helper in the place of old (NULL: where there is none). Nothing
 * is done where somebody else has done it meanwhile.
 */
MUST_CHECK bool helper_pool_replace(
    struct helper_pool *p, const struct helper_set *old, struct err *err);

/* One connection in use. */
struct helper_turn {
	struct helper_set *set; /* borrowed */
	size_t index;
	int fd; /* borrowed */
};

enum turn_outcome {
	TURN_GOOD,  /* the connection is ready for the next one */
	TURN_ENDED, /* or talks nonsense: nobody uses this helper from now on */
	TURN_HANGS, /* likewise, and it is ended */
};

/* helper_pool_take - waits until the deadline at most: ERR_TEMP. Give it back. */
MUST_CHECK bool helper_pool_take(
    struct helper_pool *p, int64_t deadline_ms, struct helper_turn *out, struct err *err);
void helper_pool_give(
    struct helper_pool *p, struct helper_turn *turn, enum turn_outcome outcome);

#endif
