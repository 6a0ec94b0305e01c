/* SPDX-License-Identifier: MPL-2.0 */
/* The file of the store of DMARC results: who may open it, what is wrong with it, how large it
 * gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dmarc_store_fixture.h"

static void
test_file_mode(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;
	struct stat st;
	mode_t before = umask(0);

	sample_init(&sample);
	assert_true(dmarc_store_add(s, &sample.row));
	wait_until(s, ALL_WRITTEN);
	assert_int_equal(stat(p->file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	dmarc_store_close(&s);
	umask(before);
}

static void
test_shared_by_path(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *a = open_store(p), *b = open_store(p);
	struct sample sample;

	assert_ptr_equal(a, b);
	sample_init(&sample);
	assert_true(dmarc_store_add(a, &sample.row));
	dmarc_store_close(&a);
	assert_true(dmarc_store_add(b, &sample.row)); /* still there */
	dmarc_store_close(&b);
	assert_int_equal(rows_of(p, DAY, "example.com").messages, 2);
}

static void
test_two_openers(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;
	struct err err = { 0 };
	bool is_there = false;

	sample_init(&sample);
	assert_true(dmarc_store_add(s, &sample.row));
	wait_until(s, ALL_WRITTEN);
	struct dmarc_reader *r = open_reader(p);
	assert_true(dmarc_store_add(s, &sample.row));
	wait_until(s, ALL_WRITTEN); /* while another has it open */
	struct gathered g = { 0 };
	assert_true(dmarc_reader_each_row(r, DAY, "example.com", gather_row, &g, &err));
	assert_int_equal(g.messages, 2);
	assert_true(dmarc_reader_mark(r, DAY, "example.com", "d@example.com", AT, &err));
	assert_true(dmarc_reader_mark(r, DAY, "example.com", "d@example.com", AT, &err));
	assert_true(
	    dmarc_reader_is_marked(r, DAY, "example.com", "d@example.com", &is_there, &err));
	assert_true(is_there);
	assert_true(dmarc_reader_is_marked(r, DAY, "example.com", "", &is_there, &err));
	assert_false(is_there);
	dmarc_reader_close(&r);
	dmarc_store_close(&s);
}

static void
test_reader_makes_no_file(void **state)
{
	const struct place *p = *state;
	struct err err = { 0 };

	assert_null(dmarc_reader_open(p->file, &err));
	assert_int_equal(err.kind, ERR_IO);
	assert_int_equal(access(p->file, F_OK), -1);
}

static void
test_locked(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;
	sqlite3 *other = NULL;

	sample_init(&sample);
	assert_true(dmarc_store_add(s, &sample.row));
	wait_until(s, ALL_WRITTEN);
	assert_int_equal(sqlite3_open(p->file, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	const int64_t before_ms = clock_mono_ms();
	assert_true(dmarc_store_add(s, &sample.row));
	assert_true(clock_mono_ms() - before_ms < 1000); /* nobody waits */
	wait_until(s, FAILING);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	dmarc_store_close(&s); /* writes it now */
	assert_int_equal(rows_of(p, DAY, "example.com").messages, 2);
}

static void
test_read_only_folder(void **state)
{
	const struct place *p = *state;
	struct place missing = *p;
	struct dmarc_store_counts c;
	struct sample sample;

	/* A folder that is not there stands for one that may not be written: root may all. */
	snprintf(missing.file, sizeof(missing.file), "%s/no/dmarc.sqlite", p->folder);
	struct dmarc_store *s = open_store(geteuid() == 0 ? &missing : p);
	if (geteuid() != 0)
		assert_int_equal(chmod(p->folder, 0500), 0);
	sample_init(&sample);
	assert_true(dmarc_store_add(s, &sample.row));
	wait_until(s, FAILING);
	for (int i = 1; i < DMARC_STORE_QUEUE_MAX; i++)
		assert_true(dmarc_store_add(s, &sample.row));
	assert_false(dmarc_store_add(s, &sample.row)); /* the queue overflows, counted */
	assert_false(dmarc_store_add(s, &sample.row));
	dmarc_store_count(s, &c);
	assert_int_equal(c.lost, 2);
	assert_int_equal(c.queued, DMARC_STORE_QUEUE_MAX);
	dmarc_store_close(&s); /* does not hang */
}

static void
test_corrupt_file(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;
	struct err err = { 0 };
	FILE *f = fopen(p->file, "w");

	for (int i = 0; i < 5000; i++)
		fprintf(f, "this is no database\n");
	fclose(f);
	sample_init(&sample);
	assert_true(dmarc_store_add(s, &sample.row));
	wait_until(s, FAILING);
	assert_null(dmarc_reader_open(p->file, &err));
	assert_non_null(strstr(err.text, "not a database"));
	assert_int_equal(unlink(p->file), 0); /* the operator moves it away */
	dmarc_store_close(&s);
	assert_int_equal(rows_of(p, DAY, "example.com").messages, 1);
}

static void
test_damaged_pages(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;
	struct err err = { 0 };
	struct gathered g = { 0 };
	char junk[4096];

	sample_init(&sample);
	for (int i = 0; i < 300; i++) {
		char client[32];

		snprintf(client, sizeof(client), "192.0.2.%d", i);
		sample.row.client = client;
		assert_true(dmarc_store_add(s, &sample.row));
	}
	dmarc_store_close(&s);
	FILE *f = fopen(p->file, "r+");
	memset(junk, 0xa5, sizeof(junk));
	for (int page = 2; page < 12; page++) {
		fseek(f, page * 4096L, SEEK_SET);
		assert_int_equal(fwrite(junk, 1, sizeof(junk), f), sizeof(junk));
	}
	fclose(f);
	struct dmarc_reader *r = dmarc_reader_open(p->file, &err);
	if (r != NULL)
		assert_false(
		    dmarc_reader_each_row(r, DAY, "example.com", gather_row, &g, &err));
	assert_non_null(strstr(err.text, "malformed"));
	dmarc_reader_close(&r);
}

static void
test_newer_version(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;
	struct err err = { 0 };
	sqlite3 *other = NULL;

	sample_init(&sample);
	assert_true(dmarc_store_add(s, &sample.row));
	dmarc_store_close(&s);
	assert_int_equal(sqlite3_open(p->file, &other), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(other, "PRAGMA user_version = 7", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	assert_null(dmarc_reader_open(p->file, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.text, "version 7"));
}

static void
test_old_days_go(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;

	clock_fake_set(1000, AT);
	dmarc_store_limit(s, 2, INT64_C(1) << 24);
	sample_init(&sample);
	for (int age = 0; age < 5; age++) {
		sample.row.at = AT - age * INT64_C(86400);
		assert_true(dmarc_store_add(s, &sample.row));
	}
	wait_until(s, ALL_WRITTEN); /* trimmed before these were written */
	clock_fake_set(1000, AT + 86400);
	sample.row.at = AT + 86400;
	assert_true(dmarc_store_add(s, &sample.row));
	dmarc_store_close(&s);
	clock_fake_set(-1, -1);
	assert_int_equal(rows_of(p, DAY + 1, "example.com").rows, 1);
	assert_int_equal(rows_of(p, DAY, "example.com").rows, 1);
	assert_int_equal(rows_of(p, DAY - 1, "example.com").rows, 1);
	assert_int_equal(rows_of(p, DAY - 2, "example.com").rows, 0);
}

static void
test_file_is_full(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct dmarc_store_counts c;
	struct sample sample;
	struct stat st;
	char client[64], comment[256];

	dmarc_store_limit(s, 30, 1 << 20);
	sample_init(&sample);
	memset(comment, 'c', sizeof(comment) - 1);
	comment[sizeof(comment) - 1] = '\0';
	sample.row.override_comment = comment;
	for (int i = 0; i < DMARC_STORE_QUEUE_MAX; i++) {
		snprintf(client, sizeof(client), "2001:db8::%x", (unsigned)i);
		sample.row.client = client;
		assert_true(dmarc_store_add(s, &sample.row));
	}
	wait_until(s, FAILING);
	dmarc_store_count(s, &c);
	assert_true(c.queued > 0);
	dmarc_store_close(&s);
	assert_int_equal(stat(p->file, &st), 0);
	assert_true(st.st_size <= 1 << 20);
	assert_true(rows_of(p, DAY, "example.com").rows > 0); /* whole batches, or nothing */
}

static void
test_bad_path(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_null(dmarc_store_open("", &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	struct dmarc_store *none = NULL;
	dmarc_store_close(&none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE("the file has mode 0640 whatever the umask", test_file_mode),
		CASE("two opens of a path share one store", test_shared_by_path),
		CASE("another opener reads and marks meanwhile", test_two_openers),
		CASE("a reader makes no file", test_reader_makes_no_file),
		CASE("a lock held by another delays no mail and loses nothing", test_locked),
		CASE("a folder that cannot be written loses what the queue cannot hold",
		    test_read_only_folder),
		CASE("a corrupt file is an outage until it is moved away", test_corrupt_file),
		CASE("damaged pages are an error for the reader", test_damaged_pages),
		CASE("a file of a newer version is left alone", test_newer_version),
		CASE("days past the limit go", test_old_days_go),
		CASE("a full file is an outage, whole batches stay", test_file_is_full),
		CASE("a path must be there", test_bad_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
