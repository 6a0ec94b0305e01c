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

static struct sealer sealer;

/* A chain of the link alone, with DNS. */
static void
open_arc(struct link_fixture *f, const char *settings, const struct dns_source *dns)
{
	const struct link_env env = { .hostname = "gate.example.net", .dns = dns };
	struct chain_entry entry;

	link_fixture_open(f, &link_auth_results, "");
	if (!link_fixture_entry(f, &link_arc, settings, &entry)) {
		chain_run_destroy(&f->run);
		chain_destroy(&f->chain);
		return;
	}
	chain_run_destroy(&f->run);
	chain_destroy(&f->chain);
	f->chain = chain_create(&entry, 1, &env, &f->errors);
	if (f->chain != NULL)
		f->run = chain_run_create(f->chain);
	memcpy(f->facts.client.text, "192.0.2.7", 10);
}

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

/* One result, and only one, is published; it is *out. */
static void
run(struct link_fixture *f, const char *text, struct authres *out)
{
	size_t count = 0;

	if (link_fixture_message(f, text) != 0)
		fail_msg("%s", f->reply.text);
	const struct authres *results = chain_run_results(f->run, &count);
	assert_int_equal(count, 1);
	assert_int_equal(results[0].method, AUTHRES_ARC);
	*out = results[0];
}

/* Sets 1 to count; what is NULL in specs has its default. */
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
	struct dns_table *dns = make_dns();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(trust_cases); i++) {
		const struct trust_case *c = &trust_cases[i];
		struct seal_spec specs[3] = { { .aar = c->aar[0] }, { .aar = c->aar[1] },
			{ .aar = c->aar[2] } };
		struct link_fixture f;
		struct authres r;
		char *text = sealed(c->message, specs, c->sets);

		open_arc(&f, c->sealers, dns_table_source(dns));
		run(&f, text, &r);
		const char *dmarc = authres_property(&r, AUTHRES_INTERNAL, "dmarc");
		if (r.result != AUTHRES_PASS)
			fail_msg("%s: %s", c->name, r.reason);
		if ((dmarc == NULL) != (c->dmarc == NULL) ||
		    (dmarc != NULL && strcmp(dmarc, c->dmarc) != 0))
			fail_msg("%s: %s", c->name, dmarc != NULL ? dmarc : "nothing");
		link_fixture_close(&f);
		free(text);
	}
	dns_table_destroy(&dns);
}

static void
test_a_chain_that_holds(void **state)
{
	const struct seal_spec specs[2] = { { 0 } };
	struct dns_table *dns = make_dns();
	struct link_fixture f;
	struct authres r;
	char *text = sealed(MESSAGE, specs, 2);

	(void)state;
	open_arc(&f, "", dns_table_source(dns));
	run(&f, text, &r);
	assert_int_equal(r.result, AUTHRES_PASS);
	assert_string_equal(r.domain, "seal2.example");
	assert_string_equal(r.comment, "i=2, sealed by seal2.example");
	assert_string_equal(authres_property(&r, "header", "oldest-pass"), "0");
	assert_string_equal(authres_property(&r, "smtp", "remote-ip"), "192.0.2.7");
	assert_null(r.reason);
	assert_true(view_eq(chain_run_notes(f.run), VIEW("arc=pass")));
	assert_message_is(f.message, text);
	link_fixture_close(&f);
	free(text);
	dns_table_destroy(&dns);
}

static void
test_a_message_without_seals(void **state)
{
	struct dns_table *dns = make_dns();
	struct link_fixture f;
	struct authres r;

	(void)state;
	open_arc(&f, TRUST("\"seal1.example\""), dns_table_source(dns));
	run(&f, MESSAGE, &r);
	assert_int_equal(r.result, AUTHRES_NONE);
	assert_string_equal(r.domain, "");
	assert_int_equal(r.property_count, 0);
	assert_null(r.reason);
	assert_int_equal(chain_run_notes(f.run).len, 0);
	link_fixture_close(&f);
	dns_table_destroy(&dns);
}

static void
test_a_broken_chain_passes_and_says_so(void **state)
{
	const struct seal_spec specs[1] = { { 0 } };
	struct dns_table *dns = make_dns();
	struct link_fixture f;
	struct authres r;
	char *text = sealed(MESSAGE, specs, 1);

	(void)state;
	strstr(text, "Hello")[1] = 'a';
	open_arc(&f, TRUST("\"seal1.example\""), dns_table_source(dns));
	run(&f, text, &r);
	assert_int_equal(r.result, AUTHRES_FAIL);
	assert_string_equal(
	    r.reason, "ARC-Message-Signature of instance 1: the body was changed");
	assert_null(authres_property(&r, AUTHRES_INTERNAL, "dmarc"));
	assert_null(authres_property(&r, "header", "oldest-pass"));
	link_fixture_close(&f);
	free(text);
	dns_table_destroy(&dns);
}

static void
test_dns_down(void **state)
{
	const struct seal_spec specs[1] = { { 0 } };
	struct dns_table *dns = make_dns();
	struct link_fixture f;
	struct authres r;
	char *text = sealed(MESSAGE, specs, 1);

	(void)state;
	dns->is_off = true;
	open_arc(&f, TRUST("\"seal1.example\""), dns_table_source(dns));
	run(&f, text, &r);
	assert_int_equal(r.result, AUTHRES_TEMPERROR);
	assert_null(authres_property(&r, AUTHRES_INTERNAL, "dmarc"));
	link_fixture_close(&f);
	free(text);
	dns_table_destroy(&dns);
}

static void
test_limits_are_settings(void **state)
{
	const struct seal_spec specs[3] = { { 0 } };
	struct dns_table *dns = make_dns();
	struct link_fixture f;
	struct authres r;
	char *text = sealed(MESSAGE, specs, 3);

	(void)state;
	open_arc(&f, "max_sets = 2;", dns_table_source(dns));
	run(&f, text, &r);
	assert_int_equal(r.result, AUTHRES_FAIL);
	assert_string_equal(r.reason, "3 sets are more than 2");
	link_fixture_close(&f);
	open_arc(&f, "min_rsa_bits = 2048;", dns_table_source(dns));
	run(&f, text, &r);
	assert_int_equal(r.result, AUTHRES_FAIL);
	link_fixture_close(&f);
	free(text);
	dns_table_destroy(&dns);
}

static void
test_malformed_settings_are_refused(void **state)
{
	const char *const settings[] = { TRUST("\"a b\""), TRUST("\"\""), "max_sets = 0;",
		"max_sets = 51;", "min_rsa_bits = 512;", "trusted = [ ];" };
	struct dns_table *dns = make_dns();
	struct link_fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		open_arc(&f, settings[i], dns_table_source(dns));
		if (f.chain != NULL || f.errors.count != 1)
			fail_msg("%s", settings[i]);
		link_fixture_close(&f);
	}
	open_arc(&f, "", NULL);
	assert_null(f.chain);
	assert_non_null(strstr(f.errors.lines[0], "there is no resolver"));
	link_fixture_close(&f);
	dns_table_destroy(&dns);
}

static int
setup(void **state)
{
	(void)state;
	sealer_init(&sealer);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	sealer_finish(&sealer);
	return 0;
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

	return cmocka_run_group_tests(tests, setup, teardown);
}
