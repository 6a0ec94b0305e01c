/* SPDX-License-Identifier: MPL-2.0 */
/* lib/milter/milter_changes: what a milter asks for, one after the other, as edits. */
#include "lib/milter/milter_changes.h"

#include "lib/mail/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/message_fixture.h"

#define OURS "Received: ours\r\n"
#define REST "\r\nbody\r\n"
#define TEXT OURS "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\n" REST

static const struct recipient recipients[] = {
	{ .path = { .local = { "b", 1 }, .domain = { "example.com", 11 } },
	    .address = "b@example.com" },
	{ .path = { .local = { "c", 1 }, .domain = { "example.com", 11 } },
	    .address = "c@example.com" },
};

static const struct facts facts = { .reverse_path = "a@example.com",
	.recipients = recipients,
	.recipient_count = ARRAY_LEN(recipients) };

struct rig {
	struct message *message;
	struct milter_changes *changes;
	struct edits *edits;
	struct err err;
};

static void
rig_open(struct rig *r, bool has_leading_space)
{
	const struct milter_subject subject = {
		.facts = &facts,
		.hidden = 0,
		.has_leading_space = has_leading_space,
		.body = { .temp_dir = "/tmp", .memory_octets = 64, .max_octets = 1000 },
	};
	struct milter_subject own = subject;

	memset(r, 0, sizeof(*r));
	r->message = message_of(TEXT);
	own.message = r->message;
	r->changes = milter_changes_create(&own);
	r->edits = edits_create();
}

static void
rig_close(struct rig *r)
{
	milter_changes_destroy(&r->changes);
	edits_destroy(&r->edits);
	message_destroy(&r->message);
}

static bool
field(struct rig *r, char code, uint32_t index, const char *name, const char *value)
{
	const struct milter_reply reply = {
		.code = code, .index = index, .name = view_of(name), .value = view_of(value)
	};

	return milter_changes_add(r->changes, &reply, &r->err);
}

static bool
address(struct rig *r, char code, const char *text)
{
	return field(r, code, 0, text, "");
}

static bool
body(struct rig *r, struct view octets)
{
	const struct milter_reply reply = {
		.code = MILTER_REPLBODY, .name = VIEW(""), .value = octets
	};

	return milter_changes_add(r->changes, &reply, &r->err);
}

/* Up to four changes of the header, and what the message is then. */
struct header_case {
	const char *name;
	bool has_leading_space;
	struct {
		char code;
		uint32_t index;
		const char *field, *value;
	} changes[4];
	const char *wanted; /* NULL: refused */
};

static const struct header_case header_cases[] = {
	{ "nothing", false, { { 0 } }, TEXT },
	{ "a field is added at the end", false, { { 'h', 0, "New", "n" } },
	    OURS
	    "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\nNew: n\r\n" REST },
	{ "the blank is the milter's", true,
	    { { 'h', 0, "New", "n" }, { 'h', 0, "New", "  m" } },
	    OURS "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\nNew:n\r\nNew:  "
		 "m\r\n" REST },
	{ "inserted at 0 it stands above our own Received", false, { { 'i', 0, "New", "n" } },
	    "New: n\r\n" TEXT },
	{ "inserted at 1 it stands below it", false, { { 'i', 1, "New", "n" } },
	    OURS
	    "New: n\r\nFrom:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\n" REST },
	{ "inserted beyond the end it is added", false, { { 'i', 4000000000, "New", "n" } },
	    OURS
	    "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\nNew: n\r\n" REST },
	{ "of two at the same place the last is above", false,
	    { { 'i', 1, "New", "1" }, { 'i', 1, "New", "2" } },
	    OURS "New: 2\r\nNew: 1\r\nFrom:  a@example.com\r\nX: 1\r\nTo: "
		 "b@example.com\r\nx:2\r\n" REST },
	{ "an inserted one counts for the next", false,
	    { { 'i', 0, "New", "1" }, { 'i', 2, "New", "2" } },
	    "New: 1\r\n" OURS
	    "New: 2\r\nFrom:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\n" REST },
	{ "the second of a name is changed, whatever its case", false,
	    { { 'm', 2, "X", "new" } },
	    OURS "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nX: new\r\n" REST },
	{ "a name stays as it is where it is the same", false, { { 'm', 2, "x", "new" } },
	    OURS "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx: new\r\n" REST },
	{ "index 0 is the first", false, { { 'm', 0, "X", "new" } },
	    OURS "From:  a@example.com\r\nX: new\r\nTo: b@example.com\r\nx:2\r\n" REST },
	{ "one that is not there is added", false, { { 'm', 3, "X", "new" } },
	    OURS
	    "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\nX: new\r\n" REST },
	{ "our own Received is not the first", false, { { 'm', 1, "Received", "new" } },
	    OURS "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\nReceived: "
		 "new\r\n" REST },
	{ "our own Received cannot be deleted", false, { { 'm', 1, "Received", "" } }, TEXT },
	{ "the first is deleted, then the one that was the second", false,
	    { { 'm', 1, "X", "" }, { 'm', 1, "X", "" } },
	    OURS "From:  a@example.com\r\nTo: b@example.com\r\n" REST },
	{ "the second is deleted and the first changed", false,
	    { { 'm', 2, "X", "" }, { 'm', 1, "X", "new" } },
	    OURS "From:  a@example.com\r\nX: new\r\nTo: b@example.com\r\n" REST },
	{ "what was added can be changed and deleted", false,
	    { { 'h', 0, "New", "1" }, { 'h', 0, "New", "2" }, { 'm', 1, "New", "3" },
		{ 'm', 2, "New", "" } },
	    OURS
	    "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\nNew: 3\r\n" REST },
	{ "all that it may see is deleted", false,
	    { { 'm', 1, "X", "" }, { 'm', 1, "X", "" }, { 'm', 1, "from", "" },
		{ 'm', 1, "to", "" } },
	    OURS REST },
	{ "folds come with LF, CRLF, and without a blank", false,
	    { { 'h', 0, "New", "1\n 2\r\n\t3\n4\n" } },
	    OURS "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\n"
		 "New: 1\r\n 2\r\n\t3\r\n\t4\r\n" REST },
	{ "an empty line cannot end the header", false, { { 'h', 0, "New", "1\n\n2" } },
	    OURS "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\n"
		 "New: 1\r\n\t\r\n\t2\r\n" REST },
	{ "a field without a value", false, { { 'h', 0, "New", "" } },
	    OURS "From:  a@example.com\r\nX: 1\r\nTo: b@example.com\r\nx:2\r\nNew: \r\n" REST },
	{ "a bare CR is refused", false, { { 'h', 0, "New", "1\r2" } }, NULL },
	{ "a name with a blank is refused", false, { { 'h', 0, "New x", "1" } }, NULL },
	{ "a name with a colon is refused", false, { { 'i', 0, "New:", "1" } }, NULL },
	{ "no name is refused", false, { { 'h', 0, "", "1" } }, NULL },
	{ "a line end in a name is refused", false, { { 'h', 0, "A: b\r\nC", "1" } }, NULL },
	{ "one bad change spoils the good ones", false,
	    { { 'h', 0, "New", "1" }, { 'm', 1, "X", "" }, { 'h', 0, "", "" } }, NULL },
};

static void
test_changes_of_the_header_follow_one_another(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(header_cases); i++) {
		const struct header_case *c = &header_cases[i];
		struct rig r;
		bool ok = true;

		rig_open(&r, c->has_leading_space);
		for (size_t k = 0; k < 4 && c->changes[k].code != 0; k++)
			ok = ok && field(&r, c->changes[k].code, c->changes[k].index,
				       c->changes[k].field, c->changes[k].value);
		ok = ok && milter_changes_commit(r.changes, r.edits, &r.err);
		if (ok != (c->wanted != NULL))
			fail_msg("%s: %s", c->name, ok ? "taken" : r.err.text);
		assert_true(ok || edits_is_empty(r.edits));
		message_commit(r.message, r.edits);
		assert_message_is(r.message, ok ? c->wanted : TEXT);
		rig_close(&r);
	}
}

static void
test_a_new_body_has_clean_line_ends(void **state)
{
	static const struct {
		const char *name, *first, *second;
		const char *wanted; /* NULL: refused */
	} cases[] = {
		{ "as it is", "a\r\n", "b\r\n", "a\r\nb\r\n" },
		{ "bare LFs", "\na\nb\r\n", "\n", "\r\na\r\nb\r\n\r\n" },
		{ "CRLF in two pieces", "a\r", "\nb\r\n", "a\r\nb\r\n" },
		{ "LF at the head of a piece", "a", "\nb\n", "a\r\nb\r\n" },
		{ "no last line end", "a\r\n", "b", "a\r\nb\r\n" },
		{ "nothing", "", "", "" },
		{ "a bare CR", "a\rb\r\n", "", NULL },
		{ "a CR at the end", "a\r", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig r;
		char wanted[200];
		bool ok;

		rig_open(&r, false);
		ok = body(&r, view_of(cases[i].first)) && body(&r, view_of(cases[i].second)) &&
		     milter_changes_commit(r.changes, r.edits, &r.err);
		if (ok != (cases[i].wanted != NULL))
			fail_msg("%s: %s", cases[i].name, r.err.text);
		message_commit(r.message, r.edits);
		snprintf(wanted, sizeof(wanted), "%.*s\r\n%s",
		    (int)(strlen(TEXT) - strlen(REST)), TEXT,
		    ok ? cases[i].wanted : "body\r\n");
		assert_message_is(r.message, wanted);
		rig_close(&r);
	}
}

static void
test_a_body_has_its_cap_and_no_nul(void **state)
{
	char large[600] = { 0 };
	struct rig r;

	(void)state;
	memset(large, 'a', sizeof(large));
	rig_open(&r, false);
	assert_true(body(&r, view_make(large, sizeof(large))));
	assert_false(body(&r, view_make(large, sizeof(large))));
	assert_int_equal(r.err.kind, ERR_LIMIT);
	rig_close(&r);
	rig_open(&r, false);
	assert_true(body(&r, VIEW("a\0b\r\n")));
	assert_false(milter_changes_commit(r.changes, r.edits, &r.err));
	rig_close(&r);
}

static void
test_the_envelope(void **state)
{
	struct rig r;
	const struct envelope_edits *e;

	(void)state;
	rig_open(&r, false);
	assert_true(address(&r, '+', "<new@example.com>"));
	assert_true(address(&r, '2', " gone@example.com "));
	assert_true(address(&r, '-', "<gone@EXAMPLE.com>"));
	assert_true(address(&r, '-', "c@Example.COM"));
	assert_true(address(&r, '-', "B@example.com")); /* another local part */
	assert_true(address(&r, '-', "nobody@example.com"));
	assert_true(address(&r, 'e', "<>"));
	assert_true(milter_changes_commit(r.changes, r.edits, &r.err));
	e = edits_envelope(r.edits);
	assert_int_equal(e->added_count, 1);
	assert_string_equal(e->added[0].address, "new@example.com");
	assert_int_equal(e->removed_count, 1);
	assert_true(envelope_is_removed(e, 1));
	assert_true(e->has_sender && e->sender.is_null);
	assert_int_equal(milter_changes_count(r.changes), 7);
	rig_close(&r);
}

static void
test_what_is_no_address_is_refused(void **state)
{
	static const struct {
		char code;
		const char *text;
	} cases[] = { { '+', "" }, { '+', "<>" }, { '+', "a b@example.com" },
		{ '+', "<a@example.com> <b@example.com>" }, { '+', "a@example.com>\r\nDATA" },
		{ '2', "nobody" }, { 'e', "a@" }, { 'e', "a@b\r\nc" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig r;

		rig_open(&r, false);
		assert_true(field(&r, 'h', 0, "New", "n"));
		if (address(&r, cases[i].code, cases[i].text) &&
		    milter_changes_commit(r.changes, r.edits, &r.err))
			fail_msg("\"%s\" is taken", cases[i].text);
		assert_true(edits_is_empty(r.edits));
		rig_close(&r);
	}
}

static void
test_floods_end_at_caps(void **state)
{
	static char large[MESSAGE_HEADER_MAX / 2 + 1], long_address[400];
	struct rig r;
	size_t count = 0;

	(void)state;
	memset(large, 'a', sizeof(large) - 1);
	memset(long_address, 'a', sizeof(long_address) - 1);
	rig_open(&r, false);
	assert_true(field(&r, 'h', 0, "New", large));
	assert_false(field(&r, 'h', 0, large, large));
	rig_close(&r);
	rig_open(&r, false);
	while (count < 100000 && field(&r, 'h', 0, "New", ""))
		count++;
	assert_int_equal(count, 2 * MESSAGE_FIELDS_MAX);
	for (count = 0; count < 100000 && address(&r, '+', "a@example.com"); count++)
		;
	assert_int_equal(count, 1000);
	assert_false(address(&r, 'e', long_address));
	rig_close(&r);
}

static void
test_quarantine_and_redirection(void **state)
{
	const struct envelope_edits *e;
	struct rig r;

	(void)state;
	rig_open(&r, false);
	assert_null(milter_changes_quarantine(r.changes));
	assert_true(address(&r, '+', "new@example.com"));
	assert_true(field(&r, 'q', 0, "", "sp\xc3\xa4m\r\nX: y"));
	assert_string_equal(milter_changes_quarantine(r.changes), "sp??m??X: y");
	milter_changes_redirect(r.changes, "quarantine@example.com");
	assert_true(milter_changes_commit(r.changes, r.edits, &r.err));
	e = edits_envelope(r.edits);
	assert_int_equal(e->removed_count, 2);
	assert_int_equal(e->added_count, 1);
	assert_string_equal(e->added[0].address, "quarantine@example.com");
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes_of_the_header_follow_one_another),
		cmocka_unit_test(test_a_new_body_has_clean_line_ends),
		cmocka_unit_test(test_a_body_has_its_cap_and_no_nul),
		cmocka_unit_test(test_the_envelope),
		cmocka_unit_test(test_what_is_no_address_is_refused),
		cmocka_unit_test(test_floods_end_at_caps),
		cmocka_unit_test(test_quarantine_and_redirection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
