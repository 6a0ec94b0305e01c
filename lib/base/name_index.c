/* SPDX-License-Identifier: MPL-2.0 */
/* See name_index.h. */
#include "lib/base/name_index.h"

#include "lib/base/mem.h"

#define SIZE_FIRST 16

void
name_index_init(struct name_index *index, name_of name)
{
	*index = (struct name_index){ .name = name };
}

void
name_index_finish(struct name_index *index)
{
	mem_free(index->places);
	index->places = NULL;
	index->size = index->count = 0;
}

/* hash_name - FNV-1a without case. */
static uint32_t
hash_name(struct view name)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)ascii_lower(name.p[i])) * 16777619U;
	return hash;
}

/* place_of - the name's, or the free one where it would stand. */
static uint32_t *
place_of(const struct name_index *index, const void *array, struct view name)
{
	size_t at = hash_name(name) & (index->size - 1);

	while (index->places[at] != 0 &&
	       !view_eq_nocase(index->name(array, index->places[at] - 1), name))
		at = (at + 1) & (index->size - 1);
	return &index->places[at];
}

static void
make_room(struct name_index *index, const void *array)
{
	if (index->size > 2 * (index->count + 1))
		return;
	mem_free(index->places);
	index->size = index->size == 0 ? SIZE_FIRST : 2 * index->size;
	index->places = mem_calloc(index->size, sizeof(*index->places));
	for (size_t i = 0; i < index->count; i++)
		*place_of(index, array, index->name(array, i)) = (uint32_t)i + 1;
}

bool
name_index_add(struct name_index *index, const void *array)
{
	uint32_t *place;

	make_room(index, array);
	place = place_of(index, array, index->name(array, index->count));
	if (*place != 0)
		return false;
	*place = (uint32_t)++index->count;
	return true;
}

size_t
name_index_find(const struct name_index *index, const void *array, struct view name)
{
	const uint32_t number = index->count > 0 ? *place_of(index, array, name) : 0;

	return number > 0 ? number - 1 : SIZE_MAX;
}
