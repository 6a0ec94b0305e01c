/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Making DKIM signatures (RFC 6376 5). libopendkim canonicalises and hashes; it never sees a
 * key. It does so for verification only, so that is what it is asked for, twice:
 *
 *  - body: a verification of a message with a made-up header; what comes out is the body's
 * hash;
 *  - header: a verification of the fields to be signed, with one unfinished DKIM-Signature for
 * each key (the body hash in it, "b=" last); what comes out is the hash that each key signs.
 *
 * The library answers "no key" to both, as expected. This takes a quarter of the time of its
 * own signing, which reads the key anew for each message.
 *
 * Only the fields to be signed are fed, so nothing else in a message (other signatures, odd
 * names) is ever looked at here. The library's handle is shared; everything else is on the
 * stack of one call. This is the only file that signs through <opendkim/dkim.h>.
 */
#include "lib/domain/dkim_sign.h"

#include "lib/base/mem.h"
#include "lib/mail/domain_name.h"

#include <opendkim/dkim.h>
#include <openssl/evp.h>

#include <inttypes.h>
#include <stdio.h>

#define HASH_SIZE	32
#define LINE_MAX_OCTETS 76 /* where a signature is folded */
#define FIELD_NAME	"DKIM-Signature:"
#define NAMES_MAX	128 /* in both lists together */
#define NAME_LEN_MAX	128 /* octets of a field's name */
#define IDENTITY_MAX	320 /* octets of i= */
#define H_MAX		3900 /* octets of h=: libopendkim cuts it at 4095, also when it verifies */

/*
 * The library refuses signatures from the future or past by its own clock. That is the
 * verifiers' business, so it allows for 10^9 seconds (32 years): more than now itself would
 * wrap.
 */
#define CLOCK_DRIFT UINT64_C(1000000000)

static DKIM_LIB *library;

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
	unsigned char body_hash[HASH_SIZE];
};

/* The library takes its input without const, and only reads it. */
static unsigned char *
unconst(const char *p)
{
	return (unsigned char *)(uintptr_t)p;
}

static DKIM_CBSTAT
answer_no_key(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *buffer, size_t size)
{
	(void)dkim, (void)sig, (void)buffer, (void)size;
	return DKIM_CBSTAT_NOTFOUND;
}

bool
dkim_sign_init(struct err *err)
{
	unsigned int flags = DKIM_LIBFLAGS_DELAYSIGPROC | DKIM_LIBFLAGS_BADSIGHANDLES;
	uint64_t drift = CLOCK_DRIFT;

	if (library != NULL)
		BUG("dkim_sign_init twice");
	library = dkim_init(NULL, NULL);
	if (library != NULL && dkim_libfeature(library, DKIM_FEATURE_SHA256) &&
	    dkim_libfeature(library, DKIM_FEATURE_ED25519) &&
	    dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags)) ==
		DKIM_STAT_OK &&
	    dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift,
		sizeof(drift)) == DKIM_STAT_OK &&
	    dkim_set_key_lookup(library, answer_no_key) == DKIM_STAT_OK)
		return true;
	dkim_sign_finish();
	return err_set(err, ERR_CONFIG, "libopendkim cannot be set up (SHA-256, Ed25519?)");
}

void
dkim_sign_finish(void)
{
	if (library != NULL)
		dkim_close(library);
	library = NULL;
}

/* What the library said, for the log. Always false. */
static bool
library_failed(const char *what, DKIM_STAT status, struct err *err)
{
	return err_set(err, ERR_IO, "libopendkim could not hash the %s: %s", what,
	    dkim_getresultstr(status));
}

static DKIM_STAT
feed_field(DKIM *dkim, struct view field)
{
	return dkim_header(dkim, unconst(field.p), field.len);
}

/* End the message; the signatures are in the order in which they were fed. */
static DKIM_STAT
take_signatures(DKIM *dkim, DKIM_SIGINFO ***signatures_out, size_t expected)
{
	int count = 0;
	DKIM_STAT status;

	(void)dkim_eom(dkim, NULL); /* "no key", as answer_no_key has it */
	status = dkim_getsiglist(dkim, signatures_out, &count);
	if (status == DKIM_STAT_OK && (size_t)count != expected)
		status = DKIM_STAT_INTERNAL;
	return status;
}

static DKIM_STAT
take_hash(DKIM_SIGINFO *signature, bool of_body, unsigned char hash_out[HASH_SIZE])
{
	void *header = NULL, *body = NULL;
	size_t header_len = 0, body_len = 0;
	DKIM_STAT status =
	    dkim_sig_gethashes(signature, &header, &header_len, &body, &body_len);

	if (status != DKIM_STAT_OK)
		return status;
	if (header_len != HASH_SIZE || body_len != HASH_SIZE)
		return DKIM_STAT_INTERNAL;
	memcpy(hash_out, of_body ? body : header, HASH_SIZE);
	return DKIM_STAT_OK;
}

static bool
ends_in_crlf(struct view v)
{
	return v.len >= 2 && memcmp(v.p + v.len - 2, "\r\n", 2) == 0;
}

static const char *
canon_name(enum dkim_canon canon)
{
	return canon == CANON_RELAXED ? "relaxed" : "simple";
}

/* A content that does not end in CRLF gets one on its way out: the hash is of that. */
static DKIM_STAT
feed_body(DKIM *dkim, struct view body)
{
	DKIM_STAT status = DKIM_STAT_OK;

	if (body.len > 0)
		status = dkim_body(dkim, unconst(body.p), body.len);
	if (status == DKIM_STAT_OK && body.len > 0 && !ends_in_crlf(body))
		status = dkim_body(dkim, unconst("\r\n"), 2);
	return status;
}

static DKIM_STAT
hash_body_with(DKIM *dkim, const struct dkim_sign_request *r, unsigned char hash_out[HASH_SIZE])
{
	char dummy[160];
	DKIM_SIGINFO **signatures = NULL;
	DKIM_STAT status = feed_field(dkim, VIEW("From: a@a.example"));
	int len = snprintf(dummy, sizeof(dummy),
	    FIELD_NAME
	    " v=1; a=rsa-sha256; c=simple/%s; d=a.example; s=a; h=from; bh=AAAA; b=AAAA",
	    canon_name(r->body_canon));

	if (status == DKIM_STAT_OK)
		status = feed_field(dkim, view_make(dummy, (size_t)len));
	if (status == DKIM_STAT_OK)
		status = dkim_eoh(dkim);
	if (status == DKIM_STAT_OK)
		status = feed_body(dkim, message_body(r->message));
	if (status == DKIM_STAT_OK)
		status = take_signatures(dkim, &signatures, 1);
	if (status == DKIM_STAT_OK)
		status = take_hash(signatures[0], true, hash_out);
	return status;
}

static bool
hash_body(struct signing *s)
{
	DKIM_STAT status;
	DKIM *dkim = dkim_verify(library, (const unsigned char *)"body", NULL, &status);

	if (dkim != NULL) {
		status = hash_body_with(dkim, s->request, s->body_hash);
		dkim_free(dkim);
	}
	return status == DKIM_STAT_OK || library_failed("body", status, s->err);
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
	for (s->most = MESSAGE_FIELDS_MAX; h_length(s) > H_MAX; s->most /= 2) {
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
 * The library refuses a tab before the colon. Without blanks there a relaxed field is the same,
 * so that is how such a message is signed.
 */
static bool
has_tab_in_name(const struct header_field *field)
{
	size_t colon = (size_t)(field->body.p - field->raw.p) - 1;

	return memchr(field->raw.p, '\t', colon) != NULL;
}

static DKIM_STAT
feed_tidied(DKIM *dkim, const struct header_field *field)
{
	struct buf text;
	DKIM_STAT status = DKIM_STAT_NORESOURCE;

	buf_init(&text, field->raw.len);
	if (buf_add_view(&text, field->name) && buf_add_char(&text, ':') &&
	    buf_add_view(&text, field->body))
		status = feed_field(dkim, buf_view(&text));
	buf_finish(&text);
	return status;
}

/* Count the fields to be signed, and hand them to the library in their order. */
static DKIM_STAT
feed_fields(struct signing *s, DKIM *dkim)
{
	const struct message *m = s->request->message;
	size_t count = message_field_count(m);
	bool disputed = false, tidied = false;
	DKIM_STAT status = feed_field(dkim, VIEW("x x: guard")); /* no h= can name it */

	for (size_t i = 0; i < count && status == DKIM_STAT_OK; i++) {
		const struct header_field *field = message_field(m, i);
		struct name *name = find_name(s, field->name);

		if (name == NULL)
			continue;
		name->present++;
		disputed = disputed || has_disputed_blank(field->body);
		if (has_tab_in_name(field)) {
			tidied = true;
			status = feed_tidied(dkim, field);
		} else {
			status = feed_field(dkim, view_make(field->raw.p, field->raw.len - 2));
		}
	}
	if (tidied)
		s->header_canon = CANON_RELAXED;
	else if (disputed)
		s->header_canon = CANON_SIMPLE;
	return status;
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
	unsigned char hash[HASH_SIZE / 3 * 4 + 5];

	fold_add(&f, "", VIEW("v=1;"));
	fold_tag(&f, "a=%s;", dkim_algorithm_name(dkim_key_algorithm(selector->key)));
	fold_tag(&f, "c=%s/%s;", canon_name(s->header_canon), canon_name(r->body_canon));
	fold_tag(&f, "d=%s;", r->domain->name);
	fold_tag(&f, "s=%s;", selector->selector);
	if (r->identity != NULL)
		fold_tag(&f, "i=%s;", r->identity);
	fold_tag(&f, "t=%" PRId64 ";", r->now);
	if (r->valid_s > 0)
		fold_tag(&f, "x=%" PRId64 ";", r->now + r->valid_s);
	fold_h(&f, s);
	EVP_EncodeBlock(hash, s->body_hash, HASH_SIZE);
	fold_tag(&f, "bh=%s;", (const char *)hash);
	f.ok = f.ok && buf_add_str(out, "\r\n\tb=");
	return f.ok || err_set(s->err, ERR_LIMIT, "the DKIM-Signature field is too long");
}

/* The unfinished signature as the library wants it: with something, anything, behind "b=". */
static DKIM_STAT
feed_unsigned(DKIM *dkim, struct view value)
{
	struct buf field;
	DKIM_STAT status = DKIM_STAT_NORESOURCE;

	buf_init(&field, value.len + 32);
	if (buf_add_str(&field, FIELD_NAME " ") && buf_add_view(&field, value) &&
	    buf_add_str(&field, "AAAA"))
		status = feed_field(dkim, buf_view(&field));
	buf_finish(&field);
	return status;
}

static bool
write_signature(
    struct signing *s, const struct dkim_key *key, DKIM_SIGINFO *info, struct buf *out)
{
	unsigned char hash[HASH_SIZE], signature[1024], text[1024 / 3 * 4 + 8];
	size_t len;
	struct folder f = { .out = out, .column = 8 + 2, .ok = true };

	if (take_hash(info, false, hash) != DKIM_STAT_OK)
		return err_set(s->err, ERR_IO, "libopendkim could not hash the header");
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
sign_header(struct signing *s, DKIM *dkim)
{
	const struct dkim_domain *domain = s->request->domain;
	DKIM_SIGINFO **signatures = NULL;
	DKIM_STAT status = feed_fields(s, dkim);

	if (status != DKIM_STAT_OK)
		return library_failed("header", status, s->err);
	if (!fit_h(s))
		return false;
	for (size_t i = 0; i < domain->selector_count && status == DKIM_STAT_OK; i++) {
		if (!write_unsigned(s, &domain->selectors[i], &s->values[i]))
			return false;
		status = feed_unsigned(dkim, view_from(buf_view(&s->values[i]), s->before[i]));
	}
	if (status == DKIM_STAT_OK)
		status = dkim_eoh(dkim);
	if (status == DKIM_STAT_OK)
		status = take_signatures(dkim, &signatures, domain->selector_count);
	if (status != DKIM_STAT_OK)
		return library_failed("header", status, s->err);
	for (size_t i = 0; i < domain->selector_count; i++) {
		if (!write_signature(s, domain->selectors[i].key, signatures[i], &s->values[i]))
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

	if (library == NULL)
		BUG("dkim_sign_message before dkim_sign_init");
	if (r->now < (int64_t)CLOCK_DRIFT)
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
	DKIM_STAT status;
	bool ok;

	for (size_t i = 0; i < request->domain->selector_count; i++)
		s.before[i] = values_out[i].len;
	ok = sign_prepare(&s) && hash_body(&s);
	DKIM *dkim = NULL;
	if (ok) {
		dkim = dkim_verify(library, (const unsigned char *)"header", NULL, &status);
		ok = dkim != NULL ? sign_header(&s, dkim)
				  : library_failed("header", status, err);
	}
	if (dkim != NULL)
		dkim_free(dkim);
	for (size_t i = 0; !ok && i < request->domain->selector_count; i++)
		values_out[i].len = s.before[i];
	return ok;
}
