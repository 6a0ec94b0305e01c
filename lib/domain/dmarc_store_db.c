/* SPDX-License-Identifier: MPL-2.0 */
/* The file: schema, writing, trimming; see dmarc_store_private.h. */
#include "lib/domain/dmarc_store_private.h"

#include "lib/base/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION	      1
#define BUSY_MS	      2000 /* how long another opener may hold the lock */
#define WAL_OCTETS    "4194304"
#define PAGES_MIN     64
#define PAGE_FALLBACK 4096

/*
 * One row for each day and tuple of what a report tells apart; the table is its own index.
 * policy is the last one that was seen. report: what was mailed; destination "" says that
 * nothing is left to do for that day and domain. store.id tells the reports of two gates apart.
 */
static const char schema[] =
    "PRAGMA auto_vacuum = INCREMENTAL;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE store (id TEXT NOT NULL);"
    "INSERT INTO store VALUES (lower(hex(randomblob(4))));"
    "CREATE TABLE seen (day INTEGER NOT NULL, policy_domain TEXT NOT NULL,"
    " header_from TEXT NOT NULL, source_ip TEXT NOT NULL, disposition TEXT NOT NULL,"
    " dkim_aligned TEXT NOT NULL, spf_aligned TEXT NOT NULL, override_type TEXT NOT NULL,"
    " override_comment TEXT NOT NULL, envelope_from TEXT NOT NULL, envelope_to TEXT NOT NULL,"
    " spf TEXT NOT NULL, dkim TEXT NOT NULL, policy TEXT NOT NULL, count INTEGER NOT NULL,"
    " last_at INTEGER NOT NULL,"
    " PRIMARY KEY (day, policy_domain, header_from, source_ip, disposition, dkim_aligned,"
    " spf_aligned, override_type, override_comment, envelope_from, envelope_to, spf, dkim)"
    ") WITHOUT ROWID;"
    "CREATE TABLE report (day INTEGER NOT NULL, policy_domain TEXT NOT NULL,"
    " destination TEXT NOT NULL, at INTEGER NOT NULL,"
    " PRIMARY KEY (day, policy_domain, destination)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

/* ?1 the day, ?2 the time, ?3 and on the texts in the order of enum dmarc_text. */
static const char add_sql[] =
    "INSERT INTO seen (day, last_at, policy_domain, header_from, source_ip, disposition,"
    " dkim_aligned, spf_aligned, override_type, override_comment, envelope_from, envelope_to,"
    " spf, dkim, policy, count)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 1)"
    " ON CONFLICT DO UPDATE SET count = count + 1,"
    " policy = iif(excluded.last_at >= last_at, excluded.policy, policy),"
    " last_at = max(last_at, excluded.last_at)";

bool
dmarc_db_fail(const struct dmarc_db *db, struct err *err)
{
	return err_set(err, ERR_IO, "%s", sqlite3_errmsg(db->handle));
}

bool
dmarc_db_run(struct dmarc_db *db, const char *sql, struct err *err)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ||
	       dmarc_db_fail(db, err);
}

sqlite3_stmt *
dmarc_db_prepare(struct dmarc_db *db, const char *sql, struct err *err)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK)
		(void)dmarc_db_fail(db, err);
	return statement;
}

/* read_number - the one number of a query; false: the file cannot be read. */
static bool
read_number(struct dmarc_db *db, const char *sql, int64_t *out, struct err *err)
{
	sqlite3_stmt *statement = dmarc_db_prepare(db, sql, err);
	bool ok = statement != NULL;

	if (ok && sqlite3_step(statement) == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	else if (ok)
		ok = dmarc_db_fail(db, err);
	(void)sqlite3_finalize(statement);
	return ok;
}

/*
 * make_file - SQLite would make it with a mode of its own. Only when there is none: closing a
 * descriptor of a file that is open in this process already would give up its locks.
 */
static bool
make_file(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	bool ok;

	if (fd < 0)
		return errno == EEXIST || err_set_errno(err, errno, "cannot make it");
	ok = fchmod(fd, 0640) == 0 || err_set_errno(err, errno, "cannot set its mode");
	(void)close(fd);
	return ok;
}

/* set_up - the schema, if it is new; somebody else may be just as far at the same time. */
static bool
set_up(struct dmarc_db *db, struct err *err)
{
	int64_t version = 0;

	if (!dmarc_db_run(db,
		"PRAGMA trusted_schema = OFF; PRAGMA synchronous = NORMAL;"
		"PRAGMA journal_size_limit = " WAL_OCTETS ";",
		err) ||
	    !read_number(db, "PRAGMA user_version", &version, err))
		return false;
	if (version == 0 && !dmarc_db_run(db, schema, err)) {
		(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
		if (!read_number(db, "PRAGMA user_version", &version, NULL) || version == 0)
			return false;
	} else if (version == 0) {
		version = VERSION;
	}
	if (version != VERSION)
		return err_set(err, ERR_CONFIG,
		    "it is of version %lld, this program knows version %d", (long long)version,
		    VERSION);
	return dmarc_db_run(db, "PRAGMA journal_mode = WAL", err);
}

static void
learn_file(struct dmarc_db *db, const char *path)
{
	struct stat st = { 0 };

	(void)stat(path, &st);
	db->device = st.st_dev;
	db->inode = st.st_ino;
}

bool
dmarc_db_open(struct dmarc_db *db, const char *path, enum dmarc_db_mode mode, struct err *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

	*db = (struct dmarc_db){ .handle = NULL };
	if (mode == DMARC_DB_CREATE && !make_file(path, err))
		return false;
	if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
		(void)err_set(err, ERR_IO, "%s",
		    db->handle != NULL ? sqlite3_errmsg(db->handle) : "no memory");
		dmarc_db_close(db);
		return false;
	}
	(void)sqlite3_extended_result_codes(db->handle, 1);
	(void)sqlite3_busy_timeout(db->handle, BUSY_MS);
	(void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	learn_file(db, path);
	if (set_up(db, err))
		return true;
	dmarc_db_close(db);
	return false;
}

void
dmarc_db_close(struct dmarc_db *db)
{
	(void)sqlite3_finalize(db->add);
	(void)sqlite3_close(db->handle);
	*db = (struct dmarc_db){ .handle = NULL };
}

bool
dmarc_db_is_of(const struct dmarc_db *db, const char *path)
{
	struct stat st;

	return db->handle != NULL && stat(path, &st) == 0 && st.st_dev == db->device &&
	       st.st_ino == db->inode;
}

void
dmarc_db_cap(struct dmarc_db *db, int64_t max_octets)
{
	int64_t page = PAGE_FALLBACK, pages;
	char sql[64];

	if (!read_number(db, "PRAGMA page_size", &page, NULL) || page <= 0)
		page = PAGE_FALLBACK;
	pages = max_octets / page > PAGES_MIN ? max_octets / page : PAGES_MIN;
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld", (long long)pages);
	(void)sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
}

static bool
write_row(struct dmarc_db *db, const struct dmarc_row *row, struct err *err)
{
	sqlite3_stmt *add = db->add;
	int status = sqlite3_bind_int64(add, 1, row->at / DMARC_DAY_S);

	if (status == SQLITE_OK)
		status = sqlite3_bind_int64(add, 2, row->at);
	for (int i = 0; status == SQLITE_OK && i < DMARC_TEXTS; i++)
		status = sqlite3_bind_text(add, i + 3, row->text[i], -1, SQLITE_STATIC);
	if (status == SQLITE_OK && sqlite3_step(add) == SQLITE_DONE) {
		(void)sqlite3_reset(add);
		return true;
	}
	(void)dmarc_db_fail(db, err);
	(void)sqlite3_reset(add);
	return false;
}

bool
dmarc_db_write(struct dmarc_db *db, const struct dmarc_row *rows, size_t count, struct err *err)
{
	bool ok;

	if (db->add == NULL && (db->add = dmarc_db_prepare(db, add_sql, err)) == NULL)
		return false;
	ok = dmarc_db_run(db, "BEGIN IMMEDIATE", err);
	for (size_t i = 0; ok && i < count; i++, rows = rows->next)
		ok = write_row(db, rows, err);
	(void)sqlite3_clear_bindings(db->add);
	if (ok && dmarc_db_run(db, "COMMIT", err))
		return true;
	/* The text of *err stays that of the first failure. */
	(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

bool
dmarc_db_trim(struct dmarc_db *db, int64_t before_day, struct err *err)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
	    "BEGIN IMMEDIATE; DELETE FROM seen WHERE day < %lld;"
	    "DELETE FROM report WHERE day < %lld; COMMIT; PRAGMA incremental_vacuum;",
	    (long long)before_day, (long long)before_day);
	if (dmarc_db_run(db, sql, err))
		return true;
	(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return false;
}
