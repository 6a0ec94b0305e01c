/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Starting the processes of the gate: fork, put descriptors where the child looks for them,
 * and the same binary anew, so that each has an address space of its own. The parent's thread.
 */
#ifndef GATEPOST_PROXY_SUPERVISOR_CHILD_H
#define GATEPOST_PROXY_SUPERVISOR_CHILD_H

#include "lib/base/buf.h"
#include "lib/domain/dkim_keeper_client.h"

#include <signal.h>

#define CHILD_LIST_FD  3 /* helper: the list (key_list.h) */
#define CHILD_LINKS_FD 4 /* helper: and from here on its connections */

/* child_start_gate - *socket_out: the parent's end of what is HELPERS_FD there. -1: *err. */
MUST_CHECK pid_t child_start_gate(
    const char *file, const sigset_t *signals, int *socket_out, struct err *err);

struct child_kind {
	const char *name; /* and sub-command: "keeper", "judge" */
	int socket_type;
	size_t links; /* 0: one for each core */
};

/* child_start_helper - the connections' other ends. False: *err. */
MUST_CHECK bool child_start_helper(const struct child_kind *kind, struct view list,
    const sigset_t *signals, struct helper_links *out, struct err *err);

/* child_ignore_signal - in this process, and in what it starts. */
void child_ignore_signal(int number);

/* child_scan_keys - merge what the configuration says into list, read by a child. */
void child_scan_keys(const char *file, struct buf *list);

#endif
