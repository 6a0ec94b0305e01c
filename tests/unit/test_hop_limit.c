/* SPDX-License-Identifier: MPL-2.0 */
/* The link hop_limit. */
#include "filters/filters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"

/* verdict_on - the code for a message that has passed that many servers. */
static int
verdict_on(const char *settings, unsigned hops, const char *received)
{
	struct link_fixture f;
	struct buf text;
	int code;

	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < hops; i++)
		assert_true(buf_add_str(&text, received));
	assert_true(buf_add_str(&text, "X-Received: no hop\r\n\r\nReceived: nor this\r\n"));
	assert_true(buf_add(&text, "", 1));
	link_fixture_open(&f, &link_hop_limit, settings);
	assert_non_null(f.chain);
	code = link_fixture_message(&f, text.p);
	if (code != 0)
		assert_string_equal(f.reply.enhanced, "5.4.6");
	link_fixture_close(&f);
	buf_finish(&text);
	return code;
}

static void
test_the_limit_is_exact(void **state)
{
	(void)state;
	assert_int_equal(verdict_on("max = 3;", 3, "Received: by a\r\n"), 0);
	assert_int_equal(verdict_on("max = 3;", 4, "Received: by a\r\n"), 554);
}

static void
test_fifty_are_allowed_by_default(void **state)
{
	(void)state;
	assert_int_equal(verdict_on("", 50, "Received: by a\r\n"), 0);
	assert_int_equal(verdict_on("", 51, "Received: by a\r\n"), 554);
}

static void
test_case_and_folds_do_not_hide_a_hop(void **state)
{
	(void)state;
	assert_int_equal(verdict_on("max = 1;", 2, "rECEIVED:\r\n by a\r\n"), 554);
}

static void
test_a_message_without_hops_passes(void **state)
{
	(void)state;
	assert_int_equal(verdict_on("max = 1;", 0, ""), 0);
}

static void
test_malformed_settings_are_refused(void **state)
{
	struct link_fixture f;

	(void)state;
	link_fixture_open(&f, &link_hop_limit, "max = 0;");
	assert_null(f.chain);
	assert_int_equal(f.errors.count, 1);
	link_fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_limit_is_exact),
		cmocka_unit_test(test_fifty_are_allowed_by_default),
		cmocka_unit_test(test_case_and_folds_do_not_hide_a_hop),
		cmocka_unit_test(test_a_message_without_hops_passes),
		cmocka_unit_test(test_malformed_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
