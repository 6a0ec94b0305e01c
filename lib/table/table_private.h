/* SPDX-License-Identifier: MPL-2.0 */
/* What the files of this folder share: the kinds of tables, and the answer that they fill. */
#ifndef GATEPOST_TABLE_TABLE_PRIVATE_H
#define GATEPOST_TABLE_TABLE_PRIVATE_H

#include "lib/base/secret.h"
#include "lib/table/table_set.h"

/* The values of one key while they are gathered; all in the arena. */
struct table_answer {
	struct arena *arena;
	struct view *values;
	size_t count, room;
	size_t octets;
	bool is_bad; /* see ask */
};

/*
 * table_answer_add - copies; false, and bad: too long, too many, control characters.
 * table_answer_spoil - the entry is bad for a reason of the table's own; always false.
 * table_answer_reset - as it was at the beginning.
 * table_value_is_clean - without control characters but HT.
 */
MUST_CHECK bool table_answer_add(
    struct table_answer *answer, struct view value, struct err *err);
bool table_answer_spoil(struct table_answer *answer, struct err *err, const char *text);
void table_answer_reset(struct table_answer *answer);
bool table_value_is_clean(struct view value);

/*
 * A table behind a connection (to a server, or to a database file). A connection is used by one
 * thread at a time. ask and open end by deadline_ms.
 */
struct table_kind {
	const char *name; /* "ldap" */
	bool is_cached;
	/* check - what no single row can; false: errors were added. */
	bool (*check)(const struct table_config *config, struct conf_errors *errors);
	void *(*open)(const struct table_config *config, const struct secret *password,
	    int64_t deadline_ms, struct err *err);
	void (*close)(void *connection);
	/* is_usable - may an idle one be used once more? NULL: always. */
	bool (*is_usable)(void *connection);
	/*
	 * ask - TABLE_DOWN and answer->is_bad: the entry of this key is no good, though the
	 * table and the connection are; without it, they are not.
	 */
	enum table_result (*ask)(void *connection, struct view key, int64_t deadline_ms,
	    struct table_answer *answer, struct err *err);
};

extern const struct table_kind table_kind_sqlite, table_kind_ldap, table_kind_redis;

#endif
