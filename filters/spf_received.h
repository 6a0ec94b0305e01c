/* SPDX-License-Identifier: MPL-2.0 */
/* The field Received-SPF (RFC 7208 9.1), one for each identity that was judged. */
#ifndef GATEPOST_FILTERS_SPF_RECEIVED_H
#define GATEPOST_FILTERS_SPF_RECEIVED_H

#include "lib/base/buf.h"
#include "lib/domain/spf.h"
#include "lib/mail/facts.h"

#define SPF_RECEIVED_MAX 4096

/* What is kept of an outcome until the message is there. */
struct spf_verdict {
	bool is_known;
	enum authres_result result;
	char mechanism[128];
	char problem[160];
};

/*
 * spf_received_value - the field's value, folded; texts of peers are printable ASCII in quotes.
 * False: out's cap (one of SPF_RECEIVED_MAX never is).
 */
MUST_CHECK bool spf_received_value(const struct facts *facts, enum spf_identity identity,
    const struct spf_verdict *verdict, struct buf *out);

#endif
