/* SPDX-License-Identifier: MPL-2.0 */
/* Links that ask a table: access, identity, relay_domains; and relay_domains without one. */
#include "policy/policy.h"

#include "lib/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"
#include "tests/unit/table_fixture.h"

/* A table that is never there. */
static const struct table_config gone[] = {
	{ .name = "gone",
	    .type = TABLE_SQLITE,
	    .file = "/nonexistent/gatepost.sqlite",
	    .query = "SELECT ?",
	    .timeout_ms = 1000,
	    .connections = 1 },
};

struct rig {
	struct table_fixture t;
	struct link_fixture f;
};

/* open_rig - "@" in the settings is a file table of that text. */
static void
open_rig(struct rig *r, const struct link *link, const char *settings, const char *text)
{
	struct link_env env = { .hostname = "gate.example.net" };
	const struct log_config silent = { .level = LEVEL_ERROR + 1 };
	const size_t at = view_find(view_of(settings), '@');
	char whole[400];

	table_fixture_open(&r->t);
	table_fixture_write(&r->t, text);
	r->t.set = table_set_create(gone, 1, &r->t.errors);
	assert_non_null(r->t.set);
	env.tables = r->t.set;
	snprintf(whole, sizeof(whole), "%.*s%s%s", (int)at, settings,
	    settings[at] == '@' ? r->t.name : "", settings + at + (settings[at] == '@'));
	link_fixture_open_env(&r->f, link, whole, &env);
	if (r->f.chain == NULL)
		fail_msg("%s: %s", settings, r->f.errors.lines[0]);
	log_configure(&silent);
}

static void
close_rig(struct rig *r)
{
	link_fixture_close(&r->f);
	table_fixture_close(&r->t);
}

/* ---- access ---- */

struct access_case {
	const char *name;
	const char *settings, *table;
	const char *client;
	int code; /* 0: may connect */
	const char *text;
};

#define TABLE	      "table = \"@\";"
#define DENY_BY_TABLE "192.0.2.0/24 deny no mail from here\n"

static const struct access_case access_cases[] = {
	{ "a network of the table is denied", TABLE, DENY_BY_TABLE, "192.0.2.9:1", 554,
	    "192.0.2.9: no mail from here" },
	{ "its neighbour is not", TABLE, DENY_BY_TABLE, "192.0.3.9:1", 0, "" },
	{ "an address stands alone", TABLE, "192.0.2.9 deny\n", "192.0.2.9:1", 554,
	    "from 192.0.2.9" },
	{ "an address with a length is not asked for", TABLE, "192.0.2.9/32 deny\n",
	    "192.0.2.9:1", 0, "" },
	{ "the longest network decides", TABLE, "192.0.2.0/24 deny\n192.0.2.8/31 allow\n",
	    "192.0.2.9:1", 0, "" },
	{ "and for others the shorter one", TABLE, "192.0.2.0/24 deny\n192.0.2.8/31 allow\n",
	    "192.0.2.10:1", 554, "" },
	{ "the shortest one is /8", TABLE, "10.0.0.0/8 deny\n", "10.255.255.255:1", 554, "" },
	{ "a shorter one is not asked for", TABLE, "0.0.0.0/0 deny\n128.0.0.0/1 deny\n",
	    "192.0.2.9:1", 0, "" },
	{ "an odd length", TABLE, "192.0.2.64/27 DENY \"two words\"\n", "192.0.2.95:1", 554,
	    "two words" },
	{ "words in quotes and out of them", TABLE, "192.0.2.9 \"deny a b\" c\n", "192.0.2.9:1",
	    554, ": a b c" },
	{ "a table of allowed ones", TABLE " default = \"deny\";", "192.0.2.0/24 allow\n",
	    "192.0.2.9:1", 0, "" },
	{ "who is not in it", TABLE " default = \"deny\";", "192.0.2.0/24 allow\n",
	    "192.0.3.9:1", 554, "" },
	{ "a longer network of a list outranks the table", TABLE " allow = \"192.0.2.9\";",
	    DENY_BY_TABLE, "192.0.2.9:1", 0, "" },
	{ "a shorter one does not", TABLE " allow = \"192.0.0.0/16\";", DENY_BY_TABLE,
	    "192.0.2.9:1", 554, "" },
	{ "deny outranks allow for one network, in the table",
	    TABLE " allow = \"192.0.2.0/24\";", DENY_BY_TABLE, "192.0.2.9:1", 554, "" },
	{ "and in the list", TABLE " deny = \"192.0.2.0/24\";", "192.0.2.0/24 allow\n",
	    "192.0.2.9:1", 554, "" },
	{ "IPv6: an address", TABLE, "2001:db8::9 deny\n", "[2001:db8::9]:1", 554, "" },
	{ "IPv6: a network", TABLE, "2001:db8:1::/48 deny\n", "[2001:db8:1:2::9]:1", 554, "" },
	{ "IPv6: the shortest one is /32", TABLE, "2001:db8::/32 deny\n",
	    "[2001:db8:ffff::1]:1", 554, "" },
	{ "IPv6: its neighbour", TABLE, "2001:db8::/32 deny\n", "[2001:db9::1]:1", 0, "" },
	{ "what is neither allow nor deny decides nothing", TABLE, "192.0.2.9 denied\n",
	    "192.0.2.9:1", 421, "" },
	{ "nor does an entry without a value", TABLE, "192.0.2.9\n", "192.0.2.9:1", 421, "" },
	{ "that passes by on_error", TABLE " on_error = \"pass\";", "192.0.2.9 denied\n",
	    "192.0.2.9:1", 0, "" },
	{ "a table that is down defers", "table = \"sqlite:gone\";", "", "192.0.2.9:1", 421,
	    "" },
	{ "or passes", "table = \"sqlite:gone\"; on_error = \"pass\";", "", "192.0.2.9:1", 0,
	    "" },
};

static void
test_access(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(access_cases); i++) {
		const struct access_case *c = &access_cases[i];
		struct rig r;

		open_rig(&r, &link_access, c->settings, c->table);
		assert_true(address_parse(c->client, &r.f.facts.client.addr, NULL));
		address_host_text(&r.f.facts.client.addr, r.f.facts.client.text);
		if (link_fixture_stage(&r.f, STAGE_CONNECT, NULL) != c->code)
			fail_msg("%s: %d %s", c->name, r.f.reply.code, r.f.reply.text);
		if (c->code == 554 && strstr(r.f.reply.text, c->text) == NULL)
			fail_msg("%s: %s", c->name, r.f.reply.text);
		close_rig(&r);
	}
}

/* ---- identity ---- */

struct identity_case {
	const char *name;
	const char *settings, *table;
	const char *path; /* of MAIL FROM */
	int code;
};

static const char *const alice_patterns[] = { "alice@example.com" };

static const struct identity_case identity_cases[] = {
	{ "her own address needs no table", "table = \"sqlite:gone\";", "", "alice@example.com",
	    0 },
	{ "another one is in the table", TABLE, "alice@example.com bob@example.com\n",
	    "bob@example.com", 0 },
	{ "several patterns, in whatever way", TABLE,
	    "alice@example.com a@x.example,b@x.example \"c@x.example, *@list.example.com\"\n",
	    "any@list.example.com", 0 },
	{ "a third one is not", TABLE, "alice@example.com bob@example.com\n",
	    "carol@example.com", 550 },
	{ "she is not in the table", TABLE, "bob@example.com *\n", "bob@example.com", 550 },
	{ "an entry without patterns grants nothing", TABLE, "alice@example.com\n",
	    "bob@example.com", 550 },
	{ "a pattern that is none grants nothing, also beside others", TABLE,
	    "alice@example.com bob@example.com @\n", "bob@example.com", 451 },
	{ "a tag, with the option", TABLE " plus_addressing = true;",
	    "alice@example.com bob@example.com\n", "bob+x@example.com", 0 },
	{ "a table that is down defers", "table = \"sqlite:gone\";", "", "bob@example.com",
	    451 },
};

static void
open_as_alice(struct rig *r, const char *settings, const char *table)
{
	open_rig(r, &link_identity, settings, table);
	r->f.facts.identity = (struct identity){ .login = "Alice@Example.COM",
		.mechanism = "PLAIN",
		.backend = "passwd",
		.patterns = alice_patterns,
		.pattern_count = ARRAY_LEN(alice_patterns) };
}

static int
mail_from(struct rig *r, const char *path)
{
	const size_t at = view_find(view_of(path), '@');

	r->f.facts.reverse_path = path;
	r->f.facts.mail.path = (struct smtp_path){ .local = view_make(path, at),
		.domain = view_from(view_of(path), at + 1) };
	return link_fixture_stage(&r->f, STAGE_MAIL, NULL);
}

static void
test_identity_at_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(identity_cases); i++) {
		const struct identity_case *c = &identity_cases[i];
		struct rig r;

		open_as_alice(&r, c->settings, c->table);
		if (mail_from(&r, c->path) != c->code)
			fail_msg("%s: %d %s", c->name, r.f.reply.code, r.f.reply.text);
		close_rig(&r);
	}
}

#define AS(address) "From: " address "\r\n\r\nx\r\n"

static void
test_identity_in_the_message(void **state)
{
	struct rig r;

	(void)state;
	open_as_alice(&r, TABLE, "alice@example.com bob@example.com dan@example.com\n");
	assert_int_equal(link_fixture_message(&r.f, AS("bob@example.com, dan@example.com")), 0);
	assert_int_equal(
	    link_fixture_message(&r.f, AS("bob@example.com, eve@example.com")), 550);
	assert_non_null(strstr(r.f.reply.text, "may not send as eve@example.com"));
	close_rig(&r);
	open_as_alice(&r, "table = \"sqlite:gone\";", "");
	assert_int_equal(link_fixture_message(&r.f, AS("alice@example.com")), 0);
	assert_int_equal(link_fixture_message(&r.f, AS("bob@example.com")), 451);
	close_rig(&r);
}

/* ---- relay_domains ---- */

struct relay_case {
	const char *name;
	const char *settings, *table;
	const char *domain; /* of the recipient */
	int code;
};

#define OURS  "domains = [ \"example.com\", \".example.org\" ];"
#define TEXTS "example.net\n.example.edu some value\nxn--bcher-kva.example\n"

static const struct relay_case relay_cases[] = {
	{ "a domain of ours", OURS, "", "example.com", 0 },
	{ "its case does not count", OURS, "", "EXAMPLE.Com", 0 },
	{ "its sub-domain is another one", OURS, "", "a.example.com", 550 },
	{ "one that only ends like it", OURS, "", "notexample.com", 550 },
	{ "every sub-domain", OURS, "", "a.b.example.org", 0 },
	{ "not the domain above them", OURS, "", "example.org", 550 },
	{ "the world", OURS, "", "example.net", 550 },
	{ "the postmaster of here, without a domain", OURS, "", "", 0 },
	{ "an address literal", OURS, "", "[192.0.2.1]", 550 },
	{ "what is no domain", OURS, "", "example..com", 550 },
	{ "a domain in Unicode",
	    "domains = \"b\xc3\xbc"
	    "cher.example\";",
	    "", "xn--bcher-kva.example", 0 },
	{ "a domain of the table", TABLE, TEXTS, "Example.NET", 0 },
	{ "its sub-domain", TABLE, TEXTS, "a.example.net", 550 },
	{ "every sub-domain by the table", TABLE, TEXTS, "a.b.example.edu", 0 },
	{ "not the domain above them by the table", TABLE, TEXTS, "example.edu", 550 },
	{ "Unicode is asked for as A-labels", TABLE, TEXTS,
	    "b\xc3\xbc"
	    "cher.example",
	    0 },
	{ "the list and the table together", OURS TABLE, TEXTS, "example.com", 0 },
	{ "what neither has", OURS TABLE, TEXTS, "example.info", 550 },
	{ "a table that is down defers", OURS "table = \"sqlite:gone\";", "", "example.net",
	    451 },
	{ "but not what the list has", OURS "table = \"sqlite:gone\";", "", "example.com", 0 },
	{ "a table that is down passes, by on_error",
	    "table = \"sqlite:gone\"; on_error = \"pass\";", "", "example.net", 0 },
};

static void
test_relay_domains(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(relay_cases); i++) {
		const struct relay_case *c = &relay_cases[i];
		const struct recipient recipient = { .path = { .local = VIEW("bob"),
							 .domain = view_of(c->domain) },
			.address = "bob@there" };
		struct rig r;

		open_rig(&r, &link_relay_domains, c->settings, c->table);
		if (link_fixture_stage(&r.f, STAGE_RCPT, &recipient) != c->code)
			fail_msg("%s: %d %s", c->name, r.f.reply.code, r.f.reply.text);
		if (c->code == 550 &&
		    strcmp(r.f.reply.text, "relaying denied: gate.example.net takes no mail "
					   "for the domain of <bob@there>") != 0)
			fail_msg("%s: %s", c->name, r.f.reply.text);
		close_rig(&r);
	}
}

static void
test_settings_that_are_refused(void **state)
{
	(void)state;
	link_fixture_refuses(&link_relay_domains, "", "needs domains, or a table");
	link_fixture_refuses(
	    &link_relay_domains, "domains = \"example..com\";", "is not a domain name");
	link_fixture_refuses(&link_relay_domains, "domains = \".\";", "is not a domain name");
	link_fixture_refuses(
	    &link_relay_domains, "table = \"sqlite:x\";", "there are no tables here");
	link_fixture_refuses(&link_access, "table = \"sqlite:x\";", "access.table: there are");
	link_fixture_refuses(
	    &link_identity, "table = \"sqlite:x\";", "identity.table: there are");
	link_fixture_refuses(
	    &link_identity, "table = \"sqlite:x\"; on_error = \"pass\";", "on_error");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_identity_at_mail),
		cmocka_unit_test(test_identity_in_the_message),
		cmocka_unit_test(test_relay_domains),
		cmocka_unit_test(test_settings_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
