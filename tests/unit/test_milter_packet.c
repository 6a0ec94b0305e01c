/* SPDX-License-Identifier: MPL-2.0 */
/* lib/milter/milter_packet and milter_target: the wire format, both ways. */
#include "lib/milter/milter_packet.h"
#include "lib/milter/milter_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
expect_octets(struct buf *out, struct view wanted)
{
	assert_int_equal(out->len, wanted.len);
	assert_memory_equal(out->p, wanted.p, wanted.len);
	buf_clear(out);
}

static void
test_commands_are_written_to_the_octet(void **state)
{
	const struct milter_options options = {
		.version = 6, .actions = 0x1ff, .steps = 0x1ff7ff
	};
	const struct milter_macro macros[] = { { VIEW("i"), VIEW("a.1") },
		{ VIEW("{auth_type}"), VIEW("") } };
	const struct view strings[] = { VIEW("<a@example.com>"), VIEW("SIZE=1") };
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	assert_true(milter_put_options(&out, &options));
	expect_octets(&out, VIEW("\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff"));
	assert_true(milter_put_macros(&out, MILTER_MAIL, macros, 2));
	expect_octets(&out, VIEW("\0\0\0\x15"
				 "DMi\0a.1\0{auth_type}\0\0"));
	assert_true(milter_put_macros(&out, MILTER_HELO, macros, 0));
	expect_octets(&out, VIEW("\0\0\0\2DH"));
	assert_true(milter_put_strings(&out, MILTER_MAIL, strings, 2));
	expect_octets(&out, VIEW("\0\0\0\x18M<a@example.com>\0SIZE=1\0"));
	assert_true(
	    milter_put_connect(&out, VIEW("[192.0.2.1]"), '4', 0x1234, VIEW("192.0.2.1")));
	expect_octets(&out, VIEW("\0\0\0\x1a"
				 "C[192.0.2.1]\0"
				 "4\x12\x34"
				 "192.0.2.1\0"));
	assert_true(milter_put_connect(&out, VIEW("x"), 'U', 1, VIEW("")));
	expect_octets(&out, VIEW("\0\0\0\4Cx\0U"));
	assert_true(milter_put(&out, MILTER_EOM, VIEW("")));
	expect_octets(&out, VIEW("\0\0\0\1E"));
	buf_finish(&out);
}

static void
test_what_does_not_fit_is_not_begun(void **state)
{
	static char large[MILTER_DATA_MAX + 1];
	const struct view with_nul[] = { { "a\0b", 3 } };
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	assert_true(milter_put(&out, MILTER_EOH, VIEW("")));
	assert_false(milter_put(&out, MILTER_BODY, view_make(large, sizeof(large))));
	assert_false(milter_put_strings(&out, MILTER_HELO, with_nul, 1));
	assert_int_equal(out.len, 5);
	assert_true(milter_put(&out, MILTER_BODY, view_make(large, sizeof(large) - 1)));
	assert_false(milter_put(&out, MILTER_BODY, view_make(large, 60000))); /* the cap */
	assert_int_equal(out.len, 5 + 5 + sizeof(large) - 1);
	buf_finish(&out);
}

static void
test_packets_are_cut_out_of_octets(void **state)
{
	static const struct {
		const char *name, *octets;
		size_t len;
		enum milter_status status;
		char code;
		size_t data, used;
	} cases[] = {
		{ "nothing", "", 0, MILTER_MORE, 0, 0, 0 },
		{ "half a length", "\0\0", 2, MILTER_MORE, 0, 0, 0 },
		{ "a length alone", "\0\0\0\1", 4, MILTER_MORE, 0, 0, 0 },
		{ "continue", "\0\0\0\1c", 5, MILTER_PACKET, 'c', 0, 5 },
		{ "continue, and more behind it", "\0\0\0\1cx", 6, MILTER_PACKET, 'c', 0, 5 },
		{ "half of the data", "\0\0\0\3bx", 6, MILTER_MORE, 0, 0, 0 },
		{ "as much as may be",
		    "\0\0\0\x0b"
		    "b0123456789",
		    15, MILTER_PACKET, 'b', 10, 15 },
		{ "one octet too many",
		    "\0\0\0\x0c"
		    "b0123456789x",
		    16, MILTER_BAD_LENGTH, 0, 0, 0 },
		{ "a length of nothing", "\0\0\0\0", 4, MILTER_BAD_LENGTH, 0, 0, 0 },
		{ "4 GB", "\xff\xff\xff\xff", 4, MILTER_BAD_LENGTH, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct view data = { NULL, 0 };
		char code = 0;
		size_t used;
		const enum milter_status status = milter_packet_read(
		    view_make(cases[i].octets, cases[i].len), 10, &code, &data, &used);

		if (status != cases[i].status || code != cases[i].code ||
		    data.len != cases[i].data || used != cases[i].used)
			fail_msg("%s: status %d code %d data %zu used %zu", cases[i].name,
			    (int)status, code, data.len, used);
	}
}

static void
test_replies_are_taken_apart(void **state)
{
	static const struct {
		const char *name;
		char code;
		const char *data;
		size_t len;
		bool ok;
		uint32_t index;
		const char *first, *second;
	} cases[] = {
		{ "continue", 'c', "", 0, true, 0, "", "" },
		{ "continue with data", 'c', "x", 1, false, 0, "", "" },
		{ "a field", 'h', "A\0b\0", 4, true, 0, "A", "b" },
		{ "a field without a value", 'h', "A\0\0", 3, true, 0, "A", "" },
		{ "a field whose value has no end", 'h', "A\0b", 3, false, 0, "", "" },
		{ "a field with something behind it", 'h', "A\0b\0c", 5, false, 0, "", "" },
		{ "an inserted field", 'i', "\0\0\1\0A\0b\0", 8, true, 256, "A", "b" },
		{ "a changed field without a whole index", 'm', "\0\0\1", 3, false, 0, "", "" },
		{ "an index alone", 'm', "\0\0\0\1", 4, false, 0, "", "" },
		{ "a recipient", '+', "<a@b>\0", 6, true, 0, "<a@b>", "" },
		{ "a recipient without an end", '+', "<a@b>", 5, false, 0, "", "" },
		{ "a recipient with two strings", '+', "<a@b>\0X\0", 8, false, 0, "", "" },
		{ "a recipient with parameters", '2', "<a@b>\0X=1\0", 10, true, 0, "<a@b>",
		    "X=1" },
		{ "parameters may lack", '2', "<a@b>\0", 6, true, 0, "<a@b>", "" },
		{ "no third string", 'e', "<a@b>\0X\0Y\0", 10, false, 0, "", "" },
		{ "a body of any octets", 'b', "a\0b", 3, true, 0, "", NULL },
		{ "a body of none", 'b', "", 0, true, 0, "", "" },
		{ "a reason", 'q', "spam\0", 5, true, 0, "", "spam" },
		{ "a reason without a NUL", 'q', "spam", 4, true, 0, "", "spam" },
		{ "a NUL within a reason", 'q', "sp\0am\0", 6, false, 0, "", "" },
		{ "a code that nobody knows", 'Z', "", 0, false, 0, "", "" },
		{ "a command of ours", 'O', "", 0, false, 0, "", "" },
		{ "a NUL as code", '\0', "", 0, false, 0, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct milter_reply reply;
		struct err err = { .kind = ERR_NONE };
		const bool ok = milter_reply_parse(
		    cases[i].code, view_make(cases[i].data, cases[i].len), &reply, &err);

		if (ok != cases[i].ok || (!ok && err.kind != ERR_PROTOCOL))
			fail_msg("%s: %d %s", cases[i].name, ok, err.text);
		if (!ok)
			continue;
		assert_int_equal(reply.index, cases[i].index);
		assert_true(view_eq(reply.name, view_of(cases[i].first)));
		if (cases[i].second != NULL)
			assert_true(view_eq(reply.value, view_of(cases[i].second)));
		else
			assert_int_equal(reply.value.len, 3);
	}
}

static void
test_options_with_lists_of_macros(void **state)
{
	struct milter_options o;
	struct view name;

	(void)state;
	assert_true(milter_options_parse(
	    VIEW("\0\0\0\6\0\0\0\1\0\0\0\2\0\0\0\2i {auth_type},{x}\0\0\0\0\x63no\0"), &o,
	    NULL));
	assert_int_equal(o.version, 6);
	assert_int_equal(o.actions, MILTER_MAY_ADDHDRS);
	assert_int_equal(o.steps, MILTER_NO_HELO);
	assert_false(o.has_macros[MILTER_AT_CONNECT]);
	assert_true(o.has_macros[MILTER_AT_MAIL]);
	assert_true(milter_next_name(&o.macros[MILTER_AT_MAIL], &name));
	assert_true(view_eq(name, VIEW("i")));
	assert_true(milter_next_name(&o.macros[MILTER_AT_MAIL], &name));
	assert_true(view_eq(name, VIEW("{auth_type}")));
	assert_true(milter_next_name(&o.macros[MILTER_AT_MAIL], &name));
	assert_true(view_eq(name, VIEW("{x}")));
	assert_false(milter_next_name(&o.macros[MILTER_AT_MAIL], &name));
	assert_false(milter_options_parse(VIEW("\0\0\0\6\0\0\0\1\0\0\0"), &o, NULL));
	assert_false(milter_options_parse(VIEW("\0\0\0\6\0\0\0\1\0\0\0\2\0"), &o, NULL));
	assert_false(milter_options_parse(VIEW("\0\0\0\6\0\0\0\1\0\0\0\2\0\0\0\2i"), &o, NULL));
}

static void
test_texts_of_replies(void **state)
{
	static const struct {
		const char *name, *text;
		int code;
		const char *enhanced, *reply;
	} cases[] = {
		{ "one line", "550 5.7.1 no thanks", 550, "5.7.1", "no thanks" },
		{ "with its line end", "451 4.7.1 later\r\n", 451, "4.7.1", "later" },
		{ "a code alone", "550", 550, "", "" },
		{ "no enhanced code", "550 no", 550, "", "no" },
		{ "one of another class is text", "550 4.7.1 no", 550, "", "4.7.1 no" },
		{ "lines", "550-5.7.1 a\r\n550 5.7.1 b", 550, "5.7.1", "a\nb" },
		{ "lines parted by LF", "550-5.7.1 a\n550 5.7.1 b", 550, "5.7.1", "a\nb" },
		{ "percent signs", "550 5.7.1 100%% of %x 5%", 550, "5.7.1", "100% of x 5" },
		{ "421", "421 4.7.0 bye", 421, "4.7.0", "bye" },
		{ "a positive code", "250 2.0.0 fine", 0, "", "" },
		{ "a code of no class", "650 what", 0, "", "" },
		{ "no code", "go away", 0, "", "" },
		{ "nothing", "", 0, "", "" },
		{ "codes that differ", "550-a\r\n551 b", 0, "", "" },
		{ "a last line that promises another", "550-a", 0, "", "" },
		{ "a line behind the last one", "550 a\r\n550 b", 0, "", "" },
		{ "a bare CR", "550 a\rb", 0, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct smtp_reply reply = { .code = 0 };
		const bool ok = milter_reply_text_parse(view_of(cases[i].text), &reply, NULL);

		if (ok != (cases[i].code != 0) || (ok && reply.code != cases[i].code) ||
		    (ok && strcmp(reply.enhanced, cases[i].enhanced) != 0) ||
		    (ok && strcmp(reply.text, cases[i].reply) != 0))
			fail_msg("%s: %d %s %s", cases[i].name, reply.code, reply.enhanced,
			    reply.text);
	}
}

static void
test_targets(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port; /* 0: a path */
	} cases[] = {
		{ "unix:/run/x.sock", "/run/x.sock", 0 },
		{ "local:/run/x.sock", "/run/x.sock", 0 },
		{ "/run/x.sock", "/run/x.sock", 0 },
		{ "inet:8891@localhost", "localhost", 8891 },
		{ "inet6:8891@::1", "::1", 8891 },
		{ "inet6:8891@[::1]", "::1", 8891 },
		{ "inet:127.0.0.1:8891", "127.0.0.1", 8891 },
		{ "127.0.0.1:8891", "127.0.0.1", 8891 },
		{ "[::1]:8891", "::1", 8891 },
		{ "unix:run/x.sock", NULL, 0 },
		{ "unix:", NULL, 0 },
		{ "inet:x@localhost", NULL, 0 },
		{ "inet:0@localhost", NULL, 0 },
		{ "inet:70000@localhost", NULL, 0 },
		{ "inet:8891@", NULL, 0 },
		{ "inet:8891", NULL, 0 },
		{ "localhost", NULL, 0 },
		{ "", NULL, 0 },
		{ "unix:/12345678901234567890123456789012345678901234567890"
		  "12345678901234567890123456789012345678901234567890123456789",
		    NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct milter_target t;
		const bool ok = milter_target_parse(cases[i].text, &t, NULL);

		if (ok != (cases[i].host != NULL) ||
		    (ok && (strcmp(t.host, cases[i].host) != 0 || t.port != cases[i].port ||
			       t.is_path != (cases[i].port == 0))))
			fail_msg("\"%s\": %d", cases[i].text, ok);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_are_written_to_the_octet),
		cmocka_unit_test(test_what_does_not_fit_is_not_begun),
		cmocka_unit_test(test_packets_are_cut_out_of_octets),
		cmocka_unit_test(test_replies_are_taken_apart),
		cmocka_unit_test(test_options_with_lists_of_macros),
		cmocka_unit_test(test_texts_of_replies),
		cmocka_unit_test(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
