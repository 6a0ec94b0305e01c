/* SPDX-License-Identifier: MPL-2.0 */
/*
 * GET /metrics: what lib/base/metrics counts, over HTTP, at the address of the configuration's
 * group metrics. A thread of its own serves, with small limits; it shares nothing with sessions
 * but the counters. The functions below are for one thread, the engine's loop.
 */
#ifndef GATEPOST_PROXY_OPS_METRICS_HTTP_H
#define GATEPOST_PROXY_OPS_METRICS_HTTP_H

#include "proxy/config.h"

struct metrics_http;

/* metrics_http_create - serves nothing yet. */
struct metrics_http *metrics_http_create(void);

/*
 * metrics_http_bind - open the configuration's address, if it has one that is not served
 * already; nothing is accepted there yet. False: an error was added.
 */
MUST_CHECK bool metrics_http_bind(
    struct metrics_http *m, const struct config *config, struct conf_errors *errors);

/* metrics_http_unbind - that configuration will not be used after all. */
void metrics_http_unbind(struct metrics_http *m);

/* metrics_http_use - serve there (what was bound for it) and nowhere else. */
void metrics_http_use(struct metrics_http *m, const struct config *config);

void metrics_http_destroy(struct metrics_http **m); /* waits for its thread */

#endif
