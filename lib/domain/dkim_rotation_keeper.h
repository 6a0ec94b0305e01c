/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rotation at work in the gate: for each of its domains the keys that there are (the
 * configuration's, and those that `gatepost rotate` made), with what rotation says of them. A
 * look asks every authoritative server, moves the states and writes them down before anything
 * follows from them. One thread at a time.
 */
#ifndef GATEPOST_DOMAIN_DKIM_ROTATION_KEEPER_H
#define GATEPOST_DOMAIN_DKIM_ROTATION_KEEPER_H

#include "lib/domain/dkim_rotation.h"
#include "lib/domain/domain_check.h"
#include "lib/net/dns.h"

#include <stdatomic.h>

struct rotation_keeper;

/* rotation_keeper_create - folder: STATE_DIR/dkim, which need not be there. */
struct rotation_keeper *rotation_keeper_create(
    const char *folder, const struct rotation_rules *rules);
/* rotation_keeper_set_source - where it gets private keys from (borrowed); NULL: their files.
 */
void rotation_keeper_set_source(
    struct rotation_keeper *k, const struct dkim_key_source *source);
/* rotation_keeper_destroy - the keys that it handed out end with it. */
void rotation_keeper_destroy(struct rotation_keeper **k);

struct rotation_look {
	const char *domain;		      /* A-labels */
	const struct dkim_domain *configured; /* of the keyring; NULL: no key is configured */
	const struct dns_source *dns;	      /* NULL: only say what is known, ask nobody */
	int64_t now;			      /* seconds since 1970 */
	int64_t deadline_ms;
	/* What has signed since the look before; NULL: nothing, or it is not known. */
	const struct dkim_domain *signed_with;
	const atomic_bool
	    *is_stopping; /* true: answers are missing, so nothing moves; or NULL */
	bool is_dry;	  /* for a person: change nothing, log nothing */
};

/*
 * rotation_keeper_look - fills keys_out (room for DOMAIN_KEYS_MAX) and gives their number.
 * Texts live in the arena, keys in the keeper or the keyring. Trouble with the file or a key is
 * logged, and what was known before stays in force. *is_moving_out: a key is pending, so look
 * again soon.
 */
size_t rotation_keeper_look(struct rotation_keeper *k, const struct rotation_look *look,
    struct arena *arena, struct domain_key *keys_out, bool *is_moving_out);

/* rotation_keeper_has_changed - the domain's file is another than at the last look. */
bool rotation_keeper_has_changed(struct rotation_keeper *k, const char *domain);

/*
 * rotation_sight_of - what every authoritative server says of one key. *missing_out: the first
 * server that does not show it, NULL: none (text in the arena).
 */
struct rotation_sight rotation_sight_of(const struct rotation_look *look, const char *selector,
    const struct dkim_key *key, struct arena *arena, const char **missing_out);

#endif
