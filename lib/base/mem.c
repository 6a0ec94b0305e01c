/* SPDX-License-Identifier: MPL-2.0 */
/* Heap memory that is never NULL: see mem.h. Any thread. */
#include "lib/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Not by stdio, not by the log: both may want memory. */
void
mem_run_out(void)
{
	static const char text[] = "gatepost: out of memory\n";
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(EX_SOFTWARE);
	_exit(EX_SOFTWARE);
}

void *
mem_alloc(size_t size)
{
	void *p = malloc(size > 0 ? size : 1);
	if (p == NULL)
		mem_run_out();
	return p;
}

void *
mem_calloc(size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	void *p = calloc(count, size);
	if (p == NULL)
		mem_run_out();
	return p;
}

void *
mem_realloc(void *p, size_t size)
{
	void *grown = realloc(p, size > 0 ? size : 1);
	if (grown == NULL)
		mem_run_out();
	return grown;
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *
mem_strndup(const char *s, size_t len)
{
	if (len == SIZE_MAX)
		mem_run_out();
	char *copy = mem_alloc(len + 1);
	if (len > 0)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void
mem_free(void *p)
{
	free(p);
}
