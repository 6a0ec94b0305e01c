/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/upstream/conn: opening a connection to servers that behave and servers that don't. */
#include "proxy/upstream/conn.h"

#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "tests/unit/upstream_rig.h"

static struct certs certs;
static char ca_file[160];
static struct cert_files good, expired;
static struct secret password;

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	certs_create(&certs, ca_file);
	certs_issue(&certs, "good", "mta.example.com", 100, &good);
	certs_issue(&certs, "expired", "mta.example.com", -10, &expired);
	return secret_set(&password, VIEW("s3cret")) ? 0 : 1;
}

static int
tear_down(void **state)
{
	(void)state;
	secret_finish(&password);
	certs_destroy(&certs);
	return 0;
}

#define STEPS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define EHLO_TLS   "<EHLO gate.example.com", ">250-mta\r\n250 STARTTLS"
#define GREET	   ">220 hi"

struct row {
	const char *sentence;
	enum upstream_tls tls;
	const char *tls_name; /* NULL: mta.example.com */
	bool login;
	const struct cert_files *files;
	const char *const *first, *const *second; /* scripts; second NULL: one connection */
	enum err_kind kind;			  /* ERR_NONE: it opens */
	const char *text;			  /* in the error; or in the TLS text */
	int64_t timeout_ms;			  /* 0: long */
};

static struct conn *
open_row(const struct row *row, struct rig *rig, struct err *err)
{
	static struct conn_target target; /* outlives the connection */
	struct conn *c;

	target = (struct conn_target){ .host = "127.0.0.1",
		.port = rig->port,
		.tls = row->tls,
		.tls_name = row->tls_name != NULL ? row->tls_name : "mta.example.com",
		.login = row->login ? "gate" : NULL,
		.password = &password,
		.helo = "gate.example.com",
		.connect_timeout_ms = row->timeout_ms != 0 ? row->timeout_ms : 15000 };
	if (row->tls != UPSTREAM_TLS_NONE)
		target.tls_ctx = tls_client_create(
		    row->tls == UPSTREAM_TLS_REQUIRED ? TLS_VERIFY_PEER : TLS_VERIFY_NONE,
		    row->tls == UPSTREAM_TLS_REQUIRED ? ca_file : NULL, NULL);
	c = conn_open(&target, clock_mono_ms() + 30000, err);
	SSL_CTX_free(target.tls_ctx); /* a session holds its own reference */
	return c;
}

static void
check_row(const struct row *row)
{
	struct rig rig;
	struct err err = { .kind = ERR_NONE };
	struct conn *c;

	rig_open(&rig);
	rig.files = row->files;
	rig_add(&rig, row->first);
	if (row->second != NULL)
		rig_add(&rig, row->second);
	rig_start(&rig);
	c = open_row(row, &rig, &err);
	if ((c != NULL) != (row->kind == ERR_NONE) || (c == NULL && err.kind != row->kind))
		fail_msg("%s: %s %s", row->sentence, err_kind_name(err.kind), err.text);
	if (strstr(c != NULL ? conn_tls_text(c) : err.text, row->text) == NULL)
		fail_msg("%s: %s", row->sentence, c != NULL ? conn_tls_text(c) : err.text);
	if (strstr(err.text, "s3cret") != NULL || strstr(err.text, "czNjcmV0") != NULL)
		fail_msg("%s: the password is in the error", row->sentence);
	conn_close(&c);
	rig_stop(&rig);
	if (row->kind == ERR_NONE && rig_problem(&rig) != NULL)
		fail_msg("%s: %s", row->sentence, rig_problem(&rig));
	if (rig.accepted != (row->second != NULL ? 2 : 1))
		fail_msg("%s: %zu connections", row->sentence, (size_t)rig.accepted);
	rig_free(&rig);
}

static void
test_greeting_and_hello(void **state)
{
	const struct row rows[] = {
		{ .sentence = "a plain server is greeted, and told QUIT",
		    .first = STEPS(RIG_HELLO, "<QUIT"),
		    .text = "" },
		{ .sentence = "a greeting of many lines is read",
		    .first = STEPS(">220-hi\r\n220-there\r\n220 you", EHLO_TLS, "<QUIT"),
		    .text = "" },
		{ .sentence = "a server that knows no EHLO gets HELO",
		    .first = STEPS(GREET, "<EHLO", ">500 what", "<HELO gate.example.com",
			">250 hi", "<QUIT"),
		    .text = "" },
		{ .sentence = "a temporary refusal of EHLO is one",
		    .first = STEPS(GREET, "<EHLO", ">450 later", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "later" },
		{ .sentence = "a refused HELO is an error",
		    .first = STEPS(GREET, "<EHLO", ">500 what", "<HELO", ">550 no", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "550" },
		{ .sentence = "a refusing greeting is an error with its text",
		    .first = STEPS(">554 5.7.1 go away", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "go away" },
		{ .sentence = "421 as a greeting is an error",
		    .first = STEPS(">421 busy", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "421" },
		{ .sentence = "250 as a greeting is an error",
		    .first = STEPS(">250 ok", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "greeting" },
		{ .sentence = "a greeting that is no reply is an error",
		    .first = STEPS(">SSH-2.0-OpenSSH_9.2", "!hang"),
		    .kind = ERR_PROTOCOL,
		    .text = "greeting" },
		{ .sentence = "a server that closes at once is an error",
		    .first = STEPS("!close"),
		    .kind = ERR_CLOSED,
		    .text = "greeting" },
		{ .sentence = "a silent server costs the time limit",
		    .first = STEPS("!hang"),
		    .kind = ERR_TIMEOUT,
		    .text = "greeting",
		    .timeout_ms = 60 },
		{ .sentence = "silence behind EHLO costs the time limit",
		    .first = STEPS(GREET, "<EHLO", "!hang"),
		    .kind = ERR_TIMEOUT,
		    .text = "EHLO",
		    .timeout_ms = 60 },
		{ .sentence = "talk behind the greeting is an error",
		    .first = STEPS(">>220 hi\r\n250 more\r\n", "!hang"),
		    .kind = ERR_PROTOCOL,
		    .text = "unasked" },
		{ .sentence = "codes that differ between lines are an error",
		    .first = STEPS(GREET, "<EHLO", ">250-a\r\n550 b", "!hang"),
		    .kind = ERR_PROTOCOL,
		    .text = "EHLO" },
		{ .sentence =
			"an unverified server without TLS gets mail when TLS is opportunistic",
		    .tls = UPSTREAM_TLS_OPPORTUNISTIC,
		    .first = STEPS(RIG_HELLO, "<QUIT"),
		    .text = "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

static void
test_tls(void **state)
{
	const struct row rows[] = {
		{ .sentence = "required TLS with the right certificate",
		    .tls = UPSTREAM_TLS_REQUIRED,
		    .files = &good,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">220 go", "!tls",
			"<EHLO gate.example.com", ">250 mta", "<QUIT"),
		    .text = "TLSv1.3" },
		{ .sentence = "required TLS with another name is refused",
		    .tls = UPSTREAM_TLS_REQUIRED,
		    .tls_name = "mx.example.com",
		    .files = &good,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">220 go", "!tls", "!hang"),
		    .kind = ERR_TLS,
		    .text = "hostname mismatch" },
		{ .sentence = "required TLS with an expired certificate is refused",
		    .tls = UPSTREAM_TLS_REQUIRED,
		    .files = &expired,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">220 go", "!tls", "!hang"),
		    .kind = ERR_TLS,
		    .text = "expired" },
		{ .sentence = "required TLS that is not offered is refused",
		    .tls = UPSTREAM_TLS_REQUIRED,
		    .first = STEPS(RIG_HELLO, "!hang"),
		    .kind = ERR_TLS,
		    .text = "does not offer" },
		{ .sentence = "required TLS refuses a server that knows no EHLO",
		    .tls = UPSTREAM_TLS_REQUIRED,
		    .first = STEPS(GREET, "<EHLO", ">500 what", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "EHLO" },
		{ .sentence = "a refused STARTTLS ends required TLS",
		    .tls = UPSTREAM_TLS_REQUIRED,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">454 no", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "454" },
		{ .sentence = "a refused STARTTLS is passed over by opportunistic TLS",
		    .tls = UPSTREAM_TLS_OPPORTUNISTIC,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">454 no", "<QUIT"),
		    .text = "" },
		{ .sentence = "opportunistic TLS takes any certificate",
		    .tls = UPSTREAM_TLS_OPPORTUNISTIC,
		    .tls_name = "mx.example.com",
		    .files = &expired,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">220 go", "!tls", "<EHLO",
			">250 mta", "<QUIT"),
		    .text = "TLSv1.3" },
		{ .sentence = "a handshake that fails makes a second connection without",
		    .tls = UPSTREAM_TLS_OPPORTUNISTIC,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">220 go", "!close"),
		    .second = STEPS(GREET, EHLO_TLS, "<QUIT"),
		    .text = "" },
		{ .sentence = "a handshake that hangs leaves time for the second connection",
		    .tls = UPSTREAM_TLS_OPPORTUNISTIC,
		    .timeout_ms = 3000,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">220 go", "!hang"),
		    .second = STEPS(GREET, EHLO_TLS, "<QUIT"),
		    .text = "" },
		{ .sentence = "clear text behind the 220 ends the connection",
		    .tls = UPSTREAM_TLS_OPPORTUNISTIC,
		    .files = &good,
		    .first = STEPS(
			GREET, EHLO_TLS, "<STARTTLS", ">>220 go\r\n250 injected\r\n", "!hang"),
		    .kind = ERR_PROTOCOL,
		    .text = "clear text" },
		{ .sentence = "EHLO must be answered again over TLS",
		    .tls = UPSTREAM_TLS_OPPORTUNISTIC,
		    .files = &good,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">220 go", "!tls", "<EHLO",
			">500 no", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "EHLO" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

#define EHLO_AUTH(mechs) "<EHLO gate.example.com", ">250-mta\r\n250 AUTH " mechs

static void
test_auth(void **state)
{
	const struct row rows[] = {
		{ .sentence = "AUTH PLAIN with an initial response",
		    .login = true,
		    .first = STEPS(GREET, EHLO_AUTH("LOGIN PLAIN"),
			"<AUTH PLAIN AGdhdGUAczNjcmV0\r\n", ">235 2.7.0 ok", "<QUIT"),
		    .text = "" },
		{ .sentence = "AUTH LOGIN where there is no PLAIN",
		    .login = true,
		    .first = STEPS(GREET, EHLO_AUTH("LOGIN"), "<AUTH LOGIN\r\n",
			">334 VXNlcm5hbWU6", "<Z2F0ZQ==\r\n", ">334 UGFzc3dvcmQ6",
			"<czNjcmV0\r\n", ">235 ok", "<QUIT"),
		    .text = "" },
		{ .sentence = "a refused password is an error",
		    .login = true,
		    .first = STEPS(
			GREET, EHLO_AUTH("PLAIN"), "<AUTH PLAIN ", ">535 5.7.8 bad", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "535" },
		{ .sentence = "250 to AUTH is no success",
		    .login = true,
		    .first =
			STEPS(GREET, EHLO_AUTH("PLAIN"), "<AUTH PLAIN ", ">250 ok", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "AUTH" },
		{ .sentence = "AUTH LOGIN refused at once sends no login",
		    .login = true,
		    .first =
			STEPS(GREET, EHLO_AUTH("LOGIN"), "<AUTH LOGIN\r\n", ">504 no", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "504" },
		{ .sentence = "no known mechanism is an error",
		    .login = true,
		    .first = STEPS(GREET, EHLO_AUTH("CRAM-MD5"), "!hang"),
		    .kind = ERR_PROTOCOL,
		    .text = "AUTH" },
		{ .sentence = "HELO is not enough for a login",
		    .login = true,
		    .first = STEPS(GREET, "<EHLO", ">500 what", "!hang"),
		    .kind = ERR_REFUSED,
		    .text = "EHLO" },
		{ .sentence = "what is offered in the clear is forgotten over TLS",
		    .login = true,
		    .tls = UPSTREAM_TLS_REQUIRED,
		    .files = &good,
		    .first = STEPS(GREET, "<EHLO", ">250-mta\r\n250-AUTH PLAIN\r\n250 STARTTLS",
			"<STARTTLS", ">220 go", "!tls", "<EHLO", ">250 mta", "!hang"),
		    .kind = ERR_PROTOCOL,
		    .text = "AUTH" },
		{ .sentence = "AUTH over verified TLS",
		    .login = true,
		    .tls = UPSTREAM_TLS_REQUIRED,
		    .files = &good,
		    .first = STEPS(GREET, EHLO_TLS, "<STARTTLS", ">220 go", "!tls",
			EHLO_AUTH("PLAIN"), "<AUTH PLAIN AGdhdGUAczNjcmV0\r\n", ">235 ok",
			"<QUIT"),
		    .text = "TLSv1.3" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

static atomic_int far_fd = -1; /* the server's end */

/* connect_far - to a peer that is not on this machine, as far as the stream knows. */
static struct stream *
connect_far(const struct conn_target *t, int64_t deadline_ms, struct err *err)
{
	int fd[2];

	(void)t, (void)deadline_ms, (void)err;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	far_fd = fd[1];
	return stream_from_fd(fd[0], "192.0.2.1:25");
}

static void *
far_server(void *context)
{
	static const char greeting[] = "220 hi\r\n", ehlo[] = "250-mta\r\n250 AUTH PLAIN\r\n";
	size_t *after_ehlo = context;
	char buf[256];
	ssize_t n;

	while (far_fd < 0)
		poll(NULL, 0, 1);
	(void)!write(far_fd, greeting, sizeof(greeting) - 1);
	(void)!read(far_fd, buf, sizeof(buf));
	(void)!write(far_fd, ehlo, sizeof(ehlo) - 1);
	while ((n = read(far_fd, buf, sizeof(buf))) > 0)
		*after_ehlo += (size_t)n;
	close(far_fd);
	return NULL;
}

static void
test_password_stays(void **state)
{
	struct conn_target target = { .host = "far",
		.port = 25,
		.tls_name = "far",
		.login = "gate",
		.password = &password,
		.helo = "gate.example.com",
		.connect_timeout_ms = 10000,
		.connect = connect_far };
	struct err err = { .kind = ERR_NONE };
	pthread_t thread;
	size_t after_ehlo = 0;

	(void)state;
	pthread_create(&thread, NULL, far_server, &after_ehlo);
	assert_null(conn_open(&target, clock_mono_ms() + 10000, &err));
	assert_int_equal(err.kind, ERR_TLS);
	assert_non_null(strstr(err.text, "password"));
	pthread_join(thread, NULL);
	assert_int_equal(after_ehlo, 0);
}

static void
test_commands(void **state)
{
	const struct row row = { .sentence = "x" };
	struct rig rig;
	struct err err = { .kind = ERR_NONE };
	struct smtp_reply reply;
	struct conn *c;

	(void)state;
	rig_open(&rig);
	rig_add(&rig, STEPS(RIG_HELLO, "<NOOP one", ">250-1\r\n250 2.0.0 2", "<NOOP",
			  ">>250 ok\r\n250 more\r\n", "!hang"));
	rig_add(&rig, STEPS(RIG_HELLO, "!hang"));
	rig_start(&rig);
	c = open_row(&row, &rig, &err);
	assert_non_null(c);
	assert_true(conn_ehlo(c)->eightbitmime);
	assert_int_equal(conn_ehlo(c)->size_limit, 100000);
	assert_true(conn_is_usable(c));
	assert_true(conn_command(c, VIEW("NOOP one"), clock_mono_ms() + 10000, &reply, &err));
	assert_int_equal(reply.code, 250);
	assert_true(conn_command(c, VIEW("NOOP"), clock_mono_ms() + 10000, &reply, &err));
	assert_false(conn_is_idle(c)); /* it said more than was asked */
	assert_false(conn_command(c, VIEW("NOOP"), clock_mono_ms() + 10000, &reply, &err));
	assert_int_equal(err.kind, ERR_PROTOCOL);
	conn_abort(&c);
	c = open_row(&row, &rig, &err);
	assert_non_null(c);
	assert_false(conn_command(
	    c, VIEW("RCPT TO:<a\r\nDATA>"), clock_mono_ms() + 10000, &reply, &err));
	assert_int_equal(err.kind, ERR_PROTOCOL);
	conn_close(&c);
	rig_stop(&rig);
	assert_string_equal(rig_got(&rig, 1), "EHLO gate.example.com\r\n");
	rig_free(&rig);
}

/* One octet differs, the key differs: no connection stands for another. */
static void
test_keys(void **state)
{
	struct secret other = { .p = NULL };
	const struct conn_target base = { .host = "a",
		.port = 25,
		.tls_name = "b",
		.login = "c",
		.password = &password,
		.helo = "d" };
	struct conn_target t[8];

	(void)state;
	assert_true(secret_set(&other, VIEW("s3cres")));
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		t[i] = base;
	t[1].host = "ab";
	t[1].tls_name = "";
	t[2].port = 26;
	t[3].tls = UPSTREAM_TLS_REQUIRED;
	t[4].tls_name = "x";
	t[5].login = "x";
	t[6].password = &other;
	t[7].helo = "x";
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		conn_target_set_key(&t[i]);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(t[i].key, t[j].key, CONN_KEY_LEN);
	}
	t[1] = base;
	conn_target_set_key(&t[1]);
	assert_memory_equal(t[0].key, t[1].key, CONN_KEY_LEN);
	secret_finish(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting_and_hello),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_password_stays),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
