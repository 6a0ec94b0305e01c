/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/upstream/lmtp: replies of several recipients folded into one, and what is remembered.
 */
#include "proxy/upstream/lmtp.h"

#include "lib/base/clock.h"
#include "proxy/upstream/conn_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/message_fixture.h"

static const char *const people[] = { "a@example.net", "b@example.net", "c@example.net" };

static struct lmtp_delivery
delivery_of(size_t count, const char *text)
{
	struct lmtp_delivery d = { .id = "x.1",
		.upstream = "store",
		.sender = "s@example.org",
		.recipients = people,
		.count = count };
	struct message *m = message_of(text);

	d.is_named = lmtp_digest(m, d.message);
	message_destroy(&m);
	return d;
}

/* final - what lmtp_final makes of these octets of a server, which then closes. */
static bool
final(const struct lmtp_delivery *d, const char *replies, struct smtp_reply *reply_out,
    struct err *err)
{
	const struct conn_target target = { .host = "x", .is_lmtp = true };
	struct conn *c;
	int fds[2];
	bool ok;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[1], replies, strlen(replies)), (ssize_t)strlen(replies));
	close(fds[1]);
	c = conn_make(&target, stream_from_fd(fds[0], "x"));
	ok = lmtp_final(c, d, clock_mono_ms() + 10000, reply_out, err);
	conn_abort(&c);
	return ok;
}

#define NAMED "Message-ID: <1@example.org>\r\nDate: today\r\n\r\nHello\r\n"
#define GOOD  "250 2.1.5 saved\r\n"
#define FULL  "552 5.2.2 full\r\n"
#define LATER "452 4.2.2 later\r\n"

static void
test_one_answer(void **state)
{
	static const struct {
		const char *sentence;
		size_t count;
		const char *replies;
		int code; /* 0: no answer */
		const char *text;
	} rows[] = {
		{ "one recipient who has it", 1, GOOD, 250, "saved" },
		{ "three who have it", 3, GOOD GOOD GOOD, 250, "saved" },
		{ "251 is a yes", 1, "251 2.1.5 forwarded\r\n", 250, "forwarded" },
		{ "one who does not", 1, FULL, 552, "full" },
		{ "nobody, for good", 2, FULL "550 5.7.1 no\r\n", 552, "full" },
		{ "nobody, but one may later", 2, FULL LATER, 452, "later" },
		{ "421 ends no connection of ours", 1, "421 4.3.2 bye\r\n", 451, "bye" },
		{ "the last one later", 3, GOOD GOOD LATER, 451, "<c@example.net> 452" },
		{ "the first one later", 2, LATER GOOD, 451, "<a@example.net> 452" },
		{ "one never", 2, GOOD FULL, 554, "<b@example.net> 552" },
		{ "one never and one later", 3, LATER GOOD FULL, 554, "<a@example.net> 452" },
		{ "no reply at all", 2, "", 0, NULL },
		{ "a reply too few", 2, GOOD, 0, NULL },
		{ "a reply that goes on", 2, GOOD "250-2.1.5 more\r\n", 0, NULL },
		{ "a reply that is none", 2, GOOD "what\r\n", 0, NULL },
		{ "a reply of another kind", 2, GOOD "354 go on\r\n", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct lmtp_delivery d = delivery_of(rows[i].count, NAMED);
		struct smtp_reply reply;
		struct err err = { .kind = ERR_NONE };
		const bool ok = final(&d, rows[i].replies, &reply, &err);

		if (ok != (rows[i].code != 0))
			fail_msg("%s: %s", rows[i].sentence, err.text);
		if (ok &&
		    (reply.code != rows[i].code || strstr(reply.text, rows[i].text) == NULL))
			fail_msg("%s: %d %s", rows[i].sentence, reply.code, reply.text);
		if (!ok)
			assert_int_not_equal(err.kind, ERR_NONE);
		lmtp_forget_all();
	}
}

static void
test_who_is_remembered(void **state)
{
	static const struct {
		const char *sentence, *text, *replies;
		bool first, second;
	} rows[] = {
		{ "nobody when all have it", NAMED, GOOD GOOD, false, false },
		{ "nobody when none has", NAMED, LATER LATER, false, false },
		{ "who has it while another does not", NAMED, GOOD LATER, true, false },
		{ "likewise when the other never will", NAMED, FULL GOOD, false, true },
		{ "who had it before the connection broke", NAMED, GOOD, true, false },
		{ "nobody of a message without Message-ID", "Date: x\r\n\r\nHello\r\n",
		    GOOD LATER, false, false },
		{ "nobody of a message without Date", "Message-ID: <1@x>\r\n\r\nHello\r\n",
		    GOOD LATER, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct lmtp_delivery d = delivery_of(2, rows[i].text);
		struct smtp_reply reply;
		struct err err;

		(void)!final(&d, rows[i].replies, &reply, &err);
		if (lmtp_has(&d, people[0]) != rows[i].first ||
		    lmtp_has(&d, people[1]) != rows[i].second)
			fail_msg("%s", rows[i].sentence);
		lmtp_forget_all();
	}
}

static void
test_what_is_the_same(void **state)
{
	static const struct {
		const char *sentence, *text;
		bool same;
	} rows[] = {
		{ "the same text", NAMED, true },
		{ "with fields of the way on top",
		    "Received: from x\r\nDKIM-Signature: v=1\r\n" NAMED, true },
		{ "another Message-ID",
		    "Message-ID: <2@example.org>\r\nDate: today\r\n\r\nHello\r\n", false },
		{ "another date", "Message-ID: <1@example.org>\r\nDate: never\r\n\r\nHello\r\n",
		    false },
		{ "another body",
		    "Message-ID: <1@example.org>\r\nDate: today\r\n\r\nHello!\r\n", false },
		{ "another subject", "Subject: x\r\n" NAMED, false },
	};
	const struct lmtp_delivery first = delivery_of(2, NAMED);
	struct smtp_reply reply;
	struct err err;

	(void)state;
	assert_true(final(&first, GOOD LATER, &reply, &err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lmtp_delivery d = delivery_of(2, rows[i].text);

		if (lmtp_has(&d, people[0]) != rows[i].same)
			fail_msg("%s", rows[i].sentence);
		d.sender = "";
		assert_false(lmtp_has(&d, people[0]));
		d.sender = first.sender;
		d.upstream = "other";
		assert_false(lmtp_has(&d, people[0]));
	}
	lmtp_forget_all();
}

static void
test_the_memory_is_bounded(void **state)
{
	struct lmtp_delivery d = delivery_of(2, NAMED);
	struct smtp_reply reply;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		memcpy(d.message, &i, sizeof(i));
		if (i % 1000 == 0) {
			assert_true(final(&d, GOOD LATER, &reply, &err));
			assert_true(lmtp_has(&d, people[0]));
		}
	}
	lmtp_forget_all();
	assert_false(lmtp_has(&d, people[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_answer),
		cmocka_unit_test(test_who_is_remembered),
		cmocka_unit_test(test_what_is_the_same),
		cmocka_unit_test(test_the_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
