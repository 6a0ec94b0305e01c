/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An index by name over an array that somebody else owns: open hashing, names compare without
 * the case of ASCII letters. Only the operator chooses the names, so that the hash needs no
 * key. Not locked: one builds it, then any number of threads may look.
 */
#ifndef GATEPOST_BASE_NAME_INDEX_H
#define GATEPOST_BASE_NAME_INDEX_H

#include "lib/base/view.h"

/* name_of - the name of the array's item of that number. */
typedef struct view (*name_of)(const void *array, size_t number);

struct name_index {
	name_of name;
	uint32_t *places; /* owned; number + 1 of an item, 0: free; NULL before the first */
	size_t size;	  /* a power of two, over twice the count */
	size_t count;
};

void name_index_init(struct name_index *index, name_of name);
void name_index_finish(struct name_index *index);

/*
 * name_index_add - the next item, whose number is the count so far; it is in the array by
 * then. False: an item of that name is there already, and nothing was added.
 */
MUST_CHECK bool name_index_add(struct name_index *index, const void *array);

/* name_index_find - the number of the item of that name; SIZE_MAX: none. */
size_t name_index_find(const struct name_index *index, const void *array, struct view name);

#endif
