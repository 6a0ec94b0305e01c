/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the chain itself costs, for `make bench`, and what a link does: a message's way through
 * all five stages, with no link, and with 20 that let everything pass at each stage; or with
 * one built-in link. By turns. Prints a line a chain: its name and microseconds of this
 * thread's CPU time a message, the best of the rounds.
 *
 * usage: bench_chain MESSAGES [LINK SETTINGS]   (what stands between the braces of its group)
 */
#include "lib/base/log.h"
#include "lib/chain/chain.h"
#include "proxy/links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

/* make_message - anew for each message where a link may change it. */
static bool
make_message(struct mail *mail)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 1 << 16, .max_octets = 1 << 16
	};
	struct body_store *store = body_create(&limits);
	struct err err = { 0 };
	size_t line;

	return body_append(store, VIEW(text), &err) && body_seal(store, &err) &&
	       message_create(&store, &mail->message, &line) == MESSAGE_OK;
}

static bool
make_mail(struct mail *mail)
{
	mail->recipient =
	    (struct recipient){ .path = { .local = VIEW("you"), .domain = VIEW("example.net") },
		    .address = "you@example.net" };
	mail->facts = (struct facts){ .session_id = "s1",
		.message_id = "s1.1",
		.hostname = "gate.example.net",
		.listener = "127.0.0.1:587",
		.client = { .text = "192.0.2.1" },
		.helo = "client.example.com",
		.reverse_path = "alice@example.com",
		.recipients = &mail->recipient,
		.recipient_count = 1 };
	return make_message(mail);
}

/* create - entries as a chain; the end of the program when they are none. */
static struct chain *
create(const struct chain_entry *entries, size_t count)
{
	const struct link_env env = {
		.hostname = "gate.example.net", .temp_dir = "/tmp", .message_octets = 1 << 20
	};
	struct conf_errors errors;
	struct chain *chain;

	conf_errors_init(&errors);
	chain = chain_create(entries, count, &env, &errors);
	for (size_t i = 0; i < errors.count; i++)
		(void)fprintf(stderr, "bench_chain: %s\n", errors.lines[i]);
	conf_errors_finish(&errors);
	if (chain == NULL)
		exit(EXIT_FAILURE);
	return chain;
}

static struct chain *
make_passing(size_t count)
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
	struct chain_entry entries[LINKS];

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "pass:%zu", i);
		entries[i] = (struct chain_entry){
			.name = names[i], .link = &link, .timeout_ms = TIMEOUT_MS
		};
	}
	return create(entries, count);
}

/* load - the group of the link with these settings; false: errors says why. */
static bool
load(const struct link *link, const char *settings, struct arena *arena,
    struct conf_errors *errors, struct chain_entry *entry_out)
{
	static const struct conf_row no_rows[] = { { .key = NULL } };
	static const struct conf_table root = {
		.name = "root", .size = 1, .rows = no_rows, .where_offset = SIZE_MAX
	};
	struct conf_extra extra = { .table = link_group_table(link, arena) };
	char path[] = "/tmp/gatepost-bench-XXXXXX", nothing = 0;
	const int fd = mkstemp(path);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	bool ok;

	if (file == NULL)
		return false;
	(void)fprintf(file, "%s: { %s };\n", link->name, settings);
	(void)fclose(file);
	ok = conf_load(path, &root, &nothing, &extra, 1, arena, errors);
	(void)unlink(path);
	if (ok)
		*entry_out = link_group_entry(link, extra.target_out);
	return ok;
}

static struct chain *
make_one(const char *name, const char *settings, struct arena *arena)
{
	struct chain_entry entry = { .link = NULL };
	struct conf_errors errors;

	conf_errors_init(&errors);
	for (size_t i = 0; i < builtin_link_count; i++) {
		if (strcmp(builtin_links[i]->name, name) == 0 &&
		    !load(builtin_links[i], settings, arena, &errors, &entry))
			break;
	}
	for (size_t i = 0; i < errors.count; i++)
		(void)fprintf(stderr, "bench_chain: %s\n", errors.lines[i]);
	conf_errors_finish(&errors);
	if (entry.link == NULL) {
		(void)fprintf(stderr, "bench_chain: no link %s\n", name);
		exit(EXIT_FAILURE);
	}
	return create(&entry, 1);
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
round_us(const struct chain *chain, struct mail *mail, long messages, bool may_change)
{
	const double before = cpu_us();

	for (long i = 0; i < messages; i++) {
		if (!one(chain, mail))
			abort();
		if (!may_change)
			continue;
		message_destroy(&mail->message);
		if (!make_message(mail))
			abort();
	}
	return (cpu_us() - before) / (double)messages;
}

/* bench - both by turns. */
static void
bench(struct chain *const chains[2], struct mail *mail, long messages, bool may_change,
    double best[2])
{
	best[0] = best[1] = 1e9;
	for (int i = 0; i < ROUNDS; i++) {
		for (size_t k = 0; k < 2; k++) {
			const double us = round_us(chains[k], mail, messages, may_change);

			best[k] = us < best[k] ? us : best[k];
		}
	}
}

int
main(int argc, char **argv)
{
	const long messages = argc == 2 || argc == 4 ? strtol(argv[1], NULL, 10) : 0;
	struct chain *chains[2];
	struct arena arena;
	struct mail mail;
	double best[2];

	if (messages <= 0 || !make_mail(&mail)) {
		(void)fprintf(stderr, "usage: bench_chain MESSAGES [LINK SETTINGS]\n");
		return 2;
	}
	log_configure(&(struct log_config){ .level = LEVEL_WARNING });
	arena_init(&arena);
	chains[0] = make_passing(0);
	chains[1] = argc == 4 ? make_one(argv[2], argv[3], &arena) : make_passing(LINKS);
	bench(chains, &mail, messages, argc == 4, best);
	(void)printf("empty %.3f\n%s %.3f\n", best[0], argc == 4 ? argv[2] : "pass", best[1]);
	chain_destroy(&chains[0]);
	chain_destroy(&chains[1]);
	message_destroy(&mail.message);
	arena_finish(&arena);
	return EXIT_SUCCESS;
}
