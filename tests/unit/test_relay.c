/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/upstream/relay: what a server must offer, and what MAIL and RCPT say to it. */
#include "proxy/upstream/relay.h"

#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct smtp_ehlo nothing = { .size = false };
static const struct smtp_ehlo everything = { .size = true,
	.eightbitmime = true,
	.dsn = true,
	.smtputf8 = true,
	.requiretls = true,
	.auth_plain = true };

static const struct {
	const char *name;
	const char *args;
	unsigned needs;
	int refusal;	  /* by a server that offers nothing; 0: it can carry that */
	const char *line; /* to one that offers everything */
} mail_cases[] = {
	{ "a plain sender needs nothing", "FROM:<a@b>", 0, 0, "MAIL FROM:<a@b>" },
	{ "the null sender", "FROM:<>", 0, 0, "MAIL FROM:<>" },
	{ "SIZE is no need", "FROM:<a@b> SIZE=7", 0, 0, "MAIL FROM:<a@b> SIZE=7" },
	{ "7BIT is no need", "FROM:<a@b> BODY=7BIT", 0, 0, "MAIL FROM:<a@b>" },
	{ "8BITMIME is one", "FROM:<a@b> BODY=8BITMIME", RELAY_8BITMIME, 554,
	    "MAIL FROM:<a@b> BODY=8BITMIME" },
	{ "RET is one", "FROM:<a@b> RET=HDRS", RELAY_DSN, 555, "MAIL FROM:<a@b> RET=HDRS" },
	{ "ENVID is one", "FROM:<a@b> ENVID=+2B1", RELAY_DSN, 555,
	    "MAIL FROM:<a@b> ENVID=+2B1" },
	{ "SMTPUTF8 is one", "FROM:<\xc3\xa4@b> SMTPUTF8", RELAY_SMTPUTF8, 550,
	    "MAIL FROM:<\xc3\xa4@b> SMTPUTF8" },
	{ "REQUIRETLS is one", "FROM:<a@b> REQUIRETLS", RELAY_REQUIRETLS, 550,
	    "MAIL FROM:<a@b> REQUIRETLS" },
	{ "AUTH= is no need", "FROM:<a@b> AUTH=c+2Bd@e", 0, 0, "MAIL FROM:<a@b> AUTH=c+2Bd@e" },
	{ "AUTH= of nobody", "FROM:<a@b> AUTH=<>", 0, 0, "MAIL FROM:<a@b> AUTH=<>" },
	{ "all of them", "FROM:<a@b> AUTH=c ENVID=x RET=FULL BODY=8BITMIME SIZE=1 REQUIRETLS",
	    RELAY_8BITMIME | RELAY_DSN | RELAY_REQUIRETLS, 554,
	    "MAIL FROM:<a@b> SIZE=1 BODY=8BITMIME REQUIRETLS AUTH=c RET=FULL ENVID=x" },
};

static void
test_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mail_cases); i++) {
		struct smtp_mail mail;
		struct smtp_reply reply;
		char path[SMTP_PATH_MAX], line[RELAY_LINE_MAX];

		print_message("%s\n", mail_cases[i].name);
		assert_int_equal(
		    smtp_mail_parse(view_of(mail_cases[i].args), &mail), SMTP_SYNTAX_OK);
		smtp_path_write(&mail.path, path);
		const unsigned needs = relay_needs_of_mail(&mail);
		const struct relay_mail m = {
			.path = path, .mail = &mail, .size = mail.size, .may_assert = true
		};

		assert_int_equal(needs, mail_cases[i].needs);
		assert_int_equal(relay_lacks(needs, &everything), 0);
		assert_int_equal(relay_lacks(needs, &nothing), needs);
		relay_write_mail(&m, &everything, line);
		assert_string_equal(line, mail_cases[i].line);
		if (needs == 0)
			continue;
		relay_refuse(needs, &reply);
		assert_int_equal(reply.code, mail_cases[i].refusal);
	}
}

static void
test_only_what_was_offered(void **state)
{
	struct smtp_mail mail;
	struct smtp_dsn dsn = { .notify = SMTP_NOTIFY_NEVER, .orcpt = VIEW("rfc822;a+20b@c") };
	char line[RELAY_LINE_MAX];

	(void)state;
	assert_int_equal(
	    smtp_mail_parse(
		VIEW("FROM:<> SIZE=1 BODY=8BITMIME RET=FULL ENVID=x AUTH=a"), &mail),
	    SMTP_SYNTAX_OK);
	const struct relay_mail m = {
		.path = "", .mail = &mail, .size = 1, .may_assert = true
	};
	const struct relay_mail stranger = { .path = "", .mail = &mail };
	relay_write_mail(&m, &nothing, line);
	assert_string_equal(line, "MAIL FROM:<>");
	/* A server where nobody has logged in would not believe AUTH=. */
	relay_write_mail(&stranger, &everything, line);
	assert_string_equal(line, "MAIL FROM:<> BODY=8BITMIME RET=FULL ENVID=x");
	relay_write_rcpt(&(struct relay_rcpt){ .path = "a@b", .dsn = dsn }, &nothing, line);
	assert_string_equal(line, "RCPT TO:<a@b>");
	relay_write_rcpt(&(struct relay_rcpt){ .path = "a@b", .dsn = dsn }, &everything, line);
	assert_string_equal(line, "RCPT TO:<a@b> NOTIFY=NEVER ORCPT=rfc822;a+20b@c");
	assert_int_equal(relay_needs_of_rcpt(&dsn), RELAY_DSN);
	dsn = (struct smtp_dsn){ .orcpt = VIEW("") };
	assert_int_equal(relay_needs_of_rcpt(&dsn), 0);
}

static void
test_smtputf8_never_without_8bitmime(void **state)
{
	const struct smtp_ehlo odd = { .smtputf8 = true };

	(void)state;
	assert_int_equal(relay_lacks(RELAY_SMTPUTF8, &odd), RELAY_SMTPUTF8);
	assert_int_equal(relay_lacks(RELAY_SMTPUTF8, &everything), 0);
}

static void
test_room_as_limits_have_it(void **state)
{
	static const struct {
		const char *name;
		uint64_t rcpt_max, rcpt_domain_max;
		const char *path;
		bool has_room;
	} cases[] = {
		{ "no limits", 0, 0, "x@new", true },
		{ "one more recipient", 4, 0, "x@new", true },
		{ "as many as there may be", 3, 0, "x@a", false },
		{ "a third domain of three", 0, 3, "x@new", true },
		{ "a third domain of two", 0, 2, "x@new", false },
		{ "a known domain", 0, 2, "x@b", true },
		{ "in another case", 0, 2, "x@B", true },
		{ "no domain is one more", 0, 2, "postmaster", false },
		{ "both limits", 3, 3, "x@new", false },
	};
	static const char *const paths[] = { "1@a", "2@A", "\"@c\"@b" };
	struct relay_rcpts list = { .count = 0 };
	struct arena arena;

	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		relay_keep(&list,
		    &(struct relay_rcpt){ .path = paths[i], .dsn.orcpt = VIEW("") }, &arena);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct smtp_ehlo ehlo = { .rcpt_max = cases[i].rcpt_max,
			.rcpt_domain_max = cases[i].rcpt_domain_max };

		print_message("%s\n", cases[i].name);
		assert_int_equal(
		    relay_has_room(&list, cases[i].path, &ehlo), cases[i].has_room);
	}
	assert_int_equal(list.domain_count, 2);
	mem_free(list.items);
	arena_finish(&arena);
}

static void
test_queue_ids(void **state)
{
	static const struct {
		const char *text, *id;
	} cases[] = {
		{ "Ok: queued as 4F2a-x.y_z", "4F2a-x.y_z" },
		{ "OK id=1abc-def-GH", "1abc-def-GH" },
		{ "Ok: queued as A\nid=B", "A" },
		{ "queued as ", "" },
		{ "Ok", "old" },
		{ "queued as 0123456789abcdef", "0123456789abcde" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char id[16] = "old";

		relay_queue_id(cases[i].text, id, sizeof(id));
		assert_string_equal(id, cases[i].id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_only_what_was_offered),
		cmocka_unit_test(test_smtputf8_never_without_8bitmime),
		cmocka_unit_test(test_room_as_limits_have_it),
		cmocka_unit_test(test_queue_ids),
	};

	return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
