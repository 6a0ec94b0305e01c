/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Content. Input: an octet for the size of pieces, then octets that are taken once as what a
 * client sends and once as content. Invariants: the decoder says and gives what a plain state
 * machine does, however the input is cut, and never a bare CR, bare LF or NUL; the encoder
 * takes clean content and no other, however it is cut, and what it gives decodes to the
 * content.
 */
#include "lib/smtp/dot.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	enum dot_status status;
	char *p; /* owned */
	size_t len, used;
};

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* Octet by octet, on the whole input: the lines up to the dot line, or the first stray octet.
 */
static struct decoded
reference(struct view in)
{
	struct decoded r = { DOT_MORE, malloc(in.len + 1), 0, 0 };
	size_t column = 0; /* octets of this line, with its CR */
	bool had_dot = false, had_cr = false;

	for (r.used = 0; r.used < in.len; r.used++) {
		char c = in.p[r.used];
		if (c == '\0')
			r.status = DOT_NUL;
		else if (had_cr && c != '\n')
			r.status = DOT_BARE_CR;
		else if (!had_cr && c == '\n')
			r.status = DOT_BARE_LF;
		else if (c == '\n' && had_dot && column == 2)
			r.status = DOT_END;
		if (r.status != DOT_MORE)
			break;
		if (c == '\n') {
			memcpy(r.p + r.len, "\r\n", 2);
			r.len += 2;
			column = 0;
			had_cr = had_dot = false;
			continue;
		}
		had_cr = c == '\r';
		if (column++ == 0 && c == '.')
			had_dot = true;
		else if (!had_cr)
			r.p[r.len++] = c;
	}
	r.used = r.status == DOT_END ? r.used + 1 : in.len;
	return r;
}

static struct decoded
decode(struct view in, size_t step)
{
	struct dot_decoder d = { 0 };
	struct decoded r = { DOT_MORE, malloc(in.len + 2), 0, 0 };

	while (r.status == DOT_MORE && r.used < in.len) {
		size_t len = in.len - r.used < step ? in.len - r.used : step, out_len, used;
		char *out = malloc(len + 2);
		r.status = dot_decode(&d, view_make(in.p + r.used, len), out, &out_len, &used);
		check(out_len <= len + 2, "the output keeps to its room");
		check(used == len || (used < len && r.status == DOT_END), "all is spent");
		memcpy(r.p + r.len, out, out_len);
		r.len += out_len;
		r.used += used;
		free(out);
	}
	return r;
}

static void
check_clean(const struct decoded *r)
{
	for (size_t i = 0; i < r->len; i++) {
		check(r->p[i] != '\0', "no NUL comes out");
		if (r->p[i] == '\r')
			check(i + 1 < r->len && r->p[i + 1] == '\n', "no bare CR comes out");
		if (r->p[i] == '\n')
			check(i > 0 && r->p[i - 1] == '\r', "no bare LF comes out");
	}
}

static void
check_decoder(struct view in, size_t step)
{
	struct decoded expected = reference(in);
	const size_t steps[] = { 1, step, in.len + 1 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct decoded r = decode(in, steps[i]);
		bool is_good = r.status == DOT_MORE || r.status == DOT_END;
		check(r.status == expected.status, "the answer is that of the state machine");
		check(!is_good || r.used == expected.used, "it ends at the same octet");
		check(r.len == expected.len && memcmp(r.p, expected.p, r.len) == 0,
		    "the content is that of the state machine");
		check_clean(&r);
		free(r.p);
	}
	free(expected.p);
}

static bool
encode(struct view content, size_t step, struct buf *out)
{
	struct dot_encoder e = { 0 };
	size_t used = 0;

	while (used < content.len) {
		size_t len = content.len - used < step ? content.len - used : step;
		size_t before = out->len;
		if (!dot_encode(&e, view_make(content.p + used, len), out))
			return false;
		check(out->len - before <= 2 * len, "it at most doubles");
		used += len;
	}
	return dot_encode_end(&e, out);
}

/* Every CR before a LF, every LF behind a CR, no NUL. */
static bool
is_clean(struct view content)
{
	for (size_t i = 0; i < content.len; i++) {
		char c = content.p[i];
		bool lf_follows = i + 1 < content.len && content.p[i + 1] == '\n';
		bool cr_precedes = i > 0 && content.p[i - 1] == '\r';
		if (c == '\0' || (c == '\r' && !lf_follows) || (c == '\n' && !cr_precedes))
			return false;
	}
	return true;
}

static void
check_decodes_to(struct view content, struct view wire, size_t step)
{
	bool has_end = content.len == 0 || content.p[content.len - 1] == '\n';
	struct decoded r = decode(wire, step);

	check(r.status == DOT_END && r.used == wire.len, "what was encoded ends at its end");
	check(r.len == content.len + (has_end ? 0 : 2), "nothing is lost or added");
	check(memcmp(r.p, content.p, content.len) == 0, "the content is the same");
	check(has_end || memcmp(r.p + content.len, "\r\n", 2) == 0, "a last CRLF is added");
	free(r.p);
}

static void
check_encoder(struct view content, size_t step)
{
	struct buf whole, pieces;

	buf_init(&whole, 2 * content.len + 8);
	buf_init(&pieces, 2 * content.len + 8);
	bool ok = encode(content, content.len + 1, &whole);
	check(ok == is_clean(content), "clean content goes out, and no other");
	check(encode(content, step, &pieces) == ok, "pieces are judged like the whole");
	if (ok) {
		check(view_eq(buf_view(&whole), buf_view(&pieces)), "and give the same");
		check_decodes_to(content, buf_view(&whole), step);
	}
	buf_finish(&whole);
	buf_finish(&pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct view in = view_make((const char *)data + 1, size - 1);
	size_t step = data[0] < 128 ? (size_t)data[0] + 1 : 16 * (size_t)data[0];

	check_decoder(in, step);
	check_encoder(in, step);
	return 0;
}
