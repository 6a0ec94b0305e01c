/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests of links: one link in a chain of its own, with settings written as in the
 * configuration file. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_LINK_FIXTURE_H
#define GATEPOST_TESTS_LINK_FIXTURE_H

#include "lib/base/log.h"
#include "lib/chain/chain.h"
#include "proxy/links.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/message_fixture.h"

struct link_fixture {
	struct arena arena;
	struct conf_errors errors;
	struct chain *chain;	       /* NULL: the settings were refused */
	struct chain_session *session; /* NULL: the link needs none */
	struct chain_run *run;
	struct facts facts;
	struct message *message; /* of the last link_fixture_message, as it is now */
	struct smtp_reply reply;
};

/* link_fixture_entry - settings are what stands between the braces of the link's group. */
static inline bool
link_fixture_entry(struct link_fixture *f, const struct link *link, const char *settings,
    struct chain_entry *entry_out)
{
	static const struct conf_row no_rows[] = { { .key = NULL } };
	static const struct conf_table root = {
		.name = "root", .size = 1, .rows = no_rows, .where_offset = SIZE_MAX
	};
	struct conf_extra extra = { .table = link_group_table(link, &f->arena) };
	char path[] = "/tmp/gatepost-test-XXXXXX", nothing = 0;
	const int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	bool ok;

	assert_non_null(file);
	fprintf(file, "%s: { %s };\n", link->name, settings);
	assert_int_equal(fclose(file), 0);
	ok = conf_load(path, &root, &nothing, &extra, 1, &f->arena, &f->errors);
	unlink(path);
	if (ok)
		*entry_out = link_group_entry(link, extra.target_out);
	return ok;
}

/* link_fixture_open_env - with what the gate has for links, which stays the caller's. */
static inline void
link_fixture_open_env(struct link_fixture *f, const struct link *link, const char *settings,
    const struct link_env *env)
{
	const struct log_config quiet = { .level = LEVEL_ERROR };
	struct chain_entry entry;

	log_configure(&quiet);
	memset(f, 0, sizeof(*f));
	arena_init(&f->arena);
	conf_errors_init(&f->errors);
	f->facts.session_id = "s1";
	f->facts.message_id = "s1.1";
	f->facts.hostname = "gate.example.net";
	f->facts.reverse_path = "";
	f->facts.received_at = 1795553870; /* Tue, 24 Nov 2026 20:57:50 UTC */
	if (!link_fixture_entry(f, link, settings, &entry))
		return;
	f->chain = chain_create(&entry, 1, env, &f->errors);
	if (f->chain != NULL) {
		f->session = chain_session_create(f->chain);
		f->run = chain_run_create(f->chain);
	}
}

/* link_fixture_open_with - with keys for signing (NULL: none), which stay the caller's. */
static inline void
link_fixture_open_with(struct link_fixture *f, const struct link *link, const char *settings,
    const struct dkim_keyring *keyring)
{
	const struct link_env env = { .hostname = "gate.example.net", .keyring = keyring };

	link_fixture_open_env(f, link, settings, &env);
}

static inline void
link_fixture_open(struct link_fixture *f, const struct link *link, const char *settings)
{
	link_fixture_open_with(f, link, settings, NULL);
}

static inline void
link_fixture_close(struct link_fixture *f)
{
	message_destroy(&f->message);
	chain_run_destroy(&f->run);
	chain_session_destroy(&f->session);
	chain_destroy(&f->chain);
	conf_errors_finish(&f->errors);
	arena_finish(&f->arena);
}

/* link_fixture_refuses_env - the settings are one error, with that text in it, and no chain. */
static inline void
link_fixture_refuses_env(const struct link *link, const char *settings, const char *error,
    const struct link_env *env)
{
	struct link_fixture f;

	link_fixture_open_env(&f, link, settings, env);
	if (f.chain != NULL || f.errors.count != 1 || strstr(f.errors.lines[0], error) == NULL)
		fail_msg(
		    "%s: %s", settings, f.errors.count > 0 ? f.errors.lines[0] : "is taken");
	link_fixture_close(&f);
}

static inline void
link_fixture_refuses(const struct link *link, const char *settings, const char *error)
{
	const struct link_env env = { .hostname = "gate.example.net" };

	link_fixture_refuses_env(link, settings, error, &env);
}

/* Each gives the reply's code, or 0 for NEXT. */
static inline int
link_fixture_stage(
    struct link_fixture *f, enum link_stage stage, const struct recipient *recipient)
{
	const struct chain_work work = { .facts = &f->facts,
		.session = f->session,
		.recipient = recipient,
		.message = stage == STAGE_MESSAGE ? f->message : NULL };
	const bool next = chain_run_stage(
	    f->chain, stage >= STAGE_MAIL ? f->run : NULL, stage, &work, &f->reply);

	return next ? 0 : f->reply.code;
}

static inline int
link_fixture_message(struct link_fixture *f, const char *text)
{
	message_destroy(&f->message);
	f->message = message_of(text);
	return link_fixture_stage(f, STAGE_MESSAGE, NULL);
}

#endif
