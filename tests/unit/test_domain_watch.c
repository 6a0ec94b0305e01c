/* SPDX-License-Identifier: MPL-2.0 */
/* The watch: what it reports, what it remembers, when it looks again, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/domain_watch_fixture.h"

/* What DNS shows of the two keys, and what comes of it. */
struct key_case {
	const char *name;
	const char *r, *e; /* records; "r", "e": the right ones; NULL: none */
	enum key_presence presence_r, presence_e;
	const char *signing;
	bool unconfirmed;
};

static const struct key_case key_cases[] = {
	{ "both keys are there", "r", "e", KEY_CONFIRMED, KEY_CONFIRMED, "r+e", false },
	{ "one is missing: the other signs alone", "r", NULL, KEY_CONFIRMED, KEY_ABSENT, "r",
	    false },
	{ "another key is published",
	    "v=DKIM1; k=ed25519; p="
	    "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
	    "e", KEY_MISMATCH, KEY_CONFIRMED, "e", false },
	{ "one is revoked", "v=DKIM1; p=", "e", KEY_MISMATCH, KEY_CONFIRMED, "e", false },
	{ "one is broken", "r", "v=DKIM1; p=!", KEY_CONFIRMED, KEY_MISMATCH, "r", false },
	{ "DNS is silent about one", DNS_ROW_TEMPFAIL, "e", KEY_UNKNOWN, KEY_CONFIRMED, "e",
	    false },
	{ "none is there: all sign", NULL, NULL, KEY_ABSENT, KEY_ABSENT, "r+e", true },
	{ "none is right: all sign", "e", "r", KEY_MISMATCH, KEY_MISMATCH, "r+e", true },
	{ "DNS is silent: all sign", DNS_ROW_TEMPFAIL, DNS_ROW_TEMPFAIL, KEY_UNKNOWN,
	    KEY_UNKNOWN, "r+e", true },
};

static void
test_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(key_cases); i++) {
		const struct key_case *c = &key_cases[i];
		struct watch_fixture f;

		watch_fixture_open(&f);
		watch_fixture_show(&f, "r._domainkey.example.com", c->r);
		watch_fixture_show(&f, "e._domainkey.example.com", c->e);
		domain_watch_refresh(f.watch, "example.com");
		const struct domain_report *report = report_of(&f, "example.com");
		if (report->keys[0].presence != c->presence_r ||
		    report->keys[1].presence != c->presence_e ||
		    strcmp(signing_text(report), c->signing) != 0 ||
		    report->signs_unconfirmed != c->unconfirmed)
			fail_msg("%s: %s, %s; %s signs", c->name,
			    key_presence_name(report->keys[0].presence),
			    key_presence_name(report->keys[1].presence), signing_text(report));
		assert_int_equal(report->checked_at, WATCH_NOW);
		watch_fixture_close(&f);
	}
}

static void
test_before_the_first_look_all_keys_sign(void **state)
{
	struct watch_fixture f;
	const struct domain_report *report;

	(void)state;
	watch_fixture_open(&f);
	report = report_of(&f, "example.com");
	assert_int_equal(report->checked_at, 0);
	assert_string_equal(signing_text(report), "r+e");
	assert_true(report->signs_unconfirmed);
	assert_int_equal(report->keys[0].presence, KEY_UNKNOWN);
	assert_int_equal(report->spf.result, AUTHRES_TEMPERROR);
	assert_int_equal(f.dns->query_count, 0);
	watch_fixture_close(&f);
}

static void
test_a_key_says_what_to_publish(void **state)
{
	struct watch_fixture f;
	const struct domain_report *report;

	(void)state;
	watch_fixture_open(&f);
	domain_watch_refresh(f.watch, NULL);
	report = report_of(&f, "example.com");
	assert_non_null(strstr(report->keys[1].publish, "e._domainkey.example.com. IN TXT"));
	assert_non_null(strstr(report->keys[1].publish, "k=ed25519"));
	assert_string_equal(report->keys[1].why, "the name does not exist");
	watch_fixture_close(&f);
}

/* SPF: the worst address counts, and the sentence names all that are missing. */
static void
test_spf(void **state)
{
	static const struct {
		const char *record;
		enum authres_result result;
		const char *address, *publish;
	} cases[] = {
		{ "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all", AUTHRES_PASS, "192.0.2.1", "" },
		{ "v=spf1 ip4:192.0.2.1 -all", AUTHRES_FAIL, "2001:db8::1",
		    "add ip6:2001:db8::1 to the SPF record of example.com" },
		{ "v=spf1 -all", AUTHRES_FAIL, "192.0.2.1",
		    "add ip4:192.0.2.1 ip6:2001:db8::1 to the SPF record of example.com" },
		{ "v=spf1 ip6:2001:db8::1 ~all", AUTHRES_SOFTFAIL, "192.0.2.1",
		    "add ip4:192.0.2.1 to the SPF record of example.com" },
		{ "v=spf1", AUTHRES_NEUTRAL, "192.0.2.1",
		    "add ip4:192.0.2.1 ip6:2001:db8::1 to the SPF record of example.com" },
		{ "v=spf1 bogus", AUTHRES_PERMERROR, "192.0.2.1",
		    "correct the SPF record of example.com: in the record of example.com: "
		    "\"bogus\": there is no such mechanism" },
		{ NULL, AUTHRES_NONE, "192.0.2.1",
		    "publish the TXT record \"v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all\" at "
		    "example.com" },
		{ DNS_ROW_TEMPFAIL, AUTHRES_TEMPERROR, "192.0.2.1", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct watch_fixture f;

		watch_fixture_open(&f);
		dns_table_set(f.dns, "example.com", DNS_TXT, cases[i].record);
		domain_watch_refresh(f.watch, "example.com");
		const struct domain_report *report = report_of(&f, "example.com");
		if (report->spf.result != cases[i].result ||
		    strcmp(report->spf_address, cases[i].address) != 0 ||
		    strcmp(report->spf_publish, cases[i].publish) != 0)
			fail_msg("%s: %s %s: %s",
			    cases[i].record != NULL ? cases[i].record : "none",
			    authres_result_name(report->spf.result), report->spf_address,
			    report->spf_publish);
		watch_fixture_close(&f);
	}
}

static void
test_without_egress_spf_is_not_judged(void **state)
{
	struct watch_fixture f;
	const struct domain_report *report;

	(void)state;
	watch_fixture_open(&f);
	f.config.egress_count = 0;
	watch_fixture_restart(&f);
	domain_watch_refresh(f.watch, "example.com");
	report = report_of(&f, "example.com");
	assert_false(report->has_egress);
	assert_int_equal(report->spf.result, AUTHRES_NONE);
	assert_string_equal(report->spf_publish, "");
	watch_fixture_close(&f);
}

static void
test_what_was_known_counts_while_dns_is_down(void **state)
{
	struct watch_fixture f;

	(void)state;
	watch_fixture_open(&f);
	watch_fixture_publish(&f);
	domain_watch_refresh(f.watch, "example.com");
	assert_all_is_known(report_of(&f, "example.com"), false);
	f.dns->is_off = true;
	for (int i = 0; i < 3; i++) { /* each look stands on the one before */
		domain_watch_refresh(f.watch, "example.com");
		assert_all_is_known(report_of(&f, "example.com"), true);
	}
	f.dns->is_off = false;
	dns_table_set(f.dns, "r._domainkey.example.com", DNS_TXT, NULL);
	domain_watch_refresh(f.watch, "example.com");
	assert_int_equal(report_of(&f, "example.com")->keys[0].presence, KEY_ABSENT);
	assert_string_equal(signing_text(report_of(&f, "example.com")), "e");
	watch_fixture_close(&f);
}

static void
test_a_report_lives_as_long_as_it_is_held(void **state)
{
	struct watch_fixture f;
	const struct domain_report *held;

	(void)state;
	watch_fixture_open(&f);
	watch_fixture_publish(&f);
	domain_watch_refresh(f.watch, "example.com");
	held = domain_watch_take(f.watch, "example.com");
	dns_table_clear(f.dns);
	domain_watch_refresh(f.watch, "example.com");
	assert_string_equal(signing_text(held), "r+e");
	assert_false(held->signs_unconfirmed);
	assert_true(report_of(&f, "example.com")->signs_unconfirmed);
	domain_watch_give(f.watch, &held);
	watch_fixture_close(&f);
}

/* ---- the log ---- */

static const char *
look_and_log(struct watch_fixture *f)
{
	log_capture_begin(LEVEL_INFO);
	domain_watch_refresh(f->watch, "example.com");
	return log_capture_end();
}

static void
test_each_change_is_logged_once(void **state)
{
	struct watch_fixture f;
	const char *log;

	(void)state;
	watch_fixture_open(&f);
	watch_fixture_publish(&f);
	assert_string_equal(look_and_log(&f), ""); /* all is well from the start */

	dns_table_set(f.dns, "e._domainkey.example.com", DNS_TXT, NULL);
	log = look_and_log(&f);
	assert_int_equal(log_capture_count(log, "event="), 1);
	assert_non_null(strstr(log, "event=domain.key"));
	assert_non_null(strstr(log, "selector=e state=absent"));
	assert_non_null(strstr(log, "IN TXT"));
	assert_string_equal(look_and_log(&f), "");

	dns_table_set(f.dns, "r._domainkey.example.com", DNS_TXT, NULL);
	log = look_and_log(&f);
	assert_int_equal(log_capture_count(log, "event=domain.key"), 1);
	assert_int_equal(log_capture_count(log, "event=domain.signing"), 1);
	assert_non_null(strstr(log, "all of them sign"));
	assert_string_equal(look_and_log(&f), "");

	dns_table_set(f.dns, "example.com", DNS_TXT, "v=spf1 -all");
	log = look_and_log(&f);
	assert_int_equal(log_capture_count(log, "event=domain.spf"), 1);
	assert_non_null(strstr(log, "add ip4:192.0.2.1"));
	dns_table_set(f.dns, "_dmarc.example.com", DNS_TXT, NULL);
	assert_int_equal(log_capture_count(look_and_log(&f), "event=domain.dmarc"), 1);
	f.dns->is_off = true;
	assert_int_equal(log_capture_count(look_and_log(&f), "event="), 1);
	assert_string_equal(look_and_log(&f), "");

	f.dns->is_off = false;
	watch_fixture_publish(&f);
	log = look_and_log(&f);
	assert_int_equal(log_capture_count(log, "event=domain.key"), 2);
	assert_int_equal(log_capture_count(log, "event=domain.signing"), 1);
	assert_non_null(strstr(log, "only keys that DNS confirms"));
	assert_int_equal(log_capture_count(log, "event=domain.dns"), 1);
	assert_string_equal(look_and_log(&f), "");
	watch_fixture_close(&f);
}

static void
test_a_first_look_logs_what_is_wrong(void **state)
{
	struct watch_fixture f;
	const char *log;

	(void)state;
	watch_fixture_open(&f);
	log = look_and_log(&f);
	assert_int_equal(log_capture_count(log, "event=domain.key"), 2);
	assert_int_equal(log_capture_count(log, "event=domain.signing"), 1);
	assert_int_equal(log_capture_count(log, "event=domain.spf"), 1);
	assert_int_equal(log_capture_count(log, "event=domain.dmarc"), 1);
	watch_fixture_close(&f);
}

static void
test_all_well_is_looked_at_after_refresh(void **state)
{
	struct watch_fixture f;
	const char *name = "r._domainkey.example.com";

	(void)state;
	watch_fixture_open(&f);
	watch_fixture_publish(&f);
	assert_int_equal(looks_after_ms(&f, 0, name), 1);
	assert_int_equal(looks_after_ms(&f, WATCH_HOUR_MS * 8 / 10, name), 0);
	assert_int_equal(looks_after_ms(&f, WATCH_HOUR_MS * 4 / 10, name), 1);
	watch_fixture_close(&f);
}

static void
test_trouble_is_looked_at_after_retry(void **state)
{
	struct watch_fixture f;
	const char *name = "r._domainkey.example.com";

	(void)state;
	watch_fixture_open(&f);
	watch_fixture_publish(&f);
	dns_table_set(f.dns, name, DNS_TXT, NULL);
	assert_int_equal(looks_after_ms(&f, 0, name), 1);
	assert_int_equal(looks_after_ms(&f, 240000, name), 0);
	assert_int_equal(looks_after_ms(&f, 120000, name), 1);
	dns_table_set(f.dns, name, DNS_TXT, DNS_ROW_TEMPFAIL);
	assert_int_equal(looks_after_ms(&f, 360000, name), 1);
	assert_int_equal(looks_after_ms(&f, 360000, name), 1);
	watch_fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_before_the_first_look_all_keys_sign),
		cmocka_unit_test(test_a_key_says_what_to_publish),
		cmocka_unit_test(test_spf),
		cmocka_unit_test(test_without_egress_spf_is_not_judged),
		cmocka_unit_test(test_what_was_known_counts_while_dns_is_down),
		cmocka_unit_test(test_a_report_lives_as_long_as_it_is_held),
		cmocka_unit_test(test_each_change_is_logged_once),
		cmocka_unit_test(test_a_first_look_logs_what_is_wrong),
		cmocka_unit_test(test_all_well_is_looked_at_after_refresh),
		cmocka_unit_test(test_trouble_is_looked_at_after_retry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
