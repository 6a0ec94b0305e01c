/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lib/chain: what links have of a session, who looks on, and envelopes that links change.
 */
#include "lib/chain/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/base/log.h"

#include "tests/unit/message_fixture.h"

struct counted {
	unsigned calls, transactions;
};

static unsigned finished_calls, finishes;
static bool fails, discards;

static enum link_answer
count_call(struct link_call *call)
{
	struct counted *counted = link_session_memory(call);

	assert_non_null(counted);
	counted->calls++;
	return LINK_NEXT;
}

static enum link_answer
count_mail(struct link_call *call)
{
	struct counted *counted = link_session_memory(call);

	counted->transactions++;
	link_note(call, "transactions", "%u", counted->transactions);
	return count_call(call);
}

static enum link_answer
change(struct link_call *call)
{
	assert_true(edits_set_sender(link_edits(call), VIEW("new@example.org")));
	assert_true(edits_remove_recipient(link_edits(call), 0));
	assert_true(edits_prepend(link_edits(call), "X", VIEW("1")));
	if (discards)
		edits_discard(link_edits(call), "spam");
	if (fails)
		return link_fail(call, "half-way");
	return count_call(call);
}

static void
finish(void *state, void *memory)
{
	const struct counted *counted = memory;

	(void)state;
	finishes++;
	finished_calls += counted->calls;
}

static enum link_answer
look_at_names(struct link_call *call)
{
	assert_null(link_session_memory(call));
	assert_string_equal(link_name(call), "plain");
	assert_int_equal(link_stage(call), STAGE_MESSAGE);
	assert_true(link_is_rehearsal(call));
	return LINK_NEXT;
}

static const struct link counting = {
	.abi = LINK_ABI,
	.name = "counting",
	.kind = LINK_FILTER,
	.session_size = sizeof(struct counted),
	.finish = finish,
	.connect = count_call,
	.helo = count_call,
	.mail = count_mail,
	.message = change,
};

static const struct link plain = {
	.abi = LINK_ABI,
	.name = "plain",
	.kind = LINK_FILTER,
	.message = look_at_names,
};

struct fixture {
	struct chain_entry entries[3];
	struct chain *chain;
	struct chain_session *session;
	struct chain_run *run;
	struct message *message;
	struct recipient recipients[2];
	struct facts facts;
	struct smtp_reply reply;
	struct buf seen;
	struct chain_observer observer;
};

static void
saw_before(void *context, const char *link, enum link_stage stage)
{
	assert_true(buf_printf(context, "[%s %s", link, chain_stage_name(stage)));
}

static void
saw_after(void *context, const struct chain_record *record)
{
	assert_true(buf_printf(context, " %d%s%s%s%s%.*s]", (int)record->answer,
	    record->mode == MODE_SHADOW ? " shadow" : "", record->edits != NULL ? " edits" : "",
	    record->reason[0] != '\0' ? " " : "", record->reason, VIEW_ARG(record->notes)));
	assert_true(record->took_us >= 0);
	if (record->message != NULL) /* as it was before the edits */
		assert_int_equal(message_count_of(record->message, "X"), 0);
}

static void
fixture_open(struct fixture *f)
{
	static const struct log_config quiet = { .level = LEVEL_ERROR };
	const struct link_env env = { .hostname = "mail.example.com" };
	struct conf_errors errors;

	log_configure(&quiet);
	fails = discards = false;
	finishes = finished_calls = 0;
	memset(f, 0, sizeof(*f));
	f->entries[0] =
	    (struct chain_entry){ .name = "counting:a", .link = &counting, .timeout_ms = 1000 };
	f->entries[1] =
	    (struct chain_entry){ .name = "counting:b", .link = &counting, .timeout_ms = 1000 };
	f->entries[1].mode = MODE_SHADOW;
	f->entries[2] = (struct chain_entry){ .link = &plain, .timeout_ms = 1000 };
	conf_errors_init(&errors);
	f->chain = chain_create(f->entries, 3, &env, &errors);
	assert_non_null(f->chain);
	conf_errors_finish(&errors);
	f->session = chain_session_create(f->chain);
	f->run = chain_run_create(f->chain);
	f->message = message_of("A: b\r\n\r\nbody\r\n");
	f->recipients[0].address = "a@example.com";
	f->recipients[1].address = "b@example.com";
	f->facts = (struct facts){ .session_id = "s1",
		.message_id = "s1.1",
		.reverse_path = "old@example.org",
		.recipients = f->recipients,
		.recipient_count = 2 };
	buf_init(&f->seen, 4096);
	f->observer = (struct chain_observer){ saw_before, saw_after, &f->seen };
}

static bool
fixture_stage(struct fixture *f, enum link_stage stage)
{
	const struct chain_work work = { .facts = &f->facts,
		.session = f->session,
		.message = stage == STAGE_MESSAGE ? f->message : NULL,
		.observer = &f->observer,
		.is_rehearsal = true };

	return chain_run_stage(
	    f->chain, stage >= STAGE_MAIL ? f->run : NULL, stage, &work, &f->reply);
}

static void
fixture_close(struct fixture *f)
{
	buf_finish(&f->seen);
	message_destroy(&f->message);
	chain_run_destroy(&f->run);
	chain_session_destroy(&f->session);
	chain_destroy(&f->chain);
}

static void
assert_seen(struct fixture *f, const char *text)
{
	if (!view_eq(buf_view(&f->seen), view_of(text)))
		fail_msg("%.*s", (int)f->seen.len, f->seen.p);
}

static void
test_a_session_is_remembered_by_each_entry(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	assert_true(fixture_stage(&f, STAGE_CONNECT));
	assert_true(fixture_stage(&f, STAGE_HELO));
	assert_true(fixture_stage(&f, STAGE_MAIL));
	chain_run_destroy(&f.run);
	f.run = chain_run_create(f.chain);
	assert_true(fixture_stage(&f, STAGE_MAIL));
	/* Not the shadow's. */
	assert_true(view_eq(chain_run_notes(f.run), VIEW("transactions=2")));
	assert_int_equal(finishes, 0);
	fixture_close(&f);
	assert_int_equal(finishes, 2);
	assert_int_equal(finished_calls, 8);
}

static void
test_a_chain_without_need_has_no_session(void **state)
{
	const struct chain_entry entry = { .link = &plain, .timeout_ms = 1000 };
	const struct link_env env = { .hostname = "mail.example.com" };
	struct conf_errors errors;
	struct chain_session *none;

	(void)state;
	conf_errors_init(&errors);
	struct chain *chain = chain_create(&entry, 1, &env, &errors);
	none = chain_session_create(chain);
	assert_null(none);
	chain_session_destroy(&none);
	chain_destroy(&chain);
	conf_errors_finish(&errors);
}

static void
test_who_looks_on_sees_every_call(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	assert_true(fixture_stage(&f, STAGE_MAIL));
	assert_seen(
	    &f, "[counting:a mail 0transactions=1][counting:b mail 0 shadowtransactions=1]");
	fixture_close(&f);
}

static void
test_a_changed_envelope_is_the_next_links_too(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	f.observer.after = NULL; /* only one of the two is fine */
	assert_true(fixture_stage(&f, STAGE_MESSAGE));
	assert_string_equal(f.facts.reverse_path, "new@example.org");
	assert_int_equal(f.facts.recipient_count, 1);
	assert_string_equal(f.facts.recipients[0].address, "b@example.com");
	assert_true(chain_run_envelope_changed(f.run));
	assert_null(chain_run_discard(f.run));
	assert_int_equal(message_count_of(f.message, "X"), 1); /* none of the shadow's */
	fixture_close(&f);
}

static void
test_a_discard_names_its_link_and_the_rest_runs(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	f.observer.after = NULL;
	discards = true;
	assert_true(fixture_stage(&f, STAGE_MESSAGE));
	assert_string_equal(chain_run_discard(f.run), "counting:a: spam");
	assert_seen(&f, "[counting:a message[counting:b message[plain message");
	fixture_close(&f);
}

static void
test_nothing_is_left_of_a_link_that_failed(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fails = discards = true;
	assert_false(fixture_stage(&f, STAGE_MESSAGE));
	assert_int_equal(f.reply.code, 451);
	assert_string_equal(f.facts.reverse_path, "old@example.org");
	assert_int_equal(f.facts.recipient_count, 2);
	assert_false(chain_run_envelope_changed(f.run));
	assert_null(chain_run_discard(f.run));
	assert_message_is(f.message, "A: b\r\n\r\nbody\r\n");
	assert_seen(&f, "[counting:a message 2 edits half-way]");
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_session_is_remembered_by_each_entry),
		cmocka_unit_test(test_a_chain_without_need_has_no_session),
		cmocka_unit_test(test_who_looks_on_sees_every_call),
		cmocka_unit_test(test_a_changed_envelope_is_the_next_links_too),
		cmocka_unit_test(test_a_discard_names_its_link_and_the_rest_runs),
		cmocka_unit_test(test_nothing_is_left_of_a_link_that_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
