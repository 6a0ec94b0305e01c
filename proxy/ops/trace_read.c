/* SPDX-License-Identifier: MPL-2.0 */
/* Reading the trace backwards, a block at a time; see trace_read.h. */
#include "proxy/ops/trace_read.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536

/* same_file - a rotation between two opens gives one file twice. */
static bool
same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static void
add_file(struct trace_reader *r, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (r->count > 0 && same_file(r->fds[r->count - 1], fd)))
		(void)close(fd);
	else
		r->fds[r->count++] = fd;
}

bool
trace_reader_open(struct trace_reader *r, const char *folder, struct err *err)
{
	const int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int errnum = ENOENT;

	*r = (struct trace_reader){ .count = 0 };
	if (at < 0)
		return err_set_errno(err, errno, "%s", folder);
	for (unsigned i = 0; i < TRACE_FILES_MAX; i++) {
		char name[32];

		trace_file_name(i, name);
		const int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
		if (fd >= 0)
			add_file(r, fd);
		else if (errno != ENOENT)
			errnum = errno;
	}
	(void)close(at);
	return r->count > 0 || err_set_errno(err, errnum, "%s", folder);
}

void
trace_reader_close(struct trace_reader *r)
{
	for (size_t i = 0; i < r->count; i++)
		(void)close(r->fds[i]);
	mem_free(r->text);
	*r = (struct trace_reader){ .count = 0 };
}

/* ---- the text at hand ---- */

/* fill - the block before it is put in front of it; false: it cannot be read, or is all. */
static bool
fill(struct trace_reader *r)
{
	const size_t want = r->left < BLOCK ? (size_t)r->left : BLOCK;
	const off_t from = r->left - (off_t)want;
	size_t have = 0;

	if (want == 0)
		return false;
	if (r->len + want > r->room) {
		r->room = 2 * r->room + BLOCK;
		r->text = mem_realloc(r->text, r->room);
	}
	memmove(r->text + want, r->text, r->len);
	while (have < want) {
		const ssize_t got =
		    pread(r->fds[r->at], r->text + have, want - have, from + (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	r->len += want;
	r->left = from;
	return true;
}

/* begin_file - down to its last LF; false: it has none. */
static bool
begin_file(struct trace_reader *r)
{
	struct stat st;
	bool is_cut = false;

	r->is_begun = true;
	r->in_junk = false;
	r->len = 0;
	r->left = fstat(r->fds[r->at], &st) == 0 ? st.st_size : 0;
	while (fill(r)) {
		const char *end = memrchr(r->text, '\n', r->len);

		if (end != NULL) {
			is_cut = is_cut || end + 1 < r->text + r->len;
			r->cut_off += is_cut ? 1 : 0;
			r->len = (size_t)(end + 1 - r->text);
			return true;
		}
		is_cut = true;
		if (r->len >= TRACE_LINE_MAX)
			r->len = 0;
	}
	r->cut_off += is_cut ? 1 : 0;
	return false;
}

/*
 * take_line - the last one of the text, which ends in LF, or in what is left out of a longer
 * one; false: the file has no more. *line_out may be empty, or left out.
 */
static bool
take_line(struct trace_reader *r, struct view *line_out)
{
	for (;;) {
		const size_t end = r->len > 0 && !r->in_junk ? r->len - 1 : r->len;
		const char *before = memrchr(r->text, '\n', end);
		const size_t from = before != NULL ? (size_t)(before + 1 - r->text) : 0;

		if (before == NULL && r->len > TRACE_LINE_MAX) {
			r->too_long += r->in_junk ? 0 : 1;
			r->in_junk = true;
			r->len = 0;
		}
		if (before == NULL && fill(r))
			continue;
		if (before == NULL && r->len == 0)
			return false;
		*line_out = r->in_junk ? VIEW("") : view_make(r->text + from, end - from);
		r->in_junk = false;
		r->len = from;
		return true;
	}
}

bool
trace_reader_next(struct trace_reader *r, struct view *line_out)
{
	while (r->at < r->count) {
		if (r->is_begun || begin_file(r)) {
			if (take_line(r, line_out)) {
				if (line_out->len > 0)
					return true;
				continue;
			}
		}
		r->is_begun = false;
		r->at++;
	}
	return false;
}
