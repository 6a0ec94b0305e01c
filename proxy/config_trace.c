/* SPDX-License-Identifier: MPL-2.0 */
/* The group trace: its rows, its checks, and the name of the folder that it is about. */
#include "proxy/config_check.h"

#include <stddef.h>
#include <stdio.h>

#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define NAMED(key_, type_, member_) \
	.key = (key_), .type = (type_), .offset = offsetof(struct config_trace, member_)

static const struct conf_row trace_rows[] = {
	{ NAMED("enabled", CONF_BOOL, enabled), .fallback = "false",
	    .help = "Whether a record of each transaction is written: every link's verdict and "
		    "time, and the upstream's replies. gatepost trace shows them." },
	{ NAMED("max_size", CONF_SIZE, max_size_octets), .fallback = "64M", .min = 128 * KIB,
	    .max = 16 * GIB, .help = "How large a file grows before the next one is begun." },
	{ NAMED("keep", CONF_INT, keep), .fallback = "5", .min = 1, .max = 100,
	    .help = "How many files there are, the one that grows among them; the oldest is "
		    "removed. So max_size times keep is the most that records take." },
	{ NAMED("max_record", CONF_SIZE, max_record_octets), .fallback = "256K",
	    .min = 128 * KIB, .max = MIB,
	    .help = "How large a record gets; of what does not fit the number is kept." },
	{ NAMED("header", CONF_BOOL, header), .fallback = "true",
	    .help = "Whether records have the message's From and Message-ID, and the text of "
		    "fields that links add or remove; otherwise only the fields' names." },
	{ .key = NULL },
};

const struct conf_table config_trace_table = {
	.name = "trace",
	.help =
	    "A record of each transaction in STATE_DIR/trace, a line of JSON: who sent what "
	    "to whom, what each link said to it and how long it took, what the upstream "
	    "answered, how it ended. No passwords and no content of messages. Mail never "
	    "waits for it: what cannot be written is lost.",
	.size = sizeof(struct config_trace),
	.rows = trace_rows,
	.where_offset = offsetof(struct config_trace, where),
};

bool
config_trace_folder(const struct config *config, char *out, size_t room)
{
	const int len = snprintf(out, room, "%s/trace", config->state_dir);

	return len > 0 && (size_t)len < room;
}

void
config_check_trace(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_trace *trace = &c->config.trace;

	if (trace->enabled && trace->max_record_octets > trace->max_size_octets)
		conf_error(errors, config_where(c, trace->where), "trace.max_record",
		    "is larger than max_size: such a record would fit into no file");
}
