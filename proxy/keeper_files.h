/* SPDX-License-Identifier: MPL-2.0 */
/* Which files the keeper reads its keys from: those of a list, and those that rotation made. */
#ifndef GATEPOST_PROXY_KEEPER_FILES_H
#define GATEPOST_PROXY_KEEPER_FILES_H

#include "lib/domain/dkim_keeper.h"

/*
 * keeper_files_read - add every key of a list (key_list.h), and those in STATE_DIR/dkim/DOMAIN.
 * Those of the list may be root's, user's, or keeper's; those in STATE_DIR, where user can make
 * links, user's or keeper's, and have no other name. What cannot be used is kept with the
 * reason.
 */
void keeper_files_read(struct view list, uid_t user, uid_t keeper, struct keeper_keys *keys);

#endif
