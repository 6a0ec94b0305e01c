/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lib/smtp/dot: a message ends in CRLF.CRLF and in nothing else. Every case is fed whole, one
 * octet at a time, and cut at every position, and must come out the same.
 */
#include "lib/smtp/dot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define IN(literal)                            \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}
#define NONE          \
	{             \
		"", 0 \
	}

static const struct {
	const char *name;
	struct view in;
	enum dot_status status;
	struct view out;  /* for DOT_MORE and DOT_END */
	struct view left; /* for DOT_END */
} decoder_cases[] = {
	/* proper content */
	{ "nothing", IN(""), DOT_MORE, NONE, NONE },
	{ "an empty message", IN(".\r\n"), DOT_END, NONE, NONE },
	{ "a message of one empty line", IN("\r\n.\r\n"), DOT_END, IN("\r\n"), NONE },
	{ "a message", IN("a\r\nb\r\n.\r\n"), DOT_END, IN("a\r\nb\r\n"), NONE },
	{ "what follows the end is left", IN("a\r\n.\r\nQUIT\r\n"), DOT_END, IN("a\r\n"),
	    IN("QUIT\r\n") },
	{ "what follows the end is not looked at", IN("a\r\n.\r\n\n\0\r."), DOT_END,
	    IN("a\r\n"), IN("\n\0\r.") },
	{ "a second dot line belongs to what follows", IN(".\r\n.\r\n"), DOT_END, NONE,
	    IN(".\r\n") },
	{ "a doubled dot", IN("..\r\n.\r\n"), DOT_END, IN(".\r\n"), NONE },
	{ "a doubled dot with text", IN("..a\r\n.\r\n"), DOT_END, IN(".a\r\n"), NONE },
	{ "three dots", IN("...\r\n.\r\n"), DOT_END, IN("..\r\n"), NONE },
	{ "a dot that was not doubled is taken off", IN(".a\r\n.\r\n"), DOT_END, IN("a\r\n"),
	    NONE },
	{ "a dot within a line stays", IN("a.b.\r\n.\r\n"), DOT_END, IN("a.b.\r\n"), NONE },
	{ "a dot at the end of a line ends nothing", IN("a.\r\n"), DOT_MORE, IN("a.\r\n"),
	    NONE },
	{ "a dot and a blank end nothing", IN(". \r\n"), DOT_MORE, IN(" \r\n"), NONE },
	{ "empty lines stay", IN("\r\n\r\n\r\n.\r\n"), DOT_END, IN("\r\n\r\n\r\n"), NONE },
	{ "every line begins with a dot", IN("..\r\n..\r\n..a\r\n.\r\n"), DOT_END,
	    IN(".\r\n.\r\n.a\r\n"), NONE },
	{ "octets over 0x7f and controls stay", IN("\xff\x80\x01\t\x7f\r\n.\r\n"), DOT_END,
	    IN("\xff\x80\x01\t\x7f\r\n"), NONE },
	{ "no end yet", IN("a\r\nb"), DOT_MORE, IN("a\r\nb"), NONE },
	{ "a CR waits for its LF", IN("a\r"), DOT_MORE, IN("a"), NONE },
	{ "a dot waits for what follows", IN("a\r\n."), DOT_MORE, IN("a\r\n"), NONE },
	{ "dot CR waits for its LF", IN("a\r\n.\r"), DOT_MORE, IN("a\r\n"), NONE },

	/* smuggling: none of these may end the message, or be let through */
	{ "LF dot LF", IN("a\n.\nMAIL"), DOT_BARE_LF, NONE, NONE },
	{ "LF dot CRLF", IN("a\n.\r\nMAIL"), DOT_BARE_LF, NONE, NONE },
	{ "CRLF dot LF", IN("a\r\n.\nMAIL"), DOT_BARE_LF, NONE, NONE },
	{ "dot LF at the beginning", IN(".\nMAIL"), DOT_BARE_LF, NONE, NONE },
	{ "LF dot CR LF, behind an empty line", IN("\r\n\n.\r\n"), DOT_BARE_LF, NONE, NONE },
	{ "CR dot CR", IN("a\r.\rMAIL"), DOT_BARE_CR, NONE, NONE },
	{ "CR dot CRLF", IN("a\r.\r\nMAIL"), DOT_BARE_CR, NONE, NONE },
	{ "CR dot LF", IN("a\r.\nMAIL"), DOT_BARE_CR, NONE, NONE },
	{ "CRLF dot CR", IN("a\r\n.\rMAIL"), DOT_BARE_CR, NONE, NONE },
	{ "CRLF dot CR CRLF", IN("a\r\n.\r\r\nMAIL"), DOT_BARE_CR, NONE, NONE },
	{ "CRLF dot CR dot", IN("a\r\n.\r."), DOT_BARE_CR, NONE, NONE },
	{ "CR CRLF dot CR CRLF", IN("a\r\r\n.\r\r\nMAIL"), DOT_BARE_CR, NONE, NONE },
	{ "CR CRLF dot CRLF", IN("a\r\r\n.\r\nMAIL"), DOT_BARE_CR, NONE, NONE },
	{ "LF CR dot LF CR", IN("a\n\r.\n\rMAIL"), DOT_BARE_LF, NONE, NONE },
	{ "LF LF dot CRLF", IN("a\n\n.\r\n"), DOT_BARE_LF, NONE, NONE },
	{ "NUL before the dot", IN("a\r\n\0.\r\nMAIL"), DOT_NUL, NONE, NONE },
	{ "NUL behind the dot", IN("a\r\n.\0\r\nMAIL"), DOT_NUL, NONE, NONE },
	{ "NUL between CR and LF of the dot", IN("a\r\n.\r\0\nMAIL"), DOT_NUL, NONE, NONE },
	{ "NUL between CR and LF", IN("a\r\0\n.\r\nMAIL"), DOT_NUL, NONE, NONE },
	{ "a doubled dot does not hide a bare LF", IN("..\n"), DOT_BARE_LF, NONE, NONE },
	{ "a doubled dot does not hide a bare CR", IN("..\r.\r\n"), DOT_BARE_CR, NONE, NONE },

	/* stray octets anywhere else */
	{ "a bare LF in a line", IN("a\nb\r\n.\r\n"), DOT_BARE_LF, NONE, NONE },
	{ "a bare LF first", IN("\n"), DOT_BARE_LF, NONE, NONE },
	{ "a bare CR in a line", IN("a\rb\r\n.\r\n"), DOT_BARE_CR, NONE, NONE },
	{ "a bare CR first", IN("\ra"), DOT_BARE_CR, NONE, NONE },
	{ "two CRs", IN("\r\r"), DOT_BARE_CR, NONE, NONE },
	{ "a NUL in a line", IN("a\0b\r\n.\r\n"), DOT_NUL, NONE, NONE },
	{ "a NUL first", IN("\0"), DOT_NUL, NONE, NONE },
	{ "a bare LF, then a NUL: the first counts", IN("\n\0"), DOT_BARE_LF, NONE, NONE },
	{ "a NUL, then a bare LF: the first counts", IN("\0\n"), DOT_NUL, NONE, NONE },
	{ "a bare CR, then a bare LF: the first counts", IN("a\rb\n"), DOT_BARE_CR, NONE,
	    NONE },
	{ "a bare LF, then a bare CR: the first counts", IN("a\nb\rc"), DOT_BARE_LF, NONE,
	    NONE },
	{ "a bare LF behind good lines", IN("a\r\nb\r\nc\n"), DOT_BARE_LF, NONE, NONE },
};

struct result {
	enum dot_status status;
	char out[128];
	size_t len, used;
};

/* Decode in pieces: first octets, then step octets at a time, each in a block of its own size.
 */
static struct result
decode(struct view in, size_t first, size_t step)
{
	struct dot_decoder d = { 0 };
	struct result r = { .status = DOT_MORE };

	for (size_t len = first; r.used < in.len && r.status == DOT_MORE; len = step) {
		size_t out_len, used;
		if (len > in.len - r.used)
			len = in.len - r.used;
		char *piece = malloc(len + 1), *out = malloc(len + 2);
		memcpy(piece, in.p + r.used, len);
		r.status = dot_decode(&d, view_make(piece, len), out, &out_len, &used);
		assert_true(out_len <= len + 2 && used <= len);
		assert_true(used == len || r.status == DOT_END);
		memcpy(r.out + r.len, out, out_len);
		r.len += out_len;
		r.used += used;
		free(piece);
		free(out);
	}
	return r;
}

static void
check_decoded(size_t i, const struct result *r)
{
	enum dot_status status = decoder_cases[i].status;

	assert_int_equal(r->status, status);
	for (size_t at = 0; at < r->len; at++) {
		assert_true(r->out[at] != '\0');
		assert_true(r->out[at] != '\r' || (at + 1 < r->len && r->out[at + 1] == '\n'));
		assert_true(r->out[at] != '\n' || (at > 0 && r->out[at - 1] == '\r'));
	}
	if (status != DOT_MORE && status != DOT_END)
		return;
	assert_int_equal(r->used, decoder_cases[i].in.len - decoder_cases[i].left.len);
	assert_int_equal(r->len, decoder_cases[i].out.len);
	assert_memory_equal(r->out, decoder_cases[i].out.p, r->len);
}

static void
test_decoder(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(decoder_cases); i++) {
		struct view in = decoder_cases[i].in;
		print_message("%s\n", decoder_cases[i].name);
		struct result one_by_one = decode(in, 1, 1);
		check_decoded(i, &one_by_one);
		for (size_t cut = 0; cut <= in.len; cut++) {
			struct result r = decode(in, cut, in.len);
			check_decoded(i, &r);
			assert_int_equal(r.len, one_by_one.len);
			assert_memory_equal(r.out, one_by_one.out, r.len);
		}
	}
}

/* Nothing behind an error is ever content, or an end. */
static void
test_decoder_stays_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(decoder_cases); i++) {
		struct dot_decoder d = { 0 };
		struct view next = VIEW("a\r\n.\r\nQUIT\r\n");
		char out[128];
		size_t len, used;
		enum dot_status status = dot_decode(&d, decoder_cases[i].in, out, &len, &used);

		if (status == DOT_MORE || status == DOT_END)
			continue;
		print_message("%s\n", decoder_cases[i].name);
		assert_int_equal(used, decoder_cases[i].in.len);
		assert_int_equal(dot_decode(&d, next, out, &len, &used), status);
		assert_int_equal(len, 0);
		assert_int_equal(used, next.len);
	}
}

static void
test_decoder_reads_the_next_message(void **state)
{
	struct dot_decoder d = { 0 };
	struct view in = VIEW("a\r\n.\r\n..b\r\n.\r\n");
	char out[32];
	size_t len, used;

	(void)state;
	assert_int_equal(dot_decode(&d, in, out, &len, &used), DOT_END);
	in = view_from(in, used);
	assert_int_equal(dot_decode(&d, in, out, &len, &used), DOT_END);
	assert_int_equal(len, 4);
	assert_memory_equal(out, ".b\r\n", 4);
}

static const struct {
	const char *name;
	struct view in;
	bool is_sent;
	struct view out; /* with the final dot */
} encoder_cases[] = {
	{ "nothing", IN(""), true, IN(".\r\n") },
	{ "a line", IN("a\r\n"), true, IN("a\r\n.\r\n") },
	{ "a last line without an end gets one", IN("a"), true, IN("a\r\n.\r\n") },
	{ "a dot alone without a line end", IN("."), true, IN("..\r\n.\r\n") },
	{ "a dot line", IN(".\r\n"), true, IN("..\r\n.\r\n") },
	{ "dot lines", IN(".\r\n..\r\n.a\r\n"), true, IN("..\r\n...\r\n..a\r\n.\r\n") },
	{ "a dot within a line", IN("a.\r\n b.c\r\n"), true, IN("a.\r\n b.c\r\n.\r\n") },
	{ "what looks like an end", IN("a\r\n.\r\nQUIT\r\n"), true,
	    IN("a\r\n..\r\nQUIT\r\n.\r\n") },
	{ "empty lines", IN("\r\n\r\n"), true, IN("\r\n\r\n.\r\n") },
	{ "octets over 0x7f", IN("\xff\r\n"), true, IN("\xff\r\n.\r\n") },
	{ "a bare LF never goes out", IN("a\n.\r\nb\r\n"), false, NONE },
	{ "a bare LF behind a dot never goes out", IN(".\n"), false, NONE },
	{ "a bare LF first never goes out", IN("\n"), false, NONE },
	{ "a bare CR never goes out", IN("a\rb\r\n"), false, NONE },
	{ "a bare CR behind a dot never goes out", IN("a\r\n.\r.\r\n"), false, NONE },
	{ "two CRs never go out", IN("a\r\r\n"), false, NONE },
	{ "a CR at the very end never goes out", IN("a\r\nb\r"), false, NONE },
	{ "a NUL never goes out", IN("a\0b\r\n"), false, NONE },
};

static bool
encode(struct view in, size_t first, size_t step, struct buf *out)
{
	struct dot_encoder e = { 0 };
	size_t used = 0;

	buf_clear(out);
	for (size_t len = first; used < in.len; len = step) {
		size_t before = out->len;
		if (len > in.len - used)
			len = in.len - used;
		if (!dot_encode(&e, view_make(in.p + used, len), out)) {
			assert_int_equal(out->len, before);
			return false;
		}
		assert_true(out->len - before <= 2 * len);
		used += len;
	}
	return dot_encode_end(&e, out);
}

static void
check_encoded(size_t i, bool is_sent, const struct buf *out)
{
	assert_int_equal(is_sent, encoder_cases[i].is_sent);
	if (!is_sent)
		return;
	assert_int_equal(out->len, encoder_cases[i].out.len);
	assert_memory_equal(out->p, encoder_cases[i].out.p, out->len);
}

static void
test_encoder(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(encoder_cases); i++) {
		struct view in = encoder_cases[i].in;
		print_message("%s\n", encoder_cases[i].name);
		check_encoded(i, encode(in, 1, 1, &out), &out);
		for (size_t cut = 0; cut <= in.len; cut++)
			check_encoded(i, encode(in, cut, in.len, &out), &out);
	}
	buf_finish(&out);
}

/* A buffer that is full takes nothing, and the same octets can be given again. */
static void
test_encoder_at_the_cap(void **state)
{
	struct view in = VIEW("a\r\n.\r\n..\r\n");
	struct dot_encoder e = { 0 };
	struct buf out;

	(void)state;
	for (size_t cap = 0; cap < in.len + 2; cap++) {
		buf_init(&out, cap);
		assert_false(dot_encode(&e, in, &out));
		assert_int_equal(out.len, 0);
		buf_finish(&out);
	}
	buf_init(&out, in.len + 2);
	assert_true(dot_encode(&e, in, &out));
	assert_memory_equal(out.p, "a\r\n..\r\n...\r\n", out.len);
	assert_false(dot_encode_end(&e, &out));
	assert_int_equal(out.len, in.len + 2);
	buf_clear(&out);
	assert_true(dot_encode_end(&e, &out));
	assert_memory_equal(out.p, ".\r\n", out.len);
	buf_finish(&out);
}

static void
test_encoder_begins_anew(void **state)
{
	struct dot_encoder e = { 0 };
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_true(dot_encode(&e, VIEW("a"), &out));
	assert_true(dot_encode_end(&e, &out));
	assert_true(dot_encode(&e, VIEW(".b\r\n"), &out));
	assert_true(dot_encode_end(&e, &out));
	assert_true(view_eq(buf_view(&out), VIEW("a\r\n.\r\n..b\r\n.\r\n")));
	buf_finish(&out);
}

/* All texts of five out of five octets: what was encoded decodes to itself, in any pieces. */
static void
test_round_trip(void **state)
{
	static const char *const pieces[] = { "a", ".", "\r\n", "\r\n.", "\xc3" };
	struct buf text, wire;

	(void)state;
	buf_init(&text, 100);
	buf_init(&wire, 100);
	for (int n = 0; n < 5 * 5 * 5 * 5 * 5; n++) {
		buf_clear(&text);
		for (int i = 0, rest = n; i < 5; i++, rest /= 5)
			assert_true(buf_add_str(&text, pieces[rest % 5]));
		assert_true(encode(buf_view(&text), 2, 3, &wire));
		if (text.len < 2 || memcmp(text.p + text.len - 2, "\r\n", 2) != 0)
			assert_true(buf_add_str(&text, "\r\n"));
		for (size_t step = 1; step < 4; step++) {
			struct result r = decode(buf_view(&wire), step, step);
			assert_int_equal(r.status, DOT_END);
			assert_int_equal(r.used, wire.len);
			assert_int_equal(r.len, text.len);
			assert_memory_equal(r.out, text.p, text.len);
		}
	}
	buf_finish(&text);
	buf_finish(&wire);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoder),
		cmocka_unit_test(test_decoder_stays_refused),
		cmocka_unit_test(test_decoder_reads_the_next_message),
		cmocka_unit_test(test_encoder),
		cmocka_unit_test(test_encoder_at_the_cap),
		cmocka_unit_test(test_encoder_begins_anew),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
