/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The links that are built in, and their groups at the top level of the configuration: one
 * table for each link, which holds the common rows (mode, on_error, timeout) and the link's
 * own.
 */
#ifndef GATEPOST_PROXY_LINKS_H
#define GATEPOST_PROXY_LINKS_H

#include "lib/chain/chain.h"

/* All links that are built in, in the order of the manual, which is also a sensible order to
 * run. */
extern const struct link *const builtin_links[];
extern const size_t builtin_link_count;

/* link_group_table - the table of the link's group, in the arena. */
const struct conf_table *link_group_table(const struct link *link, struct arena *arena);

/* link_group_entry - a group that such a table filled, as a chain entry; borrows from group. */
struct chain_entry link_group_entry(const struct link *link, const void *group);

/* link_group_name - its `name`, or NULL; link_group_where - where it was written. */
const char *link_group_name(const void *group);
struct conf_where link_group_where(const void *group);

#endif
