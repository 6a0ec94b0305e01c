/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables in an SQLite database: a prepared SELECT, to which the key is bound. It is opened for
 * reading only, and again when another file has taken its place. What holds a lock on it is
 * waited for until the deadline; so long may the query run, too.
 */
#include "lib/table/table_check.h"
#include "lib/table/table_private.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#include <sqlite3.h>
#include <sys/stat.h>

#define STEPS_BETWEEN_LOOKS 1000 /* of SQLite's machine, at the clock */

struct sqlite_table {
	sqlite3 *db;
	sqlite3_stmt *select;
	const char *file; /* borrowed from the configuration */
	dev_t device;	  /* which file it was when it was opened */
	ino_t inode;
	int64_t deadline_ms; /* of the question that is asked */
};

static bool
sqlite_check(const struct table_config *config, struct conf_errors *errors)
{
	const size_t errors_before = errors->count;

	table_check_keys(config, errors);
	if (config->tls != TABLE_TLS_NONE)
		conf_error(errors, config->where, "tables.tls", "is not for type \"sqlite\"");
	return errors->count == errors_before;
}

static bool
sqlite_fail(const struct sqlite_table *t, struct err *err)
{
	const int code = sqlite3_errcode(t->db) & 0xff;

	if (code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_INTERRUPT)
		return err_set(err, ERR_TIMEOUT, "%s",
		    code == SQLITE_INTERRUPT ? "the query took too long"
					     : "somebody holds a lock on it");
	return err_set(err, ERR_IO, "%s", sqlite3_errmsg(t->db));
}

static int
is_late(void *context)
{
	const struct sqlite_table *t = context;

	return clock_mono_ms() >= t->deadline_ms;
}

static void
set_deadline(struct sqlite_table *t, int64_t deadline_ms)
{
	t->deadline_ms = deadline_ms;
	(void)sqlite3_busy_timeout(t->db, clock_left_ms(deadline_ms));
}

static bool
prepare(struct sqlite_table *t, const char *query, struct err *err)
{
	const char *rest = "";

	if (sqlite3_prepare_v2(t->db, query, -1, &t->select, &rest) != SQLITE_OK)
		return sqlite_fail(t, err);
	if (t->select == NULL || view_trim(view_of(rest)).len > 0 ||
	    !sqlite3_stmt_readonly(t->select) || sqlite3_column_count(t->select) == 0)
		return err_set(err, ERR_CONFIG, "query is not one SELECT");
	if (sqlite3_bind_parameter_count(t->select) != 1)
		return err_set(err, ERR_CONFIG, "query has not one ? for the key");
	return true;
}

static bool
open_file(struct sqlite_table *t, const struct table_config *config, struct err *err)
{
	struct stat st;

	if (stat(t->file, &st) != 0)
		return err_set(err, ERR_IO, "there is no %s", t->file);
	t->device = st.st_dev;
	t->inode = st.st_ino;
	if (sqlite3_open_v2(
		t->file, &t->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return t->db != NULL ? sqlite_fail(t, err) : err_set(err, ERR_IO, "no memory");
	(void)sqlite3_db_config(t->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(t->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_limit(t->db, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_limit(t->db, SQLITE_LIMIT_LENGTH, 1 << 20);
	set_deadline(t, t->deadline_ms);
	sqlite3_progress_handler(t->db, STEPS_BETWEEN_LOOKS, is_late, t);
	return prepare(t, config->query, err);
}

static void
sqlite_table_close(void *connection)
{
	struct sqlite_table *t = connection;

	(void)sqlite3_finalize(t->select);
	(void)sqlite3_close(t->db);
	mem_free(t);
}

static void *
sqlite_table_open(const struct table_config *config, const struct secret *password UNUSED,
    int64_t deadline_ms, struct err *err)
{
	struct sqlite_table *t = mem_calloc(1, sizeof(*t));

	t->file = config->file;
	t->deadline_ms = deadline_ms;
	if (open_file(t, config, err))
		return t;
	sqlite_table_close(t);
	return NULL;
}

static bool
sqlite_is_usable(void *connection)
{
	const struct sqlite_table *t = connection;
	struct stat st;

	return stat(t->file, &st) == 0 && st.st_dev == t->device && st.st_ino == t->inode;
}

static bool
add_row(struct sqlite_table *t, struct table_answer *answer, struct err *err)
{
	for (int i = 0; i < sqlite3_column_count(t->select); i++) {
		const unsigned char *text = sqlite3_column_text(t->select, i);
		const int len = sqlite3_column_bytes(t->select, i);

		if (text != NULL &&
		    !table_answer_add(answer, view_make((const char *)text, (size_t)len), err))
			return false;
	}
	return true;
}

static enum table_result
run(struct sqlite_table *t, struct table_answer *answer, struct err *err)
{
	enum table_result result = TABLE_ABSENT;
	int status;

	while ((status = sqlite3_step(t->select)) == SQLITE_ROW) {
		result = TABLE_FOUND;
		if (!add_row(t, answer, err))
			return TABLE_DOWN;
	}
	if (status == SQLITE_DONE)
		return result;
	if (status == SQLITE_TOOBIG)
		(void)table_answer_spoil(answer, err, "a value of over 1 MiB");
	else
		(void)sqlite_fail(t, err);
	return TABLE_DOWN;
}

static enum table_result
sqlite_ask(void *connection, struct view key, int64_t deadline_ms, struct table_answer *answer,
    struct err *err)
{
	struct sqlite_table *t = connection;
	enum table_result result = TABLE_DOWN;

	set_deadline(t, deadline_ms);
	if (sqlite3_bind_text(t->select, 1, key.p, (int)key.len, SQLITE_STATIC) == SQLITE_OK)
		result = run(t, answer, err);
	else
		(void)sqlite_fail(t, err);
	(void)sqlite3_reset(t->select);
	(void)sqlite3_clear_bindings(t->select);
	return result;
}

const struct table_kind table_kind_sqlite = {
	.name = "sqlite",
	.is_cached = true,
	.check = sqlite_check,
	.open = sqlite_table_open,
	.close = sqlite_table_close,
	.is_usable = sqlite_is_usable,
	.ask = sqlite_ask,
};
