/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Configuration by tables: one row a key (type, name, default, range, one sentence). The rows
 * give parsing into a struct, errors with file:line and "did you mean", the reference manual,
 * and the check that proxy.conf.example names every key.
 *
 * A table describes one group and the struct that it fills. Values live in the arena handed to
 * conf_load; nothing is freed singly. All errors of a file are gathered, never only the first.
 */
#ifndef GATEPOST_BASE_CONF_H
#define GATEPOST_BASE_CONF_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum conf_type {
	CONF_BOOL,     /* bool;		true, false */
	CONF_INT,      /* int64_t;	a whole number within min..max */
	CONF_SIZE,     /* int64_t;	octets: 4096, "256K", "25M", "1G" */
	CONF_DURATION, /* int64_t;	milliseconds: "250ms", "30s", "5m", "2h", "7d", 0 */
	CONF_STRING,   /* const char *	(NULL when not set and no default) */
	CONF_PATH,     /* const char *	an absolute path, or relative to the file's folder: made
			  absolute */
	CONF_ENUM,     /* int;		one of choices */
	CONF_STRINGS,  /* struct conf_strings; a list, or a single string */
	CONF_GROUP,    /* the struct of table, in place */
	CONF_LIST,     /* struct conf_list of structs of table: a list of groups */
	CONF_SECRET,   /* const char *	like a string, never shown by a dump or an error */
};

struct conf_choice {
	const char *name; /* NULL ends the list */
	int value;
};

struct conf_strings {
	const char *const *items;
	size_t count;
};

struct conf_list {
	void *items; /* array of count structs of the row's table */
	size_t count;
};

/* Where a group or a list item was written: for errors found later, by whoever uses it. */
struct conf_where {
	const char *file; /* as given to conf_load, or of the include */
	int line;	  /* 0: it was not written, its defaults apply */
};

struct conf_row {
	const char *key; /* NULL ends the rows */
	enum conf_type type;
	size_t offset; /* of the member, by offsetof */
	/*
	 * The default as one would write it ("30s", "true"; STRINGS: "one, two"); NULL: none.
	 * One that the row itself would refuse is a BUG.
	 */
	const char *fallback;
	bool required;
	int64_t min, max; /* INT, SIZE, DURATION (in ms); both 0: any value >= 0 */
	const struct conf_choice *choices;
	const struct conf_table *table;
	const char *help; /* one sentence, for the manual */
};

struct conf_table {
	const char *name; /* of the group, as in the manual */
	const char *help; /* one or two sentences */
	size_t size;	  /* of the struct */
	const struct conf_row *rows;
	/* Offset of a struct conf_where member that is filled; SIZE_MAX: none. */
	size_t where_offset;
};

/*
 * A further top-level group that a part of the program brings along (a link's settings); or
 * several of them, as a list.
 */
struct conf_extra {
	const struct conf_table *table; /* table->name is the key */
	void *target_out;		/* count structs of the table, allocated in the arena */
	size_t count;			/* 1, or how many the list has */
	bool is_list;
};

/* Gathered errors: "proxy.conf:12: listeners[1].tls: ..." each. */
struct conf_errors {
	struct arena arena;
	const char **lines;
	size_t count, room;
};

void conf_errors_init(struct conf_errors *errors);
void conf_errors_finish(struct conf_errors *errors);

/* conf_error - add "file:line: path: text"; where.line 0 gives "file: path: text". */
void conf_error(struct conf_errors *errors, struct conf_where where, const char *path,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

/*
 * conf_load - read file into *target, as root and the extras describe. Every default is
 * applied, also for groups that are not written (what is required is then not asked for).
 * Returns false when an error was added; then a member with an error holds its default, or NULL
 * or zero. Guards against libconfig's traps: an include of a folder, an unterminated comment, a
 * number that would be cut to 32 bits, duplicate keys, unknown keys (with the nearest known
 * one). Strings hold no control characters. An include is looked for beside the file that names
 * it.
 */
MUST_CHECK bool conf_load(const char *file, const struct conf_table *root, void *target,
    struct conf_extra *extras, size_t extra_count, struct arena *arena,
    struct conf_errors *errors);

/*
 * conf_table_check - could conf_load use it: keys, types, members within the struct, choices,
 * defaults that the rows themselves would take. False: *err says what is wrong. For tables that
 * others bring along (plugins); one of our own that is wrong is a BUG.
 */
MUST_CHECK bool conf_table_check(const struct conf_table *table, struct err *err);

/*
 * conf_peek_strings - the string or the strings at a path ("submission.chain", or of all
 * elements of lists, "domains[].dkim[].key") of a file, before its tables are known. Nothing,
 * where there is none, or the file is wrong: conf_load will say so.
 */
struct conf_strings conf_peek_strings(const char *file, const char *path, struct arena *arena);
/* conf_peek_paths - likewise, where the values are CONF_PATH. */
struct conf_strings conf_peek_paths(const char *file, const char *path, struct arena *arena);

/* conf_nearest - the name in names closest to word, or NULL when none is near ("did you mean").
 */
const char *conf_nearest(const char *word, const char *const *names, size_t count);

/* conf_row_describe - its type, as the manual has it: "number, 1 to 1000". False: out's cap. */
struct buf;
MUST_CHECK bool conf_row_describe(const struct conf_row *row, struct buf *out);

/* conf_print_manual - the tables as Markdown, for docs/CONFIG.md. */
MUST_CHECK bool conf_print_manual(const struct conf_table *root,
    const struct conf_table *const *extras, size_t extra_count, struct buf *out);

#endif
