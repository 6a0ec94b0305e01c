/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate's way to a keeper (dkim_keeper.h): a source of keys whose signatures are made there.
 * Who gets no answer, because the keeper ended, asks the next one once more: signing twice does
 * no harm.
 */
#ifndef GATEPOST_DOMAIN_DKIM_KEEPER_CLIENT_H
#define GATEPOST_DOMAIN_DKIM_KEEPER_CLIENT_H

#include "lib/domain/dkim_keeper.h"
#include "lib/net/helper_pool.h"

struct keeper_client;

/*
 * keeper_client_create - starts nothing yet: the first key that is asked for does. starter says
 * how (open, end, context); answer_ms: how long an answer may take.
 */
struct keeper_client *keeper_client_create(
    const struct helper_kind *starter, int64_t answer_ms);
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
