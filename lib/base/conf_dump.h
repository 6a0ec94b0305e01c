/* SPDX-License-Identifier: MPL-2.0 */
/* A loaded configuration written out again, defaults included: what is in force, as one could
 * write it. */
#ifndef GATEPOST_BASE_CONF_DUMP_H
#define GATEPOST_BASE_CONF_DUMP_H

#include "lib/base/buf.h"
#include "lib/base/conf.h"

/*
 * conf_dump - the settings of values (the struct of table). What has no value is left out; a
 * secret is shown as a comment that it is set. Read again by conf_load it gives the same values
 * but for secrets. False: out's cap.
 */
MUST_CHECK bool conf_dump(const struct conf_table *table, const void *values, struct buf *out);

/* conf_dump_extra - the same as a group of the table's name, or as the list of them. */
MUST_CHECK bool conf_dump_extra(const struct conf_extra *extra, struct buf *out);

#endif
