/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The SQLite file behind dmarc_store.c and dmarc_store_read.c. A handle belongs to one thread
 * at a time. Texts meet SQL as bound values only.
 */
#ifndef GATEPOST_DOMAIN_DMARC_STORE_PRIVATE_H
#define GATEPOST_DOMAIN_DMARC_STORE_PRIVATE_H

#include "lib/base/err.h"

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DMARC_DAY_S 86400

#define DMARC_TEXT_MAX 255 /* octets of one text */
/* Between the parts of one DKIM or SPF result, and between two: no text holds a control. */
#define DMARC_PART_END	 '\x1f'
#define DMARC_RESULT_END '\x1e'

/* The texts of a row, as they stand in the file; "" where there is nothing. */
enum dmarc_text {
	DMARC_POLICY_DOMAIN,
	DMARC_HEADER_FROM,
	DMARC_SOURCE_IP,
	DMARC_DISPOSITION,
	DMARC_DKIM_ALIGNED, /* "pass", "fail" */
	DMARC_SPF_ALIGNED,
	DMARC_OVERRIDE_TYPE,
	DMARC_OVERRIDE_COMMENT,
	DMARC_ENVELOPE_FROM,
	DMARC_ENVELOPE_TO,
	DMARC_SPF,    /* domain, result, explanation */
	DMARC_DKIM,   /* several: domain, selector, result, explanation */
	DMARC_POLICY, /* "none none none r r n": p, sp, np, adkim, aspf, t; not part of the key
		       */
	DMARC_TEXTS,
};

/* A row ready to be written: one allocation. */
struct dmarc_row {
	struct dmarc_row *next;
	int64_t at;
	const char *text[DMARC_TEXTS];
};

struct dmarc_db {
	sqlite3 *handle;   /* NULL: closed */
	sqlite3_stmt *add; /* of the writer */
	dev_t device;	   /* which file it was when it was opened */
	ino_t inode;
};

enum dmarc_db_mode {
	DMARC_DB_CREATE, /* made if need be */
	DMARC_DB_EXISTING,
};

/*
 * dmarc_db_open - errors: ERR_IO cannot be opened or made, ERR_CONFIG it is no store, or one of
 * a newer version. *db is closed then.
 */
MUST_CHECK bool dmarc_db_open(
    struct dmarc_db *db, const char *path, enum dmarc_db_mode mode, struct err *err);
void dmarc_db_close(struct dmarc_db *db);

/* dmarc_db_is_of - the handle's file still is the one at path. */
MUST_CHECK bool dmarc_db_is_of(const struct dmarc_db *db, const char *path);

/* dmarc_db_write - all rows of the list up to count, in one transaction: all or none. */
MUST_CHECK bool dmarc_db_write(
    struct dmarc_db *db, const struct dmarc_row *rows, size_t count, struct err *err);

/* dmarc_db_trim - remove what is of days before that one (in days since 1970). */
MUST_CHECK bool dmarc_db_trim(struct dmarc_db *db, int64_t before_day, struct err *err);

/* dmarc_db_cap - the file may grow to max_octets. */
void dmarc_db_cap(struct dmarc_db *db, int64_t max_octets);

MUST_CHECK bool dmarc_db_run(struct dmarc_db *db, const char *sql, struct err *err);
MUST_CHECK sqlite3_stmt *dmarc_db_prepare(
    struct dmarc_db *db, const char *sql, struct err *err);

/* dmarc_db_fail - the handle's error as *err; always false. */
bool dmarc_db_fail(const struct dmarc_db *db, struct err *err);

#endif
