/* SPDX-License-Identifier: MPL-2.0 */
/* Published DKIM keys (RFC 6376 3.6.1, RFC 8463 4): which records are keys, and what they
 * allow. */
#include "lib/domain/dkim_key_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "tests/unit/dkim_keys.h"

/* RFC 8463 A.2: the RSA key of 1024 bits in both forms, and the Ed25519 key. */
#define RSA_TAIL                                                                               \
	"HlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzw"  \
	"Q/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4" \
	"w3QIDAQAB"
#define RSA "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDk" RSA_TAIL
#define RSA_BARE                                                                               \
	"MIGJAoGBAOQeU5CgFPNZGIazlXo2k/eJ1jpaTTxrmqF1HrDLlt04pvaMtCJj8nXoliLRC/H9vJjMI1vdb3XL" \
	"cW60AIN/PBD8EL97/y4GwJH7LPUvGP48vqUe+owqszesbiGy1PlCO8c70/OjFnJVgvMF87YR4Lcincb7aSvI" \
	"5MgpP6X8rjDdAgMBAAE="
#define RSA_512                                                                              \
	"MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMDZx1xcMg2UtuZagexCmAaNGBYyj29q6NA+fRWre2olgM0Vhk" \
	"Wk3QhOMl/NhRHA+bufGeFYTTd30uW8ea10n5kCAwEAAQ=="
#define RSA_PSS                                                                                \
	"MFowCwYJKoZIhvcNAQEKA0sAMEgCQQCvRlxilfkHD1fLAN89fhho+2Ks2R2qzPBcbwy3kdAi004OzYZzy9S/" \
	"fO/Rac27Yr+DF7qD6t2N/Jzv1bVU6jU3AgMBAAE="
#define EC                                                                                     \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExv775grmkrntpuLN4CHV9kcw+DGhOTBktNwFLTeg0zYz/Xry" \
	"hBh4zAvEToAjSstHgb0Qj35UiOzDT4U0wwcfbw=="
#define ED "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static const struct {
	const char *name, *record;
	enum dkim_key_status status;
	unsigned bits;
	const char *allows; /* 2: sha256, 1: sha1, m: mail, t: test, s: strict; or why not */
} cases[] = {
	{ "p= alone is an RSA key", "p=" RSA, DKIM_PUBLISHED, 1024, "21m" },
	{ "all of it", "v=DKIM1; k=rsa; h=sha256; s=email; t=s; n=note; p=" RSA, DKIM_PUBLISHED,
	    1024, "2ms" },
	{ "RSAPublicKey, as the RFC says", "v=DKIM1; k=rsa; p=" RSA_BARE, DKIM_PUBLISHED, 1024,
	    "21m" },
	{ "an Ed25519 key", "v=DKIM1; k=ed25519; p=" ED, DKIM_PUBLISHED, 256, "21m" },
	{ "a small RSA key is still a key", "v=DKIM1; p=" RSA_512, DKIM_PUBLISHED, 512, "21m" },
	{ "blanks and folds in p=",
	    "v=DKIM1; p=11qYAYKxCrfVS/7T yWQHOg7hcvPapi\r\n\tMlrwIaaPcHURo =; k=ed25519",
	    DKIM_PUBLISHED, 256, "21m" },
	{ "a final semicolon", "v=DKIM1;p=" RSA ";", DKIM_PUBLISHED, 1024, "21m" },
	{ "unknown tags are ignored", "v=DKIM1; zz=1; p=" RSA "; x_y=q", DKIM_PUBLISHED, 1024,
	    "21m" },
	{ "g= of RFC 4871 is an unknown tag", "v=DKIM1; g=; p=" RSA, DKIM_PUBLISHED, 1024,
	    "21m" },
	{ "h= with both", "h=sha1 : sha256; p=" RSA, DKIM_PUBLISHED, 1024, "21m" },
	{ "h= with SHA-1 only", "h=sha1; p=" RSA, DKIM_PUBLISHED, 1024, "1m" },
	{ "h= with unknown members", "h=sha512:sha256:x; p=" RSA, DKIM_PUBLISHED, 1024, "2m" },
	{ "h= with unknown members only", "h=sha512; p=" RSA, DKIM_PUBLISHED, 1024, "m" },
	{ "h= is read with case", "h=SHA256; p=" RSA, DKIM_PUBLISHED, 1024, "m" },
	{ "an empty h= allows nothing", "h=; p=" RSA, DKIM_PUBLISHED, 1024, "m" },
	{ "s= with a star", "s=*; p=" RSA, DKIM_PUBLISHED, 1024, "21m" },
	{ "s= with mail among others", "s=tlsrpt:email; p=" RSA, DKIM_PUBLISHED, 1024, "21m" },
	{ "s= for something else", "s=tlsrpt; p=" RSA, DKIM_PUBLISHED, 1024, "21" },
	{ "t= with both flags", "t=y:s; p=" RSA, DKIM_PUBLISHED, 1024, "21mts" },
	{ "t= with unknown flags", "t=x:y:; p=" RSA, DKIM_PUBLISHED, 1024, "21mt" },
	{ "an empty t=", "t=; p=" RSA, DKIM_PUBLISHED, 1024, "21m" },
	{ "an unknown type of key", "k=dsa; p=AAAA", DKIM_PUBLISHED, 0, "21m" },
	{ "k= is read with case", "k=RSA; p=" RSA, DKIM_PUBLISHED, 0, "21m" },
	{ "notes are not looked into", "n==20; p=" RSA, DKIM_PUBLISHED, 1024, "21m" },

	{ "revoked", "v=DKIM1; p=", DKIM_PUBLISHED_REVOKED, 0, "revoked" },
	{ "revoked, with blanks", "p= \t;k=rsa", DKIM_PUBLISHED_REVOKED, 0, "revoked" },
	{ "v= is not first", "p=" RSA "; v=DKIM1", DKIM_PUBLISHED_SYNTAX, 0, "first" },
	{ "v= is another", "v=DKIM2; p=" RSA, DKIM_PUBLISHED_SYNTAX, 0, "not DKIM1" },
	{ "v= in another case", "v=dkim1; p=" RSA, DKIM_PUBLISHED_SYNTAX, 0, "not DKIM1" },
	{ "v= is empty", "v=; p=" RSA, DKIM_PUBLISHED_SYNTAX, 0, "not DKIM1" },
	{ "no p=", "v=DKIM1; k=rsa", DKIM_PUBLISHED_SYNTAX, 0, "p= is missing" },
	{ "P= is not p=", "v=DKIM1; P=" RSA, DKIM_PUBLISHED_SYNTAX, 0, "p= is missing" },
	{ "p= twice", "p=" RSA "; p=" RSA, DKIM_PUBLISHED_SYNTAX, 0, "twice" },
	{ "an unknown tag twice", "x=1; x=1; p=" RSA, DKIM_PUBLISHED_SYNTAX, 0, "twice" },
	{ "not a tag list", "v=DKIM1 p" RSA, DKIM_PUBLISHED_SYNTAX, 0, "not DKIM1" },
	{ "backslashes before semicolons", "v=DKIM1\\; p=" RSA, DKIM_PUBLISHED_SYNTAX, 0,
	    "not DKIM1" },
	{ "an empty record", "", DKIM_PUBLISHED_SYNTAX, 0, "tags" },
	{ "p= is not base64", "p=MIGf*", DKIM_PUBLISHED_SYNTAX, 0, "base64" },
	{ "p= without its padding", "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	    DKIM_PUBLISHED_SYNTAX, 0, "base64" },
	{ "p= in quotes", "p=\"" RSA "\"", DKIM_PUBLISHED_SYNTAX, 0, "base64" },
	{ "p= cut off", "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDk", DKIM_PUBLISHED_SYNTAX, 0,
	    "RSA" },
	{ "an octet behind the RSA key", "p=" RSA "AA==", DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "bits of the RSA key left out",
	    "p="
	    "MFwwDQYJKoZIhvcNAQEBBQADSwEwSAJBAMDZx1xcMg2UtuZagexCmAaNGBYyj29q6NA+fRWre2ol"
	    "gM0VhkWk3QhOMl/NhRHA+bufGeFYTTd30uW8ea10n5kCAwEAAQ==",
	    DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "something behind the bits of the RSA key",
	    "p="
	    "MF4wDQYJKoZIhvcNAQEBBQADSwAwSAJBAMDZx1xcMg2UtuZagexCmAaNGBYyj29q6NA+fRWre2ol"
	    "gM0VhkWk3QhOMl/NhRHA+bufGeFYTTd30uW8ea10n5kCAwEAAQUA",
	    DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "something behind the key within its bits",
	    "p="
	    "MF4wDQYJKoZIhvcNAQEBBQADTQAwSAJBAMDZx1xcMg2UtuZagexCmAaNGBYyj29q6NA+fRWre2ol"
	    "gM0VhkWk3QhOMl/NhRHA+bufGeFYTTd30uW8ea10n5kCAwEAAQUA",
	    DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "an RSA key in an OCTET STRING",
	    "p="
	    "MFwwDQYJKoZIhvcNAQEBBQAESwAwSAJBAMDZx1xcMg2UtuZagexCmAaNGBYyj29q6NA+fRWre2ol"
	    "gM0VhkWk3QhOMl/NhRHA+bufGeFYTTd30uW8ea10n5kCAwEAAQ==",
	    DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "a SubjectPublicKeyInfo with no bit",
	    "p="
	    "MBEwDQYJKoZIhvcNAQEBBQADAA==",
	    DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "one that is no SEQUENCE",
	    "p="
	    "cFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMDZx1xcMg2UtuZagexCmAaNGBYyj29q6NA+fRWre2ol"
	    "gM0VhkWk3QhOMl/NhRHA+bufGeFYTTd30uW8ea10n5kCAwEAAQ==",
	    DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "an elliptic curve as rsa", "k=rsa; p=" EC, DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "RSA for PSS only", "k=rsa; p=" RSA_PSS, DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "an Ed25519 key as rsa", "k=rsa; p=" ED, DKIM_PUBLISHED_SYNTAX, 0, "RSA" },
	{ "an RSA key as Ed25519", "k=ed25519; p=" RSA, DKIM_PUBLISHED_SYNTAX, 0, "32" },
	{ "31 octets of Ed25519", "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUQ==",
	    DKIM_PUBLISHED_SYNTAX, 0, "32" },
	{ "33 octets of Ed25519", "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURoA",
	    DKIM_PUBLISHED_SYNTAX, 0, "32" },
};

static void
write_allows(const struct dkim_key_text *key, struct buf *out)
{
	const struct {
		bool is;
		char letter;
	} all[] = {
		{ key->sha256_allowed, '2' },
		{ key->sha1_allowed, '1' },
		{ key->email_allowed, 'm' },
		{ key->is_test, 't' },
		{ key->is_strict, 's' },
	};

	buf_clear(out);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i].is)
			assert_true(buf_add_char(out, all[i].letter));
	}
}

static void
test_records(void **state)
{
	struct buf allows;

	(void)state;
	buf_init(&allows, 16);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct dkim_key_text key;
		const char *why;
		bool good;

		arena_init(&arena);
		const enum dkim_key_status status =
		    dkim_key_text_parse(view_of(cases[i].record), &arena, &key, &why);
		write_allows(&key, &allows);
		if (status == DKIM_PUBLISHED)
			good = why == NULL && key.bits == cases[i].bits &&
			       view_eq(buf_view(&allows), view_of(cases[i].allows));
		else
			good = why != NULL && strstr(why, cases[i].allows) != NULL;
		if (status != cases[i].status || !good ||
		    !view_eq(key.record, view_of(cases[i].record)))
			fail_msg("%s: status %d, %u bits, %.*s, %s", cases[i].name, (int)status,
			    key.bits, VIEW_ARG(buf_view(&allows)), why != NULL ? why : "");
		arena_finish(&arena);
	}
	buf_finish(&allows);
}

static void
test_both_forms_of_rsa_are_one_key(void **state)
{
	struct arena arena;
	struct dkim_key_text a, b;
	const char *why;

	(void)state;
	arena_init(&arena);
	assert_int_equal(dkim_key_text_parse(VIEW("p=" RSA), &arena, &a, &why), DKIM_PUBLISHED);
	assert_int_equal(
	    dkim_key_text_parse(VIEW("p=" RSA_BARE), &arena, &b, &why), DKIM_PUBLISHED);
	assert_true(view_eq(a.key, b.key));
	arena_finish(&arena);
}

/* Answers of DNS. */

static struct dns_answer next_answer;
static char asked[DNS_NAME_MAX];

static void
answer_query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	(void)context, (void)arena;
	assert_int_equal(type, DNS_TXT);
	assert_int_equal(deadline_ms, 777);
	assert_true(view_copy(view_of(name), asked, sizeof(asked)));
	*out = next_answer;
}

static const struct dns_source source = { .query = answer_query };

static enum dkim_key_status
find(enum dns_status status, const char *first, const char *second, const char **why_out)
{
	struct dns_record records[2] = { { .data = view_of(first) },
		{ .data = view_of(second) } };
	struct dkim_key_text key;
	enum dkim_key_status found;
	struct arena arena;
	static char why[200];
	const char *text;

	arena_init(&arena);
	next_answer = (struct dns_answer){
		.status = status,
		.records = records,
		.count = (size_t)(first != NULL) + (second != NULL),
		.why = "SERVFAIL",
	};
	found = dkim_key_text_find(&source, dkim_key_text_name("example.com", "sel.a", &arena),
	    777, &arena, &key, &text);
	assert_string_equal(asked, "sel.a._domainkey.example.com");
	snprintf(why, sizeof(why), "%s", text != NULL ? text : "");
	*why_out = why;
	arena_finish(&arena);
	return found;
}

static void
test_answers(void **state)
{
	static const struct {
		const char *name;
		enum dns_status dns;
		const char *first, *second;
		enum dkim_key_status status;
		const char *why;
	} answers[] = {
		{ "a key", DNS_FOUND, "p=" RSA, NULL, DKIM_PUBLISHED, "" },
		{ "no such name", DNS_NXDOMAIN, NULL, NULL, DKIM_PUBLISHED_NONE,
		    "does not exist" },
		{ "no TXT", DNS_NODATA, NULL, NULL, DKIM_PUBLISHED_NONE, "no TXT record" },
		{ "DNS is down", DNS_TEMPFAIL, NULL, NULL, DKIM_PUBLISHED_TEMPFAIL,
		    "SERVFAIL" },
		{ "two keys", DNS_FOUND, "p=" RSA, "p=", DKIM_PUBLISHED_SEVERAL,
		    "more than one" },
		{ "a key and something else", DNS_FOUND, "v=spf1 -all", "p=" RSA,
		    DKIM_PUBLISHED_SEVERAL, "more than one" },
		{ "an SPF record (of a wildcard)", DNS_FOUND, "v=spf1 -all", NULL,
		    DKIM_PUBLISHED_NONE, "something else" },
		{ "a later version", DNS_FOUND, "v=DKIM2; p=" RSA, NULL, DKIM_PUBLISHED_NONE,
		    "something else" },
		{ "rubbish", DNS_FOUND, "hello", NULL, DKIM_PUBLISHED_SYNTAX, "tags" },
		{ "revoked", DNS_FOUND, "p=", NULL, DKIM_PUBLISHED_REVOKED, "revoked" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const char *why;
		const enum dkim_key_status status =
		    find(answers[i].dns, answers[i].first, answers[i].second, &why);

		if (status != answers[i].status || strstr(why, answers[i].why) == NULL)
			fail_msg("%s: status %d, %s", answers[i].name, (int)status, why);
	}
}

static void
test_a_name_that_cannot_be(void **state)
{
	struct arena arena;
	struct dkim_key_text key;
	const char *why;

	(void)state;
	arena_init(&arena);
	asked[0] = '\0';
	assert_int_equal(
	    dkim_key_text_find(&source, "s._domainkey.a..b", 777, &arena, &key, &why),
	    DKIM_PUBLISHED_NONE);
	assert_string_equal(asked, "");
	arena_finish(&arena);
}

/* The record of a key that signs. */

static void
check_match(const char *record, const char *pem, const char *expected)
{
	struct dkim_key *key = good_key(pem);
	struct dkim_key_text published;
	struct arena arena;
	const char *why;

	arena_init(&arena);
	assert_int_equal(
	    dkim_key_text_parse(view_of(record), &arena, &published, &why), DKIM_PUBLISHED);
	const bool matches = dkim_key_text_matches(&published, key, &why);
	if (matches != (expected == NULL) ||
	    (expected != NULL && strstr(why, expected) == NULL))
		fail_msg("%s: %s", record, why != NULL ? why : "matches");
	arena_finish(&arena);
	dkim_key_destroy(&key);
}

static void
test_matches(void **state)
{
	struct dkim_key *key = good_key(key_rsa_2048);
	struct buf record;

	(void)state;
	buf_init(&record, 4096);
	assert_true(dkim_key_record(key, &record) && buf_add_char(&record, '\0'));
	check_match(record.p, key_rsa_2048, NULL);
	check_match("v=DKIM1; k=ed25519; p=" ED, key_ed25519, NULL);
	check_match("k=ed25519; t=y; h=sha256; s=*; p=" ED, key_ed25519, NULL);
	check_match("p=" RSA, key_rsa_2048, "another key");
	check_match("k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURA=", key_ed25519,
	    "another key");
	check_match("p=" RSA, key_ed25519, "another type");
	check_match("k=dsa; p=" RSA, key_rsa_2048, "another type");
	check_match("k=ed25519; h=sha1; p=" ED, key_ed25519, "SHA-256");
	check_match("k=ed25519; s=tlsrpt; p=" ED, key_ed25519, "mail");
	buf_finish(&record);
	dkim_key_destroy(&key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_both_forms_of_rsa_are_one_key),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_a_name_that_cannot_be),
		cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
