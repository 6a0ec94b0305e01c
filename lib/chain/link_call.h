/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One call of one hook, as the chain and the accessors of link.h see it. Private to lib/chain:
 * links know struct link_call by name only, so that the plugin interface does not fix its
 * layout.
 */
#ifndef GATEPOST_CHAIN_LINK_CALL_H
#define GATEPOST_CHAIN_LINK_CALL_H

#include "lib/chain/link.h"

#include "lib/base/buf.h"

#define LINK_NOTES_MAX 400 /* octets of notes of one transaction: a log value holds 512 */

struct link_call {
	const struct link *link;
	const char *name; /* as the chain writes it */
	enum link_stage stage;
	bool is_shadow, is_rehearsal;
	const struct facts *facts;
	const void *settings;		   /* borrowed */
	void *state;			   /* the link's own, made by setup */
	void *memory;			   /* of the transaction; NULL at connect and helo */
	void *session_memory;		   /* NULL: the link has none */
	const struct recipient *recipient; /* rcpt stage, else NULL */
	const struct message *message;	   /* message stage, else NULL */
	int64_t began_ms, deadline_ms;
	int64_t dns_left_ms; /* of the transaction's time for DNS */
	bool waits_for_dns;
	struct arena arena;	      /* ends with the call */
	struct edits *edits;	      /* owned; NULL until the link asks for them */
	const char *const *upstreams; /* borrowed: names */
	size_t upstream_count;
	const char *route;	 /* one of them; NULL: the chain's own */
	struct authres *results; /* in arena: become the transaction's, as notes do */
	size_t result_count;
	const struct authres *earlier; /* borrowed: the transaction's; NULL: none yet */
	size_t earlier_count;
	const char *const *failed; /* names of links, borrowed */
	size_t failed_count;
	struct buf notes;   /* become the transaction's when the link answers NEXT or REFUSE */
	struct err failure; /* of link_fail */
	/* Of link_refuse. Last, since it is large: not set to zero, only its code is. */
	struct smtp_reply reply;
};

#endif
