/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A users file, parsed: an immutable table with a reference count, so that whoever checks a
 * password keeps his while a new one takes its place. Pure but for the memory. Fuzzed.
 *
 *	# a comment; blank lines are fine too
 *	alice@example.com:$y$j9T$...:
 *	bob:$y$j9T$...:bob@example.com, sales@example.com *@lists.example.com
 *	carol@example.com:!:
 *
 * The third field holds patterns (lib/mail/sender_pattern.h) between commas or blanks; empty,
 *it means the login itself, which has to be an address then. A hash that begins with "!" or "*"
 * is locked. The form without a hash, login:patterns, goes with backends that know the
 *passwords themselves. Logins are compared without regard to ASCII case, like addresses.
 */
#ifndef GATEPOST_PROXY_AUTH_USERS_TABLE_H
#define GATEPOST_PROXY_AUTH_USERS_TABLE_H

#include "lib/base/conf.h"
#include "lib/mail/facts.h"

#define USERS_FILE_MAX	   (64 * 1024 * 1024) /* octets */
#define USERS_LINE_MAX	   16384	      /* octets */
#define USERS_LOGIN_MAX	   320		      /* octets */
#define USERS_PATTERNS_MAX 1000		      /* of one login */
#define USERS_ERRORS_MAX   20		      /* reported of one file */

enum users_form { USERS_WITH_HASH, USERS_PATTERNS_ONLY };

struct user {
	const char *login; /* as it is written in the file */
	const char *hash;  /* "" in the form without one */
	const char *const *patterns;
	size_t pattern_count; /* at least 1 */
};

struct users_table;

/*
 * users_table_parse - file is a name for the errors. NULL when an error was added. The table
 * has one reference, the caller's.
 */
MUST_CHECK struct users_table *users_table_parse(
    const char *file, struct view text, enum users_form form, struct conf_errors *errors);

struct users_table *users_table_ref(struct users_table *t); /* one more reference */
void users_table_unref(struct users_table **t);		    /* NULL inside is fine */

/* users_table_find - NULL: there is none. Lives as long as the table. */
const struct user *users_table_find(const struct users_table *t, struct view login);

size_t users_table_count(const struct users_table *t);
const struct user *users_table_get(const struct users_table *t, size_t i); /* in file order */

/*
 * users_table_dummy - a hash of the method and cost that most logins of the table have:
 * computed for nothing when a login is unknown, so that the answer takes as long.
 */
const char *users_table_dummy(const struct users_table *t);

/* users_identify - a copy of login and patterns in the arena; the mechanism is the caller's. */
void users_identify(const struct user *u, struct arena *arena, struct identity *identity);

/* One line of a users file, for the parser and for whoever edits. */
struct users_line {
	bool is_entry;		 /* false: blank, or a comment */
	struct view login, rest; /* rest: what stands behind the first colon */
	bool has_rest;
};

struct users_line users_line_parse(struct view line);

/* users_login_is_valid - may stand in a users file: no colon, no control character, no blank at
 * either end, no "#" at the head, USERS_LOGIN_MAX octets. */
bool users_login_is_valid(struct view login);

/* users_login_is_address - may stand for itself as a pattern: never a wildcard. */
bool users_login_is_address(struct view login);

#endif
