/* SPDX-License-Identifier: MPL-2.0 */
/* The link milter against a milter with a script: what it is told, and what its word does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "filters/filters.h"
#include "lib/net/address.h"
#include "tests/unit/link_fixture.h"
#include "tests/unit/milter_peer.h"

#include <signal.h>

#define OURS                                                                      \
	"Received: from x by gate.example.net (Gatepost) with ESMTP id s1.1;\r\n" \
	"\tTue, 24 Nov 2026 20:57:50 +0000\r\n"
#define FIELDS "From: a@example.com\r\nSubject: one\r\n two\r\n"
#define TEXT   OURS FIELDS "\r\nbody\r\n"

static const struct recipient rcpt_b = { .path = { .local = { "b", 1 },
					     .domain = { "example.net", 11 } },
	.address = "b@example.net" };
static const struct recipient rcpt_c = { .path = { .local = { "c", 1 },
					     .domain = { "example.net", 11 } },
	.address = "c@example.net" };

struct rig {
	struct milter_peer peer;
	struct link_fixture f;
	struct recipient recipients[4];
	size_t messages;
};

static void
rig_open(struct rig *r, const struct peer_rule *rules, size_t count)
{
	memset(r, 0, sizeof(*r));
	peer_open(&r->peer, rules, count);
}

/* rig_start - the gate's side; more settings. */
static void
rig_start(struct rig *r, const char *settings)
{
	const struct link_env env = {
		.name = "milter", .hostname = "gate.example.net", .message_octets = 1 << 20
	};
	char text[400];

	snprintf(text, sizeof(text), "socket = \"unix:%s\"; %s", r->peer.path, settings);
	link_fixture_open_env(&r->f, &link_milter, text, &env);
	if (r->f.chain == NULL)
		fail_msg("%s", r->f.errors.lines[0]);
	assert_true(address_from_host("192.0.2.7", 4711, &r->f.facts.client.addr));
	snprintf(r->f.facts.client.text, sizeof(r->f.facts.client.text), "192.0.2.7");
	r->f.facts.client.port = 4711;
	r->f.facts.listener = "192.0.2.1:25";
	r->f.facts.helo = "";
	r->f.facts.message_id = "";
}

static const char *
rig_stop(struct rig *r)
{
	link_fixture_close(&r->f);
	return peer_close(&r->peer);
}

static void
rig_close(struct rig *r)
{
	peer_free(&r->peer);
}

static int
say_connect(struct rig *r)
{
	return link_fixture_stage(&r->f, STAGE_CONNECT, NULL);
}

static int
say_helo(struct rig *r)
{
	r->f.facts.helo = "client.example.org";
	return link_fixture_stage(&r->f, STAGE_HELO, NULL);
}

/* say_mail - another message of the session. */
static int
say_mail(struct rig *r)
{
	static const char *const ids[] = { "s1.1", "s1.2", "s1.3", "s1.4" };

	if (r->messages > 0) {
		chain_run_destroy(&r->f.run);
		r->f.run = chain_run_create(r->f.chain);
	}
	r->f.facts.message_id = ids[r->messages++];
	r->f.facts.reverse_path = "a@example.com";
	r->f.facts.mail =
	    (struct smtp_mail){ .path = { .local = VIEW("a"), .domain = VIEW("example.com") },
		    .has_size = true,
		    .size = 100,
		    .body = SMTP_BODY_8BITMIME };
	r->f.facts.recipient_count = 0;
	r->f.facts.recipients = r->recipients;
	return link_fixture_stage(&r->f, STAGE_MAIL, NULL);
}

static int
say_rcpt(struct rig *r, const struct recipient *recipient)
{
	const int code = link_fixture_stage(&r->f, STAGE_RCPT, recipient);

	if (code == 0)
		r->recipients[r->f.facts.recipient_count++] = *recipient;
	return code;
}

/* say_all - up to the message; 0 if nothing was refused on the way. */
static int
say_all(struct rig *r)
{
	int code = say_connect(r);

	code = code != 0 ? code : say_helo(r);
	code = code != 0 ? code : say_mail(r);
	code = code != 0 ? code : say_rcpt(r, &rcpt_b);
	return code != 0 ? code : say_rcpt(r, &rcpt_c);
}

static int
say_message(struct rig *r)
{
	return link_fixture_message(&r->f, TEXT);
}

static void
expect_heard(const char *heard, const char *wanted)
{
	if (strcmp(heard, wanted) != 0)
		fail_msg("it heard\n%s\nnot\n%s", heard, wanted);
}

static void
expect_has(const char *heard, const char *part)
{
	if (strstr(heard, part) == NULL)
		fail_msg("it heard\n%s\nwithout\n%s", heard, part);
}

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

/* ---- when it goes wrong ---- */

static void
test_half_of_its_changes_is_none_of_them(void **state)
{
	const struct {
		const char *name;
		struct peer_rule rule;
	} cases[] = {
		{ "it closes behind a change",
		    { .command = 'E', .packets = { VIEW("hA\0b\0") }, .closes = true } },
		{ "it hangs behind a change", { .command = 'E',
						  .packets = { VIEW("hA\0b\0"), VIEW("bnew") },
						  .hangs = true } },
		{ "it closes within a packet", { .command = 'E',
						   .raw = VIEW("\0\0\0\5hA\0b\0\0\0\0\1"),
						   .closes = true } },
		{ "a packet of 10 MB",
		    { .command = 'E', .raw = VIEW("\0\0\0\5hA\0b\0\0\xa0\0\0b") } },
		{ "an empty packet",
		    { .command = 'E', .raw = VIEW("\0\0\0\5hA\0b\0\0\0\0\0") } },
		{ "a malformed change",
		    { .command = 'E', .packets = { VIEW("hA\0b\0"), VIEW("hA"), VIEW("c") } } },
		{ "a change that cannot be",
		    { .command = 'E',
			.packets = { VIEW("hA\0b\0"), VIEW("h:\0b\0"), VIEW("c") } } },
		{ "a recipient that is none",
		    { .command = 'E',
			.packets = { VIEW("hA\0b\0"), VIEW("+x\0"), VIEW("c") } } },
		{ "a body that is none",
		    { .command = 'E',
			.packets = { VIEW("hA\0b\0"), VIEW("b\0"), VIEW("c") } } },
		{ "it talks on behind its last word",
		    { .command = 'E', .raw = VIEW("\0\0\0\5hA\0b\0\0\0\0\1c\0\0\0\1c") } },
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
		const struct peer_rule rules[] = { { .command = 'E',
		    .packets = { cases[i / 2].change, VIEW("c") } } };
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
	const struct peer_rule rules[] = { { .command = 'E',
	    .packets = { VIEW("p"), VIEW("p"), VIEW("p"), VIEW("c") },
	    .delay_ms = 300 } };
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

static void
test_a_connection_serves_another_session(void **state)
{
	const char *heard;
	struct rig r;

	(void)state;
	rig_open(&r, NULL, 0);
	rig_start(&r, "max_idle = 1;");
	assert_int_equal(say_all(&r), 0);
	another_session(&r);
	assert_int_equal(say_connect(&r), 0);
	heard = rig_stop(&r);
	expect_has(heard, "R<c@example.net>|\nA\nK\nDC");
	assert_int_equal(r.peer.connections, 1);
	rig_close(&r);
}

static void
test_without_max_idle_it_does_not(void **state)
{
	const char *heard;
	struct rig r;

	(void)state;
	rig_open(&r, NULL, 0);
	rig_start(&r, "");
	assert_int_equal(say_all(&r), 0);
	another_session(&r);
	assert_int_equal(say_connect(&r), 0);
	heard = rig_stop(&r);
	expect_has(heard, "R<c@example.net>|\nA\nQ\n-\nO");
	rig_close(&r);
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
	rig_open(&r, rules, 1);
	rig_start(&r, "max_idle = 1;");
	assert_int_equal(say_connect(&r), 0);
	another_session(&r);
	assert_int_equal(say_connect(&r), 0);
	rig_stop(&r);
	assert_int_equal(r.peer.connections, 2);
	rig_close(&r);

	rig_open(&r, rules, 2); /* once, and not twice */
	rig_start(&r, "max_idle = 1;");
	assert_int_equal(say_connect(&r), 0);
	another_session(&r);
	assert_int_equal(say_connect(&r), 421);
	rig_stop(&r);
	assert_int_equal(r.peer.connections, 2);
	rig_close(&r);
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
		cmocka_unit_test(test_it_hears_the_whole_session),
		cmocka_unit_test(test_it_hears_no_more_than_it_wants),
		cmocka_unit_test(test_it_names_its_macros_and_its_blanks),
		cmocka_unit_test(test_a_long_body_goes_in_chunks_until_it_skips),
		cmocka_unit_test(test_all_that_it_may_change),
		cmocka_unit_test(test_answers_at_each_event),
		cmocka_unit_test(test_accept_ends_its_part_in_the_message),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_quarantine),
		cmocka_unit_test(test_half_of_its_changes_is_none_of_them),
		cmocka_unit_test(test_what_was_not_negotiated_is_an_error),
		cmocka_unit_test(test_negotiations_that_fail),
		cmocka_unit_test(test_progress_gives_time_within_the_limit),
		cmocka_unit_test(test_it_is_told_anew_in_the_next_message),
		cmocka_unit_test(test_one_that_died_between_messages_is_replaced),
		cmocka_unit_test(test_one_that_wants_content_alone_is_replaced_there),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_a_connection_serves_another_session),
		cmocka_unit_test(test_without_max_idle_it_does_not),
		cmocka_unit_test(test_a_kept_connection_that_dies_is_replaced),
		cmocka_unit_test(test_settings_that_are_refused),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
