/* SPDX-License-Identifier: MPL-2.0 */
/*
 * See census.h. A chained hash table whose buckets are chosen by a keyed hash, since clients
 * choose their addresses. It grows with the connections, and an entry goes with its last one.
 */
#include "proxy/session/census.h"

#include "lib/base/clock.h"
#include "lib/base/keyed_hash.h"
#include "lib/base/mem.h"

#include <openssl/rand.h>
#include <pthread.h>

#define BUCKETS_FIRST 256
#define TELL_MS	      1000 /* between two words about one address */

struct census_entry {
	struct network network;
	uint64_t hash;
	uint64_t count;	  /* connections */
	uint64_t refused; /* since told_at_ms */
	int64_t told_at_ms;
	struct census_entry *chain; /* next in the bucket */
};

/* All guarded by lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char key[KEYED_HASH_KEY];
static struct census_entry **buckets; /* owned; bucket_count of them, a power of two */
static size_t bucket_count, entry_count;

static void
put(struct census_entry *e)
{
	struct census_entry **at = &buckets[e->hash & (bucket_count - 1)];

	e->chain = *at;
	*at = e;
}

static void
grow(void)
{
	struct census_entry **old = buckets;
	const size_t old_count = bucket_count;

	if (bucket_count == 0 && RAND_bytes(key, sizeof(key)) != 1)
		BUG("no random octets");
	bucket_count = old_count == 0 ? BUCKETS_FIRST : 2 * old_count;
	buckets = mem_calloc(bucket_count, sizeof(struct census_entry *));
	for (size_t i = 0; i < old_count; i++) {
		while (old[i] != NULL) {
			struct census_entry *e = old[i];
			old[i] = e->chain;
			put(e);
		}
	}
	mem_free(old);
}

/* take - the network's entry, a new one if need be. */
static struct census_entry *
take(const struct network *n)
{
	uint64_t hash;

	if (entry_count >= bucket_count)
		grow();
	/* The struct has no gaps: an int, sixteen octets, an unsigned. */
	hash = keyed_hash(key, view_make((const char *)n, sizeof(*n)));
	for (struct census_entry *e = buckets[hash & (bucket_count - 1)]; e != NULL;
	     e = e->chain) {
		if (e->hash == hash && memcmp(&e->network, n, sizeof(*n)) == 0)
			return e;
	}
	struct census_entry *e = mem_calloc(1, sizeof(*e));
	e->network = *n;
	e->hash = hash;
	entry_count++;
	put(e);
	return e;
}

/* drop - if nobody is counted there any more. */
static void
drop(struct census_entry *e)
{
	struct census_entry **at = &buckets[e->hash & (bucket_count - 1)];

	if (e->count > 0)
		return;
	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	entry_count--;
	mem_free(e);
}

static uint64_t
refuse(struct census_entry *e)
{
	const int64_t now = clock_mono_ms();
	const uint64_t untold = ++e->refused;

	if (e->told_at_ms > 0 && now - e->told_at_ms < TELL_MS)
		return 0;
	e->refused = 0;
	e->told_at_ms = now;
	return untold;
}

static enum census_verdict
enter(struct census_place *place, const struct config_limits *limits, uint64_t *untold_out)
{
	if (place->address->count >= (uint64_t)limits->address_connections) {
		*untold_out = refuse(place->address);
		return CENSUS_ADDRESS_FULL;
	}
	if (place->network->count >= (uint64_t)limits->network_connections) {
		*untold_out = refuse(place->network);
		return CENSUS_NETWORK_FULL;
	}
	place->address->count++;
	place->network->count++;
	return CENSUS_ENTERED;
}

enum census_verdict
census_enter(const struct sockaddr_storage *client, const struct config_limits *limits,
    struct census_place *place, uint64_t *untold_out)
{
	struct network address, network;
	enum census_verdict verdict;

	*place = (struct census_place){ NULL, NULL };
	if (!network_of(client, 32, 64, &address) || !network_of(client, 24, 48, &network))
		return CENSUS_ENTERED; /* neither IPv4 nor IPv6: nothing to count by */
	pthread_mutex_lock(&lock);
	place->address = take(&address);
	place->network = take(&network);
	verdict = enter(place, limits, untold_out);
	if (verdict != CENSUS_ENTERED) {
		drop(place->address);
		drop(place->network);
		*place = (struct census_place){ NULL, NULL };
	}
	pthread_mutex_unlock(&lock);
	return verdict;
}

void
census_leave(struct census_place *place)
{
	if (place->address == NULL)
		return;
	pthread_mutex_lock(&lock);
	place->address->count--;
	place->network->count--;
	drop(place->address);
	drop(place->network);
	pthread_mutex_unlock(&lock);
	*place = (struct census_place){ NULL, NULL };
}

size_t
census_count(void)
{
	pthread_mutex_lock(&lock);
	const size_t count = entry_count;
	pthread_mutex_unlock(&lock);
	return count;
}
