/* SPDX-License-Identifier: MPL-2.0 */
/* Writing that lasts: whole, and on the disk. */
#ifndef GATEPOST_BASE_FILE_H
#define GATEPOST_BASE_FILE_H

#include "lib/base/attr.h"
#include "lib/base/view.h"

/* file_write_all - all of it, whatever interrupts; false: errno says why. Not synced. */
MUST_CHECK bool file_write_all(int fd, struct view text);

/*
 * file_sync_folder - what was renamed within stays so. path is relative to the open folder at
 * (AT_FDCWD: the current one). False: errno.
 */
MUST_CHECK bool file_sync_folder(int at, const char *path);

#endif
