/* SPDX-License-Identifier: MPL-2.0 */
/* delivery_readdress: an envelope that the chain has changed is said to the upstream anew. */
#include "proxy/upstream/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "lib/mail/facts.h"

#include "tests/unit/upstream_rig.h"
#include "tests/unit/upstream_rig_delivery.h"

#define RIG_RSET "<RSET", ">250 2.0.0 Ok"
#define RIG_NEW	 "<MAIL FROM:<new@example.org>", ">250 2.1.0 Ok"
#define RIG_C	 "<RCPT TO:<c@example.net>", ">250 2.1.5 Ok"
#define RIG_D	 "<RCPT TO:<d@example.net>", ">250 2.1.5 Ok"

/* What came of it: the reply, and whether the message was sent. */
struct outcome {
	struct smtp_reply reply;
	bool readdressed;
};

static void
deliver(const char *const *const *scripts, size_t count, struct outcome *out)
{
	struct rig rig;
	const char *servers[1] = { rig.server };
	struct config_upstream config = rig_config(servers, 1);
	struct conf_errors errors;
	const struct smtp_mail mail = rig_mail_of("FROM:<a@example.com>");
	const struct smtp_path path = rig_path_of("<b@example.net>");
	const struct recipient list[] = {
		{ .path = rig_path_of("<c@example.net>"), .address = "c@example.net" },
		{ .path = rig_path_of("<d@example.net>"), .address = "d@example.net" },
	};
	struct facts facts = { .mail = rig_mail_of("FROM:<new@example.org>"),
		.reverse_path = "new@example.org",
		.recipients = list,
		.recipient_count = 2 };

	rig_begin(&rig, scripts, count);
	conf_errors_init(&errors);
	struct upstream *u = upstream_create(&config, "gate.example.com", &errors);
	struct delivery *d = delivery_create(u, "test.1");
	struct message *m = rig_message_of(false);
	delivery_mail(d, &mail, &out->reply);
	assert_int_equal(out->reply.code, 250);
	delivery_rcpt(d, &path, NULL, &out->reply);
	assert_int_equal(out->reply.code, 250);
	out->readdressed = delivery_readdress(d, &facts, &out->reply);
	if (out->readdressed)
		delivery_send(d, m, &out->reply);
	delivery_destroy(&d);
	message_destroy(&m);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	rig_stop(&rig);
	if (rig_problem(&rig) != NULL)
		fail_msg("%s", rig_problem(&rig));
	rig_free(&rig);
}

static void
test_the_new_envelope_carries_the_message(void **state)
{
	const char *const *scripts[] = { STEPS(
	    UP_TO_RCPT, RIG_RSET, RIG_NEW, RIG_C, RIG_D, RIG_DATA, FINAL_OK, "<QUIT") };
	struct outcome out;

	(void)state;
	deliver(scripts, 1, &out);
	assert_true(out.readdressed);
	assert_int_equal(out.reply.code, 250);
}

static void
test_a_refused_recipient_stops_it(void **state)
{
	const char *const *scripts[] = { STEPS(UP_TO_RCPT, RIG_RSET, RIG_NEW, RIG_C, "<RCPT",
	    ">550 5.1.1 no such user", "<RSET", ">250 ok", "<QUIT") };
	struct outcome out;

	(void)state;
	deliver(scripts, 1, &out);
	assert_false(out.readdressed);
	assert_int_equal(out.reply.code, 550);
	assert_string_equal(out.reply.enhanced, "5.1.1");
}

static void
test_a_refused_sender_stops_it(void **state)
{
	const char *const *scripts[] = { STEPS(
	    UP_TO_RCPT, RIG_RSET, "<MAIL", ">550 5.7.1 not you", "<QUIT") };
	struct outcome out;

	(void)state;
	deliver(scripts, 1, &out);
	assert_false(out.readdressed);
	assert_int_equal(out.reply.code, 550);
}

/* Only the new envelope is said on another connection, never a mixture with the old one. */
static void
test_a_connection_that_dies_is_replaced(void **state)
{
	const char *const *const dies[] = {
		STEPS(UP_TO_RCPT, "<RSET", "!close"),
		STEPS(UP_TO_RCPT, "<RSET", ">500 what?", "!hang"),
		STEPS(UP_TO_RCPT, RIG_RSET, "<MAIL", "!close"),
		STEPS(UP_TO_RCPT, RIG_RSET, RIG_NEW, "<RCPT", ">421 bye", "!hang"),
		STEPS(UP_TO_RCPT, RIG_RSET, RIG_NEW, RIG_C, "<RCPT", "!close"),
		STEPS(UP_TO_RCPT, RIG_RSET, RIG_NEW, RIG_C, RIG_D, "<DATA", "!close"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dies); i++) {
		const char *const *scripts[] = { dies[i],
			STEPS(RIG_HELLO, RIG_NEW, RIG_C, RIG_D, RIG_DATA, FINAL_OK, "<QUIT") };
		struct outcome out;

		deliver(scripts, 2, &out);
		if (!out.readdressed || out.reply.code != 250)
			fail_msg("script %zu: %d %s", i, out.reply.code, out.reply.text);
	}
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
		cmocka_unit_test(test_the_new_envelope_carries_the_message),
		cmocka_unit_test(test_a_refused_recipient_stops_it),
		cmocka_unit_test(test_a_refused_sender_stops_it),
		cmocka_unit_test(test_a_connection_that_dies_is_replaced),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
