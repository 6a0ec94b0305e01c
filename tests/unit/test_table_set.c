/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables of the configuration: which settings are refused, SQLite's answers, the cache before
 * them, and a table that is down. Redis and LDAP have their real servers in tests/interop.
 */
#include "lib/table/table_set.h"

#include "lib/table/table_check.h"
#include "lib/table/table_ldap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/table_fixture.h"

#include <sqlite3.h>

struct set_file {
	struct conf_list tables;
};

static const struct conf_row set_rows[] = {
	{ .key = "tables",
	    .type = CONF_LIST,
	    .offset = offsetof(struct set_file, tables),
	    .table = &table_config_table },
	{ .key = NULL },
};

static const struct conf_table set_table = {
	.name = "root",
	.size = sizeof(struct set_file),
	.rows = set_rows,
	.where_offset = SIZE_MAX,
};

/* make_set - of what stands between the braces of one table; @ there is f->file. */
static void
make_set(struct table_fixture *f, const char *settings)
{
	const size_t at = view_find(view_of(settings), '@');
	struct set_file file;
	char path[80];
	FILE *out;

	snprintf(path, sizeof(path), "%s/proxy.conf", f->folder);
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "tables: ( { %.*s%s%s } );\n", (int)at, settings,
	    settings[at] == '@' ? f->file : "", settings + at + (settings[at] == '@'));
	assert_int_equal(fclose(out), 0);
	if (conf_load(path, &set_table, &file, NULL, 0, &f->arena, &f->errors))
		f->set = table_set_create(file.tables.items, file.tables.count, &f->errors);
	unlink(path);
}

/* run_sql - in the database f->file, which is made if need be. */
static void
run_sql(struct table_fixture *f, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define SQLITE "name = \"t\"; type = \"sqlite\"; "
#define LDAP   "name = \"t\"; type = \"ldap\"; base = \"dc=x\"; attribute = \"mail\"; "
#define REDIS  "name = \"t\"; type = \"redis\"; "

struct bad_settings {
	const char *settings;
	const char *error;
};

static const struct bad_settings bad_settings[] = {
	{ "type = \"sqlite\"; file = \"/x\"; query = \"?\";", "tables[0].name: is missing" },
	{ "name = \"t\"; type = \"mysql\";", "type: \"mysql\" is not one of" },
	{ SQLITE "file = \"/x\";", "tables.query: is missing" },
	{ SQLITE "query = \"?\";", "tables.file: is missing" },
	{ SQLITE "file = \"/x\"; query = \"?\"; server = \"h\";",
	    "tables.server: is not for type \"sqlite\"" },
	{ SQLITE "file = \"/x\"; query = \"?\"; tls = \"implicit\";",
	    "tables.tls: is not for type \"sqlite\"" },
	{ LDAP "uri = \"http://h\"; filter = \"(a=%s)\";", "tables.uri: \"http://h\"" },
	{ LDAP "uri = \"ldap://h/dc=x\"; filter = \"(a=%s)\";", "tables.uri: " },
	{ LDAP "uri = \"ldap://ldap.example.com\"; filter = \"(a=%s)\";",
	    "tables.tls: is needed to another machine" },
	{ LDAP "uri = \"ldap://127.0.0.1\"; filter = \"(a=b)\";",
	    "tables.filter: has no %s for the key" },
	{ LDAP "uri = \"ldap://127.0.0.1\"; filter = \"(a=%s%d)\";",
	    "tables.filter: has a % that is neither" },
	{ LDAP "uri = \"ldap://127.0.0.1\"; filter = \"(a=%s)%\";",
	    "tables.filter: has a % that is neither" },
	{ LDAP "uri = \"ldaps://h\"; tls = \"starttls\"; filter = \"(a=%s)\";",
	    "\"starttls\" is for ldap:// alone" },
	{ LDAP "uri = \"ldapi://%2Fx\"; tls = \"starttls\"; filter = \"(a=%s)\";",
	    "\"starttls\" is for ldap:// alone" },
	{ LDAP "uri = \"ldap://h\"; tls = \"implicit\"; filter = \"(a=%s)\";",
	    "\"implicit\" needs ldaps://" },
	{ LDAP "uri = \"ldapi://%2Fx\"; filter = \"(a=%s)\"; bind_dn = \"cn=x\";",
	    "tables.bind_dn: and password_file go together" },
	{ LDAP "uri = \"ldapi://%2Fx\"; filter = \"(a=%s)\"; bind_dn = \"cn=x\"; "
	       "password_file = \"/nonexistent\";",
	    "tables.password_file: /nonexistent: cannot be opened" },
	{ REDIS, "tables.server: is missing" },
	{ REDIS "server = \"redis.example.com\";", "tables.tls: is needed to another machine" },
	{ REDIS "server = \"127.0.0.1\"; key = \"gate\";", "tables.key: has no %s" },
	{ REDIS "server = \"127.0.0.1\"; form = \"hash\";", "tables.hash: and form" },
	{ REDIS "server = \"127.0.0.1\"; hash = \"h\";", "tables.hash: and form" },
	{ REDIS "server = \"127.0.0.1\"; tls = \"starttls\";", "redis has no \"starttls\"" },
	{ REDIS "server = \"127.0.0.1\"; login = \"l\";", "tables.login: needs password_file" },
	{ REDIS "server = \"127.0.0.1:x\";", "tables.server: \"127.0.0.1:x\" has no valid" },
	{ REDIS "server = \"127.0.0.1\"; base = \"dc=x\";", "tables.base: is not for type" },
};

static void
test_settings_that_make_no_table_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_settings); i++) {
		struct table_fixture f;

		table_fixture_open(&f);
		make_set(&f, bad_settings[i].settings);
		if (f.set != NULL || f.errors.count != 1 ||
		    strstr(f.errors.lines[0], bad_settings[i].error) == NULL)
			fail_msg("%s: %s", bad_settings[i].settings,
			    f.errors.count > 0 ? f.errors.lines[0] : "is taken");
		table_fixture_close(&f);
	}
}

static const char *const good_settings[] = {
	LDAP "uri = \"ldap://127.0.0.1:3890\"; filter = \"(&(a=%s)(b=100%%))\";",
	LDAP "uri = \"ldaps://ldap.example.com\"; filter = \"(a=%s)\";",
	LDAP "uri = \"ldaps://h\"; tls = \"implicit\"; filter = \"(a=%s)\";",
	LDAP "uri = \"ldap://h\"; tls = \"starttls\"; filter = \"(a=%s)\";",
	LDAP "uri = \"ldap://h\"; insecure = true; filter = \"(a=%s)\";",
	LDAP "uri = \"ldapi://%2Fx\"; filter = \"(a=%s)\";",
	REDIS "server = \"/run/redis/redis.sock\";",
	REDIS "server = \"[::1]:6379\"; key = \"gatepost:%s\";",
	REDIS "server = \"redis.example.com:6380\"; tls = \"implicit\";",
};

static void
test_settings_that_make_a_table_connect_to_nobody(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_settings); i++) {
		struct table_fixture f;

		table_fixture_open(&f);
		make_set(&f, good_settings[i]);
		if (f.set == NULL)
			fail_msg("%s: %s", good_settings[i], f.errors.lines[0]);
		table_fixture_close(&f);
	}
}

struct bad_name {
	const char *name, *error;
};

static const struct bad_name bad_names[] = {
	{ "", "proxy.conf:7: access.table: there is no table \"\"" },
	{ "t", "there is no table \"t\"" },
	{ "sqlite:u", "there is no table \"sqlite:u\" (did you mean \"sqlite:t\"?)" },
	{ "ldap:t", "there is no table \"ldap:t\"" },
	{ "file:relative", "there is no table \"file:relative\"" },
	{ "file:/nonexistent/x", "/nonexistent/x: table: cannot be opened" },
};

static void
test_names_of_no_table_are_errors(void **state)
{
	struct table_fixture f;

	(void)state;
	table_fixture_open(&f);
	make_set(&f, SQLITE "file = \"@\"; query = \"SELECT ?\";");
	assert_non_null(f.set);
	assert_non_null(table_fixture_find(&f, "sqlite:t"));
	for (size_t i = 0; i < ARRAY_LEN(bad_names); i++) {
		assert_null(table_fixture_find(&f, bad_names[i].name));
		if (strstr(f.errors.lines[i], bad_names[i].error) == NULL)
			fail_msg("%s: %s", bad_names[i].name, f.errors.lines[i]);
	}
	table_set_destroy(&f.set);
	assert_null(table_fixture_find(&f, "sqlite:t"));
	assert_non_null(strstr(f.errors.lines[f.errors.count - 1], "there are no tables"));
	table_fixture_close(&f);
}

/* ---- SQLite ---- */

#define SCHEMA "CREATE TABLE t (k TEXT, v TEXT, w TEXT);"
#define QUERY  "query = \"SELECT v, w FROM t WHERE k = ? ORDER BY rowid\"; "
#define NAMED  SQLITE "file = \"@\"; timeout = \"200ms\"; "

static void
open_sqlite(struct table_fixture *f, const char *settings, const char *sql)
{
	table_fixture_open(f);
	run_sql(f, sql);
	make_set(f, settings);
	if (f->set == NULL)
		fail_msg("%s", f->errors.lines[0]);
	f->table = table_fixture_find(f, "sqlite:t");
	assert_non_null(f->table);
}

struct row_case {
	const char *name;
	const char *sql;
	const char *key, *result, *told;
};

static const struct row_case row_cases[] = {
	{ "every column of every row is a value",
	    SCHEMA "INSERT INTO t VALUES ('a','1','2'),('a','3','4');", "a", "found",
	    "1|2|3|4" },
	{ "NULL is none", SCHEMA "INSERT INTO t VALUES ('a',NULL,'2');", "a", "found", "2" },
	{ "a row of NULL alone is found", SCHEMA "INSERT INTO t VALUES ('a',NULL,NULL);", "a",
	    "found", "" },
	{ "numbers come as text", SCHEMA "INSERT INTO t VALUES ('a',7,1.5);", "a", "found",
	    "7|1.5" },
	{ "no row is absent", SCHEMA, "a", "absent", "" },
	{ "a key is never SQL", SCHEMA "INSERT INTO t VALUES ('a','1','2');", "' OR '1'='1",
	    "absent", "" },
	{ "a key with quotes is a key", SCHEMA "INSERT INTO t VALUES ('o''\"x','1','2');",
	    "o'\"x", "found", "1|2" },
	{ "a value with a line end is no good",
	    SCHEMA "INSERT INTO t VALUES ('a','1'||char(13,10)||'2','3');", "a", "down",
	    "table sqlite:t: the entry is no good: a value with control characters" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row_cases); i++) {
		struct table_fixture f;

		open_sqlite(&f, NAMED QUERY, row_cases[i].sql);
		if (strcmp(table_fixture_ask(&f, row_cases[i].key), row_cases[i].result) != 0 ||
		    strcmp(f.told, row_cases[i].told) != 0)
			fail_msg("%s: %s", row_cases[i].name, f.told);
		table_fixture_close(&f);
	}
}

struct query_case {
	const char *query, *told;
};

static const struct query_case query_cases[] = {
	{ "query = \"DELETE FROM t WHERE k = ?\";", "query is not one SELECT" },
	{ "query = \"SELECT v FROM t WHERE k = ?; SELECT 1\";", "query is not one SELECT" },
	{ "query = \"-- nothing\";", "query is not one SELECT" },
	{ "query = \"SELECT v FROM t\";", "query has not one ? for the key" },
	{ "query = \"SELECT v FROM t WHERE k = ? OR v = ?\";",
	    "query has not one ? for the key" },
	{ "query = \"SELECT v FROM u WHERE k = ?\";", "no such table: u" },
	{ "query = \"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
	  "SELECT count(*) FROM r WHERE n = ?\";",
	    "the query took too long" },
	{ "query = \"SELECT zeroblob(2000000) WHERE ? = ''\";", "absent" },
	{ "query = \"SELECT zeroblob(2000000) WHERE ? <> ''\";", "a value of over 1 MiB" },
};

static void
test_queries_that_are_no_good_are_a_table_that_is_down(void **state)
{
	const struct log_config silent = { .level = LEVEL_ERROR + 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(query_cases); i++) {
		struct table_fixture f;
		char settings[300];
		const char *result;

		snprintf(settings, sizeof(settings), "%s%s", NAMED, query_cases[i].query);
		open_sqlite(&f, settings, SCHEMA);
		log_configure(&silent);
		result = table_fixture_ask(&f, "a");
		if (strstr(f.told, query_cases[i].told) == NULL &&
		    strcmp(result, query_cases[i].told) != 0)
			fail_msg("%s: %s %s", query_cases[i].query, result, f.told);
		table_fixture_close(&f);
	}
}

static void
test_an_answer_is_remembered_for_its_life(void **state)
{
	struct table_fixture f;

	(void)state;
	clock_fake_set(10000, 1795553870);
	open_sqlite(&f, NAMED QUERY "cache = \"60s\"; cache_absent = \"10s\";",
	    SCHEMA "INSERT INTO t VALUES ('a','1','1');");
	assert_string_equal(table_fixture_ask(&f, "a"), "found");
	assert_string_equal(table_fixture_ask(&f, "b"), "absent");
	run_sql(&f, "DELETE FROM t; INSERT INTO t VALUES ('b','2','2');");
	assert_string_equal(table_fixture_ask(&f, "a"), "found");
	assert_string_equal(table_fixture_ask(&f, "b"), "absent");
	clock_fake_set(20000, 1795553870);
	assert_string_equal(table_fixture_ask(&f, "b"), "found");
	assert_string_equal(table_fixture_ask(&f, "a"), "found");
	clock_fake_set(70000, 1795553870);
	assert_string_equal(table_fixture_ask(&f, "a"), "absent");
	table_fixture_close(&f);
	clock_fake_set(-1, -1);
}

static void
test_another_file_in_its_place_is_used(void **state)
{
	struct table_fixture f;

	(void)state;
	open_sqlite(&f, NAMED QUERY "cache_entries = 0;",
	    SCHEMA "INSERT INTO t VALUES ('a','old','');");
	assert_string_equal(table_fixture_ask(&f, "a"), "found");
	assert_int_equal(unlink(f.file), 0);
	run_sql(&f, SCHEMA "INSERT INTO t VALUES ('a','new','');");
	assert_string_equal(table_fixture_ask(&f, "a"), "found");
	assert_string_equal(f.told, "new|");
	table_fixture_close(&f);
}

static void
test_a_lock_is_waited_for_and_then_it_is_down(void **state)
{
	const struct log_config silent = { .level = LEVEL_ERROR + 1 };
	struct table_fixture f;
	sqlite3 *db = NULL;

	(void)state;
	open_sqlite(&f, NAMED QUERY "cache_entries = 0;", SCHEMA);
	log_configure(&silent);
	assert_int_equal(sqlite3_open(f.file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_string_equal(table_fixture_ask(&f, "a"), "down");
	assert_non_null(strstr(f.told, "somebody holds a lock on it"));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	table_fixture_close(&f);
}

/* ---- down ---- */

static void
test_a_table_that_is_down_is_tried_once_a_second(void **state)
{
	const struct log_config silent = { .level = LEVEL_ERROR + 1 };
	struct table_fixture f;
	int64_t now = 10000;

	(void)state;
	clock_fake_set(now, 1795553870);
	open_sqlite(
	    &f, NAMED QUERY "cache_entries = 0;", SCHEMA "INSERT INTO t VALUES ('a','1','');");
	log_configure(&silent);
	assert_int_equal(unlink(f.file), 0);
	assert_string_equal(table_fixture_ask(&f, "a"), "down");
	assert_non_null(strstr(f.told, "table sqlite:t: there is no "));
	run_sql(&f, SCHEMA "INSERT INTO t VALUES ('a','2','');");
	clock_fake_set(now += 999, 1795553870);
	assert_string_equal(table_fixture_ask(&f, "a"), "down");
	assert_non_null(strstr(f.told, "table sqlite:t: there is no "));
	clock_fake_set(now += 1, 1795553870);
	assert_string_equal(table_fixture_ask(&f, "a"), "found");
	assert_string_equal(f.told, "2|");
	table_fixture_close(&f);
	clock_fake_set(-1, -1);
}

/* ask_locked - while somebody has a lock on the database, with that much time. */
static void
ask_locked(struct table_fixture *f, int64_t limit_ms)
{
	struct table_values values;
	struct err err = { .kind = ERR_NONE };
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(table_lookup(f->table, VIEW("a"), clock_mono_ms() + limit_ms,
			     &f->arena, &values, &err),
	    TABLE_DOWN);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
test_only_a_caller_with_time_enough_makes_it_down(void **state)
{
	const struct log_config silent = { .level = LEVEL_ERROR + 1 };
	struct table_fixture f;

	(void)state;
	open_sqlite(
	    &f, SQLITE "file = \"@\"; timeout = \"30s\"; cache_entries = 0; " QUERY, SCHEMA);
	log_configure(&silent);
	ask_locked(&f, 20);
	assert_string_equal(table_fixture_ask(&f, "a"), "absent");
	ask_locked(&f, 1100);
	assert_string_equal(table_fixture_ask(&f, "a"), "down");
	table_fixture_close(&f);
}

static void
test_keys_that_no_table_has_are_not_asked_for(void **state)
{
	static char longest[TABLE_KEY_MAX + 2];
	struct table_fixture f;
	struct table_values values;

	(void)state;
	open_sqlite(&f, SQLITE "file = \"@\"; query = \"SELECT length(?)\";", SCHEMA);
	memset(longest, 'x', TABLE_KEY_MAX);
	assert_string_equal(table_fixture_ask(&f, longest), "found");
	assert_string_equal(f.told, "1024");
	longest[TABLE_KEY_MAX] = 'x';
	assert_string_equal(table_fixture_ask(&f, longest), "absent");
	assert_string_equal(table_fixture_ask(&f, ""), "absent");
	assert_int_equal(
	    table_lookup(f.table, view_make("a\0b", 3), CLOCK_NEVER, &f.arena, &values, NULL),
	    TABLE_ABSENT);
	table_fixture_close(&f);
}

/* ---- patterns ---- */

static void
test_a_key_in_a_filter_is_escaped(void **state)
{
	struct arena arena;
	struct view out;

	(void)state;
	arena_init(&arena);
	out = table_ldap_escape(&arena, VIEW("*)(uid=*\\ \x01\xc3\x7f"));
	assert_true(view_eq(out, VIEW("\\2a\\29\\28uid=\\2a\\5c\\20\\01\\c3\\7f")));
	assert_true(view_eq(
	    table_ldap_escape(&arena, VIEW("a.b@example.com")), VIEW("a.b@example.com")));
	assert_true(
	    view_eq(table_pattern_fill(&arena, "%s:100%%:%s", VIEW("%s")), VIEW("%s:100%:%s")));
	arena_finish(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_that_make_no_table_are_refused),
		cmocka_unit_test(test_settings_that_make_a_table_connect_to_nobody),
		cmocka_unit_test(test_names_of_no_table_are_errors),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_queries_that_are_no_good_are_a_table_that_is_down),
		cmocka_unit_test(test_an_answer_is_remembered_for_its_life),
		cmocka_unit_test(test_another_file_in_its_place_is_used),
		cmocka_unit_test(test_a_lock_is_waited_for_and_then_it_is_down),
		cmocka_unit_test(test_a_table_that_is_down_is_tried_once_a_second),
		cmocka_unit_test(test_only_a_caller_with_time_enough_makes_it_down),
		cmocka_unit_test(test_keys_that_no_table_has_are_not_asked_for),
		cmocka_unit_test(test_a_key_in_a_filter_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
