/* SPDX-License-Identifier: MPL-2.0 */
/* The link spf: what it judges, publishes, refuses, and how it keeps to its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "filters/filters.h"
#include "filters/spf_received.h"
#include "lib/base/clock.h"
#include "lib/net/address.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/link_fixture.h"

static const struct dns_row zone[] = {
	{ "example.org", DNS_TXT, "v=spf1 ip4:192.0.2.0/24 -all exp=why.example.org" },
	{ "why.example.org", DNS_TXT, "%{l} is not from %{i}" },
	{ "soft.example.org", DNS_TXT, "v=spf1 ~all" },
	{ "bad.example.org", DNS_TXT, "v=spf1 foo:bar" },
	{ "slow.example.org", DNS_ANY_TYPE, DNS_ROW_TEMPFAIL },
	{ "mx.example.net", DNS_TXT, "v=spf1 ip4:192.0.2.1 -all" },
	{ NULL, DNS_A, NULL },
};

struct rig {
	struct link_fixture f;
	struct dns_table *dns;
};

static void
rig_open(struct rig *r, const char *settings)
{
	link_fixture_open(&r->f, &link_hop_limit, "");
	chain_run_destroy(&r->f.run);
	chain_destroy(&r->f.chain);
	r->dns = dns_table_create(zone);
	const struct link_env env = {
		.hostname = "gate.example.net",
		.dns = dns_table_source(r->dns),
	};
	struct chain_entry entry;

	if (link_fixture_entry(&r->f, &link_spf, settings, &entry))
		r->f.chain = chain_create(&entry, 1, &env, &r->f.errors);
}

static void
rig_close(struct rig *r)
{
	link_fixture_close(&r->f);
	dns_table_destroy(&r->dns);
}

/* The code of the reply to MAIL, 0: accepted. path: with its brackets. */
static int
mail(struct rig *r, const char *client, const char *helo, const char *path)
{
	static char text[SMTP_PATH_MAX];
	struct facts *facts = &r->f.facts;

	assert_non_null(r->f.chain);
	chain_run_destroy(&r->f.run);
	r->f.run = chain_run_create(r->f.chain);
	assert_true(address_from_host(client, 25, &facts->client.addr));
	address_host_text(&facts->client.addr, facts->client.text);
	facts->helo = helo;
	assert_int_equal(smtp_path_parse(view_of(path), &facts->mail.path), SMTP_SYNTAX_OK);
	smtp_path_write(&facts->mail.path, text);
	facts->reverse_path = text;
	return link_fixture_stage(&r->f, STAGE_MAIL, NULL);
}

/* property: "NAME=VALUE" of smtp */
static void
assert_result(struct rig *r, size_t index, enum authres_result result, const char *domain,
    const char *property, bool is_for_dmarc)
{
	size_t count;
	const struct authres *results = chain_run_results(r->f.run, &count);
	const char *equals = strchr(property, '=');
	char name[16] = { 0 };

	assert_true(index < count);
	assert_true((size_t)(equals - property) < sizeof(name));
	memcpy(name, property, (size_t)(equals - property));
	assert_int_equal(results[index].method, AUTHRES_SPF);
	assert_string_equal(
	    authres_result_name(results[index].result), authres_result_name(result));
	assert_string_equal(results[index].domain, domain);
	assert_string_equal(authres_property(&results[index], "smtp", name), equals + 1);
	assert_int_equal(results[index].is_for_dmarc, is_for_dmarc);
}

static size_t
result_count(struct rig *r)
{
	size_t count;

	(void)chain_run_results(r->f.run, &count);
	return count;
}

static void
test_publishes_both_identities(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "");
	assert_int_equal(mail(&r, "192.0.2.1", "MX.example.net", "<carol@Example.ORG>"), 0);
	assert_result(&r, 0, AUTHRES_PASS, "mx.example.net", "helo=MX.example.net", false);
	assert_result(&r, 1, AUTHRES_PASS, "example.org", "mailfrom=carol@Example.ORG", true);
	assert_int_equal(result_count(&r), 2);
	assert_true(view_eq(chain_run_notes(r.f.run), VIEW("spf_helo=pass spf=pass")));
	print_message("# nothing is refused unless it is listed\n");
	assert_int_equal(mail(&r, "203.0.113.1", "mx.example.net", "<carol@example.org>"), 0);
	assert_result(&r, 0, AUTHRES_FAIL, "mx.example.net", "helo=mx.example.net", false);
	assert_result(&r, 1, AUTHRES_FAIL, "example.org", "mailfrom=carol@example.org", true);
	print_message("# errors say what they are\n");
	assert_int_equal(mail(&r, "203.0.113.1", "[203.0.113.1]", "<c@bad.example.org>"), 0);
	assert_result(&r, 0, AUTHRES_NONE, "", "helo=[203.0.113.1]", false);
	assert_result(
	    &r, 1, AUTHRES_PERMERROR, "bad.example.org", "mailfrom=c@bad.example.org", true);
	size_t count;
	assert_non_null(strstr(
	    chain_run_results(r.f.run, &count)[1].reason, "in the record of bad.example.org"));
	rig_close(&r);
}

static void
test_null_sender_is_one_question(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "reject_helo = [ \"fail\" ];");
	assert_int_equal(mail(&r, "192.0.2.1", "mx.example.net", "<>"), 0);
	assert_int_equal(result_count(&r), 1);
	assert_result(&r, 0, AUTHRES_PASS, "mx.example.net", "helo=mx.example.net", true);
	assert_int_equal(dns_table_asked(r.dns, "mx.example.net", DNS_TXT), 1);
	print_message("# reject_helo is about it too\n");
	assert_int_equal(mail(&r, "203.0.113.1", "mx.example.net", "<>"), 550);
	rig_close(&r);
}

static void
test_refuses_what_is_listed(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "reject = [ \"fail\", \"permerror\", \"temperror\" ]; helo = false;");
	assert_int_equal(mail(&r, "203.0.113.1", "h.example", "<carol@example.org>"), 550);
	assert_string_equal(r.f.reply.enhanced, "5.7.23");
	assert_string_equal(r.f.reply.text,
	    "203.0.113.1 may not send mail as carol@example.org: SPF of example.org says fail "
	    "(-all)\nexample.org explains: carol is not from 203.0.113.1");
	assert_int_equal(mail(&r, "203.0.113.1", "h.example", "<c@bad.example.org>"), 550);
	assert_string_equal(r.f.reply.enhanced, "5.7.24");
	assert_int_equal(mail(&r, "203.0.113.1", "h.example", "<c@slow.example.org>"), 451);
	assert_string_equal(r.f.reply.enhanced, "4.7.24");
	assert_int_equal(mail(&r, "203.0.113.1", "h.example", "<c@soft.example.org>"), 0);
	assert_int_equal(mail(&r, "203.0.113.1", "h.example", "<c@none.example.org>"), 0);
	rig_close(&r);
	rig_open(&r, "reject_helo = [ \"fail\" ];");
	assert_int_equal(
	    mail(&r, "203.0.113.1", "mx.example.net", "<c@none.example.org>"), 550);
	assert_non_null(strstr(r.f.reply.text, "may not send mail as mx.example.net"));
	rig_close(&r);
}

static void
test_who_is_not_judged(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "skip = [ \"203.0.113.0/24\", \"2001:db8::1\" ]; reject = [ \"fail\" ];");
	assert_int_equal(mail(&r, "203.0.113.1", "mx.example.net", "<carol@example.org>"), 0);
	assert_int_equal(mail(&r, "2001:db8::1", "mx.example.net", "<carol@example.org>"), 0);
	assert_result(&r, 0, AUTHRES_NONE, "", "mailfrom=carol@example.org", true);
	assert_int_equal(r.dns->query_count, 0);
	assert_int_equal(mail(&r, "2001:db8::2", "mx.example.net", "<carol@example.org>"), 550);
	print_message("# nor who has logged in\n");
	r.f.facts.identity.login = "alice";
	assert_int_equal(mail(&r, "2001:db8::2", "mx.example.net", "<carol@example.org>"), 0);
	assert_int_equal(result_count(&r), 0);
	rig_close(&r);
}

static void
test_quoted_local_part(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "reject = [ \"fail\" ]; helo = false;");
	assert_int_equal(
	    mail(&r, "203.0.113.1", "h.example", "<\"a\\\"b c\"@example.org>"), 550);
	assert_non_null(strstr(r.f.reply.text, "explains: a\"b c is not from"));
	rig_close(&r);
}

/* A source on which every query takes a second. */
static void
one_second_later(void *context, const char *name, enum dns_type type)
{
	int64_t *now_ms = context;

	(void)name;
	(void)type;
	*now_ms += 1000;
	clock_fake_set(*now_ms, 1795553870);
}

static void
test_slow_dns_is_our_answer(void **state)
{
	struct rig r;
	int64_t now_ms = 1000;

	(void)state;
	rig_open(&r, "timeout = \"10s\"; helo = false;");
	dns_table_add(r.dns, "long.example.org", DNS_TXT,
	    "v=spf1 a:1.x.example a:2.x.example a:3.x.example a:4.x.example a:5.x.example "
	    "a:6.x.example a:7.x.example a:8.x.example a:9.x.example -all");
	for (char name[] = "1.x.example"; name[0] <= '9'; name[0]++)
		dns_table_add(r.dns, name, DNS_A, "198.51.100.1");
	r.dns->on_query = one_second_later;
	r.dns->on_query_context = &now_ms;
	clock_fake_set(now_ms, 1795553870);
	assert_int_equal(mail(&r, "203.0.113.1", "h.example", "<c@long.example.org>"), 0);
	clock_fake_set(-1, -1);
	assert_result(
	    &r, 0, AUTHRES_TEMPERROR, "long.example.org", "mailfrom=c@long.example.org", true);
	assert_int_equal(r.dns->query_count, 8);
	rig_close(&r);
}

static void
test_received_spf(void **state)
{
	struct rig r;
	const struct header_field *field;

	(void)state;
	rig_open(&r, "received_spf = true; helo = false;");
	assert_int_equal(
	    mail(&r, "2001:db8::1", "h (x)", "<\"a;\\\"\\\\b=pass\"@bad.example.org>"), 0);
	assert_int_equal(link_fixture_message(&r.f, "From: a@b.example\r\n\r\nx\r\n"), 0);
	field = message_field(r.f.message, 0);
	assert_true(view_eq(field->name, VIEW("Received-SPF")));
	assert_true(view_eq(field->body,
	    VIEW(" permerror (gate.example.net: SPF could not be judged for "
		 "\\\"a;\\\\\\\"\\\\\\\\b=pass\\\"@bad.example.org)\r\n\treceiver=gate.example."
		 "net;"
		 "\r\n\tclient-ip=\"2001:db8::1\";"
		 "\r\n\tenvelope-from=\"\\\"a;\\\\\\\"\\\\\\\\b=pass\\\"@bad.example.org\";"
		 "\r\n\thelo=\"h \\(x\\)\";"
		 "\r\n\tproblem=\"in the record of bad.example.org: \\\"foo:bar\\\": there is "
		 "no "
		 "such mechanism\";\r\n\tidentity=mailfrom")));
	assert_int_equal(message_count_of(r.f.message, "Received-SPF"), 1);
	print_message("# of a null sender\n");
	assert_int_equal(mail(&r, "192.0.2.1", "mx.example.net", "<>"), 0);
	assert_int_equal(link_fixture_message(&r.f, "From: a@b.example\r\n\r\nx\r\n"), 0);
	field = message_field(r.f.message, 0);
	assert_true(view_starts(field->body,
	    VIEW(" pass (gate.example.net: the domain of mx.example.net names 192.0.2.1 as a "
		 "permitted sender)")));
	rig_close(&r);
}

static void
test_longest_received_spf_fits(void **state)
{
	static char path[SMTP_PATH_MAX], helo[SMTP_HELO_MAX + 1];
	struct facts facts = {
		.hostname = "gate.example.net", .helo = helo, .reverse_path = path
	};
	struct spf_verdict verdict = { .is_known = true, .result = AUTHRES_PERMERROR };
	struct buf out;

	(void)state;
	memset(path, '"', sizeof(path) - 1);
	memset(helo, '(', sizeof(helo) - 1);
	memset(verdict.mechanism, '\\', sizeof(verdict.mechanism) - 1);
	memset(verdict.problem, '"', sizeof(verdict.problem) - 1);
	memset(facts.client.text, ':', sizeof(facts.client.text) - 1);
	buf_init(&out, SPF_RECEIVED_MAX);
	assert_true(spf_received_value(&facts, SPF_MAIL_FROM, &verdict, &out));
	buf_finish(&out);
}

static void
test_settings(void **state)
{
	static const char *const bad[] = {
		"reject = [ \"pass\" ];",
		"reject = [ \"Fail\" ];",
		"reject_helo = [ \"none\" ];",
		"reject_helo = [ \"fail\" ]; helo = false;",
		"skip = [ \"example.org\" ];",
		"skip = [ \"192.0.2.1/24\" ];",
	};
	struct link_fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct rig r;

		print_message("# %s\n", bad[i]);
		rig_open(&r, bad[i]);
		assert_null(r.f.chain);
		assert_int_equal(r.f.errors.count, 1);
		rig_close(&r);
	}
	print_message("# no resolver\n");
	link_fixture_open(&f, &link_spf, "");
	assert_null(f.chain);
	link_fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publishes_both_identities),
		cmocka_unit_test(test_null_sender_is_one_question),
		cmocka_unit_test(test_refuses_what_is_listed),
		cmocka_unit_test(test_who_is_not_judged),
		cmocka_unit_test(test_quoted_local_part),
		cmocka_unit_test(test_slow_dns_is_our_answer),
		cmocka_unit_test(test_received_spf),
		cmocka_unit_test(test_longest_received_spf_fits),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests_name("link_spf", tests, NULL, NULL);
}
