/* SPDX-License-Identifier: MPL-2.0 */
/* The link bulk_rules: what is bulk mail, and what it must have. */
#include "filters/filters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"

#define LOGIN	     "logins = \"news\"; "
#define FROM	     "From: a@example.com\r\n"
#define HTTPS	     "List-Unsubscribe: <https://example.com/u>\r\n"
#define POST	     "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
#define BODY	     "\r\nhi\r\n"
#define BULK(fields) FROM fields BODY

struct bulk_case {
	const char *name, *settings, *login, *message;
	const char *lacks; /* in the reply; NULL: it passes */
};

static const struct bulk_case cases[] = {
	{ "both fields are there", LOGIN, "news", BULK(HTTPS POST), NULL },
	{ "nothing is there", LOGIN, "news", BULK(""), "a List-Unsubscribe field" },
	{ "a login that is not named", LOGIN, "alice", BULK(""), NULL },
	{ "nobody has logged in", LOGIN, NULL, BULK(""), NULL },
	{ "logins compare without case", LOGIN, "NEWS", BULK(""), "List-Unsubscribe" },
	{ "only the second field is there", LOGIN, "news", BULK(POST),
	    "a List-Unsubscribe field" },
	{ "only the first field is there", LOGIN, "news", BULK(HTTPS),
	    "List-Unsubscribe-Post" },
	{ "an address of mailto alone", LOGIN, "news",
	    BULK("List-Unsubscribe: <mailto:u@example.com>\r\n" POST), "an https address" },
	{ "http without s", LOGIN, "news",
	    BULK("List-Unsubscribe: <http://example.com/>\r\n" POST), "an https address" },
	{ "https of nothing", LOGIN, "news", BULK("List-Unsubscribe: <https://>\r\n" POST),
	    "an https address" },
	{ "https outside of brackets", LOGIN, "news",
	    BULK("List-Unsubscribe: https://example.com/u\r\n" POST), "an https address" },
	{ "a bracket that does not end", LOGIN, "news",
	    BULK("List-Unsubscribe: <https://example.com/u\r\n" POST), "an https address" },
	{ "https in a comment", LOGIN, "news",
	    BULK("List-Unsubscribe: (or <https://e.example/>) <mailto:u@e.example>\r\n" POST),
	    "an https address" },
	{ "a comment, then https", LOGIN, "news",
	    BULK("List-Unsubscribe: (click (here)) < https://e.example/u >\r\n" POST), NULL },
	{ "https as the second address, folded", LOGIN, "news",
	    BULK("List-Unsubscribe: <mailto:u@example.com>,\r\n "
		 "<HTTPS://example.com/u>\r\n" POST),
	    NULL },
	{ "two List-Unsubscribe fields", LOGIN, "news", BULK(HTTPS HTTPS POST), "a single" },
	{ "two List-Unsubscribe-Post fields", LOGIN, "news", BULK(HTTPS POST POST),
	    "List-Unsubscribe-Post" },
	{ "another word than One-Click", LOGIN, "news",
	    BULK(HTTPS "List-Unsubscribe-Post: List-Unsubscribe=Yes\r\n"), "One-Click" },
	{ "in other letters", LOGIN, "news",
	    BULK(HTTPS "List-Unsubscribe-Post: List-Unsubscribe=one-click\r\n"), "One-Click" },
	{ "something behind it", LOGIN, "news",
	    BULK(HTTPS "List-Unsubscribe-Post: List-Unsubscribe=One-Click; x\r\n"),
	    "One-Click" },
	{ "field names in other letters", LOGIN, "news",
	    BULK("LIST-UNSUBSCRIBE: <https://e.example/>\r\n"
		 "list-unsubscribe-post:List-Unsubscribe=One-Click\r\n"),
	    NULL },
	{ "by the author's domain", "domains = \"Example.COM\";", NULL, BULK(""), "List-" },
	{ "by a domain above it", "domains = \"example.com\";", NULL,
	    "From: a@eu.example.com\r\n" BODY, "List-" },
	{ "a domain that only ends alike", "domains = \"example.com\";", NULL,
	    "From: a@notexample.com\r\n" BODY, NULL },
	{ "by the second author", "domains = [ \"x.example\", \"example.com\" ];", NULL,
	    "From: b@other.example, a@example.com\r\n" BODY, "List-" },
	{ "by a second From field", "domains = \"example.com\";", NULL,
	    "From: b@other.example\r\n" FROM BODY, "List-" },
	{ "a domain in UTF-8", "domains = \"b\xc3\xbc\x63her.example\";", NULL,
	    "From: a@xn--bcher-kva.example\r\n" BODY, "List-" },
	{ "no From", "domains = \"example.com\";", NULL, "To: a@example.com\r\n" BODY, NULL },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct bulk_case *c = &cases[i];
		struct link_fixture f;

		link_fixture_open(&f, &link_bulk_rules, c->settings);
		if (f.chain == NULL)
			fail_msg("%s: %s", c->name, f.errors.lines[0]);
		f.facts.identity.login = c->login;
		const int code = link_fixture_message(&f, c->message);
		if (code != (c->lacks != NULL ? 550 : 0) ||
		    (code != 0 && (strstr(f.reply.text, c->lacks) == NULL ||
				      strcmp(f.reply.enhanced, "5.7.1") != 0)))
			fail_msg("%s: %d %s", c->name, code, f.reply.text);
		assert_message_is(f.message, c->message);
		link_fixture_close(&f);
	}
}

static void
test_mark(void **state)
{
	struct link_fixture f;

	(void)state;
	link_fixture_open(
	    &f, &link_bulk_rules, LOGIN "action = \"mark\"; header = \"X-Bulk\";");
	f.facts.identity.login = "news";
	assert_int_equal(link_fixture_message(&f, BULK("")), 0);
	assert_message_is(f.message,
	    "X-Bulk: no one-click unsubscribe;\r\n\tit lacks a List-Unsubscribe field with an "
	    "https address\r\n" BULK(""));
	assert_int_equal(link_fixture_message(&f, BULK(HTTPS POST)), 0);
	assert_message_is(f.message, BULK(HTTPS POST));
	link_fixture_close(&f);
}

static void
test_bad_settings(void **state)
{
	static const struct {
		const char *settings, *error;
	} bad[] = {
		{ "", "what is bulk mail here?" },
		{ "domains = \"a..b\";", "not a domain name" },
		{ LOGIN "header = \"X:\";", "not a field name" },
		{ LOGIN "action = \"defer\";", "reject, mark" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		link_fixture_refuses(&link_bulk_rules, bad[i].settings, bad[i].error);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_bad_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
