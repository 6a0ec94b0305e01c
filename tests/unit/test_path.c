/* SPDX-License-Identifier: MPL-2.0 */
/* lib/smtp/path: the paths of the envelope, to the grammar and the limits of RFC 5321. */
#include "lib/smtp/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define IN(literal)                            \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}
#define OK   SMTP_SYNTAX_OK
#define PATH SMTP_SYNTAX_PATH
#define UTF8 SMTP_SYNTAX_UTF8

static const struct {
	const char *name;
	struct view text;
	enum smtp_syntax syntax;
	const char *local, *domain; /* when OK; NULL: <> */
} cases[] = {
	{ "an address", IN("<alice@example.com>"), OK, "alice", "example.com" },
	{ "a domain of one label", IN("<a@localhost>"), OK, "a", "localhost" },
	{ "case is kept", IN("<Alice@Example.COM>"), OK, "Alice", "Example.COM" },
	{ "the null path", IN("<>"), OK, NULL, NULL },
	{ "postmaster without a domain", IN("<Postmaster>"), OK, "Postmaster", "" },
	{ "postmaster with a domain", IN("<postmaster@b>"), OK, "postmaster", "b" },

	/* dot-string */
	{ "all of atext", IN("<!#$%&'*+-/=?^_`{|}~aZ09@b>"), OK, "!#$%&'*+-/=?^_`{|}~aZ09",
	    "b" },
	{ "dots between atoms", IN("<a.b.c@d>"), OK, "a.b.c", "d" },
	{ "a dot first", IN("<.a@b>"), PATH, NULL, NULL },
	{ "a dot last", IN("<a.@b>"), PATH, NULL, NULL },
	{ "two dots", IN("<a..b@c>"), PATH, NULL, NULL },
	{ "no local part", IN("<@b>"), PATH, NULL, NULL },
	{ "a blank in the local part", IN("<a b@c>"), PATH, NULL, NULL },
	{ "a parenthesis", IN("<a(x)@b>"), PATH, NULL, NULL },
	{ "a comma", IN("<a,b@c>"), PATH, NULL, NULL },
	{ "a colon", IN("<a:b@c>"), PATH, NULL, NULL },
	{ "a backslash without quotes", IN("<a\\b@c>"), PATH, NULL, NULL },
	{ "an opening bracket", IN("<<a@b>"), PATH, NULL, NULL },
	{ "two signs", IN("<a@b@c>"), PATH, NULL, NULL },
	{ "a NUL in the local part", IN("<a\0b@c>"), PATH, NULL, NULL },
	{ "a DEL in the local part", IN("<a\x7f@c>"), PATH, NULL, NULL },

	/* quoted-string */
	{ "a quoted string", IN("<\"a b\"@c>"), OK, "\"a b\"", "c" },
	{ "an empty quoted string", IN("<\"\"@c>"), OK, "\"\"", "c" },
	{ "a quoted quote", IN("<\"a\\\"b\"@c>"), OK, "\"a\\\"b\"", "c" },
	{ "a quoted backslash", IN("<\"a\\\\\"@c>"), OK, "\"a\\\\\"", "c" },
	{ "a quoted letter", IN("<\"\\a\"@c>"), OK, "\"\\a\"", "c" },
	{ "brackets, signs and dots within", IN("<\"<a@b>..\"@c>"), OK, "\"<a@b>..\"", "c" },
	{ "a quoted postmaster needs a domain", IN("<\"postmaster\">"), PATH, NULL, NULL },
	{ "no closing quote", IN("<\"a@c>"), PATH, NULL, NULL },
	{ "a backslash takes the closing quote", IN("<\"a\\\"@c>"), PATH, NULL, NULL },
	{ "a backslash at the very end", IN("<\"a\\"), PATH, NULL, NULL },
	{ "text behind the quoted string", IN("<\"a\"b@c>"), PATH, NULL, NULL },
	{ "text before the quoted string", IN("<a\"b\"@c>"), PATH, NULL, NULL },
	{ "a quoted string behind a dot", IN("<a.\"b\"@c>"), PATH, NULL, NULL },
	{ "CR LF within quotes", IN("<\"a\r\nb\"@c>"), PATH, NULL, NULL },
	{ "a bare LF within quotes", IN("<\"a\nb\"@c>"), PATH, NULL, NULL },
	{ "a quoted CR", IN("<\"a\\\rb\"@c>"), PATH, NULL, NULL },
	{ "a quoted NUL", IN("<\"a\\\0b\"@c>"), PATH, NULL, NULL },
	{ "a tab within quotes", IN("<\"a\tb\"@c>"), PATH, NULL, NULL },

	/* domain */
	{ "digits and hyphens", IN("<a@1-2.3x>"), OK, "a", "1-2.3x" },
	{ "an underscore", IN("<a@_dmarc.my_host.example>"), OK, "a",
	    "_dmarc.my_host.example" },
	{ "an A-label", IN("<a@xn--bcher-kva.example>"), OK, "a", "xn--bcher-kva.example" },
	{ "no domain behind the sign", IN("<a@>"), PATH, NULL, NULL },
	{ "a dot first in the domain", IN("<a@.b>"), PATH, NULL, NULL },
	{ "a dot last in the domain", IN("<a@b.>"), PATH, NULL, NULL },
	{ "two dots in the domain", IN("<a@b..c>"), PATH, NULL, NULL },
	{ "a hyphen first in a label", IN("<a@-b>"), PATH, NULL, NULL },
	{ "a hyphen last in a label", IN("<a@b-.c>"), PATH, NULL, NULL },
	{ "a blank in the domain", IN("<a@b c>"), PATH, NULL, NULL },
	{ "a blank behind the domain", IN("<a@b >"), PATH, NULL, NULL },
	{ "a quoted domain", IN("<a@\"b\">"), PATH, NULL, NULL },
	{ "a NUL in the domain", IN("<a@b\0c>"), PATH, NULL, NULL },
	{ "CR LF in the domain", IN("<a@b\r\n>"), PATH, NULL, NULL },
	{ "a percent sign in the domain", IN("<a@b%c>"), PATH, NULL, NULL },

	/* address literals */
	{ "IPv4", IN("<a@[192.0.2.1]>"), OK, "a", "[192.0.2.1]" },
	{ "the largest IPv4", IN("<a@[255.255.255.255]>"), OK, "a", "[255.255.255.255]" },
	{ "IPv6", IN("<a@[IPv6:2001:db8::1]>"), OK, "a", "[IPv6:2001:db8::1]" },
	{ "IPv6, tag in lower case", IN("<a@[ipv6:::1]>"), OK, "a", "[ipv6:::1]" },
	{ "IPv6 in full", IN("<a@[IPv6:1:2:3:4:5:6:7:8]>"), OK, "a", "[IPv6:1:2:3:4:5:6:7:8]" },
	{ "IPv4 in IPv6", IN("<a@[IPv6:::ffff:192.0.2.1]>"), OK, "a",
	    "[IPv6:::ffff:192.0.2.1]" },
	{ "IPv6 without a tag", IN("<a@[2001:db8::1]>"), PATH, NULL, NULL },
	{ "IPv6 with a zone", IN("<a@[IPv6:fe80::1%eth0]>"), PATH, NULL, NULL },
	{ "IPv6 of nine groups", IN("<a@[IPv6:1:2:3:4:5:6:7:8:9]>"), PATH, NULL, NULL },
	{ "IPv6 with two gaps", IN("<a@[IPv6:1::2::3]>"), PATH, NULL, NULL },
	{ "IPv6 of nothing", IN("<a@[IPv6:]>"), PATH, NULL, NULL },
	{ "IPv4 with the tag of IPv6", IN("<a@[IPv6:192.0.2.1]>"), PATH, NULL, NULL },
	{ "IPv4 of three numbers", IN("<a@[192.0.2]>"), PATH, NULL, NULL },
	{ "IPv4 of five numbers", IN("<a@[192.0.2.1.1]>"), PATH, NULL, NULL },
	{ "IPv4 over 255", IN("<a@[192.0.2.256]>"), PATH, NULL, NULL },
	{ "IPv4 that might be octal", IN("<a@[192.0.2.010]>"), PATH, NULL, NULL },
	{ "IPv4 in hexadecimal", IN("<a@[0xc0000201]>"), PATH, NULL, NULL },
	{ "IPv4 with a blank", IN("<a@[192.0.2.1 ]>"), PATH, NULL, NULL },
	{ "a NUL behind IPv4", IN("<a@[192.0.2.1\0x]>"), PATH, NULL, NULL },
	{ "a NUL behind IPv6", IN("<a@[IPv6:::1\0x]>"), PATH, NULL, NULL },
	{ "a long text", IN("<a@[IPv6:00000000000000000000000000000000000000000000000000001]>"),
	    PATH, NULL, NULL },
	{ "a tag that nobody registered", IN("<a@[x400:b]>"), PATH, NULL, NULL },
	{ "an end of path in a general literal", IN("<a@[x:>]>"), PATH, NULL, NULL },
	{ "an empty literal", IN("<a@[]>"), PATH, NULL, NULL },
	{ "no closing bracket of the literal", IN("<a@[192.0.2.1>"), PATH, NULL, NULL },
	{ "text behind the literal", IN("<a@[192.0.2.1]b>"), PATH, NULL, NULL },
	{ "a literal as a label", IN("<a@b.[192.0.2.1]>"), PATH, NULL, NULL },

	/* source routes */
	{ "a route of one", IN("<@a:b@c>"), OK, "b", "c" },
	{ "a route of three", IN("<@a,@b.c,@d:e@f>"), OK, "e", "f" },
	{ "a route to a quoted string", IN("<@a:\"b\"@c>"), OK, "\"b\"", "c" },
	{ "a route without a mailbox", IN("<@a:>"), PATH, NULL, NULL },
	{ "a route to postmaster", IN("<@a:postmaster>"), PATH, NULL, NULL },
	{ "a route without a colon", IN("<@a b@c>"), PATH, NULL, NULL },
	{ "a route with a blank", IN("<@a, @b:c@d>"), PATH, NULL, NULL },
	{ "a route without signs", IN("<a,b:c@d>"), PATH, NULL, NULL },
	{ "a route that ends in a comma", IN("<@a,:b@c>"), PATH, NULL, NULL },
	{ "a route through a literal", IN("<@[192.0.2.1]:b@c>"), PATH, NULL, NULL },
	{ "two routes", IN("<@a:@b:c@d>"), PATH, NULL, NULL },

	/* around */
	{ "nothing", IN(""), PATH, NULL, NULL },
	{ "an opening bracket alone", IN("<"), PATH, NULL, NULL },
	{ "a closing bracket alone", IN(">"), PATH, NULL, NULL },
	{ "no brackets", IN("a@b"), PATH, NULL, NULL },
	{ "no closing bracket", IN("<a@b"), PATH, NULL, NULL },
	{ "a blank in the null path", IN("< >"), PATH, NULL, NULL },
	{ "a blank before the path", IN(" <a@b>"), PATH, NULL, NULL },
	{ "a blank before the address", IN("< a@b>"), PATH, NULL, NULL },
	{ "a blank behind the path", IN("<a@b> "), PATH, NULL, NULL },
	{ "text behind the path", IN("<a@b>x"), PATH, NULL, NULL },
	{ "text behind the null path", IN("<>x"), PATH, NULL, NULL },
	{ "a name without a domain", IN("<bob>"), PATH, NULL, NULL },

	/* over 0x7f */
	{ "UTF-8 in the local part", IN("<\xc3\xa4@b>"), UTF8, NULL, NULL },
	{ "UTF-8 in the domain", IN("<a@b\xc3\xa4>"), UTF8, NULL, NULL },
	{ "UTF-8 within quotes", IN("<\"\xc3\xa4\"@b>"), UTF8, NULL, NULL },
	{ "an octet that is no UTF-8", IN("<\x80@b>"), UTF8, NULL, NULL },
	{ "an octet over 0x7f in a literal", IN("<a@[\xff]>"), UTF8, NULL, NULL },
};

static void
test_cases(void **state)
{
	struct smtp_path path;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		assert_int_equal(smtp_path_parse(cases[i].text, &path), cases[i].syntax);
		if (cases[i].syntax != OK)
			continue;
		assert_int_equal(path.is_null, cases[i].local == NULL);
		assert_true(view_eq(path.local, view_of(cases[i].local)));
		assert_true(view_eq(path.domain, view_of(cases[i].domain)));
	}
}

/* Every beginning of a good path is a bad path. */
static void
test_cut_short(void **state)
{
	struct smtp_path path;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t len = 0; cases[i].syntax == OK && len < cases[i].text.len; len++)
			assert_int_equal(
			    smtp_path_parse(view_make(cases[i].text.p, len), &path), PATH);
	}
}

static void
test_octets(void **state)
{
	static const char atext[] = "!#$%&'*+-/=?^_`{|}~";
	char text[] = "<x?x@b>", quoted[] = "<\"?\"@b>", domain[] = "<a@x?x>";
	struct smtp_path path;

	(void)state;
	for (int c = 0; c < 0x80; c++) {
		bool is_alnum = ascii_is_alnum((char)c);
		text[2] = quoted[2] = domain[4] = (char)c;
		bool is_local = is_alnum || c == '.' || (c != 0 && strchr(atext, c) != NULL);
		assert_int_equal(smtp_path_parse(view_make(text, 7), &path) == OK, is_local);
		assert_int_equal(smtp_path_parse(view_make(quoted, 7), &path) == OK,
		    c >= ' ' && c <= '~' && c != '"' && c != '\\');
		assert_int_equal(smtp_path_parse(view_make(domain, 7), &path) == OK,
		    is_alnum || c == '.' || c == '-' || c == '_');
	}
}

/* "<[route:]LLL@DDD.DDD...>" of the lengths given. */
static struct view
make_path(const char *route, size_t local, size_t domain)
{
	static char text[2048];
	size_t len = (size_t)snprintf(text, sizeof(text), "<%s", route);

	memset(text + len, 'l', local);
	len += local;
	text[len++] = '@';
	for (size_t i = 0; i < domain; i++)
		text[len++] = i % 32 == 31 && i + 1 < domain ? '.' : 'd';
	text[len++] = '>';
	return view_make(text, len);
}

static const struct {
	const char *name;
	const char *route;
	size_t local, domain;
	enum smtp_syntax syntax;
} lengths[] = {
	{ "64 octets of local part", "", 64, 10, OK },
	{ "65 octets of local part", "", 65, 10, SMTP_SYNTAX_LONG },
	{ "256 octets of path", "", 1, 252, OK },
	{ "257 octets of path", "", 1, 253, SMTP_SYNTAX_LONG },
	{ "both long, 256 in all", "", 64, 189, OK },
	{ "both long, 257 in all", "", 64, 190, SMTP_SYNTAX_LONG },
	{ "255 octets of domain do not fit into a path", "", 1, 255, SMTP_SYNTAX_LONG },
	{ "256 octets of domain", "", 1, 256, SMTP_SYNTAX_LONG },
	{ "a thousand octets of local part", "", 1000, 1, SMTP_SYNTAX_LONG },
	{ "a thousand octets of domain", "", 1, 1000, SMTP_SYNTAX_LONG },
	{ "a route that just fits", "@a,@b:", 1, 246, OK },
	{ "a route that makes it too long", "@a,@b:", 1, 247, SMTP_SYNTAX_LONG },
};

static void
test_lengths(void **state)
{
	struct smtp_path path;
	char address[SMTP_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		print_message("%s\n", lengths[i].name);
		struct view text =
		    make_path(lengths[i].route, lengths[i].local, lengths[i].domain);
		assert_int_equal(smtp_path_parse(text, &path), lengths[i].syntax);
		if (lengths[i].syntax != OK)
			continue;
		smtp_path_write(&path, address);
		assert_int_equal(strlen(address), lengths[i].local + 1 + lengths[i].domain);
	}
	/* Quotes count. */
	struct view quoted = make_path("\"", 63, 2);
	assert_int_equal(smtp_path_parse(quoted, &path), PATH);
	char text[80];
	for (int n = 62; n <= 63; n++) {
		int len = snprintf(text, sizeof(text), "<\"%0*d\"@b>", n, 0);
		assert_int_equal(smtp_path_parse(view_make(text, (size_t)len), &path),
		    n == 62 ? OK : SMTP_SYNTAX_LONG);
	}
}

static void
test_label_length(void **state)
{
	struct smtp_path path;
	char text[80];

	(void)state;
	for (int n = 63; n <= 64; n++) {
		int len = snprintf(text, sizeof(text), "<a@%0*d.b>", n, 0);
		assert_int_equal(
		    smtp_path_parse(view_make(text, (size_t)len), &path), n == 63 ? OK : PATH);
	}
}

static const struct {
	const char *name;
	struct view text;
	bool is_valid;
} helo_cases[] = {
	{ "a domain", IN("mail.example.com"), true },
	{ "one label", IN("localhost"), true },
	{ "an underscore", IN("my_pc.local"), true },
	{ "an IPv4 literal", IN("[192.0.2.1]"), true },
	{ "an IPv6 literal", IN("[IPv6:::1]"), true },
	{ "an address without brackets is a domain by the grammar", IN("192.0.2.1"), true },
	{ "nothing", IN(""), false },
	{ "a blank behind it", IN("a "), false },
	{ "two words", IN("a b"), false },
	{ "a dot at the end", IN("a.example."), false },
	{ "an address", IN("a@b"), false },
	{ "an open literal", IN("[192.0.2.1"), false },
	{ "text behind a literal", IN("[192.0.2.1]x"), false },
	{ "IPv6 without a tag", IN("[::1]"), false },
	{ "a hyphen first", IN("-a"), false },
	{ "CR LF", IN("a\r\nMAIL"), false },
	{ "a NUL", IN("a\0"), false },
	{ "UTF-8", IN("b\xc3\xbc"), false },
	{ "a quote", IN("\"a\""), false },
};

static void
test_helo(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(helo_cases); i++) {
		print_message("%s\n", helo_cases[i].name);
		assert_int_equal(
		    smtp_helo_is_valid(helo_cases[i].text), helo_cases[i].is_valid);
	}
	for (size_t len = 255; len <= 256; len++) {
		struct view path = make_path("", 1, len);
		assert_int_equal(smtp_helo_is_valid(view_make(path.p + 3, len)), len == 255);
		assert_int_equal(smtp_helo_is_text(view_make(path.p + 3, len)), len == 255);
	}
	print_message("any printable text, where that is enough\n");
	assert_true(smtp_helo_is_text(VIEW("JUMPIN' (JUPITER)")));
	assert_false(smtp_helo_is_text(VIEW("")));
	assert_false(smtp_helo_is_text(VIEW("a\tb")));
	assert_false(smtp_helo_is_text(VIEW("b\xc3\xbc")));
	assert_false(smtp_helo_is_text(VIEW("a\0b")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_label_length),
		cmocka_unit_test(test_helo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
