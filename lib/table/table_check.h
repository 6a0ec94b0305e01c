/* SPDX-License-Identifier: MPL-2.0 */
/* Checks of a table's settings that several kinds share. Each adds an error, or does not. */
#ifndef GATEPOST_TABLE_TABLE_CHECK_H
#define GATEPOST_TABLE_TABLE_CHECK_H

#include "lib/table/table_set.h"

/* table_check_keys - the strings that this type has not are not set, and those it needs are. */
void table_check_keys(const struct table_config *config, struct conf_errors *errors);

/* table_check_pattern - what stands for the key: one %s or more, and no other % but %%. */
void table_check_pattern(const struct table_config *config, const char *path,
    const char *pattern, struct conf_errors *errors);

/* table_check_secure - TLS, unless host is this machine (NULL: a unix socket). */
void table_check_secure(const struct table_config *config, const char *host, bool has_tls,
    struct conf_errors *errors);

/* table_pattern_fill - the pattern with key for each %s, in the arena. */
MUST_CHECK struct view table_pattern_fill(
    struct arena *arena, const char *pattern, struct view key);

#endif
