/* SPDX-License-Identifier: MPL-2.0 */
/* The link fix_headers. */
#include "filters/filters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/link_fixture.h"

#define DATE "Date: Tue, 24 Nov 2026 20:57:50 +0000\r\n"
#define ID   "Message-ID: <1@example.com>\r\n"

struct fix_case {
	const char *name;
	const char *settings;
	const char *before, *after;
};

static const struct fix_case cases[] = {
	{ "a whole message stays as it is", "", "From: a@example.com\r\n" DATE ID "\r\nhi\r\n",
	    "From: a@example.com\r\n" DATE ID "\r\nhi\r\n" },
	{ "a missing Date is added, of the time of receipt", "",
	    "From: a@b.example\r\n" ID "\r\n", DATE "From: a@b.example\r\n" ID "\r\n" },
	{ "a Date that is there is never judged", "", "dAtE: soon\r\n" ID "\r\n",
	    "dAtE: soon\r\n" ID "\r\n" },
	{ "no Date is added when switched off", "add_date = false;", ID "\r\n", ID "\r\n" },
	{ "no Message-ID is added when switched off", "add_message_id = false;", DATE "\r\n",
	    DATE "\r\n" },
	{ "Bcc goes, wherever and however often", "",
	    "bcc: x@c.example\r\n" DATE ID
	    "Bcc:\r\n y@c.example,\r\n z@c.example\r\n\r\nBcc: text\r\n",
	    DATE ID "\r\nBcc: text\r\n" },
	{ "Resent-Bcc goes too", "", DATE ID "Resent-Bcc: x@c.example\r\n\r\n",
	    DATE ID "\r\n" },
	{ "a name that begins like Bcc stays", "", DATE ID "Bcc-Note: x\r\n\r\n",
	    DATE ID "Bcc-Note: x\r\n\r\n" },
	{ "Bcc stays when switched off", "remove_bcc = false;",
	    DATE ID "Bcc: x@c.example\r\n\r\n", DATE ID "Bcc: x@c.example\r\n\r\n" },
	{ "a message to Bcc alone is valid without a recipient field", "",
	    "From: a@example.com\r\n" DATE ID "Bcc: x@c.example\r\n\r\n",
	    "From: a@example.com\r\n" DATE ID "\r\n" },
	{ "a shadow changes nothing", "mode = \"shadow\";", "Bcc: x@c.example\r\n\r\n",
	    "Bcc: x@c.example\r\n\r\n" },
};

static void
test_fixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct link_fixture f;
		struct buf text;

		link_fixture_open(&f, &link_fix_headers, cases[i].settings);
		assert_non_null(f.chain);
		if (link_fixture_message(&f, cases[i].before) != 0)
			fail_msg("%s: %s", cases[i].name, f.reply.text);
		text = message_text(f.message);
		if (!view_eq(buf_view(&text), view_of(cases[i].after)))
			fail_msg("%s:\n%.*s", cases[i].name, (int)text.len, text.p);
		buf_finish(&text);
		link_fixture_close(&f);
	}
}

struct id_case {
	const char *name;
	const char *settings;
	const char *from;
	const char *domain;
};

static const struct id_case id_cases[] = {
	{ "the hostname by default", "", "From: a@example.com\r\n", "gate.example.net" },
	{ "the domain of From by option", "message_id_domain = \"from\";",
	    "From: A <a@Example.COM>, b@c.example\r\n", "example.com" },
	{ "the hostname when there is no From", "message_id_domain = \"from\";", "X: y\r\n",
	    "gate.example.net" },
	{ "the hostname when From does not parse", "message_id_domain = \"from\";",
	    "From: a@@example.com\r\n", "gate.example.net" },
	{ "the hostname when From has an address literal", "message_id_domain = \"from\";",
	    "From: a@[192.0.2.1]\r\n", "gate.example.net" },
};

static void
test_message_ids(void **state)
{
	char seen[80] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(id_cases); i++) {
		struct link_fixture f;
		char text[200], id[80];
		size_t index;

		link_fixture_open(&f, &link_fix_headers, id_cases[i].settings);
		snprintf(text, sizeof(text), "%s" DATE "\r\n", id_cases[i].from);
		assert_int_equal(link_fixture_message(&f, text), 0);
		assert_int_equal(message_count_of(f.message, "Message-ID"), 1);
		index = message_find(f.message, "Message-ID", 0);
		assert_true(view_copy(
		    view_trim(message_field(f.message, index)->body), id, sizeof(id)));
		/* 32 hexadecimal digits between "<" and "@" */
		if (id[0] != '<' || strspn(id + 1, "0123456789abcdef") != 32 || id[33] != '@' ||
		    strncmp(id + 34, id_cases[i].domain, strlen(id_cases[i].domain)) != 0 ||
		    strcmp(id + 34 + strlen(id_cases[i].domain), ">") != 0)
			fail_msg("%s: %s", id_cases[i].name, id);
		assert_string_not_equal(id, seen);
		view_copy(view_of(id), seen, sizeof(seen));
		link_fixture_close(&f);
	}
}

static void
test_malformed_settings_are_refused(void **state)
{
	const char *const settings[] = { "add_date = \"yes\";", "message_id_domain = \"fron\";",
		"remove_cc = true;" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		link_fixture_refuses(&link_fix_headers, settings[i], "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixes),
		cmocka_unit_test(test_message_ids),
		cmocka_unit_test(test_malformed_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
