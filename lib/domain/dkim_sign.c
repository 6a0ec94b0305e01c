/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Making DKIM signatures (RFC 6376 5). libopendkim canonicalises and hashes (dkim_hash.h); it
 * never sees a key. The body is hashed once; the fields to be signed are hashed with one
 * unfinished DKIM-Signature for each key (the body hash in it, "b=" last), and what comes out
 * is the hash that each key signs. This takes a quarter of the time of the library's own
 * signing, which reads the key anew for each message.
 *
 * Only the fields to be signed are fed, so nothing else in a message (other signatures, odd
 * names) is ever looked at here. Everything is on the stack of one call.
 */
#include "lib/domain/dkim_sign.h"

#include "lib/base/mem.h"
#include "lib/mail/domain_name.h"

#include <openssl/evp.h>

#include <inttypes.h>
#include <stdio.h>

#define LINE_MAX_OCTETS 76 /* where a signature is folded */
#define FIELD_NAME	"DKIM-Signature:"
#define NAMES_MAX	128		    /* in both lists together */
#define NAME_LEN_MAX	128		    /* octets of a field's name */
#define IDENTITY_MAX	320		    /* octets of i= */
#define NOW_MIN		INT64_C(1000000000) /* 2001: an earlier clock is wrong */

struct name {
	struct view text;
	bool oversign;
	size_t present; /* fields of that name */
};

/* One call of dkim_sign_message. */
struct signing {
	const struct dkim_sign_request *request;
	struct buf *values; /* borrowed, one for each selector */
	size_t before[DKIM_SELECTORS_MAX];
	struct err *err;
	struct name names[NAMES_MAX];
	size_t name_count;
	size_t most; /* of the fields of one name are signed */
	enum dkim_canon header_canon;
	unsigned char body_hash[DKIM_HASH_SIZE];
};

bool
dkim_sign_init(struct err *err)
{
	return dkim_hash_init(err);
}

void
dkim_sign_finish(void)
{
	dkim_hash_finish();
}

/* Which fields. */

static struct name *
find_name(struct signing *s, struct view text)
{
	for (size_t i = 0; i < s->name_count; i++) {
		if (view_eq_nocase(s->names[i].text, text))
			return &s->names[i];
	}
	return NULL;
}

static bool
add_names(struct signing *s, const char *const *list, size_t count, bool oversign)
{
	for (size_t i = 0; i < count; i++) {
		if (find_name(s, view_of(list[i])) != NULL)
			continue;
		if (s->name_count == NAMES_MAX || strlen(list[i]) > NAME_LEN_MAX)
			return err_set(s->err, ERR_LIMIT,
			    "more than %d field names, or one over %d octets, are to be signed",
			    NAMES_MAX, NAME_LEN_MAX);
		s->names[s->name_count++] =
		    (struct name){ .text = view_of(list[i]), .oversign = oversign };
	}
	return true;
}

static size_t
times_listed(const struct signing *s, const struct name *name)
{
	return (name->present < s->most ? name->present : s->most) + name->oversign;
}

static size_t
h_length(const struct signing *s)
{
	size_t length = 0;

	for (size_t i = 0; i < s->name_count; i++)
		length += times_listed(s, &s->names[i]) * (s->names[i].text.len + 1);
	return length;
}

/* Hundreds of fields of one name are listed as far as receivers read: the lowest, as RFC
 * 6376 5.4.2 counts. */
static bool
fit_h(struct signing *s)
{
	for (s->most = MESSAGE_FIELDS_MAX; h_length(s) > DKIM_H_MAX; s->most /= 2) {
		if (s->most <= 1)
			return err_set(s->err, ERR_LIMIT,
			    "the names of the fields to be signed are too long");
	}
	return true;
}

/*
 * Vertical tabs and form feeds are white space to some verifiers and to others not, when header
 * fields are relaxed. As they stand ("simple") all of them agree.
 */
static bool
has_disputed_blank(struct view field)
{
	return memchr(field.p, '\v', field.len) != NULL ||
	       memchr(field.p, '\f', field.len) != NULL;
}

/*
 * Count the fields to be signed, and feed them in their order. A tab before the colon cannot be
 * hashed as it stands; without blanks there a relaxed field is the same, so that is how such a
 * message is signed.
 */
static bool
feed_fields(struct signing *s, struct dkim_hasher *hasher)
{
	const struct message *m = s->request->message;
	size_t count = message_field_count(m);
	bool disputed = false, tidied = false;

	for (size_t i = 0; i < count; i++) {
		const struct header_field *field = message_field(m, i);
		struct name *name = find_name(s, field->name);

		if (name == NULL)
			continue;
		name->present++;
		disputed = disputed || has_disputed_blank(field->body);
		tidied = tidied || dkim_hash_has_tab(field);
		if (!dkim_hasher_feed_field(hasher, field, s->err))
			return false;
	}
	if (tidied)
		s->header_canon = CANON_RELAXED;
	else if (disputed)
		s->header_canon = CANON_SIMPLE;
	return true;
}

/* The text of the field. */

struct folder {
	struct buf *out;
	size_t column;
	bool ok;
};

/* The next piece of text: on this line, behind glue, or on a new line, behind a tab. */
static void
fold_add(struct folder *f, const char *glue, struct view text)
{
	size_t glue_len = strlen(glue);
	bool fits = f->column + glue_len + text.len <= LINE_MAX_OCTETS;

	f->ok =
	    f->ok && buf_add_str(f->out, fits ? glue : "\r\n\t") && buf_add_view(f->out, text);
	f->column = (fits ? f->column + glue_len : 8) + text.len;
}

static void PRINTF_LIKE(2, 3) fold_tag(struct folder *f, const char *fmt, ...)
{
	char text[640]; /* d= or s= and a name, at most; i= is checked to fit */
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text))
		f->ok = false;
	else
		fold_add(f, " ", view_make(text, (size_t)len));
}

/* RFC 6376 3.5, h=: white space may stand around the colons. */
static void
fold_h(struct folder *f, const struct signing *s)
{
	char text[NAME_LEN_MAX + 4];
	size_t left = 0;
	bool first = true;

	for (size_t i = 0; i < s->name_count; i++)
		left += times_listed(s, &s->names[i]);
	for (size_t i = 0; i < s->name_count; i++) {
		for (size_t n = times_listed(s, &s->names[i]); n > 0; n--) {
			int len = snprintf(text, sizeof(text), "%s%.*s%c", first ? "h=" : "",
			    VIEW_ARG(s->names[i].text), --left > 0 ? ':' : ';');

			fold_add(f, first ? " " : "", view_make(text, (size_t)len));
			first = false;
		}
	}
}

/* The value up to and with "b=", which stands last and on a line of its own. */
static bool
write_unsigned(struct signing *s, const struct dkim_selector *selector, struct buf *out)
{
	const struct dkim_sign_request *r = s->request;
	struct folder f = { .out = out, .column = strlen(FIELD_NAME) + 1, .ok = true };
	unsigned char hash[DKIM_HASH_SIZE / 3 * 4 + 5];

	fold_add(&f, "", VIEW("v=1;"));
	fold_tag(&f, "a=%s;", dkim_algorithm_name(dkim_key_algorithm(selector->key)));
	fold_tag(
	    &f, "c=%s/%s;", dkim_canon_name(s->header_canon), dkim_canon_name(r->body_canon));
	fold_tag(&f, "d=%s;", r->domain->name);
	fold_tag(&f, "s=%s;", selector->selector);
	if (r->identity != NULL)
		fold_tag(&f, "i=%s;", r->identity);
	fold_tag(&f, "t=%" PRId64 ";", r->now);
	if (r->valid_s > 0)
		fold_tag(&f, "x=%" PRId64 ";", r->now + r->valid_s);
	fold_h(&f, s);
	EVP_EncodeBlock(hash, s->body_hash, DKIM_HASH_SIZE);
	fold_tag(&f, "bh=%s;", (const char *)hash);
	f.ok = f.ok && buf_add_str(out, "\r\n\tb=");
	return f.ok || err_set(s->err, ERR_LIMIT, "the DKIM-Signature field is too long");
}

/* The unfinished signature as the library wants it: with something, anything, behind "b=". */
static bool
feed_unsigned(struct dkim_hasher *hasher, struct view value, struct err *err)
{
	struct buf field;
	bool ok;

	buf_init(&field, value.len + 32);
	ok = buf_add_str(&field, FIELD_NAME " ") && buf_add_view(&field, value) &&
	     buf_add_str(&field, "AAAA");
	ok = ok ? dkim_hasher_feed(hasher, buf_view(&field), err)
		: err_set(err, ERR_LIMIT, "the DKIM-Signature field is too long");
	buf_finish(&field);
	return ok;
}

static bool
write_signature(struct signing *s, const struct dkim_key *key,
    const unsigned char hash[DKIM_HASH_SIZE], struct buf *out)
{
	unsigned char signature[1024], text[1024 / 3 * 4 + 8];
	size_t len;
	struct folder f = { .out = out, .column = 8 + 2, .ok = true };

	if (!dkim_key_sign_hash(key, hash, signature, &len, s->err))
		return false;
	size_t left = (size_t)EVP_EncodeBlock(text, signature, (int)len);
	for (const char *p = (const char *)text; left > 0;) {
		size_t room = LINE_MAX_OCTETS - (f.column < LINE_MAX_OCTETS ? f.column : 8);
		size_t piece = left < room ? left : room;

		fold_add(&f, "", view_make(p, piece));
		p += piece;
		left -= piece;
	}
	return f.ok || err_set(s->err, ERR_LIMIT, "the DKIM-Signature field is too long");
}

static bool
sign_header(struct signing *s, struct dkim_hasher *hasher)
{
	const struct dkim_domain *domain = s->request->domain;
	unsigned char hash[DKIM_HASH_SIZE];

	if (!feed_fields(s, hasher) || !fit_h(s))
		return false;
	for (size_t i = 0; i < domain->selector_count; i++) {
		const struct buf *value = &s->values[i];

		if (!write_unsigned(s, &domain->selectors[i], &s->values[i]) ||
		    !feed_unsigned(hasher, view_from(buf_view(value), s->before[i]), s->err))
			return false;
	}
	if (!dkim_hasher_end(hasher, s->err))
		return false;
	for (size_t i = 0; i < domain->selector_count; i++) {
		if (!dkim_hasher_take(hasher, i, hash))
			return err_set(s->err, ERR_IO, "libopendkim could not hash the header");
		if (!write_signature(s, domain->selectors[i].key, hash, &s->values[i]))
			return false;
	}
	return true;
}

/* RFC 6376 3.5: i= ends in "@" and d= or a subdomain; our values need no quoting. */
static bool
check_identity(const struct dkim_sign_request *r, struct err *err)
{
	const char *at = r->identity != NULL ? strrchr(r->identity, '@') : NULL;

	if (r->identity == NULL)
		return true;
	if (at == NULL || !domain_is_below(at + 1, r->domain->name) ||
	    strlen(r->identity) > IDENTITY_MAX)
		return err_set(err, ERR_CONFIG, "i= must be of the signing domain or below");
	for (const char *p = r->identity; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 127 || *p == ';' || *p == '=')
			return err_set(
			    err, ERR_CONFIG, "i= holds a character that it must not");
	}
	return true;
}

static bool
sign_prepare(struct signing *s)
{
	const struct dkim_sign_request *r = s->request;

	if (r->now < NOW_MIN)
		return err_set(s->err, ERR_CONFIG, "the clock is wrong: it is before 2001");
	if (!check_identity(r, s->err) || !add_names(s, r->oversign, r->oversign_count, true) ||
	    !add_names(s, r->sign, r->sign_count, false))
		return false;
	if (find_name(s, VIEW("From")) == NULL)
		return err_set(s->err, ERR_CONFIG, "From must be signed (RFC 6376 5.4)");
	return true;
}

bool
dkim_sign_message(
    const struct dkim_sign_request *request, struct buf *values_out, struct err *err)
{
	struct signing s = {
		.request = request,
		.values = values_out,
		.err = err,
		.header_canon = request->header_canon,
	};
	struct dkim_hasher *hasher = NULL;
	bool ok;

	for (size_t i = 0; i < request->domain->selector_count; i++)
		s.before[i] = values_out[i].len;
	ok = sign_prepare(&s) &&
	     dkim_hash_body(message_body(request->message), request->body_canon,
		 DKIM_WHOLE_BODY, s.body_hash, NULL, err);
	if (ok)
		hasher = dkim_hasher_create(err);
	ok = ok && hasher != NULL && sign_header(&s, hasher);
	dkim_hasher_destroy(&hasher);
	for (size_t i = 0; !ok && i < request->domain->selector_count; i++)
		values_out[i].len = s.before[i];
	return ok;
}
