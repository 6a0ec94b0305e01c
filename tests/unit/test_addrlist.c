/* SPDX-License-Identifier: MPL-2.0 */
/* Address lists: what parses, to which addresses, and every known way to make two parsers
 * disagree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/mail/addrlist.h"

#include <stdio.h>
#include <stdlib.h>

/* A value that may hold NUL. */
#define V(text)                          \
	{                                \
		(text), sizeof(text) - 1 \
	}

struct good_row {
	const char *name;
	struct view value;
	/* The addresses, joined by a blank; one written in an unusual way has "~" before it. */
	const char *expected;
};

static const struct good_row good_rows[] = {
	{ "a bare address", V("alice@example.com"), "alice@example.com" },
	{ "a blank before, as headers have it", V(" alice@example.com"), "alice@example.com" },
	{ "blanks behind", V("alice@example.com \t "), "alice@example.com" },
	{ "the domain is put in lower case, the local part is not", V("Alice@EXAMPLE.com"),
	    "Alice@example.com" },
	{ "a display name", V("Alice Smith <alice@example.com>"), "alice@example.com" },
	{ "an angle address alone", V("<alice@example.com>"), "alice@example.com" },
	{ "a quoted display name", V("\"Smith, Alice\" <alice@example.com>"),
	    "alice@example.com" },
	{ "a quoted display name that looks like an address",
	    V("\"bob@example.net\" <alice@example.com>"), "alice@example.com" },
	{ "a quoted display name with escapes", V("\"A \\\"x\\\" \\\\\" <alice@example.com>"),
	    "alice@example.com" },
	{ "a quoted display name, folded", V("\"Alice\r\n Smith\"\r\n\t<alice@example.com>"),
	    "alice@example.com" },
	{ "a display name with dots (obs-phrase)", V("Alice B. Smith <alice@example.com>"),
	    "alice@example.com" },
	{ "a display name ending in a dot", V("J.R.R. <j@example.com>"), "j@example.com" },
	{ "quoted and bare words mixed", V("The \"Boss\" <alice@example.com>"),
	    "alice@example.com" },
	{ "quoted and bare words without a blank", V("The\"Boss\"<alice@example.com>"),
	    "alice@example.com" },
	{ "an encoded-word is an atom", V("=?utf-8?Q?Andr=C3=A9?= <andre@example.com>"),
	    "andre@example.com" },
	{ "an encoded-word that hides an address is still an atom",
	    V("=?utf-8?B?Ym9iQGV4YW1wbGUubmV0?= <alice@example.com>"), "alice@example.com" },
	{ "a display name in UTF-8", V("J\xc3\xb6rg M\xc3\xbcller <joerg@example.com>"),
	    "joerg@example.com" },
	{ "the old form with a comment", V("alice@example.com (Alice Smith)"),
	    "alice@example.com" },
	{ "a comment that looks like an address", V("alice@example.com (bob@example.net)"),
	    "alice@example.com" },
	{ "a comment that looks like an angle address",
	    V("(<bob@example.net>,) alice@example.com"), "alice@example.com" },
	{ "a comment behind the angle address", V("A <alice@example.com> (work)"),
	    "alice@example.com" },
	{ "a quote in a comment is no quote", V("(\") <alice@example.com> (\")"),
	    "alice@example.com" },
	{ "a parenthesis in a quoted string is no comment",
	    V("\"(\" <alice@example.com>, \")\" <b@c.d>"), "alice@example.com b@c.d" },
	{ "escaped parentheses in a comment", V("(\\) \\( \\\\) alice@example.com"),
	    "alice@example.com" },
	{ "comments nested as deep as they may", V("((((((((x)))))))) alice@example.com"),
	    "alice@example.com" },
	{ "comments one behind the other do not nest",
	    V("(1)(2)(3)(4)(5)(6)(7)(8)(9)(10) alice@example.com"), "alice@example.com" },
	{ "two addresses", V("alice@example.com, Bob <bob@example.net>"),
	    "alice@example.com bob@example.net" },
	{ "folded between addresses", V(" alice@example.com,\r\n bob@example.net"),
	    "alice@example.com bob@example.net" },
	{ "a fold at the very beginning", V("\r\n alice@example.com"), "alice@example.com" },
	{ "empty elements (obs-addr-list)", V(",, alice@example.com,,bob@example.net , (x) ,"),
	    "alice@example.com bob@example.net" },
	{ "a group", V("Team: alice@example.com, Bob <bob@example.net>;"),
	    "alice@example.com bob@example.net" },
	{ "a group with a quoted name, then an address",
	    V("\"Our Team\": alice@example.com ;, carol@example.org"),
	    "alice@example.com carol@example.org" },
	{ "a group with empty elements (obs-group-list)", V("Team:,, alice@example.com,;"),
	    "alice@example.com" },
	{ "an empty group beside an address", V("Undisclosed: (nobody) ;, alice@example.com"),
	    "alice@example.com" },
	{ "all of atext", V("!#$%&'*+-/=?^_`{|}~a9@example.com"),
	    "!#$%&'*+-/=?^_`{|}~a9@example.com" },
	{ "a dot-atom", V("a.b.c@example.com"), "a.b.c@example.com" },
	{ "a subaddress", V("alice+lists=x@example.com"), "alice+lists=x@example.com" },
	{ "a percent sign is no route", V("bob%example.net@example.com"),
	    "bob%example.net@example.com" },
	{ "a bang is no route", V("example.net!bob@example.com"),
	    "example.net!bob@example.com" },
	{ "an underscore in a domain", V("a@my_host.example.com"), "a@my_host.example.com" },
	{ "a domain of one label", V("root@localhost"), "root@localhost" },
	{ "an IPv4 literal", V("alice@[192.0.2.1]"), "alice@[192.0.2.1]" },
	{ "an IPv6 literal is kept as written", V("<alice@[IPv6:2001:DB8::1]>"),
	    "alice@[IPv6:2001:DB8::1]" },
	{ "a U-label becomes an A-label",
	    V("a@B\xc3\x9c"
	      "CHER.example"),
	    "a@xn--bcher-kva.example" },
	{ "the same domain as an A-label", V("a@XN--BCHER-KVA.example"),
	    "a@xn--bcher-kva.example" },
	{ "a local part in UTF-8", V("j\xc3\xb6rg@example.com"), "j\xc3\xb6rg@example.com" },

	{ "a quoted local part that needs no quotes", V("\"alice\"@example.com"),
	    "~alice@example.com" },
	{ "a quoted local part that needs them", V("\"alice smith\"@example.com"),
	    "~\"alice smith\"@example.com" },
	{ "a quoted local part that looks like an address",
	    V("\"bob@example.net\"@example.com"), "~\"bob@example.net\"@example.com" },
	{ "a quoted local part that looks like an angle address",
	    V("\"<bob@example.net>\"@example.com"), "~\"<bob@example.net>\"@example.com" },
	{ "escapes in a local part go where they are not needed",
	    V("\"\\a\\\"\\\\b\"@example.com"), "~\"a\\\"\\\\b\"@example.com" },
	{ "an empty quoted local part", V("\"\"@example.com"), "~\"\"@example.com" },
	{ "a local part of quoted and bare words (obs-local-part)",
	    V("\"a b\".c.\"d\"@example.com"), "~\"a b.c.d\"@example.com" },
	{ "quotes around dots that would not do without", V("\".a.\"@example.com"),
	    "~\".a.\"@example.com" },
	{ "a fold in a quoted local part is the blank it ends in", V("\"a\r\n b\"@example.com"),
	    "~\"a b\"@example.com" },
	{ "blanks around the dots of a local part (obs-local-part)", V("a . b@example.com"),
	    "~a.b@example.com" },
	{ "blanks around the at sign", V("alice @ example.com"), "~alice@example.com" },
	{ "a comment before the at sign", V("alice(x)@example.com"), "~alice@example.com" },
	{ "a comment behind the at sign", V("alice@(example.net)example.com"),
	    "~alice@example.com" },
	{ "blanks around the dots of a domain (obs-domain)", V("alice@example .\r\n com"),
	    "~alice@example.com" },
	{ "a comment within a domain", V("alice@example(.net).com"), "~alice@example.com" },
	{ "a comment that seems to make the domain longer",
	    V("alice@example.com(.example.net)"), "alice@example.com" },
	{ "blanks in an angle address", V("< alice@example.com >"), "~alice@example.com" },
	{ "a comment in an angle address", V("<alice@example.com(bob@example.net)>"),
	    "~alice@example.com" },
	{ "a route", V("<@example.net:alice@example.com>"), "~alice@example.com" },
	{ "a route of several domains with blanks and empty elements",
	    V("A <@example.net, ,@example.org : alice@example.com>"), "~alice@example.com" },
	{ "unusual is one mailbox, not its neighbours",
	    V("a@example.com, \"b\"@example.com, B C. <c@example.com>"),
	    "a@example.com ~b@example.com c@example.com" },
};

struct bad_row {
	const char *name;
	struct view value;
	enum addrlist_status status;
};

static const struct bad_row bad_rows[] = {
	{ "nothing", V(""), ADDRLIST_EMPTY },
	{ "blanks and a comment", V(" \t(nobody)\r\n (at all) "), ADDRLIST_EMPTY },
	{ "commas", V(" , ,"), ADDRLIST_EMPTY },
	{ "an empty group", V("Undisclosed recipients:;"), ADDRLIST_EMPTY },

	/* no address */
	{ "a word", V("alice"), ADDRLIST_SYNTAX },
	{ "a quoted string", V("\"alice@example.com\""), ADDRLIST_SYNTAX },
	{ "the null reverse-path", V("<>"), ADDRLIST_SYNTAX },
	{ "an angle address without at sign", V("Alice <alice>"), ADDRLIST_SYNTAX },
	{ "no local part", V("@example.com"), ADDRLIST_SYNTAX },
	{ "no domain", V("alice@"), ADDRLIST_SYNTAX },
	{ "no domain, but a comment", V("alice@(example.com)"), ADDRLIST_SYNTAX },
	{ "no domain in angle brackets", V("<alice@>"), ADDRLIST_SYNTAX },
	{ "a word behind a good address", V("alice@example.com, bob"), ADDRLIST_SYNTAX },

	/* two addresses in one mailbox */
	{ "two at signs", V("alice@example.com@example.net"), ADDRLIST_SYNTAX },
	{ "two at signs in angle brackets", V("<alice@example.com@example.net>"),
	    ADDRLIST_SYNTAX },
	{ "two addresses with a blank between", V("alice@example.com bob@example.net"),
	    ADDRLIST_SYNTAX },
	{ "two addresses with a comment between", V("alice@example.com(,)bob@example.net"),
	    ADDRLIST_SYNTAX },
	{ "two addresses with a semicolon between", V("alice@example.com; bob@example.net"),
	    ADDRLIST_SYNTAX },
	{ "two addresses in angle brackets", V("<alice@example.com,bob@example.net>"),
	    ADDRLIST_SYNTAX },
	{ "two addresses in angle brackets with a blank",
	    V("<alice@example.com bob@example.net>"), ADDRLIST_SYNTAX },
	{ "two angle addresses", V("<alice@example.com> <bob@example.net>"), ADDRLIST_SYNTAX },
	{ "two angle addresses without a blank", V("<alice@example.com><bob@example.net>"),
	    ADDRLIST_SYNTAX },
	{ "an address as display name", V("alice@example.com <bob@example.net>"),
	    ADDRLIST_SYNTAX },
	{ "an address as display name, folded", V("alice@example.com\r\n <bob@example.net>"),
	    ADDRLIST_SYNTAX },
	{ "an address behind the angle address", V("<alice@example.com> bob@example.net"),
	    ADDRLIST_SYNTAX },
	{ "a domain behind the angle address", V("<alice@example.com>c@example.net"),
	    ADDRLIST_SYNTAX },
	{ "an at sign behind the angle address", V("<alice@example.com>@example.net"),
	    ADDRLIST_SYNTAX },
	{ "an escaped at sign behind the angle address", V("<alice@example.com>\\@example.net"),
	    ADDRLIST_SYNTAX },
	{ "a word behind the angle address", V("<alice@example.com> Alice"), ADDRLIST_SYNTAX },
	{ "a quoted string behind the angle address", V("<alice@example.com> \"Alice\""),
	    ADDRLIST_SYNTAX },
	{ "a quoted string behind an address", V("alice@example.com \"Alice\""),
	    ADDRLIST_SYNTAX },
	{ "a word behind an address", V("alice@example.com Alice"), ADDRLIST_SYNTAX },
	{ "angle brackets in angle brackets", V("<<alice@example.com>>"), ADDRLIST_SYNTAX },
	{ "a second angle bracket in the display name", V("A <B <alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "a display name within the angle brackets", V("<Alice alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "a word before a bare address", V("Alice alice@example.com"), ADDRLIST_SYNTAX },
	{ "a quoted string before a bare address", V("\"Alice\" alice@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a quoted string glued to an atom", V("\"bob\"alice@example.com"), ADDRLIST_SYNTAX },
	{ "a local part broken by a fold", V("ali\r\n ce@example.com"), ADDRLIST_SYNTAX },
	{ "a domain broken by a fold", V("alice@example.com\r\n example.net"),
	    ADDRLIST_SYNTAX },
	{ "a domain broken by a comment", V("alice@exa()mple.com"), ADDRLIST_SYNTAX },

	/* brackets and groups that do not close, or close too often */
	{ "an angle bracket that does not close", V("Alice <alice@example.com"),
	    ADDRLIST_SYNTAX },
	{ "an angle bracket that does not open", V("alice@example.com>"), ADDRLIST_SYNTAX },
	{ "a comma within open angle brackets", V("<alice@example.com, <bob@example.net>"),
	    ADDRLIST_SYNTAX },
	{ "a quote that does not close", V("\"Alice <alice@example.com>"), ADDRLIST_SYNTAX },
	{ "a quote that closes escaped", V("\"Alice\\\" <alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "a lone backslash at the end of a quote", V("\"Alice\\"), ADDRLIST_SYNTAX },
	{ "a comment that does not close", V("alice@example.com (Alice"), ADDRLIST_SYNTAX },
	{ "a comment that closes escaped", V("alice@example.com (Alice\\)"), ADDRLIST_SYNTAX },
	{ "a lone backslash at the end of a comment", V("alice@example.com (\\"),
	    ADDRLIST_SYNTAX },
	{ "a comment that closes twice", V("alice@example.com (Alice))"), ADDRLIST_SYNTAX },
	{ "a group that does not close", V("Team: alice@example.com"), ADDRLIST_SYNTAX },
	{ "a group that does not open", V("alice@example.com;"), ADDRLIST_SYNTAX },
	{ "a group in a group", V("A: B: alice@example.com;;"), ADDRLIST_SYNTAX },
	{ "a group without a name", V(": alice@example.com;"), ADDRLIST_SYNTAX },
	{ "an address as the name of a group", V("alice@example.com: bob@example.net;"),
	    ADDRLIST_SYNTAX },
	{ "a group's name that begins with a dot", V(".x: bob@example.net;"), ADDRLIST_SYNTAX },
	{ "an address right behind a group", V("A:; alice@example.com"), ADDRLIST_SYNTAX },
	{ "an angle address right behind a group", V("A: a@b.c; <alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "a group in angle brackets", V("<A: alice@example.com;>"), ADDRLIST_SYNTAX },
	{ "a lone semicolon", V(";"), ADDRLIST_SYNTAX },
	{ "a group that closes twice", V("A: a@b.c;;"), ADDRLIST_SYNTAX },

	/* dots */
	{ "a local part that begins with a dot", V(".alice@example.com"), ADDRLIST_SYNTAX },
	{ "a local part that ends in a dot", V("alice.@example.com"), ADDRLIST_SYNTAX },
	{ "two dots in a local part", V("a..b@example.com"), ADDRLIST_SYNTAX },
	{ "two dots in a local part with a comment between", V("a.(x).b@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a domain that begins with a dot", V("alice@.example.com"), ADDRLIST_SYNTAX },
	{ "a domain that ends in a dot", V("alice@example.com."), ADDRLIST_SYNTAX },
	{ "two dots in a domain", V("alice@example..com"), ADDRLIST_SYNTAX },
	{ "a display name that begins with a dot", V(".Alice <alice@example.com>"),
	    ADDRLIST_SYNTAX },

	/* routes */
	{ "a route without its colon", V("<@example.net alice@example.com>"), ADDRLIST_SYNTAX },
	{ "a route with words in it", V("<@example.net x:alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "a route with a bad domain", V("<@exa%mple.net:alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "a route without an address", V("<@example.net:>"), ADDRLIST_SYNTAX },
	{ "a route outside of angle brackets", V("@example.net:alice@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a route behind a comma", V("<,@example.net:alice@example.com>"), ADDRLIST_SYNTAX },
	{ "two routes", V("<@a.example:@b.example:alice@example.com>"), ADDRLIST_SYNTAX },
	{ "an address as a route", V("<bob@example.net:alice@example.com>"), ADDRLIST_SYNTAX },

	/* domains */
	{ "a quoted domain", V("alice@\"example.com\""), ADDRLIST_SYNTAX },
	{ "an exclamation mark in a domain", V("alice@example.com!example.net"),
	    ADDRLIST_SYNTAX },
	{ "a percent sign in a domain", V("alice@example.com%example.net"), ADDRLIST_SYNTAX },
	{ "a slash in a domain", V("alice@example.com/example.net"), ADDRLIST_SYNTAX },
	{ "an encoded-word as domain", V("alice@=?utf-8?Q?example.com?="), ADDRLIST_SYNTAX },
	{ "a label over 63 octets",
	    V("a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com"),
	    ADDRLIST_SYNTAX },
	{ "a full-width at sign in a domain",
	    V("alice@example\xef\xbc\xa0"
	      "example.net"),
	    ADDRLIST_SYNTAX },
	{ "an ideographic full stop in a domain",
	    V("alice@example\xe3\x80\x82"
	      "com"),
	    ADDRLIST_SYNTAX },
	{ "full-width letters in a domain", V("alice@\xef\xbd\x85xample.com"),
	    ADDRLIST_SYNTAX },
	{ "a soft hyphen in a domain", V("alice@exam\xc2\xadple.com"), ADDRLIST_SYNTAX },
	{ "a zero-width space in a domain", V("alice@example\xe2\x80\x8b.com"),
	    ADDRLIST_SYNTAX },
	{ "an empty literal", V("alice@[]"), ADDRLIST_SYNTAX },
	{ "a literal with blanks", V("alice@[192.0.2.1 ]"), ADDRLIST_SYNTAX },
	{ "a literal with an escape", V("alice@[192.0.2.1\\]]"), ADDRLIST_SYNTAX },
	{ "a literal with an address in it", V("alice@[x@example.net]"), ADDRLIST_SYNTAX },
	{ "a literal with a comment in it", V("alice@[192.0.2.1(x)]"), ADDRLIST_SYNTAX },
	{ "a literal that does not close", V("alice@[192.0.2.1"), ADDRLIST_SYNTAX },
	{ "a literal with a domain behind it", V("alice@[192.0.2.1].example.com"),
	    ADDRLIST_SYNTAX },
	{ "a literal as the local part", V("[192.0.2.1]@example.com"), ADDRLIST_SYNTAX },
	{ "brackets in a display name", V("[List] <alice@example.com>"), ADDRLIST_SYNTAX },
	{ "a dot then a literal", V("alice@example.[192.0.2.1]"), ADDRLIST_SYNTAX },

	/* octets */
	{ "a NUL at the end", V("alice@example.com\0"), ADDRLIST_SYNTAX },
	{ "a NUL that hides the rest", V("alice@example.com\0@example.net"), ADDRLIST_SYNTAX },
	{ "a NUL in a quoted string", V("\"A\0B\" <alice@example.com>"), ADDRLIST_SYNTAX },
	{ "a NUL in a comment", V("alice@example.com (\0)"), ADDRLIST_SYNTAX },
	{ "an escaped NUL", V("\"\\\0\" <alice@example.com>"), ADDRLIST_SYNTAX },
	{ "a bare LF", V("alice@example.com,\n bob@example.net"), ADDRLIST_SYNTAX },
	{ "a bare CR", V("alice@example.com,\r bob@example.net"), ADDRLIST_SYNTAX },
	{ "a CRLF that is no fold", V("alice@example.com\r\nBcc: bob@example.net"),
	    ADDRLIST_SYNTAX },
	{ "a CRLF at the end", V("alice@example.com\r\n"), ADDRLIST_SYNTAX },
	{ "an escaped CRLF in a quoted string", V("\"A\\\r\n B\" <alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "an escaped CRLF in a comment", V("(A\\\r\n B) alice@example.com"), ADDRLIST_SYNTAX },
	{ "a folded line of blanks", V("alice@example.com\r\n \r\n , bob@example.net"),
	    ADDRLIST_SYNTAX },
	{ "a folded line of blanks at the end", V("alice@example.com\r\n \t"),
	    ADDRLIST_SYNTAX },
	{ "a folded line of blanks in a quoted string",
	    V("\"A\r\n \r\n B\" <alice@example.com>"), ADDRLIST_SYNTAX },
	{ "an escape character", V("\x1b[2J <alice@example.com>"), ADDRLIST_SYNTAX },
	{ "a backspace in a quoted string", V("\"A\bB\" <alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "a DEL", V("\"A\x7f\" <alice@example.com>"), ADDRLIST_SYNTAX },
	{ "a form feed", V("\falice@example.com"), ADDRLIST_SYNTAX },
	{ "NEL, a line end to some",
	    V("A\xc2\x85"
	      "B <alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "LINE SEPARATOR, a line end to some",
	    V("A\xe2\x80\xa8"
	      "B <alice@example.com>"),
	    ADDRLIST_SYNTAX },
	{ "PARAGRAPH SEPARATOR in a comment", V("alice@example.com (\xe2\x80\xa9)"),
	    ADDRLIST_SYNTAX },
	{ "Latin-1 in a display name", V("J\xf6rg <joerg@example.com>"), ADDRLIST_SYNTAX },
	{ "a Shift-JIS character that ends in a backslash",
	    V("\"\x83\\\" <alice@example.com>, \" <bob@example.net>"), ADDRLIST_SYNTAX },
	{ "an overlong at sign",
	    V("alice\xc1\x80"
	      "example.com"),
	    ADDRLIST_SYNTAX },
	{ "an overlong at sign of three octets", V("alice\xe0\x81\x80@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a surrogate", V("\xed\xa0\x80@example.com"), ADDRLIST_SYNTAX },
	{ "a code point over U+10FFFF", V("\xf4\x90\x80\x80@example.com"), ADDRLIST_SYNTAX },
	{ "UTF-8 cut short at the end", V("alice@example.com (\xe2\x80"), ADDRLIST_SYNTAX },
	{ "UTF-8 cut short by a quote", V("\"\xc3\" <alice@example.com>"), ADDRLIST_SYNTAX },
	{ "a backslash outside of quotes", V("alice\\@example.net@example.com"),
	    ADDRLIST_SYNTAX },

	/* local parts that others decode, drop, or turn around */
	{ "an encoded-word as local part", V("=?utf-8?Q?bob=40example.net?=@example.com"),
	    ADDRLIST_SYNTAX },
	{ "an encoded-word within a local part",
	    V("a=?x?q?=62=6f=62=40example.net=3e?=b@example.com"), ADDRLIST_SYNTAX },
	{ "an encoded-word in a quoted local part",
	    V("\"=?utf-8?Q?bob=40example.net?=\"@example.com"), ADDRLIST_SYNTAX },
	{ "an encoded-word pieced together by dots", V("\"=?utf-8\".\"?Q?a?=\"@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a full-width at sign in a local part",
	    V("bob\xef\xbc\xa0"
	      "example.net@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a small at sign in a local part",
	    V("bob\xef\xb9\xab"
	      "example.net@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a right-to-left override in a local part",
	    V("a\xe2\x80\xae"
	      "b@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a zero-width joiner in a local part",
	    V("ali\xe2\x80\x8d"
	      "ce@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a byte order mark before the address",
	    V("\xef\xbb\xbf"
	      "alice@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a no-break space in a local part",
	    V("bob\xc2\xa0"
	      "alice@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a tag character in a local part", V("alice\xf3\xa0\x81\x81@example.com"),
	    ADDRLIST_SYNTAX },
	{ "a deceptive character in a quoted local part",
	    V("\"bob\xef\xbc\xa0"
	      "example.net\"@example.com"),
	    ADDRLIST_SYNTAX },

	{ "comments nested too deep", V("(((((((((x))))))))) alice@example.com"),
	    ADDRLIST_TOO_DEEP },
};

static void
test_good_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
		const struct good_row *row = &good_rows[i];
		struct arena arena;
		struct mailbox *list;
		size_t count, offset;
		char got[512] = "";

		arena_init(&arena);
		enum addrlist_status status =
		    addrlist_parse(row->value, &arena, &list, &count, &offset);
		if (status != ADDRLIST_OK)
			fail_msg("%s: status %d at %zu", row->name, status, offset);
		for (size_t k = 0; k < count; k++) {
			size_t n = strlen(got);
			snprintf(got + n, sizeof(got) - n, "%s%s%s", k > 0 ? " " : "",
			    list[k].is_unusual ? "~" : "", list[k].address);
		}
		if (strcmp(got, row->expected) != 0)
			fail_msg("%s: got \"%s\", not \"%s\"", row->name, got, row->expected);
		arena_finish(&arena);
	}
}

static void
test_bad_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		const struct bad_row *row = &bad_rows[i];
		struct arena arena;
		struct mailbox *list;
		size_t count, offset;

		arena_init(&arena);
		enum addrlist_status status =
		    addrlist_parse(row->value, &arena, &list, &count, &offset);
		if (status != row->status || count != 0)
			fail_msg("%s: status %d, %zu mailboxes", row->name, status, count);
		if (offset > row->value.len)
			fail_msg(
			    "%s: trouble at %zu of %zu", row->name, offset, row->value.len);
		arena_finish(&arena);
	}
}

static void
test_parts_of_a_mailbox(void **state)
{
	static const struct {
		const char *name, *value, *local, *domain;
	} rows[] = {
		{ "a plain local part", "Alice.B@Example.COM", "Alice.B", "example.com" },
		{ "quotes and escapes are taken off", "\"a \\\"b\\\" \\\\ c\"@x.example",
		    "a \"b\" \\ c", "x.example" },
		{ "comments and folds are taken out", "a(1).\r\n b(2)@(3)x(4).example", "a.b",
		    "x.example" },
		{ "a tab stays in a quoted local part", "\"a\r\n\tb\"@x.example", "a\tb",
		    "x.example" },
		{ "a route leaves nothing", "<@r.example,@s.example:a@x.example>", "a",
		    "x.example" },
		{ "a literal is the domain", "a@[IPv6:::1]", "a", "[IPv6:::1]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena;
		struct mailbox *list;
		size_t count, offset;

		arena_init(&arena);
		if (addrlist_parse(view_of(rows[i].value), &arena, &list, &count, &offset) !=
			ADDRLIST_OK ||
		    count != 1)
			fail_msg("%s: does not parse", rows[i].name);
		if (strcmp(list[0].local, rows[i].local) != 0 ||
		    strcmp(list[0].domain, rows[i].domain) != 0)
			fail_msg("%s: got \"%s\" at \"%s\"", rows[i].name, list[0].local,
			    list[0].domain);
		arena_finish(&arena);
	}
}

static void
test_offset_says_where(void **state)
{
	static const struct {
		const char *value;
		size_t offset;
	} rows[] = {
		{ "alice@example.com@x", 17 },
		{ "<a@b.c>d@e.f", 7 },
		{ "a@b.c, bob, c@d.e", 10 },
		{ "a@b.c (x", 6 },
		{ "a@b.c, \"x", 7 },
		{ "a@b.c\x01", 5 },
		{ "a@b.c, bob@exa%mple.com", 10 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena;
		struct mailbox *list;
		size_t count, offset;

		arena_init(&arena);
		assert_int_equal(
		    addrlist_parse(view_of(rows[i].value), &arena, &list, &count, &offset),
		    ADDRLIST_SYNTAX);
		if (offset != rows[i].offset)
			fail_msg(
			    "%s: offset %zu, not %zu", rows[i].value, offset, rows[i].offset);
		arena_finish(&arena);
	}
}

/* A list of n times "a@b.c,". */
static enum addrlist_status
parse_many(size_t n)
{
	struct arena arena;
	struct mailbox *list;
	size_t count, offset;
	char *text = malloc(6 * n);

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 6 * i, "a@b.c,", 6);
	arena_init(&arena);
	enum addrlist_status status =
	    addrlist_parse(view_make(text, 6 * n), &arena, &list, &count, &offset);
	if (status == ADDRLIST_OK) {
		assert_int_equal(count, n);
		assert_string_equal(list[0].address, "a@b.c");
		assert_string_equal(list[n - 1].address, "a@b.c");
	}
	arena_finish(&arena);
	free(text);
	return status;
}

static void
test_number_of_mailboxes_has_a_cap(void **state)
{
	(void)state;
	assert_int_equal(parse_many(ADDRLIST_MAX), ADDRLIST_OK);
	assert_int_equal(parse_many(ADDRLIST_MAX + 1), ADDRLIST_TOO_MANY);
}

static void
test_long_hostile_values_end(void **state)
{
	static const char *const fills[] = { "(", "\"", "<", "\\", ",", ".", "a.", "a ", "@",
		":", "()", "a:;,", "=?", "[", "\r\n a", "<@a,", "\xc3\xa9" };
	const size_t octets = 512 * 1024;
	char *text = malloc(octets);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
		struct arena arena;
		struct mailbox *list;
		size_t count, offset, fill = strlen(fills[i]), len = octets / fill * fill;

		for (size_t k = 0; k < len; k += fill)
			memcpy(text + k, fills[i], fill);
		arena_init(&arena);
		if (addrlist_parse(view_make(text, len), &arena, &list, &count, &offset) ==
		    ADDRLIST_OK)
			fail_msg("\"%s\" again and again is an address list", fills[i]);
		arena_finish(&arena);
	}
	free(text);
}

static void
test_status_texts_differ(void **state)
{
	(void)state;
	for (int a = ADDRLIST_OK; a <= ADDRLIST_TOO_DEEP; a++) {
		for (int b = ADDRLIST_OK; b < a; b++)
			assert_string_not_equal(addrlist_status_text((enum addrlist_status)a),
			    addrlist_status_text((enum addrlist_status)b));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lists),
		cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_parts_of_a_mailbox),
		cmocka_unit_test(test_offset_says_where),
		cmocka_unit_test(test_number_of_mailboxes_has_a_cap),
		cmocka_unit_test(test_long_hostile_values_end),
		cmocka_unit_test(test_status_texts_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
