/* SPDX-License-Identifier: MPL-2.0 */
/* The Authentication-Results field: written, read, and told from forged ones. */
#include "lib/mail/authres_field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

/* Writing. */

struct write_case {
	const char *name;
	struct authres results[2];
	size_t count;
	const char *login;
	const char *value;
};

#define SPF(...)                                                           \
	{                                                                  \
		.method = AUTHRES_SPF, .result = AUTHRES_PASS, __VA_ARGS__ \
	}
#define FROM(text) .properties = { { "smtp", "mailfrom", text } }, .property_count = 1

static const struct write_case write_cases[] = {
	{ "nothing is none", { { 0 } }, 0, NULL, "mx.example.org; none" },
	{ "one result with its property", { SPF(FROM("a@b.example")) }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=a@b.example" },
	{ "two results, in order",
	    { SPF(FROM("b.example")), { .method = AUTHRES_DMARC,
					  .result = AUTHRES_FAIL,
					  .comment = "p=reject",
					  .reason = "not aligned",
					  .properties = { { "header", "from", "c.example" } },
					  .property_count = 1 } },
	    2, NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=b.example;\r\n"
	    "\tdmarc=fail (p=reject) reason=\"not aligned\" header.from=c.example" },
	{ "who has logged in stands first", { SPF(FROM("b.example")) }, 1, "alice",
	    "mx.example.org;\r\n\tauth=pass (PLAIN) smtp.auth=alice;\r\n"
	    "\tspf=pass smtp.mailfrom=b.example" },
	{ "a login alone", { { 0 } }, 0, "alice@example.com",
	    "mx.example.org;\r\n\tauth=pass (PLAIN) smtp.auth=alice@example.com" },
	{ "a property of an internal type is not written",
	    { { .method = AUTHRES_ARC,
		.result = AUTHRES_PASS,
		.properties = { { "arc", "dmarc", "pass" }, { "header", "oldest-pass", "0" } },
		.property_count = 2 } },
	    1, NULL, "mx.example.org;\r\n\tarc=pass header.oldest-pass=0" },
	{ "a property whose type or name is no keyword is not written",
	    { { .method = AUTHRES_DKIM,
		.result = AUTHRES_NONE,
		.properties = { { "he ader", "d", "x" }, { "header", "d;", "x" },
		    { "header", "", "x" }, { "header", "d-", "x" } },
		.property_count = 4 } },
	    1, NULL, "mx.example.org;\r\n\tdkim=none" },
	{ "an IPv6 address stands in quotes", { SPF(FROM("2001:db8::1")) }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=\"2001:db8::1\"" },
	{ "base64 with a slash stands in quotes", { SPF(FROM("ab/+cd==")) }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=\"ab/+cd==\"" },
	{ "a domain behind an at sign does not", { SPF(FROM("@b.example")) }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=@b.example" },
	{ "an empty value is left out", { SPF(FROM("")) }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass" },
	{ "a re-written sender does not either",
	    { SPF(FROM("SRS0=ab=cd=b.example=joe@c.example")) }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=SRS0=ab=cd=b.example=joe@c.example" },
	{ "a local part that is no dot-atom stands in quotes", { SPF(FROM("a..b@c.example")) },
	    1, NULL, "mx.example.org;\r\n\tspf=pass smtp.mailfrom=\"a..b@c.example\"" },
	{ "an address at no domain stands in quotes", { SPF(FROM("a@[192.0.2.1]")) }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=\"a@[192.0.2.1]\"" },
	{ "line ends and blanks are encoded", { SPF(FROM("a\r\nX-Y: z\t")) }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=\"a%0D%0AX-Y:%20z%09\"" },
	{ "a second result in a value is encoded", { SPF(FROM("\"a; dmarc=pass (\"@b")) }, 1,
	    NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=%22a%3B%20dmarc%3Dpass%20%28%22@b" },
	{ "no value can say =pass, in any case", { SPF(FROM("dmarc=PaSS@b.example")) }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass smtp.mailfrom=dmarc%3DPaSS@b.example" },
	{ "UTF-8, DEL and the percent sign are encoded", { SPF(FROM("b\xc3\xbc\x7f%41@b")) }, 1,
	    NULL, "mx.example.org;\r\n\tspf=pass smtp.mailfrom=b%C3%BC%7F%2541@b" },
	{ "a reason is made plain",
	    { SPF(.reason = "a \"b\" \\ (c);\r\n d\xff\x01 dmarc=pass") }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass reason=\"a 'b' / [c], d?? dmarc:pass\"" },
	{ "a comment is made plain", { SPF(.comment = ")\\(; dkim=pass (\t\t\n") }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass (]/[, dkim:pass [)" },
	{ "an empty comment is none", { SPF(.comment = " \r\n", .reason = "") }, 1, NULL,
	    "mx.example.org;\r\n\tspf=pass" },
};

static void
test_writing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(write_cases); i++) {
		const struct write_case *c = &write_cases[i];
		const struct authres_field field = {
			.authserv_id = "mx.example.org",
			.results = c->results,
			.count = c->count,
			.login = c->login,
			.mechanism = "PLAIN",
		};
		struct buf out;

		buf_init(&out, AUTHRES_FIELD_MAX);
		assert_true(authres_field_write(&field, &out));
		if (!view_eq(buf_view(&out), view_of(c->value)))
			fail_msg(
			    "%s:\n%.*s\nnot\n%s", c->name, VIEW_ARG(buf_view(&out)), c->value);
		buf_finish(&out);
	}
}

static void
fill(char *text, size_t len, char c)
{
	memset(text, c, len);
	text[len] = '\0';
}

static void
test_long_values_are_left_out_not_cut(void **state)
{
	char fits[AUTHRES_VALUE_MAX + 1], over[AUTHRES_VALUE_MAX + 2], reason[5000];
	struct authres r = { .method = AUTHRES_DKIM, .result = AUTHRES_FAIL, .reason = reason };
	const struct authres_field field = { .authserv_id = "a", .results = &r, .count = 1 };
	struct buf out;
	struct view value;

	(void)state;
	fill(fits, AUTHRES_VALUE_MAX, 'f');
	fill(over, AUTHRES_VALUE_MAX + 1, 'z');
	fill(reason, sizeof(reason) - 1, 'r');
	r.properties[0] = (struct authres_property){ "header", "i", fits };
	r.properties[1] = (struct authres_property){ "header", "d", over };
	r.property_count = 2;
	buf_init(&out, AUTHRES_FIELD_MAX);
	assert_true(authres_field_write(&field, &out));
	value = buf_view(&out);
	assert_true(view_ends_nocase(value, view_of(fits)));
	assert_null(memchr(value.p, 'z', value.len));
	assert_in_range(value.len, 600, 700); /* the reason was cut */
	buf_finish(&out);
}

/* The largest field that results can make has room, and no line is over 998 octets. */
static void
test_the_largest_field_fits(void **state)
{
	static struct authres results[AUTHRES_MAX];
	char value[AUTHRES_VALUE_MAX + 1], text[1000];
	const struct authres_field field = { .authserv_id = "mx.example.org",
		.results = results,
		.count = AUTHRES_MAX,
		.login = value,
		.mechanism = text };
	struct buf out;
	struct view rest, line;

	(void)state;
	fill(value, sizeof(value) - 1, '=');
	fill(text, sizeof(text) - 1, 't');
	for (size_t i = 0; i < AUTHRES_MAX; i++) {
		results[i] = (struct authres){ .reason = text, .comment = text };
		results[i].property_count = AUTHRES_PROPERTIES_MAX;
		for (size_t j = 0; j < AUTHRES_PROPERTIES_MAX; j++)
			results[i].properties[j] = (struct authres_property){
				"abcdefghijklmnopqrstuvwxyzabcdefghijklmn",
				"abcdefghijklmnopqrstuvwxyzabcdefghijklmn", value
			};
	}
	buf_init(&out, AUTHRES_FIELD_MAX);
	assert_true(authres_field_write(&field, &out));
	assert_true(out.len > 90000);
	rest = buf_view(&out);
	while (view_split(&rest, '\n', &line))
		assert_in_range(line.len, 0, 998);
	buf_finish(&out);
}

/* Reading. */

struct read_case {
	const char *name;
	const char *value;
	const char *seen; /* "id|method=result{reason}[type.name=value]..."; NULL: refused */
};

static const struct read_case read_cases[] = {
	{ "the shortest one", "a.example; none", "a.example|" },
	{ "none needs no blank", "a.example;none", "a.example|" },
	{ "an identifier alone", "a.example", "a.example|" },
	{ "a version", "a.example 1; none", "a.example|" },
	{ "a semicolon at the end", "a.example; spf=pass;", "a.example|spf=pass" },
	{ "several results with properties",
	    "a; spf=pass smtp.mailfrom=x@b.example; DKIM=Fail header.d=c",
	    "a|spf=pass[smtp.mailfrom=x@b.example]dkim=fail[header.d=c]" },
	{ "folds and blanks everywhere",
	    " \r\n\ta \r\n ; \r\n spf \t=\r\n pass \r\n\tsmtp . mailfrom = x",
	    "a|spf=pass[smtp.mailfrom=x]" },
	{ "comments everywhere",
	    "(a(b)\\))a(c);(d)spf(e)=(f)pass(g)smtp(h).(i)mailfrom(j)=(k)x(l)",
	    "a|spf=pass[smtp.mailfrom=x]" },
	{ "a method's version", "a; spf/1=pass", "a|spf=pass" },
	{ "a reason in quotes", "a; spf=fail reason=\"it \\\"is\\\"; so\" smtp.helo=x",
	    "a|spf=fail{it \"is\"; so}[smtp.helo=x]" },
	{ "a quoted local part", "a; spf=pass smtp.mailfrom=\"x y\"@b.example",
	    "a|spf=pass[smtp.mailfrom=x y@b.example]" },
	{ "a fold in quotes is a blank", "a; spf=pass smtp.helo=\"x\r\n y\"",
	    "a|spf=pass[smtp.helo=x y]" },
	{ "an identifier in quotes", "\"a b\"; none", "a b|" },
	{ "values with slash, equals sign and colon", "a; dkim=pass header.b=a/b=: header.s=s",
	    "a|dkim=pass[header.b=a/b=:][header.s=s]" },
	{ "properties without a type", "a; dmarc=pass action=none header.from=b.example",
	    "a|dmarc=pass[.action=none][header.from=b.example]" },
	{ "much in comments, as one large provider writes",
	    "mx.a.example; dkim=pass header.i=@b.example header.s=s1 header.b=a/b+CdEf;\r\n"
	    "       spf=pass (a.example: domain of c@b.example designates 192.0.2.1 as "
	    "permitted sender) smtp.mailfrom=c@b.example;\r\n"
	    "       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=b.example",
	    "mx.a.example|dkim=pass[header.i=@b.example][header.s=s1][header.b=a/b+CdEf]"
	    "spf=pass[smtp.mailfrom=c@b.example]dmarc=pass[header.from=b.example]" },
	{ "a version and odd properties, as another one does",
	    "mx.a.example 1; dmarc=pass (p=reject sp=reject pct=100) action=none\r\n"
	    " header.from=b.example; arc=pass (0 oda=1 spf=[1,1,smtp.mailfrom=b.example]);\r\n"
	    " compauth=pass reason=100",
	    "mx.a.example|dmarc=pass[.action=none][header.from=b.example]arc=pass"
	    "compauth=pass{100}" },
	{ "local methods, URIs and counts, as a third one does",
	    "mx.a.example; x-tls=pass smtp.version=TLSv1.3 smtp.bits=256/256; bimi=pass "
	    "policy.authority-uri=https://b.example/c?d=e; iprev=pass policy.iprev=192.0.2.1 "
	    "(h.b.example)",
	    "mx.a.example|x-tls=pass[smtp.version=TLSv1.3][smtp.bits=256/256]"
	    "bimi=pass[policy.authority-uri=https://b.example/c?d=e]"
	    "iprev=pass[policy.iprev=192.0.2.1]" },
	{ "nothing at all", "", NULL },
	{ "blanks only", " \r\n ", NULL },
	{ "no identifier", "; spf=pass", NULL },
	{ "no identifier, but results", "spf=pass smtp.helo=x; dkim=pass", NULL },
	{ "two identifiers", "a b c; none", NULL },
	{ "none beside a result", "a; none; spf=pass", NULL },
	{ "a comment without an end", "a; spf=pass (oops", NULL },
	{ "a backslash before nothing", "a; spf=pass (oops\\", NULL },
	{ "a comment that was not begun", "a; spf=pass )", NULL },
	{ "quotes without an end", "a; spf=pass smtp.helo=\"x", NULL },
	{ "quotes that end in a backslash", "a; spf=pass smtp.helo=\"x\\", NULL },
	{ "a result without a method", "a; =pass", NULL },
	{ "a method without a result", "a; spf", NULL },
	{ "a method with an empty result", "a; spf=;", NULL },
	{ "a property without a value", "a; spf=pass smtp.helo=", NULL },
	{ "a property without a name", "a; spf=pass smtp.=x", NULL },
	{ "a word in place of a property", "a; spf=pass indeed", NULL },
	{ "an empty result in the middle", "a; spf=pass;; dkim=pass", NULL },
};

static void
print_reading(const struct authres_reading *r, struct buf *out)
{
	assert_true(buf_printf(out, "%s|", r->authserv_id));
	for (size_t i = 0; i < r->count; i++) {
		const struct authres_read_result *result = &r->results[i];

		assert_true(buf_printf(out, "%s=%s", result->method, result->result));
		if (result->reason != NULL)
			assert_true(buf_printf(out, "{%s}", result->reason));
		for (size_t j = 0; j < result->property_count; j++)
			assert_true(buf_printf(out, "[%s.%s=%s]", result->properties[j].type,
			    result->properties[j].name, result->properties[j].value));
	}
}

static void
test_reading(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
		const struct read_case *c = &read_cases[i];
		struct authres_reading reading;
		struct arena arena;
		struct buf out;

		arena_init(&arena);
		buf_init(&out, 4096);
		if (authres_field_read(view_of(c->value), &arena, &reading))
			print_reading(&reading, &out);
		else
			assert_true(buf_add_str(&out, "refused"));
		if (!view_eq(buf_view(&out), view_of(c->seen != NULL ? c->seen : "refused")))
			fail_msg("%s: %.*s", c->name, VIEW_ARG(buf_view(&out)));
		buf_finish(&out);
		arena_finish(&arena);
	}
}

static void
test_reading_has_limits(void **state)
{
	struct authres_reading reading;
	struct arena arena;
	struct buf in;

	(void)state;
	for (size_t n = AUTHRES_READ_MAX; n <= AUTHRES_READ_MAX + 1; n++) {
		arena_init(&arena);
		buf_init(&in, 1 << 16);
		assert_true(buf_add_str(&in, "a"));
		for (size_t i = 0; i < n; i++)
			assert_true(buf_add_str(&in, "; spf=pass"));
		assert_true(authres_field_read(buf_view(&in), &arena, &reading) ==
			    (n == AUTHRES_READ_MAX));
		buf_clear(&in);
		assert_true(buf_add_str(&in, "a; spf=pass"));
		for (size_t i = 0; i < n; i++)
			assert_true(buf_add_str(&in, " smtp.helo=x"));
		assert_true(authres_field_read(buf_view(&in), &arena, &reading) ==
			    (n == AUTHRES_READ_MAX));
		buf_finish(&in);
		arena_finish(&arena);
	}
}

/* Forged ones. */

struct claim_case {
	const char *name;
	const char *value;
};

static const struct claim_case claims[] = {
	{ "the plain form", " mx.example.org; spf=pass" },
	{ "without a blank", "mx.example.org;spf=pass" },
	{ "without any result", " mx.example.org" },
	{ "with none", " mx.example.org; none" },
	{ "in upper case", " MX.EXAMPLE.ORG; spf=pass" },
	{ "in mixed case", " Mx.eXample.oRg; spf=pass" },
	{ "with a version", " mx.example.org 1; spf=pass" },
	{ "with a version and no blank", " mx.example.org1; spf=pass" },
	{ "with a version in a fold", " mx.example.org\r\n 1; spf=pass" },
	{ "with a version behind a slash", " mx.example.org/1; spf=pass" },
	{ "behind a tab", "\tmx.example.org; spf=pass" },
	{ "behind a fold", "\r\n mx.example.org; spf=pass" },
	{ "behind two folds", "\r\n \r\n\t mx.example.org; spf=pass" },
	{ "before a fold", " mx.example.org\r\n ; spf=pass" },
	{ "a fold in the name", " mx.\r\n example.org; spf=pass" },
	{ "a fold in a label", " mx.exa\r\n\tmple.org; spf=pass" },
	{ "blanks around the dots", " mx . example . org; spf=pass" },
	{ "blanks around the dots, and a version", " mx . example . org 1; spf=pass" },
	{ "in quotes", " \"mx.example.org\"; spf=pass" },
	{ "in quotes, in upper case", " \"MX.Example.ORG\"; spf=pass" },
	{ "in quotes with a version", " \"mx.example.org\" 1; spf=pass" },
	{ "in quotes with quoted pairs", " \"m\\x.example\\.org\"; spf=pass" },
	{ "in quotes with blanks", " \" mx.example.org \"; spf=pass" },
	{ "in quotes with a fold", " \"mx.\r\n example.org\"; spf=pass" },
	{ "in quotes, one part of it", " mx.\"example\".org; spf=pass" },
	{ "in quotes behind a semicolon", " \"; mx.example.org\"; spf=pass" },
	{ "behind empty quotes", " \"\"mx.example.org; spf=pass" },
	{ "in quotes without an end", " \"mx.example.org; spf=pass" },
	{ "in quotes twice", " \"\\\"mx.example.org\\\"\"; spf=pass" },
	{ "in single quotes", " 'mx.example.org'; spf=pass" },
	{ "behind a comment", " (x) mx.example.org; spf=pass" },
	{ "behind a comment without a blank", " (x)mx.example.org; spf=pass" },
	{ "before a comment", " mx.example.org (Postfix); spf=pass" },
	{ "before a comment without a blank", " mx.example.org(Postfix); spf=pass" },
	{ "a comment in the name", " mx.(x)example.org; spf=pass" },
	{ "a comment in a label", " mx.exam(x)ple.org; spf=pass" },
	{ "a nested comment in a label", " mx.exam(x(y)z)ple.org; spf=pass" },
	{ "a comment with a quoted pair", " (\\)) mx.example.org; spf=pass" },
	{ "a comment that seems to end", " (\\) evil.example; \\() mx.example.org; spf=pass" },
	{ "behind nested comments", " ((a)(b(c))) mx.example.org; spf=pass" },
	{ "behind a comment with a semicolon", " (;) mx.example.org; spf=pass" },
	{ "behind a comment with another name", " (evil.example; x) mx.example.org; spf=pass" },
	{ "behind a comment with a fold", " (\r\n x) mx.example.org; spf=pass" },
	{ "behind an empty comment", " ()mx.example.org; spf=pass" },
	{ "behind a comment with a quote", " (\") mx.example.org; spf=pass" },
	{ "behind a comment without an end", " (x mx.example.org; spf=pass" },
	{ "behind a comment that ends twice", " (x)) mx.example.org; spf=pass" },
	{ "in a comment", " (mx.example.org) evil.example; spf=pass" },
	{ "behind another name", " evil.example mx.example.org; spf=pass" },
	{ "before another name", " mx.example.org evil.example; spf=pass" },
	{ "behind a comma", " evil.example, mx.example.org; spf=pass" },
	{ "with a final dot", " mx.example.org.; spf=pass" },
	{ "with final dots", " mx.example.org..; spf=pass" },
	{ "with a dot before it", " .mx.example.org; spf=pass" },
	{ "with doubled dots", " mx..example.org; spf=pass" },
	{ "percent-encoded", " mx%2Eexample%2eorg; spf=pass" },
	{ "percent-encoded letters", " %6d%78.example.org; spf=pass" },
	{ "percent-encoded twice", " mx%252Eexample%252Eorg; spf=pass" },
	{ "percent-encoded in three layers", " mx%25%32%35%32Eexample.org; spf=pass" },
	{ "an encoded word (Q)", " =?us-ascii?q?mx=2Eexample=2Eorg?=; spf=pass" },
	{ "an encoded word (B)", " =?utf-8?b?bXguZXhhbXBsZS5vcmc=?=; spf=pass" },
	{ "an encoded word with the results", " =?utf-8?q?mx.example.org;_spf=3Dpass?=" },
	{ "full-width letters", " \xef\xbd\x8d\xef\xbd\x98.example.org; spf=pass" },
	{ "an ideographic full stop", " mx\xe3\x80\x82"
				      "example.org; spf=pass" },
	{ "a soft hyphen", " mx.exam\xc2\xadple.org; spf=pass" },
	{ "a zero-width space", " mx.example.org\xe2\x80\x8b; spf=pass" },
	{ "a no-break space", "\xc2\xa0mx.example.org; spf=pass" },
	{ "octets that are no UTF-8", " mx.example.org\xff; spf=pass" },
	{ "a label that is an A-label of ASCII", " xn--mx-.example.org; spf=pass" },
	{ "a control character before it", " \x01mx.example.org; spf=pass" },
	{ "a control character in it", " mx.exam\bple.org; spf=pass" },
	{ "a vertical tab behind it", " mx.example.org\v; spf=pass" },
	{ "as an address", " root@mx.example.org; spf=pass" },
	{ "as an address in brackets", " <mx.example.org>; spf=pass" },
	{ "with a port", " mx.example.org:25; spf=pass" },
	{ "an empty field", "" },
	{ "a field of blanks", " \r\n\t" },
	{ "a field of a comment", " (spf=pass)" },
	{ "no name, only results", " spf=pass smtp.mailfrom=a@b.example; dkim=pass" },
	{ "no name, one result", " dmarc=pass" },
	{ "an empty name", " ; spf=pass" },
	{ "an empty name in quotes", " \"\"; mx.example.org; spf=pass" },
	{ "an equals sign as the name", " =; spf=pass" },
	{ "a name that is no token", " [x] y z; spf=pass" },
};

static const struct claim_case no_claims[] = {
	{ "another name", " mx.example.net; spf=pass" },
	{ "another one's field that names us in a result",
	    " mx.example.net; spf=pass smtp.helo=mx.example.org" },
	{ "another one's comment behind its name that does not name us",
	    " mx.example.net (mx.example.com); spf=pass" },
	{ "a comment behind the semicolon", " mx.example.net; spf=pass (mx.example.org)" },
	{ "a host below", " a.mx.example.org; spf=pass" },
	{ "the domain above", " example.org; spf=pass" },
	{ "a name that ends alike", " xmx.example.org; spf=pass" },
	{ "a name that begins alike", " mx.example.org.evil.example; spf=pass" },
	{ "a name that begins alike, with a hyphen", " mx.example.org-a; spf=pass" },
	{ "another one with a version", " mx.example.net 1; spf=pass" },
	{ "another one in quotes", " \"mx.example.net\"; spf=pass" },
	{ "a U-label of another domain", " b\xc3\xbc"
					 "cher.example; spf=pass" },
	{ "a letter that only looks alike", " mx.ex\xd0\xb0mple.org; spf=pass" },
	{ "no domain at all", " amavis-1; spf=pass" },
	{ "results that nobody can read", " mx.example.net; spf pass \" (" },
	{ "a percent sign that encodes nothing", " 100%zz.example.net; spf=pass" },
};

static void
test_forged_fields_are_told(void **state)
{
	(void)state;
	assert_true(ARRAY_LEN(claims) >= 60);
	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		if (!authres_field_is_claim(view_of(claims[i].value), "mx.example.org"))
			fail_msg("%s: %s", claims[i].name, claims[i].value);
	}
	for (size_t i = 0; i < ARRAY_LEN(no_claims); i++) {
		if (authres_field_is_claim(view_of(no_claims[i].value), "mx.example.org"))
			fail_msg("%s: %s", no_claims[i].name, no_claims[i].value);
	}
}

static void
test_unicode_names_are_compared_as_a_labels(void **state)
{
	const char *id = "mx.xn--bcher-kva.example";

	(void)state;
	assert_true(authres_field_is_claim(VIEW(" mx.b\xc3\xbc"
						"cher.example; spf=pass"),
	    id));
	assert_true(authres_field_is_claim(VIEW(" MX.B\xc3\x9c"
						"CHER.example.; spf=pass"),
	    id));
	assert_true(authres_field_is_claim(VIEW(" mx.b%C3%BC"
						"cher.example; spf=pass"),
	    id));
	assert_true(authres_field_is_claim(VIEW(" MX.XN--BCHER-KVA.example; spf=pass"), id));
	assert_false(authres_field_is_claim(VIEW(" mx.bucher.example; spf=pass"), id));
}

static void
test_endless_words_are_claims(void **state)
{
	char text[3000];

	(void)state;
	fill(text, sizeof(text) - 1, '.');
	memcpy(text, "mx.example.org", 14);
	assert_true(authres_field_is_claim(view_of(text), "mx.example.org"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_long_values_are_left_out_not_cut),
		cmocka_unit_test(test_the_largest_field_fits),
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_reading_has_limits),
		cmocka_unit_test(test_forged_fields_are_told),
		cmocka_unit_test(test_unicode_names_are_compared_as_a_labels),
		cmocka_unit_test(test_endless_words_are_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
