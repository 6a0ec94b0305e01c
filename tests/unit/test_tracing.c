/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Records of transactions: within their bound whatever is in them, always JSON; what finds no
 * room is counted; a session without a trace costs nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/json_read.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "proxy/ops/trace_read.h"
#include "proxy/session/tracing.h"
#include "tests/unit/chain_deeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RECORD_OCTETS (128 * 1024)

struct fixture {
	char folder[32];
	struct config config;
	struct config_upstream upstream_config;
	struct upstream *upstream;
	struct snapshot snapshot;
	struct tracing *tracing;
	struct delivery *delivery;
	struct deed_mail mail;
	size_t records;	    /* written so far */
	struct arena arena; /* of the record that was read */
};

static void
fixture_open(struct fixture *f, bool header)
{
	const struct trace_limits limits = { .file_octets = RECORD_OCTETS, .files = 2 };
	struct conf_errors errors;
	struct err err = { 0 };

	memset(f, 0, sizeof(*f));
	log_configure(&(struct log_config){ .level = LEVEL_ERROR });
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/gatepost-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	conf_errors_init(&errors);
	f->upstream_config = (struct config_upstream){
		.name = "box", .type = UPSTREAM_MAILDIR, .maildir = f->folder
	};
	f->upstream = upstream_create(&f->upstream_config, "gate.example.net", &errors);
	assert_non_null(f->upstream);
	conf_errors_finish(&errors);
	f->config.trace = (struct config_trace){
		.enabled = true, .header = header, .max_record_octets = RECORD_OCTETS
	};
	f->snapshot.config = &f->config;
	f->snapshot.trace = trace_open(f->folder, &limits, &err);
	f->tracing = tracing_create(&f->snapshot);
	assert_non_null(f->tracing);
	f->delivery = delivery_create(f->upstream, "s1.1");
	deed_mail_open(&f->mail, "From: alice@example.com\r\n\r\nbody\r\n");
	arena_init(&f->arena);
}

static void
fixture_close(struct fixture *f)
{
	char path[128];

	tracing_destroy(&f->tracing);
	trace_close(&f->snapshot.trace);
	delivery_destroy(&f->delivery);
	upstream_destroy(&f->upstream);
	deed_mail_close(&f->mail);
	arena_finish(&f->arena);
	(void)snprintf(path, sizeof(path), "%s/trace.jsonl", f->folder);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/trace.1.jsonl", f->folder);
	(void)unlink(path);
	assert_int_equal(rmdir(f->folder), 0);
}

/* newest - the record of that number, once it is in the file. */
static const struct json_value *
newest(struct fixture *f, size_t number)
{
	const struct json_value *record = NULL;
	struct trace_reader reader;
	struct err err = { 0 };
	struct view line;
	size_t count = 0;

	if (!trace_reader_open(&reader, f->folder, &err))
		return NULL;
	while (trace_reader_next(&reader, &line)) {
		if (count++ > 0)
			continue;
		assert_in_range(line.len, 1, RECORD_OCTETS - 1);
		record = json_read(line, &f->arena);
		assert_non_null(record);
	}
	trace_reader_close(&reader);
	return count == number ? record : NULL;
}

/* end - the transaction, and its record, out of the file. */
static const struct json_value *
end(struct fixture *f, const struct tracing_end *how)
{
	const struct json_value *record = NULL;

	tracing_end(f->tracing, how);
	f->records++;
	for (int i = 0; i < 5000 && record == NULL; i++) {
		record = newest(f, f->records);
		if (record == NULL)
			usleep(1000);
	}
	assert_non_null(record);
	return record;
}

static void
expect_text(const struct json_value *object, const char *key, const char *text)
{
	if (!view_eq(json_get_text(object, key), view_of(text)))
		fail_msg("%s: %.*s", key, VIEW_ARG(json_get_text(object, key)));
}

static size_t
count_of(const struct json_value *object, const char *key)
{
	size_t count = 0;

	for (const struct json_value *v = json_first(object, key); v != NULL; v = v->next)
		count++;
	return count;
}

/* ---- links to look at ---- */

static struct deed deed;

static enum link_answer
do_deed(struct link_call *call)
{
	return deed_do(&deed, call, LINK_FILTER);
}

static void
run_chain(struct fixture *f, enum link_mode mode)
{
	static const struct link link = { .abi = LINK_ABI,
		.name = "doer",
		.kind = LINK_FILTER,
		.connect = do_deed,
		.helo = do_deed,
		.mail = do_deed,
		.rcpt = do_deed,
		.message = do_deed };
	const struct chain_entry entry = { .link = &link, .mode = mode, .timeout_ms = 60000 };
	const struct link_env env = { .hostname = "gate.example.net" };
	struct conf_errors errors;
	struct chain *chain;
	struct chain_run *run;

	conf_errors_init(&errors);
	chain = chain_create(&entry, 1, &env, &errors);
	conf_errors_finish(&errors);
	run = chain_run_create(chain);
	for (int stage = STAGE_CONNECT; stage <= STAGE_MESSAGE; stage++) {
		struct smtp_reply reply;

		(void)deed_mail_run(&f->mail, chain, run, (enum link_stage)stage,
		    tracing_observer(f->tracing, (enum link_stage)stage), &reply);
	}
	/* Facts that a link has changed live in the run. */
	f->mail.facts.recipients = f->mail.recipients;
	f->mail.facts.recipient_count = 2;
	chain_run_destroy(&run);
	chain_destroy(&chain);
}

static void
test_each_link_at_each_stage_is_in_the_record(void **state)
{
	const struct json_value *record, *call;
	struct fixture f;

	(void)state;
	fixture_open(&f, true);
	deed = (struct deed){ .edit = EDIT_PREPEND };
	tracing_begin(f.tracing, &f.mail.facts, f.delivery);
	run_chain(&f, MODE_ENFORCE);
	record = end(&f, &(struct tracing_end){ .reason = "timeout" });
	expect_text(record, "id", "s1.1");
	expect_text(record, "result", "aborted");
	expect_text(record, "reason", "timeout");
	expect_text(json_first(record, "greeting"), "link", "doer");
	expect_text(json_first(record, "helo_calls"), "stage", "helo");
	call = json_first(record, "calls");
	expect_text(call, "stage", "mail");
	expect_text(call->next, "stage", "rcpt");
	expect_text(call->next, "recipient", "bob@example.net");
	expect_text(call->next->next, "stage", "message");
	expect_text(json_first(call->next->next, "changes"), "text", "X-Deed: on top");
	assert_null(call->next->next->next);
	fixture_close(&f);
}

static void
test_the_session_is_in_the_next_record_too(void **state)
{
	const struct json_value *record;
	struct fixture f;

	(void)state;
	fixture_open(&f, true);
	deed = (struct deed){ .answer = LINK_REFUSE };
	tracing_begin(f.tracing, &f.mail.facts, f.delivery);
	run_chain(&f, MODE_SHADOW);
	run_chain(&f, MODE_SHADOW); /* a second HELO: what was said to the first is gone */
	(void)end(&f, &(struct tracing_end){ .reason = NULL });
	tracing_begin(f.tracing, &f.mail.facts, f.delivery);
	record = end(&f, &(struct tracing_end){ .reason = NULL });
	expect_text(record, "result", "reset");
	assert_int_equal(count_of(record, "greeting"), 2);
	assert_int_equal(count_of(record, "helo_calls"), 1);
	assert_int_equal(count_of(record, "calls"), 0);
	expect_text(json_first(record, "helo_calls"), "verdict", "refuse");
	expect_text(json_first(record, "helo_calls"), "mode", "shadow");
	expect_text(
	    json_get(json_first(record, "helo_calls"), "reply"), "text", "doer says no");
	fixture_close(&f);
}

static void
test_without_header_only_names_of_fields_are_kept(void **state)
{
	const struct json_value *record, *call;
	struct fixture f;

	(void)state;
	fixture_open(&f, false);
	deed = (struct deed){ .edit = EDIT_REPLACE_ALL };
	tracing_begin(f.tracing, &f.mail.facts, f.delivery);
	run_chain(&f, MODE_ENFORCE);
	tracing_message(f.tracing, VIEW("alice@example.com"), VIEW("<1@example.com>"));
	record = end(&f, &(struct tracing_end){ .reason = NULL });
	assert_null(json_get(record, "header_from"));
	assert_null(json_get(record, "message_id"));
	call = json_first(record, "calls")->next->next;
	expect_text(json_first(call, "changes"), "text", "From");
	fixture_close(&f);
}

static void
test_what_finds_no_room_is_counted(void **state)
{
	const struct json_value *record;
	struct smtp_reply reply;
	struct fixture f;

	(void)state;
	fixture_open(&f, true);
	smtp_reply_set(&reply, 250, "2.1.5", "recipient ok");
	deed = (struct deed){ .edit = EDIT_PREPEND };
	tracing_begin(f.tracing, &f.mail.facts, f.delivery);
	for (int i = 0; i < 1000; i++) {
		char address[64];

		(void)snprintf(address, sizeof(address), "recipient%d@example.net", i);
		tracing_recipient(f.tracing, address, "upstream", &reply);
		run_chain(&f, MODE_ENFORCE);
	}
	tracing_reply(f.tracing, "delivered", "upstream", &reply);
	record = end(&f, &(struct tracing_end){ .octets = 12 });
	assert_int_equal(count_of(record, "recipients") +
			     (size_t)json_get_int(record, "recipients_left_out"),
	    1000);
	assert_in_range(count_of(record, "recipients"), 100, 300);
	assert_int_equal(
	    count_of(record, "calls") + (size_t)json_get_int(record, "calls_left_out"), 3000);
	assert_in_range(json_get_int(record, "greeting_left_out"), 900, 999);
	fixture_close(&f);
}

static void
test_a_record_of_nothing_but_escapes_keeps_its_bound(void **state)
{
	static char junk[2000];
	const struct json_value *record;
	struct smtp_reply reply = { .code = 550 };
	struct fixture f;

	(void)state;
	fixture_open(&f, true);
	memset(junk, 1, sizeof(junk) - 1);
	memset(reply.text, '\xff', sizeof(reply.text) - 1);
	f.mail.facts.helo = f.mail.facts.via = f.mail.facts.identity.login =
	    f.mail.facts.reverse_path = junk;
	f.mail.facts.tls.version = f.mail.facts.tls.cipher = junk;
	f.mail.recipients[0].address = junk;
	deed = (struct deed){ .edit = EDIT_EVERYTHING };
	tracing_begin(f.tracing, &f.mail.facts, f.delivery);
	for (int i = 0; i < 100; i++) {
		tracing_recipient(f.tracing, junk, "chain", &reply);
		run_chain(&f, MODE_SHADOW);
	}
	tracing_message(f.tracing, view_of(junk), view_of(junk));
	tracing_reply(f.tracing, "refused", "chain", &reply);
	record = end(&f, &(struct tracing_end){ .reason = junk, .has_new_envelope = true });
	assert_int_equal(json_get_text(record, "login").len, TRACING_VALUE_MAX + 3);
	assert_true(json_get_int(record, "recipients_left_out") > 0);
	fixture_close(&f);
}

static void
test_without_a_trace_there_is_nothing(void **state)
{
	struct config config = { .hostname = "gate.example.net" };
	const struct snapshot snapshot = { .config = &config };
	struct tracing *t = tracing_create(&snapshot);

	(void)state;
	assert_null(t);
	assert_null(tracing_observer(t, STAGE_MESSAGE));
	tracing_begin(t, NULL, NULL);
	tracing_recipient(t, NULL, NULL, NULL);
	tracing_message(t, VIEW(""), VIEW(""));
	tracing_reply(t, NULL, NULL, NULL);
	tracing_last_words(t, NULL);
	tracing_end(t, NULL);
	tracing_destroy(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_link_at_each_stage_is_in_the_record),
		cmocka_unit_test(test_the_session_is_in_the_next_record_too),
		cmocka_unit_test(test_without_header_only_names_of_fields_are_kept),
		cmocka_unit_test(test_what_finds_no_room_is_counted),
		cmocka_unit_test(test_a_record_of_nothing_but_escapes_keeps_its_bound),
		cmocka_unit_test(test_without_a_trace_there_is_nothing),
	};

	return cmocka_run_group_tests_name("tracing", tests, NULL, NULL);
}
