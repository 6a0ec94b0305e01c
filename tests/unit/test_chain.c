/* SPDX-License-Identifier: MPL-2.0 */
/* The rules of the chain, with links made for each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/chain_fixture.h"

static void
test_links_run_in_order_at_every_stage(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (int stage = STAGE_CONNECT; stage <= STAGE_MESSAGE; stage++) {
		assert_true(fixture_run(&f, (enum link_stage)stage));
		assert_string_equal(ran, "abc");
	}
	fixture_finish(&f);
}

static void
test_a_refusal_ends_the_stage(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	scripts[1].answer = LINK_REFUSE;
	assert_false(fixture_run(&f, STAGE_MAIL));
	assert_string_equal(ran, "ab");
	assert_int_equal(f.reply.code, 550);
	assert_string_equal(f.reply.enhanced, "5.7.1");
	assert_string_equal(f.reply.text, "link b says no");
	fixture_finish(&f);
}

static void
test_a_failure_defers_by_default(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	scripts[0].answer = LINK_FAIL;
	assert_false(fixture_run(&f, STAGE_MESSAGE));
	assert_string_equal(ran, "a");
	assert_int_equal(f.reply.code, 451);
	assert_string_equal(f.reply.enhanced, "4.3.0");
	assert_null(strstr(f.reply.text, "cannot say")); /* the reason is for the log */
	fixture_finish(&f);
}

static void
test_a_failure_at_connect_is_421(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	scripts[0].answer = LINK_FAIL;
	assert_false(fixture_run(&f, STAGE_CONNECT));
	assert_int_equal(f.reply.code, 421);
	fixture_finish(&f);
}

static void
test_a_slow_hook_has_failed_and_its_edits_are_gone(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	scripts[0] = (struct script){ .takes_ms = 101, .adds = "X-Slow", .note = "slow" };
	assert_false(fixture_run(&f, STAGE_MESSAGE));
	assert_int_equal(f.reply.code, 451);
	assert_message_is(f.message, MESSAGE_TEXT);
	assert_int_equal(chain_run_notes(f.run).len, 0);
	fixture_finish(&f);
}

static void
test_a_slow_hook_may_pass_but_never_with_its_edits(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].on_error = ON_ERROR_PASS;
	scripts[0] = (struct script){ .takes_ms = 101, .adds = "X-Slow" };
	assert_true(fixture_run(&f, STAGE_MESSAGE));
	assert_string_equal(ran, "abc");
	assert_message_is(f.message, MESSAGE_TEXT);
	fixture_finish(&f);
}

static void
test_the_last_moment_is_in_time(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	scripts[0] = (struct script){ .takes_ms = 100, .adds = "X-In-Time" };
	assert_true(fixture_run(&f, STAGE_MESSAGE));
	assert_message_is(f.message, "X-In-Time: x\r\n" MESSAGE_TEXT);
	fixture_finish(&f);
}

static void
test_a_refusal_counts_however_late(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].on_error = ON_ERROR_PASS;
	scripts[0] = (struct script){ .answer = LINK_REFUSE, .takes_ms = 500 };
	assert_false(fixture_run(&f, STAGE_MESSAGE));
	assert_int_equal(f.reply.code, 550);
	fixture_finish(&f);
}

static void
test_edits_are_committed_link_by_link(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	scripts[0].adds = "X-A";
	scripts[1].adds = "X-B";
	assert_true(fixture_run(&f, STAGE_MESSAGE));
	assert_message_is(f.message, "X-B: x\r\nX-A: x\r\n" MESSAGE_TEXT);
	fixture_finish(&f);
}

static void
test_edits_of_a_link_that_refuses_or_fails_are_dropped(void **state)
{
	const enum link_answer answers[] = { LINK_REFUSE, LINK_FAIL };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		fixture_init(&f);
		f.entries[0].on_error = ON_ERROR_PASS;
		scripts[0] = (struct script){ .answer = answers[i], .adds = "X-A" };
		assert_int_equal(fixture_run(&f, STAGE_MESSAGE), answers[i] == LINK_FAIL);
		assert_message_is(f.message, MESSAGE_TEXT);
		fixture_finish(&f);
	}
}

static void
test_no_answer_of_a_link_keeps_a_later_one_from_running_but_a_refusal(void **state)
{
	(void)state;
	/* every answer x mode x on_error x in time or not, of the first link */
	for (unsigned bits = 0; bits < 3 * 2 * 2 * 2; bits++) {
		struct fixture f;

		fixture_init(&f);
		scripts[0].answer = (enum link_answer)(bits / 8);
		scripts[0].takes_ms = (bits & 1) != 0 ? 1000 : 0;
		f.entries[0].mode = (bits & 2) != 0 ? MODE_SHADOW : MODE_ENFORCE;
		f.entries[0].on_error = (bits & 4) != 0 ? ON_ERROR_PASS : ON_ERROR_DEFER;

		const bool failed = scripts[0].answer == LINK_FAIL ||
				    (scripts[0].answer == LINK_NEXT && scripts[0].takes_ms > 0);
		const bool refused = scripts[0].answer == LINK_REFUSE ||
				     (failed && f.entries[0].on_error == ON_ERROR_DEFER);
		const bool stops = refused && f.entries[0].mode == MODE_ENFORCE;

		assert_int_equal(fixture_run(&f, STAGE_MESSAGE), !stops);
		assert_string_equal(ran, stops ? "a" : "abc");
		fixture_finish(&f);
	}
}

/* log_begin, log_end - what is logged between them. */
static int log_saved = -1;

static void
log_begin(void)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	fflush(stderr);
	log_saved = dup(STDERR_FILENO);
	assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
	fclose(file);
}

static void
log_end(char *out, size_t room)
{
	ssize_t n = pread(STDERR_FILENO, out, room - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	assert_int_equal(dup2(log_saved, STDERR_FILENO), STDERR_FILENO);
	close(log_saved);
}

static void
test_a_shadow_is_logged_not_obeyed(void **state)
{
	char log[4096];
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].mode = MODE_SHADOW;
	f.entries[1].mode = MODE_SHADOW;
	scripts[0].answer = LINK_REFUSE;
	scripts[1] = (struct script){ .adds = "X-B", .note = "seen" };
	log_begin();
	assert_true(fixture_run(&f, STAGE_MESSAGE));
	log_end(log, sizeof(log));
	assert_string_equal(ran, "abc");
	assert_int_equal(f.reply.code, 0);
	assert_message_is(f.message, MESSAGE_TEXT);
	assert_int_equal(chain_run_notes(f.run).len, 0);
	assert_non_null(strstr(log, "link.shadow"));
	assert_non_null(strstr(log, "id=s1.1"));
	assert_non_null(strstr(log, "link=first"));
	assert_non_null(strstr(log, "link a says no"));
	assert_non_null(strstr(log, "link=second"));
	fixture_finish(&f);
}

static void
test_verdicts_and_edits_are_logged(void **state)
{
	char log[4096];
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].on_error = ON_ERROR_PASS;
	scripts[0].answer = LINK_FAIL;
	scripts[2].answer = LINK_REFUSE;
	log_begin();
	assert_false(fixture_run(&f, STAGE_MAIL));
	log_end(log, sizeof(log));
	assert_non_null(strstr(log, "link.fail"));
	assert_non_null(strstr(log, "link a cannot say"));
	assert_non_null(strstr(log, "on_error=pass"));
	assert_non_null(strstr(log, "link.refuse"));
	assert_non_null(strstr(log, "link c says no"));
	fixture_finish(&f);
}

static enum link_answer
count_to_three(struct link_call *call)
{
	struct script_memory *memory = link_memory(call);

	memory->calls++;
	if (memory->calls < 3)
		return LINK_NEXT;
	return link_refuse(call, 452, "4.5.3", "that was call %u", memory->calls);
}

static void
test_memory_belongs_to_one_transaction_and_one_link(void **state)
{
	const struct link counting = {
		.abi = LINK_ABI,
		.name = "counting",
		.kind = LINK_POLICY,
		.message_size = sizeof(struct script_memory),
		.rcpt = count_to_three,
	};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &counting;
	f.entries[2].link = &counting;
	assert_true(fixture_run(&f, STAGE_RCPT));
	assert_true(fixture_run(&f, STAGE_RCPT));
	assert_false(fixture_run(&f, STAGE_RCPT)); /* the first link's third, not its fifth */
	assert_string_equal(f.reply.text, "that was call 3");
	chain_run_destroy(&f.run);
	f.run = chain_run_create(f.chain);
	assert_true(fixture_run(&f, STAGE_RCPT));
	fixture_finish(&f);
}

static void
test_notes_are_gathered(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[1].on_error = ON_ERROR_PASS;
	scripts[0].note = "a";
	scripts[1] = (struct script){ .answer = LINK_FAIL, .note = "b" };
	scripts[2] = (struct script){ .answer = LINK_REFUSE, .note = "c" };
	assert_false(fixture_run(&f, STAGE_MESSAGE));
	assert_true(view_eq(chain_run_notes(f.run), VIEW("note=a note=c")));
	fixture_finish(&f);
}

static void
test_notes_over_the_cap_are_left_out(void **state)
{
	struct fixture f;
	size_t len;

	(void)state;
	fixture_init(&f);
	scripts[0].note = "a note of sixty-odd octets, which fits in five times but no oftener";
	for (int i = 0; i < 20; i++)
		assert_true(fixture_run(&f, STAGE_RCPT));
	len = chain_run_notes(f.run).len;
	assert_true(len > 300 && len <= 400);
	fixture_finish(&f);
}

/* ---- making a chain ---- */

static unsigned torn_down;

static bool
setup_ok(const void *settings, struct conf_where where, const struct link_env *e,
    void **state_out, struct conf_errors *errors)
{
	(void)settings;
	(void)where;
	(void)errors;
	assert_string_equal(e->hostname, "mail.example.com");
	*state_out = &torn_down;
	return true;
}

static bool
setup_bad(const void *settings, struct conf_where where, const struct link_env *e,
    void **state_out, struct conf_errors *errors)
{
	(void)settings;
	(void)e;
	(void)state_out;
	conf_error(errors, where, "bad.key", "is no good");
	return false;
}

static void
teardown_ok(void *state)
{
	assert_ptr_equal(state, &torn_down);
	torn_down++;
}

static void
test_a_chain_that_cannot_be_made_says_everything(void **state)
{
	const struct link good = {
		.abi = LINK_ABI, .name = "good", .setup = setup_ok, .teardown = teardown_ok
	};
	const struct link bad = { .abi = LINK_ABI, .name = "bad", .setup = setup_bad };
	const struct link old = { .abi = LINK_ABI + 1, .name = "old" };
	const struct link closed = { .abi = LINK_ABI, .name = "closed", .fails_closed = true };
	const struct conf_where where = { .file = "proxy.conf", .line = 7 };
	const struct chain_entry entries[] = {
		{ .link = &good, .where = where },
		{ .link = &bad, .where = where },
		{ .link = &old, .where = where },
		{ .link = &closed, .where = where, .on_error = ON_ERROR_PASS },
		{ .link = &closed, .where = where, .on_error = ON_ERROR_DEFER },
	};
	struct conf_errors errors;

	(void)state;
	torn_down = 0;
	conf_errors_init(&errors);
	assert_null(chain_create(entries, ARRAY_LEN(entries), &env, &errors));
	assert_int_equal(errors.count, 3);
	assert_string_equal(errors.lines[0], "proxy.conf:7: bad.key: is no good");
	assert_non_null(strstr(errors.lines[1], "proxy.conf:7: old: "));
	assert_non_null(strstr(errors.lines[2], "proxy.conf:7: closed: on_error must be"));
	assert_int_equal(torn_down, 1);
	conf_errors_finish(&errors);
}

static enum link_answer
edit_as_policy(struct link_call *call)
{
	(void)link_edits(call);
	return LINK_NEXT;
}

static void
test_a_policy_that_edits_is_a_bug(void **state)
{
	const struct link policy = {
		.abi = LINK_ABI,
		.name = "policy",
		.kind = LINK_POLICY,
		.message = edit_as_policy,
	};
	struct fixture f;
	int status;
	pid_t pid;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &policy;
	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		(void)!freopen("/dev/null", "w", stderr);
		(void)!fixture_run(&f, STAGE_MESSAGE);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	fixture_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links_run_in_order_at_every_stage),
		cmocka_unit_test(test_a_refusal_ends_the_stage),
		cmocka_unit_test(test_a_failure_defers_by_default),
		cmocka_unit_test(test_a_failure_at_connect_is_421),
		cmocka_unit_test(test_a_slow_hook_has_failed_and_its_edits_are_gone),
		cmocka_unit_test(test_a_slow_hook_may_pass_but_never_with_its_edits),
		cmocka_unit_test(test_the_last_moment_is_in_time),
		cmocka_unit_test(test_a_refusal_counts_however_late),
		cmocka_unit_test(test_edits_are_committed_link_by_link),
		cmocka_unit_test(test_edits_of_a_link_that_refuses_or_fails_are_dropped),
		cmocka_unit_test(
		    test_no_answer_of_a_link_keeps_a_later_one_from_running_but_a_refusal),
		cmocka_unit_test(test_a_shadow_is_logged_not_obeyed),
		cmocka_unit_test(test_verdicts_and_edits_are_logged),
		cmocka_unit_test(test_memory_belongs_to_one_transaction_and_one_link),
		cmocka_unit_test(test_notes_are_gathered),
		cmocka_unit_test(test_notes_over_the_cap_are_left_out),
		cmocka_unit_test(test_a_chain_that_cannot_be_made_says_everything),
		cmocka_unit_test(test_a_policy_that_edits_is_a_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
