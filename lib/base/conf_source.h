/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The text of a configuration, read before libconfig sees it. Includes are put in here,
 * relative to the file that names them, and what libconfig would take wrongly in silence is
 * found or mended here: a comment or a string without an end, an include that is a folder or
 * not there (libconfig ends the process, or does not say which), a number over 32 bits without
 * its L, a NUL.
 *
 * Limits: a file 1 MiB, all together 4 MiB, 10 levels and 256 includes.
 */
#ifndef GATEPOST_BASE_CONF_SOURCE_H
#define GATEPOST_BASE_CONF_SOURCE_H

#include "lib/base/buf.h"
#include "lib/base/conf.h"

struct conf_mark {
	int first;		 /* this line of the text, and those up to the next mark, ... */
	struct conf_where where; /* ... come from here on */
};

struct conf_source {
	struct buf text;	 /* NUL-terminated; the NUL counts in its length */
	struct conf_mark *marks; /* owned; first ascends */
	size_t count, room;
	int line; /* of the text, while it grows */
	unsigned include_count;
	struct arena *arena;	    /* borrowed: for the names of included files */
	struct conf_errors *errors; /* borrowed */
};

/* conf_source_read - false: errors were added. Finish it in both cases. */
MUST_CHECK bool conf_source_read(
    struct conf_source *s, const char *file, struct arena *arena, struct conf_errors *errors);
void conf_source_finish(struct conf_source *s);

/* conf_source_where - where a line of the text (from 1) was written. */
struct conf_where conf_source_where(const struct conf_source *s, unsigned line);

#endif
