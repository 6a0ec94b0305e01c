/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The engine: listeners, the park, the workers, and the snapshot that new sessions get. One of
 * it in a process. DESIGN "Park the idle, block the busy": a session is owned by exactly one
 * thread at a time, the loop while it is parked, a worker while it runs.
 */
#ifndef GATEPOST_PROXY_SESSION_ENGINE_H
#define GATEPOST_PROXY_SESSION_ENGINE_H

#include "proxy/snapshot.h"

struct engine;

/* engine_create - takes a reference of the snapshot. No thread and no socket yet. */
struct engine *engine_create(struct snapshot *snapshot);

/* engine_bind - open the listening sockets (may need root). Errors name the address. */
MUST_CHECK bool engine_bind(struct engine *e, struct conf_errors *errors);

/*
 * engine_run - serve until SIGTERM or SIGINT has drained. on_hup runs on a thread of its own at
 * SIGHUP and returns the snapshot to serve from now on (started; a reference is taken over), or
 * NULL. current is the one that serves meanwhile.
 */
typedef struct snapshot *(*engine_reload)(void *context, const struct snapshot *current);
MUST_CHECK bool engine_run(
    struct engine *e, engine_reload on_hup, void *context, struct err *err);

/* Only valid when no thread runs any more. */
void engine_destroy(struct engine **e);

#endif
