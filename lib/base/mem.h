/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Heap memory that is never NULL: running out of memory ends the process with a line on stderr
 * (exit status 70; a supervisor restarts it, and no client has heard 250 for what was lost).
 * Reaching a *limit* is something else: an ordinary error, reported by the thing that has it.
 */
#ifndef GATEPOST_BASE_MEM_H
#define GATEPOST_BASE_MEM_H

#include "lib/base/attr.h"

#include <stddef.h>

MUST_CHECK void *mem_alloc(size_t size);		/* not zeroed */
MUST_CHECK void *mem_calloc(size_t count, size_t size); /* zeroed; overflow ends the process */
MUST_CHECK void *mem_realloc(void *p, size_t size);
MUST_CHECK char *mem_strdup(const char *s);
MUST_CHECK char *mem_strndup(const char *s, size_t len); /* NUL-terminated copy of len octets */
void mem_free(void *p);					 /* NULL is fine */

/* mem_run_out - a library that has its memory elsewhere says that there is none: the same end.
 */
NORETURN void mem_run_out(void);

#endif
