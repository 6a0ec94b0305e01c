/* SPDX-License-Identifier: MPL-2.0 */
/* SPF's grammar (RFC 7208 12) and macros (RFC 7208 7), each case with its sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/domain/spf_macro.h"
#include "lib/domain/spf_record.h"
#include "lib/net/dns.h"

#include <stdio.h>

static struct view
text_of(const char *text, size_t len)
{
	return len > 0 ? view_make(text, len) : view_of(text);
}

static void
test_selection(void **state)
{
	static const struct {
		const char *name, *text;
		bool is_one;
	} rows[] = {
		{ "the version alone", "v=spf1", true },
		{ "the version and a term", "v=spf1 -all", true },
		{ "in any case", "V=SpF1 -all", true },
		{ "another version", "v=spf10 -all", false },
		{ "a version and a tab", "v=spf1\t-all", false },
		{ "a blank before it", " v=spf1 -all", false },
		{ "another text", "v=DKIM1; p=", false },
		{ "nothing", "", false },
		{ "too short", "v=spf", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("# %s\n", rows[i].name);
		assert_int_equal(spf_record_is_one(view_of(rows[i].text)), rows[i].is_one);
	}
}

static const struct {
	const char *name, *text;
	const char *why; /* a part of the complaint; NULL: it is valid */
	size_t len;	 /* of a text with a NUL */
} grammar[] = {
	{ "nothing but the version", "v=spf1", NULL, 0 },
	{ "blanks at the end", "v=spf1 -all   ", NULL, 0 },
	{ "several blanks between terms", "v=spf1  a   -all", NULL, 0 },
	{ "mechanisms in any case", "v=spf1 MX A:Example.COM IP4:192.0.2.1 InClude:a.b -ALL",
	    NULL, 0 },
	{ "every qualifier", "v=spf1 +a -mx ~ptr ?exists:a.b all", NULL, 0 },
	{ "two qualifiers", "v=spf1 +-all", "no such mechanism", 0 },
	{ "a qualifier alone", "v=spf1 -", "no such mechanism", 0 },
	{ "an unknown mechanism", "v=spf1 foo -all", "\"foo\": there is no such mechanism", 0 },
	{ "an unknown mechanism with a domain", "v=spf1 foo:a.b", "no such mechanism", 0 },
	{ "an unknown modifier", "v=spf1 foo=bar -all", NULL, 0 },
	{ "an unknown modifier twice", "v=spf1 foo=a foo=b", NULL, 0 },
	{ "an empty unknown modifier", "v=spf1 foo= -all", NULL, 0 },
	{ "a modifier's name with dots and hyphens", "v=spf1 a.b-c_d=x", NULL, 0 },
	{ "a modifier's name that begins with a digit", "v=spf1 1a=x", "no such mechanism", 0 },
	{ "a modifier without a name", "v=spf1 =x", "no such mechanism", 0 },
	{ "a modifier with a qualifier", "v=spf1 -foo=bar", "no such mechanism", 0 },
	{ "a slash before the equals sign", "v=spf1 a/b=c.d", "not followed", 0 },
	{ "an unknown modifier with a wrong macro", "v=spf1 foo=%x", "does not begin a macro",
	    0 },
	{ "a tab between terms", "v=spf1 a\t-all", "no record may hold", 0 },
	{ "an octet over 0x7f", "v=spf1 a:b\xc3\xbc.example", "no record may hold", 0 },
	{ "a NUL", "v=spf1 a:a.example\0", "no record may hold", 19 },
	{ "a line end", "v=spf1 -all\r\n", "no record may hold", 0 },

	{ "all with a domain", "v=spf1 all:a.b", "not followed", 0 },
	{ "all with a prefix length", "v=spf1 all/8", "not followed", 0 },
	{ "all with a dot", "v=spf1 all.", "no such mechanism", 0 },
	{ "include without a domain", "v=spf1 include", "not followed", 0 },
	{ "include with an empty domain", "v=spf1 include:", "a domain is missing", 0 },
	{ "include with a prefix length", "v=spf1 include:a.b/24", "top-level domain", 0 },
	{ "exists without a domain", "v=spf1 exists", "not followed", 0 },
	{ "exists with a prefix length", "v=spf1 exists/24", "not followed", 0 },
	{ "ptr with a domain", "v=spf1 ptr:a.b", NULL, 0 },
	{ "ptr with a prefix length", "v=spf1 ptr/24", "not followed", 0 },

	{ "a with a prefix length", "v=spf1 a/24 a//64 a/24//64 a:b.c/0 a:b.c//0 mx/32//128",
	    NULL, 0 },
	{ "an IPv4 prefix length over 32", "v=spf1 a/33", "from 0 to 32", 0 },
	{ "an IPv6 prefix length over 128", "v=spf1 mx//129", "from 0 to 128", 0 },
	{ "a prefix length with a leading zero", "v=spf1 a/024", "from 0 to 32", 0 },
	{ "a prefix length past any number", "v=spf1 a/99999999999999999999", "from 0 to 32",
	    0 },
	{ "an empty prefix length", "v=spf1 a/", "not followed", 0 },
	{ "an empty IPv6 prefix length", "v=spf1 a//", "not followed", 0 },
	{ "prefix lengths in the wrong order", "v=spf1 a//64/24", "not followed", 0 },
	{ "two IPv4 prefix lengths", "v=spf1 a/24/24", "not followed", 0 },
	{ "three slashes", "v=spf1 a///64", "not followed", 0 },
	{ "a slash inside of a domain", "v=spf1 a:a/b.example/24", NULL, 0 },

	{ "ip4", "v=spf1 ip4:192.0.2.1 ip4:192.0.2.0/24 ip4:0.0.0.0/0", NULL, 0 },
	{ "ip4 with host bits", "v=spf1 ip4:192.0.2.1/24", NULL, 0 },
	{ "ip4 without an address", "v=spf1 ip4", "not followed", 0 },
	{ "ip4 with an empty address", "v=spf1 ip4:", "not an IPv4 address", 0 },
	{ "ip4 with three octets", "v=spf1 ip4:192.0.2", "not an IPv4 address", 0 },
	{ "ip4 with a leading zero", "v=spf1 ip4:192.0.02.1", "not an IPv4 address", 0 },
	{ "ip4 with a port", "v=spf1 ip4:192.0.2.1:25", "not an IPv4 address", 0 },
	{ "ip4 over 32 bits", "v=spf1 ip4:192.0.2.1/33", "from 0 to 32", 0 },
	{ "ip4 with an empty length", "v=spf1 ip4:192.0.2.1/", "from 0 to 32", 0 },
	{ "ip4 with both lengths", "v=spf1 ip4:192.0.2.1//32", "from 0 to 32", 0 },
	{ "ip4 with an IPv6 address", "v=spf1 ip4:2001:db8::1", "not an IPv4 address", 0 },
	{ "ip4 with a name", "v=spf1 ip4:a.example", "not an IPv4 address", 0 },
	{ "ip6", "v=spf1 ip6:2001:db8::1 ip6:2001:DB8::/32 ip6:::/0 ip6:::1.2.3.4/96", NULL,
	    0 },
	{ "ip6 over 128 bits", "v=spf1 ip6:2001:db8::1/129", "from 0 to 128", 0 },
	{ "ip6 with an IPv4 address", "v=spf1 ip6:192.0.2.1", "not an IPv6 address", 0 },
	{ "ip6 with two gaps", "v=spf1 ip6:1::2::3", "not an IPv6 address", 0 },
	{ "ip6 with a zone", "v=spf1 ip6:fe80::1%eth0", "not an IPv6 address", 0 },

	{ "redirect", "v=spf1 redirect=a.example", NULL, 0 },
	{ "redirect as a mechanism", "v=spf1 redirect:a.example", "no such mechanism", 0 },
	{ "redirect without a domain", "v=spf1 redirect=", "a domain is missing", 0 },
	{ "redirect to what is no domain", "v=spf1 redirect=-all", "top-level domain", 0 },
	{ "redirect twice", "v=spf1 redirect=a.b REDIRECT=a.b", "there twice", 0 },
	{ "exp", "v=spf1 exp=a.example -all", NULL, 0 },
	{ "exp without a domain", "v=spf1 exp= -all", "a domain is missing", 0 },
	{ "exp twice", "v=spf1 exp=a.b -all exp=c.d", "there twice", 0 },

	{ "a top-level domain alone", "v=spf1 a:museum", "top-level domain", 0 },
	{ "a top-level domain alone with a dot", "v=spf1 a:museum.", "top-level domain", 0 },
	{ "a final dot", "v=spf1 a:example.com.", NULL, 0 },
	{ "two final dots", "v=spf1 a:example.com..", "top-level domain", 0 },
	{ "nothing but a dot", "v=spf1 a:.", "top-level domain", 0 },
	{ "a number as top-level domain", "v=spf1 a:192.0.2.1", "top-level domain", 0 },
	{ "a top-level domain with a hyphen", "v=spf1 a:a.xn--zckzah", NULL, 0 },
	{ "a top-level domain that begins with a hyphen", "v=spf1 a:a.-com", "top-level domain",
	    0 },
	{ "a top-level domain that ends with a hyphen", "v=spf1 a:a.com-", "top-level domain",
	    0 },
	{ "digits and a hyphen at the top", "v=spf1 a:a.1-2", NULL, 0 },
	{ "a colon in the domain", "v=spf1 a:foo:bar.example", NULL, 0 },
	{ "a port behind the domain", "v=spf1 a:a.example:25", "top-level domain", 0 },
	{ "a macro at the end", "v=spf1 a:%{d} exists:a.%{i}", NULL, 0 },
	{ "a dot behind a macro at the end", "v=spf1 a:%{d}.", "top-level domain", 0 },
	{ "letters behind a macro at the end", "v=spf1 a:%{d}com", "top-level domain", 0 },
	{ "a percent sign at the end", "v=spf1 a:a.%%", NULL, 0 },
};

static void
test_grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(grammar); i++) {
		struct spf_record record;
		struct arena arena;
		char why[SPF_WHY_MAX] = "";

		print_message("# %s\n", grammar[i].name);
		arena_init(&arena);
		bool ok = spf_record_parse(
		    text_of(grammar[i].text, grammar[i].len), &arena, &record, why);
		if (grammar[i].why == NULL) {
			assert_string_equal(why, "");
			assert_true(ok);
		} else {
			assert_false(ok);
			if (strstr(why, grammar[i].why) == NULL)
				fail_msg("it says %s", why);
		}
		arena_finish(&arena);
	}
}

static void
test_parsed_terms(void **state)
{
	struct spf_record record;
	struct arena arena;
	char why[SPF_WHY_MAX], text[INET6_ADDRSTRLEN];

	(void)state;
	arena_init(&arena);
	assert_true(spf_record_parse(VIEW("v=spf1 exp=e.%{d} ~a:b.example/20//60 mx "
					  "ip4:192.0.2.7/24 x=y ?include:i.example "
					  "redirect=r.example"),
	    &arena, &record, why));
	assert_int_equal(record.count, 4);
	assert_true(view_eq(record.exp, VIEW("e.%{d}")));
	assert_true(view_eq(record.redirect, VIEW("r.example")));
	assert_int_equal(record.terms[0].kind, SPF_A);
	assert_int_equal(record.terms[0].qualifier, '~');
	assert_true(view_eq(record.terms[0].domain, VIEW("b.example")));
	assert_int_equal(record.terms[0].prefix4, 20);
	assert_int_equal(record.terms[0].prefix6, 60);
	assert_true(view_eq(record.terms[0].text, VIEW("~a:b.example/20//60")));
	assert_int_equal(record.terms[1].kind, SPF_MX);
	assert_int_equal(record.terms[1].qualifier, '+');
	assert_int_equal(record.terms[1].domain.len, 0);
	assert_int_equal(record.terms[1].prefix4, 32);
	assert_int_equal(record.terms[1].prefix6, 128);
	assert_int_equal(record.terms[2].network.prefix, 24);
	assert_int_equal(record.terms[2].network.family, AF_INET);
	(void)snprintf(text, sizeof(text), "%u.%u", record.terms[2].network.octets[0],
	    record.terms[2].network.octets[3]);
	assert_string_equal(text, "192.7");
	assert_int_equal(record.terms[3].kind, SPF_INCLUDE);
	assert_int_equal(record.terms[3].qualifier, '?');
	arena_finish(&arena);
}

/* ---- macros ---- */

static const char *
the_name(void *context)
{
	return context;
}

static void
expand(const char *macros, const char *client, const char *local, const char *expected)
{
	struct sockaddr_storage address;
	struct buf out;
	struct spf_macro_values values = {
		.local = view_of(local),
		.sender_domain = VIEW("email.example.com"),
		.domain = VIEW("current.example.com"),
		.helo = VIEW("mx helo"),
		.receiver = "gate.example.org",
		.client = &address,
		.now = 1234567890,
		.validated_name = the_name,
		.context = (void *)(uintptr_t) "host.example.net",
	};

	buf_init(&out, 4096);
	assert_null(spf_macro_check(view_of(macros), SPF_IN_EXPLANATION));
	assert_true(address_from_host(client, 25, &address));
	assert_true(spf_macro_expand(view_of(macros), &values, &out));
	assert_true(buf_add_char(&out, '\0'));
	assert_string_equal(out.p, expected);
	buf_finish(&out);
}

static void
test_macros(void **state)
{
	static const struct {
		const char *macros, *expected;
	} rows[] = {
		/* RFC 7208 7.4 */
		{ "%{s}", "strong-bad@email.example.com" },
		{ "%{o}", "email.example.com" },
		{ "%{d}", "current.example.com" },
		{ "%{d4}", "current.example.com" },
		{ "%{d3}", "current.example.com" },
		{ "%{d2}", "example.com" },
		{ "%{d1}", "com" },
		{ "%{dr}", "com.example.current" },
		{ "%{d2r}", "example.current" },
		{ "%{l}", "strong-bad" },
		{ "%{l-}", "strong.bad" },
		{ "%{lr}", "strong-bad" },
		{ "%{lr-}", "bad.strong" },
		{ "%{l1r-}", "strong" },
		{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
		{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
		{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
		    "bad.strong.lp.3.2.0.192.in-addr._spf.example.com" },
		{ "%{d2}.trusted-domains.example.net",
		    "example.com.trusted-domains.example.net" },
		/* the rest */
		{ "", "" },
		{ "no macro", "no macro" },
		{ "%%%_%-", "% %20" },
		{ "%{h}", "mx helo" },
		{ "%{H}", "mx%20helo" },
		{ "%{h1_}|%{h1-}", "mx helo|mx helo" },
		{ "%{p}", "host.example.net" },
		{ "%{p2}", "example.net" },
		{ "%{c} %{r} %{t}", "192.0.2.3 gate.example.org 1234567890" },
		{ "%{C}", "192.0.2.3" },
		{ "%{S}", "strong-bad%40email.example.com" },
		{ "%{D2R}", "example.current" },
		{ "%{d128}", "current.example.com" },
		{ "%{d99999999999999999999}", "current.example.com" },
		{ "%{s1@}", NULL },
		{ "%{o.-}", "email.example.com" },
		{ "%{l1-}", "bad" },
		{ "%{l2r-}", "bad.strong" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("# %s\n", rows[i].macros);
		if (rows[i].expected == NULL)
			assert_non_null(
			    spf_macro_check(view_of(rows[i].macros), SPF_IN_EXPLANATION));
		else
			expand(rows[i].macros, "192.0.2.3", "strong-bad", rows[i].expected);
	}
	print_message("# an IPv6 address\n");
	expand("%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01", "a",
	    "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example."
	    "com");
	expand("%{c}", "2001:DB8:0::CB01", "a", "2001:db8::cb01");
	print_message("# every delimiter\n");
	expand("%{l.-+,/_=}", "192.0.2.3", "a.b-c+d,e/f_g=h", "a.b.c.d.e.f.g.h");
	print_message("# empty parts stay\n");
	expand("%{l-}|%{l2-}", "192.0.2.3", "--a-", "..a.|a.");
}

static void
test_macro_grammar(void **state)
{
	static const struct {
		const char *macros;
		bool in_record, in_explanation;
	} rows[] = {
		{ "%{s}%{l}%{o}%{d}%{i}%{p}%{v}%{h}", true, true },
		{ "%{S}%{L}%{O}%{D}%{I}%{P}%{V}%{H}", true, true },
		{ "%{c}", false, true },
		{ "%{R}", false, true },
		{ "%{t}", false, true },
		{ "%{a}", false, false },
		{ "%{x}", false, false },
		{ "%", false, false },
		{ "a%", false, false },
		{ "%a", false, false },
		{ "% ", false, false },
		{ "%{", false, false },
		{ "%{}", false, false },
		{ "%{d", false, false },
		{ "%{d}}", true, true },
		{ "%{d}%", false, false },
		{ "%%%", false, false },
		{ "%(d)", false, false },
		{ "%{d0}", false, false },
		{ "%{d00}", false, false },
		{ "%{d01}", true, true },
		{ "%{dR}", true, true },
		{ "%{drr}", false, false },
		{ "%{dr2}", false, false },
		{ "%{d-1}", false, false },
		{ "%{d:}", false, false },
		{ "%{d.-+,/_=}", true, true },
		{ "a b", false, true },
		{ "a\tb", false, false },
		{ "\xef\xbb\xbf", false, false },
		{ "%{d\xff}", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct view v = view_of(rows[i].macros);

		print_message("# %s\n", rows[i].macros);
		assert_int_equal(spf_macro_check(v, SPF_IN_RECORD) == NULL, rows[i].in_record);
		assert_int_equal(
		    spf_macro_check(v, SPF_IN_EXPLANATION) == NULL, rows[i].in_explanation);
	}
	assert_non_null(spf_macro_check(view_make("a\0b", 3), SPF_IN_EXPLANATION));
}

static void
test_cap(void **state)
{
	struct sockaddr_storage address;
	struct spf_macro_values values = { .local = VIEW("0123456789"), .client = &address };
	struct buf out;

	(void)state;
	assert_true(address_from_host("192.0.2.3", 25, &address));
	buf_init(&out, 25);
	assert_true(spf_macro_expand(VIEW("%{l}%{l}"), &values, &out));
	buf_clear(&out);
	assert_false(spf_macro_expand(VIEW("%{l}%{l}%{l}"), &values, &out));
	assert_int_equal(out.len, 20);
	buf_finish(&out);
}

/* Eleven of them may be in memory for one sender, and 256 senders at a time. */
static void
test_too_many_terms(void **state)
{
	static char text[DNS_TXT_MAX + 1] = "v=spf1";
	struct arena arena;
	struct spf_record record;
	char why[SPF_WHY_MAX];

	(void)state;
	arena_init(&arena);
	memset(text + 6, ' ', sizeof(text) - 7);
	assert_true(spf_record_parse(view_of(text), &arena, &record, why));
	assert_int_equal(record.count, 0);
	for (size_t i = 7; i + 1 < sizeof(text); i += 2)
		text[i] = 'a';
	assert_false(spf_record_parse(view_of(text), &arena, &record, why));
	assert_string_equal(why, "8189 terms are too many");
	arena_finish(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_parsed_terms),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_macro_grammar),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_too_many_terms),
	};

	return cmocka_run_group_tests_name("spf_record", tests, NULL, NULL);
}
