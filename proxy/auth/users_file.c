/* SPDX-License-Identifier: MPL-2.0 */
/* See users_file.h. */
#include "proxy/auth/users_file.h"

#include "lib/base/file.h"
#include "lib/base/file_watch.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

struct users_file {
	struct file_watch watch;
	enum users_form form;
	void (*on_change)(void);

	pthread_mutex_t lock;
	struct users_table *table; /* guarded by lock; one reference is ours */
};

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

/* load - read and parse; NULL when an error was added. */
static struct users_table *
load(struct users_file *f, struct conf_errors *errors)
{
	struct users_table *table = NULL;
	struct err err = { .kind = ERR_NONE };
	struct buf text;

	buf_init(&text, USERS_FILE_MAX);
	if (file_read_regular(f->watch.path, &text, &f->watch.seen, &err) &&
	    mode_is_safe(&f->watch.seen, f->form, &err))
		table = users_table_parse(f->watch.path, buf_view(&text), f->form, errors);
	else
		conf_error(errors, (struct conf_where){ .file = f->watch.path }, "users", "%s",
		    err.text);
	buf_finish(&text);
	return table;
}

struct users_file *
users_file_create(
    const char *path, enum users_form form, void (*on_change)(void), struct conf_errors *errors)
{
	struct users_file *f = mem_calloc(1, sizeof(*f));

	file_watch_init(&f->watch, path);
	f->form = form;
	f->on_change = on_change;
	pthread_mutex_init(&f->lock, NULL);
	f->table = load(f, errors);
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
	file_watch_finish(&(*f)->watch);
	mem_free(*f);
	*f = NULL;
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
	struct conf_errors errors;
	struct users_table *table;

	if (!file_watch_has_changed(&f->watch))
		return;
	conf_errors_init(&errors);
	table = load(f, &errors);
	if (table != NULL) {
		log_event(LEVEL_INFO, "auth.users_read", LOG_STR("file", f->watch.path),
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
	if (!file_watch_begin(&f->watch))
		return;
	look(f);
	file_watch_end(&f->watch);
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
