/* SPDX-License-Identifier: MPL-2.0 */
/*
 * recipient_limit: how many recipients, and how many different recipient domains, one message
 * may have. What is over gets 452 4.5.3 (RFC 5321 4.5.3.1.10): a mail server sends the rest in
 * another transaction, a person's program says so. Refused recipients do not count.
 */
#include "policy/policy.h"

#include <stddef.h>

struct recipient_limit_settings {
	int64_t max, max_domains;
};

/* Of a transaction: the accepted recipients are counted once each, as they appear in the facts.
 */
struct recipient_limit_memory {
	size_t counted; /* recipients looked at */
	size_t domains; /* different domains among them */
};

static const struct conf_row recipient_limit_rows[] = {
	{ .key = "max",
	    .type = CONF_INT,
	    .offset = offsetof(struct recipient_limit_settings, max),
	    .fallback = "100",
	    .min = 1,
	    .max = 100000,
	    .help = "Recipients of one message at most; RFC 5321 asks for at least 100." },
	{ .key = "max_domains",
	    .type = CONF_INT,
	    .offset = offsetof(struct recipient_limit_settings, max_domains),
	    .fallback = "0",
	    .min = 0,
	    .max = 100000,
	    .help = "Different domains among them at most; 0 sets no limit." },
	{ .key = NULL },
};

static const struct conf_table recipient_limit_table = {
	.name = "recipient_limit",
	.help = "How many recipients one message may have. What is over hears 452 4.5.3.",
	.size = sizeof(struct recipient_limit_settings),
	.rows = recipient_limit_rows,
	.where_offset = SIZE_MAX,
};

static bool
domain_is_among(const struct recipient *recipients, size_t count, struct view domain)
{
	for (size_t i = 0; i < count; i++) {
		if (view_eq_nocase(recipients[i].path.domain, domain))
			return true;
	}
	return false;
}

/* count_domains - bring the memory up to date: linear in what was accepted since the last RCPT.
 */
static void
count_domains(struct recipient_limit_memory *memory, const struct facts *facts)
{
	for (; memory->counted < facts->recipient_count; memory->counted++) {
		if (!domain_is_among(facts->recipients, memory->counted,
			facts->recipients[memory->counted].path.domain))
			memory->domains++;
	}
}

static enum link_answer
recipient_limit_rcpt(struct link_call *call)
{
	const struct recipient_limit_settings *settings = link_settings(call);
	struct recipient_limit_memory *memory = link_memory(call);
	const struct facts *facts = link_facts(call);

	if (facts->recipient_count >= (size_t)settings->max)
		return link_refuse(call, 452, "4.5.3",
		    "a message may have %lld recipients; send it to the others separately",
		    (long long)settings->max);
	if (settings->max_domains == 0)
		return LINK_NEXT;
	count_domains(memory, facts);
	if (memory->domains < (size_t)settings->max_domains ||
	    domain_is_among(
		facts->recipients, facts->recipient_count, link_recipient(call)->path.domain))
		return LINK_NEXT;
	return link_refuse(call, 452, "4.5.3",
	    "a message may have recipients in %lld domains; send it to the others separately",
	    (long long)settings->max_domains);
}

const struct link link_recipient_limit = {
	.abi = LINK_ABI,
	.name = "recipient_limit",
	.summary = "how many recipients, and how many recipient domains, a message may have",
	.refuses = "452 4.5.3",
	.kind = LINK_POLICY,
	.settings = &recipient_limit_table,
	.message_size = sizeof(struct recipient_limit_memory),
	.rcpt = recipient_limit_rcpt,
};
