/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SPF under attack: zones built to cost as much as they can, and records built to break what
 * reads them. The number of queries is counted by the table, not by the engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "tests/unit/spf_fixture.h"

/* The first record; ten mx terms and their ten names; the client's names; an explanation. */
#define QUERIES_MAX (1 + SPF_TERMS_MAX * (1 + SPF_MX_NAMES_MAX) + (1 + SPF_PTR_NAMES_MAX) + 1)

#define MACROS_10(m)  m m m m m m m m m m
#define MACROS_100(m) MACROS_10(MACROS_10(m))

static struct spf_fixture fixture;

static int
set_up(void **state)
{
	(void)state;
	spf_fixture_init(&fixture, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	spf_fixture_finish(&fixture);
	return 0;
}

static void add(const char *name, enum dns_type type, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
add(const char *name, enum dns_type type, const char *fmt, ...)
{
	char text[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dns_table_add(fixture.dns, name, type, text);
}

static void
judge(const char *domain, enum authres_result result)
{
	const enum authres_result got =
	    spf_fixture_judge(&fixture, "192.0.2.1", "h.example", "joe", domain);

	if (got != result)
		fail_msg("%s (%s), not %s", authres_result_name(got), fixture.outcome.problem,
		    authres_result_name(result));
	assert_int_equal(fixture.outcome.queries, fixture.dns->query_count);
	assert_true(fixture.dns->query_count <= QUERIES_MAX);
	assert_true(fixture.outcome.terms <= SPF_TERMS_MAX);
	assert_true(fixture.outcome.voids <= SPF_VOIDS_MAX);
}

/* "v=spf1", count times term with its number for each "#", end. */
static void
add_record(const char *name, size_t count, const char *term, const char *end)
{
	struct buf text;
	bool ok;

	buf_init(&text, DNS_TXT_MAX);
	ok = buf_add_str(&text, "v=spf1");
	for (size_t i = 0; i < count; i++) {
		ok = ok && buf_add_char(&text, ' ');
		for (const char *p = term; *p != '\0'; p++)
			ok = ok && (*p == '#' ? buf_printf(&text, "%zu", i)
					      : buf_add_char(&text, *p));
	}
	ok = ok && buf_printf(&text, " %s", end) && buf_add_char(&text, '\0');
	assert_true(ok);
	dns_table_set(fixture.dns, name, DNS_TXT, text.p);
	buf_finish(&text);
}

/* Mail hosts that are somewhere else: name0 ... name9. */
static void
add_mx(const char *name, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char host[64];

		snprintf(host, sizeof(host), "m%zu.%s", i, name);
		add(name, DNS_MX, "10 %s", host);
		add(host, DNS_A, "198.51.100.%zu", i);
	}
}

static void
test_the_most_that_a_zone_can_cost(void **state)
{
	(void)state;
	for (size_t i = 0; i < 10; i++) {
		char name[32];

		snprintf(name, sizeof(name), "x%zu.example", i);
		add_mx(name, 10);
	}
	for (size_t i = 0; i < 40; i++)
		add("1.2.0.192.in-addr.arpa", DNS_PTR, "p%zu.example", i);
	add_record("evil.example", 10, "mx:x#.example", "-all exp=%{p}.example");
	judge("evil.example", AUTHRES_FAIL);
	assert_int_equal(fixture.dns->query_count, QUERIES_MAX);
}

static void
test_one_term_too_many(void **state)
{
	(void)state;
	add("a.example", DNS_A, "198.51.100.1");
	add_record("ten.example", 10, "a:a.example", "-all");
	judge("ten.example", AUTHRES_FAIL);
	add_record("eleven.example", 11, "a:a.example", "-all");
	judge("eleven.example", AUTHRES_PERMERROR);
	assert_non_null(strstr(fixture.outcome.problem, "more than 10 DNS look-ups"));
	assert_int_equal(fixture.dns->query_count, 11);
	print_message("# and a thousand of them cost no more\n");
	add_record("thousand.example", 600, "a:a.example", "-all");
	judge("thousand.example", AUTHRES_PERMERROR);
	assert_int_equal(fixture.dns->query_count, 11);
}

static void
test_includes_share_the_budget(void **state)
{
	(void)state;
	add("a.example", DNS_A, "198.51.100.1");
	add("outer.example", DNS_TXT,
	    "v=spf1 include:i1.example include:i2.example include:i3.example -all");
	for (size_t i = 1; i <= 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "i%zu.example", i);
		add_record(name, 3, "a:a.example", "-all");
	}
	judge("outer.example", AUTHRES_PERMERROR);
	assert_int_equal(fixture.dns->query_count, 11);
	print_message("# ten includes that do not match\n");
	add_record("ten.example", 10, "include:f#.example", "~all");
	for (size_t i = 0; i < 10; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%zu.example", i);
		add(name, DNS_TXT, "v=spf1 -all");
	}
	judge("ten.example", AUTHRES_SOFTFAIL);
	assert_string_equal(fixture.outcome.mechanism, "~all");
	print_message("# the tenth include matches\n");
	dns_table_set(fixture.dns, "f9.example", DNS_TXT, "v=spf1 +all");
	judge("ten.example", AUTHRES_PASS);
	assert_string_equal(fixture.outcome.mechanism, "include:f9.example");
}

static void
test_loops(void **state)
{
	(void)state;
	add("self.example", DNS_TXT, "v=spf1 include:self.example -all");
	add("selfred.example", DNS_TXT, "v=spf1 redirect=selfred.example");
	add("ping.example", DNS_TXT, "v=spf1 include:pong.example -all");
	add("pong.example", DNS_TXT, "v=spf1 redirect=ping.example");
	add("macro.example", DNS_TXT, "v=spf1 include:%%{d} redirect=%%{d}");
	add("twice.example", DNS_TXT, "v=spf1 include:twice.example include:twice.example");
	judge("self.example", AUTHRES_PERMERROR);
	judge("selfred.example", AUTHRES_PERMERROR);
	judge("ping.example", AUTHRES_PERMERROR);
	judge("macro.example", AUTHRES_PERMERROR);
	judge("twice.example", AUTHRES_PERMERROR);
	assert_int_equal(fixture.dns->query_count, 11);
}

static void
test_depth(void **state)
{
	(void)state;
	for (size_t i = 0; i < 12; i++) {
		char name[32];

		snprintf(name, sizeof(name), "d%zu.example", i);
		add(name, DNS_TXT, i < 10 ? "v=spf1 include:d%zu.example -all" : "v=spf1 +all",
		    i + 1);
	}
	judge("d0.example", AUTHRES_PASS);
	assert_int_equal(fixture.outcome.terms, 10);
	dns_table_set(fixture.dns, "d10.example", DNS_TXT, "v=spf1 include:d11.example");
	judge("d0.example", AUTHRES_PERMERROR);
}

static void
test_voids(void **state)
{
	(void)state;
	add("two.example", DNS_TXT, "v=spf1 a:x.example exists:y.example -all");
	add("three.example", DNS_TXT, "v=spf1 a:x.example mx:y.example exists:z.example -all");
	add("nodata.example", DNS_TXT, "v=spf1 a mx exists:nodata.example -all");
	judge("two.example", AUTHRES_FAIL);
	assert_int_equal(fixture.outcome.voids, 2);
	judge("three.example", AUTHRES_PERMERROR);
	assert_non_null(strstr(fixture.outcome.problem, "z.example A"));
	judge("nodata.example", AUTHRES_PERMERROR);
	print_message("# mail hosts without an address of the client's kind are none\n");
	add_mx("hosts.example", 10);
	add("hosts.example", DNS_TXT, "v=spf1 mx -all");
	assert_int_equal(
	    spf_fixture_judge(&fixture, "2001:db8::1", "h.example", "joe", "hosts.example"),
	    AUTHRES_FAIL);
	assert_int_equal(fixture.outcome.voids, 0);
	print_message("# the client's reverse zone is none\n");
	add("ptr.example", DNS_TXT, "v=spf1 ptr ptr:a.example ptr:b.example -all");
	judge("ptr.example", AUTHRES_FAIL);
	assert_int_equal(fixture.dns->query_count, 2);
}

static void
test_mx_names(void **state)
{
	(void)state;
	add_mx("ten.example", 10);
	add_mx("eleven.example", 11);
	add("ten.example", DNS_TXT, "v=spf1 mx -all");
	add("eleven.example", DNS_TXT, "v=spf1 mx -all");
	judge("ten.example", AUTHRES_FAIL);
	judge("eleven.example", AUTHRES_PERMERROR);
	assert_non_null(strstr(fixture.outcome.problem, "more than 10 MX records"));
	assert_int_equal(fixture.dns->query_count, 2);
}

static void
test_ptr_names(void **state)
{
	char name[32];

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "p%zu.example", i);
		add("1.2.0.192.in-addr.arpa", DNS_PTR, "%s", name);
		add(name, DNS_A, "192.0.2.1");
	}
	add("ninth.example", DNS_TXT, "v=spf1 ptr:p9.example -all");
	add("tenth.example", DNS_TXT, "v=spf1 ptr:p10.example -all");
	judge("ninth.example", AUTHRES_PASS);
	judge("tenth.example", AUTHRES_FAIL);
	assert_int_equal(fixture.dns->query_count, 12);
}

/* ---- records that are built to break what reads them ---- */

static void
test_long_records(void **state)
{
	(void)state;
	print_message("# hundreds of addresses, one of them wrong\n");
	add_record("ips.example", 500, "ip4:10.0.0.1", "-all ip4:10.0.0.256");
	judge("ips.example", AUTHRES_PERMERROR);
	print_message("# hundreds of addresses, the last one matches\n");
	add_record("ips.example", 500, "ip4:10.0.0.1", "ip4:192.0.2.0/24 -all");
	judge("ips.example", AUTHRES_PASS);
	print_message("# hundreds of networks that match\n");
	add_record("all.example", 1000, "?all", "-all");
	judge("all.example", AUTHRES_NEUTRAL);
	print_message("# hundreds of unknown modifiers\n");
	add_record("mods.example", 800, "x#=y", "-all");
	judge("mods.example", AUTHRES_FAIL);
	print_message("# eleven includes and an address: all that the library is ever given\n");
	add_record("inc.example", 11, "include:f.example", "ip4:192.0.2.0/24");
	add("f.example", DNS_TXT, "v=spf1 -all");
	judge("inc.example", AUTHRES_PERMERROR);
	print_message("# a term's number of three digits\n");
	add_record("far.example", 250, "ip4:10.0.0.#", "include:g.example -all");
	add("g.example", DNS_TXT, "v=spf1 +all");
	judge("far.example", AUTHRES_PASS);
	assert_string_equal(fixture.outcome.mechanism, "include:g.example");
}

static void
test_long_names(void **state)
{
	static const char many[] = MACROS_100("%{s}.");
	char name[5001];

	(void)state;
	print_message("# a literal of thousands of octets: its labels are cut off\n");
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	add("long.example", DNS_TXT, "v=spf1 a:%s.example -all", name);
	judge("long.example", AUTHRES_FAIL);
	assert_string_equal(fixture.dns->log[1].name, "example");
	print_message("# macros that multiply: 253 octets are left\n");
	add("mult.example", DNS_TXT, "v=spf1 exists:%s -all", MACROS_100("%{d}.") "%{d}");
	judge("mult.example", AUTHRES_FAIL);
	assert_int_equal(strlen(fixture.dns->log[1].name), 19 * 13 - 1);
	print_message("# and past every cap\n");
	dns_table_remove(fixture.dns, "mult.example", DNS_TXT);
	add("mult.example", DNS_TXT, "v=spf1 exists:%s%s%s%s%s%s%s%s%s%s%s%%{d} -all", many,
	    many, many, many, many, many, many, many, many, many, many);
	judge("mult.example", AUTHRES_PERMERROR);
	assert_non_null(strstr(fixture.outcome.problem, "a macro gives more than"));
}

static void
test_odd_octets(void **state)
{
	static const char with_nul[] = "v=spf1 a:a.example\0 +all";
	static const char nul_first[] = "v=spf1\0 +all";

	(void)state;
	dns_table_add_row(
	    fixture.dns, &(struct dns_table_row){ .row = { "nul.example", DNS_TXT, with_nul },
			     .len = sizeof(with_nul) - 1 });
	judge("nul.example", AUTHRES_PERMERROR);
	dns_table_add_row(fixture.dns,
	    &(struct dns_table_row){
		.row = { "first.example", DNS_TXT, nul_first }, .len = sizeof(nul_first) - 1 });
	judge("first.example", AUTHRES_NONE);
	add("bit8.example", DNS_TXT, "v=spf1 a:\xff\xfe.example +all");
	judge("bit8.example", AUTHRES_PERMERROR);
	assert_null(strpbrk(fixture.outcome.problem, "\xff\xfe"));
	add("pct.example", DNS_TXT, "v=spf1 exists:%%s%%n%%x.example -all");
	judge("pct.example", AUTHRES_PERMERROR);
	print_message("# names as the library gets them mean nothing in a record\n");
	add("ours.example", DNS_TXT, "v=spf1 include:t0.r0 exists:e0.r0 redirect=first.record");
	judge("ours.example", AUTHRES_PERMERROR);
	assert_int_equal(dns_table_asked(fixture.dns, "t0.r0", DNS_TXT), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_the_most_that_a_zone_can_cost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_term_too_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_includes_share_the_budget, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_loops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_depth, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_voids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mx_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ptr_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_records, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_odd_octets, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("spf_limits", tests, NULL, NULL);
}
