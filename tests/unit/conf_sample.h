/* SPDX-License-Identifier: MPL-2.0 */
/* A configuration with a row of every type, for the unit test and the fuzzer of lib/base/conf.
 */
#ifndef GATEPOST_TESTS_CONF_SAMPLE_H
#define GATEPOST_TESTS_CONF_SAMPLE_H

#include "lib/base/conf.h"

#include <stddef.h>

struct sample_key {
	struct conf_where where;
	const char *selector;
	const char *file;
};

struct sample_listener {
	struct conf_where where;
	const char *listen;
	int tls;
	int64_t timeout_ms;
	struct conf_list keys; /* struct sample_key */
};

struct sample_limits {
	struct conf_where where;
	int64_t message_octets, recipients, any, below;
	int64_t idle_ms;
	bool strict;
	const char *must;
};

struct sample {
	const char *hostname, *state_dir, *motto, *password;
	struct conf_strings servers, names;
	struct conf_list listeners; /* struct sample_listener */
	struct sample_limits limits;
};

struct sample_extra {
	struct conf_where where;
	int64_t count;
};

static const struct conf_choice sample_tls[] = {
	{ "none", 10 },
	{ "starttls", 11 },
	{ "implicit", 12 },
	{ NULL, 0 },
};

static const struct conf_row sample_key_rows[] = {
	{ .key = "selector",
	    .type = CONF_STRING,
	    .offset = offsetof(struct sample_key, selector),
	    .required = true,
	    .help = "The name in DNS." },
	{ .key = "file",
	    .type = CONF_PATH,
	    .offset = offsetof(struct sample_key, file),
	    .help = "A PEM file." },
	{ .key = NULL },
};

static const struct conf_table sample_key_table = {
	.name = "keys",
	.help = "Keys of a listener.",
	.size = sizeof(struct sample_key),
	.rows = sample_key_rows,
	.where_offset = offsetof(struct sample_key, where),
};

static const struct conf_row sample_listener_rows[] = {
	{ .key = "listen",
	    .type = CONF_STRING,
	    .offset = offsetof(struct sample_listener, listen),
	    .required = true,
	    .help = "Address and port." },
	{ .key = "tls",
	    .type = CONF_ENUM,
	    .offset = offsetof(struct sample_listener, tls),
	    .fallback = "starttls",
	    .choices = sample_tls,
	    .help = "How TLS begins." },
	{ .key = "timeout",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct sample_listener, timeout_ms),
	    .fallback = "30s",
	    .min = 100,
	    .max = 300000,
	    .help = "How long; a|b." },
	{ .key = "keys",
	    .type = CONF_LIST,
	    .offset = offsetof(struct sample_listener, keys),
	    .table = &sample_key_table,
	    .help = "Its keys." },
	{ .key = NULL },
};

static const struct conf_table sample_listener_table = {
	.name = "listeners",
	.help = "Where clients connect.",
	.size = sizeof(struct sample_listener),
	.rows = sample_listener_rows,
	.where_offset = offsetof(struct sample_listener, where),
};

static const struct conf_row sample_limits_rows[] = {
	{ .key = "message",
	    .type = CONF_SIZE,
	    .offset = offsetof(struct sample_limits, message_octets),
	    .fallback = "25M",
	    .min = 65536,
	    .max = INT64_C(8) << 30,
	    .help = "The largest message." },
	{ .key = "recipients",
	    .type = CONF_INT,
	    .offset = offsetof(struct sample_limits, recipients),
	    .fallback = "100",
	    .min = 1,
	    .max = 1000,
	    .help = "The most recipients." },
	{ .key = "any",
	    .type = CONF_INT,
	    .offset = offsetof(struct sample_limits, any),
	    .help = "Any number from 0 on." },
	{ .key = "below",
	    .type = CONF_INT,
	    .offset = offsetof(struct sample_limits, below),
	    .fallback = "-5",
	    .min = -10,
	    .max = -1,
	    .help = "A number below 0." },
	{ .key = "idle",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct sample_limits, idle_ms),
	    .fallback = "0",
	    .min = 0,
	    .max = 3600000,
	    .help = "How long to wait." },
	{ .key = "strict",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct sample_limits, strict),
	    .fallback = "true",
	    .help = "Whether." },
	{ .key = "must",
	    .type = CONF_STRING,
	    .offset = offsetof(struct sample_limits, must),
	    .required = true,
	    .help = "Required when the group is there." },
	{ .key = NULL },
};

static const struct conf_table sample_limits_table = {
	.name = "limits",
	.help = "What a client may use up.",
	.size = sizeof(struct sample_limits),
	.rows = sample_limits_rows,
	.where_offset = offsetof(struct sample_limits, where),
};

static const struct conf_row sample_rows[] = {
	{ .key = "hostname",
	    .type = CONF_STRING,
	    .offset = offsetof(struct sample, hostname),
	    .required = true,
	    .help = "The name." },
	{ .key = "state_dir",
	    .type = CONF_PATH,
	    .offset = offsetof(struct sample, state_dir),
	    .fallback = "/var/lib/sample",
	    .help = "The folder." },
	{ .key = "motto",
	    .type = CONF_STRING,
	    .offset = offsetof(struct sample, motto),
	    .help = "A few words." },
	{ .key = "password",
	    .type = CONF_SECRET,
	    .offset = offsetof(struct sample, password),
	    .help = "A password." },
	{ .key = "servers",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct sample, servers),
	    .help = "Servers." },
	{ .key = "names",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct sample, names),
	    .fallback = "one, two",
	    .help = "Names." },
	{ .key = "listeners",
	    .type = CONF_LIST,
	    .offset = offsetof(struct sample, listeners),
	    .table = &sample_listener_table,
	    .help = "Listeners." },
	{ .key = "limits",
	    .type = CONF_GROUP,
	    .offset = offsetof(struct sample, limits),
	    .table = &sample_limits_table,
	    .help = "Limits." },
	{ .key = NULL },
};

static const struct conf_table sample_table = {
	.name = "sample.conf",
	.help = "A sample.",
	.size = sizeof(struct sample),
	.rows = sample_rows,
	.where_offset = SIZE_MAX,
};

static const struct conf_row sample_extra_rows[] = {
	{ .key = "count",
	    .type = CONF_INT,
	    .offset = offsetof(struct sample_extra, count),
	    .fallback = "7",
	    .min = 1,
	    .max = 9,
	    .help = "How many." },
	{ .key = NULL },
};

static const struct conf_table sample_extra_table = {
	.name = "spf",
	.help = "A group that a part of the program brings along.",
	.size = sizeof(struct sample_extra),
	.rows = sample_extra_rows,
	.where_offset = offsetof(struct sample_extra, where),
};

#endif
