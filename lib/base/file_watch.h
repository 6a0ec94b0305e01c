/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Is it still the file that was read? Asked at most once a second, by one thread at a time:
 *
 *	if (!file_watch_begin(&w))
 *		return;
 *	if (file_watch_has_changed(&w))
 *		... file_read_regular(w.path, &text, &w.seen, &err) ...
 *	file_watch_end(&w);
 */
#ifndef GATEPOST_BASE_FILE_WATCH_H
#define GATEPOST_BASE_FILE_WATCH_H

#include "lib/base/attr.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct file_watch {
	char *path;	  /* owned */
	struct stat seen; /* of what was read last, good or bad; zeroed: there was none. Of
			     whoever is between begin and end */
	pthread_mutex_t lock;
	int64_t look_at_ms; /* guarded by lock: not before */
	bool is_looking;    /* guarded by lock */
};

void file_watch_init(struct file_watch *w, const char *path);
void file_watch_finish(struct file_watch *w);

/* file_watch_begin - true: the second is over, and nobody else is at it until file_watch_end.
 */
MUST_CHECK bool file_watch_begin(struct file_watch *w);
void file_watch_end(struct file_watch *w);

/* file_watch_has_changed - it is another file than w->seen, or its size or times are others. */
bool file_watch_has_changed(const struct file_watch *w);

#endif
