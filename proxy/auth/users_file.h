/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A users file on disk and the table that it holds now. Looked at at most once a second, read
 * again when it is another file, or its size or times have changed; a new one that is broken is
 * logged (auth.users_bad) and the old table stays. Any thread.
 */
#ifndef GATEPOST_PROXY_AUTH_USERS_FILE_H
#define GATEPOST_PROXY_AUTH_USERS_FILE_H

#include "lib/base/view.h"
#include "proxy/auth/users_table.h"

struct users_file;

/*
 * users_file_create - reads the file; NULL when an error was added. on_change is called without
 * a lock after a new table has taken the old one's place. Files with hashes that others may
 * read, and any that others may write, are refused.
 */
MUST_CHECK struct users_file *users_file_create(const char *path, enum users_form form,
    void (*on_change)(void), struct conf_errors *errors);
void users_file_destroy(struct users_file **f);

/* users_file_refresh - look whether it has changed, if the second is over. */
void users_file_refresh(struct users_file *f);

/* users_file_take - the table of now, with a reference for the caller: users_table_unref it. */
MUST_CHECK struct users_table *users_file_take(struct users_file *f);

#endif
