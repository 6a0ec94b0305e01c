/* SPDX-License-Identifier: MPL-2.0 */
/* Of the resolver: its configuration as a value, and libunbound's context made of it. */
#ifndef GATEPOST_NET_RESOLVER_PRIVATE_H
#define GATEPOST_NET_RESOLVER_PRIVATE_H

#include "lib/net/resolver.h"

/*
 * Queries at a time, those given up included. Each can take a socket: settings in
 * resolver_context.c say the same number to libunbound.
 */
#define RESOLVER_RUNNING_MAX 2048

struct ub_ctx;

/*
 * resolver_config_complete - the same with the servers of /etc/resolv.conf in place of none, so
 * that equal settings mean equal servers. Errors: ERR_CONFIG a server is no address.
 */
MUST_CHECK bool resolver_config_complete(
    const struct resolver_config *config, struct resolver_config *out, struct err *err);
void resolver_config_copy(const struct resolver_config *config, struct resolver_config *out);
bool resolver_config_eq(const struct resolver_config *a, const struct resolver_config *b);
void resolver_config_finish(struct resolver_config *config); /* of a complete or copied one */

/* resolver_context_create - with every setting; starts nothing. */
MUST_CHECK struct ub_ctx *resolver_context_create(
    const struct resolver_config *config, struct err *err);

/* resolver_context_start - the last steps, which need memory for the cache; still no thread. */
MUST_CHECK bool resolver_context_start(struct ub_ctx *ctx, bool recursive);

#endif
