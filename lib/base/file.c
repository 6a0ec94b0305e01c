/* SPDX-License-Identifier: MPL-2.0 */
/* Reading and writing whole, and syncing folders; see file.h. */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_OCTETS 65536 /* at a time */

bool
file_read_fd(int fd, struct buf *out, struct err *err)
{
	for (;;) {
		/* One octet more than fits is over the cap. */
		const size_t left = out->cap - out->len;
		const size_t want = left < READ_OCTETS ? left : READ_OCTETS;
		char beyond = 0, *room = want > 0 ? buf_reserve(out, want) : &beyond;
		const ssize_t got = read(fd, room, want > 0 ? want : 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(err, errno, "cannot be read");
		if (got == 0)
			return true;
		if (want == 0)
			return err_set(err, ERR_LIMIT, "is over %zu octets", out->cap);
		buf_commit(out, (size_t)got);
	}
}

bool
file_read(const char *path, struct buf *out, struct err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool ok;

	if (fd < 0)
		return err_set_errno(err, errno, "cannot be opened");
	ok = file_read_fd(fd, out, err);
	(void)close(fd);
	return ok;
}

bool
file_read_regular(const char *path, struct buf *out, struct stat *stat_out, struct err *err)
{
	/* O_NONBLOCK: a FIFO in its place. */
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool ok;

	*stat_out = (struct stat){ 0 };
	if (fd < 0)
		return err_set_errno(err, errno, "cannot be opened");
	if (fstat(fd, stat_out) != 0)
		ok = err_set_errno(err, errno, "stat");
	else if (!S_ISREG(stat_out->st_mode))
		ok = err_set(err, ERR_CONFIG, "is not a regular file");
	else
		ok = file_read_fd(fd, out, err);
	(void)close(fd);
	return ok;
}

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
