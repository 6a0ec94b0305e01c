/* SPDX-License-Identifier: MPL-2.0 */
/* lib/net/address: text to addresses and networks and back. */
#include "lib/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void
check(bool good, const char *sentence)
{
	if (!good)
		fail_msg("%s", sentence);
}

static void
test_parse(void **state)
{
	static const struct {
		const char *sentence, *text, *printed; /* printed NULL: refused */
	} rows[] = {
		{ "IPv4 with a port is taken", "192.0.2.1:25", "192.0.2.1:25" },
		{ "IPv6 in brackets is taken", "[2001:db8::1]:587", "[2001:db8::1]:587" },
		{ "a star means any IPv4 address", "*:25", "0.0.0.0:25" },
		{ "any IPv6 address stays IPv6", "[::]:25", "[::]:25" },
		{ "mapped IPv6 is folded", "[::ffff:192.0.2.1]:25", "192.0.2.1:25" },
		{ "the highest port is taken", "192.0.2.1:65535", "192.0.2.1:65535" },
		{ "a port over 65535 is refused", "192.0.2.1:65536", NULL },
		{ "port 0 is refused", "192.0.2.1:0", NULL },
		{ "a missing port is refused", "192.0.2.1", NULL },
		{ "an empty port is refused", "192.0.2.1:", NULL },
		{ "a signed port is refused", "192.0.2.1:+25", NULL },
		{ "a port with a tail is refused", "192.0.2.1:25x", NULL },
		{ "a name is refused", "mail.example.com:25", NULL },
		{ "IPv6 without brackets is refused", "2001:db8::1:25", NULL },
		{ "IPv4 in brackets is refused", "[192.0.2.1]:25", NULL },
		{ "a bracket that is not closed is refused", "[::1:25", NULL },
		{ "text behind the bracket is refused", "[::1]x:25", NULL },
		{ "a shortened IPv4 address is refused", "127.1:25", NULL },
		{ "nothing is refused", "", NULL },
		{ "a colon alone is refused", ":", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sockaddr_storage addr;
		struct err err = { .kind = ERR_NONE };
		char text[ADDRESS_TEXT_MAX];
		bool ok = address_parse(rows[i].text, &addr, &err);

		check(ok == (rows[i].printed != NULL), rows[i].sentence);
		if (!ok) {
			check(err.kind == ERR_CONFIG && err.text[0] != '\0', rows[i].sentence);
			continue;
		}
		address_text(&addr, text);
		assert_string_equal(text, rows[i].printed);
	}
}

static void
test_split(void **state)
{
	static const struct {
		const char *sentence, *text;
		uint16_t fallback;
		const char *host; /* NULL: refused */
		uint16_t port;
	} rows[] = {
		{ "host and port", "mta.example.com:10025", 25, "mta.example.com", 10025 },
		{ "a host alone gets the default port", "mta", 25, "mta", 25 },
		{ "IPv6 loses its brackets", "[::1]:26", 25, "::1", 26 },
		{ "IPv6 alone gets the default port", "[::1]", 25, "::1", 25 },
		{ "without default the port must be there", "mta", 0, NULL, 0 },
		{ "an underscore is let through", "my_mta:25", 0, "my_mta", 25 },
		{ "a blank in the host is refused", "my mta:25", 0, NULL, 0 },
		{ "no host is refused", ":25", 0, NULL, 0 },
		{ "a host that looks like an option is refused", "-x:25", 0, NULL, 0 },
		{ "what is in brackets must be IPv6", "[mta]:25", 0, NULL, 0 },
		{ "two colons are refused", "a:b:25", 0, NULL, 0 },
		{ "port 0 is refused although there is a default", "mta:0", 25, NULL, 0 },
		{ "a host longer than the room is refused", "abcdefghijklmnopqrstuvwxyz:25", 25,
		    NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char host[20];
		uint16_t port = 0;
		struct err err = { .kind = ERR_NONE };
		bool ok = address_split(
		    rows[i].text, rows[i].fallback, host, sizeof(host), &port, &err);

		check(ok == (rows[i].host != NULL), rows[i].sentence);
		if (!ok)
			continue;
		assert_string_equal(host, rows[i].host);
		check(port == rows[i].port, rows[i].sentence);
	}
}

static void
test_network(void **state)
{
	static const struct {
		const char *sentence, *network, *address;
		int want; /* -1: the network is refused */
	} rows[] = {
		{ "an address in the network", "192.0.2.0/24", "192.0.2.255:1", 1 },
		{ "an address beside the network", "192.0.2.0/24", "192.0.3.0:1", 0 },
		{ "a prefix that ends inside an octet, inside", "10.16.0.0/12",
		    "10.31.255.255:1", 1 },
		{ "a prefix that ends inside an octet, outside", "10.16.0.0/12", "10.32.0.0:1",
		    0 },
		{ "a single address matches itself", "192.0.2.7", "192.0.2.7:1", 1 },
		{ "a single address matches nothing else", "192.0.2.7", "192.0.2.6:1", 0 },
		{ "the network of all IPv4 has an IPv4 address", "0.0.0.0/0", "203.0.113.1:1",
		    1 },
		{ "the network of all IPv4 has no IPv6 address", "0.0.0.0/0", "[::1]:1", 0 },
		{ "the network of all IPv6 has no IPv4 address", "::/0", "127.0.0.1:1", 0 },
		{ "IPv6 inside", "2001:db8::/33", "[2001:db8:7fff::1]:1", 1 },
		{ "IPv6 outside", "2001:db8::/33", "[2001:db8:8000::1]:1", 0 },
		{ "a mapped network is an IPv4 network", "::ffff:192.0.2.0/120", "192.0.2.9:1",
		    1 },
		{ "host bits are refused", "192.0.2.1/24", "192.0.2.1:1", -1 },
		{ "host bits of IPv6 are refused", "2001:db8::1/64", "[::1]:1", -1 },
		{ "a prefix over 32 is refused", "192.0.2.0/33", "192.0.2.1:1", -1 },
		{ "a prefix over 128 is refused", "::/129", "[::1]:1", -1 },
		{ "an empty prefix is refused", "192.0.2.0/", "192.0.2.1:1", -1 },
		{ "a netmask is refused", "192.0.2.0/255.255.255.0", "192.0.2.1:1", -1 },
		{ "a name is refused", "localhost", "127.0.0.1:1", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct network network;
		struct sockaddr_storage addr;
		bool ok = network_parse(rows[i].network, &network, NULL);

		check(ok == (rows[i].want >= 0), rows[i].sentence);
		if (!ok)
			continue;
		assert_true(address_parse(rows[i].address, &addr, NULL));
		check(network_has(&network, &addr) == (rows[i].want == 1), rows[i].sentence);
	}
}

static struct sockaddr_storage
parsed(const char *text)
{
	struct sockaddr_storage addr;

	assert_true(address_parse(text, &addr, NULL));
	return addr;
}

static void
test_facts(void **state)
{
	struct sockaddr_storage a = parsed("127.0.0.1:25"), b = parsed("127.0.0.1:26");
	struct sockaddr_storage c = parsed("[::1]:25"), d = parsed("[2001:db8::1]:25");
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
	char text[ADDRESS_TEXT_MAX], host[INET6_ADDRSTRLEN];

	(void)state;
	assert_true(address_is_loopback(&a));
	assert_true(address_is_loopback(&c));
	assert_false(address_is_loopback(&d));
	assert_false(address_is_loopback(&none));
	assert_false(address_eq(&a, &b));
	assert_true(address_eq(&a, &a));
	assert_false(address_eq(&a, &c));
	assert_false(address_eq(&none, &none));
	address_set_port(&b, 25);
	assert_true(address_eq(&a, &b));
	address_set_port(&d, 465);
	assert_int_equal(address_port(&d), 465);
	address_host_text(&d, host);
	assert_string_equal(host, "2001:db8::1");
	address_text(&none, text);
	assert_string_equal(text, "unknown:0");
}

static void
test_reverse_names(void **state)
{
	const struct sockaddr_storage v4 = parsed("192.0.2.201:25"),
				      v6 = parsed("[2001:db8::a5]:25");
	char name[ADDRESS_REVERSE_MAX];

	(void)state;
	address_reverse_name(&v4, name);
	assert_string_equal(name, "201.2.0.192.in-addr.arpa");
	address_reverse_name(&v6, name);
	assert_string_equal(name,
	    "5.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
	    "ip6.arpa");
}

static void
test_network_of(void **state)
{
	static const struct {
		const char *sentence, *host;
		unsigned v4_bits, v6_bits;
		const char *network;
	} rows[] = {
		{ "an IPv4 address is cut at its bits", "192.0.2.77", 24, 64, "192.0.2.0/24" },
		{ "and in the midst of an octet", "192.0.2.77", 27, 64, "192.0.2.64/27" },
		{ "all bits are the address itself", "192.0.2.77", 32, 64, "192.0.2.77/32" },
		{ "IPv6 has bits of its own", "2001:db8:1:2:3::4", 32, 64,
		    "2001:db8:1:2::/64" },
		{ "a /48 forgets the subnet", "2001:db8:1:2:3::4", 24, 48, "2001:db8:1::/48" },
		{ "mapped IPv6 is IPv4", "::ffff:192.0.2.77", 24, 48, "192.0.2.0/24" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sockaddr_storage addr;
		struct network want, got;
		struct err err = { .kind = ERR_NONE };

		assert_true(address_from_host(rows[i].host, 25, &addr));
		assert_true(network_parse(rows[i].network, &want, &err));
		check(network_of(&addr, rows[i].v4_bits, rows[i].v6_bits, &got) &&
			  memcmp(&got, &want, sizeof(got)) == 0,
		    rows[i].sentence);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_reverse_names),
		cmocka_unit_test(test_network_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
