/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A snapshot: one configuration made ready to serve (TLS contexts, keys, chains, upstreams,
 * backends). Immutable, counted: a reload makes a new one, sessions keep the one they began
 * with.
 */
#ifndef GATEPOST_PROXY_SNAPSHOT_H
#define GATEPOST_PROXY_SNAPSHOT_H

#include "lib/net/address.h"
#include "lib/net/resolver.h"
#include "lib/net/tls.h"
#include "proxy/auth/auth.h"
#include "proxy/config.h"
#include "proxy/ops/trace.h"
#include "proxy/upstream/upstream.h"

#include <stdatomic.h>

struct snapshot_service {
	const struct config_service *config; /* NULL: no listener has this role */
	struct chain *chain;		     /* owned */
	struct upstream *upstream;	     /* borrowed from upstreams */
};

struct snapshot_listener {
	const struct config_listener *config;
	struct sockaddr_storage address;
	SSL_CTX *tls;			  /* owned; NULL: tls = none */
	struct network *proxy_networks;	  /* owned; as many as config->proxy_networks */
	struct network *xclient_networks; /* owned; likewise */
};

struct snapshot {
	atomic_uint references;
	struct loaded_config *loaded;	 /* owned */
	const struct config *config;	 /* borrowed from loaded */
	struct dkim_keyring *keyring;	 /* owned */
	struct keeper_client *keeper;	 /* owned; NULL: the keyring has the private keys */
	struct table_set *tables;	 /* owned */
	struct dmarc_store *dmarc_store; /* shared by snapshots; NULL: nothing is recorded */
	struct trace *trace;		 /* likewise; NULL: not enabled */
	struct resolver *resolver;	 /* owned; the next snapshot may share it */
	const struct dns_source *dns;	 /* of the resolver, or a rehearsal's */
	bool is_rehearsal;
	struct upstream **upstreams;	     /* owned; as many as config->upstreams */
	const char **upstream_names;	     /* owned; likewise */
	struct snapshot_service services[2]; /* by enum gate_role */
	struct snapshot_listener *listeners; /* owned; as many as config->listeners */
	struct authenticator *authenticator; /* owned; NULL without backends */
	struct domain_watch *watch; /* owned; NULL: nobody needs it, or it is disabled */
	char *temp_dir;		    /* owned: for message bodies */
	size_t warnings;	    /* logged while it was made */
};

/*
 * snapshot_create - takes *loaded over, also on failure. Reads certificates and keys, so it may
 * need root at start. NULL when an error was added. Begins with one reference.
 */
MUST_CHECK struct snapshot *snapshot_create(
    struct loaded_config **loaded, struct conf_errors *errors);

/*
 * snapshot_rehearse - likewise, for gatepost explain: chains, keys and backends over the DNS
 * that is given (borrowed, outlives the snapshot). Without listeners, upstreams, a store of
 * DMARC results and a temporary folder: nothing can be served and nothing is written. The watch
 * has no thread: domain_watch_refresh makes its rounds.
 */
MUST_CHECK struct snapshot *snapshot_rehearse(
    struct loaded_config **loaded, const struct dns_source *dns, struct conf_errors *errors);

/*
 * snapshot_start - what runs beside the sessions: the watch, with what the one of before (NULL:
 * none) knows. Waits up to watch.start_wait for its first round. After the change of user.
 */
MUST_CHECK bool snapshot_start(
    struct snapshot *s, const struct snapshot *before, struct err *err);
/* snapshot_retire - a newer one is in force: nothing of s runs beside the sessions it has. */
void snapshot_retire(struct snapshot *s);

/* snapshot_upstream - of that name; NULL: there is none (in a rehearsal never). */
struct upstream *snapshot_upstream(const struct snapshot *s, const char *name);

struct snapshot *snapshot_hold(struct snapshot *s);
void snapshot_release(struct snapshot **s);

#endif
