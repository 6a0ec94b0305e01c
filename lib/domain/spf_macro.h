/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Macro-strings of SPF (RFC 7208 7): their grammar, and their expansion. Pure but for %{p},
 * which asks its caller. Private to the SPF engine.
 */
#ifndef GATEPOST_DOMAIN_SPF_MACRO_H
#define GATEPOST_DOMAIN_SPF_MACRO_H

#include "lib/base/buf.h"

#include <sys/socket.h>

enum spf_macro_place {
	SPF_IN_RECORD,	    /* %{c}, %{r}, %{t} are errors */
	SPF_IN_EXPLANATION, /* blanks are allowed too */
};

struct spf_macro_values {
	struct view local;	   /* %{l} */
	struct view sender_domain; /* %{o} */
	struct view domain;	   /* %{d}: of the record */
	struct view helo;	   /* %{h} */
	const char *receiver;	   /* %{r} */
	const struct sockaddr_storage *client;
	int64_t now;
	/* validated_name - %{p}: the client's name, or "unknown"; borrowed. */
	const char *(*validated_name)(void *context);
	void *context;
};

/*
 * spf_macro_check - NULL when s is a macro-string, else why not. 7-bit, visible characters
 * only.
 */
const char *spf_macro_check(struct view s, enum spf_macro_place place);

/*
 * spf_domain_spec_check - a macro-string that ends in a macro, or in a dot and a top label (RFC
 * 7208 7.1).
 */
const char *spf_domain_spec_check(struct view s);

/*
 * spf_macro_expand - s has passed spf_macro_check. False: over out's cap; what fits is in out.
 */
MUST_CHECK bool spf_macro_expand(
    struct view s, const struct spf_macro_values *values, struct buf *out);

#endif
