/* SPDX-License-Identifier: MPL-2.0 */
/* The link milter against a milter that breaks off, talks nonsense, is late or is not there;
 * and connections that serve more than one session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/milter_rig.h"

#include <signal.h>

/* ---- when it goes wrong ---- */

#define AT_THE_END(...)		.command = 'E', .packets = { __VA_ARGS__ }
#define OCTETS_AT_THE_END(raw_) .command = 'E', .raw = VIEW(raw_)

static void
test_half_of_its_changes_is_none_of_them(void **state)
{
	const struct {
		const char *name;
		struct peer_rule rule;
	} cases[] = {
		{ "it closes behind a change",
		    { AT_THE_END(VIEW("hA\0b\0")), .closes = true } },
		{ "it hangs behind a change",
		    { AT_THE_END(VIEW("hA\0b\0"), VIEW("bnew")), .hangs = true } },
		{ "it closes within a packet",
		    { OCTETS_AT_THE_END("\0\0\0\5hA\0b\0\0\0\0\1"), .closes = true } },
		{ "a packet of 10 MB", { OCTETS_AT_THE_END("\0\0\0\5hA\0b\0\0\xa0\0\0b") } },
		{ "an empty packet", { OCTETS_AT_THE_END("\0\0\0\5hA\0b\0\0\0\0\0") } },
		{ "a malformed change",
		    { AT_THE_END(VIEW("hA\0b\0"), VIEW("hA"), VIEW("c")) } },
		{ "a change that cannot be",
		    { AT_THE_END(VIEW("hA\0b\0"), VIEW("h:\0b\0"), VIEW("c")) } },
		{ "a recipient that is none",
		    { AT_THE_END(VIEW("hA\0b\0"), VIEW("+x\0"), VIEW("c")) } },
		{ "a body that is none",
		    { AT_THE_END(VIEW("hA\0b\0"), VIEW("b\0"), VIEW("c")) } },
		{ "it talks on behind its last word",
		    { OCTETS_AT_THE_END("\0\0\0\5hA\0b\0\0\0\0\1c\0\0\0\1c") } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig r;

		rig_open(&r, &cases[i].rule, 1);
		rig_start(&r, "content_timeout = \"100ms\";");
		assert_int_equal(say_all(&r), 0);
		if (say_message(&r) != 451)
			fail_msg("%s: %d", cases[i].name, r.f.reply.code);
		assert_message_is(r.f.message, TEXT);
		assert_int_equal(r.f.facts.recipient_count, 2);
		rig_stop(&r);
		rig_close(&r);
	}
}

static void
test_what_was_not_negotiated_is_an_error(void **state)
{
	const struct {
		struct view change;
		uint32_t action;
	} cases[] = {
		{ VIEW("hA\0b\0"), 0x1 },
		{ VIEW("i\0\0\0\0A\0b\0"), 0x1 },
		{ VIEW("bnew"), 0x2 },
		{ VIEW("+d@example.net\0"), 0x4 },
		{ VIEW("-b@example.net\0"), 0x8 },
		{ VIEW("m\0\0\0\1Subject\0x\0"), 0x10 },
		{ VIEW("qspam\0"), 0x20 },
		{ VIEW("e<d@example.net>\0"), 0x40 },
		{ VIEW("2<d@example.net>\0"), 0x80 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		const bool may = i % 2 == 0;
		const struct peer_rule rules[] = { { AT_THE_END(
		    cases[i / 2].change, VIEW("c")) } };
		struct rig r;

		rig_open(&r, rules, ARRAY_LEN(rules));
		r.peer.actions = may ? cases[i / 2].action : 0x1ff & ~cases[i / 2].action;
		rig_start(&r, "");
		assert_int_equal(say_all(&r), 0);
		if (say_message(&r) != (may ? 0 : 451))
			fail_msg(
			    "action 0x%x, %d: %d", cases[i / 2].action, may, r.f.reply.code);
		rig_stop(&r);
		rig_close(&r);
	}
}

static void
test_negotiations_that_fail(void **state)
{
	static const struct {
		const char *name;
		uint32_t version, actions, steps;
		const char *settings;
	} cases[] = {
		{ "version 1", 1, 0, 0, "" },
		{ "version 7", 7, 0, 0, "" },
		{ "more than was offered", 6, 0, 0, "protocol = 4;" },
		{ "actions that do not exist", 6, 0x1000, 0, "" },
		{ "actions of version 6 in version 2", 2, 0x40, 0, "protocol = 2;" },
		{ "no answers in version 2", 2, 0, 0x80, "protocol = 2;" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig r;

		rig_open(&r, NULL, 0);
		r.peer.version = cases[i].version;
		r.peer.actions = cases[i].actions;
		r.peer.steps = cases[i].steps;
		rig_start(&r, cases[i].settings);
		if (say_connect(&r) != 421)
			fail_msg("%s: %d", cases[i].name, r.f.reply.code);
		rig_stop(&r);
		rig_close(&r);
	}
}

static void
test_progress_gives_time_within_the_limit(void **state)
{
	const struct peer_rule rules[] = {
		{ AT_THE_END(VIEW("p"), VIEW("p"), VIEW("p"), VIEW("c")), .delay_ms = 300 }
	};
	static const struct {
		const char *settings;
		int code;
	} cases[] = {
		{ "content_timeout = \"900ms\";", 0 },
		{ "content_timeout = \"100ms\";", 451 },
		{ "content_timeout = \"900ms\"; timeout = \"700ms\";", 451 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig r;

		rig_open(&r, rules, ARRAY_LEN(rules));
		rig_start(&r, cases[i].settings);
		assert_int_equal(say_all(&r), 0);
		if (say_message(&r) != cases[i].code)
			fail_msg("%s: %d", cases[i].settings, r.f.reply.code);
		rig_stop(&r);
		rig_close(&r);
	}
}

static void
test_it_is_told_anew_in_the_next_message(void **state)
{
	const struct peer_rule rules[] = {
		{ .command = 'R', .connection = 1, .closes = true }
	};
	const char *heard;
	struct rig r;

	(void)state;
	rig_open(&r, rules, ARRAY_LEN(rules));
	rig_start(&r, "on_error = \"pass\";");
	assert_int_equal(say_all(&r), 0);
	assert_int_equal(say_message(&r), 0);
	assert_int_equal(say_mail(&r), 0);
	assert_int_equal(say_rcpt(&r, &rcpt_b), 0);
	heard = rig_stop(&r);
	expect_has(heard, "R<b@example.net>|\n-\nO|||.||..|...\nDC");
	expect_has(heard, "\nHclient.example.org|\nDMi|s1.2|");
	rig_close(&r);
}

static void
test_one_that_died_between_messages_is_replaced(void **state)
{
	const struct peer_rule rules[] = {
		{ .command = 'E', .connection = 1, .packets = { VIEW("c") }, .closes = true }
	};
	const char *heard;
	struct rig r;

	(void)state;
	rig_open(&r, rules, ARRAY_LEN(rules));
	rig_start(&r, "");
	assert_int_equal(say_all(&r), 0);
	assert_int_equal(say_message(&r), 0);
	assert_int_equal(say_mail(&r), 0);
	assert_int_equal(say_message(&r), 0);
	heard = rig_stop(&r);
	expect_has(heard, "E\n-\nO");
	expect_has(heard, "\nHclient.example.org|\nDMi|s1.2|");
	rig_close(&r);
}

static void
test_one_that_wants_content_alone_is_replaced_there(void **state)
{
	const struct peer_rule rules[] = {
		{ .command = 'E', .connection = 1, .nth = 2, .closes = true }
	};
	const char *heard;
	struct rig r;

	(void)state;
	rig_open(&r, rules, ARRAY_LEN(rules));
	r.peer.steps = 0x27f;
	rig_start(&r, "");
	assert_int_equal(say_all(&r), 0);
	assert_int_equal(say_message(&r), 0);
	assert_int_equal(say_mail(&r), 0);
	assert_int_equal(say_rcpt(&r, &rcpt_b), 0);
	assert_int_equal(say_message(&r), 0);
	heard = rig_stop(&r);
	expect_has(heard, "E\n-\nO");
	expect_has(strstr(heard, "-\nO"), "DMi|s1.2|");
	expect_has(strstr(heard, "-\nO"), "DRi|s1.2|{rcpt_addr}|b@example.net|");
	rig_close(&r);
}

static void
test_nobody_there(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL, 0);
	rig_start(&r, "");
	unlink(r.peer.path);
	assert_int_equal(say_connect(&r), 421);
	rig_stop(&r);
	rig_close(&r);
}

/* ---- connections that serve several sessions ---- */

static void
another_session(struct rig *r)
{
	chain_session_destroy(&r->f.session);
	r->f.session = chain_session_create(r->f.chain);
	r->f.facts.message_id = r->f.facts.helo = "";
}

/* whole_session - with one message, and no end yet. */
static void
whole_session(struct rig *r)
{
	assert_int_equal(say_all(r), 0);
	assert_int_equal(say_message(r), 0);
}

static void
test_a_connection_serves_another_session(void **state)
{
	const char *heard;
	struct rig r;

	(void)state;
	rig_open(&r, NULL, 0);
	rig_start(&r, "max_idle = 1;");
	whole_session(&r);
	another_session(&r);
	whole_session(&r);
	heard = rig_stop(&r);
	expect_has(heard, "\nE\nK\nDC");
	assert_int_equal(r.peer.connections, 1);
	rig_close(&r);
}

/* libmilter ignores QUIT_NC in other states, and then whatever follows. */
static void
test_it_is_kept_only_at_the_end_of_an_open_message(void **state)
{
	const struct peer_rule accepts[] = { { .command = 'E', .packets = { VIEW("a") } } };
	static const struct {
		const char *name, *settings;
		size_t rules;
		uint32_t version;
		bool ends, begins_another;
	} cases[] = {
		{ "it was accepted", "max_idle = 1;", 1, 6, true, false },
		{ "an old version", "max_idle = 1;", 0, 4, true, false },
		{ "none is to be kept", "", 0, 6, true, false },
		{ "another message has begun", "max_idle = 1;", 0, 6, true, true },
		{ "there was no message", "max_idle = 1;", 0, 6, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rig r;

		rig_open(&r, accepts, cases[i].rules);
		r.peer.version = cases[i].version;
		r.peer.actions = 0;
		rig_start(&r, cases[i].settings);
		assert_int_equal(say_connect(&r), 0);
		if (cases[i].ends)
			assert_int_equal(say_mail(&r) + say_message(&r), 0);
		if (cases[i].begins_another)
			assert_int_equal(say_mail(&r), 0);
		another_session(&r);
		assert_int_equal(say_connect(&r), 0);
		if (strstr(rig_stop(&r), "\nK\n") != NULL || r.peer.connections != 2)
			fail_msg("%s: %u", cases[i].name, r.peer.connections);
		rig_close(&r);
	}
}

static void
test_a_kept_connection_that_dies_is_replaced(void **state)
{
	const struct peer_rule rules[] = {
		{ .command = 'C', .connection = 1, .nth = 2, .closes = true },
		{ .command = 'C', .connection = 2, .closes = true },
	};
	struct rig r;

	(void)state;
	for (int i = 1; i <= 2; i++) { /* once, and not twice */
		rig_open(&r, rules, (size_t)i);
		rig_start(&r, "max_idle = 1;");
		whole_session(&r);
		another_session(&r);
		assert_int_equal(say_connect(&r), i == 1 ? 0 : 421);
		rig_stop(&r);
		assert_int_equal(r.peer.connections, 2);
		rig_close(&r);
	}
}

static void
test_settings_that_are_refused(void **state)
{
	static const struct {
		const char *settings, *error;
	} cases[] = {
		{ "", "socket is missing" },
		{ "socket = \"nowhere\";", "milter.socket" },
		{ "socket = \"/x\"; protocol = 7;", "protocol" },
		{ "socket = \"/x\"; quarantine = \"redirect\";", "milter.quarantine_to" },
		{ "socket = \"/x\"; quarantine_to = \"q@example.org\";",
		    "milter.quarantine_to" },
		{ "socket = \"/x\"; quarantine = \"redirect\"; quarantine_to = \"q\";",
		    "\"q\" is no address" },
		{ "socket = \"/x\"; quarantine_field = \"X:\";", "milter.quarantine_field" },
		{ "socket = \"/x\"; macro_values = [ \"{x}\" ];", "milter.macro_values" },
		{ "socket = \"/x\"; macro_values = [ \"=x\" ];", "milter.macro_values" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		link_fixture_refuses(&link_milter, cases[i].settings, cases[i].error);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_half_of_its_changes_is_none_of_them),
		cmocka_unit_test(test_what_was_not_negotiated_is_an_error),
		cmocka_unit_test(test_negotiations_that_fail),
		cmocka_unit_test(test_progress_gives_time_within_the_limit),
		cmocka_unit_test(test_it_is_told_anew_in_the_next_message),
		cmocka_unit_test(test_one_that_died_between_messages_is_replaced),
		cmocka_unit_test(test_one_that_wants_content_alone_is_replaced_there),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_a_connection_serves_another_session),
		cmocka_unit_test(test_it_is_kept_only_at_the_end_of_an_open_message),
		cmocka_unit_test(test_a_kept_connection_that_dies_is_replaced),
		cmocka_unit_test(test_settings_that_are_refused),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
