/* SPDX-License-Identifier: MPL-2.0 */
/* DKIM signatures: their text to the letter, and whether a second opinion finds them good. */
#include "lib/domain/dkim_sign.h"

#include "filters/dkim_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dkim_check.h"
#include "tests/unit/dkim_keys.h"

#include <pthread.h>

#define NOW  1795553870 /* Tue, 24 Nov 2026 20:57:50 UTC */
#define ROOM 16384

static struct dkim_keyring *ring;
static const char *const pems[] = { key_rsa_2048, key_ed25519 };

static int
set_up(void **state)
{
	struct err err = { 0 };

	(void)state;
	ring = dkim_keyring_create();
	return dkim_sign_init(&err) &&
		       dkim_keyring_add(
			   ring, "example.com", "r", good_key(key_rsa_2048), &err) &&
		       dkim_keyring_add(
			   ring, "example.com", "e", good_key(key_ed25519), &err) &&
		       dkim_keyring_add(ring, "one.example", "e", good_key(key_ed25519), &err)
		   ? 0
		   : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	dkim_keyring_destroy(&ring);
	dkim_sign_finish();
	return 0;
}

static struct message *
message_from(struct view text)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 16 << 20, .max_octets = 16 << 20
	};
	struct body_store *store = body_create(&limits);
	struct message *m = NULL;
	size_t line = 0;

	assert_true(body_append(store, text, NULL));
	assert_true(body_seal(store, NULL));
	assert_int_equal(message_create(&store, &m, &line), MESSAGE_OK);
	return m;
}

static struct dkim_sign_request
request_for(const struct message *m)
{
	return (struct dkim_sign_request){
		.message = m,
		.domain = dkim_keyring_find(ring, "example.com", false),
		.header_canon = CANON_RELAXED,
		.body_canon = CANON_RELAXED,
		.sign = dkim_fields_sign,
		.sign_count = dkim_fields_sign_count,
		.oversign = dkim_fields_oversign,
		.oversign_count = dkim_fields_oversign_count,
		.now = NOW,
	};
}

static void
values_init(struct buf values[2])
{
	buf_init(&values[0], ROOM);
	buf_init(&values[1], ROOM);
}

static void
values_finish(struct buf values[2])
{
	buf_finish(&values[0]);
	buf_finish(&values[1]);
}

/* Every signature is made, and the second opinion finds it good below its field. */
static void
assert_signs(const char *name, struct view text, const struct dkim_sign_request *request)
{
	struct buf values[2], whole;
	struct err err = { 0 };

	values_init(values);
	buf_init(&whole, text.len + ROOM);
	if (!dkim_sign_message(request, values, &err))
		fail_msg("%s: %s", name, err.text);
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&whole);
		assert_true(buf_add_str(&whole, "DKIM-Signature: ") &&
			    buf_add_view(&whole, buf_view(&values[i])) &&
			    buf_add_str(&whole, "\r\n") && buf_add_view(&whole, text));
		if (!view_ends_nocase(text, VIEW("\r\n")))
			assert_true(buf_add_str(&whole, "\r\n"));
		const char *wrong = check_dkim(buf_view(&whole), 0, pems[i]);
		if (wrong != NULL)
			fail_msg(
			    "%s: %s of %.*s", name, wrong, (int)values[i].len, values[i].p);
	}
	values_finish(values);
	buf_finish(&whole);
}

static void
assert_signs_in_all_ways(const char *name, struct view text)
{
	struct message *m = message_from(text);
	struct dkim_sign_request request = request_for(m);

	for (int i = 0; i < 4; i++) {
		request.header_canon = (i & 1) != 0 ? CANON_RELAXED : CANON_SIMPLE;
		request.body_canon = (i & 2) != 0 ? CANON_RELAXED : CANON_SIMPLE;
		assert_signs(name, text, &request);
	}
	message_destroy(&m);
}

/* To the letter: RSA with PKCS#1 v1.5 and Ed25519 have one signature for one text. */

static const char known_message[] = "From: Joe SixPack <joe@example.com>\r\n"
				    "To: Suzie Q <suzie@shopping.example.net>\r\n"
				    "Subject: Is dinner ready?\r\n"
				    "\r\n"
				    "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\n"
				    "Joe.\r\n";

static const char known_rsa[] =
    "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=r;\r\n"
    "\ti=@news.example.com; t=1795553870; x=1795640270; h=From:From:To:To:\r\n"
    "\tCc:Subject:Subject:Date:Reply-To:Message-ID:In-Reply-To:References:\r\n"
    "\tMIME-Version:Content-Type:Content-Transfer-Encoding;\r\n"
    "\tbh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    "\tb=NXrRNMOvnzH7ZCMmZ9JrWgLzJq5iR/lyqejmD/FySV/MaCrhCYM8s757N/D6A5Fw1Z\r\n"
    "\t+bel+RRAKwCiy9EroflOCVO4pk2Cp1FchaGVbeGnUFcgRXb7HAOqN5BXwuBg9Jq95quH\r\n"
    "\taCWH7etNnOOykHSVq8xJZQYu711HDuQZ2JxJ1QnaygOdFfBUnL7NXXXb9acch8inFWJA\r\n"
    "\tVZz9atEyLQNa759+/pxw3CxMGgSn2v4hACSwH49gGzHnQ9yzoHOq+FfmcD/nhf5TogZ6\r\n"
    "\txWgFa3ULU0smUTlRTlf2PJhgSeJ2F7/s2oPum+/+cnqMx+VmaGMjq/QOkUn3D0T/GiGs\r\n"
    "\t7ttA==";

static const char known_ed25519[] =
    "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com;\r\n"
    "\ts=e; i=@news.example.com; t=1795553870; x=1795640270; h=From:From:\r\n"
    "\tTo:To:Cc:Subject:Subject:Date:Reply-To:Message-ID:In-Reply-To:\r\n"
    "\tReferences:MIME-Version:Content-Type:Content-Transfer-Encoding;\r\n"
    "\tbh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    "\tb=h1q2NMNQkbdtpAmtKvG2+CruCMNrU3JhM7aMjzYHW+ESi7LaoMCMrdgjenAnT5rDGW\r\n"
    "\tX7q8wi6LBI5Ava0jNiDQ==";

static void
test_known_answer(void **state)
{
	struct message *m = message_from(view_of(known_message));
	struct dkim_sign_request request = request_for(m);
	struct buf values[2];

	(void)state;
	request.valid_s = 86400;
	request.identity = "@news.example.com";
	values_init(values);
	assert_true(dkim_sign_message(&request, values, NULL));
	assert_int_equal(values[0].len, strlen(known_rsa));
	assert_memory_equal(values[0].p, known_rsa, values[0].len);
	assert_int_equal(values[1].len, strlen(known_ed25519));
	assert_memory_equal(values[1].p, known_ed25519, values[1].len);
	assert_signs("known", view_of(known_message), &request);
	values_finish(values);
	message_destroy(&m);
}

struct sign_case {
	const char *name, *text;
};

#define HEAD "From: a@example.com\r\nTo: b@example.net\r\nSubject: hi\r\n"

static const struct sign_case sign_cases[] = {
	{ "an ordinary message", HEAD "\r\nhello\r\n" },
	{ "an empty body", HEAD "\r\n" },
	{ "no empty line at all", HEAD },
	{ "a body of empty lines", HEAD "\r\n\r\n\r\n\r\n" },
	{ "a body of blanks", HEAD "\r\n \r\n\t \r\n\r\n" },
	{ "empty lines and blanks at the end", HEAD "\r\na\r\n\r\n \r\n\r\n" },
	{ "an empty line with blanks in the middle", HEAD "\r\na \r\n\t\r\n \t b\r\n" },
	{ "blanks before and behind", HEAD "\r\n  a  b\t \tc  \r\n" },
	{ "no line end behind the last line", HEAD "\r\nhello" },
	{ "no line end behind the only blank", HEAD "\r\n " },
	{ "dots", HEAD "\r\n.\r\n..\r\n.a\r\n" },
	{ "octets over 127 in the body", HEAD "\r\n\xe4\xf6\xfc \xc2\xa0\xc2\x85\r\n" },
	{ "octets over 127 in fields", "From: \"M\xc3\xbcller\" <a@example.com>\r\n"
				       "Subject: \xff\xfe \x80 \xa0\r\n\r\nhi\r\n" },
	{ "blanks before the colon", "From : a@example.com\r\nSubject   : x\r\n\r\nhi\r\n" },
	{ "names in odd case", "fROM: a@example.com\r\nSUBJECT: x\r\n\r\nhi\r\n" },
	{ "folds, and bodies of nothing but folds",
	    "From: a\r\n\t<a@example.com>\r\nSubject:\r\n \r\nCc:\r\n\t\r\n \t\r\n\r\nhi\r\n" },
	{ "empty bodies of fields", "From: a@example.com\r\nSubject:\r\nTo:\r\nCc: \r\n\r\n" },
	{ "blanks behind fields", "From: a@example.com \t \r\nSubject:   a \t b \r\n\r\n" },
	{ "control characters",
	    "From: a@example.com\r\nSubject: \x01\x02\x1c\x7f\r\n\r\n\x01\x7f\r\n" },
	{ "several fields of one name",
	    "Subject: 1\r\nFrom: a@example.com\r\nSubject: 2\r\nTo: x\r\nTo: y\r\n\r\nhi\r\n" },
	{ "signatures that are there already, good or garbage",
	    "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from; bh=AAAA; b=AAAA\r\n"
	    "DKIM-Signature: garbage\r\n" HEAD "\r\nhi\r\n" },
	{ "a name with a semicolon", "X;Y: z\r\n" HEAD "\r\nhi\r\n" },
	{ "a list's fields",
	    HEAD "List-Unsubscribe: <https://example.com/u>\r\n"
		 "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nhi\r\n" },
	{ "a From that is no address", "From: <<((,,;;\r\nTo: \"\r\n\r\nhi\r\n" },
	{ "no From at all", "Subject: x\r\n\r\nhi\r\n" },
};

static void
test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sign_cases); i++)
		assert_signs_in_all_ways(sign_cases[i].name, view_of(sign_cases[i].text));
}

static void
test_large_messages(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 8 << 20);
	assert_true(buf_add_str(&text, HEAD "\r\n"));
	for (size_t i = 0; text.len < (5 << 20); i++)
		assert_true(buf_printf(
		    &text, "line %zu of the body  \r\n%s", i, i % 1000 == 0 ? " \r\n" : ""));
	assert_signs_in_all_ways("5 MB of lines", buf_view(&text));

	buf_clear(&text);
	assert_true(buf_add_str(&text, HEAD "\r\n"));
	memset(buf_reserve(&text, 5 << 20), 'x', 5 << 20);
	buf_commit(&text, 5 << 20);
	assert_signs_in_all_ways("5 MB in one line", buf_view(&text));

	buf_clear(&text);
	assert_true(buf_add_str(&text, HEAD));
	for (size_t i = 3; i < MESSAGE_FIELDS_MAX; i++)
		assert_true(buf_printf(&text, "X-Field-%zu: %zu\r\n", i, i));
	assert_true(buf_add_str(&text, "\r\nhi\r\n"));
	assert_signs_in_all_ways("2000 fields", buf_view(&text));

	buf_clear(&text);
	assert_true(buf_add_str(&text, HEAD));
	for (size_t i = 3; i < MESSAGE_FIELDS_MAX; i++)
		assert_true(buf_printf(&text, "Cc: a%zu@example.net\r\n", i));
	assert_true(buf_add_str(&text, "\r\nhi\r\n"));
	assert_signs_in_all_ways("2000 fields that are signed", buf_view(&text));

	buf_clear(&text);
	assert_true(buf_add_str(&text, HEAD "References:"));
	while (text.len < 400000)
		assert_true(buf_printf(&text, "\r\n <%zu@example.org>", text.len));
	assert_true(buf_add_str(&text, "\r\n\r\nhi\r\n"));
	assert_signs_in_all_ways("a folded field of 400 KB", buf_view(&text));
	buf_finish(&text);
}

/* What verifiers do not agree on is signed in the way in which they do. */
static void
test_disputed_fields(void **state)
{
	static const struct {
		const char *name, *text, *wanted;
	} cases[] = {
		{ "a vertical tab", "From: a@example.com\r\nSubject: a \v b\r\n\r\nhi\r\n",
		    "c=simple/relaxed;" },
		{ "a form feed", "From: a@example.com\f\r\n\r\nhi\r\n", "c=simple/relaxed;" },
		{ "one that is not signed", "From: a@example.com\r\nX: a\fb\r\n\r\n\f\r\n",
		    "c=relaxed/relaxed;" },
		{ "a tab before the colon", "From: a@example.com\r\nSubject\t : x\r\n\r\n",
		    "c=relaxed/relaxed;" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct message *m = message_from(view_of(cases[i].text));
		struct dkim_sign_request request = request_for(m);
		struct buf values[2];

		assert_signs(cases[i].name, view_of(cases[i].text), &request);
		values_init(values);
		assert_true(dkim_sign_message(&request, values, NULL));
		assert_true(buf_add_char(&values[0], '\0'));
		if (strstr(values[0].p, cases[i].wanted) == NULL)
			fail_msg("%s: %s", cases[i].name, values[0].p);
		values_finish(values);
		message_destroy(&m);
	}
	struct message *m = message_from(view_of(cases[3].text));
	struct dkim_sign_request request = request_for(m);
	request.header_canon = CANON_SIMPLE; /* cannot be had: the library takes no such tab */
	assert_signs(cases[3].name, view_of(cases[3].text), &request);
	message_destroy(&m);
}

/* A field put on top later must break a signature where it is oversigned, and only there. */
static void
test_oversigning(void **state)
{
	static const struct {
		const char *name, *field;
		bool breaks;
	} cases[] = {
		{ "a second From", "From: x@evil.example\r\n", true },
		{ "a first Reply-To", "Reply-To: x@evil.example\r\n", true },
		{ "a second Subject", "Subject: x\r\n", true },
		{ "a Content-Type", "Content-Type: text/html\r\n", true },
		{ "a Received", "Received: x\r\n", false },
		{ "a list's Sender", "Sender: l@lists.example\r\n", false },
		{ "a list's List-Unsubscribe", "List-Unsubscribe: <x>\r\n", false },
		{ "any other", "X-Spam: no\r\n", false },
	};
	struct message *m = message_from(VIEW(HEAD "\r\nhi\r\n"));
	struct dkim_sign_request request = request_for(m);
	struct buf values[2], whole;

	(void)state;
	values_init(values);
	buf_init(&whole, ROOM * 2);
	assert_true(dkim_sign_message(&request, values, NULL));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&whole);
		assert_true(buf_add_str(&whole, cases[i].field) &&
			    buf_add_str(&whole, "DKIM-Signature: ") &&
			    buf_add_view(&whole, buf_view(&values[1])) &&
			    buf_add_str(&whole, "\r\n" HEAD "\r\nhi\r\n"));
		if ((check_dkim(buf_view(&whole), 1, key_ed25519) != NULL) != cases[i].breaks)
			fail_msg("%s on top", cases[i].name);
	}
	values_finish(values);
	buf_finish(&whole);
	message_destroy(&m);
}

static void
test_form(void **state)
{
	struct message *m = message_from(VIEW(HEAD "Cc: c\r\nCc: d\r\n\r\nhi\r\n"));
	struct dkim_sign_request request = request_for(m);
	struct buf values[2];

	(void)state;
	values_init(values);
	assert_true(dkim_sign_message(&request, values, NULL));
	for (size_t i = 0; i < 2; i++) {
		struct view rest = buf_view(&values[i]), line;

		while (view_split(&rest, '\n', &line)) {
			assert_true(line.len <= 78);
			assert_true(view_trim(line).len > 0);
		}
		assert_true(buf_add_char(&values[i], '\0'));
		assert_null(strstr(values[i].p, " l="));
		assert_null(strstr(values[i].p, " x="));
		assert_null(strstr(values[i].p, " i="));
		assert_non_null(strstr(values[i].p, "t=1795553870;"));
		assert_non_null(strstr(values[i].p, "Cc:Cc:Cc:"));
	}
	values_finish(values);
	message_destroy(&m);
}

static void
test_refusals(void **state)
{
	static const char *const no_from[] = { "To", "Subject" };
	static char long_name[200];
	const char *const long_names[] = { "From", long_name };
	struct message *m = message_from(VIEW(HEAD "\r\nhi\r\n"));
	const struct dkim_sign_request good = request_for(m);
	struct dkim_sign_request bad[7];
	struct buf values[2];

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[0].oversign = no_from;
	bad[0].oversign_count = ARRAY_LEN(no_from);
	bad[1].now = 1000; /* a clock that was never set */
	bad[2].identity = "@example.net";
	bad[3].identity = "example.com";
	bad[4].identity = "a;b@example.com";
	bad[5].identity = "@notexample.com";
	bad[6].oversign = long_names;
	bad[6].oversign_count = ARRAY_LEN(long_names);
	values_init(values);
	assert_true(buf_add_str(&values[0], "before"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { 0 };

		if (dkim_sign_message(&bad[i], values, &err))
			fail_msg("request %zu is refused", i);
		assert_int_not_equal(err.kind, ERR_NONE);
		assert_true(view_eq(buf_view(&values[0]), VIEW("before")));
		assert_int_equal(values[1].len, 0);
	}
	values_finish(values);

	buf_init(
	    &values[0], ROOM); /* the second value does not fit: nothing is left of the first */
	buf_init(&values[1], 300);
	assert_false(dkim_sign_message(&good, values, NULL));
	assert_int_equal(values[0].len, 0);
	assert_int_equal(values[1].len, 0);
	values_finish(values);
	message_destroy(&m);
}

/* One library handle, one set of keys, many threads: for ThreadSanitizer, and for equal values.
 */

static struct message *shared_message;
static struct buf shared_values[2];

static void *
sign_again_and_again(void *wrong)
{
	const struct dkim_sign_request request = request_for(shared_message);

	for (int round = 0; round < 50; round++) {
		struct buf values[2];

		values_init(values);
		if (!dkim_sign_message(&request, values, NULL) ||
		    !view_eq(buf_view(&values[0]), buf_view(&shared_values[0])) ||
		    !view_eq(buf_view(&values[1]), buf_view(&shared_values[1])))
			*(bool *)wrong = true;
		values_finish(values);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t threads[4];
	bool wrong[4] = { false };

	(void)state;
	shared_message = message_from(VIEW(HEAD "\r\nhello\r\n"));
	const struct dkim_sign_request request = request_for(shared_message);
	values_init(shared_values);
	assert_true(dkim_sign_message(&request, shared_values, NULL));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, sign_again_and_again, &wrong[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(wrong[i]);
	}
	values_finish(shared_values);
	message_destroy(&shared_message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answer),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_large_messages),
		cmocka_unit_test(test_disputed_fields),
		cmocka_unit_test(test_oversigning),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
