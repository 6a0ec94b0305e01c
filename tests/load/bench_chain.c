/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the chain itself costs, for `make bench`: a message's way through all five stages, with
 * no link and with 20 that let everything pass at each stage, by turns. Prints a line a
 * chain: its name and microseconds of this thread's CPU time a message, the best of the rounds.
 *
 * usage: bench_chain MESSAGES
 */
#include "lib/base/log.h"
#include "lib/chain/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS	   15
#define LINKS	   20
#define TIMEOUT_MS 30000

static const char text[] =
    "From: Alice <alice@example.com>\r\nTo: you@example.net\r\nSubject: load\r\n"
    "Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <load@example.com>\r\n\r\n"
    "Sphinx of black quartz, judge my vow.\r\n";

struct mail {
	struct recipient recipient;
	struct facts facts;
	struct message *message;
};

static enum link_answer
pass(struct link_call *call)
{
	(void)call;
	return LINK_NEXT;
}

static double
cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool
make_mail(struct mail *mail)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 1 << 16, .max_octets = 1 << 16
	};
	struct body_store *store = body_create(&limits);
	struct err err = { 0 };
	size_t line;

	mail->recipient =
	    (struct recipient){ .path = { .local = VIEW("you"), .domain = VIEW("example.net") },
		    .address = "you@example.net" };
	mail->facts = (struct facts){ .session_id = "s1",
		.message_id = "s1.1",
		.hostname = "gate.example.net",
		.listener = "127.0.0.1:587",
		.helo = "client.example.com",
		.reverse_path = "alice@example.com",
		.recipients = &mail->recipient,
		.recipient_count = 1 };
	return body_append(store, VIEW(text), &err) && body_seal(store, &err) &&
	       message_create(&store, &mail->message, &line) == MESSAGE_OK;
}

static struct chain *
make_chain(size_t count)
{
	static const struct link link = { .abi = LINK_ABI,
		.name = "pass",
		.kind = LINK_FILTER,
		.connect = pass,
		.helo = pass,
		.mail = pass,
		.rcpt = pass,
		.message = pass };
	static char names[LINKS][16];
	const struct link_env env = { .hostname = "gate.example.net" };
	struct chain_entry entries[LINKS];
	struct conf_errors errors;
	struct chain *chain;

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "pass:%zu", i);
		entries[i] = (struct chain_entry){
			.name = names[i], .link = &link, .timeout_ms = TIMEOUT_MS
		};
	}
	conf_errors_init(&errors);
	chain = chain_create(entries, count, &env, &errors);
	conf_errors_finish(&errors);
	return chain;
}

/* one - a session with one message; false: some link has not let it pass. */
static bool
one(const struct chain *chain, struct mail *mail)
{
	struct chain_session *session = chain_session_create(chain);
	struct chain_run *run = NULL;
	struct smtp_reply reply;
	bool ok = true;

	for (int stage = STAGE_CONNECT; stage <= STAGE_MESSAGE && ok; stage++) {
		const struct chain_work work = { .facts = &mail->facts,
			.session = session,
			.recipient = stage == STAGE_RCPT ? &mail->recipient : NULL,
			.message = stage == STAGE_MESSAGE ? mail->message : NULL };

		if (stage == STAGE_MAIL)
			run = chain_run_create(chain);
		ok = chain_run_stage(chain, run, (enum link_stage)stage, &work, &reply);
	}
	chain_run_destroy(&run);
	chain_session_destroy(&session);
	return ok;
}

/* round_us - of CPU time a message. */
static double
round_us(const struct chain *chain, struct mail *mail, long messages)
{
	const double before = cpu_us();

	for (long i = 0; i < messages; i++) {
		if (!one(chain, mail))
			abort();
	}
	return (cpu_us() - before) / (double)messages;
}

int
main(int argc, char **argv)
{
	const long messages = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	struct chain *chains[] = { make_chain(0), make_chain(LINKS) };
	double best[ARRAY_LEN(chains)] = { 1e9, 1e9 };
	struct mail mail;

	if (messages <= 0 || !make_mail(&mail)) {
		(void)fprintf(stderr, "usage: bench_chain MESSAGES\n");
		return 2;
	}
	log_configure(&(struct log_config){ .level = LEVEL_INFO });
	for (int i = 0; i < ROUNDS; i++) {
		for (size_t k = 0; k < ARRAY_LEN(chains); k++) {
			const double us = round_us(chains[k], &mail, messages);

			best[k] = us < best[k] ? us : best[k];
		}
	}
	(void)printf("empty %.3f\npass %.3f\n", best[0], best[1]);
	for (size_t k = 0; k < ARRAY_LEN(chains); k++)
		chain_destroy(&chains[k]);
	message_destroy(&mail.message);
	return EXIT_SUCCESS;
}
