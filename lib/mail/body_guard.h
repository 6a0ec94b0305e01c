/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a disk that cannot be read does to a mapped file: the kernel sends SIGBUS to whoever
 * touches the page, which would end the process with all its sessions. Within a guarded mapping
 * the pages that are lost become zeros instead, and the guard remembers. So whoever makes
 * something of the octets asks for that before it counts (message_is_intact).
 */
#ifndef GATEPOST_MAIL_BODY_GUARD_H
#define GATEPOST_MAIL_BODY_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct body_guard {
	struct body_guard *prev, *next; /* in the list of all */
	char *base;
	size_t len;
	atomic_bool has_lost;
};

/* body_guard_install - for the process; done with the first guard too. Elsewhere SIGBUS stays
 * what it is. */
void body_guard_install(void);

/* body_guard_add, _remove - a mapping from base (on a page) on; removed before it is unmapped.
 */
void body_guard_add(struct body_guard *g, void *base, size_t len);
void body_guard_remove(struct body_guard *g);

#endif
