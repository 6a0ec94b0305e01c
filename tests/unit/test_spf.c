/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SPF as a whole: what is judged and how it is told. The standard's own suite runs through the
 * binary (tests/interop/test_rfc7208.py); here are the matters that it does not touch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/spf_fixture.h"

static const struct dns_row zone[] = {
	{ "all.example", DNS_TXT, "v=spf1 -all" },
	{ "ip.example", DNS_TXT,
	    "v=spf1 ip4:192.0.2.0/24 ?ip4:198.51.100.7 ~ip6:2001:db8::/32" },
	{ "loop.example", DNS_TXT, "v=spf1 ?ip4:127.0.0.1 ~ip6:::1 -all" },
	{ "any.example", DNS_TXT, "v=spf1 ~ip4:192.0.2.77/0 -ip6:2001:db8::/0" },
	{ "inc.example", DNS_TXT, "v=spf1 include:all.example include:ip.example -all" },
	{ "incip.example", DNS_TXT, "v=spf1 include:all.example ip4:192.0.2.0/24 -all" },
	{ "red.example", DNS_TXT, "v=spf1 a redirect=ip.example" },
	{ "incred.example", DNS_TXT, "v=spf1 include:red.example ~all" },
	{ "nored.example", DNS_TXT, "v=spf1 redirect=none.example" },
	{ "noinc.example", DNS_TXT, "v=spf1 include:none.example -all" },
	{ "none.example", DNS_TXT, "some text" },
	{ "two.example", DNS_TXT, "v=spf1 -all" },
	{ "two.example", DNS_TXT, "v=spf1 +all" },
	{ "slow.example", DNS_ANY_TYPE, DNS_ROW_TEMPFAIL },
	{ "slowinc.example", DNS_TXT, "v=spf1 include:slow.example -all" },
	{ "slowa.example", DNS_TXT, "v=spf1 a:slow.example -all" },
	{ "slowmx.example", DNS_TXT, "v=spf1 mx -all" },
	{ "slowmx.example", DNS_MX, "10 slow.example" },
	{ "early.example", DNS_TXT, "v=spf1 ip4:192.0.2.1 a:slow.example -all" },
	{ "bad.example", DNS_TXT, "v=spf1 ip4:192.0.2.1 foo:bar -all" },
	{ "mail.example", DNS_A, "192.0.2.1" },
	{ "mail.example", DNS_A, "192.0.2.2" },
	{ "mail.example", DNS_AAAA, "2001:db8::1" },
	{ "a.example", DNS_TXT, "v=spf1 a:mail.example -all" },
	{ "mx.example", DNS_TXT, "v=spf1 mx:mx.example -all" },
	{ "mx.example", DNS_MX, "10 ." },
	{ "mx.example", DNS_MX, "20 mail.example" },
	{ "ptr.example", DNS_TXT, "v=spf1 ptr -all" },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, "slow.example" },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, "forged.ptr.example" },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, "Host.PTR.example" },
	{ "host.ptr.example", DNS_A, "192.0.2.1" },
	{ "host.ptr.example", DNS_A, "192.0.2.4" },
	{ "2.2.0.192.in-addr.arpa", DNS_PTR, "host.notptr.example" },
	{ "host.notptr.example", DNS_A, "192.0.2.2" },
	{ "3.2.0.192.in-addr.arpa", DNS_ANY_TYPE, DNS_ROW_TEMPFAIL },
	{ "exists.example", DNS_TXT, "v=spf1 exists:%{l}.%{d} -all" },
	{ "a\\092b\\032c.exists.example", DNS_A, "127.0.0.2" },
	{ "helo.example", DNS_TXT, "v=spf1 exists:%{l}.helo.example -all exp=x.helo.example" },
	{ "x.helo.example", DNS_TXT, "%{s} from %{h}" },
	{ NULL, DNS_A, NULL },
};

static const struct {
	const char *name, *client, *domain;
	enum authres_result result;
	const char *mechanism; /* "": not told */
	const char *problem;   /* a part; NULL: none */
} cases[] = {
	{ "a fail by all", "192.0.2.1", "all.example", AUTHRES_FAIL, "-all", NULL },
	{ "a pass by ip4", "192.0.2.9", "ip.example", AUTHRES_PASS, "ip4:192.0.2.0/24", NULL },
	{ "neutral by ip4", "198.51.100.7", "ip.example", AUTHRES_NEUTRAL, "?ip4:198.51.100.7",
	    NULL },
	{ "softfail by ip6", "2001:db8:1::1", "ip.example", AUTHRES_SOFTFAIL,
	    "~ip6:2001:db8::/32", NULL },
	{ "nothing matches", "203.0.113.1", "ip.example", AUTHRES_NEUTRAL, "default", NULL },
	{ "an IPv4-mapped client is an IPv4 client", "::ffff:192.0.2.9", "ip.example",
	    AUTHRES_PASS, "ip4:192.0.2.0/24", NULL },
	{ "a loopback client is judged like any other", "127.0.0.1", "all.example",
	    AUTHRES_FAIL, "-all", NULL },
	{ "a loopback client that is named", "127.0.0.1", "loop.example", AUTHRES_NEUTRAL,
	    "?ip4:127.0.0.1", NULL },
	{ "another loopback client", "127.0.0.2", "loop.example", AUTHRES_FAIL, "-all", NULL },
	{ "IPv6 loopback", "::1", "loop.example", AUTHRES_SOFTFAIL, "~ip6:::1", NULL },
	{ "any IPv4 address", "203.0.113.1", "any.example", AUTHRES_SOFTFAIL,
	    "~ip4:192.0.2.77/0", NULL },
	{ "any IPv6 address", "2001:db9::1", "any.example", AUTHRES_FAIL, "-ip6:2001:db8::/0",
	    NULL },
	{ "no domain name: a literal", "192.0.2.1", "[192.0.2.1]", AUTHRES_NONE, "", NULL },
	{ "no domain name: a single label", "192.0.2.1", "localhost", AUTHRES_NONE, "", NULL },
	{ "no record", "192.0.2.1", "none.example", AUTHRES_NONE, "", NULL },
	{ "no domain", "192.0.2.1", "nx.example", AUTHRES_NONE, "", NULL },
	{ "two records", "192.0.2.1", "two.example", AUTHRES_PERMERROR, "",
	    "two.example has 2 SPF records" },
	{ "no answer", "192.0.2.1", "slow.example", AUTHRES_TEMPERROR, "",
	    "no answer from DNS for slow.example TXT" },
	{ "the include that matched is named", "192.0.2.9", "inc.example", AUTHRES_PASS,
	    "include:ip.example", NULL },
	{ "an include that did not match is not", "203.0.113.1", "inc.example", AUTHRES_FAIL,
	    "-all", NULL },
	{ "nor is it when an address behind it matches", "192.0.2.9", "incip.example",
	    AUTHRES_PASS, "ip4:192.0.2.0/24", NULL },
	{ "a redirect's term is named", "192.0.2.9", "red.example", AUTHRES_PASS,
	    "ip4:192.0.2.0/24", NULL },
	{ "a redirect inside of an include", "192.0.2.9", "incred.example", AUTHRES_PASS,
	    "include:red.example", NULL },
	{ "a redirect inside of an include that does not match", "203.0.113.1",
	    "incred.example", AUTHRES_SOFTFAIL, "~all", NULL },
	{ "a redirect to no record", "192.0.2.1", "nored.example", AUTHRES_PERMERROR, "",
	    "none.example has no SPF record" },
	{ "an include of no record", "192.0.2.1", "noinc.example", AUTHRES_PERMERROR, "",
	    "none.example has no SPF record" },
	{ "an include without an answer", "192.0.2.1", "slowinc.example", AUTHRES_TEMPERROR, "",
	    "slow.example TXT" },
	{ "an a without an answer", "192.0.2.1", "slowa.example", AUTHRES_TEMPERROR, "",
	    "slow.example A" },
	{ "an mx's name without an answer", "2001:db8::1", "slowmx.example", AUTHRES_TEMPERROR,
	    "", "slow.example AAAA" },
	{ "what comes behind the match is not asked for", "192.0.2.1", "early.example",
	    AUTHRES_PASS, "ip4:192.0.2.1", NULL },
	{ "but an error behind it is one", "192.0.2.1", "bad.example", AUTHRES_PERMERROR, "",
	    "in the record of bad.example: \"foo:bar\"" },
	{ "an address of a", "192.0.2.2", "a.example", AUTHRES_PASS, "a:mail.example", NULL },
	{ "an IPv6 address of a", "2001:db8::1", "a.example", AUTHRES_PASS, "a:mail.example",
	    NULL },
	{ "no address of a", "192.0.2.3", "a.example", AUTHRES_FAIL, "-all", NULL },
	{ "an address of mx, beside a null MX", "192.0.2.2", "mx.example", AUTHRES_PASS,
	    "mx:mx.example", NULL },
	{ "a validated name, others in trouble", "192.0.2.1", "ptr.example", AUTHRES_PASS,
	    "ptr", NULL },
	{ "a validated name that only ends alike", "192.0.2.2", "ptr.example", AUTHRES_FAIL,
	    "-all", NULL },
	{ "a reverse zone in trouble", "192.0.2.3", "ptr.example", AUTHRES_FAIL, "-all", NULL },
	{ "upper case, a final dot", "192.0.2.1", "ALL.Example.", AUTHRES_FAIL, "-all", NULL },
};

static void
test_cases(void **state)
{
	struct spf_fixture f;

	(void)state;
	spf_fixture_init(&f, zone);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("# %s\n", cases[i].name);
		assert_string_equal(authres_result_name(spf_fixture_judge(&f, cases[i].client,
					"helo.example", "joe", cases[i].domain)),
		    authres_result_name(cases[i].result));
		assert_string_equal(f.outcome.mechanism, cases[i].mechanism);
		if (cases[i].problem == NULL)
			assert_string_equal(f.outcome.problem, "");
		else if (strstr(f.outcome.problem, cases[i].problem) == NULL)
			fail_msg("it says %s", f.outcome.problem);
	}
	spf_fixture_finish(&f);
}

static void
test_identities(void **state)
{
	struct spf_fixture f;

	(void)state;
	spf_fixture_init(&f, zone);
	print_message("# a null reverse-path is postmaster at the HELO name\n");
	assert_int_equal(
	    spf_fixture_judge(&f, "192.0.2.1", "Helo.Example", "", ""), AUTHRES_FAIL);
	assert_string_equal(f.outcome.domain, "helo.example");
	assert_string_equal(f.outcome.explanation, "postmaster@helo.example from Helo.Example");
	assert_int_equal(dns_table_asked(f.dns, "postmaster.helo.example", DNS_A), 1);
	print_message("# a null reverse-path of a client without a name\n");
	assert_int_equal(
	    spf_fixture_judge(&f, "192.0.2.1", "[192.0.2.1]", "", ""), AUTHRES_NONE);
	assert_string_equal(f.outcome.domain, "");
	assert_int_equal(f.outcome.queries, 0);
	print_message("# blanks and backslashes in a local part reach DNS as they are\n");
	assert_int_equal(
	    spf_fixture_judge(&f, "192.0.2.1", "x.example", "a\\b c", "exists.example"),
	    AUTHRES_PASS);
	spf_fixture_finish(&f);
}

static void
test_helo_identity(void **state)
{
	struct spf_fixture f;
	struct sockaddr_storage client;

	(void)state;
	spf_fixture_init(&f, zone);
	assert_true(address_from_host("192.0.2.1", 25, &client));
	struct spf_request request = {
		.client = &client,
		.identity = SPF_HELO,
		.helo = "helo.example",
		.local = VIEW("joe"),
		.domain = VIEW("all.example"),
		.receiver = "gate.example.org",
		.deadline_ms = clock_mono_ms() + 20000,
		.dns = dns_table_source(f.dns),
	};
	spf_evaluate(&request, &f.arena, &f.outcome);
	assert_string_equal(f.outcome.domain, "helo.example");
	assert_int_equal(f.outcome.result, AUTHRES_FAIL);
	assert_int_equal(dns_table_asked(f.dns, "postmaster.helo.example", DNS_A), 1);
	spf_fixture_finish(&f);
}

static void
test_deadline(void **state)
{
	struct spf_fixture f;

	(void)state;
	spf_fixture_init(&f, zone);
	struct sockaddr_storage client;
	assert_true(address_from_host("192.0.2.1", 25, &client));
	struct spf_request request = {
		.client = &client,
		.identity = SPF_MAIL_FROM,
		.helo = "helo.example",
		.domain = VIEW("all.example"),
		.receiver = "gate.example.org",
		.deadline_ms = clock_mono_ms(),
		.dns = dns_table_source(f.dns),
	};
	spf_evaluate(&request, &f.arena, &f.outcome);
	assert_int_equal(f.outcome.result, AUTHRES_TEMPERROR);
	assert_non_null(strstr(f.outcome.problem, "the time for the evaluation was over"));
	assert_int_equal(f.dns->query_count, 0);
	spf_fixture_finish(&f);
}

static void
test_explanations(void **state)
{
	static const struct {
		const char *name, *text;
		const char *expected;
	} rows[] = {
		{ "a plain text", "Go away.", "Go away." },
		{ "macros", "%{i} is not %{d}'s (%{r})",
		    "192.0.2.1 is not e.example's (gate.example.org)" },
		{ "a final dot and blanks stay", " see http://x.example/. ",
		    " see http://x.example/. " },
		{ "8-bit text", "\xef\xbb\xbfGo", "" },
		{ "line ends", "Go\r\n250 2.0.0 Ok", "" },
		{ "escape sequences", "\033[2J", "" },
		{ "a macro that does not exist", "%{x}", "" },
		{ "nothing", "", "" },
	};
	struct spf_fixture f;
	char octets[600];

	(void)state;
	spf_fixture_init(&f, NULL);
	dns_table_add(f.dns, "e.example", DNS_TXT, "v=spf1 -all exp=x.e.example");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("# %s\n", rows[i].name);
		dns_table_set(f.dns, "x.e.example", DNS_TXT, rows[i].text);
		assert_int_equal(
		    spf_fixture_judge(&f, "192.0.2.1", "h.example", "joe", "e.example"),
		    AUTHRES_FAIL);
		assert_string_equal(f.outcome.explanation, rows[i].expected);
	}
	print_message("# what a local part brings is made safe\n");
	dns_table_set(f.dns, "x.e.example", DNS_TXT, "%{l}!");
	assert_int_equal(
	    spf_fixture_judge(&f, "192.0.2.1", "h.example", "a\r\nb\x80", "e.example"),
	    AUTHRES_FAIL);
	assert_string_equal(f.outcome.explanation, "a??b?!");
	print_message("# a long one is cut\n");
	memset(octets, 'x', sizeof(octets));
	octets[sizeof(octets) - 1] = '\0';
	dns_table_set(f.dns, "x.e.example", DNS_TXT, octets);
	spf_fixture_judge(&f, "192.0.2.1", "h.example", "joe", "e.example");
	assert_int_equal(strlen(f.outcome.explanation), SPF_EXPLANATION_MAX - 1);
	print_message("# two records are none\n");
	dns_table_add(f.dns, "x.e.example", DNS_TXT, "two");
	spf_fixture_judge(&f, "192.0.2.1", "h.example", "joe", "e.example");
	assert_string_equal(f.outcome.explanation, "");
	print_message("# softfail has none\n");
	dns_table_set(f.dns, "x.e.example", DNS_TXT, "two");
	dns_table_set(f.dns, "e.example", DNS_TXT, "v=spf1 ~all exp=x.e.example");
	spf_fixture_judge(&f, "192.0.2.1", "h.example", "joe", "e.example");
	assert_string_equal(f.outcome.explanation, "");
	assert_int_equal(dns_table_asked(f.dns, "x.e.example", DNS_TXT), 0);
	spf_fixture_finish(&f);
}

static void *
judge_often(void *p)
{
	struct spf_fixture mine = { .dns = p };
	struct sockaddr_storage client;
	struct spf_request request = {
		.client = &client,
		.identity = SPF_MAIL_FROM,
		.helo = "helo.example",
		.local = VIEW("joe"),
		.domain = VIEW("inc.example"),
		.receiver = "gate.example.org",
		.deadline_ms = CLOCK_NEVER,
		.dns = dns_table_source(p),
	};
	uintptr_t passes = 0;

	if (!address_from_host("192.0.2.9", 25, &client))
		return NULL;
	for (int i = 0; i < 50; i++) {
		arena_init(&mine.arena);
		spf_evaluate(&request, &mine.arena, &mine.outcome);
		passes += mine.outcome.result == AUTHRES_PASS;
		arena_finish(&mine.arena);
	}
	return (void *)passes;
}

/* The library has global state of its own (handlers): for ThreadSanitizer. */
static void
test_threads(void **state)
{
	struct spf_fixture f;
	pthread_t threads[4];

	(void)state;
	spf_fixture_init(&f, zone);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, judge_often, f.dns), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *passes = NULL;

		assert_int_equal(pthread_join(threads[i], &passes), 0);
		assert_int_equal((uintptr_t)passes, 50);
	}
	spf_fixture_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_helo_identity),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_explanations),
	};

	return cmocka_run_group_tests_name("spf", tests, NULL, NULL);
}
