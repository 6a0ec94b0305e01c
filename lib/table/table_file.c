/* SPDX-License-Identifier: MPL-2.0 */
/* A file table and the text that it holds now: see table_file.h. */
#include "lib/table/table_file.h"

#include "lib/base/file.h"
#include "lib/base/file_watch.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

struct table_file {
	struct file_watch watch;

	pthread_mutex_t lock;
	struct table_text *text; /* owned; guarded by lock */
};

static bool
mode_is_safe(const struct stat *st, struct err *err)
{
	if ((st->st_mode & S_IWOTH) != 0)
		return err_set(err, ERR_CONFIG, "everybody may write it: chmod o-w");
	return true;
}

/* load - read and parse; NULL when an error was added. */
static struct table_text *
load(struct table_file *f, struct conf_errors *errors)
{
	const char *path = f->watch.path;
	struct table_text *text = NULL;
	struct err err = { .kind = ERR_NONE };
	struct buf whole;

	buf_init(&whole, TABLE_FILE_MAX);
	if (file_read_regular(path, &whole, &f->watch.seen, &err) &&
	    mode_is_safe(&f->watch.seen, &err))
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

	file_watch_init(&f->watch, path);
	pthread_mutex_init(&f->lock, NULL);
	f->text = load(f, errors);
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
	file_watch_finish(&(*f)->watch);
	mem_free(*f);
	*f = NULL;
}

/* look - has it changed, and is the new one good? Only one thread at a time comes here. */
static void
look(struct table_file *f)
{
	struct conf_errors errors;
	struct table_text *text;

	if (!file_watch_has_changed(&f->watch))
		return;
	conf_errors_init(&errors);
	text = load(f, &errors);
	for (size_t i = 0; text == NULL && i < errors.count; i++)
		log_event(LEVEL_ERROR, "table.bad", LOG_STR("error", errors.lines[i]));
	conf_errors_finish(&errors);
	if (text == NULL)
		return;
	log_event(LEVEL_INFO, "table.read", LOG_STR("file", f->watch.path),
	    LOG_U64("entries", table_text_count(text)));
	pthread_mutex_lock(&f->lock);
	struct table_text *old = f->text;
	f->text = text;
	pthread_mutex_unlock(&f->lock);
	table_text_destroy(&old); /* nobody reads it: they all hold the lock */
}

enum table_result
table_file_ask(struct table_file *f, struct view key, struct table_answer *answer)
{
	const struct table_entry *entry;
	bool ok = true;

	if (file_watch_begin(&f->watch)) {
		look(f);
		file_watch_end(&f->watch);
	}
	pthread_mutex_lock(&f->lock);
	entry = table_text_find(f->text, key);
	for (size_t i = 0; entry != NULL && ok && i < entry->count; i++)
		ok = table_answer_add(answer, entry->values[i], NULL);
	pthread_mutex_unlock(&f->lock);
	if (!ok)
		BUG("an entry over the limits");
	return entry != NULL ? TABLE_FOUND : TABLE_ABSENT;
}
