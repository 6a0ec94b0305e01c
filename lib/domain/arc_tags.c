/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The tags of an ARC-Message-Signature and an ARC-Seal: RFC 8617 4.1.2, 4.1.3, by the rules of
 * RFC 6376 3.5. Unknown tags are ignored, v= is one of them.
 */
#include "lib/domain/arc_private.h"

#include "lib/base/base64.h"
#include "lib/mail/domain_name.h"

#define SIGNATURE_MAX 2048 /* octets: RSA of 16384 bits */

struct reader {
	const struct tag_list *tags;
	struct arena *arena;
	const char **why;
};

/* Always false. */
static bool
bad(const struct reader *r, const char *why)
{
	*r->why = why;
	return false;
}

static bool
read_algorithm(const struct reader *r, struct arc_tags *out)
{
	const struct view a = tag_list_value(r->tags, "a");

	if (view_eq(a, VIEW("rsa-sha256")))
		out->algorithm = DKIM_RSA_SHA256;
	else if (view_eq(a, VIEW("ed25519-sha256")))
		out->algorithm = DKIM_ED25519_SHA256;
	else
		return bad(r, "its algorithm is not one of today's");
	return true;
}

static bool
read_name(const struct reader *r, const char *tag, const char **out)
{
	char name[DOMAIN_NAME_MAX];

	if (!domain_to_ascii(tag_list_value(r->tags, tag), name))
		return false;
	*out = arena_strdup(r->arena, view_of(name));
	return true;
}

static bool
read_base64(const struct reader *r, const char *tag, struct view *out)
{
	const struct view text = tag_without_blanks(tag_list_value(r->tags, tag), r->arena);
	const size_t room = BASE64_DECODED_MAX(text.len);
	char *octets = arena_alloc(r->arena, room + 1);
	size_t len = 0;

	if (text.len == 0 || !base64_decode(text, octets, room, &len))
		return false;
	*out = view_make(octets, len);
	return true;
}

static bool
read_number(const struct reader *r, const char *tag, bool *has_out, uint64_t *out)
{
	*has_out = tag_list_find(r->tags, tag) != NULL;
	*out = 0;
	return !*has_out || view_to_u64(tag_list_value(r->tags, tag), out);
}

static bool
read_times(const struct reader *r, int64_t now)
{
	bool has_time, has_end;
	uint64_t time, end;

	if (!read_number(r, "t", &has_time, &time) || !read_number(r, "x", &has_end, &end))
		return bad(r, "its time is no number");
	if (has_end && end < (uint64_t)(now > 0 ? now : 0))
		return bad(r, "it has expired");
	return true;
}

static bool
canon_is_relaxed(struct view name, bool *out)
{
	*out = view_eq(name, VIEW("relaxed"));
	return *out || view_eq(name, VIEW("simple"));
}

/* RFC 6376 3.5: c= is "header", or "header/body"; simple where it says nothing. */
static bool
read_canon(const struct reader *r, struct arc_tags *out)
{
	const struct view c = tag_list_value(r->tags, "c");
	const size_t slash = view_find(c, '/');

	out->header_relaxed = out->body_relaxed = false;
	if (tag_list_find(r->tags, "c") == NULL)
		return true;
	if (!canon_is_relaxed(view_make(c.p, slash), &out->header_relaxed))
		return false;
	return slash == c.len || canon_is_relaxed(view_from(c, slash + 1), &out->body_relaxed);
}

/*
 * h= must name From, as any signature of a message must (RFC 6376 5.4), or the seal would say
 * nothing about the author; and no ARC-Seal, which is there only afterwards.
 */
static bool
read_names(const struct reader *r, struct arc_tags *out)
{
	struct view rest = tag_list_value(r->tags, "h"), name;
	bool has_from = false;
	size_t count = 0;

	out->names = rest;
	while (tag_next_member(&rest, &name)) {
		has_from = has_from || view_eq_nocase(name, VIEW("From"));
		if (view_eq_nocase(name, VIEW("ARC-Seal")))
			return bad(r, "it claims to sign ARC-Seal fields");
		if (++count > ARC_NAMES_MAX)
			return bad(r, "it signs too many fields");
	}
	return has_from || bad(r, "it does not sign From");
}

static bool
read_signature_tags(const struct reader *r, struct arc_tags *out)
{
	const struct tag *q = tag_list_find(r->tags, "q");
	struct view hash = VIEW("");

	if (!read_canon(r, out))
		return bad(r, "its canonicalization is unknown");
	if (q != NULL && !tag_has_member(q->value, "dns/txt"))
		return bad(r, "its key is not in the DNS");
	if (!read_number(r, "l", &out->has_length, &out->length))
		return bad(r, "its length is no number");
	if (!read_base64(r, "bh", &hash) || hash.len != ARC_HASH_SIZE)
		return bad(r, "it has no body hash");
	memcpy(out->body_hash, hash.p, ARC_HASH_SIZE);
	return read_names(r, out);
}

bool
arc_tags_read(const struct header_field *field, enum arc_kind kind, int64_t now,
    struct arena *arena, struct arc_tags *out, const char **why_out)
{
	struct tag_list tags;
	const struct reader r = { .tags = &tags, .arena = arena, .why = why_out };

	*out = (struct arc_tags){ .domain = "", .selector = "" };
	if (tag_list_parse(field->body, &tags) != TAG_LIST_OK)
		return bad(&r, "it is malformed");
	if (!read_algorithm(&r, out))
		return false;
	if (!read_name(&r, "d", &out->domain) || !read_name(&r, "s", &out->selector))
		return bad(&r, "it names no domain or no selector");
	if (!read_base64(&r, "b", &out->signature) || out->signature.len > SIGNATURE_MAX)
		return bad(&r, "its signature is not readable");
	out->b = tag_list_value(&tags, "b");
	if (!read_times(&r, now))
		return false;
	if (kind == ARC_SIGNATURE)
		return read_signature_tags(&r, out);
	/* RFC 8617 4.1.3 */
	return tag_list_find(&tags, "h") == NULL || bad(&r, "it has a tag h=");
}
