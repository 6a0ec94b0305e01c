/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The configuration file as structs. config_tables.c holds the rows that fill them (and with
 * that the manual); config.c loads and checks what no single row can check; snapshot.c makes of
 * it what serves. Values live in the configuration's arena.
 */
#ifndef GATEPOST_PROXY_CONFIG_H
#define GATEPOST_PROXY_CONFIG_H

#include "lib/base/conf.h"
#include "lib/chain/chain.h"
#include "lib/mail/facts.h"
#include "lib/table/table_set.h"
#include "proxy/config_limits.h"
#include "proxy/config_ops.h"
#include "proxy/config_peers.h"
#include "proxy/config_penalties.h"

enum backend_type { BACKEND_PASSWD, BACKEND_UPSTREAM };

struct config_backend {
	struct conf_where where;
	int type;	      /* enum backend_type */
	const char *file;     /* passwd: users file */
	const char *server;   /* upstream: host:port, always verified TLS */
	int tls;	      /* upstream: implicit or starttls (enum listener_tls) */
	const char *tls_name; /* upstream: name in the certificate; default: the host */
	const char *ca_file;  /* upstream: default the system's */
	const char *patterns; /* upstream: file "login:patterns"; NULL: the login itself */
	int64_t timeout_ms;
};

struct config_auth {
	struct conf_list backends; /* struct config_backend */
	int64_t cache_ms;	   /* life of a proven credential; 0: no cache */
	int64_t cache_entries;
	struct config_penalties penalties;
};

struct config_dkim_key {
	struct conf_where where;
	const char *selector;
	const char *key; /* PEM file */
};

struct config_domain {
	struct conf_where where;
	const char *name;
	struct conf_list dkim; /* struct config_dkim_key */
};

struct config_service { /* "submission", "inbound" */
	struct conf_where where;
	const char *upstream;
	struct conf_strings chain;
	bool received_client; /* our Received field names the client's address */
	bool strict_helo;     /* a HELO name is a domain or an address literal */
};

struct config_rotation {
	int64_t settle_ms;     /* every server must have shown a new key that long */
	int64_t queue_life_ms; /* how long a message may be under way */
};

struct config_watch {
	struct conf_where where;
	bool enabled;
	int64_t refresh_ms, retry_ms; /* between looks: all is well; something is not */
	int64_t timeout_ms;	      /* of the look at one domain */
	int64_t start_wait_ms;	      /* before the first client is let in */
};

struct config_dns {
	struct conf_where where;
	struct conf_strings servers; /* numeric, with a port */
	bool recursive;
	const char *trust_anchor;
	int64_t timeout_ms, message_timeout_ms, cache_octets;
	int64_t authority_port;
};

struct config {
	const char *hostname, *state_dir, *user, *group, *keeper_user;
	struct config_tls tls;
	struct conf_list listeners; /* struct config_listener */
	struct config_auth auth;
	struct conf_list domains;   /* struct config_domain */
	struct conf_list upstreams; /* struct config_upstream */
	struct config_service submission, inbound;
	struct config_dns dns;
	struct config_watch watch;
	struct config_rotation rotation;
	struct config_limits limits;
	struct config_log log;
	struct config_dmarc_reports dmarc_reports;
	struct conf_list tables; /* struct table_config */
	struct config_trace trace;
	struct config_metrics metrics;
	struct config_confine confine;
	int64_t drain_ms; /* SIGTERM: running transactions may finish within */
};

extern const struct conf_table config_table; /* the root */
extern const struct conf_table config_confine_table;
extern const struct conf_table config_dmarc_reports_table;
extern const struct conf_table config_listener_table;
extern const struct conf_table config_limits_table;
extern const struct conf_table config_metrics_table;
extern const struct conf_table config_penalties_table;
extern const struct conf_table config_tls_table;
extern const struct conf_table config_trace_table;
extern const struct conf_table config_upstream_table;

/* A shared object that a chain calls. */
struct loaded_plugin {
	const char *path;
	const struct link *link; /* NULL: why says why not */
	const char *why;
};

/* A loaded file: the config, and the chain entries of both services (nothing is set up yet). */
struct loaded_config {
	struct arena arena;
	struct config config;
	const char *file; /* as given to config_load */
	const struct link *
	    *links; /* the built-in ones (proxy/links.h), then those of plugins */
	struct conf_extra *groups; /* of the links */
	size_t link_count;
	struct loaded_plugin *plugins; /* that the chains call */
	size_t plugin_count;
	struct chain_entry *submission_chain, *inbound_chain;
	size_t submission_count, inbound_count;
};

/*
 * config_load - read and check a file; NULL when an error was added. Checks that need no other
 * file: names that must exist (upstream of a service, links of a chain), tls = none off
 * loopback, keys that do not belong to a type, AUTH without TLS, duplicates, numeric listen
 * addresses.
 */
MUST_CHECK struct loaded_config *config_load(const char *file, struct conf_errors *errors);
/* Not "config_destroy": libconfig has that name, and a linker would take either. */
void config_unload(struct loaded_config **c);

/*
 * config_warn - what is allowed but hardly meant (nobody can log in, a domain signs nothing):
 * as errors are written, for check-config and the log.
 */
void config_warn(const struct loaded_config *c, struct conf_errors *warnings);

/* config_dmarc_store_path - STATE_DIR/dmarc.sqlite; false: longer than room. */
MUST_CHECK bool config_dmarc_store_path(const struct config *config, char *out, size_t room);

/* config_trace_folder - STATE_DIR/trace; false: longer than room. */
MUST_CHECK bool config_trace_folder(const struct config *config, char *out, size_t room);

/* config_dmarc_upstream - the name of the upstream that carries aggregate reports, or NULL. */
const char *config_dmarc_upstream(const struct config *config);

#endif
