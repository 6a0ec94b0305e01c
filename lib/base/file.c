/* SPDX-License-Identifier: MPL-2.0 */
/* Writing whole, and syncing folders; see file.h. */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool
file_write_all(int fd, struct view text)
{
	while (text.len > 0) {
		const ssize_t n = write(fd, text.p, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text = view_from(text, (size_t)n);
	}
	return true;
}

bool
file_sync_folder(int at, const char *path)
{
	const int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool ok = fd >= 0 && fsync(fd) == 0;
	const int error = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = error;
	return ok;
}
