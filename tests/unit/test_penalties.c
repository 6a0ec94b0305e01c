/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/auth/penalties: stories of tries, each a line with its time and what becomes of it. */
#include "proxy/auth/penalties.h"

#include "lib/net/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define S      1000LL
#define MINUTE (60 * S)
#define ROWS   24

static const struct config_penalties config = {
	.delay_ms = 1 * S,
	.max_delay_ms = 4 * S,
	.login_guesses = 4,
	.address_guesses = 6,
	.block_ms = 10 * MINUTE,
	.forget_ms = 60 * MINUTE,
	.known_ms = 600 * MINUTE,
	.entries = 4096,
};

/* What becomes of a try, and of its password if that is looked at. */
enum fate {
	RIGHT,
	WRONG,
	WRONG_BLOCKS,	      /* and this was the pair's last guess */
	WRONG_BLOCKS_ADDRESS, /* the address's */
	WRONG_HIDDEN,	      /* at a blocked address */
	DOWN,		      /* no backend answers */
	WAITS,		      /* until `at` plus `for_ms` */
	BLOCKED_PAIR,
	BLOCKED_ADDRESS,
};

struct row {
	int64_t at;
	const char *host, *login, *password;
	enum fate fate;
	int64_t for_ms;
};

struct story {
	const char *name;
	struct row rows[ROWS];
};

static const struct story stories[] = {
	{ "a wrong password makes the next try wait, longer each time",
	    { { 0, "192.0.2.1", "al", "a", WRONG, 0 },
		{ 0, "192.0.2.1", "al", "b", WAITS, 1 * S },
		{ 1 * S, "192.0.2.1", "al", "b", WRONG, 0 },
		{ 2 * S, "192.0.2.1", "al", "c", WAITS, 1 * S },
		{ 3 * S, "192.0.2.1", "al", "c", WRONG, 0 },
		{ 4 * S, "192.0.2.1", "al", "ok", WAITS, 3 * S } } },
	{ "after so many guesses the pair is blocked, and the login not elsewhere",
	    { { 0, "192.0.2.1", "al", "a", WRONG, 0 },
		{ 10 * S, "192.0.2.1", "al", "b", WRONG, 0 },
		{ 20 * S, "192.0.2.1", "al", "c", WRONG, 0 },
		{ 30 * S, "192.0.2.1", "al", "d", WRONG_BLOCKS, 0 },
		{ 40 * S, "192.0.2.1", "al", "ok", BLOCKED_PAIR, 0 },
		{ 41 * S, "192.0.2.2", "al", "ok", RIGHT, 0 },
		{ 42 * S, "192.0.2.1", "bo", "ok", RIGHT, 0 },
		{ 600 * S, "192.0.2.1", "al", "ok", BLOCKED_PAIR, 0 },
		{ 631 * S, "192.0.2.1", "al", "ok", RIGHT, 0 },
		{ 632 * S, "192.0.2.1", "al", "a", WRONG, 0 } } },
	{ "a login is the same in any case",
	    { { 0, "192.0.2.1", "Al", "a", WRONG, 0 },
		{ 0, "192.0.2.1", "aL", "b", WAITS, 1 * S } } },
	{ "a success takes the count away",
	    { { 0, "192.0.2.1", "al", "a", WRONG, 0 },
		{ 10 * S, "192.0.2.1", "al", "b", WRONG, 0 },
		{ 20 * S, "192.0.2.1", "al", "ok", RIGHT, 0 },
		{ 20 * S, "192.0.2.1", "al", "c", WRONG, 0 },
		{ 20 * S, "192.0.2.1", "al", "ok", WAITS, 1 * S } } },
	{ "the same wrong password again waits, but is no guess",
	    { { 0, "192.0.2.1", "al", "old", WRONG, 0 },
		{ 10 * S, "192.0.2.1", "al", "old", WRONG, 0 },
		{ 20 * S, "192.0.2.1", "al", "old", WRONG, 0 },
		{ 30 * S, "192.0.2.1", "al", "old", WRONG, 0 },
		{ 40 * S, "192.0.2.1", "al", "old", WRONG, 0 },
		{ 50 * S, "192.0.2.1", "al", "old", WRONG, 0 },
		{ 60 * S, "192.0.2.1", "al", "old", WRONG, 0 },
		{ 60 * S, "192.0.2.1", "al", "ok", WAITS, 4 * S },
		{ 64 * S, "192.0.2.1", "al", "ok", RIGHT, 0 } } },
	{ "guesses at many logins block the address, but not what has succeeded there",
	    { { 0, "192.0.2.1", "al", "ok", RIGHT, 0 },
		{ 10 * S, "192.0.2.1", "b", "a", WRONG, 0 },
		{ 20 * S, "192.0.2.1", "c", "a", WRONG, 0 },
		{ 30 * S, "192.0.2.1", "d", "a", WRONG, 0 },
		{ 30 * S, "192.0.2.1", "e", "a", WAITS, 1 * S },
		{ 30 * S, "192.0.2.1", "al", "ok", RIGHT, 0 },
		{ 40 * S, "192.0.2.1", "e", "a", WRONG, 0 },
		{ 40 * S, "192.0.2.1", "f", "a", WAITS, 2 * S },
		{ 50 * S, "192.0.2.1", "f", "a", WRONG, 0 },
		{ 60 * S, "192.0.2.1", "g", "a", WRONG_BLOCKS_ADDRESS, 0 },
		{ 70 * S, "192.0.2.1", "h", "ok", BLOCKED_ADDRESS, 0 },
		{ 70 * S, "192.0.2.1", "al", "ok", RIGHT, 0 },
		{ 70 * S, "192.0.2.1", "al", "a", WRONG_HIDDEN, 0 },
		{ 70 * S, "192.0.2.2", "h", "ok", RIGHT, 0 },
		{ 661 * S, "192.0.2.1", "h", "ok", RIGHT, 0 } } },
	{ "an IPv6 /64 is one address", { { 0, "2001:db8::1", "al", "a", WRONG, 0 },
					    { 0, "2001:db8::ffff:1", "al", "b", WAITS, 1 * S },
					    { 0, "2001:db8:0:1::1", "al", "ok", RIGHT, 0 } } },
	{ "a backend that is down is nobody's fault",
	    { { 0, "192.0.2.1", "al", "a", DOWN, 0 },
		{ 0, "192.0.2.1", "al", "ok", RIGHT, 0 } } },
	{ "counts are halved with time",
	    { { 0, "192.0.2.1", "al", "a", WRONG, 0 },
		{ 10 * S, "192.0.2.1", "al", "b", WRONG, 0 },
		{ 20 * S, "192.0.2.1", "al", "c", WRONG, 0 },
		{ 61 * MINUTE, "192.0.2.1", "al", "d", WRONG, 0 },
		{ 62 * MINUTE, "192.0.2.1", "al", "e", WRONG, 0 },
		{ 63 * MINUTE, "192.0.2.1", "al", "f", WRONG_BLOCKS, 0 } } },
	{ "what was known is forgotten in the end",
	    { { 0, "192.0.2.1", "al", "ok", RIGHT, 0 },
		{ 599 * MINUTE, "192.0.2.1", "b", "a", WRONG, 0 },
		{ 599 * MINUTE, "192.0.2.1", "c", "a", WRONG, 0 },
		{ 599 * MINUTE, "192.0.2.1", "d", "a", WRONG, 0 },
		{ 599 * MINUTE + 10 * S, "192.0.2.1", "e", "a", WRONG, 0 },
		{ 599 * MINUTE + 20 * S, "192.0.2.1", "f", "a", WRONG, 0 },
		{ 599 * MINUTE + 30 * S, "192.0.2.1", "g", "a", WRONG_BLOCKS_ADDRESS, 0 },
		{ 599 * MINUTE + 40 * S, "192.0.2.1", "al", "ok", RIGHT, 0 },
		{ 599 * MINUTE + 50 * S, "192.0.2.1", "b", "ok", BLOCKED_ADDRESS, 0 } } },
};

static struct penalty_try
make_try(const char *host, const char *login, const char *password)
{
	struct sockaddr_storage addr;
	struct secret secret = { 0 };

	assert_true(address_from_host(host, 1024, &addr));
	assert_true(secret_set(&secret, view_of(password)));
	const struct penalty_try t = penalties_make_try(&addr, view_of(login), &secret);
	secret_finish(&secret);
	return t;
}

static enum penalty_answer
answer_of(enum fate fate)
{
	switch (fate) {
	case WAITS:
		return PENALTY_WAIT;
	case BLOCKED_PAIR:
		return PENALTY_BLOCKED_LOGIN;
	case BLOCKED_ADDRESS:
		return PENALTY_BLOCKED_ADDRESS;
	default:
		return PENALTY_GO;
	}
}

static void
live(const struct row *r, unsigned story, int64_t start)
{
	char login[32];

	snprintf(login, sizeof(login), "%s-%u", r->login, story);
	const struct penalty_try t = make_try(r->host, login, r->password);
	const int64_t now = start + r->at;
	int64_t until = 0;

	print_message("#   at %lld: %s %s\n", (long long)r->at, r->login, r->password);
	assert_int_equal(penalties_begin(&config, &t, now, &until), answer_of(r->fate));
	if (r->fate == WAITS)
		assert_int_equal(until, now + r->for_ms);
	if (answer_of(r->fate) != PENALTY_GO)
		return;
	const enum auth_verdict verdict = r->fate == RIGHT  ? AUTH_ACCEPTED
					  : r->fate == DOWN ? AUTH_UNAVAILABLE
							    : AUTH_REFUSED;
	const struct penalty_outcome out = penalties_end(&config, &t, verdict, now);
	assert_int_equal(out.blocks_login, r->fate == WRONG_BLOCKS);
	assert_int_equal(out.blocks_address, r->fate == WRONG_BLOCKS_ADDRESS);
	assert_int_equal(
	    out.is_address_blocked, r->fate == WRONG_BLOCKS_ADDRESS || r->fate == WRONG_HIDDEN);
}

static void
each_story_ends_as_it_should(void **state)
{
	const int64_t apart = 1000 * config.known_ms; /* so that all is forgotten */

	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		print_message("# %s\n", stories[i].name);
		for (size_t n = 0; n < ROWS && stories[i].rows[n].host != NULL; n++)
			live(&stories[i].rows[n], (unsigned)i, (int64_t)(i + 1) * apart);
	}
}

static void
many_tries_at_once_are_no_more_guesses(void **state)
{
	const int64_t now = 1 * S;
	unsigned checked = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		char password[16];
		int64_t until = 0;

		snprintf(password, sizeof(password), "p%u", i);
		const struct penalty_try t = make_try("198.51.100.1", "al", password);
		const enum penalty_answer answer = penalties_begin(&config, &t, now, &until);
		checked += answer == PENALTY_GO;
		assert_true(answer == PENALTY_GO || until > now);
	}
	assert_int_equal(checked, config.login_guesses);
	for (unsigned i = 0; i < checked; i++) {
		char password[16];

		snprintf(password, sizeof(password), "p%u", i);
		const struct penalty_try t = make_try("198.51.100.1", "al", password);
		const struct penalty_outcome out =
		    penalties_end(&config, &t, AUTH_REFUSED, now);
		assert_int_equal(out.blocks_login, i + 1 == checked);
	}
}

static void
a_flood_takes_no_place_of_what_matters(void **state)
{
	const struct penalty_try known = make_try("203.0.113.1", "al", "ok");
	const int64_t now = 2 * S;
	int64_t until = 0;

	(void)state;
	penalties_resize(64);
	assert_int_equal(penalties_begin(&config, &known, now, &until), PENALTY_GO);
	(void)penalties_end(&config, &known, AUTH_ACCEPTED, now);
	for (unsigned i = 0; i < (unsigned)config.login_guesses; i++) {
		char password[16];

		snprintf(password, sizeof(password), "p%u", i);
		const struct penalty_try t = make_try("203.0.113.2", "al", password);
		assert_int_equal(
		    penalties_begin(&config, &t, now + i * 10 * S, &until), PENALTY_GO);
		(void)penalties_end(&config, &t, AUTH_REFUSED, now + i * 10 * S);
	}
	for (unsigned i = 0; i < 5000; i++) {
		char host[32];

		snprintf(host, sizeof(host), "10.%u.%u.1", i / 256, i % 256);
		const struct penalty_try t = make_try(host, "al", "a");
		assert_int_equal(
		    penalties_begin(&config, &t, now + 50 * S, &until), PENALTY_GO);
		(void)penalties_end(&config, &t, AUTH_REFUSED, now + 50 * S);
	}
	/* The block is there, and so is the known pair: its address is blocked, it goes on. */
	const struct penalty_try blocked = make_try("203.0.113.2", "al", "ok");
	assert_int_equal(
	    penalties_begin(&config, &blocked, now + 60 * S, &until), PENALTY_BLOCKED_LOGIN);
	for (unsigned i = 0; i < (unsigned)config.address_guesses; i++) {
		char login[16];

		snprintf(login, sizeof(login), "l%u", i);
		const struct penalty_try t = make_try("203.0.113.1", login, "a");
		const int64_t at = now + (60 + 10 * (int64_t)i) * S;
		assert_int_equal(penalties_begin(&config, &t, at, &until), PENALTY_GO);
		(void)penalties_end(&config, &t, AUTH_REFUSED, at);
	}
	const struct penalty_try other = make_try("203.0.113.1", "zoe", "ok");
	assert_int_equal(
	    penalties_begin(&config, &other, now + 130 * S, &until), PENALTY_BLOCKED_ADDRESS);
	assert_int_equal(penalties_begin(&config, &known, now + 130 * S, &until), PENALTY_GO);
	(void)penalties_end(&config, &known, AUTH_ACCEPTED, now + 130 * S);
}

static void
a_table_of_another_size_keeps_what_it_can(void **state)
{
	const struct penalty_try t = make_try("203.0.113.9", "al", "a");
	int64_t until = 0;

	(void)state;
	assert_int_equal(penalties_begin(&config, &t, 500 * S, &until), PENALTY_GO);
	(void)penalties_end(&config, &t, AUTH_REFUSED, 500 * S);
	penalties_resize(100000);
	assert_int_equal(penalties_begin(&config, &t, 500 * S, &until), PENALTY_WAIT);
	assert_int_equal(until, 501 * S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_tries_at_once_are_no_more_guesses),
		cmocka_unit_test(a_flood_takes_no_place_of_what_matters),
		cmocka_unit_test(a_table_of_another_size_keeps_what_it_can),
		cmocka_unit_test(each_story_ends_as_it_should),
	};

	penalties_resize(4096);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
