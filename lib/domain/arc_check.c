/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Verifying one signature or seal: what it covers (RFC 8617 4.1.2, 5.1.1) is canonicalised and
 * hashed; key and signature are dkim_key_text.h's.
 */
#include "lib/domain/arc_private.h"

#include "lib/domain/canon.h"
#include "lib/domain/dkim_key_text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static EVP_MD_CTX *
hash_begin(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		BUG("SHA-256 is not to be had");
	return md;
}

static void
hash_sink(void *context, struct view piece)
{
	if (EVP_DigestUpdate(context, piece.p, piece.len) != 1)
		BUG("SHA-256 failed");
}

static void
hash_end(EVP_MD_CTX *md, unsigned char out[ARC_HASH_SIZE])
{
	if (EVP_DigestFinal_ex(md, out, NULL) != 1)
		BUG("SHA-256 failed");
	EVP_MD_CTX_free(md);
}

/* May this key do that? NULL: yes. */
static const char *
key_objection(
    const struct arc_run *run, const struct arc_tags *tags, const struct dkim_key_text *key)
{
	const enum dkim_key_type wanted =
	    tags->algorithm == DKIM_RSA_SHA256 ? DKIM_KEY_RSA : DKIM_KEY_ED25519;

	if (key->type != wanted)
		return "its key is of another type";
	if (!key->sha256_allowed || !key->email_allowed)
		return "its key is not for this use";
	if (key->type == DKIM_KEY_RSA && key->bits < run->request->min_rsa_bits)
		return "its RSA key is too small";
	return NULL;
}

static enum authres_result
check_with_key(const struct arc_run *run, const struct arc_tags *tags,
    const unsigned char hash[ARC_HASH_SIZE], const char **why_out)
{
	const struct arc_request *request = run->request;
	struct dkim_key_text key;
	const char *name = dkim_key_text_name(tags->domain, tags->selector, run->arena);
	const enum dkim_key_status status = dkim_key_text_find(
	    request->dns, name, request->deadline_ms, run->arena, &key, why_out);

	if (status == DKIM_PUBLISHED_TEMPFAIL)
		return AUTHRES_TEMPERROR;
	if (status != DKIM_PUBLISHED)
		return AUTHRES_FAIL;
	*why_out = key_objection(run, tags, &key);
	if (*why_out != NULL)
		return AUTHRES_FAIL;
	if (dkim_key_text_verify(&key, hash, tags->signature))
		return AUTHRES_PASS;
	*why_out = "its signature does not match";
	return AUTHRES_FAIL;
}

/* The body. */

static const char *
body_objection(struct arc_run *run, const struct arc_tags *tags)
{
	struct arc_body *body = &run->body;
	const size_t kind = tags->body_relaxed ? 1 : 0;

	if (!body->known[kind]) {
		EVP_MD_CTX *md = hash_begin();

		body->length[kind] = canon_body(
		    message_body(run->request->message), tags->body_relaxed, hash_sink, md);
		hash_end(md, body->hash[kind]);
		body->known[kind] = true;
	}
	if (tags->has_length && tags->length < body->length[kind])
		return "it leaves a part of the body unsigned";
	if (tags->has_length && tags->length > body->length[kind])
		return "a part of the body is missing";
	if (CRYPTO_memcmp(body->hash[kind], tags->body_hash, ARC_HASH_SIZE) != 0)
		return "the body was changed";
	return NULL;
}

/* The fields. */

/* RFC 6376 5.4.2: the lowest field of that name that has not been taken yet; NULL: none. */
static const struct header_field *
take_field(const struct message *m, struct view name, bool *taken)
{
	for (size_t i = message_field_count(m); i > 0; i--) {
		const struct header_field *field = message_field(m, i - 1);

		if (!taken[i - 1] && view_eq_nocase(field->name, name)) {
			taken[i - 1] = true;
			return field;
		}
	}
	return NULL;
}

static void
hash_signed_fields(const struct arc_run *run, const struct header_field *own,
    const struct arc_tags *tags, unsigned char out[ARC_HASH_SIZE])
{
	const struct message *m = run->request->message;
	bool *taken = arena_alloc(run->arena, message_field_count(m) * sizeof(*taken));
	struct view rest = tags->names, name;
	EVP_MD_CTX *md = hash_begin();

	while (tag_next_member(&rest, &name)) {
		const struct header_field *field = take_field(m, name, taken);

		if (field != NULL)
			canon_field(field, tags->header_relaxed, hash_sink, md);
	}
	canon_signature(own, tags->b, tags->header_relaxed, hash_sink, md);
	hash_end(md, out);
}

/* RFC 8617 5.1.1: all sets up to this one, in order, this seal last. */
static void
hash_sealed_fields(const struct arc_run *run, unsigned instance, const struct arc_tags *tags,
    unsigned char out[ARC_HASH_SIZE])
{
	EVP_MD_CTX *md = hash_begin();

	for (unsigned i = 1; i <= instance; i++) {
		const struct arc_fields *fields = &run->sets.fields[i];

		canon_field(fields->field[ARC_RESULTS], true, hash_sink, md);
		canon_field(fields->field[ARC_SIGNATURE], true, hash_sink, md);
		if (i < instance)
			canon_field(fields->field[ARC_SEAL], true, hash_sink, md);
		else
			canon_signature(fields->field[ARC_SEAL], tags->b, true, hash_sink, md);
	}
	hash_end(md, out);
}

enum authres_result
arc_check_signature(
    struct arc_run *run, unsigned instance, struct arc_tags *tags_out, const char **why_out)
{
	const struct header_field *own = run->sets.fields[instance].field[ARC_SIGNATURE];
	unsigned char hash[ARC_HASH_SIZE];

	if (!arc_tags_read(
		own, ARC_SIGNATURE, run->request->now, run->arena, tags_out, why_out))
		return AUTHRES_FAIL;
	*why_out = body_objection(run, tags_out);
	if (*why_out != NULL)
		return AUTHRES_FAIL;
	hash_signed_fields(run, own, tags_out, hash);
	return check_with_key(run, tags_out, hash, why_out);
}

enum authres_result
arc_check_seal(
    struct arc_run *run, unsigned instance, struct arc_tags *tags_out, const char **why_out)
{
	const struct header_field *own = run->sets.fields[instance].field[ARC_SEAL];
	unsigned char hash[ARC_HASH_SIZE];

	if (!arc_tags_read(own, ARC_SEAL, run->request->now, run->arena, tags_out, why_out))
		return AUTHRES_FAIL;
	hash_sealed_fields(run, instance, tags_out, hash);
	return check_with_key(run, tags_out, hash, why_out);
}
