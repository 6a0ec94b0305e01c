/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/upstream/pool: which connection one gets, and what becomes of it. */
#include "proxy/upstream/pool.h"

#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "tests/unit/upstream_rig.h"

static const char *const quiet_server[] = { RIG_HELLO, "!hang", NULL };

struct fixture {
	struct rig rig;
	struct conn_target target, other; /* the same server, another TLS name */
	struct pool *pool;
};

static void
begin(struct fixture *f, size_t connections, struct pool_limits limits)
{
	rig_open(&f->rig);
	for (size_t i = 0; i < connections; i++)
		rig_add(&f->rig, quiet_server);
	rig_start(&f->rig);
	f->target = (struct conn_target){ .host = "127.0.0.1",
		.port = f->rig.port,
		.helo = "gate.example.com",
		.connect_timeout_ms = 10000 };
	f->other = f->target;
	f->other.tls_name = "other";
	conn_target_set_key(&f->target);
	conn_target_set_key(&f->other);
	f->pool = pool_create(&limits);
}

static void
end(struct fixture *f)
{
	pool_destroy(&f->pool);
	rig_stop(&f->rig);
	rig_free(&f->rig);
}

static struct conn *
take(struct fixture *f, const struct conn_target *target, bool fresh, bool want_warm)
{
	bool is_warm;
	struct err err = { .kind = ERR_NONE };
	struct conn *c =
	    pool_take(f->pool, target, fresh, clock_mono_ms() + 10000, &is_warm, &err);

	if (c == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(is_warm, want_warm);
	return c;
}

static void
counts(struct fixture *f, size_t idle, size_t total)
{
	size_t got_idle, got_total;

	pool_count(f->pool, &got_idle, &got_total);
	assert_int_equal(got_idle, idle);
	assert_int_equal(got_total, total);
}

static void
test_last_in_first_out(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 3, (struct pool_limits){ .max_idle = 4, .idle_ms = 60000 });
	struct conn *a = take(&f, &f.target, false, false),
		    *b = take(&f, &f.target, false, false);
	struct conn *first = a, *second = b;
	counts(&f, 0, 2);
	pool_give(f.pool, &a);
	assert_null(a);
	pool_give(f.pool, &b);
	counts(&f, 2, 2);
	b = take(&f, &f.target, false, true);
	assert_ptr_equal(b, second);
	a = take(&f, &f.target, false, true);
	assert_ptr_equal(a, first);
	pool_give(f.pool, &a);
	a = take(&f, &f.target, true, false); /* a new one, although there is a warm one */
	assert_ptr_not_equal(a, first);
	counts(&f, 1, 3);
	pool_drop(f.pool, &a);
	pool_give(f.pool, &b);
	counts(&f, 2, 2);
	end(&f);
}

static void
test_keys_part_them(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 2, (struct pool_limits){ .max_idle = 4, .idle_ms = 60000 });
	struct conn *a = take(&f, &f.target, false, false);
	pool_give(f.pool, &a);
	a = take(&f, &f.other, false, false);
	counts(&f, 1, 2);
	pool_give(f.pool, &a);
	end(&f);
}

static void
test_idle_limit(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 2, (struct pool_limits){ .max_idle = 1, .idle_ms = 60000 });
	struct conn *a = take(&f, &f.target, false, false),
		    *b = take(&f, &f.target, false, false);
	struct conn *second = b;
	pool_give(f.pool, &a);
	pool_give(f.pool, &b); /* the older one goes */
	counts(&f, 1, 1);
	b = take(&f, &f.target, false, true);
	assert_ptr_equal(b, second);
	pool_give(f.pool, &b);
	end(&f);
	begin(&f, 1, (struct pool_limits){ .max_idle = 0, .idle_ms = 60000 });
	a = take(&f, &f.target, false, false);
	pool_give(f.pool, &a);
	counts(&f, 0, 0);
	end(&f);
}

static void
test_idle_time(void **state)
{
	struct fixture f;
	int64_t now = clock_mono_ms();

	(void)state;
	clock_fake_set(now, 1);
	begin(&f, 3, (struct pool_limits){ .max_idle = 4, .idle_ms = 1000 });
	struct conn *a = take(&f, &f.target, false, false),
		    *b = take(&f, &f.target, false, false);
	pool_give(f.pool, &a);
	clock_fake_set(now + 500, 1);
	pool_give(f.pool, &b);
	pool_tend(f.pool);
	counts(&f, 2, 2);
	clock_fake_set(now + 1000, 1);
	pool_tend(f.pool);
	counts(&f, 1, 1);
	clock_fake_set(now + 1500, 1);
	a = take(
	    &f, &f.target, false, false); /* one that is too old is not taken, tended or not */
	pool_tend(f.pool);
	counts(&f, 0, 1);
	pool_give(f.pool, &a);
	clock_fake_set(-1, -1);
	end(&f);
}

static void
test_connection_limit(void **state)
{
	struct fixture f;
	struct err err = { .kind = ERR_NONE };
	bool is_warm;

	(void)state;
	begin(&f, 3,
	    (struct pool_limits){ .max_idle = 4, .max_connections = 2, .idle_ms = 60000 });
	struct conn *a = take(&f, &f.target, false, false),
		    *b = take(&f, &f.target, false, false);
	assert_null(pool_take(f.pool, &f.target, false, clock_mono_ms() + 20, &is_warm, &err));
	assert_int_equal(err.kind, ERR_LIMIT);
	counts(&f, 0, 2);
	pool_give(f.pool, &b);
	b = take(&f, &f.other, false, false); /* the idle one gave way */
	counts(&f, 0, 2);
	pool_give(f.pool, &a);
	pool_give(f.pool, &b);
	end(&f);
}

static void *
give_later(void *context)
{
	struct fixture *f = context;
	struct conn *c = take(f, &f->target, false, false);

	rig_go(&f->rig); /* the other thread may try now */
	poll(NULL, 0, 50);
	pool_give(f->pool, &c);
	return NULL;
}

static void
test_waits_for_a_busy_one(void **state)
{
	struct fixture f;
	pthread_t thread;

	(void)state;
	begin(&f, 1,
	    (struct pool_limits){ .max_idle = 4, .max_connections = 1, .idle_ms = 60000 });
	pthread_create(&thread, NULL, give_later, &f);
	while (!f.rig.go)
		poll(NULL, 0, 1);
	struct conn *c = take(&f, &f.target, false, true);
	pthread_join(thread, NULL);
	counts(&f, 0, 1);
	pool_drop(f.pool, &c);
	counts(&f, 0, 0);
	end(&f);
}

static void
test_dead_ones_go(void **state)
{
	struct fixture f;

	(void)state;
	rig_open(&f.rig);
	rig_add(&f.rig, STEPS(RIG_HELLO, "!wait", "!close"));
	rig_add(&f.rig, STEPS(RIG_HELLO, "!wait", ">421 bye", "!hang"));
	rig_add(&f.rig, quiet_server);
	rig_start(&f.rig);
	f.target = (struct conn_target){ .host = "127.0.0.1",
		.port = f.rig.port,
		.helo = "gate.example.com",
		.connect_timeout_ms = 10000 };
	conn_target_set_key(&f.target);
	f.pool = pool_create(&(struct pool_limits){ .max_idle = 4, .idle_ms = 60000 });
	struct conn *a = take(&f, &f.target, false, false),
		    *b = take(&f, &f.target, false, false);
	struct conn *dead[] = { a, b };
	rig_go(&f.rig);
	for (size_t i = 0; i < 2; i++) {
		for (int tries = 0; conn_is_usable(dead[i]) && tries < 2000; tries++)
			poll(NULL, 0, 5);
		assert_false(conn_is_usable(dead[i]));
	}
	pool_give(f.pool, &a);
	pool_give(f.pool, &b);
	a = take(&f, &f.target, false, false);
	counts(&f, 0, 1);
	pool_give(f.pool, &a);
	end(&f);
}

static void
test_failed_opening_is_not_counted(void **state)
{
	struct fixture f;
	struct err err = { .kind = ERR_NONE };
	bool is_warm;

	(void)state;
	begin(&f, 0,
	    (struct pool_limits){ .max_idle = 4, .max_connections = 1, .idle_ms = 60000 });
	for (int i = 0; i < 2; i++)
		assert_null(pool_take(
		    f.pool, &f.target, false, clock_mono_ms() + 10000, &is_warm, &err));
	assert_int_not_equal(err.kind, ERR_LIMIT);
	counts(&f, 0, 0);
	end(&f);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_in_first_out),
		cmocka_unit_test(test_keys_part_them),
		cmocka_unit_test(test_idle_limit),
		cmocka_unit_test(test_idle_time),
		cmocka_unit_test(test_connection_limit),
		cmocka_unit_test(test_waits_for_a_busy_one),
		cmocka_unit_test(test_dead_ones_go),
		cmocka_unit_test(test_failed_opening_is_not_counted),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
