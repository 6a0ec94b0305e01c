/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Canonical forms (RFC 6376 3.4): the examples of 3.4.5 and the odd ends; and, for random
 * fields and bodies, the hashes that libopendkim finds too.
 */
#include "lib/domain/canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <opendkim/dkim.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "tests/unit/message_fixture.h"

static void
collect(void *context, struct view piece)
{
	assert_true(piece.len > 0);
	assert_true(buf_add_view(context, piece));
}

struct body_case {
	const char *name;
	const char *body, *simple, *relaxed;
};

static const struct body_case body_cases[] = {
	{ "an empty body", "", "\r\n", "" },
	{ "an empty line", "\r\n", "\r\n", "" },
	{ "empty lines", "\r\n\r\n\r\n", "\r\n", "" },
	{ "a line of blanks", " \t \r\n", " \t \r\n", "" },
	{ "the example of RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n",
	    " C\r\nD E\r\n" },
	{ "no CRLF at the end", "a", "a\r\n", "a\r\n" },
	{ "blanks and no CRLF at the end", "a \t", "a \t\r\n", "a\r\n" },
	{ "empty lines in the middle stay", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n",
	    "a\r\n\r\n\r\nb\r\n" },
	{ "lines of blanks in the middle become empty", "a\r\n \t\r\n\t\r\nb\r\n",
	    "a\r\n \t\r\n\t\r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
	{ "lines of blanks at the end", "a\r\n \r\n\t\r\n\r\n", "a\r\n \r\n\t\r\n", "a\r\n" },
	{ "blanks at the start are one", "\t  a\r\n", "\t  a\r\n", " a\r\n" },
	{ "other controls are no blanks", "a\v \fb\r\n", "a\v \fb\r\n", "a\v \fb\r\n" },
	{ "a lone CR is a character", "a\r b\r\r\n", "a\r b\r\r\n", "a\r b\r\r\n" },
};

static void
check_body(const struct body_case *c, bool relaxed, const char *wanted)
{
	struct buf out;

	buf_init(&out, 1 << 16);
	const uint64_t len = canon_body(view_of(c->body), relaxed, collect, &out);
	if (!view_eq(buf_view(&out), view_of(wanted)) || len != out.len)
		fail_msg("%s (relaxed: %d): %.*s", c->name, relaxed, VIEW_ARG(buf_view(&out)));
	buf_finish(&out);
}

static void
test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(body_cases); i++) {
		check_body(&body_cases[i], false, body_cases[i].simple);
		check_body(&body_cases[i], true, body_cases[i].relaxed);
	}
}

struct field_case {
	const char *name;
	const char *field, *relaxed;
};

static const struct field_case field_cases[] = {
	{ "the examples of RFC 6376 3.4.5", "A: X\r\n", "a:X\r\n" },
	{ "the second one", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n" },
	{ "nothing behind the colon", "Subject:\r\n", "subject:\r\n" },
	{ "blanks behind the colon", "Subject: \t \r\n", "subject:\r\n" },
	{ "a fold at the start", "Subject:\r\n a\r\n", "subject:a\r\n" },
	{ "a fold without other blanks", "Subject: a\r\n b\r\n", "subject:a b\r\n" },
	{ "a fold at the end", "Subject: a\r\n \r\n", "subject:a\r\n" },
	{ "a colon in the value", "X: a : b\r\n", "x:a : b\r\n" },
	{ "octets over 127", "X: \xc3\xbc\xff\r\n", "x:\xc3\xbc\xff\r\n" },
};

static void
test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(field_cases); i++) {
		struct message *m = message_of(field_cases[i].field);
		struct buf out;

		buf_init(&out, 1024);
		canon_field(message_field(m, 0), true, collect, &out);
		if (!view_eq(buf_view(&out), view_of(field_cases[i].relaxed)))
			fail_msg("%s: %.*s", field_cases[i].name, VIEW_ARG(buf_view(&out)));
		buf_clear(&out);
		canon_field(message_field(m, 0), false, collect, &out);
		assert_true(view_eq(buf_view(&out), view_of(field_cases[i].field)));
		buf_finish(&out);
		message_destroy(&m);
	}
}

struct own_case {
	const char *name;
	const char *field;
	const char *b; /* the octets of b= in it */
	const char *simple, *relaxed;
};

static const struct own_case own_cases[] = {
	{ "b= at the end", "S: a=1; b=XYZ\r\n", "XYZ", "S: a=1; b=", "s:a=1; b=" },
	{ "b= in the middle", "S: b=XYZ; a=1\r\n", "XYZ", "S: b=; a=1", "s:b=; a=1" },
	{ "a fold in it", "S:  a=1;\r\n b=X\r\n YZ;\r\n c=2\r\n", "X\r\n YZ",
	    "S:  a=1;\r\n b=;\r\n c=2", "s:a=1; b=; c=2" },
	{ "blanks around it", "S: b= XYZ \r\n ; a=1\r\n", "XYZ", "S: b=; a=1", "s:b=; a=1" },
	{ "a blank before the equals sign stays", "S : b = XYZ\r\n", "XYZ",
	    "S : b =", "s:b =" },
};

static void
test_own_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(own_cases); i++) {
		const struct own_case *c = &own_cases[i];
		struct message *m = message_of(c->field);
		const struct header_field *field = message_field(m, 0);
		const size_t at = (size_t)(strstr(c->field, c->b) - c->field);
		const struct view b = view_make(field->raw.p + at, strlen(c->b));
		struct buf out;

		buf_init(&out, 1024);
		canon_signature(field, b, false, collect, &out);
		if (!view_eq(buf_view(&out), view_of(c->simple)))
			fail_msg("%s: %.*s", c->name, VIEW_ARG(buf_view(&out)));
		buf_clear(&out);
		canon_signature(field, b, true, collect, &out);
		if (!view_eq(buf_view(&out), view_of(c->relaxed)))
			fail_msg("%s: %.*s", c->name, VIEW_ARG(buf_view(&out)));
		buf_finish(&out);
		message_destroy(&m);
	}
}

/* Lines longer than the buffer within, and more empty lines than it holds. */
static void
test_large_bodies(void **state)
{
	struct buf body, out;

	(void)state;
	buf_init(&body, 1 << 20);
	buf_init(&out, 1 << 20);
	for (int i = 0; i < 9000; i++)
		assert_true(buf_add_str(&body, i % 1000 == 7 ? " \t " : "x"));
	for (int i = 0; i < 9000; i++)
		assert_true(buf_add_str(&body, "\r\n"));
	assert_true(buf_add_str(&body, "end\r\n"));
	assert_int_equal(canon_body(buf_view(&body), false, collect, &out), body.len);
	assert_true(view_eq(buf_view(&out), buf_view(&body)));
	buf_clear(&out);
	assert_int_equal(canon_body(buf_view(&body), true, collect, &out), body.len - 18);
	buf_finish(&out);
	buf_finish(&body);
}

/* libopendkim as the other opinion. */

static void
hash_sink(void *context, struct view piece)
{
	assert_int_equal(EVP_DigestUpdate(context, piece.p, piece.len), 1);
}

static DKIM_CBSTAT
no_key(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *buffer, size_t size)
{
	(void)dkim, (void)sig, (void)buffer, (void)size;
	return DKIM_CBSTAT_NOTFOUND;
}

static void
library_feed(DKIM *dkim, const char *field)
{
	assert_int_equal(
	    dkim_header(dkim, (unsigned char *)(uintptr_t)field, strlen(field)), DKIM_STAT_OK);
}

/* Where b= stands, and what is around it. (A blank before the equals sign is good, but
 * libopendkim does not find the tag then.) */
static const char *const b_tags[] = {
	"bh=AAAA; b=BBBB",
	"bh=AAAA; b=BBBB;",
	"b=BBBB; bh=AAAA",
	"b=\r\n BBBB; bh=AAAA",
	"b=BB\r\n\tBB;\r\n bh=AAAA",
	"b=BBBB ; bh=AAAA",
	"b=BBBB \r\n\t; bh=AAAA",
	"bh=AAAA; \t b=BBBB \t",
};

static void
print_signature(char *out, size_t room, bool relaxed, size_t kind)
{
	snprintf(out, room,
	    "DKIM-Signature: v=1; a=rsa-sha256; c=%s; d=a.example; s=a; h=from:x; %s",
	    relaxed ? "relaxed/relaxed" : "simple/simple", b_tags[kind]);
}

/* The body's hash, and that of the header: field first, then the signature's own. */
static void
library_hashes(DKIM_LIB *library, const char *signature, const char *field, struct view body,
    unsigned char hashes_out[2][32])
{
	DKIM_STAT status;
	DKIM_SIGINFO **list = NULL;
	DKIM *dkim = dkim_verify(library, (const unsigned char *)"t", NULL, &status);
	void *header_hash, *body_hash;
	size_t header_len, body_len;
	int count = 0;

	assert_non_null(dkim);
	library_feed(dkim, "From: a@a.example");
	library_feed(dkim, field);
	library_feed(dkim, signature);
	assert_int_equal(dkim_eoh(dkim), DKIM_STAT_OK);
	if (body.len > 0)
		assert_int_equal(
		    dkim_body(dkim, (unsigned char *)(uintptr_t)body.p, body.len), 0);
	(void)dkim_eom(dkim, NULL);
	assert_int_equal(dkim_getsiglist(dkim, &list, &count), DKIM_STAT_OK);
	assert_int_equal(count, 1);
	assert_int_equal(
	    dkim_sig_gethashes(list[0], &header_hash, &header_len, &body_hash, &body_len),
	    DKIM_STAT_OK);
	memcpy(hashes_out[0], header_hash, 32);
	memcpy(hashes_out[1], body_hash, 32);
	dkim_free(dkim);
}

/* From the first B to the last one of a value. */
static struct view
b_of(struct view body)
{
	const char *first = memchr(body.p, 'B', body.len),
		   *last = memrchr(body.p, 'B', body.len);

	return view_make(first, (size_t)(last + 1 - first));
}

static void
our_hashes(bool relaxed, const char *signature, const char *field, struct view body,
    unsigned char hashes_out[2][32])
{
	char text[500];
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	snprintf(text, sizeof(text), "From: a@a.example\r\n%s\r\n%s\r\n\r\n", field, signature);
	struct message *m = message_of(text);
	const struct header_field *own = message_field(m, 2);
	assert_int_equal(EVP_DigestInit_ex(md, EVP_sha256(), NULL), 1);
	canon_field(message_field(m, 0), relaxed, hash_sink, md);
	canon_field(message_field(m, 1), relaxed, hash_sink, md);
	canon_signature(own, b_of(own->body), relaxed, hash_sink, md);
	assert_int_equal(EVP_DigestFinal_ex(md, hashes_out[0], NULL), 1);
	assert_int_equal(EVP_DigestInit_ex(md, EVP_sha256(), NULL), 1);
	canon_body(body, relaxed, hash_sink, md);
	assert_int_equal(EVP_DigestFinal_ex(md, hashes_out[1], NULL), 1);
	EVP_MD_CTX_free(md);
	message_destroy(&m);
}

static void
random_text(struct buf *out, const char *const *pieces, size_t count, int length)
{
	buf_clear(out);
	for (int i = 0; i < length; i++)
		assert_true(buf_add_str(out, pieces[(size_t)rand() % count]));
}

static void
test_libopendkim_agrees(void **state)
{
	static const char *const body_pieces[] = { "\r\n", "\r\n", " ", "\t", "a", "bc" };
	static const char *const field_pieces[] = { "\r\n a", " ", "\t", "a", "B:", "c" };
	DKIM_LIB *library = dkim_init(NULL, NULL);
	unsigned char theirs[2][32], ours[2][32];
	struct buf body, field;

	(void)state;
	assert_int_equal(dkim_set_key_lookup(library, no_key), DKIM_STAT_OK);
	buf_init(&body, 4096);
	buf_init(&field, 4096);
	srand(1);
	for (int i = 0; i < 2000; i++) {
		const bool relaxed = (i & 1) != 0;

		random_text(&body, body_pieces, ARRAY_LEN(body_pieces), rand() % 20);
		if (body.len > 0)
			assert_true(buf_add_str(&body, "\r\n"));
		random_text(&field, field_pieces, ARRAY_LEN(field_pieces), rand() % 12);
		char text[200], signature[200];
		snprintf(text, sizeof(text), "X:%.*s", VIEW_ARG(buf_view(&field)));
		print_signature(
		    signature, sizeof(signature), relaxed, (size_t)rand() % ARRAY_LEN(b_tags));
		library_hashes(library, signature, text, buf_view(&body), theirs);
		our_hashes(relaxed, signature, text, buf_view(&body), ours);
		if (memcmp(theirs, ours, sizeof(ours)) != 0)
			fail_msg("%d: \"%s\"; \"%s\"; \"%.*s\"", i, text, signature,
			    VIEW_ARG(buf_view(&body)));
	}
	buf_finish(&field);
	buf_finish(&body);
	dkim_close(library);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_own_field),
		cmocka_unit_test(test_large_bodies),
		cmocka_unit_test(test_libopendkim_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
