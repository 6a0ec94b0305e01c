/* SPDX-License-Identifier: MPL-2.0 */
/* The groups of the configuration that are about looking at the gate: part of config.h. */
#ifndef GATEPOST_PROXY_CONFIG_OPS_H
#define GATEPOST_PROXY_CONFIG_OPS_H

#include "lib/base/conf.h"

/* Also for who looks at these before the tables do (key_list.h). */
#define CONFIG_USER_DEFAULT	 "gatepost"
#define CONFIG_STATE_DIR_DEFAULT "/var/lib/gatepost"
/* If there are such accounts: */
#define CONFIG_KEEPER_DEFAULT "gatepost-keeper"
#define CONFIG_JUDGE_DEFAULT  "gatepost-judge"

struct config_dmarc_reports {
	struct conf_where where;
	bool store;
	int64_t keep_ms, max_store_octets, max_size_octets;
	const char *from, *org_name, *contact; /* NULL: not set */
	const char *upstream;		       /* see config_dmarc_upstream */
};

struct config_trace {
	struct conf_where where;
	bool enabled, header;
	int64_t max_size_octets, max_record_octets;
	int64_t keep; /* files */
};

struct config_metrics {
	struct conf_where where;
	const char *listen; /* "127.0.0.1:9125"; NULL: metrics are not served */
	bool insecure;	    /* allows an address that is not loopback */
};

struct config_confine {
	struct conf_where where;
	struct conf_strings off; /* names of layers (proxy/confine.h) */
};

/* config_confine_off - the same as a set of confine_bit(). */
unsigned config_confine_off(const struct config_confine *confine);

struct config_log {
	int level, format, target;
};

#endif
