/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Judges: processes in which SPF is evaluated and DKIM signatures are verified, so that libspf2
 * and libopendkim, and OpenSSL with keys of strangers, never meet a peer's octets in the gate.
 * A judge has no file and no network: it asks the gate for what DNS says. Once a client is in
 * use, spf_evaluate() and dkim_verify_message() are answered by judges, whoever calls them; a
 * judge that ends costs a temperror at most, and another one is asked before that.
 */
#ifndef GATEPOST_DOMAIN_JUDGE_H
#define GATEPOST_DOMAIN_JUDGE_H

#include "lib/domain/dkim_verify.h"
#include "lib/domain/spf.h"
#include "lib/net/helper_pool.h"

struct judge_client;

/*
 * judge_client_create - starter says how (open, end, context). Starts none before the first
 * question. step_ms: how long a judge may calculate between two frames.
 * judge_client_start - ended ones are replaced from now on.
 */
struct judge_client *judge_client_create(const struct helper_kind *starter, int64_t step_ms);
MUST_CHECK bool judge_client_start(struct judge_client *c, struct err *err);
/* judge_client_destroy - it is in use no more, and nobody asks. */
void judge_client_destroy(struct judge_client **c);

/* judge_use - from now on (NULL: no more) c answers for the process. Before threads start. */
void judge_use(struct judge_client *c);

/* For the engines: false: no client is in use, do it here. */
bool judge_spf(const struct spf_request *request, struct arena *arena, struct spf_outcome *out);
bool judge_dkim(const struct dkim_verify_request *request, struct arena *arena,
    struct dkim_verification *out);

/*
 * judge_serve - the judge's side: answer what comes over one connection until it ends. Only
 * recv and send, no matter what is asked.
 */
void judge_serve(int fd);

#endif
