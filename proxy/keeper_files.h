/* SPDX-License-Identifier: MPL-2.0 */
/* Which files the keeper reads its keys from: those of a list, and those that rotation made. */
#ifndef GATEPOST_PROXY_KEEPER_FILES_H
#define GATEPOST_PROXY_KEEPER_FILES_H

#include "lib/domain/dkim_keeper.h"

/*
 * keeper_files_read - add every key of a list (key_list.h), and those in STATE_DIR/dkim/DOMAIN.
 * Those of the list may be root's, user's, or keeper's; those in STATE_DIR, where user can make
 * links, user's or keeper's, and have no other name; root gives those of user's to keeper, so
 * that user cannot read them any more. What cannot be used is kept with the reason.
 */
void keeper_files_read(struct view list, uid_t user, uid_t keeper, struct keeper_keys *keys);

/* keeper_files_read_made - one of those in STATE_DIR, by who may read both users' files (root).
 */
MUST_CHECK struct dkim_key *keeper_files_read_made(
    const char *path, uid_t keeper, char warning_out[160], struct err *err);

#endif
