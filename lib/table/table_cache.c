/* SPDX-License-Identifier: MPL-2.0 */
/* See table_cache.h. */
#include "lib/table/table_cache.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#include <pthread.h>

#define WAYS 4

struct place {
	int64_t until_ms; /* 0: free */
	enum table_result result;
	struct view key;     /* owned; its octets have those of the values behind them */
	struct view *values; /* owned; of octets behind the key's */
	size_t count;
};

struct table_cache {
	pthread_mutex_t lock;
	int64_t found_ms, absent_ms;
	struct place *places; /* owned, set_count * WAYS */
	size_t set_count;
};

struct table_cache *
table_cache_create(size_t entries, int64_t found_ms, int64_t absent_ms)
{
	struct table_cache *cache = mem_calloc(1, sizeof(*cache));

	pthread_mutex_init(&cache->lock, NULL);
	cache->found_ms = found_ms;
	cache->absent_ms = absent_ms;
	cache->set_count = entries < WAYS ? 1 : entries / WAYS;
	cache->places = mem_calloc(cache->set_count * WAYS, sizeof(*cache->places));
	return cache;
}

static void
drop(struct place *place)
{
	mem_free((void *)(uintptr_t)place->key.p);
	mem_free(place->values);
	*place = (struct place){ .until_ms = 0 };
}

void
table_cache_destroy(struct table_cache **cache)
{
	if (*cache == NULL)
		return;
	for (size_t i = 0; i < (*cache)->set_count * WAYS; i++)
		drop(&(*cache)->places[i]);
	mem_free((*cache)->places);
	pthread_mutex_destroy(&(*cache)->lock);
	mem_free(*cache);
	*cache = NULL;
}

/* set_of - FNV-1a. Whoever makes keys collide gains that they are asked for again, no more. */
static struct place *
set_of(struct table_cache *cache, struct view key)
{
	uint64_t hash = 14695981039346656037U;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.p[i]) * 1099511628211U;
	return &cache->places[hash % cache->set_count * WAYS];
}

static struct place *
find(struct table_cache *cache, struct view key)
{
	struct place *set = set_of(cache, key);

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].until_ms > 0 && view_eq(set[i].key, key))
			return &set[i];
	}
	return NULL;
}

/* choose - the place for a key that has none. */
static struct place *
choose(struct table_cache *cache, struct view key)
{
	struct place *set = set_of(cache, key), *first = set;

	for (size_t i = 1; i < WAYS; i++) {
		if (set[i].until_ms < first->until_ms)
			first = &set[i];
	}
	return first;
}

bool
table_cache_find(struct table_cache *cache, struct view key, struct table_answer *answer,
    enum table_result *result_out)
{
	const struct place *place;
	bool known;

	pthread_mutex_lock(&cache->lock);
	place = find(cache, key);
	known = place != NULL && clock_mono_ms() < place->until_ms;
	for (size_t i = 0; known && i < place->count; i++)
		known = table_answer_add(answer, place->values[i], NULL);
	if (known)
		*result_out = place->result;
	pthread_mutex_unlock(&cache->lock);
	return known;
}

/* fill - one allocation for the key and the values behind it, one for the views. */
static void
fill(struct place *place, struct view key, const struct table_answer *answer)
{
	char *at = mem_alloc(key.len + answer->octets + 1);

	memcpy(at, key.p, key.len);
	place->key = view_make(at, key.len);
	at += key.len;
	place->count = answer->count;
	place->values = mem_calloc(answer->count + 1, sizeof(*place->values));
	for (size_t i = 0; i < answer->count; i++) {
		memcpy(at, answer->values[i].p, answer->values[i].len);
		place->values[i] = view_make(at, answer->values[i].len);
		at += answer->values[i].len;
	}
}

void
table_cache_put(struct table_cache *cache, struct view key, enum table_result result,
    const struct table_answer *answer)
{
	const int64_t life_ms = result == TABLE_FOUND ? cache->found_ms : cache->absent_ms;
	struct place *place;

	if (life_ms == 0 || key.len + answer->octets > TABLE_CACHED_MAX)
		return;
	pthread_mutex_lock(&cache->lock);
	place = find(cache, key);
	if (place == NULL)
		place = choose(cache, key);
	drop(place);
	fill(place, key, answer);
	place->result = result;
	place->until_ms = clock_mono_ms() + life_ms;
	pthread_mutex_unlock(&cache->lock);
}
