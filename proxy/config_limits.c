/* SPDX-License-Identifier: MPL-2.0 */
/* The group limits: what a client may use up. Its rows, and what no row alone can check. */
#include "proxy/config_check.h"

#include "lib/mail/message.h"

#include <stddef.h>

#define MINUTE (60LL * 1000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    1024LL
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)

#define NAMED(key_, type_, member_) \
	.key = (key_), .type = (type_), .offset = offsetof(struct config_limits, member_)

static const struct conf_row limits_rows[] = {
	{ NAMED("message", CONF_SIZE, message_octets), .fallback = "50M", .min = 64 * KIB,
	    .max = 4 * GIB, .help = "The largest message; announced by SIZE." },
	{ NAMED("memory", CONF_SIZE, memory_octets), .fallback = "256K", .min = 4 * KIB,
	    .max = GIB,
	    .help =
		"What of a message is held in memory; a larger one goes to an unlinked file in "
		"state_dir while it is here." },
	{ NAMED("header", CONF_SIZE, header_octets), .fallback = "512K", .min = 4 * KIB,
	    .max = MESSAGE_HEADER_MAX, .help = "The largest header block." },
	{ NAMED("header_fields", CONF_INT, header_fields), .fallback = "2000", .min = 50,
	    .max = MESSAGE_FIELDS_MAX, .help = "The most header fields of a message." },
	{ NAMED("recipients", CONF_INT, recipients), .fallback = "1000", .min = 100,
	    .max = 100000,
	    .help =
		"Recipients of one message at most (452 4.5.3); the link recipient_limit sets "
		"lower ones." },
	{ NAMED("connections", CONF_INT, connections), .fallback = "10000", .min = 1,
	    .max = 1000000,
	    .help = "Client connections at a time; further ones hear 421 4.3.2." },
	{ NAMED("address_connections", CONF_INT, address_connections), .fallback = "100",
	    .min = 1, .max = 1000000,
	    .help = "Connections from one address (IPv6: one /64) at a time; further ones hear "
		    "421 4.7.0. Behind a balancer the client that it names counts, and the "
		    "balancer does not." },
	{ NAMED("network_connections", CONF_INT, network_connections), .fallback = "500",
	    .min = 1, .max = 1000000, .help = "And from one network (IPv4 /24, IPv6 /48)." },
	{ NAMED("workers", CONF_INT, workers), .fallback = "256", .min = 1, .max = 10000,
	    .help = "Threads at most; each carries one transaction that is not waiting for its "
		    "client." },
	{ NAMED("errors", CONF_INT, errors), .fallback = "20", .min = 1, .max = 100000,
	    .help =
		"Refused commands before a client is sent away with 421; 4xx to RCPT does not "
		"count." },
	{ NAMED("commands", CONF_INT, commands), .fallback = "2000", .min = 10, .max = 1000000,
	    .help = "Commands without a message before a client is sent away with 421; must be "
		    "over "
		    "recipients." },
	{ NAMED("auth_failures", CONF_INT, auth_failures), .fallback = "3", .min = 1,
	    .max = 1000,
	    .help = "Failed logins on one connection before it is closed with 421." },
	{ NAMED("greeting", CONF_DURATION, greeting_ms), .fallback = "1m", .min = 1000,
	    .max = HOUR,
	    .help = "How long a client may take for a TLS handshake, and until its EHLO." },
	{ NAMED("command", CONF_DURATION, command_ms), .fallback = "5m", .min = 1000,
	    .max = HOUR,
	    .help = "How long a client may take for each command (RFC 5321 asks for five "
		    "minutes)." },
	{ NAMED("data", CONF_DURATION, data_ms), .fallback = "3m", .min = 1000, .max = HOUR,
	    .help = "How long a client may pause within a message." },
	{ NAMED("data_rate", CONF_INT, data_rate), .fallback = "100", .min = 0, .max = 1000000,
	    .help = "Octets a second that a message must come at, once a client has used up "
		    "the time of data with pauses and slowness; 0 asks for none." },
	{ NAMED("session", CONF_DURATION, session_ms), .fallback = "1h", .min = 1000,
	    .max = 7 * DAY,
	    .help = "How long a connection lives; a transaction that runs is finished first, "
		    "but one that takes so long must bring 1000 octets a second in the mean." },
	{ .key = NULL },
};

const struct conf_table config_limits_table = {
	.name = "limits",
	.help =
	    "What a client may use up. Reaching a limit is an ordinary reply, never a crash.",
	.size = sizeof(struct config_limits),
	.rows = limits_rows,
	.where_offset = SIZE_MAX,
};

void
config_check_limits(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_limits *l = &c->config.limits;
	const struct conf_where where = { .file = c->file };

	if (l->commands <= l->recipients)
		conf_error(errors, where, "limits.commands",
		    "must be over limits.recipients (%lld): each recipient is a command",
		    (long long)l->recipients);
}
