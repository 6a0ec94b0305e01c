/* SPDX-License-Identifier: MPL-2.0 */
/* lib/mail: edits beyond a field on top: insertions, exact values, bodies, the envelope. */
#include "lib/mail/envelope.h"
#include "lib/mail/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/unit/message_fixture.h"

#define TEXT "One: 1\r\nTwo:2\r\nThree:  3\r\n\r\nbody\r\n"

static struct body_store *
body_of(struct view text)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 1 << 20, .max_octets = 1 << 20
	};
	struct body_store *store = body_create(&limits);

	assert_true(body_append(store, text, NULL));
	assert_true(body_seal(store, NULL));
	return store;
}

static void
test_fields_are_inserted_where_they_belong(void **state)
{
	struct message *m = message_of(TEXT);
	struct edits *e = edits_create();
	size_t added, removed, replaced;

	(void)state;
	assert_true(edits_insert(e, 3, "End", VIEW("e"), false));
	assert_true(edits_insert(e, 1, "A", VIEW("a"), false));
	assert_true(edits_insert(e, 0, "First", VIEW("f"), false));
	assert_true(edits_insert(e, 1, "B", VIEW("b"), false));
	assert_true(edits_insert(e, 3, "End", VIEW("f\r\n\tg"), false));
	assert_true(edits_prepend(e, "Top", VIEW("t")));
	assert_true(edits_remove(e, 1));
	edits_count(e, &added, &removed, &replaced);
	assert_int_equal(added, 6);
	assert_int_equal(removed, 1);
	message_commit(m, e);
	assert_message_is(m,
	    "Top: t\r\nFirst: f\r\nOne: 1\r\nA: a\r\nB: b\r\nThree:  3\r\nEnd: e\r\n"
	    "End: f\r\n\tg\r\n\r\nbody\r\n");
	assert_true(edits_is_empty(e));
	edits_destroy(&e);
	message_destroy(&m);
}

static void
test_an_exact_value_keeps_its_blanks(void **state)
{
	struct message *m = message_of(TEXT);
	struct edits *e = edits_create();

	(void)state;
	assert_true(edits_insert(e, 0, "A", VIEW("no blank"), true));
	assert_true(edits_insert(e, 0, "B", VIEW("   three"), true));
	assert_true(edits_replace_exact(e, 0, VIEW("x")));
	assert_true(edits_replace(e, 2, VIEW("y")));
	message_commit(m, e);
	assert_message_is(
	    m, "A:no blank\r\nB:   three\r\nOne:x\r\nTwo:2\r\nThree: y\r\n\r\nbody\r\n");
	edits_destroy(&e);
	message_destroy(&m);
}

static void
test_insertions_that_are_refused(void **state)
{
	struct edits *e = edits_create();
	size_t count = 0;

	(void)state;
	assert_false(edits_insert(e, 0, "a b", VIEW("x"), false));
	assert_false(edits_insert(e, 0, "", VIEW("x"), true));
	assert_false(edits_insert(e, 0, "A", VIEW("x\r\nB: y"), true));
	assert_false(edits_insert(e, 0, "A", VIEW("x\n y"), true));
	assert_false(edits_insert(e, 1000000, "A", VIEW("x"), true));
	assert_false(edits_replace_exact(e, 0, VIEW("x\r\n")));
	assert_true(edits_is_empty(e));
	while (count < 100000 && edits_insert(e, 0, "A", VIEW("x"), true))
		count++;
	assert_int_equal(count, 2 * MESSAGE_FIELDS_MAX);
	edits_destroy(&e);
}

static void
test_a_body_takes_the_place_of_another(void **state)
{
	static const struct {
		const char *message, *body, *becomes;
	} rows[] = {
		{ TEXT, "new\r\n", "One: 1\r\nTwo:2\r\nThree:  3\r\n\r\nnew\r\n" },
		{ TEXT, "", "One: 1\r\nTwo:2\r\nThree:  3\r\n\r\n" },
		{ "A: b\r\n", "new\r\n.\r\n", "A: b\r\n\r\nnew\r\n.\r\n" },
		{ "\r\nonly\r\n", "new\r\n", "\r\nnew\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct message *m = message_of(rows[i].message);
		struct edits *e = edits_create();
		struct body_store *body = body_of(view_of("first\r\n"));

		assert_true(edits_set_body(e, &body));
		body = body_of(view_of(rows[i].body));
		assert_true(edits_set_body(e, &body)); /* the last one counts */
		assert_null(body);
		assert_true(edits_has_body(e));
		message_commit(m, e);
		assert_message_is(m, rows[i].becomes);
		assert_int_equal(message_size(m), strlen(rows[i].becomes));
		assert_true(view_eq(message_body(m), view_of(rows[i].body)));
		assert_true(message_has_separator(m));
		assert_true(edits_prepend(e, "X", VIEW("1"))); /* and a commit behind it */
		message_commit(m, e);
		assert_int_equal(message_size(m), strlen(rows[i].becomes) + strlen("X: 1\r\n"));
		edits_destroy(&e);
		message_destroy(&m);
	}
}

static void
test_a_body_that_smtp_cannot_carry_is_refused(void **state)
{
	const struct view rows[] = {
		VIEW("no end"),
		VIEW("bare\nLF\r\n"),
		VIEW("bare\rCR\r\n"),
		VIEW("\n"),
		VIEW("\r"),
		VIEW("a\0b\r\n"),
		VIEW("a\r\r\n"),
		VIEW("a\r\n\n"),
	};
	struct edits *e = edits_create();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct body_store *body = body_of(rows[i]);

		if (edits_set_body(e, &body))
			fail_msg("row %zu is taken", i);
		assert_non_null(body);
		body_destroy(&body);
	}
	assert_true(edits_is_empty(e));
	edits_destroy(&e);
}

static struct recipient
recipient_of(struct arena *arena, const char *address)
{
	struct recipient r = { .address = address };

	assert_int_equal(
	    smtp_path_parse(view_of(arena_printf(arena, "<%s>", address)), &r.path),
	    SMTP_SYNTAX_OK);
	return r;
}

static void
test_the_envelope_changes(void **state)
{
	struct arena arena = { 0 };
	struct edits *e = edits_create();

	(void)state;
	arena_init(&arena);
	struct recipient list[] = { recipient_of(&arena, "a@example.com"),
		recipient_of(&arena, "b@example.com") };
	struct facts facts = {
		.reverse_path = "s@example.com", .recipients = list, .recipient_count = 2
	};
	assert_true(edits_set_sender(e, VIEW("new@example.org")));
	assert_true(edits_remove_recipient(e, 0));
	assert_true(edits_remove_recipient(e, 0));
	assert_true(edits_remove_recipient(e, 7)); /* there is none: nothing happens */
	assert_true(edits_add_recipient(e, VIEW("c@example.net")));
	assert_true(edits_add_recipient(e, VIEW("b@EXAMPLE.com"))); /* is there already */
	assert_true(edits_add_recipient(e, VIEW("c@example.net"))); /* twice */
	assert_true(envelope_apply(edits_envelope(e), &facts, &arena));
	edits_destroy(&e); /* nothing of it is used any more */
	assert_string_equal(facts.reverse_path, "new@example.org");
	assert_true(view_eq(facts.mail.path.domain, VIEW("example.org")));
	assert_int_equal(facts.recipient_count, 2);
	assert_string_equal(facts.recipients[0].address, "b@example.com");
	assert_string_equal(facts.recipients[1].address, "c@example.net");
	assert_true(view_eq(facts.recipients[1].path.local, VIEW("c")));
	arena_finish(&arena);
}

static void
test_an_envelope_that_stays_is_no_change(void **state)
{
	struct arena arena;
	struct edits *e = edits_create();

	(void)state;
	arena_init(&arena);
	struct recipient list[] = { recipient_of(&arena, "a@example.com") };
	struct facts facts = { .reverse_path = "", .recipients = list, .recipient_count = 1 };
	facts.mail.path.is_null = true;
	assert_true(edits_set_sender(e, VIEW("")));
	assert_true(edits_add_recipient(e, VIEW("a@example.com")));
	assert_false(envelope_apply(edits_envelope(e), &facts, &arena));
	edits_clear(e);
	assert_true(edits_is_empty(e));
	assert_true(edits_set_sender(e, VIEW("x@example.com")));
	assert_true(envelope_apply(edits_envelope(e), &facts, &arena));
	assert_false(facts.mail.path.is_null);
	edits_destroy(&e);
	arena_finish(&arena);
}

static void
test_an_address_beyond_ascii_needs_smtputf8(void **state)
{
	struct edits *e = edits_create();
	struct arena arena;
	struct facts facts = { .reverse_path = "" };

	(void)state;
	arena_init(&arena);
	assert_true(edits_add_recipient(e, VIEW("a@example.com")));
	assert_true(envelope_apply(edits_envelope(e), &facts, &arena));
	assert_false(facts.mail.smtputf8);
	assert_true(edits_set_sender(e, VIEW("\xc3\xa9@\xc3\xa9.example")));
	assert_true(envelope_apply(edits_envelope(e), &facts, &arena));
	assert_true(facts.mail.smtputf8);
	assert_string_equal(facts.reverse_path, "\xc3\xa9@\xc3\xa9.example");
	edits_destroy(&e);
	arena_finish(&arena);
}

static void
test_what_is_no_address_is_refused(void **state)
{
	static const char *const rows[] = { "no at", "a@b>", "<a@b>", "a@b\r\nRCPT TO:<c@d>",
		"a@b\n", "a b@example.com", "@example.com", "a@", "a@\xe9.example",
		"a@\xc2\xad.example" };
	struct edits *e = edits_create();
	char large[2000];

	(void)state;
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (edits_add_recipient(e, view_of(rows[i])) ||
		    edits_set_sender(e, view_of(rows[i])))
			fail_msg("%s is taken", rows[i]);
	}
	assert_false(edits_add_recipient(e, view_of(large)));
	assert_false(edits_add_recipient(e, VIEW(""))); /* only a sender may be <> */
	assert_false(edits_remove_recipient(e, SIZE_MAX));
	assert_true(edits_is_empty(e));
	edits_destroy(&e);
}

static void
add_line(void *context, enum edit_change change, size_t index, struct view text)
{
	static const char *const names[] = { "added", "removed", "body", "sender", "rcpt+",
		"rcpt-", "discard" };

	assert_true(buf_printf(context, "%s %zu %.*s|", names[change], index, VIEW_ARG(text)));
}

static void
test_edits_are_told_in_the_order_of_the_header(void **state)
{
	struct message *m = message_of(TEXT);
	struct edits *e = edits_create();
	struct body_store *body = body_of(VIEW("new\r\n"));
	struct arena arena;
	struct buf out;

	(void)state;
	arena_init(&arena);
	buf_init(&out, 4096);
	struct recipient list[] = { recipient_of(&arena, "a@example.com") };
	const struct facts facts = { .recipients = list, .recipient_count = 1 };
	edits_discard(e, "spam");
	assert_true(edits_add_recipient(e, VIEW("c@example.net")));
	assert_true(edits_remove_recipient(e, 0));
	assert_true(edits_set_sender(e, VIEW("")));
	assert_true(edits_set_body(e, &body));
	assert_true(edits_insert(e, 3, "End", VIEW("e"), false));
	assert_true(edits_replace(e, 2, VIEW("y")));
	assert_true(edits_remove(e, 0));
	assert_true(edits_prepend(e, "Top", VIEW("t")));
	edits_describe(e, m, &facts, add_line, &out);
	assert_true(buf_add_str(&out, "") && buf_add(&out, "", 1));
	assert_string_equal(out.p,
	    "added 0 Top: t|removed 0 One: 1|removed 2 Three:  3|added 2 Three: y|"
	    "added 3 End: e|body 0 5 octets instead of 6|sender 0 |rcpt- 0 a@example.com|"
	    "rcpt+ 0 c@example.net|discard 0 spam|");
	buf_finish(&out);
	edits_destroy(&e);
	message_destroy(&m);
	arena_finish(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_are_inserted_where_they_belong),
		cmocka_unit_test(test_an_exact_value_keeps_its_blanks),
		cmocka_unit_test(test_insertions_that_are_refused),
		cmocka_unit_test(test_a_body_takes_the_place_of_another),
		cmocka_unit_test(test_a_body_that_smtp_cannot_carry_is_refused),
		cmocka_unit_test(test_the_envelope_changes),
		cmocka_unit_test(test_an_envelope_that_stays_is_no_change),
		cmocka_unit_test(test_an_address_beyond_ascii_needs_smtputf8),
		cmocka_unit_test(test_what_is_no_address_is_refused),
		cmocka_unit_test(test_edits_are_told_in_the_order_of_the_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
