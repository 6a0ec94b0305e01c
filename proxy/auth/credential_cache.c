/* SPDX-License-Identifier: MPL-2.0 */
/*
 * See credential_cache.h. A chained hash table over the MACs (random octets to anybody without
 * the key, so any four of them choose a bucket), and a list through all entries by last use.
 */
#include "proxy/auth/credential_cache.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>

#define MAC_LEN	    32
#define KEY_LEN	    32
#define BUCKETS_MIN 64

struct entry {
	unsigned char mac[MAC_LEN];
	int64_t expires_at_ms;
	struct entry *chain;	     /* next in the bucket */
	struct entry *newer, *older; /* by last use */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char key[KEY_LEN]; /* written once, before anybody reads it */

/* All guarded by lock. */
static struct entry **buckets; /* owned; bucket_count of them, a power of two */
static size_t bucket_count, entry_count, entry_max;
static struct entry *newest, *oldest; /* owned through the buckets */
static uint64_t the_generation = 1;

static void
make_key(void)
{
	if (RAND_bytes(key, sizeof(key)) != 1)
		BUG("no random octets");
}

/* make_mac - every part is either of fixed length or preceded by its length. */
static bool
make_mac(const struct credential *c, unsigned char mac[MAC_LEN])
{
	const size_t len = 2 * sizeof(uint64_t) + c->login.len + c->password->len;
	const uint64_t head[2] = { c->backend, c->login.len };
	char *text = mem_alloc(len);
	unsigned int mac_len = 0;
	bool is_made;

	pthread_once(&once, make_key);
	memcpy(text, head, sizeof(head));
	memcpy(text + sizeof(head), c->login.p, c->login.len);
	memcpy(text + sizeof(head) + c->login.len, c->password->p, c->password->len);
	is_made = HMAC(EVP_sha256(), key, sizeof(key), (const unsigned char *)text, len, mac,
		      &mac_len) != NULL &&
		  mac_len == MAC_LEN;
	secret_wipe(text, len);
	mem_free(text);
	return is_made;
}

static struct entry **
bucket_of(const unsigned char mac[MAC_LEN])
{
	uint32_t n;

	memcpy(&n, mac, sizeof(n));
	return &buckets[n & (bucket_count - 1)];
}

/* find - the place that points to the entry, or NULL. */
static struct entry **
find(const unsigned char mac[MAC_LEN])
{
	if (bucket_count == 0)
		return NULL;
	for (struct entry **at = bucket_of(mac); *at != NULL; at = &(*at)->chain) {
		if (CRYPTO_memcmp((*at)->mac, mac, MAC_LEN) == 0)
			return at;
	}
	return NULL;
}

static void
list_remove(struct entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &oldest) = e->newer;
}

static void
list_add(struct entry *e)
{
	e->newer = NULL;
	e->older = newest;
	*(newest != NULL ? &newest->newer : &oldest) = e;
	newest = e;
}

/* drop - the entry that *at points to. */
static void
drop(struct entry **at)
{
	struct entry *e = *at;

	*at = e->chain;
	list_remove(e);
	secret_wipe(e, sizeof(*e));
	mem_free(e);
	entry_count--;
}

static void
empty(void)
{
	while (oldest != NULL)
		drop(find(oldest->mac));
	mem_free(buckets);
	buckets = NULL;
	bucket_count = 0;
	the_generation++;
}

/* grow - double the buckets once there are as many entries; the entries are hung up anew. */
static void
grow(void)
{
	if (entry_count < bucket_count)
		return;
	mem_free(buckets);
	bucket_count = bucket_count == 0 ? BUCKETS_MIN : 2 * bucket_count;
	buckets = mem_calloc(bucket_count, sizeof(struct entry *));
	for (struct entry *e = oldest; e != NULL; e = e->newer) {
		struct entry **at = bucket_of(e->mac);

		e->chain = *at;
		*at = e;
	}
}

void
credential_cache_clear(void)
{
	pthread_mutex_lock(&lock);
	empty();
	pthread_mutex_unlock(&lock);
}

void
credential_cache_resize(size_t max_entries)
{
	pthread_mutex_lock(&lock);
	empty();
	entry_max = max_entries;
	pthread_mutex_unlock(&lock);
}

uint64_t
credential_cache_generation(void)
{
	uint64_t generation;

	pthread_mutex_lock(&lock);
	generation = the_generation;
	pthread_mutex_unlock(&lock);
	return generation;
}

size_t
credential_cache_count(void)
{
	size_t count;

	pthread_mutex_lock(&lock);
	count = entry_count;
	pthread_mutex_unlock(&lock);
	return count;
}

bool
credential_cache_has(const struct credential *c)
{
	unsigned char mac[MAC_LEN];
	struct entry **at;
	bool has;

	if (!make_mac(c, mac))
		return false;
	pthread_mutex_lock(&lock);
	at = find(mac);
	has = at != NULL && (*at)->expires_at_ms > clock_mono_ms();
	if (has) {
		list_remove(*at);
		list_add(*at);
	} else if (at != NULL) {
		drop(at);
	}
	pthread_mutex_unlock(&lock);
	return has;
}

/* insert - lock is held. */
static void
insert(const unsigned char mac[MAC_LEN], int64_t expires_at_ms)
{
	struct entry **at = find(mac);
	struct entry *e;

	if (at != NULL)
		drop(at);
	if (entry_count == entry_max)
		drop(find(oldest->mac));
	grow();
	e = mem_calloc(1, sizeof(*e));
	memcpy(e->mac, mac, MAC_LEN);
	e->expires_at_ms = expires_at_ms;
	at = bucket_of(mac);
	e->chain = *at;
	*at = e;
	list_add(e);
	entry_count++;
}

void
credential_cache_put(const struct credential *c, int64_t expires_at_ms, uint64_t generation)
{
	unsigned char mac[MAC_LEN];

	if (!make_mac(c, mac))
		return;
	pthread_mutex_lock(&lock);
	if (generation == the_generation && entry_max > 0)
		insert(mac, expires_at_ms);
	pthread_mutex_unlock(&lock);
}
