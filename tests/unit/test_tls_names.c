/* SPDX-License-Identifier: MPL-2.0 */
/* lib/net/tls_names: which certificate a client gets for the name that it asks for. */
#include "lib/base/view.h"
#include "lib/net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/certs.h"

static struct certs certs;
static char ca_file[160];
static struct cert_files standard, wild, exact, again, under;

static int
set_up(void **state)
{
	(void)state;
	certs_create(&certs, ca_file);
	certs_issue(&certs, "standard", "gate.example.com", 100, &standard);
	certs_issue(&certs, "wild", "*.example.org", 100, &wild);
	certs_issue(&certs, "exact", "mail.example.org", 100, &exact);
	certs_issue(&certs, "again", "mail.example.org", 100, &again);
	certs_issue(&certs, "under", "*.mail.example.org", 100, &under);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	certs_destroy(&certs);
	return 0;
}

static struct tls_server_config
config_of(const struct cert_files *files)
{
	return (struct tls_server_config){
		.certificate = files->certificate, .key = files->key, .listener = "x"
	};
}

static SSL_CTX *
server(const struct cert_files *const *more, size_t count)
{
	struct tls_server_config config = config_of(&standard);
	struct err err = { .kind = ERR_NONE };
	SSL_CTX *ctx = tls_server_create(&config, &err);

	assert_non_null(ctx);
	for (size_t i = 0; i < count; i++) {
		config = config_of(more[i]);
		if (!tls_server_add(ctx, &config, &err))
			fail_msg("%s", err.text);
	}
	return ctx;
}

/* shown_is - does a client that asks for name (NULL: for none) get that file's certificate? */
static bool
shown_is(SSL_CTX *server_ctx, const char *name, const struct cert_files *files)
{
	SSL_CTX *client_ctx = tls_client_create(TLS_VERIFY_NONE, NULL, NULL);
	SSL *client = SSL_new(client_ctx), *serving = SSL_new(server_ctx);
	FILE *f = fopen(files->certificate, "r");
	X509 *wanted = PEM_read_X509(f, NULL, NULL, NULL);
	BIO *a, *b;
	char text[256];
	bool same;

	assert_int_equal(BIO_new_bio_pair(&a, 65536, &b, 65536), 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(serving, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(serving);
	if (name != NULL) {
		snprintf(text, sizeof(text), "%s", name);
		assert_int_equal(SSL_set_tlsext_host_name(client, text), 1);
	}
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(serving);
	}
	assert_true(SSL_is_init_finished(client));
	same = X509_cmp(SSL_get0_peer_certificate(client), wanted) == 0;
	X509_free(wanted);
	fclose(f);
	SSL_free(client);
	SSL_free(serving);
	SSL_CTX_free(client_ctx);
	return same;
}

static void
test_which_certificate(void **state)
{
	static const struct cert_files *const more[] = { &wild, &exact, &again, &under };
	const struct {
		const char *sentence, *name;
		const struct cert_files *shown;
	} rows[] = {
		{ "no name: the default", NULL, &standard },
		{ "the default's own name", "gate.example.com", &standard },
		{ "a name that nobody has: the default", "example.net", &standard },
		{ "the full name goes before a wildcard that stands first", "mail.example.org",
		    &exact },
		{ "case does not count", "Mail.EXAMPLE.org", &exact },
		{ "a wildcard", "imap.example.org", &wild },
		{ "a wildcard stands for one label, not for two", "a.b.example.org",
		    &standard },
		{ "a wildcard does not stand for none", "example.org", &standard },
		{ "a wildcard under another name", "a.mail.example.org", &under },
		{ "an empty label is none that a wildcard stands for", ".example.org",
		    &standard },
		{ "a wildcard asked for by its star", "*.example.org", &wild },
		{ "a dot alone", ".", &standard },
	};
	SSL_CTX *ctx = server(more, ARRAY_LEN(more));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!shown_is(ctx, rows[i].name, rows[i].shown))
			fail_msg("%s", rows[i].sentence);
	}
	SSL_CTX_free(ctx);
}

static void
test_a_name_of_255_octets_is_looked_up(void **state)
{
	static const struct cert_files *const more[] = { &wild };
	SSL_CTX *ctx = server(more, 1);
	char name[256];

	(void)state;
	memset(name, 'a', 255);
	name[255] = '\0';
	memcpy(name + 255 - strlen(".example.org"), ".example.org", strlen(".example.org"));
	assert_true(shown_is(ctx, name, &wild));
	SSL_CTX_free(ctx);
}

static void
test_bad_additions(void **state)
{
	const struct {
		const char *sentence, *certificate, *key, *reason;
	} rows[] = {
		{ "a key of another certificate", exact.certificate, wild.key, "fit" },
		{ "a file that is not there", "/nonexistent/c.pem", exact.key,
		    "/nonexistent/c.pem" },
		{ "an authority's certificate, which names no host", ca_file, NULL,
		    "no host name" },
	};
	struct tls_server_config config = config_of(&standard);
	SSL_CTX *ctx = tls_server_create(&config, NULL);
	char ca_key[160];
	FILE *f;

	(void)state;
	certs_path(&certs, "ca.key", ca_key);
	f = fopen(ca_key, "w");
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_int_equal(PEM_write_PrivateKey(f, certs.ca_key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { .kind = ERR_NONE };

		config.certificate = rows[i].certificate;
		config.key = rows[i].key != NULL ? rows[i].key : ca_key;
		if (tls_server_add(ctx, &config, &err))
			fail_msg("%s is taken", rows[i].sentence);
		assert_int_equal(err.kind, ERR_CONFIG);
		if (strstr(err.text, rows[i].reason) == NULL)
			fail_msg("%s: %s", rows[i].sentence, err.text);
	}
	assert_true(shown_is(ctx, "mail.example.org", &standard));
	SSL_CTX_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_certificate),
		cmocka_unit_test(test_a_name_of_255_octets_is_looked_up),
		cmocka_unit_test(test_bad_additions),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
