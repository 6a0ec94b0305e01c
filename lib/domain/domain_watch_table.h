/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Of the watch: its domains, sorted by name, each with its newest report. Not locked: whoever
 * has the table guards it; only references of reports may be dropped anywhere.
 */
#ifndef GATEPOST_DOMAIN_DOMAIN_WATCH_TABLE_H
#define GATEPOST_DOMAIN_DOMAIN_WATCH_TABLE_H

#include "lib/domain/domain_watch.h"

#include <stdatomic.h>

struct counted_report {
	struct domain_report report; /* first: what callers see */
	struct arena arena;
	atomic_uint references;
	bool is_moving; /* a new key is on its way: look again soon */
};

struct watched {
	char *name; /* owned */
	bool is_guest;
	bool was_looked_at; /* by this watch */
	int64_t used_ms;    /* guests: when it was last asked for */
	int64_t due_ms;
	struct counted_report *report; /* owned reference; NULL: a guest not looked at yet */
};

struct watch_table {
	struct watched **domains; /* owned */
	size_t count, room, guests;
};

/* Both accept NULL. counted_report_hold - one more reference, of a report that is held. */
struct counted_report *counted_report_hold(struct counted_report *r);
void counted_report_release(struct counted_report *r);

/* watch_table_find - NULL: not there. watch_table_insert - the one that is there, or a new one,
 * due at once. */
struct watched *watch_table_find(const struct watch_table *t, const char *name);
struct watched *watch_table_insert(struct watch_table *t, const char *name, bool is_guest);
void watch_table_remove_at(struct watch_table *t, size_t place);
/* watch_table_make_room - for a guest: the one not asked for the longest time has to go. */
void watch_table_make_room(struct watch_table *t);
void watch_table_finish(struct watch_table *t);

#endif
