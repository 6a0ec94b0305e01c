/* SPDX-License-Identifier: MPL-2.0 */
/* Arenas; see arena.h. Chunks begin small, since most sessions need little, and double. */
#include "lib/base/arena.h"

#include "lib/base/mem.h"

#include <stdarg.h>
#include <stdio.h>

#define CHUNK_MIN 256
#define CHUNK_MAX (16 * 1024)
#define ALIGN	  _Alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, room;
	max_align_t data[];
};

void
arena_init(struct arena *a)
{
	a->chunks = NULL;
}

void
arena_finish(struct arena *a)
{
	while (a->chunks != NULL) {
		struct arena_chunk *next = a->chunks->next;
		mem_free(a->chunks);
		a->chunks = next;
	}
}

static void
add_chunk(struct arena *a, size_t size)
{
	size_t room = a->chunks != NULL ? 2 * a->chunks->room : CHUNK_MIN;

	if (room > CHUNK_MAX)
		room = CHUNK_MAX;
	if (room < size)
		room = size;
	struct arena_chunk *chunk = mem_calloc(1, sizeof(*chunk) + room);
	chunk->room = room;
	chunk->next = a->chunks;
	a->chunks = chunk;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX / 2)
		BUG("an allocation of %zu octets", size);
	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	if (a->chunks == NULL || size > a->chunks->room - a->chunks->used)
		add_chunk(a, size);
	char *p = (char *)a->chunks->data + a->chunks->used;
	a->chunks->used += size;
	return p;
}

char *
arena_strdup(struct arena *a, struct view v)
{
	char *copy = arena_alloc(a, v.len + 1);

	if (v.len > 0)
		memcpy(copy, v.p, v.len);
	return copy;
}

struct view
arena_view(struct arena *a, struct view v)
{
	return view_make(arena_strdup(a, v), v.len);
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	if (len < 0)
		BUG("a format that cannot be printed");
	char *text = arena_alloc(a, (size_t)len + 1);
	(void)vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return text;
}
