/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A source of DNS answers that ends early: for a background thread that must go away quickly,
 * and that one dead server must not cost all the time of a look. Stands in front of another
 * source.
 */
#ifndef GATEPOST_DOMAIN_STOPPABLE_DNS_H
#define GATEPOST_DOMAIN_STOPPABLE_DNS_H

#include "lib/net/dns.h"

#include <stdatomic.h>

struct stoppable_dns {
	struct dns_source source;	/* what callers ask; must not be moved afterwards */
	const struct dns_source *inner; /* borrowed */
	/* Borrowed: true ends a query within half a second, one of each server in five. */
	const atomic_bool *is_stopping;
	int64_t share_ms; /* no query takes longer */
};

void stoppable_dns_init(struct stoppable_dns *d, const struct dns_source *inner,
    const atomic_bool *is_stopping, int64_t share_ms);

#endif
