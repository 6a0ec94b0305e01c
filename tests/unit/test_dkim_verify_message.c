/* SPDX-License-Identifier: MPL-2.0 */
/* Verifying DKIM: messages with several signatures or none, keys, and where the library is in
 * danger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dkim_verify_fixture.h"

/* Several signatures. */

static void
sign_again(struct buf *text, const char *tags)
{
	struct buf out;

	buf_init(&out, text->cap);
	assert_true(buf_add_char(text, '\0'));
	make_signed(&out, tags, text->p, NULL, pem_for(tags));
	buf_finish(text);
	*text = out;
}

static void
start(struct buf *text)
{
	fill_dns();
	buf_init(text, 1 << 20);
	assert_true(buf_add_str(text, MESSAGE));
}

static void
test_each_has_its_own_verdict(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	sign_again(&text, TAGS);
	sign_again(&text, V DS "h=to");
	sign_again(&text, "v=1; a=rsa-sha256; d=example.com; s=r; h=from");
	sign_again(&text, V "d=example.com; s=none; h=from");
	sign_again(&text, TAGS "; x=1");
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.count, 5);
	assert_int_equal(o.v.ignored, 0);
	assert_int_equal(o.v.signatures[0].verdict, DKIM_EXPIRED);
	assert_int_equal(o.v.signatures[1].verdict, DKIM_KEY_NONE);
	assert_int_equal(o.v.signatures[2].verdict, DKIM_GOOD);
	assert_int_equal(o.v.signatures[2].key_bits, 2048);
	assert_int_equal(o.v.signatures[3].verdict, DKIM_FROM_UNSIGNED);
	assert_int_equal(o.v.signatures[4].verdict, DKIM_GOOD);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_a_key_is_asked_for_once(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	sign_again(&text, TAGS);
	sign_again(&text, V "c=simple/simple; d=EXAMPLE.COM; s=e; h=from");
	sign_again(&text, V "d=example.com; s=none; h=from");
	sign_again(&text, V "d=example.com; s=none; h=from:to");
	sign_again(&text, TAGS "; x=1");
	verify(&o, buf_view(&text));
	assert_int_equal(dns->query_count, 2);
	assert_int_equal(dns_table_asked(dns, "e._domainkey.example.com", DNS_TXT), 1);
	assert_int_equal(dns_table_asked(dns, "none._domainkey.example.com", DNS_TXT), 1);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_too_many(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	for (int i = 0; i < 20; i++)
		sign_again(&text, TAGS);
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.count, 8);
	assert_int_equal(o.v.ignored, 12);
	for (size_t i = 0; i < o.v.count; i++)
		assert_int_equal(o.v.signatures[i].verdict, DKIM_GOOD);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
ask_for_more(struct dkim_verify_request *request)
{
	request->max_signatures = 1000;
}

static void
test_never_more_than_there_is_room_for(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	for (int i = 0; i < 20; i++)
		sign_again(&text, TAGS);
	verify_with(&o, buf_view(&text), ask_for_more);
	assert_int_equal(o.v.count, DKIM_SIGNATURES_MAX);
	assert_int_equal(o.v.ignored, 20 - DKIM_SIGNATURES_MAX);
	buf_finish(&text);
	outcome_finish(&o);
}

/* A signature may sign another one, also one that is no good itself. */
static void
test_a_signature_signs_another(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	sign_again(&text, "v=1; a=rsa-sha1; d=example.com; s=old; h=from");
	sign_again(&text, V DS "h=from:dkim-signature");
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.signatures[0].verdict, DKIM_GOOD);
	assert_int_equal(o.v.signatures[1].verdict, DKIM_ALGORITHM);
	outcome_finish(&o);
	replace(&text, "s=old", "s=new");
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.signatures[0].verdict, DKIM_BAD_SIGNATURE);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_no_signature(void **state)
{
	struct outcome o;

	(void)state;
	fill_dns();
	verify(&o, view_of(MESSAGE));
	assert_int_equal(o.v.count, 0);
	assert_int_equal(o.v.ignored, 0);
	assert_int_equal(dns->query_count, 0);
	outcome_finish(&o);
}

/* Keys. */

static void
test_a_test_key(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	dns_table_set(dns, "e._domainkey.example.com", DNS_TXT, ED_RECORD "; t=y");
	sign_again(&text, TAGS);
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.signatures[0].verdict, DKIM_GOOD);
	assert_true(o.v.signatures[0].is_test);
	outcome_finish(&o);
	replace(&text, "Subject: s", "Subject: t");
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.signatures[0].verdict, DKIM_BAD_SIGNATURE);
	assert_true(o.v.signatures[0].is_test);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_two_records(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	dns_table_add(dns, "e._domainkey.example.com", DNS_TXT, ED_RECORD "; n=x");
	sign_again(&text, TAGS);
	verify(&o, buf_view(&text));
	expect("two records", &o.v.signatures[0], DKIM_KEY_SEVERAL, NULL);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_by_cname(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	dns_table_add(dns, "c._domainkey.example.com", DNS_CNAME, "k.provider.example");
	dns_table_add(dns, "k.provider.example", DNS_TXT, ED_RECORD);
	sign_again(&text, V "d=example.com; s=c; h=from");
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.signatures[0].verdict, DKIM_GOOD);
	buf_finish(&text);
	outcome_finish(&o);
}

/* Where the library is in danger, or says what is not so. */

/* h= names every field and one more: unguarded, this writes behind the library's list. */
static void
test_h_names_all_and_one_more(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	sign_again(&text, V DS "h=from:to:subject:dkim-signature:x");
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.count, 1);
	outcome_finish(&o);
	buf_clear(&text);
	assert_true(buf_add_str(&text, MESSAGE));
	sign_again(&text, V DS "h=from:to:subject:x:x:x:x:x:x:x:x:x:x:x:x:x:x:x:x:x:x:x:x:x:x");
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.signatures[0].verdict, DKIM_GOOD);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_bodies_that_are_not_clean(void **state)
{
	static const char *const bodies[] = { "a\nb\r\n", "a\rb\r\n", "a\r\r\n", "\n", "a\r",
		"a\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct buf text;
		struct outcome o;

		start(&text);
		sign_again(&text, TAGS);
		replace(&text, "body\r\n", bodies[i]);
		verify(&o, buf_view(&text));
		expect("not clean", &o.v.signatures[0], DKIM_SYNTAX, "CR or LF alone");
		buf_finish(&text);
		outcome_finish(&o);
	}
}

static void
test_a_tab_before_the_colon(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	replace(&text, "Subject:", "Subject\t:");
	sign_again(&text, TAGS);
	sign_again(&text, V DS "h=from:to");
	sign_again(&text, V DS "h=from:subject");
	verify(&o, buf_view(&text));
	expect("simple", &o.v.signatures[0], DKIM_BAD_SIGNATURE, "tab");
	assert_int_equal(o.v.signatures[1].verdict, DKIM_GOOD);
	assert_int_equal(o.v.signatures[2].verdict, DKIM_GOOD);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_a_tab_in_somebody_elses_signature_field(void **state)
{
	struct buf text;
	struct outcome o;

	(void)state;
	start(&text);
	sign_again(&text, V DS "h=from:to"); /* the lower one */
	replace(&text, "DKIM-Signature:", "DKIM-Signature\t:");
	sign_again(&text, V DS "h=from:to");
	verify(&o, buf_view(&text));
	assert_int_equal(o.v.signatures[0].verdict, DKIM_GOOD);
	expect("its own", &o.v.signatures[1], DKIM_BAD_SIGNATURE, "tab");
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_a_huge_signature_field(void **state)
{
	struct buf text, tags;
	struct outcome o;

	(void)state;
	start(&text);
	buf_init(&tags, 1 << 20);
	sign_again(&text, TAGS);
	assert_true(buf_add_str(&tags, TAGS "; z="));
	for (int i = 0; i < 4000; i++)
		assert_true(buf_add_str(&tags, "0123456789abcdefgh\r\n "));
	assert_true(buf_add_char(&tags, '\0'));
	assert_true(buf_add_char(&text, '\0'));
	struct buf both;
	buf_init(&both, 1 << 20);
	assert_true(buf_printf(&both, "DKIM-Signature: %s\r\n%s", tags.p, text.p));
	verify(&o, buf_view(&both));
	expect("huge", &o.v.signatures[0], DKIM_SYNTAX, "too long");
	assert_int_equal(o.v.signatures[1].verdict, DKIM_GOOD);
	buf_finish(&both);
	buf_finish(&tags);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_h_beyond_what_the_library_reads(void **state)
{
	struct buf text, tags;
	struct outcome o;

	(void)state;
	start(&text);
	buf_init(&tags, 65536);
	assert_true(buf_add_str(&tags, V DS "h=from"));
	for (int i = 0; i < 400; i++)
		assert_true(buf_add_str(&tags, ":x-"
					       "aaaaaaaa"));
	assert_true(buf_add_char(&tags, '\0'));
	sign_again(&text, tags.p);
	verify(&o, buf_view(&text));
	expect("long h=", &o.v.signatures[0], DKIM_SYNTAX, "h= is too long");
	buf_finish(&tags);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_no_body_at_all(void **state)
{
	static const char *const messages[] = { "From: a@example.com\r\n",
		"From: a@example.com\r\n\r\n", "From: a@example.com\r\n\r\n\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct buf text;
		struct outcome o;

		fill_dns();
		buf_init(&text, 65536);
		make_signed(&text, V "c=relaxed/relaxed; " DS "h=from",
		    "From: a@example.com\r\n\r\n", NULL, key_ed25519);
		assert_true(buf_add_char(&text, '\0'));
		*strstr(text.p, "From:") = '\0';
		text.len = strlen(text.p);
		assert_true(buf_add_str(&text, messages[i]));
		verify(&o, buf_view(&text));
		expect(messages[i], &o.v.signatures[0], DKIM_GOOD, NULL);
		buf_finish(&text);
		outcome_finish(&o);
	}
}

/* Threads share the library's handle, and nothing else. */

static void *
verify_often(void *context)
{
	const char *text = context;
	bool good = true;

	for (int i = 0; i < 40 && good; i++) {
		struct outcome o;

		verify(&o, view_of(text));
		good = o.v.count == 2 && o.v.signatures[0].verdict == DKIM_GOOD &&
		       o.v.signatures[1].verdict == DKIM_GOOD;
		outcome_finish(&o);
	}
	return good ? context : NULL;
}

static void
test_threads(void **state)
{
	pthread_t threads[4];
	struct buf text;

	(void)state;
	start(&text);
	sign_again(&text, TAGS);
	sign_again(&text, "v=1; a=rsa-sha256; d=example.com; s=r; h=from");
	assert_true(buf_add_char(&text, '\0'));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_often, text.p), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *good;

		assert_int_equal(pthread_join(threads[i], &good), 0);
		assert_non_null(good);
	}
	buf_finish(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_has_its_own_verdict),
		cmocka_unit_test(test_a_key_is_asked_for_once),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_never_more_than_there_is_room_for),
		cmocka_unit_test(test_a_signature_signs_another),
		cmocka_unit_test(test_no_signature),
		cmocka_unit_test(test_a_test_key),
		cmocka_unit_test(test_two_records),
		cmocka_unit_test(test_by_cname),
		cmocka_unit_test(test_h_names_all_and_one_more),
		cmocka_unit_test(test_bodies_that_are_not_clean),
		cmocka_unit_test(test_a_tab_before_the_colon),
		cmocka_unit_test(test_a_tab_in_somebody_elses_signature_field),
		cmocka_unit_test(test_a_huge_signature_field),
		cmocka_unit_test(test_h_beyond_what_the_library_reads),
		cmocka_unit_test(test_no_body_at_all),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
