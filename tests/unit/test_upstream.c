/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/upstream/upstream and group: what a configuration must hold, health, features. */
#include "proxy/upstream/relay.h"
#include "proxy/upstream/upstream.h"

#include "lib/base/clock.h"
#include "proxy/upstream/group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/unit/log_capture.h"
#include "tests/unit/upstream_rig.h"
#include "tests/unit/upstream_rig_delivery.h"

static const char *const three[] = { "192.0.2.1:25", "192.0.2.2:25", "mx.example.com" };

/* create - NULL: *error_out holds the first error's text. */
static struct upstream *
create(const struct config_upstream *config, char error_out[512])
{
	struct conf_errors errors;
	struct upstream *u;

	conf_errors_init(&errors);
	u = upstream_create(config, "gate.example.com", &errors);
	snprintf(error_out, 512, "%s", errors.count > 0 ? errors.lines[0] : "");
	if ((u == NULL) != (errors.count > 0))
		fail_msg("an upstream and errors, or neither: %s", error_out);
	conf_errors_finish(&errors);
	return u;
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fchmod(fileno(f), mode), 0);
	fclose(f);
}

static void
test_configuration(void **state)
{
	char dir[] = "/tmp/gatepost-upstream-XXXXXX", good[64], open_to_all[64], empty[64],
	     error[512];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(good, sizeof(good), "%s/good", dir);
	snprintf(open_to_all, sizeof(open_to_all), "%s/open", dir);
	snprintf(empty, sizeof(empty), "%s/empty", dir);
	write_file(good, "pass word\r\nmore\n", 0600);
	write_file(open_to_all, "pass\n", 0644);
	write_file(empty, "\npass\n", 0600);
	const struct {
		const char *sentence;
		struct config_upstream change;
		const char *error; /* NULL: it is good */
	} rows[] = {
		{ "servers alone are enough", { .type = UPSTREAM_SMTP }, NULL },
		{ "a password file", { .login = "gate", .password_file = good }, NULL },
		{ "a password in the file itself", { .login = "gate", .password = "x" }, NULL },
		{ "a login without password", { .login = "gate" }, "has no password" },
		{ "a password file that everybody may read",
		    { .login = "g", .password_file = open_to_all }, "everybody" },
		{ "a password file with an empty first line",
		    { .login = "g", .password_file = empty }, "no password" },
		{ "a password file that is not there",
		    { .login = "g", .password_file = "/nonexistent/p" }, "No such file" },
		{ "a CA file that is not there",
		    { .tls = UPSTREAM_TLS_REQUIRED, .ca_file = "/nonexistent/ca" },
		    "/nonexistent/ca" },
		{ "a certificate of our own that is not there",
		    { .tls = UPSTREAM_TLS_OPPORTUNISTIC,
			.certificate = "/nonexistent/c",
			.key = good },
		    "/nonexistent/c" },
		{ "a Maildir that is there", { .type = UPSTREAM_MAILDIR, .maildir = dir },
		    NULL },
		{ "a Maildir in a folder that is there",
		    { .type = UPSTREAM_MAILDIR, .maildir = "/tmp/gatepost-no-such-folder" },
		    NULL },
		{ "a Maildir in a folder that is not there",
		    { .type = UPSTREAM_MAILDIR, .maildir = "/nonexistent/a/b" },
		    "folder above" },
		{ "a Maildir that is a file", { .type = UPSTREAM_MAILDIR, .maildir = good },
		    "no folder" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_upstream config = rig_config(three, 3);
		struct upstream *u;

		config.type = rows[i].change.type;
		config.tls = rows[i].change.tls;
		config.login = rows[i].change.login;
		config.password = rows[i].change.password;
		config.password_file = rows[i].change.password_file;
		config.ca_file = rows[i].change.ca_file;
		config.maildir = rows[i].change.maildir;
		config.certificate = rows[i].change.certificate;
		config.key = rows[i].change.key;
		u = create(&config, error);
		if (rows[i].error == NULL ? u == NULL : strstr(error, rows[i].error) == NULL)
			fail_msg("%s: %s", rows[i].sentence, error);
		if (u != NULL && config.password_file != NULL)
			assert_string_equal(u->password.p, "pass word");
		upstream_destroy(&u);
		assert_null(u);
	}
	unlink(good);
	unlink(open_to_all);
	unlink(empty);
	rmdir(dir);
}

static size_t
next(struct upstream *u, uint32_t excluded)
{
	size_t server = 99;

	return group_next(u, excluded, &server) ? server : 99;
}

static void
test_health(void **state)
{
	struct config_upstream config = rig_config(three, 3);
	char error[512];
	struct upstream *u = create(&config, error);

	(void)state;
	clock_fake_set(1000000, 1);
	assert_int_equal(next(u, 0), 0);
	assert_int_equal(next(u, 1), 1);
	assert_int_equal(next(u, 7), 99);
	group_failed(u, 0);
	assert_int_equal(next(u, 0), 1);
	assert_int_equal(next(u, 6), 0); /* tried last, not never */
	clock_fake_set(1000000 + 999, 1);
	group_failed(u, 0); /* no new failure: it rests */
	assert_int_equal(next(u, 0), 1);
	clock_fake_set(1000000 + 1000, 1);
	assert_int_equal(next(u, 0), 0);
	group_failed(u, 0); /* the second: two seconds */
	clock_fake_set(1000000 + 2999, 1);
	assert_int_equal(next(u, 0), 1);
	clock_fake_set(1000000 + 3000, 1);
	assert_int_equal(next(u, 0), 0);
	group_failed(u, 0);
	group_works(u, 0);
	assert_int_equal(next(u, 0), 0);
	assert_int_equal(next(u, 0), 0);
	clock_fake_set(-1, -1);
	upstream_destroy(&u);
}

/* One delivery at a time tries a server that has rested; for the others it is the last. */
static void
test_probe(void **state)
{
	struct config_upstream config = rig_config(three, 3);
	char error[512];
	struct upstream *u = create(&config, error);
	const int64_t lease =
	    u->servers[0].target.connect_timeout_ms + config.command_timeout_ms;

	(void)state;
	log_capture_begin(LEVEL_INFO);
	clock_fake_set(1000000, 1);
	group_failed(u, 0);
	group_failed(u, 0); /* another delivery, at the same time */
	clock_fake_set(1000000 + 1000, 1);
	assert_int_equal(next(u, 0), 0);
	assert_int_equal(next(u, 0), 1);
	assert_int_equal(next(u, 6), 0); /* nothing else is left */
	/* A probe that is never heard of again does not keep the others away for good. */
	clock_fake_set(1000000 + 1000 + lease - 1, 1);
	assert_int_equal(next(u, 0), 1);
	clock_fake_set(1000000 + 1000 + lease, 1);
	assert_int_equal(next(u, 0), 0);
	assert_int_equal(next(u, 0), 1);
	group_failed(u, 0); /* it rests for 2 s, and is probed again */
	clock_fake_set(1000000 + 1000 + lease + 2000, 1);
	assert_int_equal(next(u, 0), 0);
	assert_int_equal(next(u, 0), 1);
	group_works(u, 0);
	assert_int_equal(next(u, 0), 0);
	assert_int_equal(next(u, 0), 0);
	group_works(u, 0);
	clock_fake_set(-1, -1);
	const char *log = log_capture_end();
	assert_int_equal(log_capture_count(log, "event=upstream.rests"), 2);
	assert_int_equal(log_capture_count(log, "event=upstream.works"), 1);
	assert_non_null(strstr(log, "server=192.0.2.1:25 failures=2 ms=2000"));
	upstream_destroy(&u);
}

static void
test_rest_has_an_end(void **state)
{
	struct config_upstream config = rig_config(three, 2);
	char error[512];
	struct upstream *u = create(&config, error);
	int64_t now = 1000000;

	(void)state;
	for (int i = 0; i < 50; i++, now += GROUP_REST_MAX_MS) {
		clock_fake_set(now, 1);
		assert_int_equal(next(u, 0), 0);
		group_failed(u, 0);
		assert_int_equal(next(u, 0), 1);
	}
	/* With all of them resting, the one that is first to be done with it. */
	group_failed(u, 1);
	assert_int_equal(next(u, 0), 1);
	clock_fake_set(-1, -1);
	upstream_destroy(&u);
}

static void
test_features(void **state)
{
	struct config_upstream config = rig_config(three, 3);
	char error[512];
	struct upstream *u = create(&config, error);
	struct smtp_ehlo ehlo;

	(void)state;
	upstream_features(u, &ehlo);
	assert_true(ehlo.eightbitmime);
	assert_int_equal(ehlo.size_limit, 0);
	group_learn(u, 1,
	    &(struct smtp_ehlo){
		.eightbitmime = true, .size = true, .size_limit = 5000, .pipelining = true });
	upstream_features(u, &ehlo);
	assert_true(ehlo.eightbitmime);
	assert_true(ehlo.pipelining);
	assert_int_equal(ehlo.size_limit, 5000);
	group_learn(u, 0, &(struct smtp_ehlo){ .eightbitmime = true, .size = true });
	upstream_features(u, &ehlo);
	assert_int_equal(ehlo.size_limit, 5000);
	assert_false(ehlo.pipelining);
	group_learn(u, 2,
	    &(struct smtp_ehlo){
		.size = true, .size_limit = 4000, .rcpt_max = 7, .dsn = true });
	upstream_features(u, &ehlo);
	assert_false(ehlo.eightbitmime);
	assert_int_equal(ehlo.size_limit, 4000);
	assert_int_equal(ehlo.rcpt_max, 7);
	assert_false(ehlo.dsn);
	upstream_destroy(&u);
}

/* What was heard long ago is no reason any more to leave a server out. */
static void
test_what_is_known_grows_old(void **state)
{
	struct config_upstream config = rig_config(three, 3);
	char error[512];
	struct upstream *u;
	struct smtp_ehlo ehlo;

	(void)state;
	clock_fake_set(1000, 0);
	u = create(&config, error);
	assert_false(group_offer(u, 0, &ehlo));
	assert_true(group_may_offer(u, RELAY_DSN | RELAY_SMTPUTF8));
	for (size_t i = 0; i < 3; i++)
		group_learn(u, i, &(struct smtp_ehlo){ .dsn = i == 1, .size = true });
	assert_true(group_offer(u, 0, &ehlo));
	assert_false(ehlo.dsn);
	assert_true(group_may_offer(u, RELAY_DSN));
	assert_false(group_may_offer(u, RELAY_DSN | RELAY_SMTPUTF8));
	clock_fake_set(1000 + GROUP_KNOWN_MS - 1, 0);
	assert_false(group_may_offer(u, RELAY_SMTPUTF8));
	clock_fake_set(1000 + GROUP_KNOWN_MS, 0);
	assert_false(group_offer(u, 0, &ehlo));
	assert_true(group_may_offer(u, RELAY_SMTPUTF8));
	clock_fake_set(-1, -1);
	upstream_destroy(&u);
}

/* A server that has gone is passed by at once, while it rests. */
static void
test_fail_over(void **state)
{
	struct rig rig, gone;
	const char *servers[2] = { gone.server, rig.server };
	struct config_upstream config = rig_config(servers, 2);
	char error[512];
	struct rig_answers answers;
	const char *const *scripts[] = { STEPS(
	    UP_TO_DOT, FINAL_OK, RIG_MAIL, RIG_RCPT, RIG_DATA, FINAL_OK, "<QUIT") };

	(void)state;
	rig_open(&gone);
	rig_start(&gone);
	rig_stop(&gone); /* nobody listens there any more */
	rig_begin(&rig, scripts, 1);
	struct upstream *u = create(&config, error);
	for (int i = 0; i < 2; i++) {
		rig_deliver(u, "FROM:<a@example.com>", false, &answers);
		assert_int_equal(answers.final, 250);
		assert_string_equal(answers.facts.server, rig.server);
		assert_int_equal(answers.facts.connects, i == 0 ? 1 : 0);
	}
	assert_int_equal(u->servers[0].failures, 1);
	assert_int_equal(u->servers[1].failures, 0);
	upstream_features(u, &(struct smtp_ehlo){ .size = false });
	upstream_tend(u);
	upstream_destroy(&u);
	rig_stop(&rig);
	assert_null(rig_problem(&rig));
	rig_free(&rig);
	config = rig_config(servers, 1);
	u = create(&config, error);
	rig_deliver(u, "FROM:<a@example.com>", false, &answers);
	assert_int_equal(answers.mail, 451);
	assert_string_equal(answers.last.enhanced, "4.4.1");
	upstream_destroy(&u);
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
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_rest_has_an_end),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_what_is_known_grows_old),
		cmocka_unit_test(test_fail_over),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
