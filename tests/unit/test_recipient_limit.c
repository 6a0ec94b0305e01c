/* SPDX-License-Identifier: MPL-2.0 */
/* The link recipient_limit. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"

#define ACCEPTED_MAX 1200

static struct recipient accepted[ACCEPTED_MAX];

/* rcpt - one RCPT as the session does it: what is not refused joins the facts. */
static int
rcpt(struct link_fixture *f, const char *domain)
{
	const struct recipient r = { .path = {
					 .local = VIEW("bob"), .domain = view_of(domain) } };
	const int code = link_fixture_stage(f, STAGE_RCPT, &r);

	if (code == 0) {
		accepted[f->facts.recipient_count++] = r;
		f->facts.recipients = accepted;
	}
	return code;
}

static void
test_the_limit_is_exact(void **state)
{
	struct link_fixture f;

	(void)state;
	link_fixture_open(&f, &link_recipient_limit, "max = 3;");
	assert_int_equal(rcpt(&f, "a.example"), 0);
	assert_int_equal(rcpt(&f, "a.example"), 0);
	assert_int_equal(rcpt(&f, "b.example"), 0);
	assert_int_equal(rcpt(&f, "b.example"), 452);
	assert_string_equal(f.reply.enhanced, "4.5.3");
	assert_int_equal(rcpt(&f, "b.example"), 452);
	link_fixture_close(&f);
}

static void
test_a_hundred_are_allowed_by_default(void **state)
{
	struct link_fixture f;

	(void)state;
	link_fixture_open(&f, &link_recipient_limit, "");
	for (int i = 0; i < 100; i++)
		assert_int_equal(rcpt(&f, "a.example"), 0);
	assert_int_equal(rcpt(&f, "a.example"), 452);
	link_fixture_close(&f);
}

static void
test_domains_are_limited_and_refused_ones_do_not_count(void **state)
{
	struct link_fixture f;

	(void)state;
	link_fixture_open(&f, &link_recipient_limit, "max_domains = 2;");
	assert_int_equal(rcpt(&f, "a.example"), 0);
	assert_int_equal(rcpt(&f, "b.example"), 0);
	assert_int_equal(rcpt(&f, "c.example"), 452);
	assert_int_equal(rcpt(&f, "d.example"), 452);
	assert_int_equal(rcpt(&f, "A.EXAMPLE"), 0); /* one of the two, whatever its case */
	assert_int_equal(rcpt(&f, "b.example"), 0);
	assert_int_equal(rcpt(&f, "c.example"), 452);
	link_fixture_close(&f);
}

static void
test_a_recipient_that_others_refused_does_not_count(void **state)
{
	const struct recipient r = { .path = {
					 .local = VIEW("bob"), .domain = VIEW("x.example") } };
	struct link_fixture f;

	(void)state;
	link_fixture_open(&f, &link_recipient_limit, "max = 1; max_domains = 1;");
	assert_int_equal(
	    link_fixture_stage(&f, STAGE_RCPT, &r), 0); /* then the upstream says no */
	assert_int_equal(rcpt(&f, "a.example"), 0);
	assert_int_equal(rcpt(&f, "a.example"), 452);
	link_fixture_close(&f);
}

static void
test_malformed_settings_are_refused(void **state)
{
	const char *const settings[] = { "max = 0;", "max = -1;", "max = \"many\";",
		"maximum = 3;" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		link_fixture_refuses(&link_recipient_limit, settings[i], "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_limit_is_exact),
		cmocka_unit_test(test_a_hundred_are_allowed_by_default),
		cmocka_unit_test(test_domains_are_limited_and_refused_ones_do_not_count),
		cmocka_unit_test(test_a_recipient_that_others_refused_does_not_count),
		cmocka_unit_test(test_malformed_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
