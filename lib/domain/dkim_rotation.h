/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Key rotation for a domain whose DNS is somebody else's: a new key waits (pending) until every
 * authoritative server shows its record, signs from then on (active), and the key that it
 * replaced stays published for as long as mail signed with it may be under way (retiring)
 * before its record may go (retired).
 *
 * The states are plain values; rotation_step is pure. They live in one small file for each
 * domain, FOLDER/DOMAIN/states, beside the private keys FOLDER/DOMAIN/SELECTOR.pem. The gate
 * and `gatepost rotate` both write it: under rotation_lock, whole, by rename.
 */
#ifndef GATEPOST_DOMAIN_DKIM_ROTATION_H
#define GATEPOST_DOMAIN_DKIM_ROTATION_H

#include "lib/domain/dkim_key.h"

#define ROTATION_KEYS_MAX 32 /* of one domain, retired ones included */
/* Seconds: RFC 2308 5 lets nobody keep "none" longer. */
#define ROTATION_NEGATIVE_TTL_MAX 86400
/* Seconds: large resolvers keep no record longer. */
#define ROTATION_TTL_MAX 604800

enum rotation_state {
	ROTATION_PENDING,  /* made, not yet shown by every server */
	ROTATION_ACTIVE,   /* signs */
	ROTATION_RETIRING, /* signs no more; its record must stay */
	ROTATION_RETIRED,  /* its record may be taken out of the DNS */
};

struct rotation_key {
	char selector[DKIM_SELECTOR_MAX + 1];
	enum dkim_algorithm algorithm;
	enum rotation_state state;
	bool is_configured; /* the private key is named in the configuration, not in FOLDER */
	bool is_in_use;	    /* retiring: signs again, as the active key cannot be found */
	/* Seconds since 1970: when the state began; retiring: when it last signed. */
	int64_t since;
	int64_t shown_since; /* every server has shown it since then; 0: not so */
	int64_t ttl_s;	     /* the longest TTL that its record was seen with */
	/*
	 * How long a resolver may believe that the record is not there, or another one is; 0:
	 * it never was missing.
	 */
	int64_t negative_ttl_s;
};

struct rotation {
	struct rotation_key keys[ROTATION_KEYS_MAX];
	size_t count;
};

struct rotation_rules {
	int64_t settle_s; /* how long every server must have shown a pending key, at least */
	int64_t queue_life_s; /* how long a message may be under way */
};

/* What DNS shows of one key. */
enum rotation_sight_kind {
	SIGHT_SHOWN,   /* every authoritative server, the very key */
	SIGHT_MISSING, /* at least one does not, or shows another */
	SIGHT_UNKNOWN, /* those that answer show it, but not all answer; or nobody does */
};
struct rotation_sight {
	enum rotation_sight_kind kind;
	/* SHOWN: the longest; MISSING: how long what was seen instead may be believed. */
	uint32_t ttl_s;
};

const char *rotation_state_name(enum rotation_state state); /* "pending" */

/* rotation_find - NULL: none of that name (no case). */
struct rotation_key *rotation_find(struct rotation *r, const char *selector);

/*
 * rotation_begin - add a pending key. The configured or earlier keys that sign today must be in
 * the list before (rotation_adopt). Errors: ERR_CONFIG the selector is taken; one is pending
 * for this algorithm already; ERR_LIMIT.
 */
MUST_CHECK bool rotation_begin(struct rotation *r, const char *selector,
    enum dkim_algorithm algorithm, int64_t now, struct err *err);

/* rotation_adopt - a configured key that nobody has rotated yet is active from now on; false:
 * no room. One that is in the list already stays as it is. */
MUST_CHECK bool rotation_adopt(
    struct rotation *r, const char *selector, enum dkim_algorithm algorithm, int64_t now);

/*
 * rotation_step - what the sights (one for each key, in order) change. True: something did. At
 * most one pending key of an algorithm becomes active; the active ones of that algorithm are
 * retiring then. A key retires only while an active one of its algorithm is shown.
 */
bool rotation_step(struct rotation *r, const struct rotation_sight *sights,
    const struct rotation_rules *rules, int64_t now);

/*
 * rotation_wait_anew - the clock went forward, or may have: what is waiting begins anew. last:
 * when the states were looked at last, before that.
 */
void rotation_wait_anew(struct rotation *r, int64_t last, int64_t now);

/*
 * rotation_is_settled - no resolver can still believe that the record is missing. An active key
 * whose record was lost and came back has to wait as a new one does.
 */
bool rotation_is_settled(const struct rotation_key *key, int64_t now);

/* rotation_retires_at - when a retiring key's record may go at the earliest. */
int64_t rotation_retires_at(const struct rotation_key *key, const struct rotation_rules *rules);

/*
 * rotation_sign_order - may it sign, and how gladly: 0 an active key, or a retiring one that
 * had to sign again; 1 any other retiring one (only where no active one is confirmed); -1
 * never.
 */
int rotation_sign_order(const struct rotation_key *key);

/* ---- the file ---- */

/*
 * rotation_lock - exclusive, waits up to deadline_ms; the folder must be there. -1: error.
 * Give it to rotation_unlock.
 */
MUST_CHECK int rotation_lock(
    const char *folder, const char *domain, int64_t deadline_ms, struct err *err);
void rotation_unlock(int *lock);

/* rotation_read - no file is an empty list. Errors: ERR_IO, ERR_CONFIG with file:line. */
MUST_CHECK bool rotation_read(
    const char *folder, const char *domain, struct rotation *out, struct err *err);
/* rotation_write - whole, synced, by rename. Hold the lock. */
MUST_CHECK bool rotation_write(
    const char *folder, const char *domain, const struct rotation *r, struct err *err);

/* rotation_key_path - FOLDER/DOMAIN/SELECTOR.pem; false: longer than room. */
MUST_CHECK bool rotation_key_path(
    const char *folder, const char *domain, const char *selector, char *out, size_t room);

#endif
