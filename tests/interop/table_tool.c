/* SPDX-License-Identifier: MPL-2.0 */
/*
 * table_tool: asks a table, for tests against real servers.
 *
 *	table_tool FILE NAME
 *
 * FILE is a configuration with nothing but the list "tables", NAME one of them ("ldap:t").
 * Each line on standard input is a request, each line on standard output its JSON:
 *
 *	ask HEXKEY DEADLINE_MS              {"result": ..., "values": [HEX...], "why": HEX,
 *"ms": ...} parallel COUNT HEXKEY DEADLINE_MS   from so many threads at once, the key with a
 *number behind it: {"found": ..., "absent": ..., "down": ..., "ms": ...}
 *
 * The log goes to standard error.
 */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/table/table_set.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_ROOM     4096
#define THREADS_MAX  64
#define REQUEST_ROOM (2 * KEY_ROOM + 64)

static const char *const names[] = {
	[TABLE_FOUND] = "found", [TABLE_ABSENT] = "absent", [TABLE_DOWN] = "down"
};

static struct table *table;

static size_t
unhex(const char *hex, char out[KEY_ROOM])
{
	size_t len = 0;

	for (; hex[0] != '\0' && hex[1] != '\0' && len < KEY_ROOM; hex += 2)
		out[len++] = (char)(ascii_hex_value(hex[0]) * 16 + ascii_hex_value(hex[1]));
	return len;
}

static void
print_hex(struct view v)
{
	printf("\"");
	for (size_t i = 0; i < v.len; i++)
		printf("%02x", (unsigned char)v.p[i]);
	printf("\"");
}

static void
do_ask(struct view key, int64_t limit_ms)
{
	const int64_t began = clock_mono_ms();
	struct err err = { .kind = ERR_NONE };
	struct table_values values;
	struct arena arena;
	enum table_result result;

	arena_init(&arena);
	result = table_lookup(table, key, began + limit_ms, &arena, &values, &err);
	printf("{\"result\": \"%s\", \"ms\": %lld, \"why\": ", names[result],
	    (long long)(clock_mono_ms() - began));
	print_hex(view_of(err.text));
	printf(", \"values\": [");
	for (size_t i = 0; i < values.count; i++) {
		printf("%s", i > 0 ? ", " : "");
		print_hex(values.items[i]);
	}
	printf("]}\n");
	arena_finish(&arena);
}

/* ---- many at once ---- */

struct asker {
	pthread_t thread;
	char key[KEY_ROOM + 8];
	int64_t deadline_ms;
	enum table_result result;
};

static void *
ask_in_thread(void *p)
{
	struct asker *asker = p;
	struct table_values values;
	struct arena arena;

	arena_init(&arena);
	asker->result =
	    table_lookup(table, view_of(asker->key), asker->deadline_ms, &arena, &values, NULL);
	arena_finish(&arena);
	return NULL;
}

static void
do_parallel(unsigned count, struct view key, int64_t limit_ms)
{
	static struct asker askers[THREADS_MAX];
	const int64_t began = clock_mono_ms();
	unsigned counts[ARRAY_LEN(names)] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		snprintf(askers[i].key, sizeof(askers[i].key), "%.*s%u", VIEW_ARG(key), i);
		askers[i].deadline_ms = began + limit_ms;
		if (pthread_create(&askers[i].thread, NULL, ask_in_thread, &askers[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < count; i++) {
		pthread_join(askers[i].thread, NULL);
		counts[askers[i].result]++;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		printf("%s\"%s\": %u", i == 0 ? "{" : ", ", names[i], counts[i]);
	printf(", \"ms\": %lld}\n", (long long)(clock_mono_ms() - began));
}

static void
answer(const char *request)
{
	static char hex[REQUEST_ROOM], key[KEY_ROOM];
	unsigned count;
	long long limit_ms;

	if (sscanf(request, "ask %8192s %lld", hex, &limit_ms) == 2)
		do_ask(view_make(key, unhex(hex, key)), limit_ms);
	else if (sscanf(request, "parallel %u %8192s %lld", &count, hex, &limit_ms) == 3 &&
		 count <= THREADS_MAX)
		do_parallel(count, view_make(key, unhex(hex, key)), limit_ms);
	else
		printf("{}\n");
	fflush(stdout);
}

/* ---- the configuration ---- */

struct tool_file {
	struct conf_list tables;
};

static const struct conf_row tool_rows[] = {
	{ .key = "tables",
	    .type = CONF_LIST,
	    .offset = offsetof(struct tool_file, tables),
	    .table = &table_config_table },
	{ .key = NULL },
};

static const struct conf_table tool_table = {
	.name = "root",
	.size = sizeof(struct tool_file),
	.rows = tool_rows,
	.where_offset = SIZE_MAX,
};

static struct table_set *
load(const char *path, const char *name, struct arena *arena)
{
	struct conf_errors errors;
	struct tool_file file;
	struct table_set *set = NULL;

	conf_errors_init(&errors);
	if (conf_load(path, &tool_table, &file, NULL, 0, arena, &errors))
		set = table_set_create(file.tables.items, file.tables.count, &errors);
	if (set != NULL)
		table = table_find(
		    set, name, (struct conf_where){ .file = path }, "table", &errors);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	conf_errors_finish(&errors);
	return set;
}

int
main(int argc, char **argv)
{
	static char request[REQUEST_ROOM];
	const struct log_config log = { .level = LEVEL_INFO };
	struct table_set *set;
	struct arena arena;

	if (argc != 3)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	log_configure(&log);
	arena_init(&arena);
	set = load(argv[1], argv[2], &arena);
	if (table == NULL)
		return 1;
	while (fgets(request, sizeof(request), stdin) != NULL)
		answer(request);
	table_set_destroy(&set);
	arena_finish(&arena);
	return 0;
}
