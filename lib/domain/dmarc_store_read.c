/* SPDX-License-Identifier: MPL-2.0 */
/* Reading the store; see dmarc_store_read.h. */
#include "lib/domain/dmarc_store_read.h"

#include "lib/base/mem.h"
#include "lib/domain/dmarc_store_private.h"

#include <stdio.h>

struct dmarc_reader {
	struct dmarc_db db;
	char id[16];
};

static bool
read_id(struct dmarc_reader *r, struct err *err)
{
	sqlite3_stmt *statement = dmarc_db_prepare(&r->db, "SELECT id FROM store", err);
	bool ok = statement != NULL;

	if (ok && sqlite3_step(statement) != SQLITE_ROW)
		ok = dmarc_db_fail(&r->db, err);
	else if (ok)
		snprintf(r->id, sizeof(r->id), "%s",
		    (const char *)sqlite3_column_text(statement, 0));
	(void)sqlite3_finalize(statement);
	return ok;
}

struct dmarc_reader *
dmarc_reader_open(const char *path, struct err *err)
{
	struct dmarc_reader *r = mem_calloc(1, sizeof(*r));

	if (!dmarc_db_open(&r->db, path, DMARC_DB_EXISTING, err) || !read_id(r, err)) {
		(void)err_prefix(err, "%s", path);
		dmarc_reader_close(&r);
	}
	return r;
}

void
dmarc_reader_close(struct dmarc_reader **r)
{
	if (*r == NULL)
		return;
	dmarc_db_close(&(*r)->db);
	mem_free(*r);
	*r = NULL;
}

const char *
dmarc_reader_id(const struct dmarc_reader *r)
{
	return r->id;
}

/* prepare - a statement about ?1 a day and, if given, ?2 a policy domain. */
static sqlite3_stmt *
prepare(
    struct dmarc_reader *r, const char *sql, int64_t day, const char *domain, struct err *err)
{
	sqlite3_stmt *statement = dmarc_db_prepare(&r->db, sql, err);

	if (statement == NULL)
		return NULL;
	if (sqlite3_bind_int64(statement, 1, day) == SQLITE_OK &&
	    (domain == NULL ||
		sqlite3_bind_text(statement, 2, domain, -1, SQLITE_TRANSIENT) == SQLITE_OK))
		return statement;
	(void)dmarc_db_fail(&r->db, err);
	(void)sqlite3_finalize(statement);
	return NULL;
}

static const char *
column(sqlite3_stmt *statement, int index)
{
	const unsigned char *text = sqlite3_column_text(statement, index);

	return text != NULL ? (const char *)text : "";
}

bool
dmarc_reader_each_domain(struct dmarc_reader *r, int64_t day, dmarc_reader_domain callback,
    void *context, struct err *err)
{
	sqlite3_stmt *statement = prepare(r,
	    "SELECT policy_domain FROM seen WHERE day = ?1 GROUP BY policy_domain"
	    " ORDER BY sum(count) DESC, policy_domain",
	    day, NULL, err);
	int status = SQLITE_DONE;

	if (statement == NULL)
		return false;
	while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
		if (!callback(context, column(statement, 0)))
			break;
	}
	if (status != SQLITE_ROW && status != SQLITE_DONE)
		(void)dmarc_db_fail(&r->db, err);
	(void)sqlite3_finalize(statement);
	return status == SQLITE_ROW || status == SQLITE_DONE;
}

/* next_part - up to an end mark, as a text in the arena. */
static const char *
next_part(struct view *rest, struct arena *arena)
{
	struct view part = { "", 0 };

	(void)view_split(rest, DMARC_PART_END, &part);
	return arena_strdup(arena, part);
}

static struct dmarc_check
read_check(struct view packed, bool has_selector, struct arena *arena)
{
	struct dmarc_check c = { .selector = "" };

	c.domain = next_part(&packed, arena);
	if (has_selector)
		c.selector = next_part(&packed, arena);
	c.result = next_part(&packed, arena);
	c.why = next_part(&packed, arena);
	return c;
}

static void
read_checks(struct dmarc_group *g, const char *spf, const char *dkim, struct arena *arena)
{
	struct view rest = view_of(spf), one;

	if (rest.len > 0 && view_split(&rest, DMARC_RESULT_END, &one)) {
		g->spf = read_check(one, false, arena);
		g->spf_count = 1;
	}
	rest = view_of(dkim);
	while (g->dkim_count < DMARC_GROUP_CHECKS_MAX &&
	       view_split(&rest, DMARC_RESULT_END, &one)) {
		if (one.len > 0)
			g->dkim[g->dkim_count++] = read_check(one, true, arena);
	}
}

static bool
hand_out_row(
    sqlite3_stmt *statement, dmarc_reader_row callback, void *context, struct arena *arena)
{
	struct dmarc_group g = { .count = sqlite3_column_int64(statement, 0),
		.source_ip = column(statement, 1),
		.header_from = column(statement, 2),
		.envelope_from = column(statement, 3),
		.envelope_to = column(statement, 4),
		.disposition = column(statement, 5),
		.dkim_aligned = column(statement, 6),
		.spf_aligned = column(statement, 7),
		.override_type = column(statement, 8),
		.override_comment = column(statement, 9) };

	read_checks(&g, column(statement, 10), column(statement, 11), arena);
	return callback(context, &g);
}

bool
dmarc_reader_each_row(struct dmarc_reader *r, int64_t day, const char *policy_domain,
    dmarc_reader_row callback, void *context, struct err *err)
{
	static const char sql[] =
	    "SELECT count, source_ip, header_from, envelope_from, envelope_to, disposition,"
	    " dkim_aligned, spf_aligned, override_type, override_comment, spf, dkim"
	    " FROM seen WHERE day = ?1 AND policy_domain = ?2"
	    " ORDER BY count DESC, source_ip, header_from, envelope_from, spf, dkim";
	sqlite3_stmt *statement = prepare(r, sql, day, policy_domain, err);
	bool goes_on = true;
	int status = SQLITE_DONE;

	if (statement == NULL)
		return false;
	while (goes_on && (status = sqlite3_step(statement)) == SQLITE_ROW) {
		struct arena arena;

		arena_init(&arena);
		goes_on = hand_out_row(statement, callback, context, &arena);
		arena_finish(&arena);
	}
	if (status != SQLITE_ROW && status != SQLITE_DONE)
		(void)dmarc_db_fail(&r->db, err);
	(void)sqlite3_finalize(statement);
	return status == SQLITE_ROW || status == SQLITE_DONE;
}

static void
copy_word(struct view *rest, char *out, size_t room)
{
	struct view word = { "", 0 };

	(void)view_split(rest, ' ', &word);
	(void)view_copy(word, out, room);
}

static void
read_policy(const char *packed, struct dmarc_published *out)
{
	struct view rest = view_of(packed);

	copy_word(&rest, out->p, sizeof(out->p));
	copy_word(&rest, out->sp, sizeof(out->sp));
	copy_word(&rest, out->np, sizeof(out->np));
	copy_word(&rest, out->adkim, sizeof(out->adkim));
	copy_word(&rest, out->aspf, sizeof(out->aspf));
	copy_word(&rest, out->testing, sizeof(out->testing));
}

bool
dmarc_reader_policy(struct dmarc_reader *r, int64_t day, const char *policy_domain,
    struct dmarc_published *out, struct err *err)
{
	sqlite3_stmt *statement = prepare(r,
	    "SELECT policy FROM seen WHERE day = ?1 AND policy_domain = ?2"
	    " ORDER BY last_at DESC LIMIT 1",
	    day, policy_domain, err);
	bool ok = false;

	if (statement == NULL)
		return false;
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		read_policy(column(statement, 0), out);
		ok = true;
		break;
	case SQLITE_DONE:
		(void)err_set(
		    err, ERR_REFUSED, "nothing was seen of %s on that day", policy_domain);
		break;
	default:
		(void)dmarc_db_fail(&r->db, err);
		break;
	}
	(void)sqlite3_finalize(statement);
	return ok;
}

bool
dmarc_reader_mark(struct dmarc_reader *r, int64_t day, const char *policy_domain,
    const char *destination, int64_t now, struct err *err)
{
	sqlite3_stmt *statement = prepare(r,
	    "INSERT OR REPLACE INTO report (day, policy_domain, destination, at)"
	    " VALUES (?1, ?2, ?3, ?4)",
	    day, policy_domain, err);
	bool ok = statement != NULL;

	if (ok)
		ok = (sqlite3_bind_text(statement, 3, destination, -1, SQLITE_TRANSIENT) ==
			     SQLITE_OK &&
			 sqlite3_bind_int64(statement, 4, now) == SQLITE_OK &&
			 sqlite3_step(statement) == SQLITE_DONE) ||
		     dmarc_db_fail(&r->db, err);
	(void)sqlite3_finalize(statement);
	return ok;
}

bool
dmarc_reader_is_marked(struct dmarc_reader *r, int64_t day, const char *policy_domain,
    const char *destination, bool *out, struct err *err)
{
	sqlite3_stmt *statement = prepare(r,
	    "SELECT 1 FROM report WHERE day = ?1 AND policy_domain = ?2 AND destination = ?3",
	    day, policy_domain, err);
	int status = SQLITE_ERROR;

	if (statement == NULL)
		return false;
	if (sqlite3_bind_text(statement, 3, destination, -1, SQLITE_TRANSIENT) == SQLITE_OK)
		status = sqlite3_step(statement);
	*out = status == SQLITE_ROW;
	if (status != SQLITE_ROW && status != SQLITE_DONE)
		(void)dmarc_db_fail(&r->db, err);
	(void)sqlite3_finalize(statement);
	return status == SQLITE_ROW || status == SQLITE_DONE;
}
