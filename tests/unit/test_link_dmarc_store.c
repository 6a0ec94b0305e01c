/* SPDX-License-Identifier: MPL-2.0 */
/* What the link dmarc keeps for aggregate reports (RFC 9990), also of mail that it refuses. */
#include "filters/filters.h"

#include "lib/base/mem.h"
#include "lib/domain/dmarc_store.h"
#include "lib/domain/dmarc_store_read.h"
#include "lib/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>

#include "tests/unit/dmarc_zone.h"
#include "tests/unit/earlier_results.h"

#define RUA "; rua=mailto:r@example.com\n"
#define ZONE                                                                                 \
	"reject.example v=DMARC1; p=reject" RUA                                              \
	"quarantine.example v=DMARC1; p=quarantine" RUA "none.example v=DMARC1; p=none" RUA  \
	"test.example v=DMARC1; p=quarantine; t=y" RUA "silent.example v=DMARC1; p=reject\n" \
	"down.example ?\n"

struct place {
	char folder[64], file[96];
	struct dmarc_store *store;
	struct dns_table *dns;
};

static int
set_up(void **state)
{
	struct place *p = mem_calloc(1, sizeof(*p));

	snprintf(p->folder, sizeof(p->folder), "/tmp/gatepost-test-XXXXXX");
	if (mkdtemp(p->folder) == NULL)
		return -1;
	snprintf(p->file, sizeof(p->file), "%s/dmarc.sqlite", p->folder);
	p->store = dmarc_store_open(p->file, NULL);
	p->dns = dmarc_zone(ZONE);
	*state = p;
	return p->store != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	struct place *p = *state;
	DIR *folder = opendir(p->folder);

	for (struct dirent *e; folder != NULL && (e = readdir(folder)) != NULL;)
		(void)unlinkat(dirfd(folder), e->d_name, 0);
	if (folder != NULL)
		closedir(folder);
	rmdir(p->folder);
	dmarc_store_close(&p->store);
	dns_table_destroy(&p->dns);
	mem_free(p);
	return 0;
}

/* judge - one message of that author; SPF has passed for spf_domain (NULL: no results). */
static int
judge(struct place *p, const char *settings, const char *from, const char *spf_domain)
{
	const struct link_env env = { .hostname = "gate.example.net",
		.dns = dns_table_source(p->dns),
		.dmarc_store = p->store };
	const struct authres spf = { .method = AUTHRES_SPF,
		.result = AUTHRES_PASS,
		.domain = spf_domain,
		.is_for_dmarc = true };
	const struct recipient to = { .path = { .local = VIEW("bob"),
					  .domain = VIEW("Example.NET") } };
	struct link_fixture f;
	int code;

	earlier_results = &spf;
	earlier_result_count = spf_domain != NULL;
	earlier_fixture_open(&f, &link_dmarc, settings, &env);
	assert_non_null(f.chain);
	assert_true(address_parse("192.0.2.1:2525", &f.facts.client.addr, NULL));
	snprintf(f.facts.client.text, sizeof(f.facts.client.text), "192.0.2.1");
	f.facts.mail.path =
	    (struct smtp_path){ .local = VIEW("b"), .domain = VIEW("Bounce.example") };
	f.facts.recipients = &to;
	f.facts.recipient_count = 1;
	code =
	    link_fixture_message(&f, arena_printf(&f.arena, "From: a@%s\r\n\r\nhi\r\n", from));
	link_fixture_close(&f);
	return code;
}

struct expectation {
	const char *disposition, *override_type, *spf_aligned;
	const char *spf_domain; /* NULL: no SPF */
	size_t rows;
};

static bool
check_row(void *context, const struct dmarc_group *row)
{
	struct expectation *e = context;

	e->rows++;
	assert_int_equal(row->count, 1);
	assert_string_equal(row->source_ip, "192.0.2.1");
	assert_string_equal(row->envelope_from, "bounce.example");
	assert_string_equal(row->envelope_to, "example.net");
	assert_string_equal(row->disposition, e->disposition);
	assert_string_equal(row->override_type, e->override_type);
	assert_string_equal(row->spf_aligned, e->spf_aligned);
	assert_string_equal(row->dkim_aligned, "fail");
	assert_int_equal(row->spf_count, e->spf_domain != NULL);
	if (e->spf_domain != NULL)
		assert_string_equal(row->spf.domain, e->spf_domain);
	return true;
}

/* check_kept - closes the store, so that all is written. */
static void
check_kept(struct place *p, const char *policy_domain, struct expectation e)
{
	struct dmarc_reader *reader;

	dmarc_store_close(&p->store);
	reader = dmarc_reader_open(p->file, NULL);
	assert_non_null(reader);
	assert_true(dmarc_reader_each_row(
	    reader, 1795553870 / 86400, policy_domain, check_row, &e, NULL));
	assert_int_equal(e.rows, 1);
	dmarc_reader_close(&reader);
}

static void
test_a_pass(void **state)
{
	assert_int_equal(judge(*state, "", "reject.example", "reject.example"), 0);
	check_kept(*state, "reject.example",
	    (struct expectation){ "pass", "", "pass", "reject.example", 0 });
}

static void
test_a_refusal(void **state)
{
	assert_int_equal(judge(*state, "", "reject.example", "bounce.example"), 550);
	check_kept(*state, "reject.example",
	    (struct expectation){ "reject", "", "fail", "bounce.example", 0 });
}

static void
test_a_quarantine(void **state)
{
	assert_int_equal(judge(*state, "", "quarantine.example", NULL), 0);
	check_kept(*state, "quarantine.example",
	    (struct expectation){ "quarantine", "", "fail", NULL, 0 });
}

static void
test_nothing_asked_for(void **state)
{
	assert_int_equal(judge(*state, "", "none.example", NULL), 0);
	check_kept(*state, "none.example", (struct expectation){ "none", "", "fail", NULL, 0 });
}

static void
test_a_test_of_the_domain(void **state)
{
	assert_int_equal(judge(*state, "", "test.example", NULL), 0);
	check_kept(*state, "test.example",
	    (struct expectation){ "none", "policy_test_mode", "fail", NULL, 0 });
}

static void
test_a_trusted_forwarder(void **state)
{
	assert_int_equal(
	    judge(*state, "trusted_forwarders = [ \"192.0.2.1\" ];", "reject.example", NULL),
	    0);
	check_kept(*state, "reject.example",
	    (struct expectation){ "none", "trusted_forwarder", "fail", NULL, 0 });
}

static void
test_settings_of_ours(void **state)
{
	assert_int_equal(judge(*state, "reject = \"quarantine\";", "reject.example", NULL), 0);
	check_kept(*state, "reject.example",
	    (struct expectation){ "quarantine", "local_policy", "fail", NULL, 0 });
}

/* The message passed, and so its report must say. */
static void
test_a_shadow(void **state)
{
	assert_int_equal(judge(*state, "mode = \"shadow\";", "reject.example", NULL), 0);
	check_kept(*state, "reject.example",
	    (struct expectation){ "none", "local_policy", "fail", NULL, 0 });
}

static void
test_what_nobody_asked_for_or_could_judge_is_not_kept(void **state)
{
	struct place *p = *state;
	struct dmarc_store_counts counts;

	assert_int_equal(judge(p, "", "silent.example", NULL), 550);
	assert_int_equal(judge(p, "", "unknown.example", NULL), 0);
	assert_int_equal(judge(p, "", "down.example", NULL), 451);
	assert_int_equal(judge(p, "", "reject.example\r\nFrom: a@none.example", NULL), 554);
	dmarc_store_count(p->store, &counts);
	assert_int_equal(counts.written + counts.lost + counts.queued, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_pass),
		TEST(test_a_refusal),
		TEST(test_a_quarantine),
		TEST(test_nothing_asked_for),
		TEST(test_a_test_of_the_domain),
		TEST(test_a_trusted_forwarder),
		TEST(test_settings_of_ours),
		TEST(test_a_shadow),
		TEST(test_what_nobody_asked_for_or_could_judge_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
