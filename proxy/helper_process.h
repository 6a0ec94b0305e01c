/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What keepers and judges have in common: they are started by the parent of the gate with a
 * list (key_list.h) and connections, become a user of their own, give up all else, and serve, a
 * thread for each connection, until the gate closes one of them.
 */
#ifndef GATEPOST_PROXY_HELPER_PROCESS_H
#define GATEPOST_PROXY_HELPER_PROCESS_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <sys/types.h>

struct helper_process {
	size_t count;	  /* connections, from CHILD_LINKS_FD on */
	struct buf list;  /* as the parent gave it */
	const char *name; /* of the account to become; NULL: whoever we are */
	uid_t user, own;  /* of the gate; to become */
	gid_t group;
};

/*
 * helper_process_begin - argv as the parent made it. account: whom root becomes; NULL or, if
 * is_optional, no such account: the user of the gate.
 */
MUST_CHECK bool helper_process_begin(
    struct helper_process *p, int argc, char **argv, struct err *err);
MUST_CHECK bool helper_process_find_account(
    struct helper_process *p, const char *account, bool is_optional, struct err *err);

/*
 * helper_process_serve - give up root and every right, and serve: comes back for an error only.
 * When serve has come back for one connection, the process ends.
 */
MUST_CHECK bool helper_process_serve(struct helper_process *p,
    void (*serve)(const void *context, int fd), const void *context, struct err *err);

#endif
