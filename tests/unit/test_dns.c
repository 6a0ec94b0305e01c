/* SPDX-License-Identifier: MPL-2.0 */
/* Names that can and cannot be asked for, and the words for types and statuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "tests/unit/dns_table.h"

#define L61 "cdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"
#define L62 "b" L61
#define L63 "a" L62

static void
test_names(void **state)
{
	static const struct {
		const char *says;
		const char *name;
		bool is_valid;
	} cases[] = {
		{ "an ordinary name", "example.com", true },
		{ "a final dot is allowed", "example.com.", true },
		{ "two final dots are an empty label", "example.com..", false },
		{ "a name of one label", "com", true },
		{ "the root alone is no name to ask for", ".", false },
		{ "nothing is no name", "", false },
		{ "an empty label in front", ".example.com", false },
		{ "an empty label within", "example..com", false },
		{ "underscores and odd signs exist", "_dmarc.a!b#c.example", true },
		{ "a blank", "exa mple.com", false },
		{ "a control character", "exa\tmple.com", false },
		{ "an octet over 126", "ex\xc3\xa4mple.com", false },
		{ "DEL", "ex\x7fmple.com", false },
		{ "a label of 63 octets", L63 ".com", true },
		{ "a label of 64 octets", "x" L63 ".com", false },
		{ "a name of 253 octets", L61 "." L63 "." L63 "." L63, true },
		{ "a name of 253 octets and its final dot", L61 "." L63 "." L63 "." L63 ".",
		    true },
		{ "a name of 254 octets", L62 "." L63 "." L63 "." L63, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (dns_name_is_valid(view_of(cases[i].name)) != cases[i].is_valid)
			fail_msg("%s", cases[i].says);
	}
}

static void
test_impossible_names_are_never_asked(void **state)
{
	struct dns_table *dns = dns_table_create(NULL);
	struct arena arena;
	struct dns_answer answer;

	(void)state;
	arena_init(&arena);
	dns_table_set(dns, "a..b", DNS_ANY_TYPE, DNS_ROW_TEMPFAIL);
	dns_query(dns_table_source(dns), "a..b", DNS_TXT, CLOCK_NEVER, &arena, &answer);
	assert_int_equal(answer.status, DNS_NXDOMAIN);
	assert_int_equal(answer.count, 0);
	assert_int_equal(dns->query_count, 0);
	dns_query(dns_table_source(dns), "a.b", DNS_TXT, CLOCK_NEVER, &arena, &answer);
	assert_int_equal(dns->query_count, 1);
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

/* By type and status; a name that cannot be asked for is no question. */
static void
test_questions_are_counted(void **state)
{
	static const char line[] =
	    "\ngatepost_dns_queries_total{type=\"TLSA\",status=\"nxdomain\"} 2\n";
	struct dns_table *dns = dns_table_create(NULL);
	struct arena arena;
	struct dns_answer answer;
	struct buf page;

	(void)state;
	arena_init(&arena);
	buf_init(&page, 1 << 20);
	dns_query(dns_table_source(dns), "a.b", DNS_TLSA, CLOCK_NEVER, &arena, &answer);
	dns_query(dns_table_source(dns), "b.b", DNS_TLSA, CLOCK_NEVER, &arena, &answer);
	dns_query(dns_table_source(dns), "a..b", DNS_TLSA, CLOCK_NEVER, &arena, &answer);
	assert_true(metrics_print(&page));
	assert_non_null(memmem(page.p, page.len, line, sizeof(line) - 1));
	buf_finish(&page);
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

/* The table that other tests believe in. */
static void
test_the_table(void **state)
{
	static const struct dns_row rows[] = {
		{ "Example.COM", DNS_TXT, "one" },
		{ "example.com", DNS_TXT, "two" },
		{ "example.com", DNS_MX, "10 Mail.Example.com." },
		{ "mail.example.com", DNS_A, "192.0.2.1" },
		{ "alias.example.com", DNS_CNAME, "mail.example.com" },
		{ "astray.example.com", DNS_CNAME, "gone.example.com" },
		{ "ring.example.com", DNS_CNAME, "ring.example.com" },
		{ "a.empty.example.com", DNS_AAAA, "2001:db8::1" },
		{ "ill.example.com", DNS_ANY_TYPE, DNS_ROW_TEMPFAIL },
		{ "half.example.com", DNS_A, DNS_ROW_TEMPFAIL },
		{ "half.example.com", DNS_TXT, "there" },
		{ .name = NULL },
	};
	static const struct {
		const char *says;
		const char *name;
		enum dns_type type;
		enum dns_status status;
		size_t count;
		bool is_alias;
	} cases[] = {
		{ "two TXT records, whatever the case", "EXAMPLE.com", DNS_TXT, DNS_FOUND, 2,
		    false },
		{ "an MX", "example.com", DNS_MX, DNS_FOUND, 1, false },
		{ "another type exists", "example.com", DNS_A, DNS_NODATA, 0, false },
		{ "no such name", "none.example.com", DNS_A, DNS_NXDOMAIN, 0, false },
		{ "a name that only ends alike", "ample.com", DNS_A, DNS_NXDOMAIN, 0, false },
		{ "an empty non-terminal", "empty.example.com", DNS_A, DNS_NODATA, 0, false },
		{ "a CNAME is followed", "alias.example.com", DNS_A, DNS_FOUND, 1, true },
		{ "a CNAME to no data", "alias.example.com", DNS_TXT, DNS_NODATA, 0, true },
		{ "a CNAME to no name", "astray.example.com", DNS_A, DNS_NXDOMAIN, 0, true },
		{ "a CNAME itself", "alias.example.com", DNS_CNAME, DNS_FOUND, 1, false },
		{ "a ring of CNAMEs", "ring.example.com", DNS_A, DNS_TEMPFAIL, 0, true },
		{ "a status for every type", "ill.example.com", DNS_MX, DNS_TEMPFAIL, 0,
		    false },
		{ "a status for one type", "half.example.com", DNS_A, DNS_TEMPFAIL, 0, false },
		{ "and data for another", "half.example.com", DNS_TXT, DNS_FOUND, 1, false },
	};
	struct dns_table *dns = dns_table_create(rows);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct dns_answer answer;

		arena_init(&arena);
		dns_query(dns_table_source(dns), cases[i].name, cases[i].type, CLOCK_NEVER,
		    &arena, &answer);
		if (answer.status != cases[i].status || answer.count != cases[i].count ||
		    answer.is_alias != cases[i].is_alias)
			fail_msg("%s: %s, %zu records", cases[i].says,
			    dns_status_name(answer.status), answer.count);
		arena_finish(&arena);
	}
	assert_int_equal(dns->query_count, ARRAY_LEN(cases));
	assert_int_equal(dns_table_asked(dns, "alias.example.com", DNS_ANY_TYPE), 3);
	assert_int_equal(dns_table_asked(dns, "alias.example.com", DNS_A), 1);
	dns_table_destroy(&dns);
}

static void
test_the_tables_servers(void **state)
{
	struct dns_table *dns = dns_table_create(NULL);
	struct dns_server_answer *each;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	assert_int_equal(
	    dns->source.query_each(dns, "k.example.com", DNS_TXT, 0, &arena, &each), 0);
	dns_table_servers(dns, 3);
	dns_table_set(dns_table_server(dns, 0), "k.example.com", DNS_TXT, "new");
	dns_table_server(dns, 2)->is_off = true;
	assert_int_equal(
	    dns->source.query_each(dns, "k.example.com", DNS_TXT, 0, &arena, &each), 3);
	assert_int_equal(each[0].answer.status, DNS_FOUND);
	assert_memory_equal(each[0].answer.records[0].data.p, "new", 3);
	assert_int_equal(each[1].answer.status, DNS_NXDOMAIN);
	assert_int_equal(each[2].answer.status, DNS_TEMPFAIL);
	assert_string_equal(each[2].answer.why, "timed out");
	assert_int_equal(dns->each_count, 2);
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(dns_type_name(DNS_AAAA), "AAAA");
	assert_string_equal(dns_type_name(DNS_TLSA), "TLSA");
	assert_string_equal(dns_status_name(DNS_NODATA), "nodata");
	assert_string_equal(dns_status_name(DNS_TEMPFAIL), "tempfail");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_impossible_names_are_never_asked),
		cmocka_unit_test(test_questions_are_counted),
		cmocka_unit_test(test_the_table),
		cmocka_unit_test(test_the_tables_servers),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
