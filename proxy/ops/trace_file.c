/* SPDX-License-Identifier: MPL-2.0 */
/* The files of the trace, for the one thread that writes them; see trace_file.h. */
#include "proxy/ops/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void
trace_file_init(struct trace_file *f, const char *folder)
{
	*f = (struct trace_file){ .folder = folder, .folder_fd = -1, .fd = -1 };
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void
trace_file_close(struct trace_file *f)
{
	close_fd(&f->fd);
	close_fd(&f->folder_fd);
}

void
trace_file_name(unsigned index, char out[32])
{
	if (index == 0)
		(void)snprintf(out, 32, "trace.jsonl");
	else
		(void)snprintf(out, 32, "trace.%u.jsonl", index);
}

/* ---- opening ---- */

static bool
open_folder(struct trace_file *f, struct err *err)
{
	if (mkdir(f->folder, 0700) != 0 && errno != EEXIST)
		return err_set_errno(err, errno, "cannot make the folder");
	f->folder_fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->folder_fd < 0)
		return err_set_errno(err, errno, "cannot open the folder");
	return true;
}

/* end_line - a crash may have cut off the last one. */
static bool
end_line(struct trace_file *f, struct err *err)
{
	char last;

	if (f->octets == 0)
		return true;
	if (pread(f->fd, &last, 1, f->octets - 1) != 1)
		return err_set_errno(err, errno, "cannot be read");
	if (last == '\n')
		return true;
	if (write(f->fd, "\n", 1) != 1)
		return err_set_errno(err, errno, "cannot be written");
	f->octets++;
	return true;
}

static bool
open_file(struct trace_file *f, struct err *err)
{
	struct stat st;
	char name[32];

	trace_file_name(0, name);
	/* Not waiting for a reader, should it be a pipe. */
	f->fd = openat(f->folder_fd, name,
	    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (f->fd < 0 || fstat(f->fd, &st) != 0)
		return err_set_errno(err, errno, "cannot open %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_CONFIG, "%s is no file", name);
	f->octets = st.st_size;
	return end_line(f, err);
}

/* is_there - under its name is still the file that is open. */
static bool
is_there(const struct trace_file *f)
{
	struct stat ours, named;
	char path[TRACE_FOLDER_MAX + 32], name[32];

	trace_file_name(0, name);
	(void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	return f->fd >= 0 && fstat(f->fd, &ours) == 0 && stat(path, &named) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* ready - there is a file to write to. */
static bool
ready(struct trace_file *f, struct err *err)
{
	if (is_there(f))
		return true;
	trace_file_close(f);
	if (open_folder(f, err) && open_file(f, err))
		return true;
	trace_file_close(f);
	return false;
}

/* ---- the next file ---- */

/* remove_from - files of that age and older. */
static void
remove_from(const struct trace_file *f, unsigned index)
{
	char name[32];

	for (; index < TRACE_FILES_MAX; index++) {
		trace_file_name(index, name);
		(void)unlinkat(f->folder_fd, name, 0);
	}
}

static bool
begin_next(struct trace_file *f, unsigned files, struct err *err)
{
	char from[32], to[32];

	close_fd(&f->fd);
	remove_from(f, files - 1);
	for (unsigned index = files - 1; index > 0; index--) {
		trace_file_name(index - 1, from);
		trace_file_name(index, to);
		if (renameat(f->folder_fd, from, f->folder_fd, to) != 0 && errno != ENOENT)
			return err_set_errno(err, errno, "cannot rename %s", from);
	}
	return open_file(f, err);
}

/* put - one write; what it wrote of a line that it could not write whole is taken back. */
static bool
put(struct trace_file *f, struct view line, struct err *err)
{
	const ssize_t done = write(f->fd, line.p, line.len);
	const int errnum = done < 0 ? errno : ENOSPC;

	if (done == (ssize_t)line.len) {
		f->octets += done;
		return true;
	}
	if (done > 0 && ftruncate(f->fd, f->octets) != 0)
		trace_file_close(f); /* the next one ends the line */
	return err_set_errno(err, errnum, "cannot be written");
}

bool
trace_file_append(
    struct trace_file *f, struct view line, const struct trace_limits *limits, struct err *err)
{
	if (!ready(f, err))
		return false;
	if (f->octets > 0 && f->octets + (int64_t)line.len > limits->file_octets &&
	    !begin_next(f, limits->files, err)) {
		trace_file_close(f);
		return false;
	}
	return put(f, line, err);
}
