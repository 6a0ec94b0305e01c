/* SPDX-License-Identifier: MPL-2.0 */
/* The link identity: a login sends only as what its patterns cover. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"

#define FROM_ALICE "From: alice@example.com\r\n"

static const char *const alice_patterns[] = { "alice@example.com", "*@list.example.com" };
static const char *const robot_patterns[] = { "robot@example.com", "<>" };

static void
log_in(struct link_fixture *f, const char *login, const char *const *patterns, size_t count)
{
	f->facts.identity = (struct identity){
		.login = login,
		.mechanism = "PLAIN",
		.backend = "passwd",
		.patterns = patterns,
		.pattern_count = count,
	};
}

static void
open_as_alice(struct link_fixture *f, const char *settings)
{
	link_fixture_open(f, &link_identity, settings);
	assert_non_null(f->chain);
	log_in(f, "alice@example.com", alice_patterns, ARRAY_LEN(alice_patterns));
}

/* mail_from - the verdict on MAIL FROM:path, "" for the null reverse-path. */
static int
mail_from(struct link_fixture *f, const char *path)
{
	const size_t at = view_find(view_of(path), '@');

	f->facts.reverse_path = path;
	f->facts.mail.path = (struct smtp_path){ .is_null = path[0] == '\0',
		.local = view_make(path, at),
		.domain = view_from(view_of(path), at + 1) };
	return link_fixture_stage(f, STAGE_MAIL, NULL);
}

struct mail_case {
	const char *name;
	const char *settings;
	const char *path;
	int code;
};

static const struct mail_case mail_cases[] = {
	{ "the login's own address", "", "alice@example.com", 0 },
	{ "its own address in other case", "", "Alice@EXAMPLE.com", 0 },
	{ "its own address in needless quotes", "", "\"alice\"@example.com", 0 },
	{ "an address of its domain pattern", "", "owner-news@list.example.com", 0 },
	{ "somebody else", "", "bob@example.com", 550 },
	{ "its name in another domain", "", "alice@example.org", 550 },
	{ "the null reverse-path without a grant", "", "", 550 },
	{ "a tag without the option", "", "alice+x@example.com", 550 },
	{ "a tag with the option", "plus_addressing = true;", "alice+x@example.com", 0 },
	{ "somebody else's tag with the option", "plus_addressing = true;",
	    "bob+alice@example.com", 550 },
	{ "a path without a domain", "", "postmaster", 550 },
	{ "an address literal", "", "alice@[192.0.2.1]", 550 },
};

static void
test_mail_from(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mail_cases); i++) {
		struct link_fixture f;

		open_as_alice(&f, mail_cases[i].settings);
		if (mail_from(&f, mail_cases[i].path) != mail_cases[i].code)
			fail_msg("%s", mail_cases[i].name);
		link_fixture_close(&f);
	}
}

struct message_case {
	const char *name;
	const char *settings;
	const char *header;
	int code;
};

static const struct message_case message_cases[] = {
	{ "From is the login's own", "", FROM_ALICE, 0 },
	{ "From with a name, a comment and a fold", "",
	    "From: \"Alice, at home\"\r\n <alice@example.com> (me)\r\n", 0 },
	{ "From is somebody else", "", "From: bob@example.com\r\n", 550 },
	{ "a name that looks like an own address", "",
	    "From: \"alice@example.com\" <bob@example.com>\r\n", 550 },
	{ "a comment that looks like an own address", "",
	    "From: bob@example.com (alice@example.com)\r\n", 550 },
	{ "two addresses in From, both covered", "",
	    "From: alice@example.com, news@list.example.com\r\n", 0 },
	{ "two addresses in From, the second not covered", "",
	    "From: alice@example.com, bob@example.com\r\n", 550 },
	{ "a foreign address within a group in From", "",
	    "From: us: alice@example.com, bob@example.com;\r\n", 550 },
	{ "an empty group in From", "", "From: nobody: ;\r\n", 554 },
	{ "no From", "", "To: bob@example.com\r\n", 554 },
	{ "two From fields, both covered", "", FROM_ALICE FROM_ALICE, 554 },
	{ "two From fields, one in other case", "", FROM_ALICE "fROM: bob@example.com\r\n",
	    554 },
	{ "a From that does not parse", "", "From: alice@example.com bob@example.com\r\n",
	    554 },
	{ "an empty From", "", "From:\r\n", 554 },
	{ "a From that does not end", "", "From: \"alice <alice@example.com>\r\n", 554 },
	{ "Sender is somebody else", "", FROM_ALICE "Sender: bob@example.com\r\n", 550 },
	{ "Sender is covered", "", FROM_ALICE "Sender: owner@list.example.com\r\n", 0 },
	{ "Sender is covered, From is not", "",
	    "From: bob@example.com\r\nSender: alice@example.com\r\n", 550 },
	{ "two Sender fields", "",
	    FROM_ALICE "Sender: alice@example.com\r\nSender: alice@example.com\r\n", 554 },
	{ "a Sender that does not parse", "", FROM_ALICE "Sender: alice@\r\n", 554 },
	{ "Reply-To is free by default", "", FROM_ALICE "Reply-To: bob@example.com\r\n", 0 },
	{ "Reply-To is held to the patterns by option", "reply_to = true;",
	    FROM_ALICE "Reply-To: bob@example.com\r\n", 550 },
	{ "a second Reply-To is held to them too", "reply_to = true;",
	    FROM_ALICE "Reply-To: alice@example.com\r\nReply-To: bob@example.com\r\n", 550 },
	{ "an empty group in Reply-To is fine", "reply_to = true;",
	    FROM_ALICE "Reply-To: nobody: ;\r\n", 0 },
	{ "a tag in From without the option", "", "From: alice+x@example.com\r\n", 550 },
	{ "a tag in From with the option", "plus_addressing = true;",
	    "From: alice+x@example.com\r\n", 0 },
	{ "an own From behind a long header", "", "X: y\r\nY: z\r\n" FROM_ALICE, 0 },
	{ "a From in the body is none", "", "To: bob@example.com\r\n\r\n" FROM_ALICE, 554 },
};

static void
test_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(message_cases); i++) {
		struct link_fixture f;
		char text[400];
		int code;

		open_as_alice(&f, message_cases[i].settings);
		snprintf(text, sizeof(text), "%s\r\nhi\r\n", message_cases[i].header);
		code = link_fixture_message(&f, text);
		if (code != message_cases[i].code)
			fail_msg("%s: %d %s", message_cases[i].name, code, f.reply.text);
		assert_message_is(f.message, text);
		link_fixture_close(&f);
	}
}

static void
test_replies_say_who_and_as_whom(void **state)
{
	struct link_fixture f;

	(void)state;
	open_as_alice(&f, "");
	assert_int_equal(mail_from(&f, "bob@example.com"), 550);
	assert_string_equal(f.reply.enhanced, "5.7.1");
	assert_string_equal(f.reply.text, "alice@example.com may not send as bob@example.com");
	assert_int_equal(
	    link_fixture_message(&f, FROM_ALICE "Sender: B <bob@Example.com>\r\n\r\n"), 550);
	assert_string_equal(f.reply.enhanced, "5.7.1");
	assert_string_equal(f.reply.text,
	    "alice@example.com may not send as bob@example.com (in the Sender field)");
	assert_int_equal(link_fixture_message(&f, "To: bob@example.com\r\n\r\n"), 554);
	assert_string_equal(f.reply.enhanced, "5.6.0");
	link_fixture_close(&f);
}

static void
test_null_reverse_path_with_a_grant(void **state)
{
	struct link_fixture f;

	(void)state;
	link_fixture_open(&f, &link_identity, "");
	log_in(&f, "robot", robot_patterns, ARRAY_LEN(robot_patterns));
	assert_int_equal(mail_from(&f, ""), 0);
	assert_int_equal(mail_from(&f, "robot@example.com"), 0);
	assert_int_equal(mail_from(&f, "alice@example.com"), 550);
	assert_int_equal(link_fixture_message(&f, FROM_ALICE "\r\n"), 550);
	link_fixture_close(&f);
}

static void
test_nobody_may_send_nothing(void **state)
{
	struct link_fixture f;

	(void)state;
	link_fixture_open(&f, &link_identity, "");
	assert_int_equal(mail_from(&f, "alice@example.com"), 530);
	assert_string_equal(f.reply.enhanced, "5.7.0");
	assert_int_equal(link_fixture_message(&f, FROM_ALICE "\r\n"), 530);
	log_in(&f, "alice", NULL, 0);
	assert_int_equal(mail_from(&f, "alice@example.com"), 550);
	link_fixture_close(&f);
}

static void
test_it_cannot_be_set_to_pass_on_errors(void **state)
{
	struct link_fixture f;

	(void)state;
	link_fixture_open(&f, &link_identity, "on_error = \"pass\";");
	assert_null(f.chain);
	assert_int_equal(f.errors.count, 1);
	assert_non_null(strstr(f.errors.lines[0], "on_error must be \"defer\""));
	link_fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail_from),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_replies_say_who_and_as_whom),
		cmocka_unit_test(test_null_reverse_path_with_a_grant),
		cmocka_unit_test(test_nobody_may_send_nothing),
		cmocka_unit_test(test_it_cannot_be_set_to_pass_on_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
