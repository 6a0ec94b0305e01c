/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests of verification: a DKIM signature with any tags at all over a message, made
 * from the text of RFC 6376 and by OpenSSL alone (dkim_check.h), with keys that signing would
 * refuse too. Include behind cmocka.h and dkim_keys.h.
 */
#ifndef GATEPOST_TESTS_DKIM_MAKE_H
#define GATEPOST_TESTS_DKIM_MAKE_H

#include "tests/unit/dkim_check.h"

/* 512 bits: nobody should accept it. */
static const char key_rsa_512[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEAsJgueEJ/RVAdAcnz\n"
    "WlUbOAMIukFquIcOi9A0YamahxEMqP413AIIZ2u9cujuzwFx4Gfm02mcEE71XmeM\n"
    "68XeuwIDAQABAkA2Upn45HvCFqLVqgnx/7wfvs8wfG8X1HPlDmcOo92lLlagYukl\n"
    "BpcLSj4tFO3qdIq6kKkAjcXGh0XcfI17/pYBAiEA2MbgLJKVmHFJfv1CMQTB8P42\n"
    "4eSxvEe0FAXWgqyW1W0CIQDQjA2pSaFQCgdOAtF4t+5e9vlN21SlAvQeqC4rqX5z\n"
    "xwIhAIGecR7Vy3NqkerH3pNW5+yE5SYvTANr0IaEcx6RumMFAiA2xVGhMFFJcBjT\n"
    "CDJzffsAveRj6kKkw83Rb2IQ3Yb0aQIgSzb8EEl+qblnPSgK/0CpoRGlprBsc1xR\n"
    "tiizk5z7qp4=\n"
    "-----END PRIVATE KEY-----\n";
#define KEY_RSA_512_RECORD                                                                    \
	"p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALCYLnhCf0VQHQHJ81pVGzgDCLpBariHDovQNGGpmocRDKj+N" \
	"dwCCGdrvXLo7s8BceBn5tNpnBBO9V5njOvF3rsCAwEAAQ=="

static inline size_t
make_sign_hash(const char *pem, const unsigned char hash[32], unsigned char out[1024])
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	size_t len = 1024;

	if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
		assert_true(EVP_PKEY_sign_init(ctx) > 0 &&
			    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
			    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
			    EVP_PKEY_sign(ctx, out, &len, hash, 32) > 0);
		EVP_PKEY_CTX_free(ctx);
	} else {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		assert_true(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) > 0 &&
			    EVP_DigestSign(ctx, out, &len, hash, 32) > 0);
		EVP_MD_CTX_free(ctx);
	}
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	return len;
}

/*
 * make_signed_bare - into out: a DKIM-Signature with these tags, bh= among them (behind them
 * comes b=), and below it the message.
 */
static inline void
make_signed_bare(struct buf *out, const char *tags, const char *text, const char *pem)
{
	static struct check_message m;
	unsigned char hash[32], signature[1024], encoded[1500];
	struct buf field, tag, header;
	struct view rest, name;

	check_split(view_of(text), &m);
	buf_init(&field, 65536);
	buf_init(&tag, 65536);
	buf_init(&header, 4 << 20);
	assert_true(buf_printf(&field, "DKIM-Signature: %s; b=\r\n", tags));
	const bool relaxed = strstr(tags, "c=relaxed") != NULL;
	check_tag(buf_view(&field), "h", &tag);
	rest = buf_view(&tag);
	while (view_split(&rest, ':', &name))
		check_take_field(&m, name, relaxed, &header);
	check_field(relaxed, buf_view(&field), false, &header);
	SHA256((const unsigned char *)header.p, header.len, hash);
	EVP_EncodeBlock(encoded, signature, (int)make_sign_hash(pem, hash, signature));
	field.len -= 2;
	assert_true(buf_add_view(out, buf_view(&field)) &&
		    buf_printf(out, "%s\r\n", (char *)encoded) && buf_add_str(out, text));
	buf_finish(&field);
	buf_finish(&tag);
	buf_finish(&header);
}

/*
 * make_signed - the same, with the bh= of signed_body (NULL: of the message's body) behind the
 * tags.
 */
static inline void
make_signed(struct buf *out, const char *tags, const char *text, const char *signed_body,
    const char *pem)
{
	static struct check_message m;
	unsigned char hash[32], encoded[64];
	struct buf all;

	check_split(view_of(text), &m);
	check_body_hash(strstr(tags, "/relaxed") != NULL,
	    signed_body != NULL ? view_of(signed_body) : m.body, hash);
	EVP_EncodeBlock(encoded, hash, 32);
	buf_init(&all, 65536);
	assert_true(
	    buf_printf(&all, "%s; bh=%s", tags, (char *)encoded) && buf_add_char(&all, '\0'));
	make_signed_bare(out, all.p, text, pem);
	buf_finish(&all);
}

#endif
