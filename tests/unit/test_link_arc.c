/* SPDX-License-Identifier: MPL-2.0 */
/* The link arc: what it publishes, and whose word on DMARC it hands on. */
#include "filters/filters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/arc_sealer.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/link_fixture.h"

#define FROM	"From: a@example.com\r\n"
#define REST	"To: b@example.net\r\nSubject: s\r\n\r\nHello.\r\n"
#define MESSAGE FROM REST

static const struct seal_spec plain[3] = { { 0 } };

static struct dns_table *
make_dns(void)
{
	struct dns_table *dns = dns_table_create(NULL);
	char name[80];

	for (unsigned i = 1; i <= 5; i++) {
		snprintf(name, sizeof(name), "s._domainkey.seal%u.example", i);
		dns_table_add(dns, name, DNS_TXT, sealer.records[0].p);
	}
	return dns;
}

static char *
sealed(const char *message, const struct seal_spec *specs, unsigned count)
{
	char *text = strdup(message);

	for (unsigned i = 1; i <= count; i++) {
		char *next = sealer_seal(&sealer, text, i, &specs[i - 1]);

		free(text);
		text = next;
	}
	return text;
}

/* A message with seals, judged by the link alone. */
struct arc_run {
	struct dns_table *dns;
	char *text;
	struct link_fixture f;
	struct authres result; /* the one that is published */
};

/* arc_open - sets 1 to count are put on; what is NULL in specs has its default. */
static void
arc_open(
    struct arc_run *run, const char *message, const struct seal_spec *specs, unsigned count)
{
	run->dns = make_dns();
	run->text = sealed(message, specs, count);
}

/* arc_judge - with these settings; one result, and only one, is published. */
static void
arc_judge(struct arc_run *run, const char *settings)
{
	const struct link_env env = { .hostname = "gate.example.net",
		.dns = dns_table_source(run->dns) };
	size_t count = 0;

	link_fixture_open_env(&run->f, &link_arc, settings, &env);
	if (run->f.chain == NULL)
		fail_msg("%s: %s", settings, run->f.errors.lines[0]);
	memcpy(run->f.facts.client.text, "192.0.2.7", 10);
	if (link_fixture_message(&run->f, run->text) != 0)
		fail_msg("%s", run->f.reply.text);
	const struct authres *results = chain_run_results(run->f.run, &count);
	assert_int_equal(count, 1);
	assert_int_equal(results[0].method, AUTHRES_ARC);
	run->result = results[0];
}

static void
arc_close(struct arc_run *run)
{
	link_fixture_close(&run->f);
	free(run->text);
	dns_table_destroy(&run->dns);
}

struct trust_case {
	const char *name;
	const char *sealers; /* settings */
	unsigned sets;
	const char *aar[3]; /* NULL: dmarc=pass for example.com */
	const char *message;
	const char *dmarc; /* NULL: nothing is handed on */
};

#define TRUST(list) "trusted_sealers = [ " list " ];"

static const struct trust_case trust_cases[] = {
	{ "nobody is trusted by default", "", 1, { NULL }, MESSAGE, NULL },
	{ "a trusted sealer's pass", TRUST("\"seal1.example\""), 1, { NULL }, MESSAGE, "pass" },
	{ "in any case", TRUST("\"SEAL1.Example\""), 1, { NULL }, MESSAGE, "pass" },
	{ "a trusted sealer's fail", TRUST("\"seal1.example\""), 1,
	    { "mx; dmarc=fail header.from=example.com" }, MESSAGE, "fail" },
	{ "a trusted sealer that says nothing of DMARC", TRUST("\"seal1.example\""), 1,
	    { "mx; spf=pass smtp.mailfrom=example.com" }, MESSAGE, NULL },
	{ "not a domain above", TRUST("\"example\""), 1, { NULL }, MESSAGE, NULL },
	{ "not a domain beside", TRUST("\"seal2.example\""), 1, { NULL }, MESSAGE, NULL },
	{ "all of two are trusted: the older one's word",
	    TRUST("\"seal1.example\", \"seal2.example\""), 2,
	    { "mx; dmarc=pass header.from=example.com",
		"mx; dmarc=fail header.from=example.com" },
	    MESSAGE, "pass" },
	{ "only the newer one is trusted: its own word", TRUST("\"seal2.example\""), 2,
	    { "mx; dmarc=pass header.from=example.com",
		"mx; dmarc=fail header.from=example.com" },
	    MESSAGE, "fail" },
	{ "only the older one is trusted: nothing", TRUST("\"seal1.example\""), 2, { NULL },
	    MESSAGE, NULL },
	{ "trusted, untrusted, trusted: the newest one's word",
	    TRUST("\"seal1.example\", \"seal3.example\""), 3,
	    { NULL, NULL, "mx; dmarc=fail header.from=example.com" }, MESSAGE, "fail" },
	{ "untrusted below two trusted ones: the older trusted one's word",
	    TRUST("\"seal2.example\", \"seal3.example\""), 3,
	    { NULL, "mx; dmarc=fail header.from=example.com", NULL }, MESSAGE, "fail" },
	{ "DMARC of another author", TRUST("\"seal1.example\""), 1,
	    { "mx; dmarc=pass header.from=evil.example" }, MESSAGE, NULL },
	{ "DMARC of a domain below the author's", TRUST("\"seal1.example\""), 1,
	    { "mx; dmarc=pass header.from=a.example.com" }, MESSAGE, NULL },
	{ "DMARC of nobody", TRUST("\"seal1.example\""), 1, { "mx; dmarc=pass" }, MESSAGE,
	    NULL },
	{ "the author in capitals", TRUST("\"seal1.example\""), 1,
	    { "mx; dmarc=pass (p=none dis=none) action=none header.from=EXAMPLE.com" }, MESSAGE,
	    "pass" },
	{ "two DMARC results", TRUST("\"seal1.example\""), 1,
	    { "mx; dmarc=fail header.from=example.com; dmarc=pass header.from=example.com" },
	    MESSAGE, NULL },
	{ "DMARC in a comment", TRUST("\"seal1.example\""), 1,
	    { "mx; spf=pass (; dmarc=pass header.from=example.com)" }, MESSAGE, NULL },
	{ "DMARC in quotes", TRUST("\"seal1.example\""), 1,
	    { "mx; spf=fail reason=\"; dmarc=pass header.from=example.com\"" }, MESSAGE, NULL },
	{ "results that nobody can read", TRUST("\"seal1.example\""), 1,
	    { "mx; dmarc=pass header.from=example.com; (" }, MESSAGE, NULL },
	{ "two From fields", TRUST("\"seal1.example\""), 1, { NULL },
	    "From: x@evil.example\r\n" MESSAGE, NULL },
	{ "two authors of one domain", TRUST("\"seal1.example\""), 1, { NULL },
	    "From: a@example.com, b@example.com\r\n" REST, "pass" },
	{ "two authors of two domains", TRUST("\"seal1.example\""), 1, { NULL },
	    "From: a@example.com, b@example.net\r\n" REST, NULL },
	{ "a From that does not parse", TRUST("\"seal1.example\""), 1, { NULL },
	    "From: a@@example.com\r\n" REST, NULL },
};

static void
test_whose_word_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(trust_cases); i++) {
		const struct trust_case *c = &trust_cases[i];
		const struct seal_spec specs[3] = { { .aar = c->aar[0] }, { .aar = c->aar[1] },
			{ .aar = c->aar[2] } };
		struct arc_run run;

		arc_open(&run, c->message, specs, c->sets);
		arc_judge(&run, c->sealers);
		const char *dmarc = authres_property(&run.result, AUTHRES_INTERNAL, "dmarc");
		if (run.result.result != AUTHRES_PASS)
			fail_msg("%s: %s", c->name, run.result.reason);
		if ((dmarc == NULL) != (c->dmarc == NULL) ||
		    (dmarc != NULL && strcmp(dmarc, c->dmarc) != 0))
			fail_msg("%s: %s", c->name, dmarc != NULL ? dmarc : "nothing");
		arc_close(&run);
	}
}

static void
test_a_chain_that_holds(void **state)
{
	const struct authres *r;
	struct arc_run run;

	(void)state;
	arc_open(&run, MESSAGE, plain, 2);
	arc_judge(&run, "");
	r = &run.result;
	assert_int_equal(r->result, AUTHRES_PASS);
	assert_string_equal(r->domain, "seal2.example");
	assert_string_equal(r->comment, "i=2, sealed by seal2.example");
	assert_string_equal(authres_property(r, "header", "oldest-pass"), "0");
	assert_string_equal(authres_property(r, "smtp", "remote-ip"), "192.0.2.7");
	assert_null(r->reason);
	assert_true(view_eq(chain_run_notes(run.f.run), VIEW("arc=pass")));
	assert_message_is(run.f.message, run.text);
	arc_close(&run);
}

static void
test_a_message_without_seals(void **state)
{
	struct arc_run run;

	(void)state;
	arc_open(&run, MESSAGE, NULL, 0);
	arc_judge(&run, TRUST("\"seal1.example\""));
	assert_int_equal(run.result.result, AUTHRES_NONE);
	assert_string_equal(run.result.domain, "");
	assert_int_equal(run.result.property_count, 0);
	assert_null(run.result.reason);
	assert_int_equal(chain_run_notes(run.f.run).len, 0);
	arc_close(&run);
}

static void
test_a_broken_chain_passes_and_says_so(void **state)
{
	struct arc_run run;

	(void)state;
	arc_open(&run, MESSAGE, plain, 1);
	strstr(run.text, "Hello")[1] = 'a';
	arc_judge(&run, TRUST("\"seal1.example\""));
	assert_int_equal(run.result.result, AUTHRES_FAIL);
	assert_string_equal(
	    run.result.reason, "ARC-Message-Signature of instance 1: the body was changed");
	assert_null(authres_property(&run.result, AUTHRES_INTERNAL, "dmarc"));
	assert_null(authres_property(&run.result, "header", "oldest-pass"));
	arc_close(&run);
}

static void
test_dns_down(void **state)
{
	struct arc_run run;

	(void)state;
	arc_open(&run, MESSAGE, plain, 1);
	run.dns->is_off = true;
	arc_judge(&run, TRUST("\"seal1.example\""));
	assert_int_equal(run.result.result, AUTHRES_TEMPERROR);
	assert_null(authres_property(&run.result, AUTHRES_INTERNAL, "dmarc"));
	arc_close(&run);
}

static void
test_limits_are_settings(void **state)
{
	struct arc_run run;

	(void)state;
	arc_open(&run, MESSAGE, plain, 3);
	arc_judge(&run, "max_sets = 2;");
	assert_int_equal(run.result.result, AUTHRES_FAIL);
	assert_string_equal(run.result.reason, "3 sets are more than 2");
	link_fixture_close(&run.f);
	arc_judge(&run, "min_rsa_bits = 2048;");
	assert_int_equal(run.result.result, AUTHRES_FAIL);
	arc_close(&run);
}

static void
test_malformed_settings_are_refused(void **state)
{
	const char *const settings[] = { TRUST("\"a b\""), TRUST("\"\""), "max_sets = 0;",
		"max_sets = 51;", "min_rsa_bits = 512;", "trusted = [ ];" };
	struct dns_table *dns = make_dns();
	const struct link_env env = { .hostname = "gate.example.net",
		.dns = dns_table_source(dns) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		link_fixture_refuses_env(&link_arc, settings[i], "", &env);
	link_fixture_refuses(&link_arc, "", "there is no resolver");
	dns_table_destroy(&dns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_word_counts),
		cmocka_unit_test(test_a_chain_that_holds),
		cmocka_unit_test(test_a_message_without_seals),
		cmocka_unit_test(test_a_broken_chain_passes_and_says_so),
		cmocka_unit_test(test_dns_down),
		cmocka_unit_test(test_limits_are_settings),
		cmocka_unit_test(test_malformed_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, sealer_set_up, sealer_tear_down);
}
