/* SPDX-License-Identifier: MPL-2.0 */
/* For unit tests of the link lua: a script written in the test. Include behind cmocka.h. */
#ifndef GATEPOST_TESTS_LUA_FIXTURE_H
#define GATEPOST_TESTS_LUA_FIXTURE_H

#include "filters/filters.h"
#include "lib/table/table_set.h"
#include "tests/unit/link_fixture.h"

#include <pthread.h>

struct lua_fixture {
	struct link_fixture link;
	struct table_set *tables;
	char script[48], table[48]; /* files */
	const char *text;	    /* of the message stage's message */
	char reason[256];	    /* of the last failure; "": none */
	struct buf written;
};

static inline void
lua_fixture_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline void
lua_fixture_new_file(char path[48])
{
	const int fd = mkstemps(path, 4);

	assert_true(fd >= 0);
	close(fd);
}

/* lua_fixture_try - f->link.chain is NULL when the script or its settings are refused. */
static inline void
lua_fixture_try(struct lua_fixture *f, const char *text, const char *settings)
{
	static const char *const upstreams[] = { "mta", "bulk" };
	struct link_env env = { .hostname = "gate.example.net",
		.temp_dir = "/tmp",
		.message_octets = 1 << 20,
		.upstreams = upstreams,
		.upstream_count = ARRAY_LEN(upstreams) };
	struct conf_errors errors;
	char all[512];

	memset(f, 0, sizeof(*f));
	(void)snprintf(f->script, sizeof(f->script), "/tmp/gatepost-test-XXXXXX.lua");
	(void)snprintf(f->table, sizeof(f->table), "/tmp/gatepost-test-XXXXXX.txt");
	lua_fixture_new_file(f->script);
	lua_fixture_new_file(f->table);
	lua_fixture_write(f->script, text);
	lua_fixture_write(f->table, "a 1\nb 2 3\nempty\n");
	conf_errors_init(&errors);
	f->tables = table_set_create(NULL, 0, &errors);
	conf_errors_finish(&errors);
	env.tables = f->tables;
	(void)snprintf(all, sizeof(all), "script = \"%s\"; %s %s", f->script, settings,
	    strstr(settings, "params") != NULL ? "" : "params = [ \"table=TABLE\" ];");
	if (strstr(all, "TABLE") != NULL)
		(void)snprintf(strstr(all, "TABLE"), 64, "%s\" ];", f->table);
	f->text = "Subject: s\r\n\r\nbody\r\n";
	link_fixture_open_env(&f->link, &link_lua, all, &env);
}

static inline void
lua_fixture_open(struct lua_fixture *f, const char *text, const char *settings)
{
	lua_fixture_try(f, text, settings);
	if (f->link.chain == NULL)
		fail_msg("%s: %s", text, f->link.errors.lines[0]);
}

static inline void
lua_fixture_close(struct lua_fixture *f)
{
	link_fixture_close(&f->link);
	table_set_destroy(&f->tables);
	buf_finish(&f->written);
	unlink(f->script);
	unlink(f->table);
}

static inline void
lua_fixture_see(void *context, const struct chain_record *record)
{
	struct lua_fixture *f = context;

	(void)snprintf(f->reason, sizeof(f->reason), "%s", record->reason);
}

/* lua_fixture_run - the reply's code, or 0 for NEXT. The recipient is <b@example.net>. */
static inline int
lua_fixture_run(struct lua_fixture *f, enum link_stage stage)
{
	const struct recipient recipient = { .path = { .local = VIEW("b"),
						 .domain = VIEW("example.net") },
		.address = "b@example.net" };
	const struct chain_observer observer = { .after = lua_fixture_see, .context = f };
	struct chain_work work = { .facts = &f->link.facts,
		.recipient = stage == STAGE_RCPT ? &recipient : NULL,
		.observer = &observer };

	if (stage == STAGE_MESSAGE) {
		message_destroy(&f->link.message);
		f->link.message = message_of(f->text);
		work.message = f->link.message;
	}
	f->reason[0] = '\0';
	return chain_run_stage(f->link.chain, stage >= STAGE_MAIL ? f->link.run : NULL, stage,
		   &work, &f->link.reply)
		   ? 0
		   : f->link.reply.code;
}

/* lua_fixture_written - the message as it is now. */
static inline const char *
lua_fixture_written(struct lua_fixture *f)
{
	buf_finish(&f->written);
	f->written = message_text(f->link.message);
	assert_true(buf_add(&f->written, "", 1));
	return f->written.p;
}

/* lua_fixture_many - of a thread: NULL, or not when a call failed. */
static inline void *
lua_fixture_many(void *context)
{
	struct lua_fixture *f = context;
	struct facts facts = f->link.facts;
	const struct chain_work work = { .facts = &facts };
	struct smtp_reply reply;

	for (int i = 0; i < 20; i++) {
		if (!chain_run_stage(f->link.chain, NULL, STAGE_CONNECT, &work, &reply))
			return f;
	}
	return NULL;
}

#endif
