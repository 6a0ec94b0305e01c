/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lib/smtp/reply and reply_reader: what we say, and what we let an upstream say. Every reading
 * case is fed whole, one octet at a time, and cut at every position.
 */
#include "lib/smtp/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define IN(literal)                            \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

/* ---- reading ---- */

#define MORE	  SMTP_REPLY_MORE
#define DONE	  SMTP_REPLY_DONE
#define MALFORMED SMTP_REPLY_MALFORMED

static const struct {
	const char *name;
	struct view in;
	enum smtp_reply_status status;
	int code; /* from here on: when DONE */
	const char *enhanced, *text;
	size_t left; /* octets */
} cases[] = {
	{ "one line", IN("220 mx ready\r\n"), DONE, 220, "", "mx ready", 0 },
	{ "the lowest code", IN("200 ok\r\n"), DONE, 200, "", "ok", 0 },
	{ "the highest code", IN("599 no\r\n"), DONE, 599, "", "no", 0 },
	{ "an intermediate reply", IN("354 go on\r\n"), DONE, 354, "", "go on", 0 },
	{ "no text", IN("250 \r\n"), DONE, 250, "", "", 0 },
	{ "no text and no blank", IN("250\r\n"), DONE, 250, "", "", 0 },
	{ "a bare LF as line end", IN("250 ok\n"), DONE, 250, "", "ok", 0 },
	{ "a bare LF behind the code", IN("250\n"), DONE, 250, "", "", 0 },
	{ "several lines", IN("250-a\r\n250-b\r\n250 c\r\n"), DONE, 250, "", "a\nb\nc", 0 },
	{ "several lines with mixed ends", IN("250-a\n250-b\r\n250 c\n"), DONE, 250, "",
	    "a\nb\nc", 0 },
	{ "empty lines", IN("250-\r\n250-\r\n250\r\n"), DONE, 250, "", "\n\n", 0 },
	{ "what follows is left", IN("250 a\r\n250 b\r\n"), DONE, 250, "", "a", 7 },
	{ "what follows is not looked at", IN("250 a\r\n\0\r\r"), DONE, 250, "", "a", 3 },
	{ "what follows a last line without text", IN("250-a\r\n250\r\n250 b\r\n"), DONE, 250,
	    "", "a\n", 7 },
	{ "octets over 0x7f and controls are kept here", IN("550 \xc3\xa4\x01\t\r\n"), DONE,
	    550, "", "\xc3\xa4\x01\t", 0 },
	{ "blanks are kept", IN("250   a  \r\n"), DONE, 250, "", "  a  ", 0 },
	{ "a hyphen in the text", IN("250 a-b\r\n"), DONE, 250, "", "a-b", 0 },

	/* enhanced codes */
	{ "an enhanced code", IN("550 5.1.1 no such user\r\n"), DONE, 550, "5.1.1",
	    "no such user", 0 },
	{ "an enhanced code alone", IN("250 2.0.0\r\n"), DONE, 250, "2.0.0", "", 0 },
	{ "an enhanced code and a tab", IN("250 2.0.0\tok\r\n"), DONE, 250, "2.0.0", "ok", 0 },
	{ "three digits each", IN("450 4.123.999 x\r\n"), DONE, 450, "4.123.999", "x", 0 },
	{ "on every line", IN("550-5.7.1 a\r\n550-5.7.1 b\r\n550 5.7.1\r\n"), DONE, 550,
	    "5.7.1", "a\nb\n", 0 },
	{ "on the first line only", IN("550-5.7.1 a\r\n550 b\r\n"), DONE, 550, "5.7.1", "a\nb",
	    0 },
	{ "another one on a later line is text", IN("550-5.7.1 a\r\n550 5.7.2 b\r\n"), DONE,
	    550, "5.7.1", "a\n5.7.2 b", 0 },
	{ "a longer one on a later line is text", IN("550-5.7.1 a\r\n550 5.7.11 b\r\n"), DONE,
	    550, "5.7.1", "a\n5.7.11 b", 0 },
	{ "one on a later line only is text", IN("550-a\r\n550 5.7.1 b\r\n"), DONE, 550, "",
	    "a\n5.7.1 b", 0 },
	{ "a class that does not fit is text", IN("550 2.1.1 a\r\n"), DONE, 550, "", "2.1.1 a",
	    0 },
	{ "no class fits an intermediate reply", IN("354 3.0.0 a\r\n"), DONE, 354, "",
	    "3.0.0 a", 0 },
	{ "four digits are text", IN("550 5.1111.1 a\r\n"), DONE, 550, "", "5.1111.1 a", 0 },
	{ "two numbers are text", IN("550 5.1 a\r\n"), DONE, 550, "", "5.1 a", 0 },
	{ "four numbers are text", IN("550 5.1.1.1 a\r\n"), DONE, 550, "", "5.1.1.1 a", 0 },
	{ "an empty number is text", IN("550 5..1 a\r\n"), DONE, 550, "", "5..1 a", 0 },
	{ "no blank behind it: text", IN("550 5.1.1: a\r\n"), DONE, 550, "", "5.1.1: a", 0 },
	{ "a blank before it: text", IN("550  5.1.1 a\r\n"), DONE, 550, "", " 5.1.1 a", 0 },

	/* not yet */
	{ "nothing", IN(""), MORE, 0, NULL, NULL, 0 },
	{ "half a code", IN("25"), MORE, 0, NULL, NULL, 0 },
	{ "no line end", IN("250 ok"), MORE, 0, NULL, NULL, 0 },
	{ "a CR that may become CRLF", IN("250 ok\r"), MORE, 0, NULL, NULL, 0 },
	{ "a line that says more follows", IN("250-ok\r\n"), MORE, 0, NULL, NULL, 0 },
	{ "half of the second line", IN("250-ok\r\n250 x"), MORE, 0, NULL, NULL, 0 },

	/* malformed */
	{ "an empty line", IN("\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "an empty line with a bare LF", IN("\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "two digits", IN("25\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "two digits and text", IN("25 ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "four digits", IN("2500 ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "letters", IN("abc ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a blank before the code", IN(" 250 ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a sign", IN("+25 ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a code under 200", IN("199 ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a code over 599", IN("600 ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "code 000", IN("000 ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a tab as separator", IN("250\tok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a letter as separator", IN("250ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "an underscore as separator", IN("250_ok\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "another code on the last line", IN("250-a\r\n550 b\r\n"), MALFORMED, 0, NULL, NULL,
	    0 },
	{ "another code in the middle", IN("250-a\r\n251-b\r\n250 c\r\n"), MALFORMED, 0, NULL,
	    NULL, 0 },
	{ "a line without a code", IN("250-a\r\nb\r\n250 c\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a NUL", IN("250 a\0b\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a NUL in the code", IN("2\0000 a\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a NUL and no line end yet", IN("250 a\0"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a bare CR", IN("250 a\rb\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a bare CR and no line end yet", IN("250 a\rb"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a reply within a reply, behind a bare CR", IN("250-a\r250 b\r\n"), MALFORMED, 0,
	    NULL, NULL, 0 },
	{ "two CRs before LF", IN("250 a\r\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "a CR first", IN("\r250 a\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "another protocol", IN("SSH-2.0-OpenSSH_9.2\r\n"), MALFORMED, 0, NULL, NULL, 0 },
	{ "an HTTP answer", IN("HTTP/1.1 400 Bad Request\r\n"), MALFORMED, 0, NULL, NULL, 0 },
};

static enum smtp_reply_status
read_pieces(
    struct smtp_reply_reader *r, struct view in, size_t first, size_t step, size_t *used_out)
{
	enum smtp_reply_status status = MORE;

	smtp_reply_reader_init(r);
	*used_out = 0;
	for (size_t len = first; *used_out < in.len && status == MORE; len = step) {
		size_t used;
		if (len > in.len - *used_out)
			len = in.len - *used_out;
		char *piece = malloc(len + 1); /* so that reading past it is noticed */
		memcpy(piece, in.p + *used_out, len);
		status = smtp_reply_read(r, view_make(piece, len), &used);
		free(piece);
		assert_true(used <= len);
		assert_true(status != MORE || used == len);
		*used_out += used;
	}
	return status;
}

static void
check_case(size_t i, enum smtp_reply_status status, const struct smtp_reply *reply, size_t used)
{
	assert_int_equal(status, cases[i].status);
	if (status != DONE)
		return;
	assert_int_equal(used, cases[i].in.len - cases[i].left);
	assert_int_equal(reply->code, cases[i].code);
	assert_string_equal(reply->enhanced, cases[i].enhanced);
	assert_string_equal(reply->text, cases[i].text);
}

static void
check_pieces(size_t i, size_t first, size_t step)
{
	static struct smtp_reply_reader r;
	size_t used;

	memset(&r, 'x', sizeof(r)); /* init must not rely on zeroes */
	enum smtp_reply_status status = read_pieces(&r, cases[i].in, first, step, &used);
	check_case(i, status, &r.reply, used);
}

static void
test_reading(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		check_pieces(i, 1, 1);
		for (size_t cut = 0; cut <= cases[i].in.len; cut++)
			check_pieces(i, cut, cases[i].in.len);
	}
}

static void
test_malformed_stays_malformed(void **state)
{
	static struct smtp_reply_reader r;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].status != MALFORMED)
			continue;
		print_message("%s\n", cases[i].name);
		assert_int_equal(
		    read_pieces(&r, cases[i].in, 1, cases[i].in.len, &used), MALFORMED);
		assert_int_equal(smtp_reply_read(&r, VIEW("250 ok\r\n"), &used), MALFORMED);
		assert_int_equal(smtp_reply_read(&r, VIEW(""), &used), MALFORMED);
	}
}

static void
test_line_length(void **state)
{
	static char text[SMTP_REPLY_LINE_MAX + 8];
	static struct smtp_reply_reader r;
	size_t used;

	(void)state;
	for (size_t step = 1; step <= sizeof(text); step *= 7) {
		memset(text, 'a', sizeof(text));
		memcpy(text, "250 ", 4);
		memcpy(text + SMTP_REPLY_LINE_MAX - 2, "\r\n", 2);
		struct view in = view_make(text, SMTP_REPLY_LINE_MAX);
		assert_int_equal(read_pieces(&r, in, step, step, &used), DONE);
		assert_int_equal(strlen(r.reply.text), SMTP_REPLY_TEXT_MAX - 1);

		memcpy(text + SMTP_REPLY_LINE_MAX - 2, "a\r\n", 3);
		in.len++;
		assert_int_equal(read_pieces(&r, in, step, step, &used), MALFORMED);
		in.len = SMTP_REPLY_LINE_MAX; /* the LF need not be waited for */
		assert_int_equal(read_pieces(&r, in, step, step, &used), MALFORMED);
		in.len--;
		assert_int_equal(read_pieces(&r, in, step, step, &used), MORE);
	}
}

static void
test_line_count(void **state)
{
	static char text[SMTP_REPLY_LINES_MAX * 16];
	static struct smtp_reply_reader r;
	size_t used;

	(void)state;
	for (int lines = SMTP_REPLY_LINES_MAX; lines <= SMTP_REPLY_LINES_MAX + 1; lines++) {
		size_t len = 0;
		for (int i = 0; i < lines; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "250%c%d\r\n",
			    i + 1 < lines ? '-' : ' ', i);
		enum smtp_reply_status expected =
		    lines == SMTP_REPLY_LINES_MAX ? DONE : MALFORMED;
		assert_int_equal(
		    read_pieces(&r, view_make(text, len), len, 1, &used), expected);
		assert_int_equal(read_pieces(&r, view_make(text, len), 1, 1, &used), expected);
	}
}

/* The last line that there may be says that more follow: they need not be waited for. */
static void
test_a_line_too_many_is_promised(void **state)
{
	static struct smtp_reply_reader r;
	size_t used;

	(void)state;
	smtp_reply_reader_init(&r);
	for (int i = 1; i < SMTP_REPLY_LINES_MAX; i++)
		assert_int_equal(smtp_reply_read(&r, VIEW("250-a\r\n"), &used), MORE);
	assert_int_equal(smtp_reply_read(&r, VIEW("250-a\r\n"), &used), MALFORMED);
}

/* Without end: lines that go on for ever end in "malformed", whatever they hold. */
static void
test_endless(void **state)
{
	static const char *const lines[] = { "250-\r\n", "250-more\n", "2", "250 ", "\xff" };
	static struct smtp_reply_reader r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		enum smtp_reply_status status = MORE;
		size_t used, rounds = 0;
		smtp_reply_reader_init(&r);
		while (status == MORE && ++rounds < 5000)
			status = smtp_reply_read(&r, view_of(lines[i]), &used);
		assert_int_equal(status, MALFORMED);
	}
}

/* A later line that does not fit is dropped whole, and so is what follows it. */
static void
test_text_limit(void **state)
{
	static char in[4000];
	static struct smtp_reply_reader r;
	size_t used;
	int len =
	    snprintf(in, sizeof(in), "250-%01000d\r\n250-%0198d\r\n250-x\r\n250 y\r\n", 1, 2);

	(void)state;
	assert_int_equal(read_pieces(&r, view_make(in, (size_t)len), 100, 100, &used), DONE);
	assert_int_equal(strlen(r.reply.text), 1199);
	assert_int_equal(r.reply.text[1198], '2');

	len = snprintf(in, sizeof(in), "250-%01000d\r\n250-%0199d\r\n250-x\r\n250 y\r\n", 1, 2);
	assert_int_equal(read_pieces(&r, view_make(in, (size_t)len), 100, 100, &used), DONE);
	assert_int_equal(strlen(r.reply.text), 1000);
	assert_int_equal(used, len);
}

/* ---- writing ---- */

static const struct {
	const char *name;
	int code;
	const char *enhanced, *text, *wire, *log;
} writing[] = {
	{ "a reply", 250, "2.0.0", "ok", "250 2.0.0 ok\r\n", "250 2.0.0 ok" },
	{ "without an enhanced code", 250, "", "ok", "250 ok\r\n", "250 ok" },
	{ "an enhanced code of NULL", 354, NULL, "go on", "354 go on\r\n", "354 go on" },
	{ "without a text", 250, "2.0.0", "", "250 2.0.0 \r\n", "250 2.0.0" },
	{ "without anything", 250, "", "", "250 \r\n", "250" },
	{ "several lines", 250, "", "a\nb\nc", "250-a\r\n250-b\r\n250 c\r\n", "250 a b c" },
	{ "several lines with an enhanced code", 550, "5.7.1", "a\nb",
	    "550-5.7.1 a\r\n550 5.7.1 b\r\n", "550 5.7.1 a b" },
	{ "an empty line within", 250, "", "a\n\nb", "250-a\r\n250-\r\n250 b\r\n", "250 a  b" },
	{ "a line end at the end", 250, "", "a\n", "250 a\r\n", "250 a " },
	{ "a CR becomes a question mark", 550, "5.0.0", "a\r\n250 ok",
	    "550-5.0.0 a?\r\n550 5.0.0 250 ok\r\n", "550 5.0.0 a? 250 ok" },
	{ "octets over 0x7f", 550, "", "\xc3\xa4", "550 ??\r\n", "550 ??" },
	{ "controls, and a tab", 550, "", "a\x1b[1m\tb\x7f", "550 a?[1m b?\r\n",
	    "550 a?[1m b?" },
	{ "an enhanced code of another class is left out", 250, "5.1.1", "a", "250 a\r\n",
	    "250 5.1.1 a" },
	{ "a malformed enhanced code is left out", 550, "5.1", "a", "550 a\r\n", "550 5.1 a" },
	{ "a line end in the enhanced code is left out", 550, "5.1.1\r\n2", "a", "550 a\r\n",
	    "550 5.1.1? 2 a" },
	{ "an enhanced code with text behind it is left out", 550, "5.1.1 x", "a", "550 a\r\n",
	    "550 5.1.1 x a" },
	{ "an enhanced code that is too long is left out", 550, "5.1111.1111", "a", "550 a\r\n",
	    "550 5.1111.1111 a" },
	{ "no code", 0, "2.0.0", "a", "451 a\r\n", "0 2.0.0 a" },
	{ "no code, with an enhanced code of its class", 0, "0.1.1", "a", "451 a\r\n",
	    "0 0.1.1 a" },
	{ "a code under 200", 199, "", "a", "451 a\r\n", "199 a" },
	{ "a code over 599", 600, "", "a", "451 a\r\n", "600 a" },
};

static void
test_writing(void **state)
{
	struct smtp_reply r;
	struct buf out;
	char log[100];

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(writing); i++) {
		print_message("%s\n", writing[i].name);
		smtp_reply_set(&r, writing[i].code, writing[i].enhanced, "%s", writing[i].text);
		buf_clear(&out);
		assert_true(smtp_reply_write(&r, &out));
		assert_true(view_eq(buf_view(&out), view_of(writing[i].wire)));
		smtp_reply_log_text(&r, log, sizeof(log));
		assert_string_equal(log, writing[i].log);
	}
	buf_finish(&out);
}

/* Every line: at most 510 octets and CRLF, the code, printable ASCII; only the last has a
 * blank. */
static size_t
check_wire(struct view wire, const char *code)
{
	size_t lines = 0;

	while (wire.len > 0) {
		size_t len = view_find(wire, '\n');
		assert_true(len < wire.len && len >= 5 && len <= 511);
		assert_memory_equal(wire.p, code, 3);
		assert_int_equal(wire.p[3], len + 1 == wire.len ? ' ' : '-');
		for (size_t i = 4; i + 1 < len; i++)
			assert_true(wire.p[i] >= ' ' && wire.p[i] <= '~');
		assert_int_equal(wire.p[len - 1], '\r');
		wire = view_from(wire, len + 1);
		lines++;
	}
	return lines;
}

static void
test_wrapping(void **state)
{
	static const size_t lengths[] = { 499, 500, 501, 1000, 1001, 1199, 5000 };
	static const size_t lines[] = { 1, 1, 2, 2, 3, 3, 3 };
	struct smtp_reply r;
	struct buf out;

	(void)state;
	buf_init(&out, 10000);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		/* 510 - strlen("550 5.7.1 ") is 500 */
		buf_clear(&out);
		smtp_reply_set(&r, 550, "5.7.1", "%0*d", (int)lengths[i], 0);
		assert_true(smtp_reply_write(&r, &out));
		assert_int_equal(check_wire(buf_view(&out), "550"), lines[i]);
	}
	/* At a blank, when there is one: nothing but the blank goes. */
	buf_clear(&out);
	smtp_reply_set(&r, 550, "5.7.1", "%0300d %0199d %0300d", 1, 2, 3);
	assert_true(smtp_reply_write(&r, &out));
	assert_int_equal(check_wire(buf_view(&out), "550"), 2);
	assert_int_equal(view_find(buf_view(&out), '\r'), 510);
	buf_clear(&out);
	smtp_reply_set(&r, 550, "5.7.1", "%0300d %0200d %0300d", 1, 2, 3);
	assert_true(smtp_reply_write(&r, &out));
	assert_int_equal(check_wire(buf_view(&out), "550"), 3);
	assert_int_equal(view_find(buf_view(&out), '\r'), 310);
	buf_finish(&out);
}

static void
test_many_lines(void **state)
{
	static struct smtp_reply_reader reader;
	struct smtp_reply r = { .code = 250, .enhanced = "2.0.0" };
	struct buf out;
	size_t used;

	(void)state;
	memset(r.text, '\n', sizeof(r.text) - 1);
	buf_init(&out, 10000);
	assert_true(smtp_reply_write(&r, &out));
	assert_int_equal(check_wire(buf_view(&out), "250"), SMTP_REPLY_LINES_MAX);
	assert_int_equal(read_pieces(&reader, buf_view(&out), 1, 100, &used), DONE);
	assert_int_equal(used, out.len);
	buf_finish(&out);
}

static void
test_writing_at_the_cap(void **state)
{
	static const char wire[] = "550-5.7.1 a\r\n550 5.7.1 b\r\n";
	struct smtp_reply r;
	struct buf out;

	(void)state;
	smtp_reply_set(&r, 550, "5.7.1", "a\nb");
	for (size_t cap = 0; cap < sizeof(wire) + 1; cap++) {
		buf_init(&out, cap);
		bool has_room = cap >= 1;
		if (has_room)
			assert_true(buf_add_char(&out, 'x'));
		bool fits = cap >= sizeof(wire) - 1 + 1;
		assert_int_equal(smtp_reply_write(&r, &out), fits);
		assert_int_equal(out.len, fits ? sizeof(wire) : has_room ? 1 : 0);
		buf_finish(&out);
	}
}

static void
test_log_text_is_cut(void **state)
{
	struct smtp_reply r;
	char out[9] = "xxxxxxxx";

	(void)state;
	smtp_reply_set(&r, 550, "5.7.1", "text");
	smtp_reply_log_text(&r, out, 0);
	assert_int_equal(out[0], 'x');
	smtp_reply_log_text(&r, out, 1);
	assert_string_equal(out, "");
	smtp_reply_log_text(&r, out, 8);
	assert_string_equal(out, "550 5.7");
	assert_int_equal(out[8], '\0');
}

static void
test_set_and_classes(void **state)
{
	struct smtp_reply r;

	(void)state;
	smtp_reply_set(&r, 250, "2.1.0", "%s %d", "number", 7);
	assert_string_equal(r.text, "number 7");
	assert_true(smtp_reply_is_ok(&r) && !smtp_reply_is_temporary(&r));
	smtp_reply_set(&r, 451, "4.3.0", "%2000d", 1);
	assert_int_equal(strlen(r.text), SMTP_REPLY_TEXT_MAX - 1);
	assert_true(!smtp_reply_is_ok(&r) && smtp_reply_is_temporary(&r));
	smtp_reply_set(&r, 550, "", "no");
	assert_true(!smtp_reply_is_ok(&r) && !smtp_reply_is_temporary(&r));
	smtp_reply_set(&r, 354, "", "go on");
	assert_true(!smtp_reply_is_ok(&r) && !smtp_reply_is_temporary(&r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_malformed_stays_malformed),
		cmocka_unit_test(test_line_length),
		cmocka_unit_test(test_line_count),
		cmocka_unit_test(test_a_line_too_many_is_promised),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_text_limit),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_wrapping),
		cmocka_unit_test(test_many_lines),
		cmocka_unit_test(test_writing_at_the_cap),
		cmocka_unit_test(test_log_text_is_cut),
		cmocka_unit_test(test_set_and_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
