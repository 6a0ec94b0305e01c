/* SPDX-License-Identifier: MPL-2.0 */
/* The store of DMARC results: what is written, what is lost, and that nobody ever waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/domain/dmarc_store.h"
#include "lib/domain/dmarc_store_read.h"

#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY 20781 /* 2026-11-24 */
#define AT  (DAY * INT64_C(86400) + 3600)

struct place {
	char folder[64], file[96];
};

static int
set_up(void **state)
{
	struct place *p = mem_calloc(1, sizeof(*p));

	snprintf(p->folder, sizeof(p->folder), "/tmp/gatepost-dmarc-XXXXXX");
	if (mkdtemp(p->folder) == NULL)
		return -1;
	snprintf(p->file, sizeof(p->file), "%s/dmarc.sqlite", p->folder);
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *p = *state;
	DIR *folder;

	(void)chmod(p->folder, 0700);
	folder = opendir(p->folder);
	for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;)
		(void)unlinkat(dirfd(folder), e->d_name, 0);
	closedir(folder);
	rmdir(p->folder);
	mem_free(p);
	return 0;
}

/* What a message was judged to be, to begin with. */
struct sample {
	struct dmarc_outcome outcome;
	struct authres results[20];
	struct dmarc_store_row row;
};

static struct authres
dkim(enum authres_result result, const char *domain, const char *selector, const char *reason)
{
	return (struct authres){ .method = AUTHRES_DKIM,
		.result = result,
		.domain = domain,
		.is_for_dmarc = true,
		.reason = reason,
		.properties = { { "header", "d", domain }, { "header", "s", selector } },
		.property_count = 2 };
}

static void
sample_init(struct sample *s)
{
	static const struct dmarc_record record = { .p = DMARC_P_REJECT,
		.has_p = true,
		.sp = DMARC_P_QUARANTINE,
		.has_sp = true,
		.adkim_strict = true,
		.rua = { "mailto:d@example.com" },
		.rua_count = 1 };

	*s = (struct sample){ 0 };
	s->outcome.result = AUTHRES_PASS;
	s->outcome.from_domain = "mail.example.com";
	s->outcome.spf_aligned = true;
	s->outcome.found = (struct dmarc_policy_found){ .status = DMARC_FOUND,
		.record = record,
		.policy_domain = "example.com",
		.organizational_domain = "example.com" };
	s->results[0] = (struct authres){ .method = AUTHRES_SPF,
		.result = AUTHRES_PASS,
		.domain = "bounces.example.com",
		.is_for_dmarc = true };
	s->results[1] = dkim(AUTHRES_FAIL, "example.org", "s1", "the body was changed");
	s->row = (struct dmarc_store_row){ .at = AT,
		.client = "192.0.2.1",
		.outcome = &s->outcome,
		.disposition = "pass",
		.envelope_from = "bounces.example.com",
		.envelope_to = "here.example.net",
		.results = s->results,
		.result_count = 2 };
}

static struct dmarc_store *
open_store(const struct place *p)
{
	struct err err = { 0 };
	struct dmarc_store *s = dmarc_store_open(p->file, &err);

	assert_non_null(s);
	return s;
}

static struct dmarc_reader *
open_reader(const struct place *p)
{
	struct err err = { 0 };
	struct dmarc_reader *r = dmarc_reader_open(p->file, &err);

	if (r == NULL)
		fail_msg("reader: %s", err.text);
	return r;
}

/* wait_until - a condition on the counts, for ten seconds at most. */
enum awaited { ALL_WRITTEN, FAILING, WORKING };

static void
wait_until(struct dmarc_store *s, enum awaited what)
{
	for (int i = 0; i < 1000; i++) {
		struct dmarc_store_counts c;

		dmarc_store_count(s, &c);
		if ((what == ALL_WRITTEN && c.queued == 0) ||
		    (what == FAILING && c.is_failing) || (what == WORKING && !c.is_failing))
			return;
		usleep(10000);
	}
	fail_msg("the store never came so far");
}

/* Gathers what a reader hands out. */
struct gathered {
	size_t domains, rows;
	int64_t messages;
	char text[8192];
};

static bool
gather_domain(void *context, const char *domain)
{
	struct gathered *g = context;
	size_t len = strlen(g->text);

	g->domains++;
	snprintf(g->text + len, sizeof(g->text) - len, "%s ", domain);
	return true;
}

static bool
gather_row(void *context, const struct dmarc_group *row)
{
	struct gathered *g = context;
	size_t len = strlen(g->text);

	g->rows++;
	g->messages += row->count;
	len += (size_t)snprintf(g->text + len, sizeof(g->text) - len,
	    "%lld %s %s %s %s/%s [%s: %s] %s>%s;", (long long)row->count, row->source_ip,
	    row->header_from, row->disposition, row->dkim_aligned, row->spf_aligned,
	    row->override_type, row->override_comment, row->envelope_from, row->envelope_to);
	for (size_t i = 0; i < row->spf_count + row->dkim_count; i++) {
		const struct dmarc_check *c =
		    i < row->spf_count ? &row->spf : &row->dkim[i - row->spf_count];

		if (len >= sizeof(g->text))
			break;
		len += (size_t)snprintf(g->text + len, sizeof(g->text) - len, " %s/%s=%s(%s)",
		    c->domain, c->selector, c->result, c->why);
	}
	return true;
}

static struct gathered
rows_of(const struct place *p, int64_t day, const char *domain)
{
	struct dmarc_reader *r = open_reader(p);
	struct gathered g = { 0 };
	struct err err = { 0 };

	assert_true(dmarc_reader_each_row(r, day, domain, gather_row, &g, &err));
	dmarc_reader_close(&r);
	return g;
}

static void
test_row_comes_back(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;

	sample_init(&sample);
	assert_true(dmarc_store_add(s, &sample.row));
	dmarc_store_close(&s);
	assert_null(s);
	const struct gathered g = rows_of(p, DAY, "example.com");
	assert_string_equal(g.text,
	    "1 192.0.2.1 mail.example.com pass fail/pass [: ] "
	    "bounces.example.com>here.example.net; bounces.example.com/=pass() "
	    "example.org/s1=fail(the body was changed)");
}

static void
test_equal_rows_are_counted(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;

	sample_init(&sample);
	for (int i = 0; i < 1000; i++)
		assert_true(dmarc_store_add(s, &sample.row));
	wait_until(s, ALL_WRITTEN); /* and across batches */
	sample.row.client = "2001:db8::1";
	assert_true(dmarc_store_add(s, &sample.row));
	sample.row.client = "192.0.2.1";
	assert_true(dmarc_store_add(s, &sample.row));
	sample.outcome.dkim_aligned = true;
	assert_true(dmarc_store_add(s, &sample.row));
	dmarc_store_close(&s);
	const struct gathered g = rows_of(p, DAY, "example.com");
	assert_int_equal(g.rows, 3);
	assert_int_equal(g.messages, 1003);
	assert_ptr_equal(strstr(g.text, "1001 192.0.2.1 "), g.text); /* most first */
}

static void
test_days_and_domains_are_apart(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;
	struct gathered g = { 0 };
	struct err err = { 0 };

	sample_init(&sample);
	sample.row.at = DAY * INT64_C(86400);
	assert_true(dmarc_store_add(s, &sample.row));
	sample.row.at--;
	assert_true(dmarc_store_add(s, &sample.row));
	sample.row.at = (DAY + 1) * INT64_C(86400) - 1;
	sample.outcome.found.policy_domain = "EXAMPLE.ORG";
	assert_true(dmarc_store_add(s, &sample.row));
	sample.outcome.found.policy_domain = "most.example.net";
	assert_true(dmarc_store_add(s, &sample.row));
	sample.row.client = "192.0.2.2";
	assert_true(dmarc_store_add(s, &sample.row));
	sample.row.at++;
	sample.outcome.found.policy_domain = "example.net";
	assert_true(dmarc_store_add(s, &sample.row));
	dmarc_store_close(&s);
	struct dmarc_reader *r = open_reader(p);
	assert_true(dmarc_reader_each_domain(r, DAY, gather_domain, &g, &err));
	dmarc_reader_close(&r);
	assert_string_equal(g.text, "most.example.net example.com example.org ");
	assert_int_equal(rows_of(p, DAY, "example.com").messages, 1);
}

static void
test_last_policy_counts(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;
	struct dmarc_published policy;
	struct err err = { 0 };

	sample_init(&sample);
	sample.row.at += 100;
	assert_true(dmarc_store_add(s, &sample.row));
	sample.row.at -= 50; /* an older one, written later */
	sample.outcome.found.record.p = DMARC_P_NONE;
	assert_true(dmarc_store_add(s, &sample.row));
	dmarc_store_close(&s);
	struct dmarc_reader *r = open_reader(p);
	assert_true(dmarc_reader_policy(r, DAY, "example.com", &policy, &err));
	assert_string_equal(policy.p, "reject");
	assert_string_equal(policy.sp, "quarantine");
	assert_string_equal(policy.np, "quarantine"); /* falls back to sp */
	assert_string_equal(policy.adkim, "s");
	assert_string_equal(policy.aspf, "r");
	assert_string_equal(policy.testing, "n");
	assert_false(dmarc_reader_policy(r, DAY, "example.org", &policy, &err));
	dmarc_reader_close(&r);
}

static void
test_nobody_asks(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;

	sample_init(&sample);
	sample.outcome.found.record.rua_count = 0;
	assert_true(dmarc_store_add(s, &sample.row));
	sample_init(&sample);
	sample.outcome.found.policy_domain = NULL;
	assert_true(dmarc_store_add(s, &sample.row));
	sample_init(&sample);
	sample.outcome.found.policy_domain = "not/a name";
	assert_true(dmarc_store_add(s, &sample.row));
	dmarc_store_close(&s);
	assert_int_equal(access(p->file, F_OK), -1); /* not even the file was made */
}

static void
test_hostile_texts(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;
	char longer[2000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer + 254, "\xc3\xa4", 2); /* the cap would cut it in two */
	sample_init(&sample);
	sample.row.envelope_from = "a'; DROP TABLE seen; --\x1e\x1f\r\n";
	sample.row.envelope_to = longer;
	sample.row.disposition = "whatever";
	sample.row.override_type = "\"><x/>";
	sample.row.override_comment = "\xff\xfe%s%n";
	sample.results[0].reason = "never shown: it passed";
	sample.results[1] = dkim(AUTHRES_PERMERROR,
	    "d\x1f"
	    "e\x1e"
	    "f",
	    NULL, longer);
	sample.results[1].property_count = 1;
	assert_true(dmarc_store_add(s, &sample.row));
	dmarc_store_close(&s);
	const struct gathered g = rows_of(p, DAY, "example.com");
	assert_int_equal(g.rows, 1);
	assert_non_null(strstr(g.text, " none fail/pass [other: \xff\xfe%s%n] "
				       "a'; DROP TABLE seen; --?"
				       "?"
				       "?"
				       "?>xxx"));
	assert_non_null(strstr(g.text, "x; bounces.example.com/=pass() d?e?f/=permerror(xxx"));
	assert_null(strchr(g.text, '\xc3'));
}

static void
test_many_signatures(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	struct sample sample;

	sample_init(&sample);
	for (size_t i = 1; i < 20; i++)
		sample.results[i] = dkim(AUTHRES_FAIL, "example.org", "bad", NULL);
	sample.results[17] = dkim(AUTHRES_PASS, "example.org", "other", NULL);
	sample.results[18] = dkim(AUTHRES_PASS, "example.com", "relaxed", NULL);
	sample.results[19] = dkim(AUTHRES_PASS, "mail.example.com", "strict", NULL);
	sample.row.result_count = 20;
	assert_true(dmarc_store_add(s, &sample.row));
	dmarc_store_close(&s);
	const struct gathered g = rows_of(p, DAY, "example.com");
	assert_non_null(
	    strstr(g.text, "/=pass() mail.example.com/strict=pass() example.com/relaxed=pass() "
			   "example.org/other=pass() example.org/bad=fail()"));
	size_t count = 0;
	for (const char *at = g.text; (at = strstr(at, "/bad=")) != NULL; at++)
		count++;
	assert_int_equal(count, 13); /* 16 in all */
}

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

static void *
add_many(void *context)
{
	struct sample sample;

	sample_init(&sample);
	for (int i = 0; i < 500; i++)
		assert_true(dmarc_store_add(context, &sample.row));
	return NULL;
}

static void
test_threads(void **state)
{
	const struct place *p = *state;
	struct dmarc_store *s = open_store(p);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, s), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	dmarc_store_close(&s);
	assert_int_equal(rows_of(p, DAY, "example.com").messages, 2000);
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

#define CASE(name, test)                                \
	{                                               \
		(name), (test), set_up, tear_down, NULL \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE("a row comes back as it went in", test_row_comes_back),
		CASE("equal rows are one, with a count", test_equal_rows_are_counted),
		CASE("days and policy domains are kept apart", test_days_and_domains_are_apart),
		CASE("the policy seen last is the one reported", test_last_policy_counts),
		CASE("nothing is kept where nobody asks for reports", test_nobody_asks),
		CASE("hostile texts are values, cut and cleaned", test_hostile_texts),
		CASE("of many signatures the telling ones stay", test_many_signatures),
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
		CASE("several threads add at once", test_threads),
		CASE("a path must be there", test_bad_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
