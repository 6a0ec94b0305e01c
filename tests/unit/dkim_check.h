/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A second opinion for unit tests: verifies a DKIM signature from the text of RFC 6376 and by
 * OpenSSL alone, slowly and plainly, sharing no code with what made it. Takes what this house
 * makes ("b=" last, no l=). Include behind cmocka.h and dkim_keys.h.
 */
#ifndef GATEPOST_TESTS_DKIM_CHECK_H
#define GATEPOST_TESTS_DKIM_CHECK_H

#include "lib/base/buf.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#define CHECK_FIELDS_MAX 2100

struct check_message {
	struct view fields[CHECK_FIELDS_MAX]; /* with CRLF */
	bool used[CHECK_FIELDS_MAX];
	size_t count;
	struct view body;
};

static inline void
check_split(struct view text, struct check_message *out)
{
	size_t at = 0;

	memset(out, 0, sizeof(*out));
	while (at < text.len && memcmp(text.p + at, "\r\n", 2) != 0) {
		size_t end = at;

		do {
			end += view_find(view_from(text, end), '\n') + 1;
		} while (end < text.len && (text.p[end] == ' ' || text.p[end] == '\t'));
		assert_true(out->count < CHECK_FIELDS_MAX);
		out->fields[out->count++] = view_make(text.p + at, end - at);
		at = end;
	}
	out->body = view_from(text, at + 2);
}

static inline bool
check_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 6376 3.4.2; with_crlf false is for the signature itself. */
static inline void
check_relaxed_field(struct view field, bool with_crlf, struct buf *out)
{
	size_t colon = view_find(field, ':');
	struct view name = view_trim(view_make(field.p, colon));
	struct view value = view_trim(view_from(field, colon + 1));
	bool blank = false;

	for (size_t i = 0; i < name.len; i++)
		assert_true(buf_add_char(out, ascii_lower(name.p[i])));
	assert_true(buf_add_char(out, ':'));
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (c == '\r' || c == '\n')
			continue;
		if (check_is_blank(c)) {
			blank = true;
			continue;
		}
		if (blank)
			assert_true(buf_add_char(out, ' '));
		blank = false;
		assert_true(buf_add_char(out, c));
	}
	if (with_crlf)
		assert_true(buf_add_str(out, "\r\n"));
}

static inline void
check_field(bool relaxed, struct view field, bool with_crlf, struct buf *out)
{
	if (relaxed)
		check_relaxed_field(field, with_crlf, out);
	else
		assert_true(buf_add(out, field.p, field.len - (with_crlf ? 0 : 2)));
}

/* RFC 6376 3.4.3, 3.4.4. */
static inline void
check_body_hash(bool relaxed, struct view body, unsigned char hash_out[32])
{
	struct buf out;
	size_t at = 0;

	buf_init(&out, body.len + 4);
	while (at < body.len) {
		size_t end = at + view_find(view_from(body, at), '\r');

		for (size_t i = at; i < end; i++) {
			bool last = i + 1 == end || check_is_blank(body.p[i + 1]);

			if (!relaxed || !check_is_blank(body.p[i]))
				assert_true(buf_add_char(&out, body.p[i]));
			else if (!last)
				assert_true(buf_add_char(&out, ' '));
		}
		assert_true(buf_add_str(&out, "\r\n"));
		at = end + 2;
	}
	while (out.len >= 4 && memcmp(out.p + out.len - 4, "\r\n\r\n", 4) == 0)
		out.len -= 2;
	if (out.len == 2 && memcmp(out.p, "\r\n", 2) == 0)
		out.len = 0;
	if (out.len == 0 && !relaxed)
		assert_true(buf_add_str(&out, "\r\n"));
	SHA256((const unsigned char *)buf_view(&out).p, out.len, hash_out);
	buf_finish(&out);
}

/* The value of a tag without any white space, in out. */
static inline void
check_tag(struct view field, const char *name, struct buf *out)
{
	struct view rest = view_from(field, view_find(field, ':') + 1), piece;

	buf_clear(out);
	while (view_split(&rest, ';', &piece)) {
		size_t equals = view_find(piece, '=');

		if (!view_eq(view_trim(view_make(piece.p, equals)), view_of(name)))
			continue;
		for (size_t i = equals + 1; i < piece.len; i++) {
			if (strchr(" \t\r\n", piece.p[i]) == NULL)
				assert_true(buf_add_char(out, piece.p[i]));
		}
	}
	assert_true(buf_add_char(out, '\0')); /* for strcmp: not counted */
	out->len--;
}

/* RFC 6376 5.4.2: the last field of that name that is not used yet. */
static inline void
check_take_field(struct check_message *m, struct view name, bool relaxed, struct buf *out)
{
	for (size_t i = m->count; i-- > 0;) {
		size_t colon = view_find(m->fields[i], ':');

		if (m->used[i] ||
		    !view_eq_nocase(view_trim(view_make(m->fields[i].p, colon)), name))
			continue;
		m->used[i] = true;
		check_field(relaxed, m->fields[i], true, out);
		return;
	}
}

static inline bool
check_signature(const char *pem, const unsigned char hash[32], struct view base64)
{
	unsigned char *signature = malloc(base64.len + 4);
	int len = EVP_DecodeBlock(signature, (const unsigned char *)base64.p, (int)base64.len);
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	bool ok;

	assert_true(len > 0);
	for (size_t i = base64.len; i-- > 0 && base64.p[i] == '=';)
		len--;
	if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
		ok = EVP_PKEY_verify_init(ctx) > 0 &&
		     EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
		     EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
		     EVP_PKEY_verify(ctx, signature, (size_t)len, hash, 32) == 1;
		EVP_PKEY_CTX_free(ctx);
	} else {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) > 0 &&
		     EVP_DigestVerify(ctx, signature, (size_t)len, hash, 32) == 1;
		EVP_MD_CTX_free(ctx);
	}
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	free(signature);
	return ok;
}

/* check_dkim - NULL: the signature in field number index holds; else what does not. */
static inline const char *
check_dkim(struct view text, size_t index, const char *pem)
{
	static struct check_message m;
	struct buf tag, header;
	unsigned char hash[32], encoded[64];
	const char *wrong = NULL;

	check_split(text, &m);
	buf_init(&tag, 65536);
	buf_init(&header, 4 << 20);

	struct view field = m.fields[index], rest, name;
	check_tag(field, "c", &tag);
	const bool header_relaxed = view_starts(buf_view(&tag), VIEW("relaxed/"));
	const bool body_relaxed = view_ends_nocase(buf_view(&tag), VIEW("/relaxed"));

	check_body_hash(body_relaxed, m.body, hash);
	EVP_EncodeBlock(encoded, hash, 32);
	check_tag(field, "bh", &tag);
	if (strcmp(tag.p, (const char *)encoded) != 0)
		wrong = "bh=";

	check_tag(field, "h", &tag);
	rest = buf_view(&tag);
	while (view_split(&rest, ':', &name))
		check_take_field(&m, name, header_relaxed, &header);
	size_t b = field.len;
	while (b > 2 && memcmp(field.p + b - 3, "\tb=", 3) != 0)
		b--;
	struct buf bare;
	buf_init(&bare, 65536);
	assert_true(buf_add(&bare, field.p, b) && buf_add_str(&bare, "\r\n"));
	check_field(header_relaxed, buf_view(&bare), false, &header);
	SHA256((const unsigned char *)header.p, header.len, hash);
	check_tag(field, "b", &tag);
	if (wrong == NULL && !check_signature(pem, hash, buf_view(&tag)))
		wrong = "b=";
	buf_finish(&bare);
	buf_finish(&tag);
	buf_finish(&header);
	return wrong;
}

#endif
