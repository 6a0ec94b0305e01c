/* SPDX-License-Identifier: MPL-2.0 */
/* The rules of the chain, with links made for each of them. */
#include "lib/chain/chain.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/message_fixture.h"

#define MESSAGE_TEXT "Subject: one\r\n\r\nbody\r\n"

/* What a scripted link does, one script for each link of the chain. */
struct script {
	enum link_answer answer;
	int64_t takes_ms;
	const char *adds; /* a field that it puts on top */
	const char *note;
};

struct script_memory {
	unsigned calls;
};

static struct script scripts[3];
static char ran[16]; /* letters of the links that ran, in order */

static enum link_answer
play(struct link_call *call, size_t index)
{
	const struct script *script = &scripts[index];
	struct script_memory *memory = link_memory(call);

	ran[strlen(ran)] = (char)('a' + index);
	if (memory != NULL)
		memory->calls++;
	if (script->adds != NULL && link_message(call) != NULL)
		assert_true(edits_prepend(link_edits(call), script->adds, VIEW("x")));
	if (script->note != NULL)
		link_note(call, "note", "%s", script->note);
	clock_fake_set(clock_mono_ms() + script->takes_ms, 0);
	if (script->answer == LINK_REFUSE)
		return link_refuse(call, 550, "5.7.1", "link %c says no", (char)('a' + index));
	if (script->answer == LINK_FAIL)
		return link_fail(call, "link %c cannot say", (char)('a' + index));
	return LINK_NEXT;
}

static enum link_answer
play_a(struct link_call *call)
{
	return play(call, 0);
}

static enum link_answer
play_b(struct link_call *call)
{
	return play(call, 1);
}

static enum link_answer
play_c(struct link_call *call)
{
	return play(call, 2);
}

#define SCRIPTED(name_, hook_)                                                        \
	{                                                                             \
		.abi = LINK_ABI, .name = (name_), .kind = LINK_FILTER,                \
		.message_size = sizeof(struct script_memory), .connect = (hook_),     \
		.helo = (hook_), .mail = (hook_), .rcpt = (hook_), .message = (hook_) \
	}

static const struct link scripted[] = {
	SCRIPTED("first", play_a),
	SCRIPTED("second", play_b),
	SCRIPTED("third", play_c),
};

static const struct facts facts = { .session_id = "s1", .message_id = "s1.1" };
static const struct link_env env = { .hostname = "mail.example.com" };

struct fixture {
	struct chain_entry entries[3];
	struct chain *chain;
	struct chain_run *run;
	struct message *message;
	struct smtp_reply reply;
};

static void
fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	memset(scripts, 0, sizeof(scripts));
	clock_fake_set(1000, 0);
	for (size_t i = 0; i < ARRAY_LEN(scripted); i++)
		f->entries[i] = (struct chain_entry){ .link = &scripted[i], .timeout_ms = 100 };
}

static bool
fixture_run(struct fixture *f, enum link_stage stage)
{
	struct conf_errors errors;

	memset(ran, 0, sizeof(ran));
	if (f->chain == NULL) {
		conf_errors_init(&errors);
		f->chain = chain_create(f->entries, ARRAY_LEN(f->entries), &env, &errors);
		assert_non_null(f->chain);
		conf_errors_finish(&errors);
		f->run = chain_run_create(f->chain);
		f->message = message_of(MESSAGE_TEXT);
	}
	return chain_run_stage(f->chain, stage >= STAGE_MAIL ? f->run : NULL, stage, &facts,
	    NULL, stage == STAGE_MESSAGE ? f->message : NULL, &f->reply);
}

static void
fixture_finish(struct fixture *f)
{
	chain_run_destroy(&f->run);
	chain_destroy(&f->chain);
	message_destroy(&f->message);
	clock_fake_set(-1, -1);
}

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

/* ---- results ---- */

static size_t seen_results;

static enum link_answer
publish_and_go_on(struct link_call *call)
{
	const struct authres result = { .method = AUTHRES_SPF,
		.result = AUTHRES_PASS,
		.domain = "example.com",
		.properties = { { "smtp", "mailfrom", "a@example.com" } },
		.property_count = 1 };

	link_publish(call, &result);
	return LINK_NEXT;
}

static enum link_answer
publish_and_fail(struct link_call *call)
{
	(void)publish_and_go_on(call);
	return link_fail(call, "it went wrong");
}

static enum link_answer
count_results(struct link_call *call)
{
	const struct authres *results = link_results(call, &seen_results);

	for (size_t i = 0; i < seen_results; i++) {
		assert_string_equal(results[i].domain, "example.com");
		assert_string_equal(
		    authres_property(&results[i], "smtp", "mailfrom"), "a@example.com");
		assert_null(authres_property(&results[i], "smtp", "helo"));
	}
	return LINK_NEXT;
}

static const struct link publisher = {
	.abi = LINK_ABI,
	.name = "publisher",
	.kind = LINK_POLICY,
	.mail = publish_and_go_on,
	.message = publish_and_fail,
};
static const struct link counter = {
	.abi = LINK_ABI,
	.name = "counter",
	.kind = LINK_POLICY,
	.mail = count_results,
	.message = count_results,
};

static void
test_results_reach_later_links_and_later_stages(void **state)
{
	struct fixture f;
	size_t count;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &publisher;
	f.entries[0].on_error = ON_ERROR_PASS;
	f.entries[1].link = &counter;
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_int_equal(seen_results, 1);
	assert_true(fixture_run(&f, STAGE_MESSAGE)); /* what a failed call published is lost */
	assert_int_equal(seen_results, 1);
	(void)chain_run_results(f.run, &count);
	assert_int_equal(count, 1);
	fixture_finish(&f);
}

static void
test_results_of_a_shadow_are_dropped(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &publisher;
	f.entries[0].mode = MODE_SHADOW;
	f.entries[1].link = &counter;
	seen_results = 99;
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_int_equal(seen_results, 0);
	fixture_finish(&f);
}

static void
test_results_over_the_cap_are_dropped(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &publisher;
	f.entries[1].link = &counter;
	for (int i = 0; i < AUTHRES_MAX + 5; i++)
		assert_true(fixture_run(&f, STAGE_MAIL));
	assert_int_equal(seen_results, AUTHRES_MAX);
	fixture_finish(&f);
}

/* ---- time for DNS ---- */

static int64_t dns_times_ms[2]; /* what each link was given, in order */
static size_t dns_calls;

static enum link_answer
wait_for_dns(struct link_call *call)
{
	const int64_t until_ms = link_dns_deadline_ms(call);

	dns_times_ms[dns_calls++] = until_ms - clock_mono_ms();
	clock_fake_set(until_ms, 0);
	return LINK_NEXT;
}

static const struct link asker = {
	.abi = LINK_ABI,
	.name = "asker",
	.kind = LINK_POLICY,
	.mail = wait_for_dns,
	.message = wait_for_dns,
};

static void
expect_dns_times(
    const struct link_env *with, int64_t timeout_ms, int64_t a, int64_t b, int64_t c)
{
	const struct chain_entry entries[] = { { .link = &asker, .timeout_ms = timeout_ms },
		{ .link = &asker, .timeout_ms = timeout_ms } };
	struct conf_errors errors;
	struct smtp_reply reply;

	clock_fake_set(1000, 0);
	dns_calls = 0;
	conf_errors_init(&errors);
	struct chain *chain = chain_create(entries, 2, with, &errors);
	struct chain_run *run = chain_run_create(chain);
	assert_true(chain_run_stage(chain, run, STAGE_MAIL, &facts, NULL, NULL, &reply));
	assert_int_equal(dns_times_ms[0], a);
	assert_int_equal(dns_times_ms[1], b);
	chain_run_destroy(&run);
	run = chain_run_create(chain);
	dns_calls = 0;
	assert_true(chain_run_stage(chain, run, STAGE_MAIL, &facts, NULL, NULL, &reply));
	assert_int_equal(dns_times_ms[0], c);
	chain_run_destroy(&run);
	chain_destroy(&chain);
	conf_errors_finish(&errors);
}

/* All links of a transaction share it, a second is for each; the next one has its own. */
static void
test_links_share_the_time_for_dns(void **state)
{
	const struct link_env twenty = { .hostname = "mail.example.com", .dns_time_ms = 20000 };

	(void)state;
	expect_dns_times(&twenty, 30000, 20000, 1000, 20000);
	expect_dns_times(&twenty, 15000, 13000, 7000, 13000); /* two seconds for the answer */
	expect_dns_times(&twenty, 1000, 800, 800, 800);	      /* or a fifth */
	expect_dns_times(&env, 30000, 28000, 28000, 28000);   /* no limit */
}

static void
expect_metric(const char *line)
{
	struct buf page;

	buf_init(&page, 1 << 20);
	assert_true(metrics_print(&page));
	if (memmem(page.p, page.len, line, strlen(line)) == NULL)
		fail_msg("no %s in:\n%.*s", line, VIEW_ARG(buf_view(&page)));
	buf_finish(&page);
}

static const struct link counted = {
	.abi = LINK_ABI,
	.name = "counted",
	.kind = LINK_POLICY,
	.mail = publish_and_go_on,
	.message = publish_and_fail,
};

/* What was obeyed and what was not; results that count, and no others. */
static void
test_verdicts_and_results_are_counted(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.entries[0].link = &counted;
	f.entries[0].on_error = ON_ERROR_PASS;
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_true(fixture_run(&f, STAGE_MESSAGE));
	fixture_finish(&f);
	fixture_init(&f);
	f.entries[0].link = &counted;
	f.entries[0].mode = MODE_SHADOW;
	assert_true(fixture_run(&f, STAGE_MAIL));
	assert_true(fixture_run(&f, STAGE_MESSAGE));
	fixture_finish(&f);
#define COUNTED "gatepost_link_verdicts_total{link=\"counted\",stage="
	expect_metric(COUNTED "\"mail\",verdict=\"next\"} 2\n");
	expect_metric(COUNTED "\"mail\",verdict=\"shadow_next\"} 1\n");
	expect_metric(COUNTED "\"message\",verdict=\"fail\"} 1\n");
	expect_metric(COUNTED "\"message\",verdict=\"shadow_fail\"} 1\n");
	expect_metric("gatepost_results_total{method=\"spf\",result=\"pass\"} 2\n");
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
		cmocka_unit_test(test_verdicts_and_results_are_counted),
		cmocka_unit_test(test_results_reach_later_links_and_later_stages),
		cmocka_unit_test(test_results_of_a_shadow_are_dropped),
		cmocka_unit_test(test_results_over_the_cap_are_dropped),
		cmocka_unit_test(test_links_share_the_time_for_dns),
		cmocka_unit_test(test_a_chain_that_cannot_be_made_says_everything),
		cmocka_unit_test(test_a_policy_that_edits_is_a_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
