/* SPDX-License-Identifier: MPL-2.0 */
/* See file_watch.h. */
#include "lib/base/file_watch.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define LOOK_EVERY_MS 1000

void
file_watch_init(struct file_watch *w, const char *path)
{
	*w = (struct file_watch){ .path = mem_strdup(path),
		.look_at_ms = clock_mono_ms() + LOOK_EVERY_MS };
	pthread_mutex_init(&w->lock, NULL);
}

void
file_watch_finish(struct file_watch *w)
{
	pthread_mutex_destroy(&w->lock);
	mem_free(w->path);
}

bool
file_watch_begin(struct file_watch *w)
{
	bool is_due;

	pthread_mutex_lock(&w->lock);
	is_due = !w->is_looking && clock_mono_ms() >= w->look_at_ms;
	if (is_due)
		w->is_looking = true;
	pthread_mutex_unlock(&w->lock);
	return is_due;
}

void
file_watch_end(struct file_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->look_at_ms = clock_mono_ms() + LOOK_EVERY_MS;
	w->is_looking = false;
	pthread_mutex_unlock(&w->lock);
}

static bool
is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool
file_watch_has_changed(const struct file_watch *w)
{
	const struct stat *seen = &w->seen;
	struct stat now;

	if (stat(w->path, &now) != 0)
		now = (struct stat){ 0 };
	return now.st_dev != seen->st_dev || now.st_ino != seen->st_ino ||
	       now.st_size != seen->st_size || !is_same_time(now.st_mtim, seen->st_mtim) ||
	       !is_same_time(now.st_ctim, seen->st_ctim);
}
