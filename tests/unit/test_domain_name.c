/* SPDX-License-Identifier: MPL-2.0 */
/* Domain names: one form for each, and nothing that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/mail/domain_name.h"

#define V(text)                          \
	{                                \
		(text), sizeof(text) - 1 \
	}
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
test_to_ascii(void **state)
{
	static const struct {
		const char *name;
		struct view in;
		const char *out; /* NULL: no domain name */
	} rows[] = {
		{ "lower case stays", V("example.com"), "example.com" },
		{ "upper case goes", V("EXAMPLE.Com"), "example.com" },
		{ "one final dot goes", V("example.com."), "example.com" },
		{ "a single label", V("localhost"), "localhost" },
		{ "digits, hyphens, underscores", V("s1._domainkey.a-b.example"),
		    "s1._domainkey.a-b.example" },
		{ "an A-label is taken as it is", V("XN--BCHER-KVA.example"),
		    "xn--bcher-kva.example" },
		{ "a U-label",
		    V("b\xc3\xbc"
		      "cher.example"),
		    "xn--bcher-kva.example" },
		{ "a U-label in upper case",
		    V("B\xc3\x9c"
		      "CHER.EXAMPLE"),
		    "xn--bcher-kva.example" },
		{ "a U-label in decomposed form",
		    V("bu\xcc\x88"
		      "cher.example"),
		    "xn--bcher-kva.example" },
		{ "sharp s is a letter of its own (IDNA2008)", V("fa\xc3\x9f.example"),
		    "xn--fa-hia.example" },
		{ "a U-label with a final dot",
		    V("b\xc3\xbc"
		      "cher."),
		    "xn--bcher-kva" },
		{ "two U-labels",
		    V("\xd0\xb8\xd1\x81\xd0\xbf\xd1\x8b\xd1\x82\xd0\xb0\xd0\xbd\xd0\xb8\xd0\xb5"
		      "."
		      "\xd1\x80\xd1\x84"),
		    "xn--80akhbyknj4f.xn--p1ai" },
		{ "a label of 63", V(A63 ".example"), A63 ".example" },
		{ "253 octets", V(A63 "." A63 "." A63 "." A61), A63 "." A63 "." A63 "." A61 },
		{ "253 octets and a final dot", V(A63 "." A63 "." A63 "." A61 "."),
		    A63 "." A63 "." A63 "." A61 },

		{ "nothing", V(""), NULL },
		{ "a dot", V("."), NULL },
		{ "a dot at the beginning", V(".example.com"), NULL },
		{ "two dots within", V("example..com"), NULL },
		{ "two dots at the end", V("example.com.."), NULL },
		{ "a label of 64", V("a" A63 ".example"), NULL },
		{ "254 octets", V(A63 "." A63 "." A63 "." A61 "a"), NULL },
		{ "a cap reached at a dot", V(A63 "." A63 "." A63 "." A61 ".a"), NULL },
		{ "a blank", V("exa mple.com"), NULL },
		{ "a NUL", V("example.com\0"), NULL },
		{ "a NUL in a U-label", V("b\xc3\xbc\0cher.example"), NULL },
		{ "an at sign", V("a@example.com"), NULL },
		{ "a literal", V("[192.0.2.1]"), NULL },
		{ "a slash", V("example.com/x"), NULL },
		{ "a line end", V("example.com\r\n"), NULL },
		{ "octets that are not UTF-8",
		    V("b\xfc"
		      "cher.example"),
		    NULL },
		{ "an overlong dot",
		    V("a\xc0\xae"
		      "b.example"),
		    NULL },
		{ "an ideographic full stop",
		    V("example\xe3\x80\x82"
		      "com"),
		    NULL },
		{ "a full-width full stop",
		    V("example\xef\xbc\x8e"
		      "com"),
		    NULL },
		{ "a full-width letter", V("\xef\xbd\x85xample.com"), NULL },
		{ "a Kelvin sign for k", V("ban\xe2\x84\xaa.example"), NULL },
		{ "a soft hyphen", V("exam\xc2\xadple.com"), NULL },
		{ "a zero-width joiner", V("exam\xe2\x80\x8dple.com"), NULL },
		{ "a full-width at sign", V("a\xef\xbc\xa0\xc3\xbc.example"), NULL },
		{ "a heart, which IDNA2008 disallows", V("\xe2\x99\xa5.example"), NULL },
		{ "a U-label that is too long",
		    V("\xc3\xbc"
		      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"),
		    NULL },
		{ "a U-label over all bounds", V("\xc3\xbc" A63 A63 A63 A63 A63 ".example"),
		    NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[DOMAIN_NAME_MAX] = "untouched";
		bool ok = domain_to_ascii(rows[i].in, out);

		if (ok != (rows[i].out != NULL))
			fail_msg(
			    "%s: %s \"%s\"", rows[i].name, ok ? "taken as" : "refused", out);
		if (ok && strcmp(out, rows[i].out) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i].name, out, rows[i].out);
	}
}

static void
test_is_below(void **state)
{
	static const struct {
		const char *child, *parent;
		bool expected;
	} rows[] = {
		{ "example.com", "example.com", true },
		{ "a.example.com", "example.com", true },
		{ "a.b.example.com", "example.com", true },
		{ "badexample.com", "example.com", false },
		{ "example.com", "a.example.com", false },
		{ "example.com.evil", "example.com", false },
		{ "com", "example.com", false },
		{ "example.com", "com", true },
		{ "example.com", "", false },
		{ "", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (domain_is_below(rows[i].child, rows[i].parent) != rows[i].expected)
			fail_msg("\"%s\" below \"%s\"", rows[i].child, rows[i].parent);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_ascii),
		cmocka_unit_test(test_is_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
