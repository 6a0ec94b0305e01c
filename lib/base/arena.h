/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An arena: many small allocations that end together (a session's, a transaction's). Never
 * NULL. What goes in is bounded by the caps of whoever parses it; the arena has none of its
 * own. Not locked: one owner at a time. No memory is held before the first allocation.
 */
#ifndef GATEPOST_BASE_ARENA_H
#define GATEPOST_BASE_ARENA_H

#include "lib/base/view.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* owned, newest first */
};

void arena_init(struct arena *a);
void arena_finish(struct arena *a); /* frees everything; usable again at once */

MUST_CHECK void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for any type */
MUST_CHECK char *arena_strdup(struct arena *a, struct view v); /* NUL-terminated copy */
MUST_CHECK struct view arena_view(struct arena *a, struct view v);
MUST_CHECK char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
