/* SPDX-License-Identifier: MPL-2.0 */
/*
 * proxy/upstream/delivery_smtp against servers that misbehave at each stage. What must hold in
 * every row: 250 only if exactly one server got the message whole and said 250 to it; never two
 * final dots; never a 421 for our client.
 */
#include "proxy/upstream/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "tests/unit/upstream_rig.h"
#include "tests/unit/upstream_rig_delivery.h"

struct row {
	const char *sentence;
	const char *const *scripts[4]; /* one a connection */
	size_t servers;		       /* the rig, so many times; 0: once */
	int mail, rcpt, final;	       /* codes; 0: not asked for */
	const char *enhanced, *text;   /* of the last reply; NULL: not looked at */
	size_t dots;
	unsigned connects, replays;
	const char *got[4]; /* all that a connection got; NULL: not looked at */
	bool is_hasty;	    /* with a time limit for each reply that a test can wait for */
	bool is_large;
};

static void
check_answers(const struct row *row, const struct rig_answers *a)
{
	if (a->mail != row->mail || a->rcpt != row->rcpt || a->final != row->final)
		fail_msg("%s: mail %d rcpt %d final %d %s", row->sentence, a->mail, a->rcpt,
		    a->final, a->last.text);
	if (row->enhanced != NULL && strcmp(a->last.enhanced, row->enhanced) != 0)
		fail_msg("%s: enhanced %s", row->sentence, a->last.enhanced);
	if (row->text != NULL && strstr(a->last.text, row->text) == NULL)
		fail_msg("%s: text %s", row->sentence, a->last.text);
	if (a->facts.connects != row->connects || a->facts.replays != row->replays)
		fail_msg("%s: connects %u replays %u", row->sentence, a->facts.connects,
		    a->facts.replays);
}

static void
check_row(const struct row *row)
{
	struct rig rig;
	const char *servers[2] = { rig.server, rig.server };
	struct config_upstream config =
	    rig_config(servers, row->servers != 0 ? row->servers : 1);
	struct conf_errors errors;
	struct upstream *u;
	struct rig_answers answers;

	if (row->is_hasty)
		config.command_timeout_ms = config.final_timeout_ms = 150;
	rig_begin(&rig, row->scripts, 4);
	conf_errors_init(&errors);
	u = upstream_create(&config, "gate.example.com", &errors);
	assert_non_null(u);
	rig_deliver(u, "FROM:<a@example.com>", row->is_large, &answers);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	rig_stop(&rig);
	check_answers(row, &answers);
	if (rig_problem(&rig) != NULL)
		fail_msg("%s: %s", row->sentence, rig_problem(&rig));
	if (rig.accepted != rig.scripts)
		fail_msg("%s: %zu connections", row->sentence, (size_t)rig.accepted);
	if (rig_dots(&rig) != row->dots)
		fail_msg("%s: %zu final dots", row->sentence, rig_dots(&rig));
	for (size_t i = 0; i < 4; i++) {
		if (row->got[i] != NULL && strcmp(rig_got(&rig, i), row->got[i]) != 0)
			fail_msg(
			    "%s: connection %zu got %s", row->sentence, i, rig_got(&rig, i));
	}
	rig_free(&rig);
}

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_row(&rows[i]);
}

static void
test_good(void **state)
{
	const struct row rows[] = {
		{ .sentence = "a message is delivered, its replies are the server's own",
		    .scripts = { WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .enhanced = "2.0.0",
		    .text = "Ok: queued as Q1",
		    .dots = 1,
		    .connects = 1,
		    .got = { EHLO ENVELOPE "DATA\r\n" ON_WIRE "QUIT\r\n" } },
		{ .sentence = "a reply of many lines is handed on",
		    .scripts = { STEPS(UP_TO_DOT, ">250-2.0.0 one\r\n250 2.0.0 two", "<QUIT") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .enhanced = "2.0.0",
		    .text = "one\ntwo",
		    .dots = 1,
		    .connects = 1 },
		{ .sentence = "251 to RCPT is handed on",
		    .scripts = { STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", ">251 will forward",
			RIG_DATA, FINAL_OK, "<QUIT") },
		    .mail = 250,
		    .rcpt = 251,
		    .final = 250,
		    .dots = 1,
		    .connects = 1 },
		{ .sentence = "a large message is delivered",
		    .scripts = { WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 1,
		    .is_large = true },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
test_refusals(void **state)
{
	const struct row rows[] = {
		{ .sentence = "550 to MAIL is handed on",
		    .scripts = { STEPS(RIG_HELLO, "<MAIL", ">550 5.7.1 not you", "<QUIT") },
		    .mail = 550,
		    .enhanced = "5.7.1",
		    .text = "not you",
		    .connects = 1 },
		{ .sentence = "450 to MAIL is handed on, without another server being asked",
		    .scripts = { STEPS(RIG_HELLO, "<MAIL", ">450 4.7.1 later", "<QUIT") },
		    .servers = 2,
		    .mail = 450,
		    .enhanced = "4.7.1",
		    .connects = 1 },
		{ .sentence = "a reply without enhanced code gets that of its class",
		    .scripts = { STEPS(RIG_HELLO, "<MAIL", ">550 not you", "<QUIT") },
		    .mail = 550,
		    .enhanced = "5.0.0",
		    .connects = 1 },
		{ .sentence = "550 to RCPT is handed on; the transaction is reset",
		    .scripts = { STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", ">550 5.1.1 unknown",
			"<RSET", ">250 ok", "<QUIT") },
		    .mail = 250,
		    .rcpt = 550,
		    .enhanced = "5.1.1",
		    .connects = 1 },
		{ .sentence = "452 to RCPT is handed on",
		    .scripts = { STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", ">452 4.2.2 full", "<RSET",
			">250 ok", "<QUIT") },
		    .mail = 250,
		    .rcpt = 452,
		    .enhanced = "4.2.2",
		    .connects = 1 },
		{ .sentence = "a refused RSET ends the connection",
		    .scripts = { STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", ">550 no", "<RSET",
			">500 what", "!hang") },
		    .mail = 250,
		    .rcpt = 550,
		    .connects = 1,
		    .got = { EHLO ENVELOPE "RSET\r\n" } },
		{ .sentence = "554 to DATA is handed on",
		    .scripts = { STEPS(
			UP_TO_DATA, ">554 5.5.1 no", "<RSET", ">250 ok", "<QUIT") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 554,
		    .enhanced = "5.5.1",
		    .connects = 1 },
		{ .sentence = "451 to DATA is handed on",
		    .scripts = { STEPS(
			UP_TO_DATA, ">451 4.3.0 later", "<RSET", ">250 ok", "<QUIT") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 451,
		    .enhanced = "4.3.0",
		    .text = "later",
		    .connects = 1 },
		{ .sentence = "554 to the dot is handed on, and needs no RSET",
		    .scripts = { STEPS(UP_TO_DOT, ">554 5.7.1 spam", "<QUIT") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 554,
		    .enhanced = "5.7.1",
		    .text = "spam",
		    .dots = 1,
		    .connects = 1 },
		{ .sentence = "452 to the dot is handed on",
		    .scripts = { STEPS(UP_TO_DOT, ">452 4.3.1 full", "<QUIT") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 452,
		    .enhanced = "4.3.1",
		    .dots = 1,
		    .connects = 1 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
test_dead_alone(void **state)
{
	const struct row rows[] = {
		{ .sentence = "a server that closes at MAIL",
		    .scripts = { STEPS(RIG_HELLO, "<MAIL", "!close") },
		    .mail = 451,
		    .enhanced = "4.4.1",
		    .connects = 1 },
		{ .sentence = "a server that hangs at MAIL",
		    .scripts = { STEPS(RIG_HELLO, "<MAIL", "!hang") },
		    .mail = 451,
		    .enhanced = "4.4.1",
		    .connects = 1,
		    .is_hasty = true },
		{ .sentence = "a malformed reply to MAIL",
		    .scripts = { STEPS(RIG_HELLO, "<MAIL", ">ok", "!hang") },
		    .mail = 451,
		    .enhanced = "4.4.1",
		    .connects = 1 },
		{ .sentence = "354 to MAIL",
		    .scripts = { STEPS(RIG_HELLO, "<MAIL", ">354 go", "!hang") },
		    .mail = 451,
		    .enhanced = "4.4.1",
		    .connects = 1 },
		{ .sentence = "421 to MAIL becomes 451 with its text",
		    .scripts = { STEPS(RIG_HELLO, "<MAIL", ">421 4.3.2 going down", "!hang") },
		    .mail = 451,
		    .enhanced = "4.3.2",
		    .text = "going down",
		    .connects = 1 },
		{ .sentence = "a refusing greeting",
		    .scripts = { STEPS(">554 no", "!hang") },
		    .mail = 451,
		    .enhanced = "4.4.1",
		    .connects = 0 },
		{ .sentence = "a server that is not there any more in the replay",
		    .scripts = { STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", "!close"),
			STEPS("!close") },
		    .mail = 250,
		    .rcpt = 451,
		    .enhanced = "4.4.1",
		    .connects = 1 },
		{ .sentence = "a server that closes at DATA, twice",
		    .scripts = { STEPS(UP_TO_DATA, "!close"), STEPS(UP_TO_DATA, "!close") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 451,
		    .enhanced = "4.4.1",
		    .connects = 2,
		    .replays = 1 },
		{ .sentence = "421 to DATA, twice",
		    .scripts = { STEPS(UP_TO_DATA, ">421 a", "!hang"),
			STEPS(UP_TO_DATA, ">421 4.7.0 b", "!hang") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 451,
		    .enhanced = "4.7.0",
		    .text = "b",
		    .connects = 2,
		    .replays = 1 },
		{ .sentence = "a server that hangs at DATA, twice",
		    .scripts = { STEPS(UP_TO_DATA, "!hang"), STEPS(UP_TO_DATA, "!hang") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 451,
		    .enhanced = "4.4.1",
		    .connects = 2,
		    .replays = 1,
		    .is_hasty = true },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
test_replay(void **state)
{
	const struct row rows[] = {
		{ .sentence = "closed at MAIL: the next server gets it",
		    .scripts = { STEPS(RIG_HELLO, "<MAIL", "!close"), WHOLE },
		    .servers = 2,
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 2 },
		{ .sentence = "421 as a greeting: the next server gets it",
		    .scripts = { STEPS(">421 busy", "!hang"), WHOLE },
		    .servers = 2,
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 1 },
		{ .sentence = "421 to RCPT: said again elsewhere",
		    .scripts = { STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", ">421 down", "!hang"),
			WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 2,
		    .replays = 1,
		    .got = { EHLO ENVELOPE, EHLO ENVELOPE "DATA\r\n" ON_WIRE "QUIT\r\n" } },
		{ .sentence = "hangs at RCPT: said again elsewhere",
		    .scripts = { STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", "!hang"), WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 2,
		    .replays = 1,
		    .is_hasty = true },
		{ .sentence =
			"closed between RCPT and DATA: said again, with the size now known",
		    .scripts = { STEPS(UP_TO_RCPT, "!close"), WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 2,
		    .replays = 1,
		    .got = { NULL, EHLO AGAIN "DATA\r\n" ON_WIRE "QUIT\r\n" } },
		{ .sentence = "250 to DATA: said again elsewhere",
		    .scripts = { STEPS(UP_TO_DATA, ">250 ok", "!hang"), WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 2,
		    .replays = 1 },
		{ .sentence = "a malformed reply to DATA: said again elsewhere",
		    .scripts = { STEPS(UP_TO_DATA, ">35", "!hang"), WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 2,
		    .replays = 1 },
		{ .sentence = "a reply before the dot is no reply to it",
		    .scripts = { STEPS(UP_TO_DATA, ">>354 go\r\n250 2.0.0 early\r\n", "!hang"),
			WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .text = "queued as Q1",
		    .dots = 1,
		    .connects = 2,
		    .replays = 1 },
		{ .sentence = "reset in the middle of the content: said again elsewhere",
		    .scripts = { STEPS(UP_TO_DATA, ">354 go", "!some", "!reset"), WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 2,
		    .replays = 1,
		    .is_large = true },
		{ .sentence = "closed in the middle of the content: said again elsewhere",
		    .scripts = { STEPS(UP_TO_DATA, ">354 go", "!some", "!close"), WHOLE },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 2,
		    .replays = 1,
		    .is_large = true },
		{ .sentence = "a replay that dies itself: the server after that",
		    .scripts = { STEPS(UP_TO_DATA, "!close"),
			STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", "!close"), WHOLE },
		    .servers = 2,
		    .mail = 250,
		    .rcpt = 250,
		    .final = 250,
		    .dots = 1,
		    .connects = 3,
		    .replays = 2 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
test_refused_in_the_replay(void **state)
{
	const struct row rows[] = {
		{ .sentence = "an accepted recipient refused in the replay: 451, no dot",
		    .scripts = { STEPS(UP_TO_DATA, "!close"),
			STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", ">550 5.1.1 unknown", "<RSET",
			    ">250 ok", "<QUIT") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 451,
		    .enhanced = "4.3.0",
		    .connects = 2,
		    .replays = 1 },
		{ .sentence = "MAIL refused in the replay: 451, no dot",
		    .scripts = { STEPS(UP_TO_DATA, "!close"),
			STEPS(RIG_HELLO, "<MAIL", ">452 4.3.1 full", "<QUIT") },
		    .mail = 250,
		    .rcpt = 250,
		    .final = 451,
		    .enhanced = "4.3.0",
		    .connects = 2,
		    .replays = 1 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
test_after_the_dot(void **state)
{
	char *endless = mem_alloc(200 * 7 + 5);
	size_t len = 2;

	(void)state;
	memcpy(endless, ">>", 2);
	for (int i = 0; i < 200; i++, len += 7)
		memcpy(endless + len, "250-x\r\n", 7);
	endless[len] = '\0';
	const struct row rows[] = {
		{ .sentence = "closed after the dot",
		    .scripts = { STEPS(UP_TO_DOT, "!close") },
		    .enhanced = "4.4.2" },
		{ .sentence = "reset after the dot",
		    .scripts = { STEPS(UP_TO_DOT, "!reset") },
		    .enhanced = "4.4.2" },
		{ .sentence = "silence after the dot",
		    .scripts = { STEPS(UP_TO_DOT, "!hang") },
		    .enhanced = "4.4.2",
		    .is_hasty = true },
		{ .sentence = "half a reply after the dot",
		    .scripts = { STEPS(UP_TO_DOT, ">>250 2.0.0 O", "!close") },
		    .enhanced = "4.4.2" },
		{ .sentence = "a malformed reply after the dot",
		    .scripts = { STEPS(UP_TO_DOT, ">2500 ok", "!hang") },
		    .enhanced = "4.4.2" },
		{ .sentence = "an endless reply after the dot",
		    .scripts = { STEPS(UP_TO_DOT, endless, "!hang") },
		    .enhanced = "4.4.2" },
		{ .sentence = "251 after the dot is no confirmation",
		    .scripts = { STEPS(UP_TO_DOT, ">251 hm", "!hang") },
		    .enhanced = "4.4.2" },
		{ .sentence = "220 after the dot is no confirmation",
		    .scripts = { STEPS(UP_TO_DOT, ">220 hi", "!hang") },
		    .enhanced = "4.4.2" },
		{ .sentence = "354 after the dot is no confirmation",
		    .scripts = { STEPS(UP_TO_DOT, ">354 go", "!hang") },
		    .enhanced = "4.4.2" },
		{ .sentence = "421 after the dot becomes 451 with its text",
		    .scripts = { STEPS(UP_TO_DOT, ">421 4.3.2 down", "!hang") },
		    .enhanced = "4.3.2",
		    .text = "down" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct row row = rows[i];

		row.servers = 2; /* there would be another one to try */
		row.mail = row.rcpt = 250;
		row.final = 451;
		row.dots = row.connects = 1;
		check_row(&row);
	}
	mem_free(endless);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_dead_alone),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_refused_in_the_replay),
		cmocka_unit_test(test_after_the_dot),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
