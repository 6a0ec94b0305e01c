/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Verifying DKIM signatures: see dkim_verify.h. All signatures of a message go through the same
 * steps together, each step only for those that are still good: the text of the field, times,
 * the body's hash, the key, the header's hash and the signature over it, and what we do not
 * trust although it holds. So a body is hashed once, a key looked up once, and DNS is not asked
 * for signatures that are broken anyway.
 */
#include "lib/domain/dkim_verify.h"

#include "lib/domain/dkim_field.h"
#include "lib/domain/dkim_key_text.h"
#include "lib/domain/judge.h"

#define FIELD_NAME VIEW("DKIM-Signature")

/* A body's hash, for all signatures that ask for it. */
struct body_hash {
	enum dkim_canon canon;
	uint64_t limit;
	uint64_t length;
	unsigned char hash[DKIM_HASH_SIZE];
};

struct known_key {
	const char *domain, *selector;
	enum dkim_key_status status;
	const char *why;
	struct dkim_key_text key;
};

struct verifying {
	const struct dkim_verify_request *request;
	struct arena *arena;
	struct dkim_verification *out;
	struct dkim_field fields[DKIM_SIGNATURES_MAX];
	bool has_tail[DKIM_SIGNATURES_MAX];
	size_t fed_as[DKIM_SIGNATURES_MAX];		       /* to libopendkim */
	const struct dkim_key_text *keys[DKIM_SIGNATURES_MAX]; /* borrowed from known */
	struct known_key known[DKIM_SIGNATURES_MAX];
	size_t known_count;
	struct body_hash bodies[2 * DKIM_SIGNATURES_MAX];
	size_t body_count;
};

bool
dkim_verify_init(struct err *err)
{
	return dkim_hash_init(err);
}

void
dkim_verify_finish(void)
{
	dkim_hash_finish();
}

const char *
dkim_verdict_text(enum dkim_verdict verdict)
{
	switch (verdict) {
	case DKIM_GOOD:
		return "the signature holds";
	case DKIM_BAD_BODY:
		return "the body was changed";
	case DKIM_BAD_SIGNATURE:
		return "the signature does not hold";
	case DKIM_EXPIRED:
		return "the signature is expired";
	case DKIM_FROM_FUTURE:
		return "the signature is from the future";
	case DKIM_SYNTAX:
		return "the signature field is malformed";
	case DKIM_VERSION:
		return "the signature is of an unknown version";
	case DKIM_ALGORITHM:
		return "the algorithm is not accepted";
	case DKIM_FROM_UNSIGNED:
		return "From is not signed";
	case DKIM_FROM_ADDED:
		return "there are more From fields than were signed";
	case DKIM_IDENTITY:
		return "i= is not of the signing domain";
	case DKIM_LENGTH:
		return "a part of the body is not signed";
	case DKIM_KEY_NONE:
		return "there is no such key";
	case DKIM_KEY_SEVERAL:
		return "there is more than one key record";
	case DKIM_KEY_SYNTAX:
		return "the key record is malformed";
	case DKIM_KEY_REVOKED:
		return "the key is revoked";
	case DKIM_KEY_TYPE:
		return "the key is not for this use";
	case DKIM_KEY_SMALL:
		return "the key is too small";
	case DKIM_KEY_TEMPORARY:
		return "DNS gives no answer for the key";
	case DKIM_INTERNAL:
		return "the signature could not be checked";
	}
	BUG("DKIM verdict %d", (int)verdict);
}

static enum authres_result
result_of(enum dkim_verdict verdict, const char *algorithm)
{
	switch (verdict) {
	case DKIM_GOOD:
		return AUTHRES_PASS;
	case DKIM_BAD_BODY:
	case DKIM_BAD_SIGNATURE:
	case DKIM_EXPIRED:
	case DKIM_FROM_FUTURE:
		return AUTHRES_FAIL;
	case DKIM_FROM_ADDED:
	case DKIM_LENGTH:
	case DKIM_KEY_SMALL:
		return AUTHRES_POLICY;
	case DKIM_ALGORITHM:
		return strcmp(algorithm, "rsa-sha1") == 0 ? AUTHRES_POLICY : AUTHRES_PERMERROR;
	case DKIM_KEY_TEMPORARY:
	case DKIM_INTERNAL:
		return AUTHRES_TEMPERROR;
	default:
		return AUTHRES_PERMERROR;
	}
}

/* reason: NULL for what the verdict itself says. */
static void
judge(struct verifying *v, size_t index, enum dkim_verdict verdict, const char *reason)
{
	struct dkim_signature *s = &v->out->signatures[index];

	s->verdict = verdict;
	s->result = result_of(verdict, s->algorithm);
	s->reason = reason;
	if (reason == NULL && verdict != DKIM_GOOD)
		s->reason = dkim_verdict_text(verdict);
}

static bool
is_good(const struct verifying *v, size_t index)
{
	return v->out->signatures[index].verdict == DKIM_GOOD;
}

static size_t
count_good(const struct verifying *v)
{
	size_t count = 0;

	for (size_t i = 0; i < v->out->count; i++)
		count += is_good(v, i);
	return count;
}

static void
judge_all_good(struct verifying *v, enum dkim_verdict verdict, const char *reason)
{
	for (size_t i = 0; i < v->out->count; i++) {
		if (is_good(v, i))
			judge(v, i, verdict, reason);
	}
}

/* The text of the fields. */

static void
read_field(struct verifying *v, const struct header_field *header)
{
	const size_t index = v->out->count++;
	struct dkim_signature *s = &v->out->signatures[index];
	struct dkim_field *f = &v->fields[index];

	dkim_field_read(header->body, v->arena, f);
	s->domain = f->domain;
	s->selector = f->selector;
	s->identity = f->identity;
	s->algorithm = f->algorithm;
	s->b = f->b_start;
	judge(v, index, f->verdict, f->reason);
}

static void
read_fields(struct verifying *v)
{
	const struct message *m = v->request->message;
	const size_t count = message_field_count(m);
	const unsigned most = v->request->max_signatures < DKIM_SIGNATURES_MAX
				  ? v->request->max_signatures
				  : DKIM_SIGNATURES_MAX;

	for (size_t i = 0; i < count; i++) {
		const struct header_field *header = message_field(m, i);

		if (!view_eq_nocase(header->name, FIELD_NAME))
			continue;
		if (v->out->count < most)
			read_field(v, header);
		else
			v->out->ignored++;
	}
}

static void
check_times(struct verifying *v)
{
	const struct dkim_verify_request *r = v->request;

	for (size_t i = 0; i < v->out->count; i++) {
		const struct dkim_field *f = &v->fields[i];

		if (!is_good(v, i))
			continue;
		if (f->expires_at < r->now)
			judge(v, i, DKIM_EXPIRED, NULL);
		else if (f->has_time && f->signed_at > r->now + r->skew_s)
			judge(v, i, DKIM_FROM_FUTURE, NULL);
	}
}

/* The body. */

/* CRLF only, no NUL: what else a body may hold is read differently by everybody. */
static bool
is_clean(struct view body)
{
	const char *at = body.p, *const end = body.p + body.len;

	if (body.len == 0)
		return true;
	if (memchr(body.p, '\0', body.len) != NULL)
		return false;
	while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		if (at == body.p || at[-1] != '\r')
			return false;
		at++;
	}
	for (at = body.p; (at = memchr(at, '\r', (size_t)(end - at))) != NULL; at++) {
		if (at + 1 == end || at[1] != '\n')
			return false;
	}
	return true;
}

static const struct body_hash *
hash_body(struct verifying *v, enum dkim_canon canon, uint64_t limit, struct err *err)
{
	struct body_hash *b;

	for (size_t i = 0; i < v->body_count; i++) {
		b = &v->bodies[i];
		if (b->canon == canon && b->limit == limit)
			return b;
	}
	b = &v->bodies[v->body_count];
	b->canon = canon;
	b->limit = limit;
	if (!dkim_hash_body(
		message_body(v->request->message), canon, limit, b->hash, &b->length, err))
		return NULL;
	v->body_count++;
	return b;
}

static void
check_body(struct verifying *v, size_t index)
{
	const struct dkim_field *f = &v->fields[index];
	struct err err = { 0 };
	const struct body_hash *b = hash_body(v, f->body_canon, DKIM_WHOLE_BODY, &err);

	if (b != NULL && f->length != DKIM_WHOLE_BODY) {
		if (f->length > b->length) {
			judge(v, index, DKIM_BAD_BODY, "the body is shorter than l= says");
			return;
		}
		v->has_tail[index] = f->length < b->length;
		b = hash_body(v, f->body_canon, f->length, &err);
	}
	if (b == NULL)
		judge(v, index, DKIM_INTERNAL, arena_strdup(v->arena, view_of(err.text)));
	else if (memcmp(b->hash, f->body_hash, DKIM_HASH_SIZE) != 0)
		judge(v, index, DKIM_BAD_BODY, NULL);
}

static void
check_bodies(struct verifying *v)
{
	if (count_good(v) > 0 && !is_clean(message_body(v->request->message)))
		judge_all_good(v, DKIM_SYNTAX, "the body holds NUL, or CR or LF alone");
	for (size_t i = 0; i < v->out->count; i++) {
		if (is_good(v, i))
			check_body(v, i);
	}
}

/* Keys. */

static const struct known_key *
find_key(struct verifying *v, const char *domain, const char *selector)
{
	struct known_key *k;

	for (size_t i = 0; i < v->known_count; i++) {
		k = &v->known[i];
		if (strcmp(k->domain, domain) == 0 && strcmp(k->selector, selector) == 0)
			return k;
	}
	k = &v->known[v->known_count++];
	k->domain = domain;
	k->selector = selector;
	k->status =
	    dkim_key_text_find(v->request->dns, dkim_key_text_name(domain, selector, v->arena),
		v->request->deadline_ms, v->arena, &k->key, &k->why);
	return k;
}

static enum dkim_verdict
verdict_of_status(enum dkim_key_status status)
{
	switch (status) {
	case DKIM_PUBLISHED:
		return DKIM_GOOD;
	case DKIM_PUBLISHED_NONE:
		return DKIM_KEY_NONE;
	case DKIM_PUBLISHED_SEVERAL:
		return DKIM_KEY_SEVERAL;
	case DKIM_PUBLISHED_SYNTAX:
		return DKIM_KEY_SYNTAX;
	case DKIM_PUBLISHED_REVOKED:
		return DKIM_KEY_REVOKED;
	case DKIM_PUBLISHED_TEMPFAIL:
		return DKIM_KEY_TEMPORARY;
	}
	BUG("DKIM key status %d", (int)status);
}

/* The reason of a verdict about a key: what the key record's reader said. */
static const char *
key_reason(struct verifying *v, const struct known_key *k)
{
	const char *text = dkim_verdict_text(verdict_of_status(k->status));

	switch (k->status) {
	case DKIM_PUBLISHED_NONE:
	case DKIM_PUBLISHED_SYNTAX:
		return arena_printf(v->arena, "%s: %s", text, k->why);
	case DKIM_PUBLISHED_TEMPFAIL:
		return k->why;
	default:
		return text;
	}
}

static const char *
why_not_for_this(const struct dkim_field *f, const struct dkim_key_text *key)
{
	const enum dkim_key_type wanted =
	    f->kind == DKIM_RSA_SHA256 ? DKIM_KEY_RSA : DKIM_KEY_ED25519;

	if (key->type != wanted)
		return "the key is of another type than a= says";
	if (!key->sha256_allowed)
		return "the key's h= does not allow SHA-256";
	if (!key->email_allowed)
		return "the key's s= does not allow mail";
	return NULL;
}

static void
check_key(struct verifying *v, size_t index)
{
	const struct dkim_field *f = &v->fields[index];
	const struct known_key *k = find_key(v, f->domain, f->selector);
	const char *why;

	if (k->status != DKIM_PUBLISHED) {
		judge(v, index, verdict_of_status(k->status), key_reason(v, k));
		return;
	}
	v->keys[index] = &k->key;
	v->out->signatures[index].key_bits = k->key.bits;
	v->out->signatures[index].is_test = k->key.is_test;
	why = why_not_for_this(f, &k->key);
	if (why != NULL)
		judge(v, index, DKIM_KEY_TYPE, why);
	else if (k->key.is_strict && f->is_of_subdomain)
		judge(v, index, DKIM_IDENTITY, "i= is of a subdomain, which the key forbids");
}

static void
check_keys(struct verifying *v)
{
	for (size_t i = 0; i < v->out->count; i++) {
		if (is_good(v, i))
			check_key(v, i);
	}
}

/* The header. */

static bool
any_good_names(const struct verifying *v, struct view name)
{
	for (size_t i = 0; i < v->out->count; i++) {
		if (is_good(v, i) && dkim_field_names(&v->fields[i], name))
			return true;
	}
	return false;
}

/*
 * A field that is hashed otherwise than it stands, if headers are simple. signature: which one
 * it is, beyond all for another field.
 */
static void
check_tab(struct verifying *v, const struct header_field *header, size_t signature)
{
	for (size_t i = 0; i < v->out->count; i++) {
		if (is_good(v, i) && v->fields[i].header_canon == CANON_SIMPLE &&
		    (i == signature || dkim_field_names(&v->fields[i], header->name)))
			judge(v, i, DKIM_BAD_SIGNATURE,
			    "a tab before a colon is not supported in simple headers");
	}
}

/* A signature that is no good is fed only where another one signs such fields. */
static bool
feed_header(struct verifying *v, struct dkim_hasher *hasher, struct err *err)
{
	const struct message *m = v->request->message;
	const size_t count = message_field_count(m);
	const bool all = any_good_names(v, FIELD_NAME);
	size_t seen = 0, fed = 0;

	for (size_t i = 0; i < count; i++) {
		const struct header_field *header = message_field(m, i);
		const bool is_signature = view_eq_nocase(header->name, FIELD_NAME);

		if (dkim_hash_has_tab(header))
			check_tab(v, header, is_signature ? seen : SIZE_MAX);
		if (is_signature) {
			const size_t index = seen++;

			if (index >= v->out->count ||
			    (!is_good(v, index) && (!all || header->raw.len > DKIM_FIELD_MAX)))
				continue;
			v->fed_as[index] = fed++;
		}
		if (!dkim_hasher_feed_field(hasher, header, err))
			return false;
	}
	return dkim_hasher_end(hasher, err);
}

static void
check_signature(struct verifying *v, const struct dkim_hasher *hasher, size_t index)
{
	unsigned char hash[DKIM_HASH_SIZE];

	if (!dkim_hasher_take(hasher, v->fed_as[index], hash))
		judge(v, index, DKIM_SYNTAX, "libopendkim does not read the signature field");
	else if (!dkim_key_text_verify(v->keys[index], hash, v->fields[index].signature))
		judge(v, index, DKIM_BAD_SIGNATURE, NULL);
}

static void
check_header(struct verifying *v)
{
	struct err err = { 0 };
	struct dkim_hasher *hasher = count_good(v) > 0 ? dkim_hasher_create(&err) : NULL;

	if (hasher != NULL && feed_header(v, hasher, &err)) {
		for (size_t i = 0; i < v->out->count; i++) {
			if (is_good(v, i))
				check_signature(v, hasher, i);
		}
	} else {
		judge_all_good(v, DKIM_INTERNAL, arena_strdup(v->arena, view_of(err.text)));
	}
	dkim_hasher_destroy(&hasher);
}

/* What holds, and is not trusted. */
static void
check_trust(struct verifying *v)
{
	const struct dkim_verify_request *r = v->request;
	const size_t from_count = message_count_of(r->message, "From");

	for (size_t i = 0; i < v->out->count; i++) {
		const struct dkim_key_text *key = v->keys[i];

		if (!is_good(v, i))
			continue;
		if (from_count > v->fields[i].from_count)
			judge(v, i, DKIM_FROM_ADDED, NULL);
		else if (v->has_tail[i] && !r->allow_length)
			judge(v, i, DKIM_LENGTH, NULL);
		else if (key->type == DKIM_KEY_RSA && key->bits < r->min_rsa_bits)
			judge(v, i, DKIM_KEY_SMALL,
			    arena_printf(v->arena,
				"the key has %u bits, under the %u that are trusted", key->bits,
				r->min_rsa_bits));
	}
}

void
dkim_verify_message(const struct dkim_verify_request *request, struct arena *arena,
    struct dkim_verification *out)
{
	struct verifying *v;

	if (judge_dkim(request, arena, out))
		return;
	v = arena_alloc(arena, sizeof(*v));
	memset(out, 0, sizeof(*out));
	v->request = request;
	v->arena = arena;
	v->out = out;
	read_fields(v);
	check_times(v);
	check_bodies(v);
	check_keys(v);
	check_header(v);
	check_trust(v);
}
