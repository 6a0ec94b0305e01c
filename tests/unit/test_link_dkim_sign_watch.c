/* SPDX-License-Identifier: MPL-2.0 */
/* The link dkim_sign with a watch: it signs with what DNS confirms. */
#include "filters/filters.h"

#include "lib/domain/dkim_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"
#include "tests/unit/watch_fixture.h"

struct watch_case {
	const char *name;
	bool is_looked_at;
	const char *r,
	    *e; /* what DNS shows: "r", "e" (the keys), a record, a status, or NULL */
	const char *note;
	size_t signatures;
};

static const struct watch_case cases[] = {
	{ "both keys are confirmed", true, "r", "e", "dkim=example.com/r+e", 2 },
	{ "one is not there", true, "r", NULL, "dkim=example.com/r dkim_left_out=e", 1 },
	{ "one is another", true, "v=DKIM1; p=", "e", "dkim=example.com/e dkim_left_out=r", 1 },
	{ "DNS is silent about one", true, DNS_ROW_TEMPFAIL, "e",
	    "dkim=example.com/e dkim_left_out=r", 1 },
	{ "none is there", true, NULL, NULL, "dkim=example.com/r+e dkim_unconfirmed=yes", 2 },
	{ "DNS is silent", true, DNS_ROW_TEMPFAIL, DNS_ROW_TEMPFAIL,
	    "dkim=example.com/r+e dkim_unconfirmed=yes", 2 },
	{ "nobody has looked yet", false, "r", "e", "dkim=example.com/r+e", 2 },
};

static void
check_case(const struct watch_case *c)
{
	struct watch_fixture w;
	struct link_fixture f;

	watch_fixture_open(&w);
	watch_fixture_show(&w, "r._domainkey.example.com", c->r);
	watch_fixture_show(&w, "e._domainkey.example.com", c->e);
	if (c->is_looked_at)
		domain_watch_refresh(w.watch, NULL);
	const struct link_env env = {
		.hostname = "gate.example.net", .keyring = w.ring, .watch = w.watch
	};
	const size_t asked = w.dns->query_count;
	link_fixture_open_env(&f, &link_dkim_sign, "", &env);
	assert_int_equal(link_fixture_message(&f, "From: a@example.com\r\n\r\nhi\r\n"), 0);
	if (!view_eq(chain_run_notes(f.run), view_of(c->note)) ||
	    message_count_of(f.message, "DKIM-Signature") != c->signatures)
		fail_msg("%s: %.*s", c->name, VIEW_ARG(chain_run_notes(f.run)));
	assert_int_equal(w.dns->query_count, asked); /* DNS is never on the path of mail */
	link_fixture_close(&f);
	watch_fixture_close(&w);
}

static void
test_keys_that_sign(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(&cases[i]);
}

static int
set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	return dkim_sign_init(&err) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	dkim_sign_finish();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_that_sign),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
