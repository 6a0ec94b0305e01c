/* SPDX-License-Identifier: MPL-2.0 */
/* Which answers of the DNS say whom to trust, and which say nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/net/dane.h"
#include "lib/net/tls.h"

#include <string.h>

#define DIGEST "0123456789abcdef0123456789abcdef"

static struct dns_answer given;
static char asked[DNS_NAME_MAX];
static enum dns_type asked_type;

static void
answer(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	(void)context;
	(void)deadline_ms;
	(void)arena;
	assert_true(view_copy(view_of(name), asked, sizeof(asked)));
	asked_type = type;
	*out = given;
}

static const struct dns_source source = { .query = answer };

/* find - with given; the error's kind, ERR_NONE for none. */
static enum err_kind
find(struct dane *out)
{
	struct err err = { .kind = ERR_NONE };
	struct arena arena;
	bool ok;

	arena_init(&arena);
	*out = (struct dane){ .host = "mx.example.com", .port = 25 };
	ok = dane_find(&source, out, 0, &arena, &err);
	arena_finish(&arena);
	assert_int_equal(ok, err.kind == ERR_NONE);
	assert_int_equal(ok, out->count > 0);
	return err.kind;
}

static void
test_what_there_is_without_a_record(void **state)
{
	static const struct {
		const char *says;
		enum dns_status status;
		bool is_secure;
		enum err_kind wanted;
	} cases[] = {
		{ "nobody answers: try again later", DNS_TEMPFAIL, false, ERR_TEMP },
		{ "the name has no such record", DNS_NODATA, true, ERR_TLS },
		{ "nobody vouches that there is none", DNS_NODATA, false, ERR_TLS },
		{ "there is no such name", DNS_NXDOMAIN, true, ERR_TLS },
	};
	struct dane dane;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		given = (struct dns_answer){ .status = cases[i].status,
			.is_secure = cases[i].is_secure };
		if (find(&dane) != cases[i].wanted)
			fail_msg("%s", cases[i].says);
	}
	assert_string_equal(asked, "_25._tcp.mx.example.com");
	assert_int_equal(asked_type, DNS_TLSA);
}

static void
test_which_records_count(void **state)
{
	const struct {
		const char *says;
		struct view data;
		bool is_secure;
		enum err_kind wanted;
	} cases[] = {
		{ "the server's own", VIEW("\3\1\1" DIGEST), true, ERR_NONE },
		{ "its authority's", VIEW("\2\0\1" DIGEST), true, ERR_NONE },
		{ "nobody vouches for it", VIEW("\3\1\1" DIGEST), false, ERR_TLS },
		{ "an authority of the web", VIEW("\0\0\1" DIGEST), true, ERR_TLS },
		{ "a certificate of the web", VIEW("\1\0\1" DIGEST), true, ERR_TLS },
		{ "an unknown usage", VIEW("\4\0\1" DIGEST), true, ERR_TLS },
		{ "without data", VIEW("\3\1\1"), true, ERR_TLS },
		{ "cut short", VIEW("\3"), true, ERR_TLS },
		{ "empty", VIEW(""), true, ERR_TLS },
	};
	struct dane dane;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_record records[2] = { { .data = cases[i].data },
			{ .data = VIEW("\1\0\1" DIGEST) } };

		given = (struct dns_answer){ .status = DNS_FOUND,
			.is_secure = cases[i].is_secure,
			.records = records,
			.count = 2 };
		if (find(&dane) != cases[i].wanted)
			fail_msg("%s", cases[i].says);
		if (cases[i].wanted == ERR_NONE)
			assert_int_equal(dane.count, 1);
	}
}

static void
test_what_openssl_takes(void **state)
{
	const struct {
		const char *says;
		struct view data;
		bool is_taken;
	} cases[] = {
		{ "SHA-256 of a key", VIEW("\3\1\1" DIGEST), true },
		{ "SHA-512 of a key", VIEW("\3\1\2" DIGEST DIGEST), true },
		{ "a digest of the wrong length", VIEW("\3\1\1" DIGEST "0"), false },
		{ "an unknown digest", VIEW("\3\1\7" DIGEST), false },
		{ "an unknown selector", VIEW("\3\7\1" DIGEST), false },
		{ "a whole key that is none", VIEW("\3\1\0" DIGEST), false },
	};
	struct err err = { .kind = ERR_NONE };
	SSL_CTX *ctx = tls_client_create(TLS_VERIFY_DANE, NULL, &err);

	(void)state;
	assert_non_null(ctx);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_record record = { .data = cases[i].data };
		const struct dane dane = {
			.host = "mx.example.com", .records = &record, .count = 1
		};
		SSL *ssl = SSL_new(ctx);

		if (dane_apply(ssl, &dane, &err) != cases[i].is_taken)
			fail_msg("%s", cases[i].says);
		SSL_free(ssl);
	}
	SSL_CTX_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_there_is_without_a_record),
		cmocka_unit_test(test_which_records_count),
		cmocka_unit_test(test_what_openssl_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
