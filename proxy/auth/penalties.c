/* SPDX-License-Identifier: MPL-2.0 */
/*
 * See penalties.h. The table is an array of buckets of WAYS entries; a keyed hash, which is all
 * that an entry knows of whom it is about, chooses the bucket. When one is full, the entry that
 * protects least makes room (worth_of), the one not used for longest among equals.
 */
#include "proxy/auth/penalties.h"

#include "lib/base/keyed_hash.h"
#include "lib/base/mem.h"
#include "lib/net/address.h"

#include <openssl/rand.h>
#include <pthread.h>

#define WAYS	     8	 /* entries of a bucket */
#define BUSY_MS	     100 /* between looks whether another try has ended */
#define FAILURES_MAX 1000
#define TEXT_MAX     1024 /* of what is hashed at a time */

/* What entries are worth; a guess counts one. */
#define WORTH_KNOWN   8
#define WORTH_BLOCKED (1ULL << 40)
#define WORTH_PENDING (1ULL << 41)

struct entry {
	uint64_t id;	   /* 0: free */
	uint64_t password; /* of a pair: the last wrong one */
	int64_t used_ms, halved_ms;
	int64_t next_ms; /* no try before */
	int64_t blocked_until_ms, known_until_ms;
	uint32_t guesses;
	uint16_t failures; /* guesses, and repetitions of them: for the delay */
	uint16_t pending;  /* tries that are being checked */
};

/* Guarded by lock, but for the key. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char key[KEYED_HASH_KEY]; /* written once, before anybody reads it */
static struct entry *table;		  /* owned; bucket_count * WAYS */
static size_t bucket_count;

static void
make_key(void)
{
	if (RAND_bytes(key, sizeof(key)) != 1)
		BUG("no random octets");
}

/* ---- whom it is about ---- */

/* hash_of - never 0. before makes it another one for each kind and each pair. */
static uint64_t
hash_of(uint64_t before, struct view octets)
{
	char text[sizeof(before) + TEXT_MAX];
	const size_t len = octets.len < TEXT_MAX ? octets.len : TEXT_MAX;
	uint64_t hash;

	memcpy(text, &before, sizeof(before));
	memcpy(text + sizeof(before), octets.p, len);
	hash = keyed_hash(key, view_make(text, sizeof(before) + len));
	secret_wipe(text, sizeof(text));
	return hash != 0 ? hash : 1;
}

/* hash_password - passwords can be longer than any other text: a chain of hashes. */
static uint64_t
hash_password(uint64_t pair, const struct secret *password)
{
	uint64_t hash = hash_of(pair, VIEW("password"));

	for (size_t at = 0; at < password->len; at += TEXT_MAX)
		hash = hash_of(hash, view_from(view_make(password->p, password->len), at));
	return hash;
}

struct penalty_try
penalties_make_try(
    const struct sockaddr_storage *client, struct view login, const struct secret *password)
{
	struct penalty_try t;
	struct network address;
	char folded[TEXT_MAX];
	const size_t len = login.len < TEXT_MAX ? login.len : TEXT_MAX;

	pthread_once(&once, make_key);
	(void)!network_of(client, 32, 64, &address);
	for (size_t i = 0; i < len; i++) /* most backends take a login in any case */
		folded[i] = (char)ascii_lower(login.p[i]);
	t.address = hash_of(0, view_make((const char *)&address, sizeof(address)));
	t.pair = hash_of(t.address, view_make(folded, len));
	t.password = hash_password(t.pair, password);
	return t;
}

/* ---- the table ---- */

static uint32_t
half_so_often(uint32_t count, int64_t times)
{
	return times < 32 ? count >> times : 0;
}

static void
forget(struct entry *e, int64_t forget_ms, int64_t now_ms)
{
	const int64_t times = (now_ms - e->halved_ms) / forget_ms;

	if (times <= 0)
		return;
	e->guesses = half_so_often(e->guesses, times);
	e->failures = (uint16_t)half_so_often(e->failures, times);
	e->halved_ms += times * forget_ms;
}

static uint64_t
worth_of(const struct entry *e, int64_t now_ms)
{
	return (e->pending > 0 ? WORTH_PENDING : 0) +
	       (e->blocked_until_ms > now_ms ? WORTH_BLOCKED : 0) +
	       (e->known_until_ms > now_ms ? WORTH_KNOWN : 0) + e->guesses;
}

/* place_for - the entry of the id, or the one that makes room for it. */
static struct entry *
place_for(uint64_t id, int64_t now_ms)
{
	struct entry *bucket = &table[id % bucket_count * WAYS], *least = NULL;

	for (size_t i = 0; i < WAYS; i++) {
		struct entry *e = &bucket[i];
		if (e->id == id)
			return e;
		const uint64_t worth = e->id != 0 ? worth_of(e, now_ms) : 0;
		const uint64_t least_worth =
		    least != NULL && least->id != 0 ? worth_of(least, now_ms) : 0;
		if (least == NULL || worth < least_worth ||
		    (worth == least_worth && e->used_ms < least->used_ms))
			least = e;
	}
	return least;
}

static struct entry *
take(uint64_t id, const struct config_penalties *config, int64_t now_ms)
{
	struct entry *e = place_for(id, now_ms);

	if (e->id != id)
		*e = (struct entry){ .id = id, .halved_ms = now_ms };
	e->used_ms = now_ms;
	forget(e, config->forget_ms, now_ms);
	return e;
}

static void
resize(size_t buckets)
{
	struct entry *old = table;
	const size_t old_count = bucket_count * WAYS;

	bucket_count = buckets;
	table = mem_calloc(bucket_count * WAYS, sizeof(*table));
	for (size_t i = 0; i < old_count; i++) {
		if (old[i].id == 0)
			continue;
		struct entry *place = place_for(old[i].id, old[i].used_ms);
		if (place->id == 0 ||
		    worth_of(place, old[i].used_ms) <= worth_of(&old[i], old[i].used_ms))
			*place = old[i];
	}
	mem_free(old);
}

void
penalties_resize(size_t entries)
{
	const size_t buckets = entries / WAYS > 0 ? entries / WAYS : 1;

	pthread_mutex_lock(&lock);
	if (buckets != bucket_count)
		resize(buckets);
	pthread_mutex_unlock(&lock);
}

/* ---- the law ---- */

/* delay_of - after so many failures; 0: none. */
static int64_t
delay_of(const struct config_penalties *config, uint32_t failures)
{
	int64_t delay = failures > 0 ? config->delay_ms : 0;

	for (uint32_t i = 1; i < failures && delay < config->max_delay_ms; i++)
		delay *= 2;
	return delay < config->max_delay_ms ? delay : config->max_delay_ms;
}

/* An address shared by many people has its failures: tries wait from half of the limit on. */
static int64_t
delay_of_address(const struct config_penalties *config, const struct entry *address)
{
	const int64_t over = 2 * (int64_t)address->guesses - config->address_guesses;

	return over < 0 ? 0 : delay_of(config, (uint32_t)(over / 2) + 1);
}

/* is_crowded - as many tries are being checked as there are guesses left. One may always be. */
static bool
is_crowded(const struct entry *e, uint32_t pending, int64_t limit)
{
	return pending > 0 && (int64_t)e->guesses + pending >= limit;
}

static enum penalty_answer
judge(const struct config_penalties *config, const struct entry *pair,
    const struct entry *address, int64_t now_ms, int64_t *until_ms_out)
{
	const bool is_known = pair->known_until_ms > now_ms;

	*until_ms_out = pair->next_ms;
	if (pair->blocked_until_ms > now_ms)
		return PENALTY_BLOCKED_LOGIN;
	if (!is_known && address->blocked_until_ms > now_ms)
		return PENALTY_BLOCKED_ADDRESS;
	if (!is_known && address->next_ms > *until_ms_out)
		*until_ms_out = address->next_ms;
	if (*until_ms_out > now_ms)
		return PENALTY_WAIT;
	*until_ms_out = now_ms + BUSY_MS;
	/* The try itself is pending at the pair already. */
	if (is_crowded(pair, pair->pending - 1U, config->login_guesses) ||
	    (!is_known && is_crowded(address, address->pending, config->address_guesses)))
		return PENALTY_WAIT;
	return PENALTY_GO;
}

enum penalty_answer
penalties_begin(const struct config_penalties *config, const struct penalty_try *t,
    int64_t now_ms, int64_t *until_ms_out)
{
	enum penalty_answer answer;

	pthread_mutex_lock(&lock);
	struct entry *pair = take(t->pair, config, now_ms);
	pair->pending++; /* so that the address cannot take its place */
	struct entry *address = take(t->address, config, now_ms);
	answer = judge(config, pair, address, now_ms, until_ms_out);
	if (answer == PENALTY_GO) {
		/* Whoever comes next, before this one has ended, waits as if it had failed. */
		pair->next_ms = now_ms + delay_of(config, pair->failures);
		if (pair->known_until_ms <= now_ms)
			address->next_ms = now_ms + delay_of_address(config, address);
		address->pending++;
	} else {
		pair->pending--;
	}
	pthread_mutex_unlock(&lock);
	return answer;
}

static bool
block(struct entry *e, int64_t limit, int64_t block_ms, int64_t now_ms)
{
	if ((int64_t)e->guesses < limit || e->blocked_until_ms > now_ms)
		return false;
	e->blocked_until_ms = now_ms + block_ms;
	return true;
}

static void
note_success(const struct config_penalties *config, struct entry *pair, int64_t now_ms)
{
	pair->guesses = 0;
	pair->failures = 0;
	pair->next_ms = pair->blocked_until_ms = 0;
	pair->known_until_ms = now_ms + config->known_ms;
}

static void
note_failure(const struct config_penalties *config, const struct penalty_try *t,
    struct entry *pair, struct entry *address, int64_t now_ms, struct penalty_outcome *out)
{
	const bool is_guess = pair->password != t->password;

	pair->password = t->password;
	if (pair->failures < FAILURES_MAX)
		pair->failures++;
	pair->next_ms = now_ms + delay_of(config, pair->failures);
	if (is_guess) {
		pair->guesses++;
		address->guesses++;
		address->next_ms = now_ms + delay_of_address(config, address);
		out->blocks_login =
		    block(pair, config->login_guesses, config->block_ms, now_ms);
		out->blocks_address =
		    block(address, config->address_guesses, config->block_ms, now_ms);
	}
	out->guesses = pair->guesses;
	out->address_guesses = address->guesses;
	out->is_address_blocked = address->blocked_until_ms > now_ms;
}

static void
end_pending(struct entry *e)
{
	if (e->pending > 0) /* not if it had to make room meanwhile */
		e->pending--;
}

struct penalty_outcome
penalties_end(const struct config_penalties *config, const struct penalty_try *t,
    enum auth_verdict verdict, int64_t now_ms)
{
	struct penalty_outcome out = { .guesses = 0 };

	pthread_mutex_lock(&lock);
	struct entry *pair = take(t->pair, config, now_ms);
	if (pair->pending == 0)
		pair->pending = 1; /* so that the address cannot take its place */
	struct entry *address = take(t->address, config, now_ms);
	if (verdict == AUTH_ACCEPTED)
		note_success(config, pair, now_ms);
	else if (verdict == AUTH_REFUSED)
		note_failure(config, t, pair, address, now_ms, &out);
	end_pending(pair);
	end_pending(address);
	pthread_mutex_unlock(&lock);
	return out;
}
