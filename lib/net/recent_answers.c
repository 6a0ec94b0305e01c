/* SPDX-License-Identifier: MPL-2.0 */
/* See recent_answers.h. */
#include "lib/net/recent_answers.h"

#include "lib/base/mem.h"

#include <pthread.h>
#include <string.h>

struct place {
	char *packet; /* owned; NULL: the place is free */
	size_t len;
	bool is_secure;
	char name[DNS_NAME_MAX];
	enum dns_type type;
	int64_t since_ms, until_ms;
};

struct recent_answers {
	pthread_mutex_t lock;
	struct place places[RECENT_PLACES];
};

struct recent_answers *
recent_create(void)
{
	struct recent_answers *recent = mem_calloc(1, sizeof(*recent));

	pthread_mutex_init(&recent->lock, NULL);
	return recent;
}

void
recent_destroy(struct recent_answers **recent)
{
	if (*recent == NULL)
		return;
	for (size_t i = 0; i < RECENT_PLACES; i++)
		mem_free((*recent)->places[i].packet);
	pthread_mutex_destroy(&(*recent)->lock);
	mem_free(*recent);
	*recent = NULL;
}

/* FNV-1a. Whoever makes names collide gains that they are asked for again, no more. */
static struct place *
place_of(struct recent_answers *recent, const char *name, enum dns_type type)
{
	uint32_t hash = 2166136261U ^ (uint32_t)type;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return &recent->places[hash % RECENT_PLACES];
}

void
recent_put(struct recent_answers *recent, const char *name, enum dns_type type,
    const struct recent_answer *answer, int64_t now_ms)
{
	const struct view packet = answer->packet;
	const int64_t kept_s =
	    answer->ttl_s < RECENT_KEPT_MAX_S ? answer->ttl_s : RECENT_KEPT_MAX_S;
	const size_t name_len = strlen(name);
	struct place *place;

	if (kept_s == 0 || packet.len > RECENT_OCTETS_MAX || name_len >= DNS_NAME_MAX)
		return;
	pthread_mutex_lock(&recent->lock);
	place = place_of(recent, name, type);
	mem_free(place->packet);
	place->packet = mem_alloc(packet.len + 1);
	memcpy(place->packet, packet.p, packet.len);
	place->len = packet.len;
	place->is_secure = answer->is_secure;
	memcpy(place->name, name, name_len + 1);
	place->type = type;
	place->since_ms = now_ms;
	place->until_ms = now_ms + kept_s * 1000;
	pthread_mutex_unlock(&recent->lock);
}

bool
recent_find(struct recent_answers *recent, const char *name, enum dns_type type, int64_t now_ms,
    struct arena *arena, struct recent_answer *out)
{
	struct place *place;
	bool found;

	pthread_mutex_lock(&recent->lock);
	place = place_of(recent, name, type);
	found = place->packet != NULL && place->type == type && now_ms < place->until_ms &&
		strcmp(place->name, name) == 0;
	if (found) {
		out->packet = arena_view(arena, view_make(place->packet, place->len));
		out->is_secure = place->is_secure;
		out->age_s = (uint32_t)((now_ms - place->since_ms) / 1000);
	}
	pthread_mutex_unlock(&recent->lock);
	return found;
}
