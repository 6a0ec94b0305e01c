/* SPDX-License-Identifier: MPL-2.0 */
/* The group metrics: its rows. Its check needs the listeners: config_check.c. */
#include "proxy/config.h"

#include <stddef.h>

#define NAMED(key_, type_, member_) \
	.key = (key_), .type = (type_), .offset = offsetof(struct config_metrics, member_)

static const struct conf_row metrics_rows[] = {
	{ NAMED("listen", CONF_STRING, listen),
	    .help = "Numeric address and port; without it nothing is served." },
	{ NAMED("insecure", CONF_BOOL, insecure), .fallback = "false",
	    .help = "Allows an address that is not loopback: everybody who reaches it can read "
		    "the numbers." },
	{ .key = NULL },
};

const struct conf_table config_metrics_table = {
	.name = "metrics",
	.help = "Numbers for Prometheus at http://LISTEN/metrics, in clear and for everybody "
		"who can connect.",
	.size = sizeof(struct config_metrics),
	.rows = metrics_rows,
	.where_offset = offsetof(struct config_metrics, where),
};
