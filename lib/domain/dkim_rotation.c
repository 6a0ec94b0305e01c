/* SPDX-License-Identifier: MPL-2.0 */
/* The states of key rotation and what changes them; see dkim_rotation.h. Pure. */
#include "lib/domain/dkim_rotation.h"

const char *
rotation_state_name(enum rotation_state state)
{
	switch (state) {
	case ROTATION_PENDING:
		return "pending";
	case ROTATION_ACTIVE:
		return "active";
	case ROTATION_RETIRING:
		return "retiring";
	case ROTATION_RETIRED:
		return "retired";
	}
	BUG("rotation state %d", (int)state);
}

struct rotation_key *
rotation_find(struct rotation *r, const char *selector)
{
	for (size_t i = 0; i < r->count; i++) {
		if (view_eq_nocase(view_of(r->keys[i].selector), view_of(selector)))
			return &r->keys[i];
	}
	return NULL;
}

/* goes_before - of two retired keys. One that may still be in the configuration is the last to
 * go: forgotten, it would be taken for one that signs. */
static bool
goes_before(const struct rotation_key *a, const struct rotation_key *b)
{
	return a->is_configured != b->is_configured ? b->is_configured : a->since < b->since;
}

/* The longest retired key gives its place to a newcomer: nobody needs it any more. */
static struct rotation_key *
add_key(struct rotation *r)
{
	size_t oldest = r->count;

	if (r->count < ROTATION_KEYS_MAX)
		return &r->keys[r->count++];
	for (size_t i = 0; i < r->count; i++) {
		if (r->keys[i].state == ROTATION_RETIRED &&
		    (oldest == r->count || goes_before(&r->keys[i], &r->keys[oldest])))
			oldest = i;
	}
	if (oldest == r->count)
		return NULL;
	memmove(&r->keys[oldest], &r->keys[oldest + 1],
	    (r->count - oldest - 1) * sizeof(r->keys[0]));
	return &r->keys[r->count - 1];
}

static bool
put_key(struct rotation *r, const char *selector, const struct rotation_key *key)
{
	struct rotation_key *place = add_key(r);

	if (place == NULL)
		return false;
	*place = *key;
	return view_copy(view_of(selector), place->selector, sizeof(place->selector));
}

bool
rotation_begin(struct rotation *r, const char *selector, enum dkim_algorithm algorithm,
    int64_t now, struct err *err)
{
	const struct rotation_key fresh = {
		.algorithm = algorithm, .state = ROTATION_PENDING, .since = now
	};

	if (!dkim_selector_is_valid(view_of(selector)))
		return err_set(err, ERR_CONFIG,
		    "\"%s\" is not a selector (letters, digits, hyphens, dots)", selector);
	if (rotation_find(r, selector) != NULL)
		return err_set(err, ERR_CONFIG,
		    "selector \"%s\" was used already: choose another", selector);
	for (size_t i = 0; i < r->count; i++) {
		if (r->keys[i].state == ROTATION_PENDING && r->keys[i].algorithm == algorithm)
			return err_set(err, ERR_CONFIG, "\"%s\" (%s) is pending already",
			    r->keys[i].selector, dkim_algorithm_name(algorithm));
	}
	if (!put_key(r, selector, &fresh))
		return err_set(err, ERR_LIMIT, "there are %d keys that are not retired yet",
		    ROTATION_KEYS_MAX);
	return true;
}

bool
rotation_adopt(
    struct rotation *r, const char *selector, enum dkim_algorithm algorithm, int64_t now)
{
	const struct rotation_key configured = { .algorithm = algorithm,
		.state = ROTATION_ACTIVE,
		.is_configured = true,
		.since = now };

	return rotation_find(r, selector) != NULL || put_key(r, selector, &configured);
}

static int64_t
longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void
activate(struct rotation *r, struct rotation_key *key, int64_t now)
{
	for (size_t i = 0; i < r->count; i++) {
		struct rotation_key *other = &r->keys[i];

		if (other->algorithm == key->algorithm && other->state == ROTATION_ACTIVE) {
			other->state = ROTATION_RETIRING;
			other->since = now;
		}
	}
	key->state = ROTATION_ACTIVE;
	key->since = now;
}

/*
 * A record that every server shows may still be missing for a resolver that asked before it was
 * there: it keeps that answer for the negative TTL (RFC 2308 5). So the wait is as long as that
 * at least, and begins anew whenever a server does not show it; for a pending key also when one
 * does not answer.
 */
static void
note_sight(struct rotation_key *key, const struct rotation_sight *sight, int64_t now)
{
	switch (sight->kind) {
	case SIGHT_SHOWN:
		key->ttl_s = longer(key->ttl_s, sight->ttl_s);
		if (key->shown_since == 0 || key->shown_since > now)
			key->shown_since = now;
		return;
	case SIGHT_MISSING:
		key->shown_since = 0;
		key->negative_ttl_s = longer(key->negative_ttl_s,
		    sight->ttl_s < ROTATION_TTL_MAX ? longer(sight->ttl_s, 1)
						    : ROTATION_TTL_MAX);
		return;
	case SIGHT_UNKNOWN:
		if (key->state == ROTATION_PENDING)
			key->shown_since = 0;
		return;
	}
	BUG("sight %d", (int)sight->kind);
}

void
rotation_wait_anew(struct rotation *r, int64_t last, int64_t now)
{
	for (size_t i = 0; i < r->count; i++) {
		struct rotation_key *key = &r->keys[i];

		if (key->state == ROTATION_PENDING ||
		    (key->state == ROTATION_ACTIVE && !rotation_is_settled(key, last)))
			key->shown_since = 0;
		else if (key->state == ROTATION_RETIRING)
			key->since = now;
	}
}

bool
rotation_is_settled(const struct rotation_key *key, int64_t now)
{
	return key->negative_ttl_s == 0 ||
	       (key->shown_since > 0 && now - key->shown_since >= key->negative_ttl_s);
}

int64_t
rotation_retires_at(const struct rotation_key *key, const struct rotation_rules *rules)
{
	return key->since + longer(rules->queue_life_s, key->ttl_s);
}

/*
 * is_replaced - an active key of that algorithm can be found by everybody; surely: every server
 * says so now.
 */
static bool
is_replaced(const struct rotation *r, const struct rotation_sight *sights,
    enum dkim_algorithm algorithm, bool surely, int64_t now)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct rotation_key *key = &r->keys[i];

		if (key->state == ROTATION_ACTIVE && key->algorithm == algorithm &&
		    rotation_is_settled(key, now) &&
		    (surely ? sights[i].kind == SIGHT_SHOWN : sights[i].kind != SIGHT_MISSING))
			return true;
	}
	return false;
}

static void
step_retiring(struct rotation *r, struct rotation_key *key, const struct rotation_sight *sights,
    const struct rotation_rules *rules, int64_t now)
{
	if (key->is_in_use)
		key->since = now; /* it has signed until this look */
	key->is_in_use = !is_replaced(r, sights, key->algorithm, false, now);
	if (key->is_in_use)
		key->since = now;
	else if (now >= rotation_retires_at(key, rules) &&
		 is_replaced(r, sights, key->algorithm, true, now)) {
		key->state = ROTATION_RETIRED;
		key->since = now;
	}
}

static bool
is_same(const struct rotation_key *a, const struct rotation_key *b)
{
	return a->state == b->state && a->is_in_use == b->is_in_use && a->since == b->since &&
	       a->shown_since == b->shown_since && a->ttl_s == b->ttl_s &&
	       a->negative_ttl_s == b->negative_ttl_s;
}

bool
rotation_step(struct rotation *r, const struct rotation_sight *sights,
    const struct rotation_rules *rules, int64_t now)
{
	const struct rotation before = *r;
	bool changed = false;

	for (size_t i = 0; i < r->count; i++) {
		struct rotation_key *key = &r->keys[i];

		if (key->state != ROTATION_RETIRED)
			note_sight(key, &sights[i], now);
		if (key->state == ROTATION_PENDING && sights[i].kind == SIGHT_SHOWN &&
		    now - key->shown_since >= rules->settle_s && rotation_is_settled(key, now))
			activate(r, key, now);
	}
	for (size_t i = 0; i < r->count; i++) {
		struct rotation_key *key = &r->keys[i];

		if (key->state == ROTATION_RETIRING)
			step_retiring(r, key, sights, rules, now);
		changed = changed || !is_same(key, &before.keys[i]);
	}
	return changed;
}

int
rotation_sign_order(const struct rotation_key *key)
{
	switch (key->state) {
	case ROTATION_ACTIVE:
		return 0;
	case ROTATION_RETIRING:
		return key->is_in_use ? 0 : 1;
	case ROTATION_PENDING:
	case ROTATION_RETIRED:
		return -1;
	}
	BUG("rotation state %d", (int)key->state);
}
