/* SPDX-License-Identifier: MPL-2.0 */
/* For unit tests of the chain: links that do what a script says. Include behind cmocka.h. */
#ifndef GATEPOST_TESTS_CHAIN_FIXTURE_H
#define GATEPOST_TESTS_CHAIN_FIXTURE_H

#include "lib/chain/chain.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "tests/unit/message_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

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

static inline enum link_answer
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

static inline enum link_answer
play_a(struct link_call *call)
{
	return play(call, 0);
}

static inline enum link_answer
play_b(struct link_call *call)
{
	return play(call, 1);
}

static inline enum link_answer
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

static struct facts facts = { .session_id = "s1", .message_id = "s1.1" };
static const struct link_env env = { .hostname = "mail.example.com" };

struct fixture {
	struct chain_entry entries[3];
	struct chain *chain;
	struct chain_run *run;
	struct message *message;
	struct smtp_reply reply;
};

static inline void
fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	memset(scripts, 0, sizeof(scripts));
	clock_fake_set(1000, 0);
	for (size_t i = 0; i < ARRAY_LEN(scripted); i++)
		f->entries[i] = (struct chain_entry){ .link = &scripted[i], .timeout_ms = 100 };
}

static inline bool
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
	const struct chain_work work = { .facts = &facts,
		.message = stage == STAGE_MESSAGE ? f->message : NULL };
	return chain_run_stage(
	    f->chain, stage >= STAGE_MAIL ? f->run : NULL, stage, &work, &f->reply);
}

static inline void
fixture_finish(struct fixture *f)
{
	chain_run_destroy(&f->run);
	chain_destroy(&f->chain);
	message_destroy(&f->message);
	clock_fake_set(-1, -1);
}

#endif
