/* SPDX-License-Identifier: MPL-2.0 */
/* The author's domain, by the From field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/mail/author.h"
#include "tests/unit/message_fixture.h"

static void
test_authors(void **state)
{
	static const struct {
		const char *sentence, *message;
		const char *domain; /* NULL: none */
	} cases[] = {
		{ "one address", "From: alice@example.com\r\n\r\n", "example.com" },
		{ "the first of several", "From: a@example.com, b@example.net\r\n\r\n",
		    "example.com" },
		{ "the first of several fields",
		    "From: a@example.com\r\nFrom: b@example.net\r\n\r\n", "example.com" },
		{ "a display name that looks like an address",
		    "From: \"b@example.net\" <a@example.com>\r\n\r\n", "example.com" },
		{ "capital letters", "FROM: a@EXAMPLE.com\r\n\r\n", "example.com" },
		{ "a U-label",
		    "From: a@b\xc3\xbc"
		    "cher.example\r\n\r\n",
		    "xn--bcher-kva.example" },
		{ "an address literal", "From: a@[192.0.2.1]\r\n\r\n", NULL },
		{ "no From", "Sender: a@example.com\r\n\r\n", NULL },
		{ "an empty group", "From: nobody:;\r\n\r\n", NULL },
		{ "rubbish", "From: a@@example.com\r\n\r\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message *m = message_of(cases[i].message);
		struct arena arena;
		const char *domain;

		arena_init(&arena);
		domain = author_domain(m, &arena);
		if ((domain == NULL) != (cases[i].domain == NULL) ||
		    (domain != NULL && strcmp(domain, cases[i].domain) != 0))
			fail_msg("%s: %s", cases[i].sentence, domain != NULL ? domain : "none");
		arena_finish(&arena);
		message_destroy(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_authors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
