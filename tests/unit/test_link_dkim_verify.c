/* SPDX-License-Identifier: MPL-2.0 */
/* The link dkim_verify: what it publishes of each signature, and its word in msg.done. */
#include "filters/filters.h"

#include "lib/base/clock.h"
#include "lib/domain/dkim_verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dkim_keys.h"
#include "tests/unit/dkim_make.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/earlier_results.h"

#define NOW	  1795553870
#define ED_RECORD "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

#define TAGS	"v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=e; h=from"
#define MESSAGE "From: a@example.com\r\n\r\nbody\r\n"

static struct dns_table *dns;

static int
set_up(void **state)
{
	static const struct dns_row rows[] = {
		{ "e._domainkey.example.com", DNS_TXT, ED_RECORD },
		{ "t._domainkey.example.com", DNS_TXT, ED_RECORD "; t=y" },
		{ "small._domainkey.example.com", DNS_TXT, KEY_RSA_512_RECORD },
		{ "down._domainkey.example.com", DNS_TXT, DNS_ROW_TEMPFAIL },
		{ .name = NULL },
	};
	struct err err = { 0 };

	(void)state;
	clock_fake_set(1000, NOW);
	dns = dns_table_create(rows);
	return dkim_verify_init(&err) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	dns_table_destroy(&dns);
	dkim_verify_finish();
	clock_fake_set(-1, -1);
	return 0;
}

static void
fixture_open(struct link_fixture *f, const char *settings)
{
	const struct link_env env = { .hostname = "gate.example.net",
		.dns = dns_table_source(dns) };

	earlier_result_count = 0;
	earlier_fixture_open(f, &link_dkim_verify, settings, &env);
	if (f->chain == NULL)
		fail_msg("%s", f->errors.count > 0 ? f->errors.lines[0] : "no chain");
}

/* "pass (256-bit key) reason=... header.d=... header.s=...", one for each result. */
static void
write_results(const struct link_fixture *f, struct buf *out)
{
	size_t count = 0;
	const struct authres *results = chain_run_results(f->run, &count);

	for (size_t i = 0; i < count; i++) {
		const struct authres *r = &results[i];

		assert_int_equal(r->method, AUTHRES_DKIM);
		assert_true(
		    buf_printf(out, "%s%s", i > 0 ? "; " : "", authres_result_name(r->result)));
		if (r->comment != NULL)
			assert_true(buf_printf(out, " (%s)", r->comment));
		if (r->reason != NULL)
			assert_true(buf_printf(out, " reason=\"%s\"", r->reason));
		for (size_t n = 0; n < r->property_count; n++) {
			const struct authres_property *p = &r->properties[n];

			if (strcmp(p->name, "b") != 0)
				assert_true(
				    buf_printf(out, " %s.%s=%s", p->type, p->name, p->value));
			else
				assert_int_equal(strlen(p->value), 8);
		}
		assert_true(r->result == AUTHRES_NONE || r->is_for_dmarc);
	}
	assert_true(buf_add_char(out, '\0'));
}

static const struct {
	const char *name, *settings;
	const char *tags; /* NULL: no signature */
	const char *body; /* afterwards */
	const char *results, *notes;
} cases[] = {
	{ "no signature", "", NULL, "body\r\n", "none", "dkim_in=none" },
	{ "a good signature", "", TAGS, "body\r\n",
	    "pass (256-bit key) header.d=example.com header.s=e header.a=ed25519-sha256",
	    "dkim_in=pass:example.com" },
	{ "i= is named as it is written", "", TAGS "; i=A=20b@X.example.com", "body\r\n",
	    "pass (256-bit key) header.d=example.com header.i=A=20b@X.example.com header.s=e "
	    "header.a=ed25519-sha256",
	    "dkim_in=pass:example.com" },
	{ "a changed body", "", TAGS, "Body\r\n",
	    "fail reason=\"the body was changed\" header.d=example.com header.s=e "
	    "header.a=ed25519-sha256",
	    "dkim_in=fail:example.com" },
	{ "a key in test mode", "", "v=1; a=ed25519-sha256; d=example.com; s=t; h=from",
	    "body\r\n",
	    "pass (256-bit key, in test mode) header.d=example.com header.s=t "
	    "header.a=ed25519-sha256",
	    "dkim_in=pass:example.com" },
	{ "a small key", "", "v=1; a=rsa-sha256; d=example.com; s=small; h=from", "body\r\n",
	    "policy (512-bit key) reason=\"the key has 512 bits, under the 1024 that are "
	    "trusted\" header.d=example.com header.s=small header.a=rsa-sha256",
	    "dkim_in=policy:example.com" },
	{ "DNS is down: the message goes on", "",
	    "v=1; a=ed25519-sha256; d=example.com; s=down; h=from", "body\r\n",
	    "temperror reason=\"DNS gives no answer: SERVFAIL\" "
	    "header.d=example.com header.s=down header.a=ed25519-sha256",
	    "dkim_in=temperror:example.com" },
	{ "a field that does not parse names nobody", "", "v=1; d=example.com; d=example.com",
	    "body\r\n", "permerror reason=\"a tag stands twice\"", "dkim_in=permerror" },
	{ "the time may be a little off", "", TAGS "; t=1795554170", "body\r\n",
	    "pass (256-bit key) header.d=example.com header.s=e header.a=ed25519-sha256",
	    "dkim_in=pass:example.com" },
	{ "unless it may not", "clock_skew = \"0s\";", TAGS "; t=1795553871", "body\r\n",
	    "fail reason=\"the signature is from the future\" header.d=example.com "
	    "header.s=e header.a=ed25519-sha256",
	    "dkim_in=fail:example.com" },
	{ "a shadow publishes nothing", "mode = \"shadow\";", TAGS, "body\r\n", "", "" },
};

static void
check_case(size_t i)
{
	struct link_fixture f;
	struct buf text, results;

	fixture_open(&f, cases[i].settings);
	buf_init(&text, 65536);
	buf_init(&results, 65536);
	if (cases[i].tags != NULL)
		make_signed(&text, cases[i].tags, MESSAGE, NULL,
		    strstr(cases[i].tags, "a=rsa") != NULL ? key_rsa_512 : key_ed25519);
	else
		assert_true(buf_add_str(&text, MESSAGE));
	text.len -= strlen("body\r\n");
	assert_true(buf_add_str(&text, cases[i].body) && buf_add_char(&text, '\0'));
	assert_int_equal(link_fixture_message(&f, text.p), 0);
	assert_message_is(f.message, text.p);
	write_results(&f, &results);
	if (strcmp(results.p, cases[i].results) != 0)
		fail_msg("%s: %s", cases[i].name, results.p);
	if (!view_eq(chain_run_notes(f.run), view_of(cases[i].notes)))
		fail_msg("%s: notes %.*s", cases[i].name, VIEW_ARG(chain_run_notes(f.run)));
	buf_finish(&text);
	buf_finish(&results);
	link_fixture_close(&f);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(i);
}

/* l= leaves out the end of the body. */
static void
test_allow_length(void **state)
{
	static const struct {
		const char *settings, *result;
	} both[] = {
		{ "", "policy (256-bit key) reason=\"a part of the body is not signed\"" },
		{ "allow_length = true;", "pass (256-bit key) header.d" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct link_fixture f;
		struct buf text, results;

		fixture_open(&f, both[i].settings);
		buf_init(&text, 65536);
		buf_init(&results, 65536);
		make_signed(&text, TAGS "; l=6", MESSAGE, NULL, key_ed25519);
		assert_true(buf_add_str(&text, "more\r\n") && buf_add_char(&text, '\0'));
		assert_int_equal(link_fixture_message(&f, text.p), 0);
		write_results(&f, &results);
		if (strncmp(results.p, both[i].result, strlen(both[i].result)) != 0)
			fail_msg("%s: %s", both[i].settings, results.p);
		buf_finish(&text);
		buf_finish(&results);
		link_fixture_close(&f);
	}
}

/* Signatures beyond the limit are counted, and the word in the log stays short. */
static void
test_many(void **state)
{
	struct link_fixture f;
	struct buf text;

	(void)state;
	fixture_open(&f, "max_signatures = 3;");
	buf_init(&text, 65536);
	make_signed(&text, TAGS, MESSAGE, NULL, key_ed25519);
	for (int i = 0; i < 4; i++) {
		struct buf more;

		buf_init(&more, 65536);
		assert_true(buf_add_char(&text, '\0'));
		make_signed(&more, TAGS, text.p, NULL, key_ed25519);
		buf_finish(&text);
		text = more;
	}
	assert_true(buf_add_char(&text, '\0'));
	assert_int_equal(link_fixture_message(&f, text.p), 0);
	assert_true(view_eq(chain_run_notes(f.run),
	    VIEW("dkim_in=pass:example.com,pass:example.com,pass:example.com,+2")));
	buf_finish(&text);
	link_fixture_close(&f);
}

static void
test_a_long_note(void **state)
{
#define LONG "d=a123456789012345678901234567890123456789012345678901234567890.example.com; "
	struct link_fixture f;
	struct buf text;

	(void)state;
	fixture_open(&f, "");
	buf_init(&text, 65536);
	for (int i = 0; i < 7; i++)
		assert_true(buf_add_str(
		    &text, "DKIM-Signature: v=1; a=x; " LONG "s=e; h=from; bh=A; b=A\r\n"));
	assert_true(buf_add_str(&text, MESSAGE) && buf_add_char(&text, '\0'));
	assert_int_equal(link_fixture_message(&f, text.p), 0);
	assert_int_equal(chain_run_notes(f.run).len,
	    strlen("dkim_in=") + strlen("permerror:") + 73 + strlen(",+6"));
	assert_true(view_ends_nocase(chain_run_notes(f.run), VIEW(",+6")));
	buf_finish(&text);
	link_fixture_close(&f);
}

static void
test_bad_settings(void **state)
{
	static const char *const bad[] = { "max_signatures = 17;", "max_signatures = 0;",
		"min_rsa_bits = 512;", "clock_skew = \"2d\";" };
	const struct link_env env = { .dns = dns_table_source(dns) };
	struct link_fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		earlier_fixture_open(&f, &link_dkim_verify, bad[i], &env);
		if (f.chain != NULL)
			fail_msg("%s is taken", bad[i]);
		link_fixture_close(&f);
	}
	link_fixture_open(&f, &link_dkim_verify, "");
	assert_null(f.chain);
	assert_non_null(strstr(f.errors.lines[0], "no resolver"));
	link_fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_allow_length),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_a_long_note),
		cmocka_unit_test(test_bad_settings),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
