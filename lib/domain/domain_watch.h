/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What DNS says of the domains that we send for: does SPF cover our egress addresses, is each
 * selector's key published, what does DMARC ask. Found out in the background by one thread,
 * kept as immutable reports, never on the path of mail. Also the states of key rotation, which
 * decide which keys sign.
 *
 * What changes is logged once, when it changes: "domain.key" for a key, "domain.signing" when a
 * domain begins or ends to sign with keys that DNS does not show, "domain.spf", "domain.dmarc"
 * (configured domains only).
 */
#ifndef GATEPOST_DOMAIN_DOMAIN_WATCH_H
#define GATEPOST_DOMAIN_DOMAIN_WATCH_H

#include "lib/domain/dkim_rotation.h"
#include "lib/domain/dmarc.h"
#include "lib/domain/spf.h"

#define WATCH_EGRESS_MAX 32
#define WATCH_GUESTS_MAX 1000 /* domains that are not configured, learned from mail */

enum key_presence {
	KEY_UNKNOWN,   /* not asked yet, or DNS gave no answer and never has */
	KEY_CONFIRMED, /* DNS shows the key that signs */
	KEY_ABSENT,
	KEY_MISMATCH, /* another key, or one that may not be used so */
};

struct watched_key {
	const char *selector;
	enum dkim_algorithm algorithm;
	enum key_presence presence;
	bool is_stale;	     /* the last look failed: presence is of an earlier one */
	int sign_order;	     /* 0, 1: may sign (see domain_check.h); -1: never */
	const char *why;     /* "" or a sentence */
	const char *publish; /* the zone line to publish; says which key it is */
	const char
	    *rotation; /* "pending", "active", "retiring", "retired"; NULL: not rotated */
};

struct watched_address {
	const char *text;	/* "192.0.2.1" */
	struct spf_outcome spf; /* TEMPERROR with problem "": not asked yet */
	bool is_stale;
};

struct domain_report {
	const char *domain;
	int64_t checked_at; /* seconds since 1970; 0: not yet */
	/* SPF for each egress address; the worst in spf. No egress configured: AUTHRES_NONE. */
	bool has_egress;
	const struct watched_address *addresses;
	size_t address_count;
	struct spf_outcome spf;	 /* of the worst one; explanation "" */
	const char *spf_address; /* that address */
	const char *spf_publish; /* what to do, "add ip4:192.0.2.1 to ..."; "" when it passes */
	struct dmarc_policy_found dmarc;
	bool is_dmarc_stale;
	const struct watched_key *keys;
	size_t key_count;
	/*
	 * The keys to sign with now: the confirmed ones of the keyring and rotation; when none
	 * is confirmed, all that may sign.
	 */
	struct dkim_domain signing;
	bool signs_unconfirmed; /* none is confirmed, so all of them sign */
};

struct watch_config {
	const struct dkim_keyring *keyring; /* borrowed, outlives the watch */
	/* Domains to watch that have no keys; those of the keyring are watched anyway. */
	const char *const *domains; /* A-labels; borrowed until create returns */
	size_t domain_count;
	const struct dns_source *dns; /* borrowed, outlives the watch */
	const char *hostname;
	struct sockaddr_storage egress[WATCH_EGRESS_MAX];
	size_t egress_count;
	const char *rotation_dir; /* STATE_DIR/dkim; NULL: no rotation */
	struct rotation_rules rotation;
	const struct dkim_key_source *keys; /* borrowed; NULL: rotation's keys are read here */
	int64_t refresh_s, retry_s; /* between looks: when all is well; when something is not */
	int64_t timeout_ms;	    /* for the look at one domain */
	bool is_dry;		    /* changes no rotation, logs nothing: for a person */
};

struct domain_watch;

struct domain_watch *domain_watch_create(const struct watch_config *config);
/* domain_watch_destroy - stops its thread; waits for a part of a second, or for five when it is
 * asking every server of a domain. All reports have been given back. */
void domain_watch_destroy(struct domain_watch **w);

/*
 * domain_watch_inherit - what another watch knows of domains that both have, and its guests:
 * for a reload, before start. Only what is about the same key or address. Both may be in use.
 */
void domain_watch_inherit(struct domain_watch *w, struct domain_watch *from);

/* domain_watch_start - the thread. domain_watch_wait - until each domain was looked at once,
 * or the deadline; false: not all. */
MUST_CHECK bool domain_watch_start(struct domain_watch *w, struct err *err);
bool domain_watch_wait(struct domain_watch *w, int64_t deadline_ms);

/* domain_watch_stop - its thread ends soon; what is known can still be taken. */
void domain_watch_stop(struct domain_watch *w);

/* domain_watch_refresh - look at one domain now (NULL: all that are due), on this thread. */
void domain_watch_refresh(struct domain_watch *w, const char *domain);

/*
 * domain_watch_take - the newest report of a domain (A-labels); never blocks on DNS. A domain
 * that is not configured is noted for the next look and gives NULL until then. Give it back.
 */
const struct domain_report *domain_watch_take(struct domain_watch *w, const char *domain);
/* domain_watch_take_own - of a configured domain; NULL, and nothing noted, for any other. */
const struct domain_report *domain_watch_take_own(struct domain_watch *w, const char *domain);
void domain_watch_give(struct domain_watch *w, const struct domain_report **report);

#endif
