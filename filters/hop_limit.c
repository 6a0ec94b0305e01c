/* SPDX-License-Identifier: MPL-2.0 */
/*
 * hop_limit: a message that has passed too many servers is going round in a circle. RFC
 * 5321 6.3: count Received fields. It suggests 100; 50 is what Postfix has used for decades,
 * and no real path comes near it.
 */
#include "filters/filters.h"

#include <stddef.h>

struct hop_limit_settings {
	int64_t max;
};

static const struct conf_row hop_limit_rows[] = {
	{ .key = "max",
	    .type = CONF_INT,
	    .offset = offsetof(struct hop_limit_settings, max),
	    .fallback = "50",
	    .min = 1,
	    .max = 1000,
	    .help = "Received fields that a message may arrive with." },
	{ .key = NULL },
};

static const struct conf_table hop_limit_table = {
	.name = "hop_limit",
	.help = "Stops mail loops: a message with too many Received fields hears 554 5.4.6.",
	.size = sizeof(struct hop_limit_settings),
	.rows = hop_limit_rows,
	.where_offset = SIZE_MAX,
};

static enum link_answer
hop_limit_message(struct link_call *call)
{
	const struct hop_limit_settings *settings = link_settings(call);
	const size_t hops = message_count_of(link_message(call), "Received");

	if (hops <= (size_t)settings->max)
		return LINK_NEXT;
	return link_refuse(call, 554, "5.4.6",
	    "this message has passed %zu servers, %lld are allowed: it seems to go round in a "
	    "loop",
	    hops, (long long)settings->max);
}

const struct link link_hop_limit = {
	.abi = LINK_ABI,
	.name = "hop_limit",
	.summary = "stops mail loops by counting Received fields",
	.refuses = "554 5.4.6",
	.kind = LINK_POLICY, /* it only looks */
	.settings = &hop_limit_table,
	.message = hop_limit_message,
};
