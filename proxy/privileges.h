/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From root to the configured user, for good. Done after the sockets are bound and the keys
 * read, before the first octet of a client is.
 */
#ifndef GATEPOST_PROXY_PRIVILEGES_H
#define GATEPOST_PROXY_PRIVILEGES_H

#include "lib/base/err.h"

#include <sys/types.h>

/*
 * privileges_find - who to be: user (and group, NULL: the user's own). When the process is not
 * root it stays who it is, whatever user says. Errors: root without a user, the user is root,
 * unknown names.
 */
MUST_CHECK bool privileges_find(
    const char *user, const char *group, uid_t *uid_out, gid_t *gid_out, struct err *err);

/* privileges_become - uid and gid, for good. Verified. Nothing to do when not root. */
MUST_CHECK bool privileges_become(const char *user, uid_t uid, gid_t gid, struct err *err);

/*
 * privileges_drop - likewise, and never more again (no_new_privs), without core dumps: for
 * commands that do their work and end. Who serves gives up more: confine.h.
 */
MUST_CHECK bool privileges_drop(const char *user, uid_t uid, gid_t gid, struct err *err);

#endif
