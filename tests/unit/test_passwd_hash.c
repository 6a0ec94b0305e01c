/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/auth/passwd_hash and the gate in front of it. */
#include "proxy/auth/passwd_hash.h"

#include "lib/base/clock.h"
#include "proxy/auth/hash_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define DIGEST43 "JQpe5d0Fw3.jaHLWVoEK1yWIsN1zAkyOD1/8wvn3Hg6"

#define BCRYPT "$2b$04$abcdefghijklmnopqrstuuGFh1VZ2wZKBsfqkX7PC8UVvMTgFjU6m"

static const struct {
	const char *name, *hash, *why; /* why NULL: it is sound */
} hashes[] = {
	{ "yescrypt", "$y$j9T$7J4pkNXdgb3hTjMHJ3mTs1$" DIGEST43, NULL },
	{ "SHA-256", "$5$saltsalt$" DIGEST43, NULL },
	{ "SHA-512 with rounds", "$6$rounds=1000$saltsalt$" DIGEST43 DIGEST43, NULL },
	{ "bcrypt", BCRYPT, NULL },
	{ "nothing", "", "not a hash" },
	{ "a password in clear", "sesame", "not a hash" },
	{ "DES", "rl0uE5YMZmWoE", "not a hash" },
	{ "MD5", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "not a hash" },
	{ "a Dovecot scheme", "{PLAIN}sesame", "not a hash" },
	{ "a salt without digest", "$6$saltsalt$", "damaged" },
	{ "a digest cut short", "$5$saltsalt$JQpe5d0Fw3", "damaged" },
	{ "a digest with foreign characters",
	    "$5$saltsalt$_Qpe5d0Fw3.jaHLWVoEK1yWIsN1zAkyOD1/8wvn3Hg6", "damaged" },
	{ "bcrypt without cost", "$2b$abcdefghijklmnopqrstuuGFh1VZ2wZKBsfqkX7PC8UVvMTgFjU6m",
	    "damaged" },
};

static void
test_sound(void **state)
{
	struct err err = { 0 };
	char large[PASSWD_HASH_MAX + 8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		const bool is_sound = passwd_hash_is_sound(view_of(hashes[i].hash), &err);

		print_message("%s\n", hashes[i].name);
		assert_int_equal(is_sound, hashes[i].why == NULL);
		if (!is_sound)
			assert_non_null(strstr(err.text, hashes[i].why));
	}
	memset(large, 'x', sizeof(large));
	assert_false(passwd_hash_is_sound(view_make(large, sizeof(large)), &err));
	assert_false(passwd_hash_is_sound(view_make("$6$a\0b", 6), &err));
}

static void
test_locked(void **state)
{
	(void)state;
	assert_true(passwd_hash_is_locked(VIEW("!")));
	assert_true(passwd_hash_is_locked(VIEW("*")));
	assert_true(passwd_hash_is_locked(VIEW("!$6$a$b")));
	assert_false(passwd_hash_is_locked(VIEW("$6$a$b")));
	assert_false(passwd_hash_is_locked(VIEW("")));
}

static void
test_cost(void **state)
{
	static const struct {
		const char *hash, *cost;
	} rows[] = {
		{ "$y$j9T$7J4pkNXdgb$x", "$y$j9T$" },
		{ "$gy$j9T$7J4pkNXdgb$x", "$gy$j9T$" },
		{ "$2b$10$abcdefgh", "$2b$10$" },
		{ "$6$salt$x", "$6$" },
		{ "$6$rounds=1000$salt$x", "$6$rounds=1000$" },
		{ "$5$salt$x", "$5$" },
		{ "$7$CU..../....2Q9obwLhin8qvQl6sisAO/$x", "$7$CU..../...." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(
		    view_eq(passwd_hash_cost(view_of(rows[i].hash)), view_of(rows[i].cost)));
}

static void
test_made_hashes_match(void **state)
{
	static const char *const methods[] = { "yescrypt", "bcrypt", "sha512" };
	struct secret right = { 0 }, wrong = { 0 };
	char hash[PASSWD_HASH_MAX + 1], second[PASSWD_HASH_MAX + 1];
	struct err err = { 0 };

	(void)state;
	assert_true(secret_set(&right, VIEW("open sesame")));
	assert_true(secret_set(&wrong, VIEW("open sesamE")));
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		print_message("%s\n", methods[i]);
		assert_true(passwd_hash_make(methods[i], &right, hash, &err));
		assert_true(passwd_hash_make(methods[i], &right, second, &err));
		assert_string_not_equal(hash, second); /* the salt is fresh */
		assert_int_equal(passwd_hash_match(&right, hash), PASSWD_SAME);
		assert_int_equal(passwd_hash_match(&right, second), PASSWD_SAME);
		assert_int_equal(passwd_hash_match(&wrong, hash), PASSWD_DIFFERENT);
	}
	secret_finish(&wrong);
	assert_int_equal(passwd_hash_match(&wrong, hash), PASSWD_DIFFERENT);
	secret_finish(&right);
}

static void
test_long_passwords(void **state)
{
	struct secret s = { 0 };
	char text[600], hash[PASSWD_HASH_MAX + 1];
	struct err err = { 0 };

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_true(secret_set(&s, view_make(text, 512)));
	assert_false(passwd_hash_make("sha512", &s, hash, &err));
	assert_non_null(strstr(err.text, "over the 511 octets"));
	assert_int_equal(passwd_hash_match(&s, BCRYPT), PASSWD_DIFFERENT);
	assert_true(secret_set(&s, view_make(text, 73)));
	assert_false(passwd_hash_make("bcrypt", &s, hash, &err));
	assert_true(secret_set(&s, view_make(text, 72)));
	assert_true(passwd_hash_make("bcrypt", &s, hash, &err));
	assert_false(passwd_hash_make("md5", &s, hash, &err));
	assert_non_null(strstr(err.text, "not one of"));
	secret_finish(&s);
}

static atomic_int now_inside, most_inside;

static void *
pass_gate(void *unused)
{
	int n, most;

	assert_true(hash_gate_enter(clock_mono_ms() + 10000));
	n = atomic_fetch_add(&now_inside, 1) + 1;
	most = atomic_load(&most_inside);
	while (n > most && !atomic_compare_exchange_weak(&most_inside, &most, n))
		;
	/* Stay until a second one is inside: however slowly threads start, they must meet. */
	for (int i = 0; i < 5000 && atomic_load(&most_inside) < 2; i++)
		usleep(1000);
	/* Stay until there were two, however late the second thread comes. */
	for (int waits = 0; waits < 5000 && atomic_load(&most_inside) < 2; waits++)
		usleep(1000);
	usleep(2000);
	atomic_fetch_sub(&now_inside, 1);
	hash_gate_leave();
	return unused;
}

static void
test_the_gate_lets_two_in(void **state)
{
	pthread_t threads[8];

	(void)state;
	hash_gate_set_width(2);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pass_gate, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(most_inside, 2);
	hash_gate_set_width(0);
}

static void
test_the_gate_keeps_the_deadline(void **state)
{
	(void)state;
	hash_gate_set_width(1);
	assert_true(hash_gate_enter(clock_mono_ms() + 10000));
	assert_false(hash_gate_enter(clock_mono_ms() + 10));
	assert_false(hash_gate_enter(0));
	hash_gate_leave();
	assert_true(hash_gate_enter(clock_mono_ms() + 10));
	hash_gate_leave();
	hash_gate_set_width(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_made_hashes_match),
		cmocka_unit_test(test_long_passwords),
		cmocka_unit_test(test_the_gate_lets_two_in),
		cmocka_unit_test(test_the_gate_keeps_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
