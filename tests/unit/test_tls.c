/* SPDX-License-Identifier: MPL-2.0 */
/* lib/net/tls: contexts from files, and handshakes between them in memory. */
#include "lib/net/tls.h"

#include "lib/base/clock.h"
#include "lib/base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "tests/unit/certs.h"

static struct certs certs;
static char ca_file[160];
static struct cert_files good, other, expired;

static int
set_up(void **state)
{
	(void)state;
	certs_create(&certs, ca_file);
	certs_issue(&certs, "good", "mta.example.com", 100, &good);
	certs_issue(&certs, "other", "other.example.com", 100, &other);
	certs_issue(&certs, "expired", "mta.example.com", -10, &expired);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	certs_destroy(&certs);
	return 0;
}

static SSL_CTX *
server(const char *listener, int min_version)
{
	struct tls_server_config config = { .certificate = good.certificate,
		.key = good.key,
		.min_version = min_version,
		.listener = listener };
	SSL_CTX *ctx = tls_server_create(&config, NULL);

	assert_non_null(ctx);
	return ctx;
}

static void
test_bad_files(void **state)
{
	char missing[160], garbage[160], encrypted[160];
	FILE *f;
	struct err err;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char phrase[] = "xyz";

	(void)state;
	snprintf(missing, sizeof(missing), "%s/missing", certs.dir);
	certs_path(&certs, "garbage", garbage);
	f = fopen(garbage, "w");
	fputs("not PEM\n", f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	fclose(f);
	certs_path(&certs, "encrypted", encrypted);
	f = fopen(encrypted, "w");
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_int_equal(
	    PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(), NULL, 0, NULL, phrase), 1);
	fclose(f);
	EVP_PKEY_free(key);
	const struct {
		const char *sentence, *certificate, *key, *named, *reason;
	} rows[] = {
		{ "a missing certificate", missing, good.key, missing, "No such file" },
		{ "a missing key", good.certificate, missing, missing, "No such file" },
		{ "a certificate that is not PEM", garbage, good.key, garbage,
		    "not a PEM file" },
		{ "a key that is not PEM", good.certificate, garbage, garbage,
		    "not a PEM file" },
		{ "a key with a passphrase", good.certificate, encrypted, encrypted,
		    "passphrase" },
		{ "a key of another certificate", good.certificate, other.key, other.key,
		    "fit" },
		{ "a key in the certificate's place", good.key, good.key, good.key,
		    "not a PEM file" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_server_config config = {
			.certificate = rows[i].certificate, .key = rows[i].key, .listener = "x"
		};

		err = (struct err){ .kind = ERR_NONE };
		if (tls_server_create(&config, &err) != NULL)
			fail_msg("%s is accepted", rows[i].sentence);
		assert_int_equal(err.kind, ERR_CONFIG);
		if (strstr(err.text, rows[i].named) == NULL ||
		    strstr(err.text, rows[i].reason) == NULL)
			fail_msg("%s: %s", rows[i].sentence, err.text);
	}
}

static void
test_open_key(void **state)
{
	struct tls_server_config config = {
		.certificate = good.certificate, .key = good.key, .listener = "x"
	};
	struct err err = { .kind = ERR_NONE };
	SSL_CTX *ctx;

	(void)state;
	assert_int_equal(chmod(good.key, 0644), 0);
	assert_null(tls_server_create(&config, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.text, "everybody"));
	assert_int_equal(chmod(good.key, 0640), 0);
	ctx = tls_server_create(&config, &err);
	assert_non_null(ctx);
	SSL_CTX_free(ctx);
	assert_int_equal(chmod(good.key, 0600), 0);
}

static void
test_expired_is_a_warning(void **state)
{
	struct tls_server_config config = {
		.certificate = expired.certificate, .key = expired.key, .listener = "x"
	};
	SSL_CTX *ctx = tls_server_create(&config, NULL);

	(void)state;
	assert_non_null(ctx);
	SSL_CTX_free(ctx);
}

static void
test_ca_files(void **state)
{
	struct err err = { .kind = ERR_NONE };
	SSL_CTX *ctx = tls_client_create(TLS_VERIFY_PEER, ca_file, &err);

	(void)state;
	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_get_verify_mode(ctx), SSL_VERIFY_PEER);
	SSL_CTX_free(ctx);
	ctx = tls_client_create(TLS_VERIFY_PEER, NULL, &err);
	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_get_verify_mode(ctx), SSL_VERIFY_PEER);
	SSL_CTX_free(ctx);
	assert_null(tls_client_create(TLS_VERIFY_PEER, "/nonexistent/ca.pem", &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
}

struct shake {
	const char *alpn; /* wire form, or NULL */
	int client_max;	  /* version, 0: the newest */
	const char *ciphers;
	SSL_SESSION *offer;
	/* results */
	bool ok, resumed;
	char version[16], cipher[64], alpn_got[16];
	SSL_SESSION *session; /* owned by the caller */
};

/* session_of - with a ticket in it: a TLS 1.3 client has one only after a read. */
static SSL_SESSION *
session_of(SSL *client, SSL *serving)
{
	char c;
	size_t n;

	(void)SSL_write(serving, "x", 1);
	(void)SSL_read_ex(client, &c, 1, &n);
	return SSL_get1_session(client);
}

static void
shake(SSL_CTX *server_ctx, SSL_CTX *client_ctx, struct shake *s)
{
	SSL *client = SSL_new(client_ctx), *serving = SSL_new(server_ctx);
	BIO *a, *b;
	const unsigned char *got;
	unsigned got_len;

	assert_int_equal(BIO_new_bio_pair(&a, 65536, &b, 65536), 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(serving, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(serving);
	if (s->alpn != NULL)
		assert_int_equal(SSL_set_alpn_protos(client, (const unsigned char *)s->alpn,
				     (unsigned)strlen(s->alpn)),
		    0);
	if (s->client_max != 0) {
		SSL_set_min_proto_version(client, TLS1_VERSION);
		SSL_set_max_proto_version(client, s->client_max);
	}
	if (s->ciphers != NULL)
		assert_int_equal(SSL_set_cipher_list(client, s->ciphers), 1);
	if (s->offer != NULL)
		assert_int_equal(SSL_set_session(client, s->offer), 1);
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(serving);
	}
	s->ok = SSL_is_init_finished(client) && SSL_is_init_finished(serving);
	s->resumed = SSL_session_reused(serving);
	snprintf(s->version, sizeof(s->version), "%s", SSL_get_version(serving));
	snprintf(s->cipher, sizeof(s->cipher), "%s", s->ok ? SSL_get_cipher_name(serving) : "");
	SSL_get0_alpn_selected(client, &got, &got_len);
	snprintf(s->alpn_got, sizeof(s->alpn_got), "%.*s", (int)got_len,
	    got != NULL ? (const char *)got : "");
	s->session = s->ok ? session_of(client, serving) : NULL;
	/* Without this OpenSSL marks the session as one that must not be resumed. */
	SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(client);
	SSL_free(serving);
}

static void
test_versions_and_ciphers(void **state)
{
	static const struct {
		const char *sentence;
		int server_min, client_max;
		const char *ciphers;
		bool ok;
	} rows[] = {
		{ "the newest version is TLS 1.3", TLS1_2_VERSION, 0, NULL, true },
		{ "TLS 1.2 with ECDHE and AES-GCM", TLS1_2_VERSION, TLS1_2_VERSION, NULL,
		    true },
		{ "TLS 1.2 with ChaCha20", TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE+CHACHA20",
		    true },
		{ "TLS 1.2 is refused when 1.3 is the least", TLS1_3_VERSION, TLS1_2_VERSION,
		    NULL, false },
		{ "TLS 1.1 is refused", TLS1_2_VERSION, TLS1_1_VERSION, "ALL:@SECLEVEL=0",
		    false },
		{ "CBC suites are refused", TLS1_2_VERSION, TLS1_2_VERSION,
		    "ECDHE-ECDSA-AES128-SHA256", false },
		{ "RSA key exchange is refused", TLS1_2_VERSION, TLS1_2_VERSION,
		    "AES128-GCM-SHA256", false },
	};
	SSL_CTX *client = tls_client_create(TLS_VERIFY_NONE, NULL, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		SSL_CTX *ctx = server("a", rows[i].server_min);
		struct shake s = { .client_max = rows[i].client_max,
			.ciphers = rows[i].ciphers };

		shake(ctx, client, &s);
		if (s.ok != rows[i].ok)
			fail_msg("%s", rows[i].sentence);
		if (s.ok &&
		    strcmp(s.version, rows[i].client_max == 0 ? "TLSv1.3" : "TLSv1.2") != 0)
			fail_msg("%s: %s", rows[i].sentence, s.version);
		SSL_SESSION_free(s.session);
		SSL_CTX_free(ctx);
	}
	SSL_CTX_free(client);
}

static void
test_alpn(void **state)
{
	static const struct {
		const char *sentence, *offer, *got;
		bool ok;
	} rows[] = {
		{ "no ALPN is fine", NULL, "", true },
		{ "smtp is taken", "\x04smtp", "smtp", true },
		{ "smtp among others is taken", "\x08http/1.1\x04smtp", "smtp", true },
		{ "a browser is refused", "\x02h2\x08http/1.1", "", false },
		{ "imap is refused", "\x04imap", "", false },
		{ "a longer name that begins with smtp is refused", "\x05smtpx", "", false },
	};
	SSL_CTX *ctx = server("a", TLS1_2_VERSION);
	SSL_CTX *client = tls_client_create(TLS_VERIFY_NONE, NULL, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct shake s = { .alpn = rows[i].offer };

		shake(ctx, client, &s);
		if (s.ok != rows[i].ok || strcmp(s.alpn_got, rows[i].got) != 0)
			fail_msg("%s: %d %s", rows[i].sentence, s.ok, s.alpn_got);
		SSL_SESSION_free(s.session);
	}
	SSL_CTX_free(client);
	SSL_CTX_free(ctx);
}

/* resumes - a session that listener made is offered to a context made anew for another. */
static bool
resumes(const char *made_by, const char *offered_to, int version, int64_t later_s)
{
	SSL_CTX *client = tls_client_create(TLS_VERIFY_NONE, NULL, NULL);
	SSL_CTX *first = server(made_by, TLS1_2_VERSION),
		*second = server(offered_to, TLS1_2_VERSION);
	struct shake a = { .client_max = version }, b = { .client_max = version };

	clock_fake_set(1000, 1764000000 / 43200 * 43200 + 100);
	shake(first, client, &a);
	assert_true(a.ok);
	assert_false(a.resumed);
	b.offer = a.session;
	clock_fake_set(1000, 1764000000 / 43200 * 43200 + 100 + later_s);
	shake(second, client, &b);
	assert_true(b.ok);
	clock_fake_set(-1, -1);
	SSL_SESSION_free(a.session);
	SSL_SESSION_free(b.session);
	SSL_CTX_free(first);
	SSL_CTX_free(second);
	SSL_CTX_free(client);
	return b.resumed;
}

static void
test_tickets(void **state)
{
	static const struct {
		const char *sentence, *made_by, *offered_to;
		int64_t later_s;
		bool resumed;
	} rows[] = {
		{ "a ticket survives a reload", "a", "a", 0, true },
		{ "a ticket of one listener fails at another", "a", "b", 0, false },
		{ "a ticket of the last period is still good", "a", "a", 43200, true },
		{ "a ticket of the period before that is not", "a", "a", 86400, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			if (resumes(rows[i].made_by, rows[i].offered_to, version,
				rows[i].later_s) != rows[i].resumed)
				fail_msg("%s (%x)", rows[i].sentence, (unsigned)version);
		}
	}
}

static void
test_settings(void **state)
{
	SSL_CTX *ctx = server("a", TLS1_2_VERSION);

	(void)state;
	assert_true(SSL_CTX_get_options(ctx) & SSL_OP_NO_RENEGOTIATION);
	assert_true(SSL_CTX_get_options(ctx) & SSL_OP_NO_COMPRESSION);
	assert_true(SSL_CTX_get_mode(ctx) & SSL_MODE_RELEASE_BUFFERS);
	assert_int_equal(SSL_CTX_get_max_early_data(ctx), 0);
	assert_int_equal(SSL_CTX_get_session_cache_mode(ctx), SSL_SESS_CACHE_OFF);
	SSL_CTX_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_open_key),
		cmocka_unit_test(test_expired_is_a_warning),
		cmocka_unit_test(test_ca_files),
		cmocka_unit_test(test_versions_and_ciphers),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
