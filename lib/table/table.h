/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables: where links look things up. A table has a name that says where it is:
 *
 *	file:/etc/gatepost/access	a file of "key value..." lines, in memory (table_file.h)
 *	sqlite:NAME, ldap:NAME, redis:NAME	one of the configuration's list "tables"
 *
 * A look-up blocks, until its deadline at most. A table that failed is down: it says so at once
 * to everybody, and one caller a second tries it again. The change from one state to the other
 * is logged, once (table.down, table.up). Any thread.
 */
#ifndef GATEPOST_TABLE_TABLE_H
#define GATEPOST_TABLE_TABLE_H

#include "lib/base/arena.h"
#include "lib/base/conf.h"
#include "lib/base/err.h"

#define TABLE_KEY_MAX	 1024  /* octets; no table has an entry of a longer key */
#define TABLE_VALUE_MAX	 4096  /* octets of one value */
#define TABLE_VALUES_MAX 1000  /* of one key */
#define TABLE_ANSWER_MAX 65536 /* octets of all values of one key */

struct table;
struct table_set;

enum table_result {
	TABLE_FOUND,  /* the key is there; it may be there without any value */
	TABLE_ABSENT, /* it is not */
	TABLE_DOWN,   /* nobody knows: err says why */
};

struct table_values {
	const struct view *items;
	size_t count;
};

/*
 * table_find - the table of that name, made if it is of a file that nobody asked for before. In
 * a link's setup. NULL: an error was added, for the setting path ("access.table") at where: the
 * name has no known form, no such table is configured, the file cannot be read, or set is NULL.
 * Borrowed from the set. That a server or a database is down is no error here.
 */
MUST_CHECK struct table *table_find(struct table_set *set, const char *name,
    struct conf_where where, const char *path, struct conf_errors *errors);

/*
 * table_lookup - the values of a key, in the arena (NUL-terminated too); there may be none.
 * Values have no control characters but HT. Whether case counts is the table's affair: a file
 * compares ASCII without it, redis with it, so hand in keys in lower case. An empty key, a
 * longer one than TABLE_KEY_MAX, and one with a NUL are absent. With TABLE_DOWN, err says
 * which table it is.
 */
MUST_CHECK enum table_result table_lookup(struct table *table, struct view key,
    int64_t deadline_ms, struct arena *arena, struct table_values *values_out, struct err *err);

const char *table_name(const struct table *table); /* "ldap:people" */

#endif
