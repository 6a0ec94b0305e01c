/* SPDX-License-Identifier: MPL-2.0 */
/* The link milter against a milter with a script: what it is told, and what its word does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/milter_rig.h"

#include <signal.h>

/* ---- what it is told ---- */

static void
test_it_hears_the_whole_session(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL, 0);
	rig_start(&r, "");
	assert_int_equal(say_all(&r), 0);
	assert_int_equal(say_message(&r), 0);
	assert_message_is(r.f.message, TEXT);
	assert_int_equal(say_mail(&r), 0);
	assert_int_equal(say_mail(&r), 0); /* the one before had no end */
	expect_heard(rig_stop(&r),
	    "O|||.||..|...\n"
	    "DCj|gate.example.net|{daemon_name}|gate.example.net|{daemon_addr}|192.0.2.1|"
	    "v|Gatepost|_|unknown [192.0.2.7]|{client_addr}|192.0.2.7|{client_name}|unknown|"
	    "{client_port}|4711|{client_ptr}|unknown|\n"
	    "C[192.0.2.7]|4.g192.0.2.7|\n"
	    "DH\n"
	    "Hclient.example.org|\n"
	    "DMi|s1.1|{mail_addr}|a@example.com|{mail_host}|example.com|{mail_mailer}|smtp|\n"
	    "M<a@example.com>|SIZE=100|BODY=8BITMIME|\n"
	    "DRi|s1.1|{rcpt_addr}|b@example.net|{rcpt_host}|example.net|{rcpt_mailer}|smtp|\n"
	    "R<b@example.net>|\n"
	    "DRi|s1.1|{rcpt_addr}|c@example.net|{rcpt_host}|example.net|{rcpt_mailer}|smtp|\n"
	    "R<c@example.net>|\n"
	    "DTi|s1.1|\n"
	    "T\n"
	    "LFrom|a@example.com|\n"
	    "LSubject|one. two|\n"
	    "DNi|s1.1|\n"
	    "N\n"
	    "Bbody..\n"
	    "DEi|s1.1|\n"
	    "E\n"
	    "DMi|s1.2|{mail_addr}|a@example.com|{mail_host}|example.com|{mail_mailer}|smtp|\n"
	    "M<a@example.com>|SIZE=100|BODY=8BITMIME|\n"
	    "A\n"
	    "DMi|s1.3|{mail_addr}|a@example.com|{mail_host}|example.com|{mail_mailer}|smtp|\n"
	    "M<a@example.com>|SIZE=100|BODY=8BITMIME|\n"
	    "A\n"
	    "Q\n"
	    "-\n");
	rig_close(&r);
}

static void
test_it_hears_no_more_than_it_wants(void **state)
{
	static const struct {
		const char *name;
		uint32_t version, steps;
		const char *commands; /* without macros */
	} cases[] = {
		{ "all", 6, 0, "OCHMRRTLLNBEQ-" },
		{ "version 2 knows no DATA", 2, 0, "OCHMRRLLNBEQ-" },
		{ "version 4 does", 4, 0, "OCHMRRTLLNBEQ-" },
		{ "no connect", 6, 0x1, "OHMRRTLLNBEQ-" },
		{ "no HELO", 6, 0x2, "OCMRRTLLNBEQ-" },
		{ "no MAIL", 6, 0x4, "OCHRRTLLNBEQ-" },
		{ "no RCPT", 6, 0x8, "OCHMTLLNBEQ-" },
		{ "no body", 6, 0x10, "OCHMRRTLLNEQ-" },
		{ "no header", 6, 0x20, "OCHMRRTNBEQ-" },
		{ "no end of header", 6, 0x40, "OCHMRRTLLBEQ-" },
		{ "no DATA", 6, 0x200, "OCHMRRLLNBEQ-" },
		{ "nothing but the end", 6, 0x27f, "OEQ-" },
		{ "no answers", 6, 0xff080, "OCHMRRTLLNBEQ-" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char commands[64];
		size_t count = 0;
		const char *heard;
		struct rig r;

		rig_open(&r, NULL, 0);
		r.peer.version = cases[i].version;
		r.peer.steps = cases[i].steps;
		r.peer.actions = 0x3f;
		rig_start(&r, "");
		if (say_all(&r) != 0 || say_message(&r) != 0)
			fail_msg("%s: %s", cases[i].name, r.f.reply.text);
		heard = rig_stop(&r);
		for (const char *line = heard; *line != '\0'; line = strchr(line, '\n') + 1) {
			if (*line != 'D' && count + 1 < sizeof(commands))
				commands[count++] = *line;
		}
		commands[count] = '\0';
		if (strcmp(commands, cases[i].commands) != 0)
			fail_msg("%s: %s", cases[i].name, commands);
		rig_close(&r);
	}
}

static void
test_it_names_its_macros_and_its_blanks(void **state)
{
	const char *heard;
	struct rig r;

	(void)state;
	rig_open(&r, NULL, 0);
	r.peer.steps = 0x100000; /* LEADSPC */
	r.peer.macros = VIEW("\0\0\0\2i, {daemon_name} {nothing}\0\0\0\0\5\0");
	rig_start(&r, "macro_values = [ \"{daemon_name}=ORIGINATING\", \"{site}=here\", "
		      "\"x=1\" ]; data_macros = \"j\";");
	assert_int_equal(say_all(&r), 0);
	assert_int_equal(say_message(&r), 0);
	heard = rig_stop(&r);
	expect_has(heard, "DMi|s1.1|{daemon_name}|ORIGINATING|\nM");
	expect_has(heard, "{site}|here|x|1|\nC");
	expect_has(heard, "DTj|gate.example.net|\nT");
	expect_has(heard, "DE\nE");
	expect_has(heard, "LFrom| a@example.com|\n");
	rig_close(&r);
}

static void
test_macros_of_an_ipv6_client(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, NULL, 0);
	rig_start(&r, "connect_macros = \"_, {client_addr}, {client_resolve}\";");
	assert_true(address_from_host("2001:db8::1", 4711, &r.f.facts.client.addr));
	snprintf(r.f.facts.client.text, sizeof(r.f.facts.client.text), "2001:db8::1");
	assert_int_equal(say_connect(&r), 0);
	expect_has(rig_stop(&r),
	    "DC_|unknown [2001:db8::1]|{client_addr}|IPv6:2001:db8::1|{client_resolve}|FAIL|\n"
	    "C[2001:db8::1]|6");
	rig_close(&r);
}

static void
test_a_long_body_goes_in_chunks_until_it_skips(void **state)
{
	const struct peer_rule rules[] = {
		{ .command = 'B', .nth = 2, .packets = { VIEW("s") } }
	};
	static char text[300000];
	const char *heard;
	size_t chunks = 0;
	struct rig r;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, TEXT, strlen(TEXT));
	rig_open(&r, rules, ARRAY_LEN(rules));
	r.peer.steps = 0x400;
	rig_start(&r, "");
	assert_int_equal(say_all(&r), 0);
	assert_int_equal(link_fixture_message(&r.f, text), 0);
	heard = rig_stop(&r);
	for (const char *p = heard; (p = strstr(p, "\nB")) != NULL; p++)
		chunks++;
	assert_int_equal(chunks, 2);
	expect_has(heard, "\nE\n");
	rig_close(&r);
}

/* ---- what its word does ---- */

static void
test_all_that_it_may_change(void **state)
{
	const struct peer_rule rules[] = { { .command = 'E',
	    .packets = { VIEW("hX-New\0new\0"), VIEW("p"), VIEW("i\0\0\0\0X-Top\0top\0"),
		VIEW("m\0\0\0\1Subject\0\0"), VIEW("bnew\n"), VIEW("+<d@example.net>\0"),
		VIEW("-<b@example.net>\0"), VIEW("c") } } };
	struct rig r;

	(void)state;
	rig_open(&r, rules, ARRAY_LEN(rules));
	rig_start(&r, "");
	assert_int_equal(say_all(&r), 0);
	assert_int_equal(say_message(&r), 0);
	assert_message_is(r.f.message,
	    "X-Top: top\r\n" OURS "From: a@example.com\r\nX-New: new\r\n\r\nnew\r\n");
	assert_int_equal(r.f.facts.recipient_count, 2);
	assert_string_equal(r.f.facts.recipients[0].address, "c@example.net");
	assert_string_equal(r.f.facts.recipients[1].address, "d@example.net");
	assert_true(chain_run_envelope_changed(r.f.run));
	assert_true(view_eq(chain_run_notes(r.f.run), VIEW("milter=changed:6")));
	rig_stop(&r);
	rig_close(&r);
}

/* One answer at one event, and what the client hears at each stage (0: nothing against it). */
struct answer_case {
	const char *name;
	char command;
	struct view answer;
	int connect, helo, mail, rcpt, message;
	const char *settings;
};

static void
check_answer(const struct answer_case *c)
{
	const struct peer_rule rules[] = { { .command = c->command,
	    .packets = { c->answer } } };
	int heard[5] = { 0 };
	struct rig r;

	rig_open(&r, rules, ARRAY_LEN(rules));
	rig_start(&r, c->settings != NULL ? c->settings : "");
	heard[0] = say_connect(&r);
	heard[1] = say_helo(&r);
	heard[2] = say_mail(&r);
	heard[3] = say_rcpt(&r, &rcpt_b);
	heard[4] = say_message(&r);
	if (heard[0] != c->connect || heard[1] != c->helo || heard[2] != c->mail ||
	    heard[3] != c->rcpt || heard[4] != c->message)
		fail_msg("%s: %d %d %d %d %d", c->name, heard[0], heard[1], heard[2], heard[3],
		    heard[4]);
	if (c->message != 0)
		assert_message_is(r.f.message, TEXT);
	rig_stop(&r);
	rig_close(&r);
}

static void
test_answers_at_each_event(void **state)
{
	const struct answer_case cases[] = {
		{ "accept at connect", 'C', VIEW("a"), 0, 0, 0, 0, 0, NULL },
		{ "reject at connect is for the session", 'C', VIEW("r"), 554, 550, 550, 550,
		    550, NULL },
		{ "tempfail at connect is for the session", 'C', VIEW("t"), 421, 451, 451, 451,
		    451, NULL },
		{ "a reply at connect becomes 554", 'C', VIEW("y571 5.7.1 no\0"), 554, 571, 571,
		    571, 571, NULL },
		{ "discard at connect is nothing", 'C', VIEW("d"), 0, 0, 0, 0, 0, NULL },
		{ "reject at HELO is for the session", 'H', VIEW("r"), 0, 550, 550, 550, 550,
		    NULL },
		{ "reject at MAIL", 'M', VIEW("r"), 0, 0, 550, 0, 0, NULL },
		{ "a reply at MAIL", 'M', VIEW("y452 4.2.2 full\0"), 0, 0, 452, 0, 0, NULL },
		{ "shutdown at MAIL ends the session", 'M', VIEW("4"), 0, 0, 421, 421, 421,
		    NULL },
		{ "connection failure likewise", 'M', VIEW("f"), 0, 0, 421, 421, 421, NULL },
		{ "421 at RCPT ends the session", 'R', VIEW("y421 4.7.0 bye\0"), 0, 0, 0, 421,
		    421, NULL },
		{ "reject at RCPT is for the recipient", 'R', VIEW("r"), 0, 0, 0, 550, 0,
		    NULL },
		{ "tempfail at DATA", 'T', VIEW("t"), 0, 0, 0, 0, 451, NULL },
		{ "reject at a field", 'L', VIEW("r"), 0, 0, 0, 0, 550, NULL },
		{ "reject at the end of the header", 'N', VIEW("r"), 0, 0, 0, 0, 550, NULL },
		{ "reject at the body", 'B', VIEW("r"), 0, 0, 0, 0, 550, NULL },
		{ "a reply at the end", 'E', VIEW("y550-5.7.1 a\r\n550 5.7.1 b\0"), 0, 0, 0, 0,
		    550, NULL },
		{ "discard refused", 'E', VIEW("d"), 0, 0, 0, 0, 550, "discard = \"refuse\";" },
		{ "a positive reply is an error", 'E', VIEW("y250 2.0.0 ok\0"), 0, 0, 0, 0, 451,
		    NULL },
		{ "SKIP at MAIL is an error", 'M', VIEW("s"), 0, 0, 451, 451, 451, NULL },
		{ "SKIP that was not negotiated is an error", 'B', VIEW("s"), 0, 0, 0, 0, 451,
		    NULL },
		{ "a change before the end is an error", 'N', VIEW("hA\0b\0"), 0, 0, 0, 0, 451,
		    NULL },
		{ "an unknown answer is an error", 'R', VIEW("Z"), 0, 0, 0, 451, 451, NULL },
		{ "continue with data is an error", 'H', VIEW("cx"), 0, 451, 451, 451, 451,
		    NULL },
		{ "an error that is passed over", 'R', VIEW("Z"), 0, 0, 0, 0, 0,
		    "on_error = \"pass\";" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_answer(&cases[i]);
}

static void
test_accept_ends_its_part_in_the_message(void **state)
{
	const struct peer_rule rules[] = { { .command = 'R', .packets = { VIEW("a") } } };
	const char *heard;
	struct rig r;

	(void)state;
	rig_open(&r, rules, ARRAY_LEN(rules));
	rig_start(&r, "");
	assert_int_equal(say_all(&r), 0);
	assert_int_equal(say_message(&r), 0);
	assert_int_equal(say_mail(&r), 0);
	heard = rig_stop(&r);
	expect_has(heard, "R<b@example.net>|\nA\nDMi|s1.2|");
	assert_null(strstr(heard, "c@example.net"));
	rig_close(&r);
}

static void
test_discard(void **state)
{
	const struct peer_rule at_rcpt[] = { { .command = 'R', .packets = { VIEW("d") } } };
	const struct peer_rule at_end[] = { { .command = 'E',
	    .packets = { VIEW("hA\0b\0"), VIEW("d") } } };
	struct rig r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		rig_open(&r, i == 0 ? at_rcpt : at_end, 1);
		rig_start(&r, "");
		assert_int_equal(say_all(&r), 0);
		assert_int_equal(say_message(&r), 0);
		assert_non_null(chain_run_discard(r.f.run));
		assert_message_is(r.f.message, TEXT);
		rig_stop(&r);
		rig_close(&r);
	}
}

static void
test_quarantine(void **state)
{
	const struct peer_rule rules[] = { { .command = 'E',
	    .packets = { VIEW("qspam\0"), VIEW("hA\0b\0"), VIEW("c") } } };
	static const struct {
		const char *settings;
		int code;
		const char *head;
		size_t recipients;
	} cases[] = {
		{ "", 0, "X-Quarantine: milter; spam\r\n", 2 },
		{ "quarantine_field = \"X-Held\";", 0, "X-Held: milter; spam\r\n", 2 },
		{ "quarantine = \"defer\";", 451, NULL, 2 },
		{ "quarantine = \"reject\";", 550, NULL, 2 },
		{ "quarantine = \"redirect\"; quarantine_to = \"q@example.org\";", 0, "", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char wanted[1000];
		struct rig r;

		rig_open(&r, rules, ARRAY_LEN(rules));
		rig_start(&r, cases[i].settings);
		assert_int_equal(say_all(&r), 0);
		assert_int_equal(say_message(&r), cases[i].code);
		snprintf(wanted, sizeof(wanted), "%s" OURS FIELDS "%s\r\nbody\r\n",
		    cases[i].head != NULL ? cases[i].head : "",
		    cases[i].head != NULL ? "A: b\r\n" : "");
		assert_message_is(r.f.message, wanted);
		assert_int_equal(r.f.facts.recipient_count, cases[i].recipients);
		if (cases[i].recipients == 1)
			assert_string_equal(r.f.facts.recipients[0].address, "q@example.org");
		rig_stop(&r);
		rig_close(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_hears_the_whole_session),
		cmocka_unit_test(test_it_hears_no_more_than_it_wants),
		cmocka_unit_test(test_it_names_its_macros_and_its_blanks),
		cmocka_unit_test(test_macros_of_an_ipv6_client),
		cmocka_unit_test(test_a_long_body_goes_in_chunks_until_it_skips),
		cmocka_unit_test(test_all_that_it_may_change),
		cmocka_unit_test(test_answers_at_each_event),
		cmocka_unit_test(test_accept_ends_its_part_in_the_message),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_quarantine),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
