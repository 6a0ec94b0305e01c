/* SPDX-License-Identifier: MPL-2.0 */
/* The store of DMARC results: what is written, what is lost, and that nobody ever waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dmarc_store_fixture.h"

static bool
gather_domain(void *context, const char *domain)
{
	struct gathered *g = context;
	size_t len = strlen(g->text);

	g->domains++;
	snprintf(g->text + len, sizeof(g->text) - len, "%s ", domain);
	return true;
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
		CASE("several threads add at once", test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
