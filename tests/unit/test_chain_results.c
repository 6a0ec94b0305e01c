/* SPDX-License-Identifier: MPL-2.0 */
/* What links hand on: results for the links behind them, the time for DNS that they share, and
 * what is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/chain_fixture.h"

/* ---- results ---- */

static size_t seen_results;

static enum link_answer
publish_and_go_on(struct link_call *call)
{
	const struct authres result = { .method = AUTHRES_SPF,
		.result = AUTHRES_PASS,
		.domain = "example.com",
		.properties = { { "smtp", "mailfrom", "a@example.com" } },
		.property_count = 1 };

	link_publish(call, &result);
	return LINK_NEXT;
}

static enum link_answer
publish_and_fail(struct link_call *call)
{
	(void)publish_and_go_on(call);
	return link_fail(call, "it went wrong");
}

static enum link_answer
count_results(struct link_call *call)
{
	const struct authres *results = link_results(call, &seen_results);

	for (size_t i = 0; i < seen_results; i++) {
		assert_string_equal(results[i].domain, "example.com");
		assert_string_equal(
		    authres_property(&results[i], "smtp", "mailfrom"), "a@example.com");
		assert_null(authres_property(&results[i], "smtp", "helo"));
	}
	return LINK_NEXT;
}

static const struct link publisher = {
	.abi = LINK_ABI,
	.name = "publisher",
	.kind = LINK_POLICY,
	.mail = publish_and_go_on,
	.message = publish_and_fail,
};
static const struct link counter = {
	.abi = LINK_ABI,
	.name = "counter",
	.kind = LINK_POLICY,
	.mail = count_results,
	.message = count_results,
};

static void
test_results_reach_later_links_and_later_stages(void **state)
{
	struct fixture f;
	size_t count;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &publisher;
	f.entries[0].on_error = ON_ERROR_PASS;
	f.entries[1].link = &counter;
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_int_equal(seen_results, 1);
	assert_true(fixture_run(&f, STAGE_MESSAGE)); /* what a failed call published is lost */
	assert_int_equal(seen_results, 1);
	(void)chain_run_results(f.run, &count);
	assert_int_equal(count, 1);
	fixture_finish(&f);
}

static void
test_results_of_a_shadow_are_dropped(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &publisher;
	f.entries[0].mode = MODE_SHADOW;
	f.entries[1].link = &counter;
	seen_results = 99;
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_int_equal(seen_results, 0);
	fixture_finish(&f);
}

static void
test_results_over_the_cap_are_dropped(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &publisher;
	f.entries[1].link = &counter;
	for (int i = 0; i < AUTHRES_MAX + 5; i++)
		assert_true(fixture_run(&f, STAGE_MAIL));
	assert_int_equal(seen_results, AUTHRES_MAX);
	fixture_finish(&f);
}

/* ---- time for DNS ---- */

static int64_t dns_times_ms[2]; /* what each link was given, in order */
static size_t dns_calls;

static enum link_answer
wait_for_dns(struct link_call *call)
{
	const int64_t until_ms = link_dns_deadline_ms(call);

	dns_times_ms[dns_calls++] = until_ms - clock_mono_ms();
	clock_fake_set(until_ms, 0);
	return LINK_NEXT;
}

static const struct link asker = {
	.abi = LINK_ABI,
	.name = "asker",
	.kind = LINK_POLICY,
	.mail = wait_for_dns,
	.message = wait_for_dns,
};

static void
expect_dns_times(
    const struct link_env *with, int64_t timeout_ms, int64_t a, int64_t b, int64_t c)
{
	const struct chain_entry entries[] = { { .link = &asker, .timeout_ms = timeout_ms },
		{ .link = &asker, .timeout_ms = timeout_ms } };
	struct conf_errors errors;
	struct smtp_reply reply;

	clock_fake_set(1000, 0);
	dns_calls = 0;
	conf_errors_init(&errors);
	struct chain *chain = chain_create(entries, 2, with, &errors);
	struct chain_run *run = chain_run_create(chain);
	const struct chain_work work = { .facts = &facts };
	assert_true(chain_run_stage(chain, run, STAGE_MAIL, &work, &reply));
	assert_int_equal(dns_times_ms[0], a);
	assert_int_equal(dns_times_ms[1], b);
	chain_run_destroy(&run);
	run = chain_run_create(chain);
	dns_calls = 0;
	assert_true(chain_run_stage(chain, run, STAGE_MAIL, &work, &reply));
	assert_int_equal(dns_times_ms[0], c);
	chain_run_destroy(&run);
	chain_destroy(&chain);
	conf_errors_finish(&errors);
}

/* All links of a transaction share it, a second is for each; the next one has its own. */
static void
test_links_share_the_time_for_dns(void **state)
{
	const struct link_env twenty = { .hostname = "mail.example.com", .dns_time_ms = 20000 };

	(void)state;
	expect_dns_times(&twenty, 30000, 20000, 1000, 20000);
	expect_dns_times(&twenty, 15000, 13000, 7000, 13000); /* two seconds for the answer */
	expect_dns_times(&twenty, 1000, 800, 800, 800);	      /* or a fifth */
	expect_dns_times(&env, 30000, 28000, 28000, 28000);   /* no limit */
}

static void
expect_metric(const char *line)
{
	struct buf page;

	buf_init(&page, 1 << 20);
	assert_true(metrics_print(&page));
	if (memmem(page.p, page.len, line, strlen(line)) == NULL)
		fail_msg("no %s in:\n%.*s", line, VIEW_ARG(buf_view(&page)));
	buf_finish(&page);
}

static const struct link counted = {
	.abi = LINK_ABI,
	.name = "counted",
	.kind = LINK_POLICY,
	.mail = publish_and_go_on,
	.message = publish_and_fail,
};

/* What was obeyed and what was not; results that count, and no others. */
static void
test_verdicts_and_results_are_counted(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &counted;
	f.entries[0].on_error = ON_ERROR_PASS;
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_true(fixture_run(&f, STAGE_MESSAGE));
	fixture_finish(&f);
	fixture_init(&f);
	f.entries[0].link = &counted;
	f.entries[0].mode = MODE_SHADOW;
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_true(fixture_run(&f, STAGE_MESSAGE));
	fixture_finish(&f);
#define COUNTED "gatepost_link_verdicts_total{link=\"counted\",stage="
	expect_metric(COUNTED "\"mail\",verdict=\"next\"} 2\n");
	expect_metric(COUNTED "\"mail\",verdict=\"shadow_next\"} 1\n");
	expect_metric(COUNTED "\"message\",verdict=\"fail\"} 1\n");
	expect_metric(COUNTED "\"message\",verdict=\"shadow_fail\"} 1\n");
	expect_metric("gatepost_results_total{method=\"spf\",result=\"pass\"} 2\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts_and_results_are_counted),
		cmocka_unit_test(test_results_reach_later_links_and_later_stages),
		cmocka_unit_test(test_results_of_a_shadow_are_dropped),
		cmocka_unit_test(test_results_over_the_cap_are_dropped),
		cmocka_unit_test(test_links_share_the_time_for_dns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
