/* SPDX-License-Identifier: MPL-2.0 */
/*
 * proxy/upstream/delivery_smtp over more than one call or delivery: warm connections,
 * parameters, recipients in a replay, what lasts and what is given up.
 */
#include "proxy/upstream/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "tests/unit/upstream_rig.h"
#include "tests/unit/upstream_rig_delivery.h"

/* deliver_twice - two deliveries over one upstream, one after the other. */
static void
deliver_twice(const char *const *first, const char *const *second, struct rig_answers out[2])
{
	const char *const *scripts[2] = { first, second };
	struct rig rig;
	const char *servers[1] = { rig.server };
	struct config_upstream config = rig_config(servers, 1);
	struct conf_errors errors;
	struct upstream *u;

	rig_begin(&rig, scripts, 2);
	conf_errors_init(&errors);
	u = upstream_create(&config, "gate.example.com", &errors);
	assert_non_null(u);
	for (int i = 0; i < 2; i++)
		rig_deliver(u, "FROM:<a@example.com>", false, &out[i]);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	rig_stop(&rig);
	if (rig_problem(&rig) != NULL)
		fail_msg("%s", rig_problem(&rig));
	rig_free(&rig);
}

static void
test_warm(void **state)
{
	struct rig_answers a[2];

	(void)state;
	/* One connection for both. */
	deliver_twice(
	    STEPS(UP_TO_DOT, FINAL_OK, RIG_MAIL, RIG_RCPT, RIG_DATA, FINAL_OK, "<QUIT"), NULL,
	    a);
	assert_int_equal(a[1].final, 250);
	assert_int_equal(a[1].facts.connects, 0);
	assert_string_equal(a[1].facts.server, a[0].facts.server);
	/* The server has closed it between them, or closes it at MAIL: our client hears nothing
	 * of it. */
	deliver_twice(STEPS(UP_TO_DOT, FINAL_OK, "!close"), WHOLE, a);
	assert_int_equal(a[1].final, 250);
	assert_int_equal(a[1].facts.connects, 1);
	deliver_twice(STEPS(UP_TO_DOT, FINAL_OK, "<MAIL", "!close"), WHOLE, a);
	assert_int_equal(a[1].final, 250);
	assert_int_equal(a[1].facts.connects, 1);
	deliver_twice(STEPS(UP_TO_DOT, FINAL_OK, "<MAIL", ">421 too long", "!hang"), WHOLE, a);
	assert_int_equal(a[1].final, 250);
	/* One that has talked unasked is not used again. */
	deliver_twice(
	    STEPS(UP_TO_DOT, ">>250 2.0.0 Ok\r\n250 once more\r\n", "!hang"), WHOLE, a);
	assert_int_equal(a[0].final, 250);
	assert_int_equal(a[1].final, 250);
	assert_int_equal(a[1].facts.connects, 1);
}

/* parameters - the MAIL line that a server with these EHLO lines gets; "" when it gets none. */
static void
parameters(const char *args, const char *ehlo, const char *want, int code)
{
	struct rig rig;
	const char *servers[1] = { rig.server };
	struct config_upstream config = rig_config(servers, 1);
	struct conf_errors errors;
	struct delivery *d;
	struct upstream *u;
	struct smtp_mail mail = rig_mail_of(args);
	struct smtp_reply reply;
	const char *const script[] = { ">220 hi", "<EHLO", ehlo, "<MAIL", ">250 ok", "<RSET",
		">250 ok", NULL };

	rig_open(&rig);
	rig_add(&rig, script);
	rig_start(&rig);
	conf_errors_init(&errors);
	u = upstream_create(&config, "gate.example.com", &errors);
	d = delivery_create(u, "test.1");
	delivery_mail(d, &mail, &reply);
	delivery_destroy(&d);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	rig_stop(&rig);
	if (reply.code != code)
		fail_msg("%s: %d", args, reply.code);
	if (strstr(rig_got(&rig, 0), want) == NULL ||
	    (code != 250 && strstr(rig_got(&rig, 0), "MAIL") != NULL))
		fail_msg("%s: %s", args, rig_got(&rig, 0));
	if (code != 250)
		assert_string_equal(reply.enhanced, "5.6.3");
	rig_free(&rig);
}

static void
test_parameters(void **state)
{
	(void)state;
	parameters("FROM:<a@example.com>", ">250-mta\r\n250-SIZE\r\n250 8BITMIME",
	    "\r\nMAIL FROM:<a@example.com>\r\n", 250);
	parameters("FROM:<>", ">250 mta", "\r\nMAIL FROM:<>\r\n", 250);
	parameters("FROM:<a@example.com> SIZE=1234", ">250-mta\r\n250 SIZE 99",
	    "\r\nMAIL FROM:<a@example.com> SIZE=1234\r\n", 250);
	parameters("FROM:<a@example.com> SIZE=1234", ">250 mta",
	    "\r\nMAIL FROM:<a@example.com>\r\n", 250);
	parameters("FROM:<a@example.com> BODY=8BITMIME", ">250-mta\r\n250 8BITMIME",
	    "\r\nMAIL FROM:<a@example.com> BODY=8BITMIME\r\n", 250);
	parameters("FROM:<a@example.com> BODY=7BIT", ">250-mta\r\n250 8BITMIME",
	    "\r\nMAIL FROM:<a@example.com>\r\n", 250);
	parameters("FROM:<a@example.com> BODY=8BITMIME", ">250 mta", "", 554);
	parameters("FROM:<\"a b\"@example.com>", ">250 mta",
	    "\r\nMAIL FROM:<\"a b\"@example.com>\r\n", 250);
}

/* Of three recipients one was refused: the replay names the other two, in order. */
static void
test_recipients(void **state)
{
	static const char *const paths[] = { "<one@example.net>", "<two@example.net>",
		"<three@example.net>" };
	const char *const *scripts[] = {
		STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", ">250 ok", "<RCPT", ">550 no", "<RCPT",
		    "!close"),
		STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", ">250 ok", "<RCPT", ">250 ok", RIG_DATA,
		    FINAL_OK, "<QUIT"),
	};
	const int codes[] = { 250, 550, 250 };
	struct rig rig;
	const char *servers[1] = { rig.server };
	struct config_upstream config = rig_config(servers, 1);
	struct conf_errors errors;
	struct smtp_mail mail = rig_mail_of("FROM:<a@example.com>");
	struct smtp_reply reply;
	struct message *m = rig_message_of(false);

	(void)state;
	rig_begin(&rig, scripts, 2);
	conf_errors_init(&errors);
	struct upstream *u = upstream_create(&config, "gate.example.com", &errors);
	struct delivery *d = delivery_create(u, "test.1");
	delivery_mail(d, &mail, &reply);
	for (size_t i = 0; i < 3; i++) {
		struct smtp_path path = rig_path_of(paths[i]);

		delivery_rcpt(d, &path, NULL, &reply);
		assert_int_equal(reply.code, codes[i]);
	}
	delivery_send(d, m, &reply);
	assert_int_equal(reply.code, 250);
	assert_string_equal(delivery_facts(d)->queue_id, "Q1");
	assert_string_equal(delivery_facts(d)->upstream, "mta");
	delivery_destroy(&d);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	message_destroy(&m);
	rig_stop(&rig);
	assert_null(rig_problem(&rig));
	assert_string_equal(rig_got(&rig, 1),
	    EHLO "MAIL FROM:<a@example.com>\r\nRCPT TO:<one@example.net>\r\n"
		 "RCPT TO:<three@example.net>\r\nDATA\r\n" ON_WIRE "QUIT\r\n");
	rig_free(&rig);
}

/* A doomed delivery stays so: what comes behind it asks no server any more. */
static void
test_doom_lasts(void **state)
{
	const char *const *scripts[] = { STEPS(UP_TO_RCPT, "<RCPT", "!close"),
		STEPS(RIG_HELLO, RIG_MAIL, "<RCPT", ">550 no", "<RSET", ">250 ok", "<QUIT") };
	struct rig rig;
	const char *servers[1] = { rig.server };
	struct config_upstream config = rig_config(servers, 1);
	struct conf_errors errors;
	struct smtp_mail mail = rig_mail_of("FROM:<a@example.com>");
	struct smtp_path path = rig_path_of("<b@example.net>");
	struct smtp_reply reply;
	struct message *m = rig_message_of(false);

	(void)state;
	rig_begin(&rig, scripts, 2);
	conf_errors_init(&errors);
	struct upstream *u = upstream_create(&config, "gate.example.com", &errors);
	struct delivery *d = delivery_create(u, "test.1");
	delivery_mail(d, &mail, &reply);
	delivery_rcpt(d, &path, NULL, &reply);
	assert_int_equal(reply.code, 250);
	for (int i = 0; i < 2; i++) {
		delivery_rcpt(d, &path, NULL, &reply);
		assert_int_equal(reply.code, 451);
		assert_string_equal(reply.enhanced, "4.3.0");
	}
	delivery_send(d, m, &reply);
	assert_int_equal(reply.code, 451);
	assert_string_equal(reply.enhanced, "4.3.0");
	delivery_destroy(&d);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	message_destroy(&m);
	rig_stop(&rig);
	assert_null(rig_problem(&rig));
	assert_int_equal(rig_dots(&rig), 0);
	rig_free(&rig);
}

/* Content that no check upstream of us should have let through. */
static void
test_bad_content(void **state)
{
	static const char text[] = "Subject: x\r\n\r\none\n.\nMAIL FROM:<evil@example.com>\r\n";
	const char *const *scripts[] = { STEPS(UP_TO_DATA, ">354 go", "!hang") };
	struct rig rig;
	const char *servers[1] = { rig.server };
	struct config_upstream config = rig_config(servers, 1);
	struct conf_errors errors;
	struct smtp_mail mail = rig_mail_of("FROM:<a@example.com>");
	struct smtp_path path = rig_path_of("<b@example.net>");
	struct smtp_reply reply;
	struct message *m = rig_message(text, sizeof(text) - 1);

	(void)state;
	rig_begin(&rig, scripts, 1);
	conf_errors_init(&errors);
	struct upstream *u = upstream_create(&config, "gate.example.com", &errors);
	struct delivery *d = delivery_create(u, "test.1");
	delivery_mail(d, &mail, &reply);
	delivery_rcpt(d, &path, NULL, &reply);
	delivery_send(d, m, &reply);
	assert_int_equal(reply.code, 554);
	assert_string_equal(reply.enhanced, "5.6.0");
	delivery_destroy(&d);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	message_destroy(&m);
	rig_stop(&rig);
	assert_null(strstr(rig_got(&rig, 0), "evil"));
	rig_free(&rig);
}

/* A delivery that is given up between the calls leaves no transaction behind. */
static void
test_abandoned(void **state)
{
	const char *const *scripts[] = { STEPS(RIG_HELLO, RIG_MAIL, "<RSET", ">250 ok",
	    RIG_MAIL, RIG_RCPT, RIG_DATA, FINAL_OK, "<QUIT") };
	struct rig rig;
	const char *servers[1] = { rig.server };
	struct config_upstream config = rig_config(servers, 1);
	struct conf_errors errors;
	struct smtp_mail mail = rig_mail_of("FROM:<a@example.com>");
	struct smtp_reply reply;
	struct rig_answers answers;

	(void)state;
	rig_begin(&rig, scripts, 1);
	conf_errors_init(&errors);
	struct upstream *u = upstream_create(&config, "gate.example.com", &errors);
	struct delivery *d = delivery_create(u, "test.1");
	delivery_destroy(&d); /* nothing was asked, nothing was opened */
	d = delivery_create(u, "test.2");
	delivery_mail(d, &mail, &reply);
	delivery_destroy(&d);
	assert_null(d);
	rig_deliver(u, "FROM:<a@example.com>", false, &answers);
	assert_int_equal(answers.final, 250);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	rig_stop(&rig);
	assert_null(rig_problem(&rig));
	rig_free(&rig);
}

/* connect_narrow - with a send buffer that a short message fills. */
static struct stream *
connect_narrow(const struct conn_target *t, int64_t deadline_ms, struct err *err)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(t->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int octets = 4096, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)deadline_ms, (void)err;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) != 0)
		abort();
	return stream_from_fd(fd, "127.0.0.1:1");
}

/* The write that has the dot in it fails: part of it went out, and nobody knows which. */
static void
test_last_write_fails(void **state)
{
	const char *const *scripts[] = { STEPS(UP_TO_DATA, ">354 go", "!wait") };
	size_t len = 60000;
	char *text = mem_alloc(len);
	struct rig rig;
	const char *servers[2] = { rig.server, rig.server };
	struct config_upstream config = rig_config(servers, 2);
	struct conf_errors errors;
	struct smtp_mail mail = rig_mail_of("FROM:<a@example.com>");
	struct smtp_path path = rig_path_of("<b@example.net>");
	struct smtp_reply reply;

	(void)state;
	memset(text, 'x', len);
	memcpy(text, "A: b\r\n\r\n", 8);
	struct message *m = rig_message(text, len);
	rig_open(&rig);
	rig_narrow(&rig, 4096);
	rig_add(&rig, scripts[0]);
	rig_start(&rig);
	conf_errors_init(&errors);
	config.command_timeout_ms = 300;
	struct upstream *u = upstream_create(&config, "gate.example.com", &errors);
	for (size_t i = 0; i < 2; i++)
		u->servers[i].target.connect = connect_narrow;
	struct delivery *d = delivery_create(u, "test.1");
	delivery_mail(d, &mail, &reply);
	delivery_rcpt(d, &path, NULL, &reply);
	delivery_send(d, m, &reply);
	assert_int_equal(reply.code, 451);
	assert_string_equal(reply.enhanced, "4.4.2");
	assert_int_equal(delivery_facts(d)->connects, 1);
	assert_int_equal(delivery_facts(d)->replays, 0);
	delivery_destroy(&d);
	rig_go(&rig);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	message_destroy(&m);
	mem_free(text);
	rig_stop(&rig);
	rig_free(&rig);
}

/* warm_ones - an upstream with two warm connections, the one of the second script on top. */
static struct upstream *
warm_ones(struct config_upstream *config, struct conf_errors *errors)
{
	struct smtp_mail mail = rig_mail_of("FROM:<a@example.com>");
	struct upstream *u = upstream_create(config, "gate.example.com", errors);
	struct delivery *d[2];
	struct smtp_reply reply;

	assert_non_null(u);
	for (int i = 0; i < 2; i++) {
		d[i] = delivery_create(u, "test.1");
		delivery_mail(d[i], &mail, &reply);
		assert_int_equal(reply.code, 250);
	}
	delivery_destroy(&d[0]);
	delivery_destroy(&d[1]);
	return u;
}

/* A warm connection that was dead is no reason to try the next warm one: a new one it is. */
static void
test_one_warm_one_is_tried(void **state)
{
	const char *const *scripts[] = {
		STEPS(RIG_HELLO, RIG_MAIL, "<RSET", ">250 ok", "<QUIT"),
		STEPS(RIG_HELLO, RIG_MAIL, "<RSET", ">250 ok", "<MAIL", ">421 enough", "!hang"),
		WHOLE,
	};
	struct rig rig;
	const char *servers[1] = { rig.server };
	struct config_upstream config = rig_config(servers, 1);
	struct conf_errors errors;
	struct rig_answers answers;

	(void)state;
	rig_begin(&rig, scripts, 3);
	conf_errors_init(&errors);
	struct upstream *u = warm_ones(&config, &errors);
	rig_deliver(u, "FROM:<a@example.com>", false, &answers);
	assert_int_equal(answers.final, 250);
	assert_int_equal(u->servers[0].failures, 0); /* nor is it the server's failure */
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	rig_stop(&rig);
	if (rig_problem(&rig) != NULL)
		fail_msg("%s", rig_problem(&rig));
	rig_free(&rig);
}

/* One that has replied once was no stale one: when it dies later, the next server's turn it is.
 */
static void
test_warm_one_dies_later(void **state)
{
	const char *const *first[] = {
		STEPS(RIG_HELLO, RIG_MAIL, "<RSET", ">250 ok", RIG_MAIL, "<RCPT", "!close"),
		WHOLE, /* it would work again, but is not asked */
	};
	const char *const *second[] = { WHOLE };
	struct rig one, two;
	const char *servers[2] = { one.server, two.server };
	struct config_upstream config = rig_config(servers, 2);
	struct conf_errors errors;
	struct smtp_mail mail = rig_mail_of("FROM:<a@example.com>");
	struct smtp_reply reply;
	struct rig_answers answers;

	(void)state;
	rig_begin(&one, first, 2);
	rig_begin(&two, second, 1);
	conf_errors_init(&errors);
	struct upstream *u = upstream_create(&config, "gate.example.com", &errors);
	struct delivery *d = delivery_create(u, "test.1");
	delivery_mail(d, &mail, &reply);
	delivery_destroy(&d);
	rig_deliver(u, "FROM:<a@example.com>", false, &answers);
	assert_int_equal(answers.final, 250);
	assert_string_equal(answers.facts.server, two.server);
	assert_int_equal(u->servers[0].failures, 1);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	rig_stop(&one);
	rig_stop(&two);
	assert_int_equal(one.accepted, 1);
	assert_string_equal(one.conns[0].failure, "");
	assert_null(rig_problem(&two));
	rig_free(&one);
	rig_free(&two);
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
		cmocka_unit_test(test_warm),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_doom_lasts),
		cmocka_unit_test(test_bad_content),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_last_write_fails),
		cmocka_unit_test(test_one_warm_one_is_tried),
		cmocka_unit_test(test_warm_one_dies_later),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
