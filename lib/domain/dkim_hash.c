/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Hashing by libopendkim: see dkim_hash.h. It hashes for verification only, so that is what it
 * is asked for, with a look-up of keys that finds none:
 *
 *  - body: a verification of a message with a made-up header; what comes out is the body's
 * hash;
 *  - header: a verification of the fields and no body, each signature with its own hash.
 *
 * They are apart because the library carries the l= of one signature over to the next ones.
 * This is the only file that includes <opendkim/dkim.h>.
 */
#include "lib/domain/dkim_hash.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <opendkim/dkim.h>

#include <inttypes.h>
#include <stdio.h>

/*
 * The library refuses signatures from the future or past by its own clock. That is for its
 * callers to judge, so it allows for 10^9 seconds (32 years): more than now itself would wrap.
 */
#define CLOCK_DRIFT UINT64_C(1000000000)

#define BODY_PIECE ((size_t)1 << 20) /* octets fed at once: the library counts in int */

static DKIM_LIB *library;
static unsigned users;

struct dkim_hasher {
	DKIM *dkim; /* owned */
	DKIM_SIGINFO **signatures;
	int count;
};

const char *
dkim_canon_name(enum dkim_canon canon)
{
	return canon == CANON_RELAXED ? "relaxed" : "simple";
}

static DKIM_CBSTAT
answer_no_key(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *buffer, size_t size)
{
	(void)dkim, (void)sig, (void)buffer, (void)size;
	return DKIM_CBSTAT_NOTFOUND;
}

/* The library frees twice where there is no memory, so that must not be. */
static void *
library_alloc(void *closure UNUSED, size_t size)
{
	return mem_alloc(size);
}

static void
library_free(void *closure UNUSED, void *p)
{
	mem_free(p);
}

bool
dkim_hash_init(struct err *err)
{
	unsigned int flags = DKIM_LIBFLAGS_DELAYSIGPROC | DKIM_LIBFLAGS_BADSIGHANDLES;
	uint64_t drift = CLOCK_DRIFT;

	users++;
	if (library != NULL)
		return true;
	library = dkim_init(library_alloc, library_free);
	if (library != NULL && dkim_libfeature(library, DKIM_FEATURE_SHA256) &&
	    dkim_libfeature(library, DKIM_FEATURE_ED25519) &&
	    dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags)) ==
		DKIM_STAT_OK &&
	    dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift,
		sizeof(drift)) == DKIM_STAT_OK &&
	    dkim_set_key_lookup(library, answer_no_key) == DKIM_STAT_OK)
		return true;
	dkim_hash_finish();
	return err_set(err, ERR_CONFIG, "libopendkim cannot be set up (SHA-256, Ed25519?)");
}

void
dkim_hash_finish(void)
{
	if (users == 0 || --users > 0)
		return;
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

static DKIM *
open_handle(const char *what, DKIM_STAT *status_out)
{
	if (library == NULL)
		BUG("hashing before dkim_hash_init");
	return dkim_verify(library, (const unsigned char *)what, NULL, status_out);
}

/* The library takes its input without const, and only reads it. */
static unsigned char *
unconst(const char *p)
{
	return (unsigned char *)(uintptr_t)p;
}

static DKIM_STAT
feed_field(DKIM *dkim, struct view field)
{
	return dkim_header(dkim, unconst(field.p), field.len);
}

/*
 * A signature that the library could not set up has no hashes, and asking for them ends the
 * process. Those that it did are without a key, or (their l= has no body here) too long.
 */
static bool
take_hash(DKIM_SIGINFO *signature, bool of_body, unsigned char hash_out[DKIM_HASH_SIZE])
{
	const DKIM_SIGERROR error = dkim_sig_geterror(signature);
	void *header = NULL, *body = NULL;
	size_t header_len = 0, body_len = 0;

	if (error != DKIM_SIGERROR_NOKEY && (error != DKIM_SIGERROR_TOOLARGE_L || of_body))
		return false;
	if (dkim_sig_gethashes(signature, &header, &header_len, &body, &body_len) !=
	    DKIM_STAT_OK)
		return false;
	if (header_len != DKIM_HASH_SIZE || body_len != DKIM_HASH_SIZE)
		return false;
	memcpy(hash_out, of_body ? body : header, DKIM_HASH_SIZE);
	return true;
}

/* Body. */

static bool
ends_in_crlf(struct view v)
{
	return v.len >= 2 && memcmp(v.p + v.len - 2, "\r\n", 2) == 0;
}

static DKIM_STAT
feed_body(DKIM *dkim, struct view body)
{
	DKIM_STAT status = DKIM_STAT_OK;

	for (size_t at = 0; at < body.len && status == DKIM_STAT_OK; at += BODY_PIECE) {
		const size_t left = body.len - at;

		status = dkim_body(
		    dkim, unconst(body.p + at), left < BODY_PIECE ? left : BODY_PIECE);
	}
	if (status == DKIM_STAT_OK && body.len > 0 && !ends_in_crlf(body))
		status = dkim_body(dkim, unconst("\r\n"), 2);
	return status;
}

/* A header for the library to read the body by: canonicalization and length. */
static DKIM_STAT
feed_made_up_header(DKIM *dkim, enum dkim_canon canon, uint64_t limit)
{
	char field[200];
	DKIM_STAT status = feed_field(dkim, VIEW("From: a@a.example"));
	int len = snprintf(field, sizeof(field),
	    "DKIM-Signature: v=1; a=rsa-sha256; c=simple/%s; d=a.example; s=a; h=from;",
	    dkim_canon_name(canon));

	if (limit != DKIM_WHOLE_BODY)
		len += snprintf(
		    field + len, sizeof(field) - (size_t)len, " l=%" PRIu64 ";", limit);
	len += snprintf(field + len, sizeof(field) - (size_t)len, " bh=AAAA; b=AAAA");
	if (status == DKIM_STAT_OK)
		status = feed_field(dkim, view_make(field, (size_t)len));
	if (status == DKIM_STAT_OK)
		status = dkim_eoh(dkim);
	return status;
}

static DKIM_STAT
take_body(DKIM *dkim, unsigned char hash_out[DKIM_HASH_SIZE], uint64_t *length_out)
{
	DKIM_SIGINFO **signatures = NULL;
	int count = 0;
	ssize_t length = 0;
	DKIM_STAT status;

	(void)dkim_eom(dkim, NULL); /* "no key", as answer_no_key has it */
	status = dkim_getsiglist(dkim, &signatures, &count);
	if (status != DKIM_STAT_OK)
		return status;
	if (count != 1 || !take_hash(signatures[0], true, hash_out))
		return DKIM_STAT_INTERNAL;
	status = dkim_sig_getcanonlen(dkim, signatures[0], NULL, &length, NULL);
	if (length_out != NULL)
		*length_out = (uint64_t)length;
	return status;
}

bool
dkim_hash_body(struct view body, enum dkim_canon canon, uint64_t limit,
    unsigned char hash_out[DKIM_HASH_SIZE], uint64_t *length_out, struct err *err)
{
	DKIM_STAT status;
	DKIM *dkim = open_handle("body", &status);

	if (dkim == NULL)
		return library_failed("body", status, err);
	status = feed_made_up_header(dkim, canon, limit);
	if (status == DKIM_STAT_OK)
		status = feed_body(dkim, body);
	if (status == DKIM_STAT_OK)
		status = take_body(dkim, hash_out, length_out);
	dkim_free(dkim);
	return status == DKIM_STAT_OK || library_failed("body", status, err);
}

/* Header. */

struct dkim_hasher *
dkim_hasher_create(struct err *err)
{
	DKIM_STAT status;
	DKIM *dkim = open_handle("header", &status);

	/* The library writes behind a list when h= names every field: this one it cannot. */
	if (dkim != NULL)
		status = feed_field(dkim, VIEW("x x: guard"));
	if (dkim != NULL && status == DKIM_STAT_OK) {
		struct dkim_hasher *h = mem_calloc(1, sizeof(*h));

		h->dkim = dkim;
		return h;
	}
	if (dkim != NULL)
		dkim_free(dkim);
	library_failed("header", status, err);
	return NULL;
}

void
dkim_hasher_destroy(struct dkim_hasher **h)
{
	if (*h == NULL)
		return;
	dkim_free((*h)->dkim);
	mem_free(*h);
	*h = NULL;
}

bool
dkim_hasher_feed(struct dkim_hasher *h, struct view field, struct err *err)
{
	const DKIM_STAT status = feed_field(h->dkim, field);

	return status == DKIM_STAT_OK || library_failed("header", status, err);
}

static struct view
name_with_blanks(const struct header_field *field)
{
	return view_make(field->raw.p, (size_t)(field->body.p - field->raw.p) - 1);
}

bool
dkim_hash_has_tab(const struct header_field *field)
{
	const struct view name = name_with_blanks(field);

	return view_find(name, '\t') < name.len;
}

/* The library reads a DKIM-Signature at once, and says so when it cannot: that is no failure.
 */
static bool
is_misread_signature(const struct header_field *field, DKIM_STAT status)
{
	return status == DKIM_STAT_SYNTAX &&
	       view_eq_nocase(field->name, VIEW("DKIM-Signature"));
}

static bool
feed_tidied(struct dkim_hasher *h, const struct header_field *field, struct err *err)
{
	struct buf text;
	DKIM_STAT status = DKIM_STAT_NORESOURCE;

	buf_init(&text, field->raw.len);
	if (buf_add_view(&text, field->name) && buf_add_char(&text, ':') &&
	    buf_add_view(&text, field->body))
		status = feed_field(h->dkim, buf_view(&text));
	buf_finish(&text);
	return status == DKIM_STAT_OK || is_misread_signature(field, status) ||
	       library_failed("header", status, err);
}

bool
dkim_hasher_feed_field(struct dkim_hasher *h, const struct header_field *field, struct err *err)
{
	DKIM_STAT status;

	if (view_find(field->name, ';') < field->name.len)
		return true; /* no h= can name it, and the library does not want it */
	if (dkim_hash_has_tab(field))
		return feed_tidied(h, field, err);
	status = feed_field(h->dkim, view_make(field->raw.p, field->raw.len - 2));
	return status == DKIM_STAT_OK || is_misread_signature(field, status) ||
	       library_failed("header", status, err);
}

bool
dkim_hasher_end(struct dkim_hasher *h, struct err *err)
{
	DKIM_STAT status = dkim_eoh(h->dkim);

	if (status == DKIM_STAT_OK) {
		(void)dkim_eom(h->dkim, NULL); /* "no key", as answer_no_key has it */
		status = dkim_getsiglist(h->dkim, &h->signatures, &h->count);
	}
	return status == DKIM_STAT_OK || library_failed("header", status, err);
}

bool
dkim_hasher_take(
    const struct dkim_hasher *h, size_t index, unsigned char hash_out[DKIM_HASH_SIZE])
{
	return index < (size_t)h->count && take_hash(h->signatures[index], false, hash_out);
}
