/* SPDX-License-Identifier: MPL-2.0 */
/* lib/net/proxy_header: both versions, whole and octet by octet. */
#include "lib/net/proxy_header.h"

#include "lib/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SIG    "\r\n\r\n\0\r\nQUIT\n"
#define A4     "\xc0\x00\x02\x07" /* 192.0.2.7 */
#define B4     "\xcb\x00\x71\x01"
#define PORTS  "\x9c\x40\x00\x19" /* 40000, 25 */
#define A6     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff" A4
#define ZERO6  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

/* result: "192.0.2.7:40000", "own" (the connection's address stays), "more", or the reason. */
struct row {
	const char *sentence;
	const char *octets;
	size_t len;
	const char *result;
};
#define ROW(sentence, text, result)                      \
	{                                                \
		sentence, text, sizeof(text) - 1, result \
	}

static const struct row v1_rows[] = {
	ROW("an IPv4 client is taken", "PROXY TCP4 192.0.2.7 203.0.113.1 40000 25\r\n",
	    "192.0.2.7:40000"),
	ROW("an IPv6 client is taken", "PROXY TCP6 2001:db8::7 2001:db8::1 40000 25\r\n",
	    "[2001:db8::7]:40000"),
	ROW("a mapped client is folded",
	    "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:203.0.113.1 1 25\r\n", "192.0.2.7:1"),
	ROW("the longest IPv6 line is taken",
	    "PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0007 "
	    "2001:0db8:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    "[2001:db8::7]:65535"),
	ROW("a loopback client is taken", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n",
	    "127.0.0.1:1"),
	ROW("port 0 is taken", "PROXY TCP4 192.0.2.7 203.0.113.1 0 0\r\n", "192.0.2.7:0"),
	ROW("UNKNOWN alone leaves the address", "PROXY UNKNOWN\r\n", "own"),
	ROW("UNKNOWN with a tail leaves the address",
	    "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "own"),
	ROW("a line without its end waits", "PROXY TCP4 192.0.2.7 203.0.113.1 40000 25",
	    "more"),
	ROW("a line that ends in CR waits", "PROXY UNKNOWN\r", "more"),
	ROW("nothing waits", "", "more"),
	ROW("five letters wait", "PROXY", "more"),
	ROW("a TLS hello is none", "\x16\x03\x01\x02", "there is no header"),
	ROW("an SMTP command is none", "EHLO client.test\r\n", "there is no header"),
	ROW("a command that begins alike is none", "PROXIES\r\n", "there is no header"),
	ROW("lower case is none", "proxy tcp4 192.0.2.7 203.0.113.1 1 25\r\n",
	    "there is no header"),
	ROW("a line that ends in LF is refused", "PROXY UNKNOWN\n",
	    "the line does not end in CRLF"),
	ROW("a CR within the line is refused", "PROXY UNK\rNOWN\r\n",
	    "the line does not end in CRLF"),
	ROW("a NUL is refused", "PROXY UNKNOWN \0\r\n", "the line holds what is not printable"),
	ROW("an octet over 0x7e is refused", "PROXY UNKNOWN \xc3\xa4\r\n",
	    "the line holds what is not printable"),
	ROW("a line over 107 octets is refused",
	    "PROXY UNKNOWN "
	    "0123456789012345678901234567890123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789\r\n",
	    "the line is too long"),
	ROW("no protocol is refused", "PROXY \r\n", "the protocol is unknown"),
	ROW("another protocol is refused", "PROXY UDP4 192.0.2.7 203.0.113.1 1 25\r\n",
	    "the protocol is unknown"),
	ROW("a protocol cut short is refused", "PROXY TCP 192.0.2.7 203.0.113.1 1 25\r\n",
	    "the protocol is unknown"),
	ROW("an IPv6 address as TCP4 is refused", "PROXY TCP4 2001:db8::7 203.0.113.1 1 25\r\n",
	    "an address is malformed"),
	ROW("an IPv4 address as TCP6 is refused", "PROXY TCP6 192.0.2.7 2001:db8::1 1 25\r\n",
	    "an address is malformed"),
	ROW("a name is refused", "PROXY TCP4 localhost 203.0.113.1 1 25\r\n",
	    "an address is malformed"),
	ROW("a malformed destination is refused", "PROXY TCP4 192.0.2.7 203.0.113 1 25\r\n",
	    "an address is malformed"),
	ROW("leading zeros in an address are refused",
	    "PROXY TCP4 192.0.02.7 203.0.113.1 1 25\r\n", "an address is malformed"),
	ROW("an address with a zone is refused", "PROXY TCP6 fe80::7%lo 2001:db8::1 1 25\r\n",
	    "an address is malformed"),
	ROW("two blanks are refused", "PROXY TCP4  192.0.2.7 203.0.113.1 1 25\r\n",
	    "an address is malformed"),
	ROW("a missing port is refused", "PROXY TCP4 192.0.2.7 203.0.113.1 1\r\n",
	    "a port is malformed"),
	ROW("an empty port is refused", "PROXY TCP4 192.0.2.7 203.0.113.1  25\r\n",
	    "a port is malformed"),
	ROW("a port over 65535 is refused", "PROXY TCP4 192.0.2.7 203.0.113.1 65536 25\r\n",
	    "a port is malformed"),
	ROW("a port with a leading zero is refused",
	    "PROXY TCP4 192.0.2.7 203.0.113.1 025 25\r\n", "a port is malformed"),
	ROW("a signed port is refused", "PROXY TCP4 192.0.2.7 203.0.113.1 +25 25\r\n",
	    "a port is malformed"),
	ROW("a word behind the ports is refused", "PROXY TCP4 192.0.2.7 203.0.113.1 1 25 x\r\n",
	    "something stands behind the ports"),
	ROW("a blank behind the ports is refused", "PROXY TCP4 192.0.2.7 203.0.113.1 1 25 \r\n",
	    "something stands behind the ports"),
	ROW("the unspecified address is refused", "PROXY TCP4 0.0.0.0 203.0.113.1 1 25\r\n",
	    "the client's address is none that a client has"),
	ROW("the broadcast address is refused",
	    "PROXY TCP4 255.255.255.255 203.0.113.1 1 25\r\n",
	    "the client's address is none that a client has"),
	ROW("a multicast address is refused", "PROXY TCP4 224.0.0.1 203.0.113.1 1 25\r\n",
	    "the client's address is none that a client has"),
	ROW("a multicast IPv6 address is refused", "PROXY TCP6 ff02::1 2001:db8::1 1 25\r\n",
	    "the client's address is none that a client has"),
	ROW("a mapped multicast address is refused", "PROXY TCP6 ::ffff:224.0.0.1 ::1 1 25\r\n",
	    "the client's address is none that a client has"),
};

static const struct row v2_rows[] = {
	ROW("an IPv4 client is taken", SIG "\x21\x11\x00\x0c" A4 B4 PORTS, "192.0.2.7:40000"),
	ROW("an IPv6 client is taken", SIG "\x21\x21\x00\x24" A6 A6 PORTS,
	    "[2001:db8::7]:40000"),
	ROW("a mapped client is folded", SIG "\x21\x21\x00\x24" MAPPED A6 PORTS,
	    "192.0.2.7:40000"),
	ROW("LOCAL leaves the address", SIG "\x20\x00\x00\x00", "own"),
	ROW("LOCAL with addresses leaves the address", SIG "\x20\x11\x00\x0c" A4 B4 PORTS,
	    "own"),
	ROW("LOCAL with a family of no meaning leaves the address", SIG "\x20\xff\x00\x02xx",
	    "own"),
	ROW("UNSPEC leaves the address", SIG "\x21\x00\x00\x00", "own"),
	ROW("UNSPEC with octets leaves the address", SIG "\x21\x00\x00\x03xyz", "own"),
	ROW("a TLV is skipped", SIG "\x21\x11\x00\x10" A4 B4 PORTS "\x04\x00\x01x",
	    "192.0.2.7:40000"),
	ROW("an empty TLV is skipped", SIG "\x21\x11\x00\x12" A4 B4 PORTS "\x04\0\0\x04\0\0",
	    "192.0.2.7:40000"),
	ROW("addresses that are cut off wait", SIG "\x21\x11\x00\x0c" A4 B4, "more"),
	ROW("a TLV that is still to come waits", SIG "\x21\x11\x00\x10" A4 B4 PORTS "\x04\x00",
	    "more"),
	ROW("a signature that is cut off waits", "\r\n\r\n\0\r\nQU", "more"),
	ROW("another signature is none", "\r\n\r\n\0\r\nQUOT\n", "there is no header"),
	ROW("empty lines are none", "\r\n\r\n\r\n", "there is no header"),
	ROW("version 1 in binary is refused", SIG "\x11\x11\x00\x0c" A4 B4 PORTS,
	    "the version or command is unknown"),
	ROW("an unknown command is refused", SIG "\x22\x11\x00\x0c" A4 B4 PORTS,
	    "the version or command is unknown"),
	ROW("UDP is refused", SIG "\x21\x12\x00\x0c" A4 B4 PORTS, "the protocol is not TCP"),
	ROW("an unknown family is refused", SIG "\x21\x41\x00\x0c" A4 B4 PORTS,
	    "the protocol is not TCP"),
	ROW("IPv4 without a transport is refused", SIG "\x21\x10\x00\x0c" A4 B4 PORTS,
	    "the protocol is not TCP"),
	ROW("a block too short for its addresses is refused",
	    SIG "\x21\x11\x00\x0b" A4 B4 PORTS, "the addresses are cut off"),
	ROW("an IPv6 block with IPv4's length is refused", SIG "\x21\x21\x00\x0c" A4 B4 PORTS,
	    "the addresses are cut off"),
	ROW("a TLV longer than the header is refused",
	    SIG "\x21\x11\x00\x10" A4 B4 PORTS "\x04\x00\x02x",
	    "a TLV is longer than the header"),
	ROW("a TLV without its length is refused",
	    SIG "\x21\x11\x00\x0e" A4 B4 PORTS "\x04\x00", "a TLV is cut off"),
	ROW("a header over the cap is refused at its length", SIG "\x21\x11\x10\x01",
	    "the header is too long"),
	ROW("a LOCAL header over the cap is refused too", SIG "\x20\x00\xff\xff",
	    "the header is too long"),
	ROW("the unspecified address is refused", SIG "\x21\x21\x00\x24" ZERO6 A6 PORTS,
	    "the client's address is none that a client has"),
	ROW("a multicast address is refused", SIG "\x21\x11\x00\x0c\xe0\0\0\x01" B4 PORTS,
	    "the client's address is none that a client has"),
};

static const char *
outcome(
    const struct proxy_header *h, enum proxy_header_status status, char text[ADDRESS_TEXT_MAX])
{
	if (status == PROXY_HEADER_MORE)
		return "more";
	if (status == PROXY_HEADER_REFUSED)
		return h->reason;
	if (!h->has_client)
		return "own";
	address_text(&h->client, text);
	return text;
}

static void
expect(const struct row *row, const char *got)
{
	if (strcmp(got, row->result) != 0)
		fail_msg("%s: wanted \"%s\", got \"%s\"", row->sentence, row->result, got);
}

/* The header with something behind it, at once: nothing of that is taken. */
static void
check_whole(const struct row *row)
{
	static const char behind[] = "\x16\x03\x01 behind";
	char octets[512], text[ADDRESS_TEXT_MAX];
	struct proxy_header h = { 0 };
	size_t used, len = row->len;

	memcpy(octets, row->octets, len);
	if (strcmp(row->result, "more") != 0) {
		memcpy(octets + len, behind, sizeof(behind));
		len += sizeof(behind);
	}
	enum proxy_header_status status = proxy_header_feed(&h, view_make(octets, len), &used);
	expect(row, outcome(&h, status, text));
	if (status == PROXY_HEADER_REFUSED ? used > row->len : used != row->len)
		fail_msg("%s: %zu octets of %zu were taken", row->sentence, used, row->len);
}

static void
check_octets(const struct row *row)
{
	enum proxy_header_status status = PROXY_HEADER_MORE;
	struct proxy_header h = { 0 };
	char text[ADDRESS_TEXT_MAX];
	size_t used;

	for (size_t i = 0; i < row->len && status == PROXY_HEADER_MORE; i++) {
		status = proxy_header_feed(&h, view_make(row->octets + i, 1), &used);
		if (used != 1)
			fail_msg("%s: an octet was not taken", row->sentence);
	}
	expect(row, outcome(&h, status, text));
}

static void
test_v1(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v1_rows); i++) {
		check_whole(&v1_rows[i]);
		check_octets(&v1_rows[i]);
	}
}

static void
test_v2(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v2_rows); i++) {
		check_whole(&v2_rows[i]);
		check_octets(&v2_rows[i]);
	}
}

/* The largest header there may be: one long TLV, or (family 0x31) a local socket's names too.
 */
static void
test_large(void **state)
{
	static const struct {
		unsigned char family;
		size_t addresses;
		const char *result;
	} rows[] = { { 0x11, 12, "192.0.2.7:40000" }, { 0x31, 216, "own" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned char octets[16 + PROXY_HEADER_BLOCK_MAX] = { 0 };
		const size_t tlv = 16 + rows[i].addresses, rest = sizeof(octets) - tlv - 3;
		struct proxy_header h = { 0 };
		char text[ADDRESS_TEXT_MAX];
		size_t used;

		memcpy(octets, SIG "\x21\0\x10\0" A4 B4 PORTS, 16 + 12);
		octets[13] = rows[i].family;
		octets[tlv] = 0x20;
		octets[tlv + 1] = (unsigned char)(rest >> 8);
		octets[tlv + 2] = (unsigned char)rest;
		enum proxy_header_status status =
		    proxy_header_feed(&h, view_make((char *)octets, sizeof(octets)), &used);
		assert_string_equal(outcome(&h, status, text), rows[i].result);
		assert_int_equal(used, sizeof(octets));
	}
}

/* A line of 107 octets with its CRLF is the longest; one more is refused before it ends. */
static void
test_v1_length(void **state)
{
	(void)state;
	for (size_t len = PROXY_HEADER_V1_MAX - 1; len <= PROXY_HEADER_V1_MAX + 1; len++) {
		char line[PROXY_HEADER_V1_MAX + 2];
		struct proxy_header h = { 0 };
		size_t used;

		memset(line, 'x', sizeof(line));
		memcpy(line, "PROXY UNKNOWN ", 14);
		memcpy(line + len - 2, "\r\n", 2);
		enum proxy_header_status status =
		    proxy_header_feed(&h, view_make(line, len), &used);
		assert_int_equal(status,
		    len <= PROXY_HEADER_V1_MAX ? PROXY_HEADER_DONE : PROXY_HEADER_REFUSED);
		assert_int_equal(used, len <= PROXY_HEADER_V1_MAX ? len : PROXY_HEADER_V1_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_v1_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
