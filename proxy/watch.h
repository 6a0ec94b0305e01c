/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The watch of our own domains and the resolver as the configuration describes them: for the
 * gate, and for the sub-commands that look at the same things.
 */
#ifndef GATEPOST_PROXY_WATCH_H
#define GATEPOST_PROXY_WATCH_H

#include "lib/domain/domain_watch.h"
#include "lib/net/resolver.h"
#include "proxy/config.h"

/* watch_resolver - open the resolver of the group dns; NULL: *err says why. */
MUST_CHECK struct resolver *watch_resolver(const struct config *config, struct err *err);

/* watch_is_needed - it is enabled, and a link asks for it. */
bool watch_is_needed(const struct loaded_config *c);

/* watch_describe - everything but keyring and dns; texts live in the arena. */
void watch_describe(
    const struct loaded_config *c, struct arena *arena, struct watch_config *out);

/* watch_has_bulk_rules - the link bulk_rules of the submission chain names this domain. */
bool watch_has_bulk_rules(const struct loaded_config *c, const char *domain);

#endif
