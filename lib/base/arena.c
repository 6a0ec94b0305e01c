/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Arenas: see arena.h. Chunks start small (a parked session should cost little) and double up
 * to a limit. What is large for a chunk gets one of its own, behind the newest, whose free room
 * stays in use. Under AddressSanitizer each allocation is a chunk, so that overruns are seen.
 */
#include "lib/base/arena.h"

#include "lib/base/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_CHUNK_A_PIECE 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_CHUNK_A_PIECE 1
#endif

enum {
	ARENA_FIRST_ROOM = 496, /* with the chunk's head about 512 */
	ARENA_LAST_ROOM = 15872,
};

struct arena_chunk {
	struct arena_chunk *next;
	size_t used; /* octets of data given out; a multiple of the alignment */
	size_t room; /* octets of data; used <= room */
	alignas(max_align_t) char data[];
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
		struct arena_chunk *chunk = a->chunks;
		a->chunks = chunk->next;
		mem_free(chunk);
	}
}

static struct arena_chunk *
chunk_create(size_t room)
{
	struct arena_chunk *chunk = mem_alloc(sizeof(*chunk) + room);
	chunk->next = NULL;
	chunk->used = 0;
	chunk->room = room;
	return chunk;
}

/* The chunk that size octets come from: the newest, or a new one. */
static struct arena_chunk *
chunk_with_room(struct arena *a, size_t size)
{
	struct arena_chunk *newest = a->chunks;
#ifdef ARENA_CHUNK_A_PIECE
	size_t room = 0;
#else
	if (newest != NULL && size <= newest->room - newest->used)
		return newest;
	size_t room = newest == NULL ? ARENA_FIRST_ROOM : newest->room * 2;
	if (room > ARENA_LAST_ROOM)
		room = ARENA_LAST_ROOM;
#endif
	struct arena_chunk *chunk = chunk_create(size > room / 2 ? size : room);
	if (newest != NULL && chunk->room == size) {
		chunk->next = newest->next;
		newest->next = chunk;
	} else {
		chunk->next = newest;
		a->chunks = chunk;
	}
	return chunk;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	if (size > SIZE_MAX / 2)
		BUG("arena_alloc of %zu octets", size);
#ifdef ARENA_CHUNK_A_PIECE
	size_t rounded = size;
#else
	size_t rounded = (size + align - 1) / align * align;
	if (rounded == 0)
		rounded = align;
#endif
	(void)align;
	struct arena_chunk *chunk = chunk_with_room(a, rounded);
	void *p = chunk->data + chunk->used;
	chunk->used += rounded;
	memset(p, 0, size);
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
	char small[256]; /* spares most texts the second pass */
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (len < 0)
		BUG("arena_printf cannot format");
	if ((size_t)len < sizeof(small))
		return arena_strdup(a, view_make(small, (size_t)len));
	char *text = arena_alloc(a, (size_t)len + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}
