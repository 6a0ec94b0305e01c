/* SPDX-License-Identifier: MPL-2.0 */
/* What a chain, a session's and a transaction's memory are to chain.c (which makes and ends
 * them) and chain_stage.c (which runs links over them). Nobody else includes this. */
#ifndef GATEPOST_CHAIN_CHAIN_PRIVATE_H
#define GATEPOST_CHAIN_CHAIN_PRIVATE_H

#include "lib/chain/chain.h"

#include "lib/base/buf.h"
#include "lib/base/metrics.h"

#include <stddef.h>

struct chain_slot {
	struct chain_entry entry; /* name is never NULL */
	void *state;		  /* owned by the link, given back by its teardown */
	size_t memory_offset;	  /* of its message memory in the run's block */
	size_t session_offset;	  /* of its session memory in the session's block */
	/* Where its NEXT is counted, by stage: found at the first one. All else is rare. */
	metric_cell *_Atomic next_cells[STAGE_MESSAGE + 1];
};

struct chain {
	struct chain_slot *slots; /* owned */
	size_t count;
	size_t memory_size;  /* octets of all links' message memory */
	size_t session_size; /* octets of all links' session memory */
	int64_t dns_time_ms;
	const char *const *upstreams; /* borrowed: names */
	size_t upstream_count;
};

struct chain_session {
	const struct chain *chain; /* borrowed; outlives it */
	max_align_t memory[];	   /* zeroed; each link's at its session_offset */
};

struct chain_run {
	char *memory; /* owned, zeroed */
	struct buf notes;
	struct arena arena;	 /* of the results' texts, and of a changed envelope */
	struct authres *results; /* room for AUTHRES_MAX, in the arena; NULL before the first */
	size_t result_count;
	const char **failed; /* owned: names of links that were passed over */
	size_t failed_count;
	int64_t dns_spent_ms;
	bool envelope_changed;
	const char *discard; /* in the arena */
	const char *route;   /* an upstream's name, borrowed; NULL: the chain's own */
};

/* chain_session_memory - of the slot's link; NULL: it has none. */
static inline void *
chain_session_memory(struct chain_session *s, const struct chain_slot *slot)
{
	if (s == NULL || slot->entry.link->session_size == 0)
		return NULL;
	return (char *)s->memory + slot->session_offset;
}

#endif
