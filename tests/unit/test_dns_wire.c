/* SPDX-License-Identifier: MPL-2.0 */
/* DNS messages: names in both forms, a query's octets, and replies good and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/net/dns_wire.h"

#define L61 "cdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"
#define L62 "b" L61
#define L63 "a" L62
#define E10 "\\255\\255\\255\\255\\255\\255\\255\\255\\255\\255"
#define E60 E10 E10 E10 E10 E10 E10
#define OCTETS(literal)                        \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

static void
test_names_from_text(void **state)
{
	static const struct {
		const char *says;
		const char *text;
		const char *canonical; /* NULL: no name */
	} cases[] = {
		{ "a plain name", "Example.COM", "example.com" },
		{ "a final dot", "example.com.", "example.com" },
		{ "the root", ".", "." },
		{ "nothing", "", NULL },
		{ "two dots", "a..b", NULL },
		{ "a dot first", ".a", NULL },
		{ "an escaped dot is no end of a label", "a\\.b.c", "a\\046b.c" },
		{ "an octet by its number", "\\000\\255.c", "\\000\\255.c" },
		{ "a letter by its number", "\\065.c", "a.c" },
		{ "a backslash escaped", "a\\\\b", "a\\092b" },
		{ "a number over 255", "\\256.c", NULL },
		{ "a number of two digits", "\\25", NULL },
		{ "a number of two digits and a letter", "\\25x", NULL },
		{ "a backslash at the end", "a\\", NULL },
		{ "signs become numbers", "a!b_c-d", "a\\033b_c-d" },
		{ "a label of 63", L63, L63 },
		{ "a label of 64", "x" L63, NULL },
		{ "a label of 60 escaped octets", E60 ".c", E60 ".c" },
		{ "255 octets in all", L61 "." L63 "." L63 "." L63,
		    L61 "." L63 "." L63 "." L63 },
		{ "256 octets in all", L62 "." L63 "." L63 "." L63, NULL },
		{ "the longest text", E60 "." E60 "." E60 "." E60,
		    E60 "." E60 "." E60 "." E60 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned char wire[DNS_NAME_WIRE_MAX];
		char text[DNS_NAME_TEXT_MAX] = "";
		const size_t len = dns_name_to_wire(view_of(cases[i].text), wire);

		if (len > 0)
			(void)dns_name_to_text(wire, text);
		if ((len > 0) != (cases[i].canonical != NULL) ||
		    (len > 0 && strcmp(text, cases[i].canonical) != 0))
			fail_msg("%s: \"%s\"", cases[i].says, text);
	}
}

static void
test_a_query(void **state)
{
	static const char wanted[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
				     "\x07"
				     "example\x03"
				     "com\x00\x00\x10\x00\x01"
				     "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
	unsigned char name[DNS_NAME_WIRE_MAX], out[DNS_QUERY_MAX];

	(void)state;
	assert_int_equal(dns_name_to_wire(VIEW("Example.com"), name), 13);
	assert_int_equal(dns_wire_query(0x1234, name, DNS_TXT, true, out), sizeof(wanted) - 1);
	assert_memory_equal(out, wanted, sizeof(wanted) - 1);
	(void)dns_wire_query(0x1234, name, DNS_TXT, false, out);
	assert_int_equal(out[2], 0);
}

/*
 * Replies to "k.example.com": the header's flags and counts, then the sections. The question is
 * at 12, its parent "example.com" at 14, "com" at 22; the first record begins at 31.
 */
#define HEADER(flags, an, ns) "\x12\x34" flags "\x00\x01\x00" an "\x00" ns "\x00\x00"
#define QUESTION(type) \
	"\x01k\x07"    \
	"example\x03"  \
	"com\x00\x00" type "\x00\x01"
#define TXT	      "\x10"
#define Q	      "\xc0\x0c"
#define RR(type, ttl) "\x00" type "\x00\x01\x00\x00\x00" ttl "\x00"
#define SOA                                    \
	"\xc0\x0e" RR(                         \
	    "\x06", "\x1e") "\x18"             \
			    "\x01n\x00\x00"    \
			    "\x00\x00\x00\x01" \
			    "\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x14"

struct reply_case {
	const char *says;
	struct view wire;
	enum dns_type type;
	bool is_read;
	enum dns_status status;
	size_t count;
	uint32_t ttl_s;
	bool is_alias;
	const char *first;    /* data of the first record */
	const char *leads_to; /* or NULL */
};

static const struct reply_case reply_cases[] = {
	{ "a TXT of two strings is joined",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION(TXT) Q RR(TXT, "\x3c") "\x07\x02"
										      "ab\x03"
										      "cde"),
	    DNS_TXT, true, DNS_FOUND, 1, 60, false, "abcde", NULL },
	{ "an empty TXT",
	    OCTETS(
		HEADER("\x84\x00", "\x01", "\x00") QUESTION(TXT) Q RR(TXT, "\x3c") "\x01\x00"),
	    DNS_TXT, true, DNS_FOUND, 1, 60, false, "", NULL },
	{ "a string past the RDATA",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION(TXT) Q RR(TXT, "\x3c") "\x03\x03"
										      "ab"),
	    DNS_TXT, false, 0, 0, 0, false, NULL, NULL },
	{ "RDATA past the message",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION(TXT) Q RR(TXT, "\x3c") "\x09\x02"
										      "ab"),
	    DNS_TXT, false, 0, 0, 0, false, NULL, NULL },
	{ "fewer records than announced",
	    OCTETS(HEADER("\x84\x00", "\x02", "\x00") QUESTION(TXT) Q RR(TXT, "\x3c") "\x02\x01"
										      "a"),
	    DNS_TXT, false, 0, 0, 0, false, NULL, NULL },
	{ "the least TTL counts",
	    OCTETS(HEADER("\x84\x00", "\x02", "\x00") QUESTION(TXT)
		    Q RR(TXT, "\x3c") "\x02\x01"
				      "a" Q RR(TXT, "\x0a") "\x02\x01"
							    "b"),
	    DNS_TXT, true, DNS_FOUND, 2, 10, false, "a", NULL },
	{ "a record of another name is nobody's",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00")
		    QUESTION(TXT) "\xc0\x0e" RR(TXT, "\x3c") "\x02\x01"
							     "a"),
	    DNS_TXT, true, DNS_NODATA, 0, 0, false, NULL, NULL },
	{ "an MX with a compressed name",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x0f")
		    Q RR("\x0f", "\x3c") "\x06\x00\x0a\x01M\xc0\x0e"),
	    DNS_MX, true, DNS_FOUND, 1, 60, false, "m.example.com", NULL },
	{ "an MX of the root",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x0f")
		    Q RR("\x0f", "\x3c") "\x03\x00\x00\x00"),
	    DNS_MX, true, DNS_FOUND, 1, 60, false, ".", NULL },
	{ "octets behind the name",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x0f")
		    Q RR("\x0f", "\x3c") "\x04\x00\x00\x00\x00"),
	    DNS_MX, false, 0, 0, 0, false, NULL, NULL },
	{ "odd octets of a name",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x0c")
		    Q RR("\x0c", "\x3c") "\x06\x03"
					 "a.\xff\xc0\x16"),
	    DNS_PTR, true, DNS_FOUND, 1, 60, false, "a\\046\\255.com", NULL },
	{ "a pointer to itself",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x0c")
		    Q RR("\x0c", "\x3c") "\x02\xc0\x2b"),
	    DNS_PTR, false, 0, 0, 0, false, NULL, NULL },
	{ "a pointer forwards",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x0c")
		    Q RR("\x0c", "\x3c") "\x03\xc0\x2d\x00"),
	    DNS_PTR, false, 0, 0, 0, false, NULL, NULL },
	{ "two labels that point at each other",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x0c")
		    Q RR("\x0c", "\x3c") "\x04\x01"
					 "a\xc0\x2b"),
	    DNS_PTR, false, 0, 0, 0, false, NULL, NULL },
	{ "a label of an unknown kind",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x0c")
		    Q RR("\x0c", "\x3c") "\x02\x40\x00"),
	    DNS_PTR, false, 0, 0, 0, false, NULL, NULL },
	{ "an address of five octets",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x01")
		    Q RR("\x01", "\x3c") "\x05\x01\x02\x03\x04\x05"),
	    DNS_A, false, 0, 0, 0, false, NULL, NULL },
	{ "a CNAME and what it leads to",
	    OCTETS(HEADER("\x84\x00", "\x02", "\x00") QUESTION(TXT)
		    Q RR("\x05", "\x0a") "\x04\x01x\xc0\x0e"
					 "\xc0\x2b" RR(TXT, "\x3c") "\x02\x01"
								    "a"),
	    DNS_TXT, true, DNS_FOUND, 1, 10, true, "a", NULL },
	{ "a CNAME behind what it leads to",
	    OCTETS(HEADER("\x84\x00", "\x02", "\x00") QUESTION(TXT) "\x01x\xc0\x0e" RR(
		TXT, "\x3c") "\x02\x01"
			     "a" Q RR("\x05", "\x0a") "\x04\x01x\xc0\x0e"),
	    DNS_TXT, true, DNS_FOUND, 1, 10, true, "a", NULL },
	{ "a CNAME that leads out",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION(TXT)
		    Q RR("\x05", "\x0a") "\x03\x01x\x00"),
	    DNS_TXT, true, DNS_NODATA, 0, 0, true, NULL, "x" },
	{ "a CNAME to no such name",
	    OCTETS(HEADER("\x84\x03", "\x01", "\x01") QUESTION(TXT)
		    Q RR("\x05", "\x0a") "\x03\x01x\x00" SOA),
	    DNS_TXT, true, DNS_NXDOMAIN, 0, 10, true, NULL, NULL },
	{ "a CNAME to no data",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x01") QUESTION(TXT)
		    Q RR("\x05", "\x7a") "\x03\x01x\x00" SOA),
	    DNS_TXT, true, DNS_NODATA, 0, 20, true, NULL, NULL },
	{ "a CNAME to itself",
	    OCTETS(
		HEADER("\x84\x00", "\x01", "\x00") QUESTION(TXT) Q RR("\x05", "\x0a") "\x02" Q),
	    DNS_TXT, true, DNS_TEMPFAIL, 0, 0, false, NULL, NULL },
	{ "a CNAME that was asked for",
	    OCTETS(HEADER("\x84\x00", "\x01", "\x00") QUESTION("\x05")
		    Q RR("\x05", "\x0a") "\x03\x01x\x00"),
	    DNS_CNAME, true, DNS_FOUND, 1, 10, false, "x", NULL },
	{ "no such name", OCTETS(HEADER("\x84\x03", "\x00", "\x01") QUESTION(TXT) SOA), DNS_TXT,
	    true, DNS_NXDOMAIN, 0, 20, false, NULL, NULL },
	{ "no data", OCTETS(HEADER("\x84\x00", "\x00", "\x01") QUESTION(TXT) SOA), DNS_TXT,
	    true, DNS_NODATA, 0, 20, false, NULL, NULL },
	{ "no data and no SOA may not be kept",
	    OCTETS(HEADER("\x84\x00", "\x00", "\x00") QUESTION(TXT)), DNS_TXT, true, DNS_NODATA,
	    0, 0, false, NULL, NULL },
	{ "SERVFAIL", OCTETS(HEADER("\x80\x02", "\x00", "\x00") QUESTION(TXT)), DNS_TXT, true,
	    DNS_TEMPFAIL, 0, 0, false, NULL, NULL },
	{ "a truncated reply is not read",
	    OCTETS(HEADER("\x82\x00", "\x01", "\x00") QUESTION(TXT) Q RR(TXT, "\x3c") "\x02\x01"
										      "a"),
	    DNS_TXT, true, DNS_TEMPFAIL, 0, 0, false, NULL, NULL },
	{ "a query is no reply", OCTETS(HEADER("\x04\x00", "\x00", "\x00") QUESTION(TXT)),
	    DNS_TXT, false, 0, 0, 0, false, NULL, NULL },
	{ "the reply to another type",
	    OCTETS(HEADER("\x84\x00", "\x00", "\x00") QUESTION("\x01")), DNS_TXT, false, 0, 0,
	    0, false, NULL, NULL },
	{ "the reply to another name",
	    OCTETS(HEADER("\x84\x00", "\x00", "\x00") "\x01x\x07"
						      "example\x03"
						      "com\x00\x00" TXT "\x00\x01"),
	    DNS_TXT, false, 0, 0, 0, false, NULL, NULL },
	{ "the same name in capitals",
	    OCTETS(HEADER("\x84\x00", "\x00", "\x00") "\x01K\x07"
						      "EXAMPLE\x03"
						      "COM\x00\x00" TXT "\x00\x01"),
	    DNS_TXT, true, DNS_NODATA, 0, 0, false, NULL, NULL },
	{ "no question", OCTETS("\x12\x34\x84\x00\x00\x00\x00\x00\x00\x00\x00\x00"), DNS_TXT,
	    false, 0, 0, 0, false, NULL, NULL },
	{ "half a header", OCTETS("\x12\x34\x84\x00\x00\x01"), DNS_TXT, false, 0, 0, 0, false,
	    NULL, NULL },
};

static void
check_reply(const struct reply_case *c)
{
	unsigned char name[DNS_NAME_WIRE_MAX];
	struct dns_reply reply;
	struct arena arena;

	arena_init(&arena);
	assert_true(dns_name_to_wire(VIEW("k.example.com"), name) > 0);
	const bool is_read = dns_wire_read(c->wire, name, c->type, &arena, &reply);

	if (is_read != c->is_read)
		fail_msg("%s: it was%s read", c->says, is_read ? "" : " not");
	if (is_read) {
		const struct dns_answer *a = &reply.answer;

		if (reply.id != 0x1234 || a->status != c->status || a->count != c->count ||
		    a->ttl_s != c->ttl_s || a->is_alias != c->is_alias ||
		    (a->status == DNS_TEMPFAIL) != (a->why[0] != '\0'))
			fail_msg("%s: %s, %zu records, TTL %u, %s", c->says,
			    dns_status_name(a->status), a->count, a->ttl_s,
			    a->is_alias ? "an alias" : "no alias");
		if (c->first != NULL && !view_eq(a->records[0].data, view_of(c->first)))
			fail_msg("%s: \"%.*s\"", c->says, VIEW_ARG(a->records[0].data));
		if (!view_eq(view_of(reply.leads_to), view_of(c->leads_to)))
			fail_msg("%s: leads to %s", c->says, reply.leads_to);
	}
	arena_finish(&arena);
}

static void
test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reply_cases); i++)
		check_reply(&reply_cases[i]);
}

static void
test_a_reply_cut_anywhere_is_not_read(void **state)
{
	unsigned char name[DNS_NAME_WIRE_MAX];

	(void)state;
	assert_true(dns_name_to_wire(VIEW("k.example.com"), name) > 0);
	for (size_t i = 0; i < ARRAY_LEN(reply_cases); i++) {
		const struct reply_case *c = &reply_cases[i];

		for (size_t len = 0; c->status == DNS_FOUND && len < c->wire.len; len++) {
			struct dns_reply reply;
			struct arena arena;
			char *copy = test_malloc(len + 1);

			arena_init(&arena);
			memcpy(copy, c->wire.p, len);
			if (c->is_read &&
			    dns_wire_read(view_make(copy, len), name, c->type, &arena, &reply))
				fail_msg("%s: cut at %zu", c->says, len);
			test_free(copy);
			arena_finish(&arena);
		}
	}
}

static void
test_flags(void **state)
{
	const struct view wire = OCTETS(HEADER("\x84\x00", "\x00", "\x00") QUESTION(TXT));
	const struct view refused = OCTETS(HEADER("\x80\x05", "\x00", "\x00") QUESTION(TXT));
	unsigned char name[DNS_NAME_WIRE_MAX];
	struct dns_reply reply;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	assert_true(dns_name_to_wire(VIEW("k.example.com"), name) > 0);
	assert_true(dns_wire_read(wire, name, DNS_TXT, &arena, &reply));
	assert_true(reply.is_authoritative);
	assert_false(reply.is_truncated);
	assert_true(dns_wire_read(refused, name, DNS_TXT, &arena, &reply));
	assert_false(reply.is_authoritative);
	assert_int_equal(reply.rcode, DNS_RCODE_REFUSED);
	assert_string_equal(reply.answer.why, "REFUSED");
	arena_finish(&arena);
}

/* many - a reply of count TXT records, each of octets octets in strings of 255. */
static size_t
many(char *out, size_t count, size_t octets)
{
	size_t len = 31;

	memcpy(out, HEADER("\x84\x00", "\x00", "\x00") QUESTION(TXT), len);
	out[6] = (char)(count >> 8);
	out[7] = (char)count;
	for (size_t i = 0; i < count; i++) {
		size_t left = octets, rdata = octets + (octets + 254) / 255;

		memcpy(out + len, Q RR(TXT, "\x3c"), 11);
		out[len + 10] = (char)(rdata >> 8);
		out[len + 11] = (char)rdata;
		len += 12;
		while (left > 0) {
			const size_t piece = left < 255 ? left : 255;

			out[len++] = (char)piece;
			memset(out + len, 'x', piece);
			len += piece;
			left -= piece;
		}
	}
	return len;
}

static void
test_caps(void **state)
{
	static const struct {
		const char *says;
		size_t count, octets;
		enum dns_status status;
		size_t taken;
	} cases[] = {
		{ "128 records", 128, 10, DNS_FOUND, 128 },
		{ "129 records: the last one is dropped", 129, 10, DNS_FOUND, 128 },
		{ "2000 records", 2000, 10, DNS_FOUND, 128 },
		{ "a TXT of 16384 octets", 1, 16384, DNS_FOUND, 1 },
		{ "a TXT of 16385 octets", 1, 16385, DNS_TEMPFAIL, 0 },
	};
	static char wire[65536];
	unsigned char name[DNS_NAME_WIRE_MAX];

	(void)state;
	assert_true(dns_name_to_wire(VIEW("k.example.com"), name) > 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const size_t len = many(wire, cases[i].count, cases[i].octets);
		struct dns_reply reply;
		struct arena arena;

		arena_init(&arena);
		if (!dns_wire_read(view_make(wire, len), name, DNS_TXT, &arena, &reply) ||
		    reply.answer.status != cases[i].status ||
		    reply.answer.count != cases[i].taken)
			fail_msg("%s: %zu", cases[i].says, reply.answer.count);
		arena_finish(&arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_from_text),
		cmocka_unit_test(test_a_query),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_a_reply_cut_anywhere_is_not_read),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
