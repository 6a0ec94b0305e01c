/* SPDX-License-Identifier: MPL-2.0 */
/* Findings about a sending domain: what is said of which report and which DNS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/domain/domain_findings.h"
#include "lib/net/address.h"
#include "tests/unit/dns_table.h"

#define NOW 1795000000

/* A domain with which all is well. Each test spoils something. */
static const struct dns_row well[] = {
	{ "example.com", DNS_MX, "10 mail.example.com" },
	{ "mail.example.com", DNS_A, "192.0.2.1" },
	{ "example.com", DNS_TXT, "v=spf1 ip4:192.0.2.0/24 -all" },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, "mail.example.com" },
	{ NULL, 0, NULL },
};

struct fixture {
	struct arena arena;
	struct dns_table *dns;
	struct watched_key key;
	struct watched_address address;
	struct domain_report report;
	struct rotation rotation;
	struct sockaddr_storage egress;
	struct findings_request request;
	struct findings findings;
};

static void
open_fixture(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	arena_init(&f->arena);
	f->dns = dns_table_create(well);
	f->key = (struct watched_key){ .selector = "2026a",
		.presence = KEY_CONFIRMED,
		.why = "",
		.publish = "2026a._domainkey.example.com. IN TXT ..." };
	f->address = (struct watched_address){ .text = "192.0.2.1",
		.spf = { .result = AUTHRES_PASS,
		    .domain = "example.com",
		    .mechanism = "ip4:192.0.2.0/24" } };
	f->report = (struct domain_report){ .domain = "example.com",
		.checked_at = NOW,
		.has_egress = true,
		.addresses = &f->address,
		.address_count = 1,
		.spf = f->address.spf,
		.spf_address = "192.0.2.1",
		.spf_publish = "",
		.keys = &f->key,
		.key_count = 1,
		.dmarc = { .status = DMARC_FOUND,
		    .policy_domain = "example.com",
		    .organizational_domain = "example.com",
		    .is_exact = true,
		    .record = { .p = DMARC_P_REJECT, .sp = DMARC_P_REJECT, .rua_count = 1 } } };
	assert_true(address_from_host("192.0.2.1", 0, &f->egress));
	f->request = (struct findings_request){ .report = &f->report,
		.dns = dns_table_source(f->dns),
		.deadline_ms = CLOCK_NEVER,
		.now = NOW,
		.egress = &f->egress,
		.egress_count = 1,
		.rotation = &f->rotation,
		.rotation_rules = { .settle_s = 3600, .queue_life_s = 86400 },
		.has_bulk_rules = true };
}

static void
close_fixture(struct fixture *f)
{
	dns_table_destroy(&f->dns);
	arena_finish(&f->arena);
}

/* The finding whose text holds the words; fails without one. */
static const struct finding *
expect(struct fixture *f, const char *area, enum finding_level level, const char *words)
{
	findings_make(&f->request, &f->arena, &f->findings);
	for (size_t i = 0; i < f->findings.count; i++) {
		const struct finding *found = &f->findings.items[i];

		if (strcmp(found->area, area) == 0 && found->level == level &&
		    strstr(found->text, words) != NULL)
			return found;
	}
	for (size_t i = 0; i < f->findings.count; i++)
		print_message("%s %s %s: %s\n", f->findings.items[i].area,
		    finding_level_name(f->findings.items[i].level),
		    f->findings.items[i].subject, f->findings.items[i].text);
	fail_msg("no finding %s %s \"%s\"", area, finding_level_name(level), words);
	return NULL;
}

static void
test_a_domain_that_is_well_has_nothing_but_ok(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	findings_make(&f.request, &f.arena, &f.findings);
	assert_true(f.findings.count >= 8);
	for (size_t i = 0; i < f.findings.count; i++)
		assert_int_equal(f.findings.items[i].level, FINDING_OK);
	assert_int_equal(findings_worst(&f.findings), FINDING_OK);
	close_fixture(&f);
}

static void
test_mx(void **state)
{
	static const struct {
		const char *name;
		enum dns_type type;
		const char *text; /* NULL: none */
		enum finding_level level;
		const char *words;
	} cases[] = {
		{ "mail.example.com", DNS_A, NULL, FINDING_PROBLEM, "has no address" },
		{ "mail.example.com", DNS_A, DNS_ROW_TEMPFAIL, FINDING_UNKNOWN, "no answer" },
		{ "example.com", DNS_MX, DNS_ROW_TEMPFAIL, FINDING_UNKNOWN, "no answer" },
		{ "example.com", DNS_MX, DNS_ROW_NXDOMAIN, FINDING_PROBLEM, "does not exist" },
		{ "example.com", DNS_MX, "0 .", FINDING_WARNING, "takes no mail" },
		{ "example.com", DNS_MX, NULL, FINDING_PROBLEM, "neither MX nor address" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;

		open_fixture(&f);
		dns_table_set(f.dns, cases[i].name, cases[i].type, cases[i].text);
		expect(&f, "mx", cases[i].level, cases[i].words);
		close_fixture(&f);
	}
}

static void
test_mx_at_an_alias_and_none_but_an_address(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	dns_table_set(f.dns, "example.com", DNS_MX, "10 alias.example.com");
	dns_table_add(f.dns, "alias.example.com", DNS_CNAME, "mail.example.com");
	expect(&f, "mx", FINDING_WARNING, "is an alias");
	dns_table_set(f.dns, "example.com", DNS_MX, NULL);
	dns_table_add(f.dns, "example.com", DNS_AAAA, "2001:db8::1");
	expect(&f, "mx", FINDING_WARNING, "there is no MX record");
	close_fixture(&f);
}

static void
test_spf_of_an_address(void **state)
{
	static const struct {
		enum authres_result result;
		enum finding_level level;
		const char *words;
	} cases[] = {
		{ AUTHRES_FAIL, FINDING_PROBLEM, "fail by -all: mail leaves from here" },
		{ AUTHRES_SOFTFAIL, FINDING_PROBLEM, "softfail by -all" },
		{ AUTHRES_NEUTRAL, FINDING_PROBLEM, "neutral by -all" },
		{ AUTHRES_NONE, FINDING_PROBLEM, "there is no SPF record" },
		{ AUTHRES_PERMERROR, FINDING_PROBLEM, "the record is broken: what is wrong" },
		{ AUTHRES_TEMPERROR, FINDING_UNKNOWN, "no answer: what is wrong" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct finding *found;
		struct fixture f;

		open_fixture(&f);
		f.address.spf = (struct spf_outcome){ .result = cases[i].result,
			.mechanism = "-all",
			.problem = "what is wrong" };
		f.report.spf = f.address.spf;
		f.report.spf_publish = "add ip4:192.0.2.1 to its SPF record";
		found = expect(&f, "spf", cases[i].level, cases[i].words);
		assert_string_equal(found->subject, "192.0.2.1");
		assert_string_equal(found->publish, cases[i].level == FINDING_PROBLEM
							? "add ip4:192.0.2.1 to its SPF record"
							: "");
		if (cases[i].level == FINDING_UNKNOWN) {
			expect(&f, "alignment", FINDING_UNKNOWN, "no answer");
			expect(&f, "bulk", FINDING_UNKNOWN, "no answer");
		} else {
			expect(&f, "alignment", FINDING_NOTE, "by DKIM alone");
			expect(&f, "bulk", FINDING_WARNING, "SPF is missing");
		}
		close_fixture(&f);
	}
}

static void
test_spf_that_passes_with_many_look_ups_is_warned_about(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	f.address.spf.terms = 9;
	expect(&f, "spf", FINDING_WARNING, "9 of 10 look-ups");
	close_fixture(&f);
}

static void
test_spf_records(void **state)
{
	static const struct {
		const char *record;
		enum finding_level level;
		const char *words;
	} cases[] = {
		{ "v=spf1 +all", FINDING_PROBLEM, "lets everybody send" },
		{ "v=spf1 ip4:192.0.2.1 all", FINDING_PROBLEM, "lets everybody send" },
		{ "v=spf1 ip4:192.0.2.1", FINDING_WARNING, "has no end" },
		{ "v=spf1 ptr -all", FINDING_WARNING, "should not be used" },
		{ DNS_ROW_TEMPFAIL, FINDING_UNKNOWN, "no answer" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		open_fixture(&f);
		dns_table_set(f.dns, "example.com", DNS_TXT, cases[i].record);
		expect(&f, "spf", cases[i].level, cases[i].words);
		close_fixture(&f);
	}
	open_fixture(&f);
	dns_table_add(f.dns, "example.com", DNS_TXT, "v=spf1 -all");
	expect(&f, "spf", FINDING_PROBLEM, "there are 2 SPF records");
	close_fixture(&f);
}

static void
test_without_egress_addresses_spf_cannot_be_judged(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	f.report.has_egress = false;
	f.report.address_count = 0;
	f.request.egress_count = 0;
	expect(&f, "spf", FINDING_WARNING, "upstreams.egress");
	dns_table_set(f.dns, "example.com", DNS_TXT, NULL);
	expect(&f, "spf", FINDING_PROBLEM, "there is no SPF record");
	close_fixture(&f);
}

static void
test_keys(void **state)
{
	static const struct {
		enum key_presence presence;
		const char *why;
		enum finding_level level;
		const char *words;
	} cases[] = {
		{ KEY_ABSENT, "there is no such record", FINDING_PROBLEM, "no such record" },
		{ KEY_MISMATCH, "it is another key", FINDING_PROBLEM, "it is another key" },
		{ KEY_UNKNOWN, "timed out", FINDING_UNKNOWN, "no answer (timed out)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct finding *found;
		struct fixture f;

		open_fixture(&f);
		f.key.presence = cases[i].presence;
		f.key.why = cases[i].why;
		found = expect(&f, "dkim", cases[i].level, cases[i].words);
		assert_string_equal(
		    found->publish, cases[i].level == FINDING_PROBLEM ? f.key.publish : "");
		if (cases[i].level == FINDING_UNKNOWN) {
			expect(&f, "alignment", FINDING_UNKNOWN, "no answer");
		} else {
			expect(&f, "alignment", FINDING_WARNING, "by SPF alone");
			f.report.spf.result = AUTHRES_FAIL;
			expect(&f, "alignment", FINDING_PROBLEM, "neither SPF nor DKIM passes");
		}
		close_fixture(&f);
	}
}

static void
test_a_domain_without_a_key(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	f.report.key_count = 0;
	expect(&f, "dkim", FINDING_PROBLEM, "no key signs for it");
	assert_int_equal(findings_worst(&f.findings), FINDING_PROBLEM);
	close_fixture(&f);
}

struct rotation_case {
	enum rotation_state state;
	enum key_presence presence;
	int64_t shown_since;
	enum finding_level level;
	const char *words;
};

static void
check_rotation(const struct rotation_case *c)
{
	struct rotation_key *key;
	struct fixture f;

	open_fixture(&f);
	f.key.presence = c->presence;
	f.key.why = c->presence == KEY_ABSENT ? "ns2 lacks it" : "";
	key = &f.rotation.keys[f.rotation.count++];
	snprintf(key->selector, sizeof(key->selector), "2026A");
	key->state = c->state;
	key->since = NOW;
	key->shown_since = c->shown_since;
	f.key.sign_order = rotation_sign_order(key);
	expect(&f, "dkim", c->level, c->words);
	close_fixture(&f);
}

static void
test_states_of_rotation(void **state)
{
	static const struct rotation_case cases[] = {
		{ ROTATION_ACTIVE, KEY_CONFIRMED, 0, FINDING_OK, "signs" },
		{ ROTATION_PENDING, KEY_ABSENT, 0, FINDING_NOTE,
		    "pending: signs when every authoritative server shows it; ns2 lacks it" },
		{ ROTATION_PENDING, KEY_CONFIRMED, NOW, FINDING_NOTE,
		    "every server shows it since 2026-11-18 11:06 UTC" },
		{ ROTATION_RETIRING, KEY_CONFIRMED, 0, FINDING_NOTE,
		    "leave its record in the DNS until 2026-11-19 11:06 UTC" },
		{ ROTATION_RETIRING, KEY_ABSENT, 0, FINDING_WARNING,
		    "DNS does not show it any more" },
		{ ROTATION_RETIRED, KEY_CONFIRMED, 0, FINDING_NOTE, "may be taken out" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_rotation(&cases[i]);
}

static void
test_a_retired_key_that_is_gone_is_not_spoken_of(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	f.key.presence = KEY_ABSENT;
	f.key.sign_order = -1;
	f.rotation = (struct rotation){ .count = 1,
		.keys = { { .selector = "2026a", .state = ROTATION_RETIRED } } };
	findings_make(&f.request, &f.arena, &f.findings);
	for (size_t i = 0; i < f.findings.count; i++)
		assert_string_not_equal(f.findings.items[i].subject, "2026a");
	close_fixture(&f);
}

static void
test_dmarc(void **state)
{
	struct fixture f;
	const struct finding *found;

	(void)state;
	open_fixture(&f);
	f.report.dmarc.record.p = DMARC_P_NONE;
	f.report.dmarc.record.rua_count = 0;
	expect(&f, "dmarc", FINDING_NOTE, "p=none: it is watched");
	expect(&f, "dmarc", FINDING_NOTE, "without rua=");
	f.report.dmarc.is_exact = false;
	f.report.dmarc.policy_domain = "example";
	f.report.dmarc.record.sp = DMARC_P_QUARANTINE;
	f.report.dmarc.record.is_testing = true;
	expect(&f, "dmarc", FINDING_OK, "sp=quarantine, t=y (testing)");
	f.report.dmarc.status = DMARC_FOUND_NOTHING;
	found = expect(&f, "dmarc", FINDING_PROBLEM, "there is no DMARC record");
	assert_non_null(strstr(found->publish, "_dmarc.example.com. IN TXT \"v=DMARC1;"));
	expect(&f, "bulk", FINDING_WARNING, "DMARC is missing");
	f.report.dmarc.status = DMARC_FOUND_MALFORMED;
	snprintf(f.report.dmarc.why, sizeof(f.report.dmarc.why), "p= is nonsense");
	expect(&f, "dmarc", FINDING_PROBLEM, "gives no policy: p= is nonsense");
	f.report.dmarc.status = DMARC_FOUND_TEMPFAIL;
	expect(&f, "dmarc", FINDING_UNKNOWN, "no answer: p= is nonsense");
	close_fixture(&f);
}

static void
test_reverse_names_must_lead_back(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	dns_table_set(f.dns, "1.2.0.192.in-addr.arpa", DNS_PTR, "other.example.com");
	dns_table_add(f.dns, "other.example.com", DNS_A, "192.0.2.2");
	expect(&f, "bulk", FINDING_PROBLEM, "has no name that leads back");
	dns_table_set(f.dns, "1.2.0.192.in-addr.arpa", DNS_PTR, DNS_ROW_TEMPFAIL);
	expect(&f, "bulk", FINDING_UNKNOWN, "no answer about its name");
	f.request.has_bulk_rules = false;
	expect(&f, "bulk", FINDING_NOTE, "no link bulk_rules");
	close_fixture(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_domain_that_is_well_has_nothing_but_ok),
		cmocka_unit_test(test_mx),
		cmocka_unit_test(test_mx_at_an_alias_and_none_but_an_address),
		cmocka_unit_test(test_spf_of_an_address),
		cmocka_unit_test(test_spf_that_passes_with_many_look_ups_is_warned_about),
		cmocka_unit_test(test_spf_records),
		cmocka_unit_test(test_without_egress_addresses_spf_cannot_be_judged),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_a_domain_without_a_key),
		cmocka_unit_test(test_states_of_rotation),
		cmocka_unit_test(test_a_retired_key_that_is_gone_is_not_spoken_of),
		cmocka_unit_test(test_dmarc),
		cmocka_unit_test(test_reverse_names_must_lead_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
