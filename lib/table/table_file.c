/* SPDX-License-Identifier: MPL-2.0 */
/* A file table and the text that it holds now: see table_file.h. */
#include "lib/table/table_file.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_EVERY_MS 1000

struct table_file {
	char *path; /* owned */

	pthread_mutex_t lock;
	struct table_text *text; /* owned; guarded by lock */
	int64_t look_at_ms;	 /* guarded by lock: not before */
	bool is_looking;	 /* guarded by lock: one thread is, and owns what follows */
	struct stat seen;	 /* of the file that was read last, good or bad */
};

static bool
read_fd(int fd, struct buf *out, struct stat *seen_out, struct err *err)
{
	if (fstat(fd, seen_out) != 0)
		return err_set_errno(err, errno, "stat");
	if (!S_ISREG(seen_out->st_mode))
		return err_set(err, ERR_CONFIG, "is not a regular file");
	if ((seen_out->st_mode & S_IWOTH) != 0)
		return err_set(err, ERR_CONFIG, "everybody may write it: chmod o-w");
	return file_read_fd(fd, out, err);
}

static bool
read_whole(const char *path, struct buf *out, struct stat *seen_out, struct err *err)
{
	/* O_NONBLOCK: a FIFO in its place must not hang us. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool ok;

	if (fd < 0)
		return err_set_errno(err, errno, "cannot be opened");
	ok = read_fd(fd, out, seen_out, err);
	(void)close(fd);
	return ok;
}

/* load - read and parse; NULL when an error was added. *seen_out is zeroed without a file. */
static struct table_text *
load(const char *path, struct stat *seen_out, struct conf_errors *errors)
{
	struct table_text *text = NULL;
	struct err err = { .kind = ERR_NONE };
	struct buf whole;

	*seen_out = (struct stat){ 0 };
	buf_init(&whole, TABLE_FILE_MAX);
	if (read_whole(path, &whole, seen_out, &err))
		text = table_text_parse(path, buf_view(&whole), errors);
	else
		conf_error(
		    errors, (struct conf_where){ .file = path }, "table", "%s", err.text);
	buf_finish(&whole);
	return text;
}

struct table_file *
table_file_create(const char *path, struct conf_errors *errors)
{
	struct table_file *f = mem_calloc(1, sizeof(*f));

	f->path = mem_strdup(path);
	pthread_mutex_init(&f->lock, NULL);
	f->text = load(path, &f->seen, errors);
	f->look_at_ms = clock_mono_ms() + LOOK_EVERY_MS;
	if (f->text == NULL)
		table_file_destroy(&f);
	return f;
}

void
table_file_destroy(struct table_file **f)
{
	if (*f == NULL)
		return;
	table_text_destroy(&(*f)->text);
	pthread_mutex_destroy(&(*f)->lock);
	mem_free((*f)->path);
	mem_free(*f);
	*f = NULL;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* look - has it changed, and is the new one good? Only one thread at a time comes here. */
static void
look(struct table_file *f)
{
	struct conf_errors errors;
	struct table_text *text;
	struct stat now;

	if (stat(f->path, &now) != 0)
		now = (struct stat){ 0 };
	if (is_same_file(&now, &f->seen))
		return;
	conf_errors_init(&errors);
	text = load(f->path, &f->seen, &errors);
	for (size_t i = 0; text == NULL && i < errors.count; i++)
		log_event(LEVEL_ERROR, "table.bad", LOG_STR("error", errors.lines[i]));
	conf_errors_finish(&errors);
	if (text == NULL)
		return;
	log_event(LEVEL_INFO, "table.read", LOG_STR("file", f->path),
	    LOG_U64("entries", table_text_count(text)));
	pthread_mutex_lock(&f->lock);
	struct table_text *old = f->text;
	f->text = text;
	pthread_mutex_unlock(&f->lock);
	table_text_destroy(&old); /* nobody reads it: they all hold the lock */
}

static void
refresh(struct table_file *f)
{
	bool is_due;

	pthread_mutex_lock(&f->lock);
	is_due = !f->is_looking && clock_mono_ms() >= f->look_at_ms;
	if (is_due)
		f->is_looking = true;
	pthread_mutex_unlock(&f->lock);
	if (!is_due)
		return;
	look(f);
	pthread_mutex_lock(&f->lock);
	f->look_at_ms = clock_mono_ms() + LOOK_EVERY_MS;
	f->is_looking = false;
	pthread_mutex_unlock(&f->lock);
}

enum table_result
table_file_ask(struct table_file *f, struct view key, struct table_answer *answer)
{
	const struct table_entry *entry;
	bool ok = true;

	refresh(f);
	pthread_mutex_lock(&f->lock);
	entry = table_text_find(f->text, key);
	for (size_t i = 0; entry != NULL && ok && i < entry->count; i++)
		ok = table_answer_add(answer, entry->values[i], NULL);
	pthread_mutex_unlock(&f->lock);
	if (!ok)
		BUG("an entry over the limits");
	return entry != NULL ? TABLE_FOUND : TABLE_ABSENT;
}
