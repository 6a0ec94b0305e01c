/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Chains made by chance, of links that do by chance anything that a link can: at each stage the
 * links that run are those with a hook for it, in order, up to and including the first refusal
 * or failure that is to be obeyed. No other thing has any say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/chain_deeds.h"

#define LINKS_MAX 8
#define CHAINS	  20000
#define STAGES	  (STAGE_MESSAGE + 1)

struct random_link {
	struct link link;
	char name[32];
	bool has_hook[STAGES];
	enum link_mode mode;
	enum link_on_error on_error;
	struct deed deeds[STAGES];
};

static struct random_link links[LINKS_MAX];
static size_t link_count;
static size_t ran[LINKS_MAX + 1]; /* indices, in order */
static size_t ran_count;
static uint64_t seed;

/* pick - 0..below-1; xorshift, so that a failure can be had again. */
static unsigned
pick(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % below;
}

static enum link_answer
play(struct link_call *call)
{
	const struct random_link *own = link_settings(call);

	assert_true(ran_count < LINKS_MAX);
	ran[ran_count++] = (size_t)(own - links);
	return deed_do(&own->deeds[link_stage(call)], call, own->link.kind);
}

static void
make_link(struct random_link *l, size_t index)
{
	*l = (struct random_link){ .mode = pick(3) == 0 ? MODE_SHADOW : MODE_ENFORCE,
		.on_error = pick(2) == 0 ? ON_ERROR_PASS : ON_ERROR_DEFER };
	(void)snprintf(l->name, sizeof(l->name), "link%zu", index);
	for (size_t i = 0; i < STAGES; i++) {
		l->has_hook[i] = pick(4) != 0;
		l->deeds[i] = (struct deed){
			.answer = pick(4) == 0 ? (enum link_answer)pick(3) : LINK_NEXT,
			.is_late = pick(8) == 0,
			.edit = (enum deed_edit)pick(EDIT_COUNT),
		};
	}
	l->link = (struct link){ .abi = LINK_ABI,
		.name = l->name,
		.kind = pick(3) == 0 ? LINK_POLICY : LINK_FILTER,
		.message_size = pick(64),
		.connect = l->has_hook[STAGE_CONNECT] ? play : NULL,
		.helo = l->has_hook[STAGE_HELO] ? play : NULL,
		.mail = l->has_hook[STAGE_MAIL] ? play : NULL,
		.rcpt = l->has_hook[STAGE_RCPT] ? play : NULL,
		.message = l->has_hook[STAGE_MESSAGE] ? play : NULL };
}

static struct chain *
make_chain(void)
{
	const struct link_env env = { .hostname = "gate.example.net" };
	struct chain_entry entries[LINKS_MAX];
	struct conf_errors errors;
	struct chain *chain;

	link_count = 1 + pick(LINKS_MAX);
	for (size_t i = 0; i < link_count; i++) {
		make_link(&links[i], i);
		entries[i] = (struct chain_entry){ .link = &links[i].link,
			.settings = &links[i],
			.mode = links[i].mode,
			.on_error = links[i].on_error,
			.timeout_ms = DEED_LIMIT_MS };
	}
	conf_errors_init(&errors);
	chain = chain_create(entries, link_count, &env, &errors);
	assert_non_null(chain);
	conf_errors_finish(&errors);
	return chain;
}

/* check_stage - what ran against what the law says; written without a look at the chain. */
static void
check_stage(enum link_stage stage, bool went_on, const struct smtp_reply *reply)
{
	size_t expected = 0;

	for (size_t i = 0; i < link_count; i++) {
		const struct random_link *l = &links[i];
		const struct deed *deed = &l->deeds[stage];

		if (!l->has_hook[stage])
			continue;
		if (expected >= ran_count || ran[expected] != i)
			fail_msg("%s did not run when it should", l->name);
		expected++;
		if (deed_goes_on(deed, l->mode, l->on_error))
			continue;
		assert_false(went_on);
		assert_int_equal(ran_count, expected);
		assert_int_equal(reply->code, deed->answer == LINK_REFUSE ? 550
					      : stage == STAGE_CONNECT	  ? 421
									  : 451);
		assert_non_null(strstr(reply->text, l->name));
		return;
	}
	assert_int_equal(ran_count, expected);
	assert_true(went_on);
}

static void
test_who_runs_is_the_prefix_up_to_the_first_obeyed_no(void **state)
{
	size_t ended = 0, whole = 0;

	(void)state;
	log_configure(&(struct log_config){ .level = LEVEL_ERROR });
	for (uint64_t round = 1; round <= CHAINS; round++) {
		struct deed_mail mail;

		seed = round * UINT64_C(0x9e3779b97f4a7c15);
		clock_fake_set(1000, 0);
		struct chain *chain = make_chain();
		struct chain_run *run = chain_run_create(chain);
		deed_mail_open(
		    &mail, "From: alice@example.com\r\nSubject: one\r\n\r\nbody\r\n");
		for (int stage = STAGE_CONNECT; stage < STAGES; stage++) {
			struct smtp_reply reply = { .code = 0 };

			ran_count = 0;
			const bool went_on = deed_mail_run(
			    &mail, chain, run, (enum link_stage)stage, NULL, &reply);
			check_stage((enum link_stage)stage, went_on, &reply);
			*(went_on ? &whole : &ended) += 1;
		}
		deed_mail_close(&mail);
		chain_run_destroy(&run);
		chain_destroy(&chain);
	}
	clock_fake_set(-1, -1);
	assert_true(ended > CHAINS && whole > CHAINS); /* both have been tried, and often */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_runs_is_the_prefix_up_to_the_first_obeyed_no),
	};

	return cmocka_run_group_tests_name("chain_random", tests, NULL, NULL);
}
