/* SPDX-License-Identifier: MPL-2.0 */
/* DKIM keys: which files are taken, signatures, records, the keyring. */
#include "lib/domain/dkim_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dkim_keys.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <errno.h>

static const char key_rsa_512[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIBUwIBADANBgkqhkiG9w0BAQEFAASCAT0wggE5AgEAAkEA3bldkSnkgqFj2pjX\n"
    "opAKwq3auBw4kSeO2JXF4t67rdXbcrGY8wnk4i4yt7WmAzT6X8L7a1bNEKAw6fI9\n"
    "racXAwIDAQABAkAPfB+lwLg9y0mu/ZepuceWmw+4ZfgpYwrd42/jjUysMi8PHgM4\n"
    "L5GjIqovJNQDJRgewrO21KKBD55JwXjebN3RAiEA7rzeuwKz6D34kRgUn++plqkP\n"
    "A8R27AMOBXUvdClSU0kCIQDtwZC8l6PMRuX3bwYHI/uEnBbiXjMWQt3+aPkBkPyL\n"
    "6wIgCFH0wTe65WEjhIr+TQShOGrz5wG100vX9UC8QqQeBmECIAUX7H3d0ciCjFKs\n"
    "sjhc8Pp6TZMz6WxEqnTU0uDRtldZAiBF67fb2SsU9lqTn8gyFMBHzm+17x/4A+ab\n"
    "lfy1L+qVZQ==\n"
    "-----END PRIVATE KEY-----\n";

static const char key_rsa_1024[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBANnoZktH6ZqYb2QE\n"
    "nt+HQ56t/GcCUE6FBPYx6707A+HOn0AYROBG+VUTiSLJ+pZdhWoz9gmUHMZnUwqj\n"
    "I2C3O2c0QRV+xn8xEEabXAOp6t+pwy5IfXq0Ko9VgN95NHK4vB5DtxLda1HFUSoh\n"
    "aTXaxgHDPhivWVoRbtMdtMRvUY/hAgMBAAECgYEApt6kb2PbjYrMSpCLRWvlKX/d\n"
    "ONj5vJd67DngaCHoYCSFqWSsYf+X8kGqk9yOrFVj1KeD82PcAUegvRWfAvJuZrlM\n"
    "o2AqZhyYZ5GuQzz7/PgP2/+SL0zqIK8Cy2ZFAMkakpCFg3qpWeInU5EkRKCWoamp\n"
    "3B3R3/tR4IjLz68hdBECQQDsX0R1/Ff4VEH3H/DJK1hKFeVuOZN885YlZswWb+JW\n"
    "bgVkLxxak1ARCrJD1SAQvLd8aKiAagwAMORULDleyWjVAkEA7ACfZ0KIl9lFZbao\n"
    "1rQKsQ7RqtdOIaK6MiZlwAVV0dxERCgXUcDcafQpQggh3SNPBOBLSj11CuG9S26E\n"
    "D7HQ3QJAfg+w61vRbtdA9xNJz4AWbiyPV+HNDu66POg+IBk7lOzIY03cyVGXef9C\n"
    "Y3rexw5erTMD6rij/dYVb+7GCg9QoQJAX64Y8jpNOpMByaz2YqV3uDTz2DmWGZjp\n"
    "uC9NDT6cfoq4upEucxynv+UXXQgDAq6v+KAepiiobRL8NbrGm75RmQJBANJXsIsm\n"
    "jC//p1+AScj7EFEdvi/reNtjU99zRA2l8TTU74tzMOdJf7RRnVEy9ovUi8zjgJ8T\n"
    "kK18eu6t9xND7YY=\n"
    "-----END PRIVATE KEY-----\n";

static const char key_ec[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/OJ9C7mgDGR5W2CS\n"
    "rsYp4TtkVi+ugm1Q6umTnvljGKKhRANCAARxCzwQy7btl4J+MpwUr4tNSGJx8pr2\n"
    "i5VVhKJKBEypNcHkabcqr67kicJTSLTF7nnJFs91b1G6p/PMLya9OB4r\n"
    "-----END PRIVATE KEY-----\n";

static const char key_locked[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj+WTzCLuVbBwICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEIxfhOo+KxO2ImbOdqtd5asEQPgj\n"
    "qhyPwFW6+COg1XXAgPRIKEtNSoDaVkl2ahgDzdBhJ2YkUhKfmSZdCKpccbPiQQ0N\n"
    "YVpKPucGEgLau1Jbjpc=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

struct read_case {
	const char *name, *pem;
	mode_t mode;
	const char *error;   /* part of it; NULL: the key is good */
	const char *warning; /* part of it; NULL: none */
};

static const struct read_case read_cases[] = {
	{ "an RSA key of 2048 bits is good", key_rsa_2048, 0600, NULL, NULL },
	{ "an Ed25519 key is good", key_ed25519, 0400, NULL, NULL },
	{ "the group may read", key_ed25519, 0640, NULL, NULL },
	{ "RSA of 1024 bits is warned about", key_rsa_1024, 0600, NULL, "2048" },
	{ "RSA of 512 bits is refused", key_rsa_512, 0600, "512 bits", NULL },
	{ "an elliptic curve of another kind is refused", key_ec, 0600, "neither", NULL },
	{ "a key under a passphrase is refused, not asked about", key_locked, 0600, "PEM",
	    NULL },
	{ "no key in the file", "hello\n", 0600, "PEM", NULL },
	{ "an empty file", "", 0600, "PEM", NULL },
	{ "others may read", key_ed25519, 0604, "0604", NULL },
	{ "others may write", key_ed25519, 0602, "0602", NULL },
	{ "the group may write", key_ed25519, 0660, "0660", NULL },
};

static void
test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
		const struct read_case *c = &read_cases[i];
		char warning[160];
		struct err err = { 0 };
		struct dkim_key *key = key_of(c->pem, c->mode, warning, &err);

		if ((key != NULL) != (c->error == NULL))
			fail_msg("%s: %s", c->name, err.text);
		if (c->error != NULL && strstr(err.text, c->error) == NULL)
			fail_msg("%s: the error is \"%s\"", c->name, err.text);
		if (c->error != NULL)
			assert_int_equal(err.kind, ERR_CONFIG);
		if (c->warning != NULL && strstr(warning, c->warning) == NULL)
			fail_msg("%s: the warning is \"%s\"", c->name, warning);
		if (c->warning == NULL)
			assert_string_equal(warning, "");
		dkim_key_destroy(&key);
		assert_null(key);
	}
}

static void
test_read_files_that_are_none(void **state)
{
	char warning[160];
	struct err err = { 0 };

	(void)state;
	assert_null(dkim_key_read("/nonexistent/key.pem", warning, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.text, "/nonexistent/key.pem"));
	assert_null(dkim_key_read("/tmp", warning, &err));
	assert_non_null(strstr(err.text, "regular file"));
}

static void
test_owner(void **state)
{
	char path[] = "/tmp/gatepost-key-XXXXXX", warning[160];
	const uid_t somebody = 12345;
	struct err err = { 0 };
	struct dkim_key *key;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can give a file away */
	close(mkstemp(path));
	write_key_file(path, key_ed25519, 0600);
	assert_int_equal(chown(path, somebody, (gid_t)-1), 0);
	assert_null(dkim_key_read(path, warning, &err));
	assert_non_null(strstr(err.text, "12345"));
	assert_null(dkim_key_read_for(path, somebody + 1, warning, &err));
	key = dkim_key_read_for(path, somebody, warning, &err);
	assert_non_null(key);
	dkim_key_destroy(&key);
	key = dkim_key_read_made(path, somebody, warning, &err);
	assert_non_null(key);
	dkim_key_destroy(&key);
	assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	key = dkim_key_read_for(path, somebody, warning, &err);
	assert_non_null(key);
	dkim_key_destroy(&key);
	assert_null(dkim_key_read_made(path, somebody, warning, &err)); /* perhaps a link */
	assert_non_null(strstr(err.text, "must be the user that serves"));
	unlink(path);
}

/* The public half, read from the PEM by OpenSSL alone. */
static bool
openssl_verifies(
    const char *pem, const unsigned char *hash, const unsigned char *signature, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	bool ok;

	BIO_free(bio);
	if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
		ok = EVP_PKEY_verify_init(ctx) > 0 &&
		     EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
		     EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
		     EVP_PKEY_verify(ctx, signature, len, hash, 32) == 1;
		EVP_PKEY_CTX_free(ctx);
	} else {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) > 0 &&
		     EVP_DigestVerify(ctx, signature, len, hash, 32) == 1;
		EVP_MD_CTX_free(ctx);
	}
	EVP_PKEY_free(pkey);
	return ok;
}

static void
test_sign_hash(void **state)
{
	static const char *const pems[] = { key_rsa_2048, key_ed25519 };
	static const size_t lengths[] = { 256, 64 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pems); i++) {
		struct dkim_key *key = good_key(pems[i]);
		unsigned char hash[32], signature[1024];
		size_t len = 0;

		for (size_t j = 0; j < sizeof(hash); j++)
			hash[j] = (unsigned char)(j * 7 + i);
		assert_true(dkim_key_sign_hash(key, hash, signature, &len, NULL));
		assert_int_equal(len, lengths[i]);
		assert_true(openssl_verifies(pems[i], hash, signature, len));
		hash[31] ^= 1;
		assert_false(openssl_verifies(pems[i], hash, signature, len));
		dkim_key_destroy(&key);
	}
}

static void
test_record(void **state)
{
	struct dkim_key *key = good_key(key_ed25519);
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	assert_true(dkim_key_record(key, &out));
	/* RFC 8463 A.2 */
	assert_true(view_eq(buf_view(&out),
	    VIEW("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")));
	dkim_key_destroy(&key);

	key = good_key(key_rsa_2048);
	buf_clear(&out);
	assert_true(dkim_key_record(key, &out));
	assert_int_equal(out.len, strlen("v=DKIM1; k=rsa; p=") + 392);
	assert_true(
	    view_starts(buf_view(&out), VIEW("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0B")));
	buf_finish(&out);

	buf_init(&out, 64); /* a buffer that is too small is left as it was */
	assert_true(buf_add_str(&out, "x"));
	assert_false(dkim_key_record(key, &out));
	assert_true(view_eq(buf_view(&out), VIEW("x")));
	buf_finish(&out);
	dkim_key_destroy(&key);
}

static void
test_zone_line(void **state)
{
	struct buf out;
	char text[512];
	struct view record = view_make(text, 511), string;

	(void)state;
	buf_init(&out, 4096);
	assert_true(dkim_record_zone_line("b.example", "s", VIEW("v=DKIM1; p=\"\\"), &out));
	assert_true(view_eq(buf_view(&out),
	    VIEW("s._domainkey.b.example. IN TXT ( \"v=DKIM1; p=\\\"\\\\\" )")));
	buf_finish(&out);

	memset(text, 'a', sizeof(text)); /* 511 octets are 255 + 255 + 1 */
	assert_true(dkim_record_string(&record, &string));
	assert_int_equal(string.len, 255);
	assert_true(dkim_record_string(&record, &string));
	assert_int_equal(string.len, 255);
	assert_true(dkim_record_string(&record, &string));
	assert_int_equal(string.len, 1);
	assert_false(dkim_record_string(&record, &string));
}

static void
test_generate(void **state)
{
	char folder[] = "/tmp/gatepost-keys-XXXXXX", path[64], warning[160];
	const enum dkim_algorithm algorithms[] = { DKIM_RSA_SHA256, DKIM_ED25519_SHA256 };
	struct err err = { 0 };
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/k.pem", folder);
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		assert_true(dkim_key_generate(algorithms[i], 1024, path, &err));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		struct dkim_key *key = dkim_key_read(path, warning, &err);
		assert_non_null(key);
		assert_int_equal(dkim_key_algorithm(key), algorithms[i]);
		dkim_key_destroy(&key);

		assert_false(dkim_key_generate(algorithms[i], 1024, path, &err));
		assert_int_equal(err.errnum, EEXIST);
		assert_int_equal(stat(path, &st), 0); /* and the first one is still there */
		unlink(path);
	}
	assert_false(dkim_key_generate(DKIM_RSA_SHA256, 512, path, &err));
	assert_false(dkim_key_generate(DKIM_RSA_SHA256, 9000, path, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_int_not_equal(stat(path, &st), 0);
	rmdir(folder);
	assert_false(dkim_key_generate(DKIM_ED25519_SHA256, 0, path, &err));
	assert_int_equal(err.kind, ERR_IO);
}

static void
test_selectors(void **state)
{
	static const char *const good[] = { "a", "2026a", "a-b", "a.b", "mail_1", "1.2.3" };
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b",
		"a-.b", "a b", "a;b", "a=b", "\xc3\xa4", "a\n", "_a",
		"1234567890123456789012345678901234567890123456789012345678901234" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!dkim_selector_is_valid(view_of(good[i])))
			fail_msg("\"%s\" is good", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (dkim_selector_is_valid(view_of(bad[i])))
			fail_msg("\"%s\" is bad", bad[i]);
	}
}

struct find_case {
	const char *domain;
	bool parents;
	const char *found;
};

static const struct find_case find_cases[] = {
	{ "example.com", false, "example.com" },
	{ "sub.example.com", false, NULL },
	{ "sub.example.com", true, "example.com" },
	{ "a.b.sub.example.com", true, "example.com" },
	{ "mail.example.org", true, "mail.example.org" },
	{ "x.mail.example.org", true, "mail.example.org" },
	{ "other.example.org", true, NULL },
	{ "notexample.com", true, NULL },
	{ "com", true, NULL },
	{ "", true, NULL },
	{ "xn--mller-kva.example", false, "xn--mller-kva.example" },
};

static void
test_keyring_find(void **state)
{
	static const char *const domains[] = { "mail.example.org", "Example.COM", "a.example",
		"m\xc3\xbcller.example", "zz.example" };
	struct dkim_keyring *ring = dkim_keyring_create();
	struct err err = { 0 };

	(void)state;
	assert_int_equal(dkim_keyring_count(ring), 0);
	assert_null(dkim_keyring_find(ring, "example.com", true));
	for (size_t i = 0; i < ARRAY_LEN(domains); i++)
		assert_true(
		    dkim_keyring_add(ring, domains[i], "s", good_key(key_ed25519), &err));
	assert_int_equal(dkim_keyring_count(ring), ARRAY_LEN(domains));
	for (size_t i = 0; i < ARRAY_LEN(find_cases); i++) {
		const struct find_case *c = &find_cases[i];
		const struct dkim_domain *d = dkim_keyring_find(ring, c->domain, c->parents);

		if ((d != NULL) != (c->found != NULL) ||
		    (d != NULL && strcmp(d->name, c->found) != 0))
			fail_msg("%s: found %s", c->domain, d != NULL ? d->name : "none");
	}
	dkim_keyring_destroy(&ring);
	assert_null(ring);
	dkim_keyring_destroy(&ring);
}

static void
test_keyring_add_refuses(void **state)
{
	struct dkim_keyring *ring = dkim_keyring_create();
	struct err err = { 0 };
	const struct dkim_domain *domain;

	(void)state;
	assert_false(dkim_keyring_add(ring, "no domain", "s", good_key(key_ed25519), &err));
	assert_non_null(strstr(err.text, "no domain"));
	assert_false(dkim_keyring_add(ring, "a.example", "s;", good_key(key_ed25519), &err));
	assert_non_null(strstr(err.text, "s;"));
	assert_true(dkim_keyring_add(ring, "a.example", "s0", good_key(key_ed25519), &err));
	assert_false(dkim_keyring_add(ring, "A.example", "S0", good_key(key_ed25519), &err));
	assert_non_null(strstr(err.text, "already"));
	for (int i = 1; i < DKIM_SELECTORS_MAX; i++) {
		const char selector[] = { 's', (char)('0' + i), '\0' };
		assert_true(
		    dkim_keyring_add(ring, "a.example", selector, good_key(key_ed25519), &err));
	}
	assert_false(dkim_keyring_add(ring, "a.example", "s9", good_key(key_ed25519), &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	domain = dkim_keyring_find(ring, "a.example", false);
	assert_int_equal(domain->selector_count, DKIM_SELECTORS_MAX);
	assert_string_equal(domain->selectors[7].selector, "s7");
	dkim_keyring_destroy(&ring);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_files_that_are_none),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_sign_hash),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_zone_line),
		cmocka_unit_test(test_generate),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_keyring_find),
		cmocka_unit_test(test_keyring_add_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
