/* SPDX-License-Identifier: MPL-2.0 */
/* lib/net/tls_client_names: whom a certificate names, as tables. */
#include "lib/net/tls_client_names.h"

#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A certificate of these common names (NULL: none) and this subjectAltName. */
static X509 *
certificate(const char *cn, const char *cn2, const char *alternative)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	X509_EXTENSION *ext;
	X509V3_CTX v3;

	if (cn != NULL)
		X509_NAME_add_entry_by_txt(
		    subject, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	if (cn2 != NULL)
		X509_NAME_add_entry_by_txt(
		    subject, "CN", MBSTRING_UTF8, (const unsigned char *)cn2, -1, -1, 0);
	if (alternative != NULL) {
		X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
		ext = X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, alternative);
		assert_non_null(ext);
		assert_int_equal(X509_add_ext(x, ext, -1), 1);
		X509_EXTENSION_free(ext);
	}
	return x;
}

static void
expect(const char *sentence, const X509 *x, const char *wanted)
{
	const char *names[TLS_CLIENT_NAMES_MAX];
	struct arena arena;
	char text[1024] = "";
	size_t count;

	arena_init(&arena);
	count = tls_client_names(x, &arena, names);
	for (size_t i = 0; i < count; i++) {
		const size_t at = strlen(text);

		snprintf(text + at, sizeof(text) - at, "%s%s", i > 0 ? " " : "", names[i]);
	}
	if (strcmp(text, wanted) != 0)
		fail_msg("%s: \"%s\"", sentence, text);
	arena_finish(&arena);
}

static void
test_names(void **state)
{
	static const struct {
		const char *sentence, *cn, *cn2, *alternative, *names;
	} rows[] = {
		{ "no name at all", NULL, NULL, NULL, "" },
		{ "the common name, when there is nothing else", "alice", NULL, NULL, "alice" },
		{ "of two common names none", "alice", "bob", NULL, "" },
		{ "a mail address goes before the common name", "bob", NULL,
		    "email:alice@example.com", "alice@example.com" },
		{ "mail addresses go before host names", NULL, NULL,
		    "DNS:app.example.com,email:b@example.com,email:a@example.com",
		    "b@example.com a@example.com app.example.com" },
		{ "a host name goes before the common name", "alice", NULL,
		    "DNS:app.example.com", "app.example.com" },
		{ "other kinds of names leave the common name", "alice", NULL,
		    "IP:192.0.2.1,URI:https://example.com/", "alice" },
		{ "a wildcard is nobody, and the common name does not stand in for it", "alice",
		    NULL, "DNS:*.example.com", "" },
		{ "a common name with a line end is none", "al\nice", NULL, NULL, "" },
		{ "at most sixteen", NULL, NULL,
		    "DNS:a,DNS:b,DNS:c,DNS:d,DNS:e,DNS:f,DNS:g,DNS:h,DNS:i,DNS:j,DNS:k,DNS:l,"
		    "DNS:m,DNS:n,DNS:o,DNS:p,DNS:q,DNS:r",
		    "a b c d e f g h i j k l m n o p" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		X509 *x = certificate(rows[i].cn, rows[i].cn2, rows[i].alternative);

		expect(rows[i].sentence, x, rows[i].names);
		X509_free(x);
	}
}

/* add_address - rfc822Name of these octets, which no text form could hold. */
static X509 *
with_address(const char *octets, int len)
{
	X509 *x = X509_new();
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	assert_int_equal(ASN1_STRING_set(text, octets, len), 1);
	GENERAL_NAME_set0_value(one, GEN_EMAIL, text);
	assert_int_equal(sk_GENERAL_NAME_push(all, one), 1);
	assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0), 1);
	GENERAL_NAMES_free(all);
	return x;
}

static void
test_octets_that_no_login_has(void **state)
{
	char text[400];
	X509 *x;

	(void)state;
	memset(text, 'a', sizeof(text));
	x = with_address("alice@example.com\0.evil.example", 31);
	expect("a NUL in an address", x, "");
	X509_free(x);
	x = with_address("", 0);
	expect("an empty address", x, "");
	X509_free(x);
	x = with_address(text, 321);
	expect("an address of 321 octets", x, "");
	X509_free(x);
	x = with_address("alice@example.com", 17);
	expect("the same way, a good one", x, "alice@example.com");
	X509_free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_octets_that_no_login_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
