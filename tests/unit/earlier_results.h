/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests of links that read what earlier links found out: a link that publishes given
 * results, in a chain before the one under test. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_EARLIER_RESULTS_H
#define GATEPOST_TESTS_EARLIER_RESULTS_H

#include "tests/unit/link_fixture.h"

static const struct authres *earlier_results; /* of the next message */
static size_t earlier_result_count;

static inline enum link_answer
earlier_message(struct link_call *call)
{
	for (size_t i = 0; i < earlier_result_count; i++)
		link_publish(call, &earlier_results[i]);
	return LINK_NEXT;
}

static const struct link link_earlier = {
	.abi = LINK_ABI,
	.name = "earlier",
	.summary = "publishes what a test gives it",
	.kind = LINK_POLICY,
	.message = earlier_message,
};

/* earlier_fixture_open - as link_fixture_open, with env, and that link before this one. */
static inline void
earlier_fixture_open(struct link_fixture *f, const struct link *link, const char *settings,
    const struct link_env *env)
{
	struct chain_entry entries[2];

	link_fixture_open(f, &link_earlier, "");
	chain_run_destroy(&f->run);
	chain_destroy(&f->chain);
	if (!link_fixture_entry(f, &link_earlier, "", &entries[0]) ||
	    !link_fixture_entry(f, link, settings, &entries[1]))
		return;
	f->chain = chain_create(entries, 2, env, &f->errors);
	if (f->chain != NULL)
		f->run = chain_run_create(f->chain);
}

#endif
