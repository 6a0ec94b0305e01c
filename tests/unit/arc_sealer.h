/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests: puts ARC sets on a message. The hashes come from lib/domain/canon.c; that
 * those are right is shown in test_canon.c and by the interop tests. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_ARC_SEALER_H
#define GATEPOST_TESTS_ARC_SEALER_H

#include "lib/base/base64.h"
#include "lib/domain/canon.h"
#include "lib/domain/dkim_key.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/message_fixture.h"

#define SEALER_TEXT_MAX (1 << 20)

/* One set; what is NULL has its default. */
struct seal_spec {
	const char *aar;       /* "mx.example.net; dmarc=pass header.from=example.com" */
	const char *canon;     /* "relaxed/relaxed" */
	const char *names;     /* "from:to:subject" */
	const char *algorithm; /* "rsa-sha256" */
	const char *cv;	       /* "none", "pass" */
	const char *domain;    /* "sealN.example" */
	const char *ams_tags, *seal_tags; /* further ones: "t=1; " */
};

struct sealer {
	struct dkim_key *keys[2]; /* RSA, Ed25519 */
	struct buf records[2];
};

static inline void
sealer_init(struct sealer *s)
{
	char folder[] = "/tmp/gatepost-test-XXXXXX", path[64], warning[160];

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/key.pem", folder);
	for (int i = 0; i < 2; i++) {
		assert_true(dkim_key_generate(
		    i == 0 ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256, 1024, path, NULL));
		s->keys[i] = dkim_key_read(path, warning, NULL);
		assert_non_null(s->keys[i]);
		buf_init(&s->records[i], 4096);
		assert_true(dkim_key_record(s->keys[i], &s->records[i]));
		assert_true(buf_add_char(&s->records[i], '\0'));
		unlink(path);
	}
	rmdir(folder);
}

static inline void
sealer_finish(struct sealer *s)
{
	for (int i = 0; i < 2; i++) {
		dkim_key_destroy(&s->keys[i]);
		buf_finish(&s->records[i]);
	}
}

static inline void
sealer_sink(void *context, struct view piece)
{
	assert_int_equal(EVP_DigestUpdate(context, piece.p, piece.len), 1);
}

static inline EVP_MD_CTX *
sealer_hash_begin(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestInit_ex(md, EVP_sha256(), NULL), 1);
	return md;
}

static inline void
sealer_hash_end(EVP_MD_CTX *md, unsigned char out[32])
{
	assert_int_equal(EVP_DigestFinal_ex(md, out, NULL), 1);
	EVP_MD_CTX_free(md);
}

static inline void
sealer_base64(const unsigned char *p, size_t len, char *out, size_t room)
{
	size_t out_len;

	assert_true(base64_encode(view_make((const char *)p, len), out, room - 1, &out_len));
	out[out_len] = '\0';
}

/* The octets behind the last "b=" of the topmost field: none yet. */
static inline struct view
sealer_b(const struct message *m)
{
	const struct header_field *field = message_field(m, 0);

	return view_from(field->body, field->body.len);
}

static inline void
sealer_sign(struct sealer *s, const struct seal_spec *spec, const unsigned char hash[32],
    char *out, size_t room)
{
	unsigned char signature[1024];
	size_t len;
	const bool ed25519 =
	    spec->algorithm != NULL && strcmp(spec->algorithm, "ed25519-sha256") == 0;

	assert_true(dkim_key_sign_hash(s->keys[ed25519], hash, signature, &len, NULL));
	sealer_base64(signature, len, out, room);
}

static inline const char *
sealer_or(const char *text, const char *fallback)
{
	return text != NULL ? text : fallback;
}

/* "from:to" : the lowest field of each name that is not taken. */
static inline void
sealer_hash_names(const struct message *m, const char *names, bool relaxed, EVP_MD_CTX *md)
{
	bool taken[200] = { false };
	struct view rest = view_of(names), name;

	while (view_split(&rest, ':', &name)) {
		for (size_t i = message_field_count(m); i > 0; i--) {
			if (taken[i - 1] ||
			    !view_eq_nocase(message_field(m, i - 1)->name, view_trim(name)))
				continue;
			taken[i - 1] = true;
			canon_field(message_field(m, i - 1), relaxed, sealer_sink, md);
			break;
		}
	}
}

/* text with an AAR and an AMS on top; the caller frees. */
static inline char *
sealer_add_signature(
    struct sealer *s, const char *text, unsigned instance, const struct seal_spec *spec)
{
	char *out = malloc(SEALER_TEXT_MAX), base64[1400];
	const char *canon = sealer_or(spec->canon, "relaxed/relaxed");
	const char *names = sealer_or(spec->names, "from:to:subject");
	unsigned char hash[32];
	char domain[80];
	struct message *m = message_of(text);
	EVP_MD_CTX *md = sealer_hash_begin();
	int len;

	snprintf(domain, sizeof(domain), "seal%u.example", instance);
	canon_body(message_body(m), strstr(canon, "/relaxed") != NULL, sealer_sink, md);
	sealer_hash_end(md, hash);
	sealer_base64(hash, 32, base64, sizeof(base64));
	len = snprintf(out, SEALER_TEXT_MAX,
	    "ARC-Message-Signature: i=%u; a=%s; c=%s; d=%s; s=s; %sh=%s; bh=%s; b=", instance,
	    sealer_or(spec->algorithm, "rsa-sha256"), canon, sealer_or(spec->domain, domain),
	    sealer_or(spec->ams_tags, ""), names, base64);
	message_destroy(&m);
	snprintf(out + len, SEALER_TEXT_MAX - (size_t)len, "\r\n%s", text);
	m = message_of(out);
	md = sealer_hash_begin();
	sealer_hash_names(m, names, strncmp(canon, "relaxed", 7) == 0, md);
	canon_signature(message_field(m, 0), sealer_b(m), strncmp(canon, "relaxed", 7) == 0,
	    sealer_sink, md);
	sealer_hash_end(md, hash);
	message_destroy(&m);
	sealer_sign(s, spec, hash, base64, sizeof(base64));
	len += snprintf(out + len, SEALER_TEXT_MAX - (size_t)len, "%s\r\n", base64);
	snprintf(out + len, SEALER_TEXT_MAX - (size_t)len,
	    "ARC-Authentication-Results: i=%u; %s\r\n%s", instance,
	    sealer_or(spec->aar, "mx.example.net; dmarc=pass header.from=example.com"), text);
	return out;
}

static inline const struct header_field *
sealer_find(const struct message *m, const char *name, unsigned instance)
{
	char start[16];

	snprintf(start, sizeof(start), "i=%u;", instance);
	for (size_t i = message_find(m, name, 0); i != SIZE_MAX;
	     i = message_find(m, name, i + 1)) {
		struct view body = view_trim(message_field(m, i)->body);

		if (view_starts(body, view_of(start)))
			return message_field(m, i);
	}
	fail_msg("no %s of instance %u", name, instance);
	return NULL;
}

/* text with a whole set on top; the caller frees. */
static inline char *
sealer_seal(struct sealer *s, const char *text, unsigned instance, const struct seal_spec *spec)
{
	char *signed_text = sealer_add_signature(s, text, instance, spec);
	char *out = malloc(SEALER_TEXT_MAX), base64[1400], domain[80];
	unsigned char hash[32];
	int len;

	snprintf(domain, sizeof(domain), "seal%u.example", instance);
	len = snprintf(out, SEALER_TEXT_MAX,
	    "ARC-Seal: i=%u; a=%s; cv=%s; d=%s; s=s; %sb=", instance,
	    sealer_or(spec->algorithm, "rsa-sha256"),
	    sealer_or(spec->cv, instance == 1 ? "none" : "pass"),
	    sealer_or(spec->domain, domain), sealer_or(spec->seal_tags, ""));
	snprintf(out + len, SEALER_TEXT_MAX - (size_t)len, "\r\n%s", signed_text);

	struct message *m = message_of(out);
	EVP_MD_CTX *md = sealer_hash_begin();
	for (unsigned i = 1; i <= instance; i++) {
		canon_field(
		    sealer_find(m, "ARC-Authentication-Results", i), true, sealer_sink, md);
		canon_field(sealer_find(m, "ARC-Message-Signature", i), true, sealer_sink, md);
		if (i < instance)
			canon_field(sealer_find(m, "ARC-Seal", i), true, sealer_sink, md);
	}
	canon_signature(message_field(m, 0), sealer_b(m), true, sealer_sink, md);
	sealer_hash_end(md, hash);
	message_destroy(&m);
	sealer_sign(s, spec, hash, base64, sizeof(base64));
	snprintf(out + len, SEALER_TEXT_MAX - (size_t)len, "%s\r\n%s", base64, signed_text);
	free(signed_text);
	return out;
}

/* For a group of tests: one sealer, whose keys take a while to make. */
static struct sealer sealer;

static inline int
sealer_set_up(void **state)
{
	(void)state;
	sealer_init(&sealer);
	return 0;
}

static inline int
sealer_tear_down(void **state)
{
	(void)state;
	sealer_finish(&sealer);
	return 0;
}

#endif
