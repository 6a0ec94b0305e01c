/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Between conf_load.c, which walks groups and lists, and conf_row.c, which reads the value of
 * one row. Nobody else includes this.
 */
#ifndef GATEPOST_BASE_CONF_ROW_H
#define GATEPOST_BASE_CONF_ROW_H

#include "lib/base/conf_source.h"

#include <libconfig.h>

/* One value while it is read. */
struct conf_slot {
	const struct conf_row *row;
	void *member;		 /* of the target */
	const char *path;	 /* "listeners[1].tls" */
	struct conf_where where; /* of the value */
	struct arena *arena;
	struct conf_errors *errors;
};

/* conf_row_read - a value of any type but GROUP and LIST; with an error the default stays. */
void conf_row_read(const struct conf_slot *slot, const config_setting_t *setting);

/* conf_row_set_default - of any type but GROUP and LIST. A wrong default is a BUG. */
void conf_row_set_default(const struct conf_slot *slot);

/* conf_row_try_default - the same; false for a wrong one. */
MUST_CHECK bool conf_row_try_default(const struct conf_slot *slot);

/* conf_row_mismatch - "must be WANTED, not ..." */
void conf_row_mismatch(
    const struct conf_slot *slot, const config_setting_t *setting, const char *wanted);

/* conf_absolute_path - beside the file that it was written in, or as it is. NULL: there is no
 * current folder any more. */
const char *conf_absolute_path(struct arena *arena, const char *file, const char *path);

/* conf_did_you_mean - " (did you mean "NAME"?)" in the arena, or "". */
const char *conf_did_you_mean(
    struct arena *arena, const char *word, const char *const *names, size_t count);

#endif
