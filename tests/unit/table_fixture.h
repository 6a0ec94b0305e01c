/* SPDX-License-Identifier: MPL-2.0 */
/* For unit tests of tables: files of their own, and look-ups in one line. Behind cmocka.h. */
#ifndef GATEPOST_TESTS_TABLE_FIXTURE_H
#define GATEPOST_TESTS_TABLE_FIXTURE_H

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/table/table_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct table_fixture {
	char folder[32];
	char file[64]; /* "FOLDER/table" */
	char name[72]; /* "file:FOLDER/table" */
	struct conf_errors errors;
	struct arena arena;
	struct table_set *set;
	struct table *table;
	char told[512]; /* the values of the last look-up, "|" between them; or why not */
};

static inline void
table_fixture_write(struct table_fixture *f, const char *text)
{
	char other[80];
	FILE *file;

	snprintf(other, sizeof(other), "%s.new", f->file);
	file = fopen(other, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(other, f->file), 0);
}

static inline void
table_fixture_open(struct table_fixture *f)
{
	const struct log_config quiet = { .level = LEVEL_ERROR };

	log_configure(&quiet);
	*f = (struct table_fixture){ .folder = "/tmp/gatepost-test-XXXXXX" };
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->file, sizeof(f->file), "%s/table", f->folder);
	snprintf(f->name, sizeof(f->name), "file:%s", f->file);
	conf_errors_init(&f->errors);
	arena_init(&f->arena);
}

static inline void
table_fixture_close(struct table_fixture *f)
{
	table_set_destroy(&f->set);
	arena_finish(&f->arena);
	conf_errors_finish(&f->errors);
	unlink(f->file);
	rmdir(f->folder);
}

/* table_fixture_set - a set without any configured table. */
static inline void
table_fixture_set(struct table_fixture *f)
{
	f->set = table_set_create(NULL, 0, &f->errors);
	assert_non_null(f->set);
}

static inline struct table *
table_fixture_find(struct table_fixture *f, const char *name)
{
	const struct conf_where where = { "proxy.conf", 7 };

	return table_find(f->set, name, where, "access.table", &f->errors);
}

/* table_fixture_ask - "found", "absent" or "down"; what was found is in told. */
static inline const char *
table_fixture_ask(struct table_fixture *f, const char *key)
{
	static const char *const names[] = { "found", "absent", "down" };
	struct table_values values;
	struct err err = { .kind = ERR_NONE };
	size_t len = 0;
	const enum table_result result = table_lookup(
	    f->table, view_of(key), clock_mono_ms() + 5000, &f->arena, &values, &err);

	snprintf(f->told, sizeof(f->told), "%s", err.text);
	for (size_t i = 0; i < values.count && len < sizeof(f->told); i++)
		len += (size_t)snprintf(f->told + len, sizeof(f->told) - len, "%s%.*s",
		    i > 0 ? "|" : "", VIEW_ARG(values.items[i]));
	return names[result];
}

#endif
