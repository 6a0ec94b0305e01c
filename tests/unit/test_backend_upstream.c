/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/auth/backend_upstream against scripted servers: good, refusing, broken, slow, dressed
 * up. */
#include "proxy/auth/backend.h"

#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/unit/upstream_rig.h"

#define STEPS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define HELLO	   "<EHLO gate.example.com"
#define STARTTLS_HEAD \
	">220 hi", HELLO, ">250-mta\r\n250 STARTTLS", "<STARTTLS", ">220 go", "!tls"
/* Up to an EHLO reply under TLS, by both ways. */
#define STARTTLS   STARTTLS_HEAD, HELLO
#define IMPLICIT   "!tls", ">220 hi", HELLO
#define BOTH	   ">250-mta\r\n250 AUTH LOGIN PLAIN"
#define ONLY_LOGIN ">250-mta\r\n250 AUTH LOGIN"
#define PLAIN	   "<AUTH PLAIN AGFsaWNlQHguZXhhbXBsZQBzZXNhbWU=\r\n"
#define LOGIN_NAME "<YWxpY2VAeC5leGFtcGxl\r\n"
#define LOGIN_WORD "<c2VzYW1l\r\n"

struct row {
	const char *sentence;
	int tls; /* enum listener_tls */
	const struct cert_files *files;
	const char *const *script;
	enum auth_verdict verdict;
	const char *why;    /* in the error */
	int64_t timeout_ms; /* 0: long */
};

static struct certs certs;
static char ca_file[160];
static struct cert_files good, expired, other;

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	certs_create(&certs, ca_file);
	certs_issue(&certs, "good", "mta.example.com", 100, &good);
	certs_issue(&certs, "expired", "mta.example.com", -10, &expired);
	certs_issue(&certs, "other", "other.example.com", 100, &other);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	certs_destroy(&certs);
	return 0;
}

static enum auth_verdict
ask(struct config_backend *config, const char *login, const char *word, struct arena *arena,
    struct identity *identity, struct err *why)
{
	struct conf_errors errors;
	struct secret password = { 0 };
	struct backend *b;
	enum auth_verdict verdict;

	conf_errors_init(&errors);
	b = backend_upstream_create(config, "auth.backends[0]", "gate.example.com", &errors);
	assert_non_null(b);
	assert_true(secret_set(&password, view_of(word)));
	{
		const struct auth_question q = { .login = view_of(login),
			.password = &password,
			.deadline_ms = clock_mono_ms() + config->timeout_ms,
			.arena = arena };

		verdict = b->ops->check(b, &q, identity, why);
	}
	b->ops->destroy(b);
	secret_finish(&password);
	conf_errors_finish(&errors);
	return verdict;
}

static void
run_row(const struct row *row)
{
	struct rig rig;
	struct err why = { .kind = ERR_NONE };
	struct identity identity = { 0 };
	struct arena arena;
	struct config_backend config = { .type = BACKEND_UPSTREAM,
		.tls = row->tls,
		.tls_name = "mta.example.com",
		.ca_file = ca_file,
		.timeout_ms = row->timeout_ms != 0 ? row->timeout_ms : 15000 };

	print_message("%s\n", row->sentence);
	rig_open(&rig);
	rig.files = row->files;
	rig_add(&rig, row->script);
	rig_start(&rig);
	config.server = rig.server;
	arena_init(&arena);
	assert_int_equal(
	    ask(&config, "alice@x.example", "sesame", &arena, &identity, &why), row->verdict);
	rig_stop(&rig);
	/* Where the certificate is bad the script ends early, and that is the point. */
	if (row->files == &good && rig_problem(&rig) != NULL)
		fail_msg("%s", rig_problem(&rig));
	if (row->verdict == AUTH_ACCEPTED) {
		assert_string_equal(identity.login, "alice@x.example");
		assert_int_equal(identity.pattern_count, 1);
		assert_string_equal(identity.patterns[0], "alice@x.example");
	} else {
		if (strstr(why.text, row->why) == NULL)
			fail_msg("\"%s\" is not in \"%s\"", row->why, why.text);
		assert_null(strstr(why.text, "sesame"));
		assert_null(strstr(why.text, "c2VzYW1l"));
		assert_null(identity.login);
	}
	arena_finish(&arena);
	rig_free(&rig);
}

static void
run_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		run_row(&rows[i]);
}

static void
test_accepts(void **state)
{
	const struct row rows[] = {
		{ "PLAIN behind STARTTLS, then QUIT", LISTENER_TLS_STARTTLS, &good,
		    STEPS(STARTTLS, BOTH, PLAIN, ">235 2.7.0 ok", "<QUIT"), AUTH_ACCEPTED, "",
		    0 },
		{ "PLAIN over implicit TLS", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, ">235 ok", "<QUIT"), AUTH_ACCEPTED, "", 0 },
		{ "LOGIN where there is nothing else", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, ONLY_LOGIN, "<AUTH LOGIN\r\n", ">334 VXNlcm5hbWU6",
			LOGIN_NAME, ">334 UGFzc3dvcmQ6", LOGIN_WORD, ">235 ok", "<QUIT"),
		    AUTH_ACCEPTED, "", 0 },
	};

	(void)state;
	run_rows(rows, ARRAY_LEN(rows));
}

static void
test_refuses(void **state)
{
	const struct row rows[] = {
		{ "535", LISTENER_TLS_STARTTLS, &good,
		    STEPS(STARTTLS, BOTH, PLAIN, ">535 5.7.8 no sesame", "<QUIT"), AUTH_REFUSED,
		    "AUTH was answered by 535 5.7.8", 0 },
		{ "535 without an enhanced code", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, ">535 AGFsaWNlAHNlc2FtZQ== is wrong", "<QUIT"),
		    AUTH_REFUSED, "535", 0 },
		{ "534: another kind of password is needed", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, ">534 5.7.9 no", "<QUIT"), AUTH_REFUSED, "534",
		    0 },
		{ "another code with 5.7.8", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, ">550 5.7.8 no", "<QUIT"), AUTH_REFUSED, "550",
		    0 },
		{ "LOGIN: refused at the login already", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, ONLY_LOGIN, "<AUTH LOGIN", ">334 x", LOGIN_NAME, ">535 no",
			"<QUIT"),
		    AUTH_REFUSED, "535", 0 },
		{ "LOGIN: refused at the end", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, ONLY_LOGIN, "<AUTH LOGIN", ">334 x", LOGIN_NAME, ">334 y",
			LOGIN_WORD, ">535 no", "<QUIT"),
		    AUTH_REFUSED, "535", 0 },
	};

	(void)state;
	run_rows(rows, ARRAY_LEN(rows));
}

static void
test_is_down(void **state)
{
	const struct row rows[] = {
		{ "454", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, ">454 4.7.0 later", "<QUIT"), AUTH_UNAVAILABLE,
		    "454", 0 },
		{ "a 5xx that is not about the password", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, ">504 5.5.4 no such mechanism", "<QUIT"),
		    AUTH_UNAVAILABLE, "504", 0 },
		{ "250 is no 235", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, ">250 ok", "<QUIT"), AUTH_UNAVAILABLE, "250",
		    0 },
		{ "asks for more than PLAIN has", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, ">334 ", "!hang"), AUTH_UNAVAILABLE, "334",
		    0 },
		{ "no AUTH offered", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, ">250 mta", "<QUIT"), AUTH_UNAVAILABLE,
		    "neither AUTH PLAIN", 0 },
		{ "AUTH offered before TLS only", LISTENER_TLS_STARTTLS, &good,
		    STEPS(">220 hi", HELLO, ">250-mta\r\n250-AUTH PLAIN\r\n250 STARTTLS",
			"<STARTTLS", ">220 go", "!tls", HELLO, ">250 mta", "<QUIT"),
		    AUTH_UNAVAILABLE, "neither AUTH PLAIN", 0 },
		{ "a greeting that says no", LISTENER_TLS_STARTTLS, &good, STEPS(">554 no"),
		    AUTH_UNAVAILABLE, "greeting", 0 },
		{ "closes at once", LISTENER_TLS_STARTTLS, &good, STEPS("!close"),
		    AUTH_UNAVAILABLE, "closed", 0 },
		{ "closes behind AUTH", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, "!close"), AUTH_UNAVAILABLE, "closed", 0 },
		{ "speaks no SMTP", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, ">HTTP/1.1 200 OK"), AUTH_UNAVAILABLE,
		    "no SMTP reply", 0 },
		{ "answers before it was asked", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH "\r\n235 ok", "!hang"), AUTH_UNAVAILABLE,
		    "talked unasked", 0 },
	};

	(void)state;
	run_rows(rows, ARRAY_LEN(rows));
}

static void
test_is_slow(void **state)
{
	const struct row rows[] = {
		{ "no greeting", LISTENER_TLS_STARTTLS, &good, STEPS("!hang"), AUTH_UNAVAILABLE,
		    "in time", 100 },
		{ "no handshake", LISTENER_TLS_IMPLICIT, &good, STEPS("!hang"),
		    AUTH_UNAVAILABLE, "in time", 100 },
		{ "no answer to AUTH", LISTENER_TLS_IMPLICIT, &good,
		    STEPS(IMPLICIT, BOTH, PLAIN, "!hang"), AUTH_UNAVAILABLE, "in time", 400 },
	};

	(void)state;
	run_rows(rows, ARRAY_LEN(rows));
}

static void
test_no_verified_tls_no_password(void **state)
{
	const struct row rows[] = {
		{ "no STARTTLS offered", LISTENER_TLS_STARTTLS, &good,
		    STEPS(">220 hi", HELLO, ">250-mta\r\n250 AUTH PLAIN", "!hang"),
		    AUTH_UNAVAILABLE, "does not offer STARTTLS", 0 },
		{ "STARTTLS refused", LISTENER_TLS_STARTTLS, &good,
		    STEPS(">220 hi", HELLO, ">250-mta\r\n250-AUTH PLAIN\r\n250 STARTTLS",
			"<STARTTLS", ">454 no", "!hang"),
		    AUTH_UNAVAILABLE, "STARTTLS", 0 },
		{ "clear text behind STARTTLS", LISTENER_TLS_STARTTLS, &good,
		    STEPS(">220 hi", HELLO, ">250-mta\r\n250 STARTTLS", "<STARTTLS",
			">220 go\r\n250 AUTH PLAIN", "!hang"),
		    AUTH_UNAVAILABLE, "clear text", 0 },
		{ "an expired certificate, STARTTLS", LISTENER_TLS_STARTTLS, &expired,
		    STEPS(STARTTLS), AUTH_UNAVAILABLE, "expired", 0 },
		{ "an expired certificate, implicit", LISTENER_TLS_IMPLICIT, &expired,
		    STEPS(IMPLICIT), AUTH_UNAVAILABLE, "expired", 0 },
		{ "somebody else's certificate", LISTENER_TLS_IMPLICIT, &other, STEPS(IMPLICIT),
		    AUTH_UNAVAILABLE, "mismatch", 0 },
	};

	(void)state;
	run_rows(rows, ARRAY_LEN(rows));
}

static void
test_a_long_response_waits_for_334(void **state)
{
	struct rig rig;
	struct err why = { .kind = ERR_NONE };
	struct identity identity = { 0 };
	struct arena arena;
	static char word[4097];
	struct config_backend config = { .tls = LISTENER_TLS_IMPLICIT,
		.tls_name = "mta.example.com",
		.ca_file = ca_file,
		.timeout_ms = 15000 };

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	rig_open(&rig);
	rig.files = &good;
	/* The rig's line has room for 4095 octets: what is over is the next one. */
	rig_add(
	    &rig, STEPS(IMPLICIT, BOTH, "<AUTH PLAIN\r\n", ">334 ", "<AGFs", "<", ">235 ok"));
	rig_start(&rig);
	config.server = rig.server;
	arena_init(&arena);
	assert_int_equal(ask(&config, "alice", word, &arena, &identity, &why), AUTH_ACCEPTED);
	rig_stop(&rig);
	assert_null(rig_problem(&rig));
	assert_string_equal(identity.login, "alice");
	assert_int_equal(identity.pattern_count, 0); /* no address: it may send as nobody */
	arena_finish(&arena);
	rig_free(&rig);
}

static void
test_patterns_say_more(void **state)
{
	static const struct {
		const char *sentence, *login, *shown, *pattern;
	} rows[] = {
		{ "in the file", "ALICE", "alice", "*@x.example" },
		{ "not in the file: an address stands for itself", "bob@x.example",
		    "bob@x.example", "bob@x.example" },
		{ "not in the file and no address", "bob", "bob", NULL },
		{ "a wildcard is no address", "*@x.example", "*@x.example", NULL },
	};
	char path[160];
	struct conf_errors errors;
	struct arena arena;
	struct config_backend config = { .tls = LISTENER_TLS_IMPLICIT,
		.server = "127.0.0.1:1",
		.patterns = path,
		.timeout_ms = 1000 };
	struct backend *b;
	FILE *f;

	(void)state;
	certs_path(&certs, "patterns", path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs("alice:*@x.example\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0644), 0);
	conf_errors_init(&errors);
	arena_init(&arena);
	b = backend_upstream_create(&config, "auth.backends[0]", "gate.example.com", &errors);
	assert_non_null(b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity identity = { 0 };

		print_message("%s\n", rows[i].sentence);
		assert_true(b->ops->identify(b, view_of(rows[i].login), &arena, &identity));
		assert_string_equal(identity.login, rows[i].shown);
		assert_int_equal(identity.pattern_count, rows[i].pattern != NULL);
		if (rows[i].pattern != NULL)
			assert_string_equal(identity.patterns[0], rows[i].pattern);
	}
	b->ops->destroy(b);
	arena_finish(&arena);
	conf_errors_finish(&errors);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_is_down),
		cmocka_unit_test(test_is_slow),
		cmocka_unit_test(test_no_verified_tls_no_password),
		cmocka_unit_test(test_a_long_response_waits_for_334),
		cmocka_unit_test(test_patterns_say_more),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
