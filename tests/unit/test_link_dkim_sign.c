/* SPDX-License-Identifier: MPL-2.0 */
/* The link dkim_sign: whose key, which fields, and when it refuses. */
#include "filters/filters.h"

#include "lib/base/clock.h"
#include "lib/domain/dkim_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dkim_check.h"
#include "tests/unit/dkim_keys.h"
#include "tests/unit/link_fixture.h"

#define NOW 1795553870

static struct dkim_keyring *ring;

static int
set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	clock_fake_set(1000, NOW);
	ring = dkim_keyring_create();
	return dkim_sign_init(&err) &&
		       dkim_keyring_add(
			   ring, "example.com", "r", good_key(key_rsa_2048), &err) &&
		       dkim_keyring_add(
			   ring, "example.com", "e", good_key(key_ed25519), &err) &&
		       dkim_keyring_add(
			   ring, "one.example", "e", good_key(key_ed25519), &err) &&
		       dkim_keyring_add(
			   ring, "xn--mller-kva.example", "e", good_key(key_ed25519), &err)
		   ? 0
		   : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	dkim_keyring_destroy(&ring);
	dkim_sign_finish();
	clock_fake_set(-1, -1);
	return 0;
}

#define REFUSED NULL

struct link_case {
	const char *name, *settings, *text;
	const char *note;	   /* NULL: refused */
	const char *has, *has_not; /* of the message as it goes out */
};

#define REST "\r\n\r\nhi\r\n"

static const struct link_case cases[] = {
	{ "all keys of the author's domain sign", "", "From: A <a@Example.COM>" REST,
	    "dkim=example.com/r+e", "d=example.com; s=r;", NULL },
	{ "no key: it passes unsigned", "", "From: a@other.example" REST, "dkim=none",
	    "From: a@other.example", "DKIM-Signature" },
	{ "a parent's key is not used by itself", "", "From: a@sub.one.example" REST,
	    "dkim=none", NULL, "DKIM-Signature" },
	{ "a parent's key signs when that is wanted", "parent_domains = true;",
	    "From: a@sub.one.example" REST, "dkim=one.example/e", "d=one.example;", " i=" },
	{ "i= names the author's domain, below d=",
	    "parent_domains = true; identity = \"domain\";", "From: a@sub.one.example" REST,
	    "dkim=one.example/e", "i=@sub.one.example;", NULL },
	{ "of several authors the first one counts", "",
	    "From: x: a@one.example, b@example.com;" REST, "dkim=one.example/e", NULL, NULL },
	{ "Sender does not count", "", "Sender: a@example.com\r\nFrom: a@one.example" REST,
	    "dkim=one.example/e", NULL, NULL },
	{ "an author's domain in UTF-8", "", "From: a@M\xc3\xbcller.example" REST,
	    "dkim=xn--mller-kva.example/e", "d=xn--mller-kva.example;", NULL },
	{ "a domain in a comment or name counts for nothing", "",
	    "From: \"a@example.com\" (b@example.com) <c@one.example>" REST,
	    "dkim=one.example/e", NULL, NULL },
	{ "no From", "", "To: a@example.com" REST, "dkim=none", NULL, "DKIM-Signature" },
	{ "a From that does not parse", "", "From: a@@example.com" REST, "dkim=none", NULL,
	    "DKIM-Signature" },
	{ "an address literal", "", "From: a@[192.0.2.1]" REST, "dkim=none", NULL, NULL },
	{ "a key is required, and there is none", "require_key = true;",
	    "From: a@other.example" REST, REFUSED, "other.example", NULL },
	{ "a key is required, and there is no author", "require_key = true;",
	    "To: a@example.com" REST, REFUSED, "no domain", NULL },
	{ "a key is required, and is there", "require_key = true;", "From: a@one.example" REST,
	    "dkim=one.example/e", "DKIM-Signature", NULL },
	{ "relaxed is the default", "", "From: a@one.example" REST, "dkim=one.example/e",
	    "c=relaxed/relaxed;", " x=" },
	{ "simple when wanted",
	    "header_canonicalization = \"simple\"; body_canonicalization = \"simple\";",
	    "From: a@one.example" REST, "dkim=one.example/e", "c=simple/simple;", NULL },
	{ "an end of validity", "valid_for = \"7d\";", "From: a@one.example" REST,
	    "dkim=one.example/e", "t=1795553870; x=1796158670;", NULL },
	{ "a Date that is not there may be added later", "", "From: a@one.example" REST,
	    "dkim=one.example/e", NULL, "Date" },
	{ "a Date that is there is oversigned", "",
	    "From: a@one.example\r\nDate: x\r\nMessage-ID: y" REST, "dkim=one.example/e",
	    "Date:Date:", NULL },
	{ "the operator's own lists, and From, and List-Unsubscribe",
	    "oversign = [ \"x-a\" ]; sign = [ \"X-B\" ];",
	    "From: a@one.example\r\nX-B: 1\r\nList-Unsubscribe: <x>\r\nList-Unsubscribe-Post: "
	    "y\r\n"
	    "Subject: s" REST,
	    "dkim=one.example/e", "List-Unsubscribe-Post:", "Subject:Subject" },
	{ "one name is a list too", "sign = \"X-B\";", "From: a@one.example\r\nX-B: 1" REST,
	    "dkim=one.example/e", "X-B;", NULL },
	{ "a shadow signs nothing", "mode = \"shadow\";", "From: a@one.example" REST, "", NULL,
	    "DKIM-Signature" },
};

/* Each signature of the message as it goes out is good, and the message below is as it came. */
static void
assert_signatures_hold(const struct link_case *c, struct view text)
{
	size_t index = 0;
	struct view rest = text;

	while (view_starts(rest, VIEW("DKIM-Signature:"))) {
		struct buf algorithm;
		const char *wrong;

		buf_init(&algorithm, 64);
		check_tag(rest, "a", &algorithm);
		wrong = check_dkim(text, index,
		    strncmp(algorithm.p, "rsa", 3) == 0 ? key_rsa_2048 : key_ed25519);
		if (wrong != NULL)
			fail_msg("%s: %s of signature %zu", c->name, wrong, index);
		buf_finish(&algorithm);
		do {
			rest = view_from(rest, view_find(rest, '\n') + 1);
		} while (rest.p[0] == '\t');
		index++;
	}
	if (!view_eq(rest, view_of(c->text)))
		fail_msg("%s: the message became %.*s", c->name, VIEW_ARG(rest));
}

static void
check_case(const struct link_case *c)
{
	struct link_fixture f;
	struct buf text;

	link_fixture_open_with(&f, &link_dkim_sign, c->settings, ring);
	if (f.chain == NULL)
		fail_msg("%s: %s", c->name, f.errors.count > 0 ? f.errors.lines[0] : "");
	const int code = link_fixture_message(&f, c->text);
	if (code != (c->note == NULL ? 550 : 0))
		fail_msg("%s: %d %s", c->name, code, f.reply.text);
	text = message_text(f.message);
	assert_signatures_hold(c, buf_view(&text));
	assert_true(buf_add_char(&text, '\0'));
	if (c->note != NULL && !view_eq(chain_run_notes(f.run), view_of(c->note)))
		fail_msg("%s: notes \"%.*s\"", c->name, VIEW_ARG(chain_run_notes(f.run)));
	const char *where = c->note == NULL ? f.reply.text : text.p;
	if (c->has != NULL && strstr(where, c->has) == NULL)
		fail_msg("%s: no \"%s\" in %s", c->name, c->has, where);
	if (c->has_not != NULL && strstr(where, c->has_not) != NULL)
		fail_msg("%s: \"%s\" in %s", c->name, c->has_not, where);
	buf_finish(&text);
	link_fixture_close(&f);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(&cases[i]);
}

static void
test_bad_settings(void **state)
{
	static const struct {
		const char *settings, *error;
	} bad[] = {
		{ "sign = [ \"Received\" ];", "Received cannot be signed" },
		{ "oversign = [ \"dkim-signature\" ];", "cannot be signed" },
		{ "oversign = [ \"Bcc\" ];", "removed" },
		{ "sign = [ \"A B\" ];", "not a field name" },
		{ "sign = [ \"A;\" ];", "not a field name" },
		{ "sign = [ \"A:\" ];", "not a field name" },
		{ "sign = [ \"\" ];", "not a field name" },
		{ "sign = [ \"X-A\", \"x-a\" ];", "named twice" },
		{ "valid_for = \"5m\";", "hour" },
		{ "header_canonicalization = \"strict\";", "relaxed, simple" },
	};

	const struct link_env env = { .hostname = "gate.example.net", .keyring = ring };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		link_fixture_refuses_env(&link_dkim_sign, bad[i].settings, bad[i].error, &env);
}

static void
test_a_list_that_is_too_long(void **state)
{
	struct buf settings;
	struct link_fixture f;

	(void)state;
	buf_init(&settings, 4096);
	assert_true(buf_add_str(&settings, "sign = [ \"X-0\""));
	for (int i = 1; i <= 60; i++)
		assert_true(buf_printf(&settings, ", \"X-%d\"", i));
	assert_true(buf_add(&settings, " ];", 4));
	link_fixture_open_with(&f, &link_dkim_sign, settings.p, ring);
	assert_null(f.chain);
	assert_non_null(strstr(f.errors.lines[0], "too long"));
	link_fixture_close(&f);
	buf_finish(&settings);
}

/* When signing fails the client is asked to come again, or the message passes without. */
static void
test_failure(void **state)
{
	static const char text[] = "From: a@one.example" REST;
	struct link_fixture f;

	(void)state;
	clock_fake_set(1000, 1000); /* a clock of 1970: no signature may say that */
	link_fixture_open_with(&f, &link_dkim_sign, "", ring);
	assert_int_equal(link_fixture_message(&f, text), 451);
	assert_message_is(f.message, text);
	link_fixture_close(&f);

	link_fixture_open_with(&f, &link_dkim_sign, "on_error = \"pass\";", ring);
	assert_int_equal(link_fixture_message(&f, text), 0);
	assert_message_is(f.message, text);
	link_fixture_close(&f);
	clock_fake_set(1000, NOW);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_a_list_that_is_too_long),
		cmocka_unit_test(test_failure),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
