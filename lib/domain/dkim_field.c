/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading DKIM-Signature fields: see dkim_field.h. One function for each tag, in a table; each
 * answers with a verdict, and the first one that is not good is the field's.
 */
#include "lib/domain/dkim_field.h"

#include "lib/base/base64.h"
#include "lib/domain/tag_list.h"
#include "lib/mail/domain_name.h"

#define ALGORITHM_MAX 32 /* characters of an unknown one that are reported */
#define B_START	      8	 /* characters, RFC 6008 */
#define TIME_DIGITS   12 /* RFC 6376 3.5: a longer time may be taken for infinite */
#define LENGTH_DIGITS 76

struct reading {
	struct tag_list tags;
	struct arena *arena;
	struct dkim_field *out;
};

static enum dkim_verdict
fault(struct reading *r, enum dkim_verdict verdict, const char *reason)
{
	r->out->reason = reason;
	return verdict;
}

static enum dkim_verdict
syntax(struct reading *r, const char *reason)
{
	return fault(r, DKIM_SYNTAX, reason);
}

static enum dkim_verdict
read_version(struct reading *r)
{
	const struct tag *v = tag_list_find(&r->tags, "v");

	if (v == NULL)
		return syntax(r, "v= is missing");
	return view_eq(v->value, VIEW("1")) ? DKIM_GOOD : fault(r, DKIM_VERSION, "v= is not 1");
}

static enum dkim_verdict
read_algorithm(struct reading *r)
{
	const char *a = r->out->algorithm;

	if (strcmp(a, "rsa-sha256") == 0)
		r->out->kind = DKIM_RSA_SHA256;
	else if (strcmp(a, "ed25519-sha256") == 0)
		r->out->kind = DKIM_ED25519_SHA256;
	else if (a[0] == '\0')
		return syntax(r, "a= is missing");
	else if (strcmp(a, "rsa-sha1") == 0)
		return fault(
		    r, DKIM_ALGORITHM, "rsa-sha1 is not trusted any more, by RFC 8301");
	else
		return fault(r, DKIM_ALGORITHM, "a= names an unknown algorithm");
	return DKIM_GOOD;
}

/* Names in the DNS: A-labels only; what else may stand there is for nobody to guess. */
static const char *
read_name(struct reading *r, const char *tag)
{
	char name[DOMAIN_NAME_MAX];
	const struct view value = tag_list_value(&r->tags, tag);

	/* The field is ASCII. RFC 6376 3.5 has no final dot. */
	if (value.len == 0 || value.p[value.len - 1] == '.')
		return "";
	return domain_to_ascii(value, name) ? arena_strdup(r->arena, view_of(name)) : "";
}

static enum dkim_verdict
read_names(struct reading *r)
{
	if (r->out->domain[0] == '\0')
		return syntax(r, "d= is missing or no domain");
	if (r->out->selector[0] == '\0')
		return syntax(r, "s= is missing or no selector");
	return DKIM_GOOD;
}

static bool
read_canon(struct view text, enum dkim_canon *out)
{
	*out = view_eq(text, VIEW("relaxed")) ? CANON_RELAXED : CANON_SIMPLE;
	return *out == CANON_RELAXED || view_eq(text, VIEW("simple"));
}

static enum dkim_verdict
read_canons(struct reading *r)
{
	const struct tag *c = tag_list_find(&r->tags, "c");
	struct view rest, header = VIEW("simple"), body = VIEW("simple");

	if (c != NULL) {
		rest = c->value;
		(void)view_split(&rest, '/', &header);
		if (rest.p != NULL)
			body = rest;
	}
	if (!read_canon(header, &r->out->header_canon) ||
	    !read_canon(body, &r->out->body_canon))
		return syntax(r, "c= names an unknown canonicalization");
	return DKIM_GOOD;
}

static enum dkim_verdict
read_query(struct reading *r)
{
	const struct tag *q = tag_list_find(&r->tags, "q");

	if (q != NULL && !tag_has_member(q->value, "dns/txt"))
		return syntax(r, "q= names no known way to the key");
	return DKIM_GOOD;
}

static bool
is_field_name(struct view name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	}
	return name.len > 0;
}

static enum dkim_verdict
read_h(struct reading *r)
{
	const struct tag *h = tag_list_find(&r->tags, "h");
	struct view rest = h != NULL ? h->value : VIEW(""), name;

	if (rest.len == 0)
		return syntax(r, "h= is missing");
	while (tag_next_member(&rest, &name)) {
		if (!is_field_name(name))
			return syntax(r, "h= is no list of field names");
		r->out->from_count += view_eq_nocase(name, VIEW("From"));
	}
	r->out->names = tag_without_blanks(h->value, r->arena);
	if (r->out->names.len > DKIM_H_MAX)
		return syntax(r, "h= is too long");
	if (r->out->from_count == 0)
		return fault(r, DKIM_FROM_UNSIGNED, "h= does not name From");
	return DKIM_GOOD;
}

/* i= is an address without what stands before "@" interpreted; its domain is d= or below. */
static enum dkim_verdict
read_identity(struct reading *r)
{
	const char *i = r->out->identity, *at = i != NULL ? strrchr(i, '@') : NULL;
	char domain[DOMAIN_NAME_MAX];

	if (i == NULL)
		return DKIM_GOOD;
	if (at == NULL || !domain_to_ascii(view_of(at + 1), domain) ||
	    !domain_is_below(domain, r->out->domain))
		return fault(r, DKIM_IDENTITY, "i= is not of the domain in d=");
	r->out->is_of_subdomain = strcmp(domain, r->out->domain) != 0;
	return DKIM_GOOD;
}

static bool
read_time(struct reading *r, const char *tag, int64_t *out)
{
	const struct view value = tag_list_value(&r->tags, tag);
	uint64_t number;

	*out = DKIM_TIME_NEVER;
	if (tag_list_find(&r->tags, tag) == NULL)
		return true;
	for (size_t i = 0; i < value.len; i++) {
		if (!ascii_is_digit(value.p[i]))
			return false;
	}
	if (value.len > TIME_DIGITS)
		return true;
	if (!view_to_u64(value, &number))
		return false;
	*out = (int64_t)number;
	return true;
}

static enum dkim_verdict
read_times(struct reading *r)
{
	struct dkim_field *f = r->out;

	f->has_time = tag_list_find(&r->tags, "t") != NULL;
	if (!read_time(r, "t", &f->signed_at))
		return syntax(r, "t= is no time");
	if (!read_time(r, "x", &f->expires_at))
		return syntax(r, "x= is no time");
	if (f->has_time && f->expires_at < f->signed_at)
		return syntax(r, "x= is before t=");
	return DKIM_GOOD;
}

static enum dkim_verdict
read_length(struct reading *r)
{
	const struct tag *l = tag_list_find(&r->tags, "l");

	r->out->length = DKIM_WHOLE_BODY;
	if (l == NULL)
		return DKIM_GOOD;
	if (l->value.len == 0 || l->value.len > LENGTH_DIGITS)
		return syntax(r, "l= is no length");
	for (size_t i = 0; i < l->value.len; i++) {
		if (!ascii_is_digit(l->value.p[i]))
			return syntax(r, "l= is no length");
	}
	/* More than fits is more than any body has: it fails there. */
	if (!view_to_u64(l->value, &r->out->length) || r->out->length == DKIM_WHOLE_BODY)
		r->out->length = DKIM_WHOLE_BODY - 1;
	return DKIM_GOOD;
}

static enum dkim_verdict
read_body_hash(struct reading *r)
{
	const struct view text = tag_without_blanks(tag_list_value(&r->tags, "bh"), r->arena);
	char octets[DKIM_HASH_SIZE];
	size_t len;

	if (text.len == 0)
		return syntax(r, "bh= is missing");
	if (!base64_decode(text, octets, sizeof(octets), &len) || len != sizeof(octets))
		return syntax(r, "bh= is no SHA-256 hash in base64");
	memcpy(r->out->body_hash, octets, sizeof(octets));
	return DKIM_GOOD;
}

/*
 * libopendkim leaves out, when it hashes the field itself, the value of whatever has "b"
 * directly before its equals sign: so that must be b=, and nothing else.
 */
static bool
library_finds_b(const struct reading *r)
{
	for (size_t i = 0; i < r->tags.count; i++) {
		const struct view name = r->tags.tags[i].name;
		const bool is_b = view_eq(name, VIEW("b"));

		if (name.p[name.len - 1] == 'b' && is_b != (name.p[name.len] == '='))
			return false;
	}
	return true;
}

static enum dkim_verdict
read_signature(struct reading *r)
{
	const struct view text = tag_without_blanks(tag_list_value(&r->tags, "b"), r->arena);
	char *octets = arena_alloc(r->arena, DKIM_SIGNATURE_MAX);
	size_t len;

	if (text.len == 0)
		return syntax(r, "b= is missing");
	if (!base64_decode(text, octets, DKIM_SIGNATURE_MAX, &len))
		return syntax(r, "b= is no signature in base64");
	if (!library_finds_b(r))
		return syntax(r, "libopendkim does not find b= in it");
	r->out->signature = view_make(octets, len);
	return DKIM_GOOD;
}

/* What a report names, whatever comes after. */
static void
read_labels(struct reading *r)
{
	const struct tag *i = tag_list_find(&r->tags, "i");
	struct view b = tag_without_blanks(tag_list_value(&r->tags, "b"), r->arena);
	struct view a = tag_list_value(&r->tags, "a");

	if (b.len > B_START)
		b.len = B_START;
	if (a.len > ALGORITHM_MAX)
		a.len = ALGORITHM_MAX;
	r->out->domain = read_name(r, "d");
	r->out->selector = read_name(r, "s");
	r->out->algorithm = arena_strdup(r->arena, a);
	r->out->b_start = arena_strdup(r->arena, b);
	if (i != NULL)
		r->out->identity = tag_without_blanks(i->value, r->arena).p;
}

/* libopendkim reads no octets over 127 in a signature, and no field over 64 KiB. */
static enum dkim_verdict
read_tags(struct reading *r, struct view value)
{
	enum tag_list_status status;

	if (value.len > DKIM_FIELD_MAX)
		return syntax(r, "the field is too long");
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.p[i] >= 0x80)
			return syntax(r, "the field is not ASCII");
	}
	status = tag_list_parse(value, &r->tags);
	return status == TAG_LIST_OK ? DKIM_GOOD : syntax(r, tag_list_why(status));
}

void
dkim_field_read(struct view value, struct arena *arena, struct dkim_field *out)
{
	static enum dkim_verdict (*const readers[])(struct reading *) = { read_version,
		read_names, read_algorithm, read_canons, read_query, read_h, read_identity,
		read_times, read_length, read_body_hash, read_signature };
	struct reading r = { .arena = arena, .out = out };

	*out = (struct dkim_field){
		.domain = "", .selector = "", .algorithm = "", .b_start = "", .names = VIEW("")
	};
	out->verdict = read_tags(&r, value);
	if (out->verdict != DKIM_GOOD)
		return;
	read_labels(&r);
	for (size_t i = 0; i < ARRAY_LEN(readers) && out->verdict == DKIM_GOOD; i++)
		out->verdict = readers[i](&r);
}

bool
dkim_field_names(const struct dkim_field *field, struct view name)
{
	struct view rest = field->names, one;

	while (view_split(&rest, ':', &one)) {
		if (view_eq_nocase(one, name))
			return true;
	}
	return false;
}
