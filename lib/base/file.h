/* SPDX-License-Identifier: MPL-2.0 */
/* Files read whole; and writing that lasts: whole, and on the disk. */
#ifndef GATEPOST_BASE_FILE_H
#define GATEPOST_BASE_FILE_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

/*
 * file_read - the whole of a file, or of an open descriptor, behind what out has. Errors:
 * ERR_IO; ERR_LIMIT out's cap.
 */
MUST_CHECK bool file_read(const char *path, struct buf *out, struct err *err);
MUST_CHECK bool file_read_fd(int fd, struct buf *out, struct err *err);

/*
 * file_read_regular - the whole of a regular file, of which *stat_out is told (zeroed if it
 * cannot be opened). Errors: also ERR_CONFIG it is something else; a FIFO does not hang us.
 */
struct stat;
MUST_CHECK bool file_read_regular(
    const char *path, struct buf *out, struct stat *stat_out, struct err *err);

/* file_write_all - all of it, whatever interrupts; false: errno says why. Not synced. */
MUST_CHECK bool file_write_all(int fd, struct view text);

/*
 * file_sync_folder - what was renamed within stays so. path is relative to the open folder at
 * (AT_FDCWD: the current one). False: errno.
 */
MUST_CHECK bool file_sync_folder(int at, const char *path);

#endif
