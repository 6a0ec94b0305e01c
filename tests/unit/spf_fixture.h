/* SPDX-License-Identifier: MPL-2.0 */
/* For unit tests of SPF: one evaluation over a table of DNS. */
#ifndef GATEPOST_TESTS_SPF_FIXTURE_H
#define GATEPOST_TESTS_SPF_FIXTURE_H

#include "lib/base/clock.h"
#include "lib/domain/spf.h"
#include "lib/net/address.h"
#include "tests/unit/dns_table.h"

struct spf_fixture {
	struct dns_table *dns; /* owned */
	struct arena arena;
	struct spf_outcome outcome; /* of the last evaluation */
};

static inline void
spf_fixture_init(struct spf_fixture *f, const struct dns_row *rows)
{
	*f = (struct spf_fixture){ .dns = dns_table_create(rows) };
	arena_init(&f->arena);
}

static inline void
spf_fixture_finish(struct spf_fixture *f)
{
	arena_finish(&f->arena);
	dns_table_destroy(&f->dns);
}

/* spf_fixture_judge - MAIL FROM:<local@domain> of a client that said helo. */
static inline enum authres_result
spf_fixture_judge(struct spf_fixture *f, const char *client, const char *helo,
    const char *local, const char *domain)
{
	struct sockaddr_storage address;

	if (!address_from_host(client, 25, &address))
		BUG("\"%s\" is no address", client);
	const struct spf_request request = {
		.client = &address,
		.identity = SPF_MAIL_FROM,
		.helo = helo,
		.local = view_of(local),
		.domain = view_of(domain),
		.receiver = "gate.example.org",
		.now = 1000000000,
		.deadline_ms = clock_mono_ms() + 20000,
		.dns = dns_table_source(f->dns),
	};

	dns_table_forget_asked(f->dns);
	spf_evaluate(&request, &f->arena, &f->outcome);
	return f->outcome.result;
}

#endif
