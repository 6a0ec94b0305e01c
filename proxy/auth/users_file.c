/* SPDX-License-Identifier: MPL-2.0 */
/* See users_file.h. */
#include "proxy/auth/users_file.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_EVERY_MS 1000

struct users_file {
	char *path; /* owned */
	enum users_form form;
	void (*on_change)(void);

	pthread_mutex_t lock;
	struct users_table *table; /* guarded by lock; one reference is ours */
	int64_t look_at_ms;	   /* guarded by lock: not before */
	bool is_looking;	   /* guarded by lock: one thread is, and owns what follows */
	struct stat seen;	   /* of the file that was read last, good or bad */
};

bool
users_file_read(const char *path, struct buf *out, struct stat *stat_out, struct err *err)
{
	/* O_NONBLOCK: a FIFO in its place must not hang us. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t got = -1;
	char *room;

	if (fd < 0)
		return err_set_errno(err, errno, "open");
	if (fstat(fd, stat_out) != 0) {
		err_set_errno(err, errno, "stat");
	} else if (!S_ISREG(stat_out->st_mode)) {
		err_set(err, ERR_CONFIG, "is not a regular file");
	} else if ((uint64_t)stat_out->st_size > USERS_FILE_MAX) {
		err_set(err, ERR_LIMIT, "is over 64 MiB");
	} else {
		do {
			room = buf_reserve(out, 65536);
			if (room == NULL) {
				got = -1;
				err_set(err, ERR_LIMIT, "is over 64 MiB");
				break;
			}
			got = read(fd, room, 65536);
			if (got < 0)
				err_set_errno(err, errno, "read");
			else
				buf_commit(out, (size_t)got);
		} while (got > 0);
	}
	close(fd);
	return got == 0;
}

/* mode_is_safe - hashes are nobody's business, and neither is who may send as whom. */
static bool
mode_is_safe(const struct stat *st, enum users_form form, struct err *err)
{
	if ((st->st_mode & S_IWOTH) != 0)
		return err_set(err, ERR_CONFIG, "everybody may write it: chmod o-w");
	if (form == USERS_WITH_HASH && (st->st_mode & S_IROTH) != 0)
		return err_set(err, ERR_CONFIG,
		    "everybody may read the password hashes in it: chmod o-rwx");
	return true;
}

/* load - read and parse; NULL when an error was added. *seen_out is zeroed without a file. */
static struct users_table *
load(const struct users_file *f, struct stat *seen_out, struct conf_errors *errors)
{
	struct users_table *table = NULL;
	struct err err = { .kind = ERR_NONE };
	struct buf text;

	*seen_out = (struct stat){ 0 };
	buf_init(&text, USERS_FILE_MAX + 65536);
	if (users_file_read(f->path, &text, seen_out, &err) &&
	    mode_is_safe(seen_out, f->form, &err))
		table = users_table_parse(f->path, buf_view(&text), f->form, errors);
	else
		conf_error(
		    errors, (struct conf_where){ .file = f->path }, "users", "%s", err.text);
	buf_finish(&text);
	return table;
}

struct users_file *
users_file_create(
    const char *path, enum users_form form, void (*on_change)(void), struct conf_errors *errors)
{
	struct users_file *f = mem_calloc(1, sizeof(*f));

	f->path = mem_strdup(path);
	f->form = form;
	f->on_change = on_change;
	pthread_mutex_init(&f->lock, NULL);
	f->table = load(f, &f->seen, errors);
	f->look_at_ms = clock_mono_ms() + LOOK_EVERY_MS;
	if (f->table == NULL)
		users_file_destroy(&f);
	return f;
}

void
users_file_destroy(struct users_file **f)
{
	if (*f == NULL)
		return;
	users_table_unref(&(*f)->table);
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

/* swap - the new table for the old one. */
static void
swap(struct users_file *f, struct users_table *table)
{
	struct users_table *old;

	pthread_mutex_lock(&f->lock);
	old = f->table;
	f->table = table;
	pthread_mutex_unlock(&f->lock);
	users_table_unref(&old);
	if (f->on_change != NULL)
		f->on_change();
}

/* look - has it changed, and is the new one good? Only one thread at a time comes here. */
static void
look(struct users_file *f)
{
	struct stat now;
	struct conf_errors errors;
	struct users_table *table;

	if (stat(f->path, &now) != 0)
		now = (struct stat){ 0 };
	if (is_same_file(&now, &f->seen))
		return;
	conf_errors_init(&errors);
	table = load(f, &f->seen, &errors);
	if (table != NULL) {
		log_event(LEVEL_INFO, "auth.users_read", LOG_STR("file", f->path),
		    LOG_U64("logins", users_table_count(table)));
		swap(f, table);
	}
	for (size_t i = 0; table == NULL && i < errors.count; i++)
		log_event(LEVEL_ERROR, "auth.users_bad", LOG_STR("error", errors.lines[i]));
	conf_errors_finish(&errors);
}

void
users_file_refresh(struct users_file *f)
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

struct users_table *
users_file_take(struct users_file *f)
{
	struct users_table *table;

	pthread_mutex_lock(&f->lock);
	table = users_table_ref(f->table);
	pthread_mutex_unlock(&f->lock);
	return table;
}
