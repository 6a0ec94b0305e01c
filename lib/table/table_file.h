/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A table in a file: a line an entry, a key and its values, separated by blanks.
 *
 *	# a comment
 *	192.0.2.0/24	deny "no mail from here"
 *	example.com
 *
 * What stands in double quotes is one word, blanks and all; \" and \\ stand for " and \ there.
 * Keys compare without regard to the case of ASCII letters, and none may be there twice. A # is
 * a comment only where a line begins. A line has up to 16384 octets, the file 64 MiB.
 *
 * The file is looked at once a second at most, when it is asked, and read again when it has
 * changed (table.read). A new one that is broken is logged (table.bad) and the old one stays.
 */
#ifndef GATEPOST_TABLE_TABLE_FILE_H
#define GATEPOST_TABLE_TABLE_FILE_H

#include "lib/table/table_private.h"

#define TABLE_FILE_MAX	  (64 * 1024 * 1024)
#define TABLE_LINE_MAX	  16384
#define TABLE_ERRORS_KEPT 20 /* further errors of a file are not told */

/* ---- the text: pure, fuzzed ---- */

struct table_text; /* immutable */

struct table_entry {
	struct view key;
	const struct view *values;
	size_t count;
};

/* table_text_parse - NULL when an error was added ("file:line: ..."). file is for errors. */
MUST_CHECK struct table_text *table_text_parse(
    const char *file, struct view text, struct conf_errors *errors);
void table_text_destroy(struct table_text **t);
size_t table_text_count(const struct table_text *t);
const struct table_entry *table_text_get(const struct table_text *t, size_t index);
const struct table_entry *table_text_find(const struct table_text *t, struct view key);

/* ---- the file ---- */

struct table_file;

/* table_file_create - reads it; NULL when an error was added. One that others may write to is
 * refused. */
MUST_CHECK struct table_file *table_file_create(const char *path, struct conf_errors *errors);
void table_file_destroy(struct table_file **f);

/* table_file_ask - TABLE_FOUND or TABLE_ABSENT: there is always a version to look into. */
enum table_result table_file_ask(
    struct table_file *f, struct view key, struct table_answer *answer);

#endif
