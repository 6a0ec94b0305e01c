/* SPDX-License-Identifier: MPL-2.0 */
/* The link auth_results: what it takes out, and what it puts in. */
#include "filters/filters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"

#define NONE "Authentication-Results: gate.example.net; none\r\n"

struct results_case {
	const char *name;
	const char *settings;
	const char *login;
	const char *before, *after;
};

static const struct results_case cases[] = {
	{ "a field goes on top", "", NULL, "From: a@b.example\r\n\r\nhi\r\n",
	    NONE "From: a@b.example\r\n\r\nhi\r\n" },
	{ "a message without fields gets one too", "", NULL, "\r\nhi\r\n", NONE "\r\nhi\r\n" },
	{ "forged fields go, wherever they stand", "", NULL,
	    "Authentication-Results: gate.example.net; spf=pass\r\nFrom: a@b.example\r\n"
	    "AUTHENTICATION-results \t: (x)\r\n \"GATE.example.net\" 1;\r\n dkim=pass\r\n"
	    "To: c@d.example\r\n"
	    "authentication-results:gate.example.net\r\n\r\n"
	    "Authentication-Results: gate.example.net; spf=pass\r\n",
	    NONE "From: a@b.example\r\nTo: c@d.example\r\n\r\n"
		 "Authentication-Results: gate.example.net; spf=pass\r\n" },
	{ "the fields of others stay", "", NULL,
	    "Authentication-Results: mx.example.org; spf=pass\r\n"
	    "X-Authentication-Results: gate.example.net; spf=pass\r\n"
	    "ARC-Authentication-Results: i=1; gate.example.net; spf=pass\r\n\r\n",
	    NONE "Authentication-Results: mx.example.org; spf=pass\r\n"
		 "X-Authentication-Results: gate.example.net; spf=pass\r\n"
		 "ARC-Authentication-Results: i=1; gate.example.net; spf=pass\r\n\r\n" },
	{ "all of them go by option", "remove_all = true;", NULL,
	    "Authentication-Results: mx.example.org; spf=pass\r\nA: b\r\n\r\n",
	    NONE "A: b\r\n\r\n" },
	{ "further names go by option", "also_remove = [ \"MX.Example.Org\", \"c.example\" ];",
	    NULL,
	    "Authentication-Results: mx.example.org; spf=pass\r\n"
	    "Authentication-Results: c.example; spf=pass\r\n"
	    "Authentication-Results: d.example; spf=pass\r\n\r\n",
	    NONE "Authentication-Results: d.example; spf=pass\r\n\r\n" },
	{ "another name by option", "authserv_id = \"Example.NET\";", NULL,
	    "Authentication-Results: example.net; spf=pass\r\n"
	    "Authentication-Results: gate.example.net; spf=pass\r\n\r\n",
	    "Authentication-Results: example.net; none\r\n"
	    "Authentication-Results: gate.example.net; spf=pass\r\n\r\n" },
	{ "a U-label is written and compared as an A-label",
	    "authserv_id = \"b\xc3\xbc"
	    "cher.example\";",
	    NULL, "Authentication-Results: xn--bcher-kva.example; spf=pass\r\n\r\n",
	    "Authentication-Results: xn--bcher-kva.example; none\r\n\r\n" },
	{ "who has logged in is named", "", "alice@example.com", "A: b\r\n\r\n",
	    "Authentication-Results: gate.example.net;\r\n"
	    "\tauth=pass (PLAIN) smtp.auth=alice@example.com\r\nA: b\r\n\r\n" },
	{ "not so by option", "show_login = false;", "alice@example.com", "A: b\r\n\r\n",
	    NONE "A: b\r\n\r\n" },
	{ "a hostile login stays a value", "", "a\r\nX: (\"; dkim=pass", "A: b\r\n\r\n",
	    "Authentication-Results: gate.example.net;\r\n"
	    "\tauth=pass (PLAIN) smtp.auth=\"a%0D%0AX:%20%28%22%3B%20dkim%3Dpass\"\r\n"
	    "A: b\r\n\r\n" },
	{ "a shadow changes nothing", "mode = \"shadow\";", NULL,
	    "Authentication-Results: gate.example.net; spf=pass\r\n\r\n",
	    "Authentication-Results: gate.example.net; spf=pass\r\n\r\n" },
};

static void
test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct link_fixture f;
		struct buf text;

		link_fixture_open(&f, &link_auth_results, cases[i].settings);
		assert_non_null(f.chain);
		f.facts.identity.login = cases[i].login;
		f.facts.identity.mechanism = "PLAIN";
		if (link_fixture_message(&f, cases[i].before) != 0)
			fail_msg("%s: %s", cases[i].name, f.reply.text);
		text = message_text(f.message);
		if (!view_eq(buf_view(&text), view_of(cases[i].after)))
			fail_msg("%s:\n%.*s", cases[i].name, (int)text.len, text.p);
		buf_finish(&text);
		link_fixture_close(&f);
	}
}

/* A link that has found something out, before auth_results. */
static enum link_answer
publish(struct link_call *call)
{
	const struct authres spf = {
		.method = AUTHRES_SPF,
		.result = AUTHRES_SOFTFAIL,
		.domain = "b.example",
		.properties = { { "smtp", "mailfrom", "a@b.example" } },
		.property_count = 1,
	};
	const struct authres arc = {
		.method = AUTHRES_ARC,
		.result = AUTHRES_PASS,
		.comment = "i=1",
		.properties = { { AUTHRES_INTERNAL, "dmarc", "pass" } },
		.property_count = 1,
	};

	link_publish(call, &spf);
	link_publish(call, &arc);
	return LINK_NEXT;
}

static void
test_results_of_earlier_links_are_listed(void **state)
{
	static const struct link publisher = {
		.abi = LINK_ABI, .name = "publisher", .kind = LINK_FILTER, .message = publish
	};
	struct link_fixture f;
	struct chain_entry entries[2] = { { .link = &publisher, .timeout_ms = 1000 } };
	const struct link_env env = { .hostname = "gate.example.net" };

	(void)state;
	link_fixture_open(&f, &link_auth_results, "");
	assert_true(link_fixture_entry(&f, &link_auth_results, "", &entries[1]));
	chain_run_destroy(&f.run);
	chain_destroy(&f.chain);
	f.chain = chain_create(entries, 2, &env, &f.errors);
	f.run = chain_run_create(f.chain);
	assert_int_equal(link_fixture_message(&f, "A: b\r\n\r\n"), 0);
	assert_message_is(f.message, "Authentication-Results: gate.example.net;\r\n"
				     "\tspf=softfail smtp.mailfrom=a@b.example;\r\n"
				     "\tarc=pass (i=1)\r\n"
				     "A: b\r\n\r\n");
	link_fixture_close(&f);
}

static void
test_malformed_settings_are_refused(void **state)
{
	const char *const settings[] = { "authserv_id = \"two words\";", "authserv_id = \"\";",
		"authserv_id = \"a;b\";", "also_remove = [ \"a.example\", \"b example\" ];",
		"remove_al = true;", "show_login = \"yes\";", "on_error = \"pass\";" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		link_fixture_refuses(&link_auth_results, settings[i], "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_results_of_earlier_links_are_listed),
		cmocka_unit_test(test_malformed_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
