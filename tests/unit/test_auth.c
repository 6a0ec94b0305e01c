/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/auth/auth: users files as backends, their order, the cache, and equal work. */
#include "proxy/auth/auth.h"

#include "lib/base/clock.h"
#include "proxy/auth/credential_cache.h"
#include "proxy/auth/hash_gate.h"
#include "proxy/auth/passwd_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD "open sesame"

/* What the tests stand on: two users files and a backend for each. */
struct rig {
	char folder[64], files[2][80];
	char hash[PASSWD_HASH_MAX + 1]; /* of PASSWORD */
	struct config_backend backends[2];
	struct config_auth config;
	struct arena arena;
	struct conf_errors errors;
	struct identity identity;
	struct err why;
};

static unsigned hashes;
static char last_setting[PASSWD_HASH_MAX + 1];

static void
observe(const char *setting)
{
	hashes++;
	snprintf(last_setting, sizeof(last_setting), "%s", setting);
}

static void
write_users(const struct rig *r, size_t i, const char *text)
{
	char temporary[88];
	FILE *f;

	snprintf(temporary, sizeof(temporary), "%s.new", r->files[i]);
	f = fopen(temporary, "w");
	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(temporary, r->files[i]), 0);
}

static void
write_login(const struct rig *r, size_t i, const char *login, const char *hash)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s:%s:\nbob@x.example:%s:b@x.example,<>\n", login, hash,
	    r->hash);
	write_users(r, i, text);
}

static int
set_up(void **state)
{
	static struct rig rig;
	struct rig *r = &rig;
	struct secret s = { 0 };

	memset(r, 0, sizeof(*r));
	*state = r;
	snprintf(r->folder, sizeof(r->folder), "/tmp/gatepost-auth-XXXXXX");
	assert_non_null(mkdtemp(r->folder));
	for (size_t i = 0; i < 2; i++) {
		snprintf(r->files[i], sizeof(r->files[i]), "%.60s/users%c", r->folder,
		    i == 0 ? '0' : '1');
		r->backends[i] = (struct config_backend){ .where = { "proxy.conf", 7 },
			.type = BACKEND_PASSWD,
			.file = r->files[i],
			.timeout_ms = 5000 };
	}
	r->config = (struct config_auth){
		.backends = { r->backends, 1 }, .cache_ms = 1000, .cache_entries = 100
	};
	arena_init(&r->arena);
	conf_errors_init(&r->errors);
	assert_true(secret_set(&s, VIEW(PASSWORD)));
	assert_true(passwd_hash_make("bcrypt", &s, r->hash, &r->why));
	secret_finish(&s);
	write_login(r, 0, "alice@x.example", r->hash);
	write_login(r, 1, "carol@x.example", r->hash);
	clock_fake_set(5000, 0);
	hashes = 0;
	passwd_hash_observe(observe);
	return 0;
}

static int
tear_down(void **state)
{
	struct rig *r = *state;

	passwd_hash_observe(NULL);
	clock_fake_set(-1, -1);
	arena_finish(&r->arena);
	conf_errors_finish(&r->errors);
	unlink(r->files[0]);
	unlink(r->files[1]);
	return rmdir(r->folder);
}

static struct authenticator *
create(struct rig *r)
{
	struct authenticator *a = auth_create(&r->config, "gate.example.com", &r->errors);

	assert_non_null(a);
	return a;
}

static enum auth_verdict
check(struct rig *r, struct authenticator *a, const char *login, const char *password)
{
	struct secret s = { 0 };
	enum auth_verdict verdict;

	r->why = (struct err){ .kind = ERR_NONE };
	assert_true(secret_set(&s, view_of(password)));
	verdict = auth_check(a,
	    &(const struct auth_question){
		view_of(login), &s, clock_mono_ms() + 5000, &r->arena },
	    &r->identity, &r->why);
	if (verdict != AUTH_ACCEPTED) {
		assert_null(r->identity.login);
		assert_true(r->why.kind != ERR_NONE);
		assert_true(password[0] == '\0' || strstr(r->why.text, password) == NULL);
	}
	secret_finish(&s);
	return verdict;
}

static void
test_the_right_password_is_accepted(void **state)
{
	struct rig *r = *state;
	struct authenticator *a = create(r);

	assert_int_equal(check(r, a, "Bob@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_string_equal(r->identity.login, "bob@x.example"); /* as the file has it */
	assert_string_equal(r->identity.backend, "passwd");
	assert_int_equal(r->identity.pattern_count, 2);
	assert_string_equal(r->identity.patterns[0], "b@x.example");
	assert_string_equal(r->identity.patterns[1], "<>");
	assert_int_equal(check(r, a, "alice@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(r->identity.pattern_count, 1);
	assert_string_equal(r->identity.patterns[0], "alice@x.example");
	auth_destroy(&a);
	assert_null(a);
}

static void
test_refusals_cost_one_hash_of_one_kind(void **state)
{
	static const struct {
		const char *sentence, *login, *password, *why;
	} rows[] = {
		{ "a wrong password", "bob@x.example", "open sesamE",
		    "passwd: wrong password" },
		{ "an unknown login", "nobody@x.example", PASSWORD, "passwd: no such login" },
		{ "an unknown login of absurd form", "\xff\x01 ", PASSWORD, "no such login" },
		{ "a locked login", "alice@x.example", PASSWORD,
		    "passwd: the login is locked" },
	};
	struct rig *r = *state;
	struct authenticator *a;

	write_login(r, 0, "alice@x.example", "!");
	a = create(r);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("%s\n", rows[i].sentence);
		hashes = 0;
		assert_int_equal(check(r, a, rows[i].login, rows[i].password), AUTH_REFUSED);
		assert_non_null(strstr(r->why.text, rows[i].why));
		assert_int_equal(hashes, 1);
		assert_memory_equal(last_setting, "$2b$10$", 7); /* method and cost */
	}
	auth_destroy(&a);
}

static void
test_an_empty_password_is_refused(void **state)
{
	struct rig *r = *state;
	struct authenticator *a = create(r);
	const struct secret none = { 0 };
	const struct auth_question q = { VIEW("bob@x.example"), &none, CLOCK_NEVER, &r->arena };

	assert_int_equal(check(r, a, "bob@x.example", ""), AUTH_REFUSED);
	assert_int_equal(auth_check(a, &q, &r->identity, &r->why), AUTH_REFUSED);
	auth_destroy(&a);
}

static void
test_a_proof_is_remembered_for_a_while(void **state)
{
	struct rig *r = *state;
	struct authenticator *a = create(r);

	assert_int_equal(check(r, a, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(check(r, a, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(hashes, 1);
	assert_string_equal(r->identity.login, "bob@x.example");
	assert_string_equal(r->identity.backend, "passwd");
	assert_int_equal(r->identity.pattern_count, 2);
	assert_int_equal(check(r, a, "bob@x.example", "open sesamE"), AUTH_REFUSED);
	assert_int_equal(check(r, a, "bob@x.example", "open sesamE"), AUTH_REFUSED);
	assert_int_equal(hashes, 3); /* failures never are */
	clock_fake_set(6000, 0);
	assert_int_equal(check(r, a, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(hashes, 4);
	auth_destroy(&a);
}

static void
test_no_cache_by_configuration(void **state)
{
	struct rig *r = *state;
	struct authenticator *a;

	r->config.cache_ms = 0;
	a = create(r);
	assert_int_equal(check(r, a, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(check(r, a, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(hashes, 2);
	assert_int_equal(credential_cache_count(), 0);
	auth_destroy(&a);
}

static void
test_a_changed_file_empties_the_cache(void **state)
{
	struct rig *r = *state;
	struct authenticator *a;

	r->config.cache_ms = 60000;
	a = create(r);
	assert_int_equal(check(r, a, "alice@x.example", PASSWORD), AUTH_ACCEPTED);
	write_login(r, 0, "alice@x.example", "!locked");
	clock_fake_set(6000, 0);
	assert_int_equal(check(r, a, "alice@x.example", PASSWORD), AUTH_REFUSED);
	auth_destroy(&a);
}

static void
test_a_new_configuration_begins_without_memory(void **state)
{
	struct rig *r = *state;
	struct authenticator *old = create(r), *new;

	assert_int_equal(check(r, old, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	new = create(r);
	assert_int_equal(credential_cache_count(), 0);
	/* sessions of the old one go on, and prove nothing to the new one */
	assert_int_equal(check(r, old, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(hashes, 2);
	assert_int_equal(check(r, new, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(hashes, 3);
	auth_destroy(&old);
	auth_destroy(&new);
}

static void
test_backends_are_asked_in_order(void **state)
{
	struct rig *r = *state;
	struct authenticator *a;

	r->config.backends.count = 2;
	a = create(r);
	assert_int_equal(check(r, a, "carol@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(hashes, 2); /* refused by the first, as any unknown login */
	assert_int_equal(check(r, a, "carol@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_int_equal(hashes, 2);
	assert_int_equal(check(r, a, "carol@x.example", "x"), AUTH_REFUSED);
	assert_string_equal(r->why.text, "passwd: no such login; passwd: wrong password");
	assert_int_equal(check(r, a, "nobody@x.example", "x"), AUTH_REFUSED);
	auth_destroy(&a);
}

static void
test_a_full_gate_makes_it_unavailable(void **state)
{
	struct rig *r = *state;
	struct authenticator *a = create(r);

	clock_fake_set(-1, -1);
	r->backends[0].timeout_ms = 20;
	auth_destroy(&a);
	a = create(r);
	hash_gate_set_width(1);
	assert_true(hash_gate_enter(clock_mono_ms() + 1000));
	assert_int_equal(check(r, a, "bob@x.example", PASSWORD), AUTH_UNAVAILABLE);
	assert_int_equal(r->why.kind, ERR_TIMEOUT);
	assert_int_equal(check(r, a, "nobody@x.example", PASSWORD), AUTH_UNAVAILABLE);
	hash_gate_leave();
	assert_int_equal(check(r, a, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	hash_gate_set_width(0);
	auth_destroy(&a);
}

static void
test_one_down_and_one_that_accepts(void **state)
{
	struct rig *r = *state;
	struct authenticator *a;

	/* port 1 of loopback: nobody listens there */
	r->backends[1] = r->backends[0];
	r->backends[0] = (struct config_backend){ .type = BACKEND_UPSTREAM,
		.server = "127.0.0.1:1",
		.tls = LISTENER_TLS_IMPLICIT,
		.timeout_ms = 5000 };
	r->config.backends.count = 2;
	a = create(r);
	clock_fake_set(-1, -1);
	assert_int_equal(check(r, a, "bob@x.example", PASSWORD), AUTH_ACCEPTED);
	assert_string_equal(r->identity.backend, "passwd");
	assert_int_equal(check(r, a, "bob@x.example", "x"), AUTH_UNAVAILABLE);
	assert_non_null(strstr(r->why.text, "upstream: "));
	assert_null(strstr(r->why.text, "wrong password")); /* why it is *unavailable* */
	auth_destroy(&a);
}

/* ---- many at a time
 * -------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS	15

struct crowd {
	struct authenticator *authenticator;
	const char *login;
	unsigned accepted, refused, unavailable;
};

static void *
ask_often(void *context)
{
	struct crowd *c = context;
	struct secret s = { 0 };
	struct arena arena;

	arena_init(&arena);
	if (!secret_set(&s, VIEW(PASSWORD)))
		abort();
	for (int i = 0; i < ROUNDS; i++) {
		const struct auth_question q = { view_of(c->login), &s, clock_mono_ms() + 30000,
			&arena };
		struct identity identity;
		struct err why;
		const enum auth_verdict verdict =
		    auth_check(c->authenticator, &q, &identity, &why);

		c->accepted += verdict == AUTH_ACCEPTED;
		c->refused += verdict == AUTH_REFUSED;
		c->unavailable += verdict == AUTH_UNAVAILABLE;
		arena_finish(&arena);
		usleep(100000);
	}
	secret_finish(&s);
	return NULL;
}

static void
test_many_threads_and_a_changing_file(void **state)
{
	struct rig *r = *state;
	struct crowd crowd[THREADS];
	pthread_t threads[THREADS];
	struct authenticator *a;

	passwd_hash_observe(NULL);
	clock_fake_set(-1, -1);
	r->backends[0].timeout_ms = 30000;
	a = create(r);
	for (size_t i = 0; i < THREADS; i++) {
		crowd[i] = (struct crowd){ .authenticator = a,
			.login = i % 2 == 0 ? "bob@x.example" : "nobody@x.example" };
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &crowd[i]), 0);
	}
	for (int i = 0; i < 3; i++) {
		usleep(400000);
		write_login(r, 0, i % 2 == 0 ? "long-alice@x.example" : "a@x.example", r->hash);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(crowd[i].accepted, i % 2 == 0 ? ROUNDS : 0);
		assert_int_equal(crowd[i].refused, i % 2 == 0 ? 0 : ROUNDS);
		assert_int_equal(crowd[i].unavailable, 0);
	}
	auth_destroy(&a);
}

static void
test_no_backend_refuses(void **state)
{
	struct rig *r = *state;
	struct authenticator *a;

	r->config.backends.count = 0;
	a = create(r);
	assert_int_equal(check(r, a, "bob@x.example", PASSWORD), AUTH_REFUSED);
	auth_destroy(&a);
}

static void
test_bad_configurations(void **state)
{
	struct rig *r = *state;

	r->config.backends.count = 2;
	r->backends[0].file = NULL;
	r->backends[1] = (struct config_backend){ .where = { "proxy.conf", 9 },
		.type = BACKEND_UPSTREAM,
		.server = "mta.example.com",
		.tls = LISTENER_TLS_STARTTLS };
	assert_null(auth_create(&r->config, "gate.example.com", &r->errors));
	assert_int_equal(r->errors.count, 2); /* all at once */
	assert_non_null(strstr(r->errors.lines[0], "proxy.conf:7: auth.backends[0]: "));
	assert_non_null(strstr(r->errors.lines[1], "proxy.conf:9: auth.backends[1]: "));
	r->backends[1].server = NULL;
	assert_null(auth_create(&r->config, "gate.example.com", &r->errors));
	r->backends[1].server = "mta.example.com:587";
	r->backends[1].ca_file = "/nonexistent";
	assert_null(auth_create(&r->config, "gate.example.com", &r->errors));
	r->backends[1].ca_file = NULL;
	r->backends[1].patterns = "/nonexistent";
	assert_null(auth_create(&r->config, "gate.example.com", &r->errors));
	assert_int_equal(r->errors.count, 8);
	assert_non_null(strstr(r->errors.lines[7], "/nonexistent"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_right_password_is_accepted),
		TEST(test_refusals_cost_one_hash_of_one_kind),
		TEST(test_an_empty_password_is_refused),
		TEST(test_a_proof_is_remembered_for_a_while),
		TEST(test_no_cache_by_configuration),
		TEST(test_a_changed_file_empties_the_cache),
		TEST(test_a_new_configuration_begins_without_memory),
		TEST(test_backends_are_asked_in_order),
		TEST(test_a_full_gate_makes_it_unavailable),
		TEST(test_one_down_and_one_that_accepts),
		TEST(test_many_threads_and_a_changing_file),
		TEST(test_no_backend_refuses),
		TEST(test_bad_configurations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
