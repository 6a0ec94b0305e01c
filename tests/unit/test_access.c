/* SPDX-License-Identifier: MPL-2.0 */
/* The link access: who may connect. */
#include "policy/policy.h"

#include "lib/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"

struct access_case {
	const char *name;
	const char *settings;
	const char *client;
	int code; /* 0: may connect */
};

static const struct access_case cases[] = {
	{ "everybody may connect by default", "", "192.0.2.1:9", 0 },
	{ "a denied network may not connect", "deny = [ \"192.0.2.0/24\" ];", "192.0.2.1:9",
	    554 },
	{ "its neighbour may", "deny = [ \"192.0.2.0/24\" ];", "192.0.3.1:9", 0 },
	{ "a single string is a list", "deny = \"192.0.2.0/24\";", "192.0.2.1:9", 554 },
	{ "only listed networks may, when the default is deny",
	    "allow = [ \"192.0.2.0/24\" ]; default = \"deny\";", "192.0.2.1:9", 0 },
	{ "others may not, when the default is deny",
	    "allow = [ \"192.0.2.0/24\" ]; default = \"deny\";", "198.51.100.1:9", 554 },
	{ "the default deny needs no list", "default = \"deny\";", "192.0.2.1:9", 554 },
	{ "an exception in a denied network may",
	    "deny = \"10.0.0.0/8\"; allow = \"10.1.0.0/16\";", "10.1.2.3:9", 0 },
	{ "the rest of that network may not", "deny = \"10.0.0.0/8\"; allow = \"10.1.0.0/16\";",
	    "10.2.2.3:9", 554 },
	{ "an exception in an allowed network may not",
	    "allow = \"10.0.0.0/8\"; deny = \"10.1.2.3\"; default = \"deny\";", "10.1.2.3:9",
	    554 },
	{ "deny wins over allow for the same network",
	    "allow = \"10.0.0.0/8\"; deny = \"10.0.0.0/8\";", "10.1.2.3:9", 554 },
	{ "an IPv6 network is matched", "deny = \"2001:db8::/32\";", "[2001:db8:1::1]:9", 554 },
	{ "an IPv6 client is in no IPv4 network", "deny = \"0.0.0.0/0\";", "[2001:db8:1::1]:9",
	    0 },
	{ "a mapped IPv4 address is IPv4", "deny = \"192.0.2.1\";", "[::ffff:192.0.2.1]:9",
	    554 },
	{ "a shadow refuses nobody", "deny = \"192.0.2.1\"; mode = \"shadow\";", "192.0.2.1:9",
	    0 },
};

static void
test_connect(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct link_fixture f;

		link_fixture_open(&f, &link_access, cases[i].settings);
		if (f.chain == NULL)
			fail_msg("%s: %s", cases[i].name, f.errors.lines[0]);
		assert_true(address_parse(cases[i].client, &f.facts.client.addr, NULL));
		address_host_text(&f.facts.client.addr, f.facts.client.text);
		if (link_fixture_stage(&f, STAGE_CONNECT, NULL) != cases[i].code)
			fail_msg("%s", cases[i].name);
		if (cases[i].code != 0 && strstr(f.reply.text, f.facts.client.text) == NULL)
			fail_msg(
			    "%s: the reply names no address: %s", cases[i].name, f.reply.text);
		link_fixture_close(&f);
	}
}

static void
test_malformed_settings_are_refused(void **state)
{
	const char *const settings[] = {
		"deny = [ \"192.0.2.0/24\", \"192.0.2.1/24\" ];", /* host bits */
		"deny = \"192.0.2.0/33\";",
		"deny = \"example.com\";",
		"deny = \"\";",
		"allow = \"192.0.2.0/24\";", /* and everybody else too: hardly meant */
		"default = \"refuse\";",
		"denied = \"192.0.2.1\";",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		link_fixture_refuses(&link_access, settings[i], "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_malformed_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
