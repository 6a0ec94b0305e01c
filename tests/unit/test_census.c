/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/session/census: caps by address and network, what they count by, and no leftovers. */
#include "proxy/session/census.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MANY  3000
#define FLOOD 5000

static const struct config_limits limits = { .address_connections = 3,
	.network_connections = 5 };

static enum census_verdict
enter(const char *host, struct census_place *place)
{
	struct sockaddr_storage addr;
	uint64_t untold = 0;

	assert_true(address_from_host(host, 1024, &addr));
	return census_enter(&addr, &limits, place, &untold);
}

/* A row: these enter, the next one gets the verdict. */
static const struct {
	const char *name;
	const char *enter[6];
	const char *next;
	enum census_verdict verdict;
} cases[] = {
	{ "an address has its cap", { "192.0.2.1", "192.0.2.1", "192.0.2.1" }, "192.0.2.1",
	    CENSUS_ADDRESS_FULL },
	{ "another address has room", { "192.0.2.1", "192.0.2.1", "192.0.2.1" }, "192.0.2.2",
	    CENSUS_ENTERED },
	{ "a /24 has its cap",
	    { "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5" }, "192.0.2.255",
	    CENSUS_NETWORK_FULL },
	{ "the /24 beside it has room",
	    { "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5" }, "192.0.3.1",
	    CENSUS_ENTERED },
	{ "a /64 is one address", { "2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::" },
	    "2001:db8::4", CENSUS_ADDRESS_FULL },
	{ "the /64 beside it has room", { "2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::" },
	    "2001:db8:0:1::1", CENSUS_ENTERED },
	{ "a /48 has its cap",
	    { "2001:db8:0:1::", "2001:db8:0:2::", "2001:db8:0:3::", "2001:db8:0:4::",
		"2001:db8:0:5::" },
	    "2001:db8:0:6::", CENSUS_NETWORK_FULL },
	{ "the /48 beside it has room",
	    { "2001:db8:0:1::", "2001:db8:0:2::", "2001:db8:0:3::", "2001:db8:0:4::",
		"2001:db8:0:5::" },
	    "2001:db8:1:6::", CENSUS_ENTERED },
	{ "IPv4 within IPv6 is IPv4", { "::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1" },
	    "192.0.2.1", CENSUS_ADDRESS_FULL },
	{ "loopback is an address like any other", { "127.0.0.1", "127.0.0.1", "127.0.0.1" },
	    "127.0.0.1", CENSUS_ADDRESS_FULL },
};

static void
each_address_and_network_has_its_cap(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct census_place places[7] = { 0 };
		size_t count = 0;

		print_message("# %s\n", cases[i].name);
		for (; cases[i].enter[count] != NULL; count++)
			assert_int_equal(
			    enter(cases[i].enter[count], &places[count]), CENSUS_ENTERED);
		assert_int_equal(enter(cases[i].next, &places[count]), cases[i].verdict);
		for (size_t n = 0; n <= count; n++)
			census_leave(&places[n]);
		assert_int_equal(census_count(), 0);
	}
}

static void
who_leaves_makes_room(void **state)
{
	struct census_place places[4] = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(enter("192.0.2.1", &places[i]), CENSUS_ENTERED);
	assert_int_equal(enter("192.0.2.1", &places[3]), CENSUS_ADDRESS_FULL);
	census_leave(&places[1]);
	assert_int_equal(enter("192.0.2.1", &places[3]), CENSUS_ENTERED);
	assert_int_equal(enter("192.0.2.1", &places[1]), CENSUS_ADDRESS_FULL);
	for (size_t i = 0; i < 4; i++)
		census_leave(&places[i]);
	census_leave(&places[0]); /* of nothing */
	assert_int_equal(census_count(), 0);
}

static void
many_addresses_are_kept_apart_and_forgotten(void **state)
{
	static struct census_place places[MANY];
	char host[32];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			snprintf(host, sizeof(host), "10.%u.%u.1", i / 256, i % 256);
			assert_int_equal(enter(host, &places[i]), CENSUS_ENTERED);
		}
		assert_int_equal(census_count(), 2 * MANY);
		for (unsigned i = 0; i < MANY; i++)
			census_leave(&places[i]);
		assert_int_equal(census_count(), 0);
	}
}

static void
a_flood_is_told_of_once(void **state)
{
	struct census_place places[3] = { 0 }, none = { 0 };
	struct sockaddr_storage addr;
	uint64_t untold = 0, words = 0, told = 0;

	(void)state;
	assert_true(address_from_host("192.0.2.1", 1024, &addr));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(enter("192.0.2.1", &places[i]), CENSUS_ENTERED);
	for (unsigned i = 0; i < FLOOD; i++) {
		assert_int_equal(
		    census_enter(&addr, &limits, &none, &untold), CENSUS_ADDRESS_FULL);
		words += untold > 0;
		told += untold;
	}
	assert_in_range(words, 1, FLOOD / 10); /* one a second, and this takes no seconds */
	assert_in_range(told, 1, FLOOD);
	for (size_t i = 0; i < 3; i++)
		census_leave(&places[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_and_network_has_its_cap),
		cmocka_unit_test(who_leaves_makes_room),
		cmocka_unit_test(many_addresses_are_kept_apart_and_forgotten),
		cmocka_unit_test(a_flood_is_told_of_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
