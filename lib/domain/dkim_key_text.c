/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Published DKIM keys: see dkim_key_text.h. What a record says is read here, once and strictly,
 * for verification, for the look at our own keys, and for check-domain; RSA keys are written
 * anew in one form, so that whoever gets them later sees nothing of what was published.
 */
#include "lib/domain/dkim_key_text.h"

#include "lib/base/base64.h"
#include "lib/base/buf.h"
#include "lib/domain/dkim_key.h"
#include "lib/domain/tag_list.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define ED25519_OCTETS 32
#define RECORD_MAX     4096 /* octets of the record of one of our own keys */

static enum dkim_key_status
no_good(const char *why, const char **why_out)
{
	*why_out = why;
	return DKIM_PUBLISHED_SYNTAX;
}

/* RFC 6376 3.6.1: v= may be left out; if it is there it is first, and exactly this. */
static bool
check_version(const struct tag_list *tags, const char **why_out)
{
	const struct tag *v = tag_list_find(tags, "v");

	if (v == NULL)
		return true;
	if (v != &tags->tags[0])
		*why_out = "v= is not its first tag";
	else if (!view_eq(v->value, VIEW("DKIM1")))
		*why_out = "v= is not DKIM1";
	else
		return true;
	return false;
}

static void
read_lists(const struct tag_list *tags, struct dkim_key_text *out)
{
	const struct tag *h = tag_list_find(tags, "h"), *s = tag_list_find(tags, "s");
	const struct view flags = tag_list_value(tags, "t");

	out->sha256_allowed = h == NULL || tag_has_member(h->value, "sha256");
	out->sha1_allowed = h == NULL || tag_has_member(h->value, "sha1");
	out->email_allowed =
	    s == NULL || tag_has_member(s->value, "*") || tag_has_member(s->value, "email");
	out->is_test = tag_has_member(flags, "y");
	out->is_strict = tag_has_member(flags, "s");
}

static enum dkim_key_type
read_type(const struct tag_list *tags)
{
	const struct tag *k = tag_list_find(tags, "k");

	if (k == NULL || view_eq(k->value, VIEW("rsa")))
		return DKIM_KEY_RSA;
	return view_eq(k->value, VIEW("ed25519")) ? DKIM_KEY_ED25519 : DKIM_KEY_OTHER;
}

/*
 * bare_rsa - the RSAPublicKey within a SubjectPublicKeyInfo; der itself if it is none. Another
 * kind of key is empty: only RSA may meet OpenSSL here. Borrowed from der.
 *
 * By hand, for d2i_PUBKEY looks through all decoders of all providers: several times the cost
 * of verifying a signature.
 */
static struct view
bare_rsa(struct view der)
{
	const unsigned char *at = (const unsigned char *)der.p;
	const unsigned char *const end = at + der.len;
	X509_ALGOR *algorithm = NULL;
	long len;
	int tag, class, form;
	bool rsa;

	form = ASN1_get_object(&at, &len, &tag, &class, (long)der.len);
	if (form == V_ASN1_CONSTRUCTED && tag == V_ASN1_SEQUENCE && class == V_ASN1_UNIVERSAL &&
	    at + len == end)
		algorithm = d2i_X509_ALGOR(NULL, &at, len);
	if (algorithm == NULL)
		return der;
	rsa = OBJ_obj2nid(algorithm->algorithm) == NID_rsaEncryption;
	X509_ALGOR_free(algorithm);
	if (!rsa || ASN1_get_object(&at, &len, &tag, &class, (long)(end - at)) != 0 ||
	    tag != V_ASN1_BIT_STRING || class != V_ASN1_UNIVERSAL || at + len != end ||
	    len < 1 || *at != 0) /* bits that the last octet does not use */
		return VIEW("");
	return view_make((const char *)at + 1, (size_t)len - 1);
}

/*
 * RFC 6376 3.6.1 says RSAPublicKey, all the world publishes SubjectPublicKeyInfo (erratum
 * 3017): either, and nothing behind it.
 */
static EVP_PKEY *
decode_rsa(struct view der)
{
	const struct view bare = bare_rsa(der);
	const unsigned char *at = (const unsigned char *)bare.p;
	const unsigned char *const end = at + bare.len;
	EVP_PKEY *pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)bare.len);

	ERR_clear_error();
	if (pkey != NULL && at == end)
		return pkey;
	EVP_PKEY_free(pkey);
	return NULL;
}

static bool
read_rsa(struct view der, struct arena *arena, struct dkim_key_text *out)
{
	EVP_PKEY *pkey = decode_rsa(der);
	unsigned char *text = NULL;
	int bits, len;

	if (pkey == NULL)
		return false;
	bits = EVP_PKEY_get_bits(pkey);
	len = i2d_PublicKey(pkey, &text);
	if (len > 0)
		out->key = arena_view(arena, view_make((const char *)text, (size_t)len));
	out->bits = bits > 0 ? (unsigned)bits : 0;
	OPENSSL_free(text);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return len > 0;
}

static enum dkim_key_status
read_key(struct view p, struct arena *arena, struct dkim_key_text *out, const char **why_out)
{
	const struct view base64 = tag_without_blanks(p, arena);
	const size_t room = BASE64_DECODED_MAX(base64.len);
	char *octets = arena_alloc(arena, room + 1);
	size_t len;

	if (base64.len == 0) {
		*why_out = "the key is revoked: p= is empty";
		return DKIM_PUBLISHED_REVOKED;
	}
	if (!base64_decode(base64, octets, room, &len))
		return no_good("p= is not base64", why_out);
	out->key = view_make(octets, len);
	if (out->type == DKIM_KEY_RSA && !read_rsa(out->key, arena, out))
		return no_good("p= is not an RSA key", why_out);
	if (out->type == DKIM_KEY_ED25519) {
		if (len != ED25519_OCTETS)
			return no_good("p= is not an Ed25519 key of 32 octets", why_out);
		out->bits = 256;
	}
	return DKIM_PUBLISHED;
}

enum dkim_key_status
dkim_key_text_parse(
    struct view record, struct arena *arena, struct dkim_key_text *out, const char **why_out)
{
	struct tag_list tags;
	const enum tag_list_status status = tag_list_parse(record, &tags);
	const struct tag *p;

	*why_out = NULL;
	*out = (struct dkim_key_text){ .key = VIEW("") };
	out->record = arena_view(arena, record);
	if (status != TAG_LIST_OK)
		return no_good(tag_list_why(status), why_out);
	if (!check_version(&tags, why_out))
		return DKIM_PUBLISHED_SYNTAX;
	p = tag_list_find(&tags, "p");
	if (p == NULL)
		return no_good("p= is missing", why_out);
	out->type = read_type(&tags);
	read_lists(&tags, out);
	return read_key(p->value, arena, out, why_out);
}

/* RFC 6376 3.6.1: records that begin with another v= are to be discarded. */
static bool
is_of_another_kind(struct view record)
{
	struct view piece = VIEW("");
	size_t equals;

	(void)view_split(&record, ';', &piece);
	equals = view_find(piece, '=');
	return view_eq(view_trim(view_make(piece.p, equals)), VIEW("v")) &&
	       !view_eq(view_trim(view_from(piece, equals + 1)), VIEW("DKIM1"));
}

enum dkim_key_status
dkim_key_text_of_answer(const struct dns_answer *answer, struct arena *arena,
    struct dkim_key_text *out, const char **why_out)
{
	*out = (struct dkim_key_text){ .key = VIEW(""), .record = VIEW("") };
	*why_out = NULL;
	if (answer->status == DNS_TEMPFAIL) {
		*why_out = arena_printf(arena, "DNS gives no answer: %s",
		    answer->why[0] != '\0' ? answer->why : "no reason known");
		return DKIM_PUBLISHED_TEMPFAIL;
	}
	if (answer->status != DNS_FOUND || answer->count == 0) {
		*why_out = answer->status == DNS_NXDOMAIN ? "the name does not exist"
							  : "there is no TXT record";
		return DKIM_PUBLISHED_NONE;
	}
	if (answer->count > 1) {
		*why_out = "there is more than one TXT record";
		return DKIM_PUBLISHED_SEVERAL;
	}
	if (is_of_another_kind(answer->records[0].data)) {
		*why_out = "the TXT record is something else than a DKIM key";
		return DKIM_PUBLISHED_NONE;
	}
	return dkim_key_text_parse(answer->records[0].data, arena, out, why_out);
}

const char *
dkim_key_text_name(const char *domain, const char *selector, struct arena *arena)
{
	return arena_printf(arena, "%s._domainkey.%s", selector, domain);
}

enum dkim_key_status
dkim_key_text_find(const struct dns_source *dns, const char *name, int64_t deadline_ms,
    struct arena *arena, struct dkim_key_text *out, const char **why_out)
{
	struct dns_answer answer;

	dns_query(dns, name, DNS_TXT, deadline_ms, arena, &answer);
	return dkim_key_text_of_answer(&answer, arena, out, why_out);
}

/* Signatures. */

static bool
verify_rsa(EVP_PKEY *pkey, const unsigned char hash[32], struct view signature)
{
	EVP_PKEY_CTX *ctx = pkey != NULL ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;
	const bool holds = ctx != NULL && EVP_PKEY_verify_init(ctx) > 0 &&
			   EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
			   EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0 &&
			   EVP_PKEY_verify(ctx, (const unsigned char *)signature.p,
			       signature.len, hash, 32) == 1;

	EVP_PKEY_CTX_free(ctx);
	return holds;
}

/* What Ed25519 signs is the SHA-256 hash, as a message of 32 octets. */
static bool
verify_ed25519(EVP_PKEY *pkey, const unsigned char hash[32], struct view signature)
{
	EVP_MD_CTX *ctx = pkey != NULL ? EVP_MD_CTX_new() : NULL;
	const bool holds = ctx != NULL &&
			   EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) > 0 &&
			   EVP_DigestVerify(ctx, (const unsigned char *)signature.p,
			       signature.len, hash, 32) == 1;

	EVP_MD_CTX_free(ctx);
	return holds;
}

bool
dkim_key_text_verify(
    const struct dkim_key_text *key, const unsigned char hash[32], struct view signature)
{
	const unsigned char *octets = (const unsigned char *)key->key.p;
	EVP_PKEY *pkey = NULL;
	bool holds = false;

	if (key->type == DKIM_KEY_RSA) {
		pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &octets, (long)key->key.len);
		holds = verify_rsa(pkey, hash, signature);
	} else if (key->type == DKIM_KEY_ED25519) {
		pkey =
		    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, octets, key->key.len);
		holds = verify_ed25519(pkey, hash, signature);
	}
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return holds;
}

/* Our own record goes the same way as the published one: in the end both are in one form. */
static bool
is_same_key(
    const struct dkim_key_text *published, const struct dkim_key *key, const char **why_out)
{
	struct dkim_key_text own;
	struct arena arena;
	struct buf record;
	const char *why;
	bool same = false;

	arena_init(&arena);
	buf_init(&record, RECORD_MAX);
	if (!dkim_key_record(key, &record) ||
	    dkim_key_text_parse(buf_view(&record), &arena, &own, &why) != DKIM_PUBLISHED)
		*why_out = "our own key cannot be written down";
	else if (own.type != published->type)
		*why_out = "the published key is of another type";
	else if (!view_eq(own.key, published->key))
		*why_out = "another key is published";
	else
		same = true;
	buf_finish(&record);
	arena_finish(&arena);
	return same;
}

bool
dkim_key_text_matches(
    const struct dkim_key_text *published, const struct dkim_key *key, const char **why_out)
{
	*why_out = NULL;
	if (!is_same_key(published, key, why_out))
		return false;
	if (!published->sha256_allowed)
		*why_out = "h= does not allow SHA-256";
	else if (!published->email_allowed)
		*why_out = "s= does not allow mail";
	else
		return true;
	return false;
}
