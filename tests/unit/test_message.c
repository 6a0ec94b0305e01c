/* SPDX-License-Identifier: MPL-2.0 */
/* Messages: where the header ends, what a field is, and edits that touch nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/mail/message.h"

#include <stdio.h>
#include <stdlib.h>

#define V(text)                          \
	{                                \
		(text), sizeof(text) - 1 \
	}

static struct body_store *
make_store(struct view content)
{
	struct body_limits limits = { "/tmp", 1 << 20, 1 << 24 };
	struct body_store *b = body_create(&limits);
	struct err err;

	assert_true(body_append(b, content, &err));
	assert_true(body_seal(b, &err));
	return b;
}

static struct message *
make_message(struct view content)
{
	struct body_store *b = make_store(content);
	struct message *m;
	size_t line;

	assert_int_equal(message_create(&b, &m, &line), MESSAGE_OK);
	assert_null(b);
	return m;
}

struct written {
	struct buf text;
	size_t pieces, stop_at;
};

static bool
take_piece(void *context, struct view piece)
{
	struct written *w = context;

	assert_true(piece.len > 0);
	w->pieces++;
	if (w->pieces == w->stop_at)
		return false;
	return buf_add_view(&w->text, piece);
}

/* What goes out must be this, in no more than so many pieces, and of the size that message_size
 * tells. */
static void
check_written(const struct message *m, struct view expected, size_t pieces)
{
	struct written w = { .pieces = 0 };

	buf_init(&w.text, 1 << 24);
	assert_true(message_write(m, take_piece, &w));
	if (!view_eq(buf_view(&w.text), expected))
		fail_msg("wrote \"%.*s\", not \"%.*s\"", VIEW_ARG(buf_view(&w.text)),
		    VIEW_ARG(expected));
	assert_true(w.pieces <= pieces);
	assert_int_equal(message_size(m), expected.len);
	buf_finish(&w.text);
}

static void
test_split(void **state)
{
	static const struct {
		const char *name;
		struct view content;
		const char *fields; /* "name|body" joined by ";" */
		struct view body;
		bool has_separator;
	} rows[] = {
		{ "nothing at all", V(""), "", V(""), false },
		{ "an empty line alone", V("\r\n"), "", V(""), true },
		{ "a body without a header", V("\r\nHello\r\n"), "", V("Hello\r\n"), true },
		{ "a header without a body", V("A: 1\r\nB: 2\r\n"), "A| 1;B| 2", V(""), false },
		{ "a header, an empty line, no body", V("A: 1\r\n\r\n"), "A| 1", V(""), true },
		{ "header and body", V("A: 1\r\n\r\nB: 2\r\n"), "A| 1", V("B: 2\r\n"), true },
		{ "a body that begins with an empty line", V("A: 1\r\n\r\n\r\nx"), "A| 1",
		    V("\r\nx"), true },
		{ "folds", V("A: 1\r\n 2\r\n\t3\r\nB:\r\n 4\r\n\r\n"),
		    "A| 1\r\n 2\r\n\t3;B|\r\n 4", V(""), true },
		{ "a folded line of blanks goes on with the field",
		    V("A: 1\r\n \r\n\t2\r\nB: 3\r\n\r\n"), "A| 1\r\n \r\n\t2;B| 3", V(""),
		    true },
		{ "blanks before the colon (obsolete)", V("From : a\r\nTo \t : b\r\n"),
		    "From| a;To| b", V(""), false },
		{ "no blank behind the colon", V("A:1\r\n"), "A|1", V(""), false },
		{ "an empty value", V("A:\r\nB: \r\n"), "A|;B| ", V(""), false },
		{ "more colons", V("A: b: c:\r\n"), "A| b: c:", V(""), false },
		{ "octets over 0x7f in a value", V("A: \xc3\xbc\xff\r\n"), "A| \xc3\xbc\xff",
		    V(""), false },
		{ "all kinds of characters in a name",
		    V("!\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~: x\r\n"),
		    "!\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~| x", V(""), false },
		{ "NUL, bare CR and LF in a body are not our affair",
		    V("A: 1\r\n\r\n\0\r\n\n\r"), "A| 1", V("\0\r\n\n\r"), true },
		{ "a body without a final line end", V("A: 1\r\n\r\nx"), "A| 1", V("x"), true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct message *m = make_message(rows[i].content);
		char got[256] = "";

		for (size_t k = 0; k < message_field_count(m); k++) {
			const struct header_field *f = message_field(m, k);
			size_t n = strlen(got);
			snprintf(got + n, sizeof(got) - n, "%s%.*s|%.*s", k > 0 ? ";" : "",
			    VIEW_ARG(f->name), VIEW_ARG(f->body));
			assert_true(view_eq(view_from(f->raw, f->raw.len - 2), VIEW("\r\n")));
		}
		if (strcmp(got, rows[i].fields) != 0)
			fail_msg("%s: got \"%s\"", rows[i].name, got);
		if (!view_eq(message_body(m), rows[i].body) ||
		    message_has_separator(m) != rows[i].has_separator)
			fail_msg("%s: body \"%.*s\"", rows[i].name, VIEW_ARG(message_body(m)));
		check_written(m, rows[i].content, rows[i].content.len > 0);
		message_destroy(&m);
		assert_null(m);
	}
}

static void
test_what_is_no_header(void **state)
{
	static const struct {
		const char *name;
		struct view content;
		size_t line;
	} rows[] = {
		{ "a line without a colon", V("A: 1\r\nHello\r\n\r\n"), 2 },
		{ "text", V("Hello world\r\n"), 1 },
		{ "a line that begins with a colon", V("A: 1\r\n: 2\r\n"), 2 },
		{ "blanks and a colon", V("A: 1\r\nB: 2\r\n :3\r\n: 4\r\n"), 4 },
		{ "a blank in first place", V(" A: 1\r\n"), 1 },
		{ "a tab in first place", V("\tA: 1\r\n"), 1 },
		{ "a line of blanks in first place", V(" \r\nA: 1\r\n"), 1 },
		{ "a mailbox file's From line",
		    V("From a@b.c Tue Nov 24 20:57:50 2026\r\nA: 1\r\n"), 1 },
		{ "a blank within a name", V("A: 1\r\nX Y: 2\r\n"), 2 },
		{ "a control character in a name", V("A\x01: 1\r\n"), 1 },
		{ "a DEL in a name", V("A\x7f: 1\r\n"), 1 },
		{ "an octet over 0x7f in a name", V("\xc3\x9c: 1\r\n"), 1 },
		{ "a fold in a name", V("A: 1\r\nFr\r\n om: x\r\n"), 2 },
		{ "a fold before the colon", V("From\r\n : x\r\n"), 1 },
		{ "a bare LF in a value", V("A: 1\nFrom: x\r\n\r\n"), 1 },
		{ "a bare LF as an empty line", V("A: 1\r\n\nFrom: x\r\n"), 2 },
		{ "a bare CR in a value", V("A: 1\rB: 2\r\n\r\n"), 1 },
		{ "two CR", V("A: 1\r\r\n\r\n"), 1 },
		{ "a NUL in a value", V("A: 1\r\n \0\r\n\r\n"), 2 },
		{ "a NUL in a name", V("A\0: 1\r\n"), 1 },
		{ "a last line without its end", V("A: 1\r\nB: 2"), 2 },
		{ "a last line with half its end", V("A: 1\r\nB: 2\r"), 2 },
		{ "half an empty line", V("A: 1\r\n\r"), 2 },
		{ "one octet", V("\n"), 1 },
		{ "a trouble after folds", V("A: 1\r\n 2\r\n 3\r\nB\r\n"), 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct body_store *b = make_store(rows[i].content);
		struct message *m;
		size_t line = 0;

		if (message_create(&b, &m, &line) != MESSAGE_HEADER_SYNTAX)
			fail_msg("%s: accepted", rows[i].name);
		if (line != rows[i].line)
			fail_msg("%s: line %zu", rows[i].name, line);
		assert_null(m);
		assert_non_null(b); /* still the caller's */
		body_destroy(&b);
	}
}

/* A header of so many fields of so many octets each (at least 6), and a body. */
static enum message_status
create_large(size_t fields, size_t octets, bool with_body)
{
	struct buf text;
	struct message *m;
	size_t line;

	buf_init(&text, 1 << 24);
	for (size_t i = 0; i < fields; i++) {
		char *p = buf_reserve(&text, octets);
		assert_non_null(p);
		memset(p, 'x', octets);
		memcpy(p, "X:", 2);
		memcpy(p + octets - 2, "\r\n", 2);
		buf_commit(&text, octets);
	}
	if (with_body)
		assert_true(buf_add_str(&text, "\r\nbody\r\n"));
	struct body_store *b = make_store(buf_view(&text));
	enum message_status status = message_create(&b, &m, &line);
	if (status == MESSAGE_OK) {
		assert_int_equal(message_field_count(m), fields);
		check_written(m, buf_view(&text), 1);
	}
	message_destroy(&m);
	body_destroy(&b);
	buf_finish(&text);
	return status;
}

static void
test_caps(void **state)
{
	(void)state;
	for (int with_body = 0; with_body < 2; with_body++) {
		assert_int_equal(create_large(MESSAGE_FIELDS_MAX, 6, with_body), MESSAGE_OK);
		assert_int_equal(
		    create_large(MESSAGE_FIELDS_MAX + 1, 6, with_body), MESSAGE_HEADER_FIELDS);
		assert_int_equal(create_large(1, MESSAGE_HEADER_MAX, with_body), MESSAGE_OK);
		assert_int_equal(
		    create_large(512, MESSAGE_HEADER_MAX / 512, with_body), MESSAGE_OK);
		for (size_t more = 1; more < 5; more++)
			assert_int_equal(create_large(1, MESSAGE_HEADER_MAX + more, with_body),
			    MESSAGE_HEADER_LARGE);
		assert_int_equal(
		    create_large(1, 10 * MESSAGE_HEADER_MAX, with_body), MESSAGE_HEADER_LARGE);
		assert_int_equal(create_large(513, MESSAGE_HEADER_MAX / 512, with_body),
		    MESSAGE_HEADER_LARGE);
	}
}

static void
test_find(void **state)
{
	struct message *m =
	    make_message(VIEW("From: a\r\nTo: b\r\nFROM : c\r\nX-From: d\r\n\r\n"));

	(void)state;
	assert_int_equal(message_find(m, "from", 0), 0);
	assert_int_equal(message_find(m, "From", 1), 2);
	assert_true(message_find(m, "From", 3) == SIZE_MAX);
	assert_true(message_find(m, "From", 100) == SIZE_MAX);
	assert_true(message_find(m, "Fro", 0) == SIZE_MAX);
	assert_int_equal(message_count_of(m, "fRoM"), 2);
	assert_int_equal(message_count_of(m, "Cc"), 0);
	message_destroy(&m);
}

static void
test_values_that_are_refused(void **state)
{
	static const struct {
		const char *name;
		struct view value;
	} rows[] = {
		{ "a bare LF", V("a\nb") },
		{ "a bare LF before a blank", V("a\n b") },
		{ "a bare CR", V("a\rb") },
		{ "a bare CR before a blank", V("a\r b") },
		{ "a NUL", V("a\0b") },
		{ "a CRLF with text behind", V("a\r\nBcc: x") },
		{ "an early end of the header", V("a\r\n\r\nbody") },
		{ "a CRLF at the end", V("a\r\n") },
		{ "a CR at the end", V("a\r") },
		{ "a LF at the end", V("a\n") },
		{ "CR CR LF blank", V("a\r\r\n b") },
	};
	static const char *const names[] = { "", "A B", "A:", "A\r\nB", "\xc3\x9c", "A\t",
		" A" };
	struct edits *e = edits_create();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (edits_prepend(e, "X", rows[i].value) || edits_replace(e, 0, rows[i].value))
			fail_msg("%s: accepted", rows[i].name);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (edits_prepend(e, names[i], VIEW("x")))
			fail_msg("the name \"%s\" was accepted", names[i]);
	}
	assert_true(edits_is_empty(e));
	edits_destroy(&e);
	assert_null(e);
	edits_destroy(&e);
}

static void
test_edits_become_real_together(void **state)
{
	struct message *m =
	    make_message(VIEW("A: 1\r\nBcc : x,\r\n y\r\nC:3\r\nD: 4\r\n\r\nbody \r\n"));
	struct edits *e = edits_create();
	size_t prepended, removed, replaced;

	(void)state;
	assert_true(edits_is_empty(e));
	assert_true(edits_prepend(e, "X-One", VIEW("1\r\n\t1")));
	assert_true(edits_remove(e, 1));
	assert_true(edits_replace(e, 2, VIEW("new")));
	assert_true(edits_prepend(e, "X-Two", VIEW("")));
	assert_false(edits_is_empty(e));
	edits_count(e, &prepended, &removed, &replaced);
	assert_int_equal(prepended, 2);
	assert_int_equal(removed, 1);
	assert_int_equal(replaced, 1);
	check_written(m, VIEW("A: 1\r\nBcc : x,\r\n y\r\nC:3\r\nD: 4\r\n\r\nbody \r\n"), 1);

	message_commit(m, e);
	assert_true(edits_is_empty(e));
	check_written(m,
	    VIEW("X-One: 1\r\n\t1\r\nX-Two:\r\nA: 1\r\nC: new\r\nD: 4\r\n\r\nbody \r\n"),
	    5); /* two new ones, A, C, D with the rest */
	assert_int_equal(message_field_count(m), 5);
	assert_true(view_eq(message_field(m, 0)->body, VIEW(" 1\r\n\t1")));
	assert_true(view_eq(message_field(m, 1)->body, VIEW("")));
	assert_true(view_eq(message_field(m, 3)->name, VIEW("C")));
	assert_true(view_eq(message_body(m), VIEW("body \r\n")));

	/* The indices of a second link are those of the message as it is then. */
	assert_true(edits_remove(e, 0));
	assert_true(edits_replace(e, 2, VIEW(" has a blank")));
	assert_true(edits_prepend(e, "Top", VIEW("\r\n folded at once")));
	message_commit(m, e);
	check_written(m,
	    VIEW("Top:\r\n folded at once\r\nX-Two:\r\nA: has a blank\r\nC: new\r\n"
		 "D: 4\r\n\r\nbody \r\n"),
	    5);
	edits_destroy(&e);
	message_destroy(&m);
}

static void
test_the_last_word_on_a_field_counts(void **state)
{
	struct message *m = make_message(VIEW("A: 1\r\nB: 2\r\nC: 3\r\n\r\n"));
	struct edits *e = edits_create();
	size_t prepended, removed, replaced;

	(void)state;
	assert_true(edits_remove(e, 0));
	assert_true(edits_replace(e, 0, VIEW("x")));
	assert_true(edits_replace(e, 1, VIEW("y")));
	assert_true(edits_remove(e, 1));
	assert_true(edits_remove(e, 1));
	edits_count(e, &prepended, &removed, &replaced);
	assert_int_equal(removed, 1);
	assert_int_equal(replaced, 1);
	message_commit(m, e);
	check_written(m, VIEW("A: x\r\nC: 3\r\n\r\n"), 2);
	edits_destroy(&e);
	message_destroy(&m);
}

static void
test_dropped_edits_leave_no_trace(void **state)
{
	struct message *m = make_message(VIEW("A: 1\r\nB: 2\r\n\r\nx"));
	struct edits *e = edits_create();

	(void)state;
	assert_true(edits_prepend(e, "X", VIEW("1")));
	assert_true(edits_remove(e, 1));
	edits_clear(e);
	assert_true(edits_is_empty(e));
	message_commit(m, e);
	check_written(m, VIEW("A: 1\r\nB: 2\r\n\r\nx"), 1);

	/* What was cleared does not come back with a later edit of a higher index. */
	assert_true(edits_replace(e, 1, VIEW("3")));
	message_commit(m, e);
	check_written(m, VIEW("A: 1\r\nB: 3\r\n\r\nx"), 3);
	edits_destroy(&e);
	message_destroy(&m);
}

static void
test_edits_of_messages_without_header_or_body(void **state)
{
	static const struct {
		struct view content, expected;
	} rows[] = {
		{ V(""), V("X: 1\r\n") },
		{ V("\r\n"), V("X: 1\r\n\r\n") },
		{ V("\r\nbody"), V("X: 1\r\n\r\nbody") },
		{ V("A: 1\r\n"), V("X: 1\r\nA: 1\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct message *m = make_message(rows[i].content);
		struct edits *e = edits_create();

		assert_true(edits_prepend(e, "X", VIEW("1")));
		message_commit(m, e);
		check_written(m, rows[i].expected, rows[i].content.len > 0 ? 2 : 1);
		edits_destroy(&e);
		message_destroy(&m);
	}
}

static void
test_all_fields_removed(void **state)
{
	struct message *m = make_message(VIEW("A: 1\r\nB: 2\r\n\r\nx"));
	struct edits *e = edits_create();

	(void)state;
	assert_true(edits_remove(e, 1));
	assert_true(edits_remove(e, 0));
	message_commit(m, e);
	assert_int_equal(message_field_count(m), 0);
	check_written(m, VIEW("\r\nx"), 1);
	edits_destroy(&e);
	message_destroy(&m);
}

static void
test_edits_have_caps(void **state)
{
	struct edits *e = edits_create();
	char *long_value = malloc(MESSAGE_HEADER_MAX + 1);
	size_t n = 0;

	(void)state;
	assert_non_null(long_value);
	memset(long_value, 'x', MESSAGE_HEADER_MAX + 1);
	assert_true(edits_prepend(e, "X", view_make(long_value, MESSAGE_HEADER_MAX)));
	assert_false(edits_prepend(e, "X", view_make(long_value, MESSAGE_HEADER_MAX + 1)));
	while (n < 100000 && edits_prepend(e, "X", VIEW("1")))
		n++;
	assert_in_range(n, 100, 1000);
	assert_true(edits_remove(e, MESSAGE_FIELDS_MAX + 200));
	assert_false(edits_remove(e, SIZE_MAX));
	assert_false(edits_replace(e, SIZE_MAX / 2, VIEW("x")));
	free(long_value);
	edits_destroy(&e);
}

static void
test_a_sink_that_has_enough_ends_the_writing(void **state)
{
	struct message *m = make_message(VIEW("A: 1\r\nB: 2\r\nC: 3\r\n\r\nx"));
	struct edits *e = edits_create();

	(void)state;
	assert_true(edits_remove(e, 1));
	message_commit(m, e);
	for (size_t stop = 1; stop <= 2; stop++) {
		struct written w = { .stop_at = stop };
		buf_init(&w.text, 1000);
		assert_false(message_write(m, take_piece, &w));
		assert_int_equal(w.pieces, stop);
		buf_finish(&w.text);
	}
	edits_destroy(&e);
	message_destroy(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_what_is_no_header),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_values_that_are_refused),
		cmocka_unit_test(test_edits_become_real_together),
		cmocka_unit_test(test_the_last_word_on_a_field_counts),
		cmocka_unit_test(test_dropped_edits_leave_no_trace),
		cmocka_unit_test(test_edits_of_messages_without_header_or_body),
		cmocka_unit_test(test_all_fields_removed),
		cmocka_unit_test(test_edits_have_caps),
		cmocka_unit_test(test_a_sink_that_has_enough_ends_the_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
