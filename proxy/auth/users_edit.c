/* SPDX-License-Identifier: MPL-2.0 */
/* See users_edit.h. */
#include "proxy/auth/users_edit.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "proxy/auth/users_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* add_entry - the new line; old: the line that it replaces, or NULL. */
static bool
add_entry(const struct users_change *c, const struct users_line *old, struct buf *out)
{
	struct view login = c->login, patterns = view_of(c->patterns);

	if (old != NULL) {
		login = old->login; /* as it was written */
		if (c->patterns == NULL)
			patterns = view_from(old->rest, view_find(old->rest, ':') + 1);
	}
	return buf_add_view(out, login) && buf_add_char(out, ':') &&
	       buf_add_str(out, c->hash) && buf_add_char(out, ':') &&
	       buf_add_view(out, view_trim(patterns)) && buf_add_char(out, '\n');
}

bool
users_edit_text(
    struct view text, const struct users_change *c, struct buf *out, bool *was_there_out)
{
	*was_there_out = false;
	while (text.len > 0) {
		const size_t end = view_find(text, '\n');
		const struct view line = view_make(text.p, end);
		const struct users_line parsed = users_line_parse(line);
		const bool is_it = parsed.is_entry && view_eq_nocase(parsed.login, c->login);
		/* A login that is there twice (which no reader accepts) is there once then. */
		const bool is_first = is_it && !*was_there_out;

		text = view_from(text, end + 1);
		*was_there_out = *was_there_out || is_it;
		if (!is_it && !(buf_add_view(out, line) && buf_add_char(out, '\n')))
			return false;
		if (is_first && !c->is_delete && !add_entry(c, &parsed, out))
			return false;
	}
	return *was_there_out || c->is_delete || add_entry(c, NULL, out);
}

/* An edit under way. */
struct users_edit {
	char *path;    /* owned: links followed */
	char *folder;  /* owned */
	int folder_fd; /* locked */
	bool is_new;
	struct stat st; /* of the file as it was */
	struct stat folder_st;
	struct buf old, new;
};

static bool
edit_open(struct users_edit *e, const char *path, struct err *err)
{
	char *copy, *real = realpath(path, NULL);

	e->folder_fd = -1;
	buf_init(&e->old, USERS_FILE_MAX + 65536);
	buf_init(&e->new, USERS_FILE_MAX);
	e->path = mem_strdup(real != NULL ? real : path);
	free(real); /* the C library's */
	copy = mem_strdup(e->path);
	e->folder = mem_strdup(dirname(copy));
	mem_free(copy);
	/* The file is going to be another one, so the lock is on its folder. */
	e->folder_fd = open(e->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->folder_fd < 0 || fstat(e->folder_fd, &e->folder_st) != 0)
		return err_set_errno(err, errno, "%s", e->folder);
	while (flock(e->folder_fd, LOCK_EX) != 0) {
		if (errno != EINTR)
			return err_set_errno(err, errno, "%s: lock", e->folder);
	}
	if (file_read_regular(e->path, &e->old, &e->st, err))
		return true;
	e->is_new = err->errnum == ENOENT;
	return e->is_new;
}

static void
edit_close(struct users_edit *e)
{
	if (e->folder_fd >= 0)
		close(e->folder_fd);
	buf_finish(&e->old);
	buf_finish(&e->new);
	mem_free(e->path);
	mem_free(e->folder);
}

/* check - would the gate take it? */
static bool
check(const struct users_edit *e, struct err *err)
{
	struct conf_errors errors;
	struct users_table *table;

	conf_errors_init(&errors);
	table = users_table_parse(e->path, buf_view(&e->new), USERS_WITH_HASH, &errors);
	if (table == NULL)
		err_set(err, ERR_CONFIG, "nothing was changed, for then: %s",
		    errors.count > 0 ? errors.lines[0] : "");
	conf_errors_finish(&errors);
	if (table == NULL)
		return false;
	users_table_unref(&table);
	return true;
}

/* give_owner - owner, group and mode that the file shall have. */
static bool
give_owner(const struct users_edit *e, int fd)
{
	mode_t mode = e->is_new ? 0600 : e->st.st_mode & 07777;
	uid_t user = e->is_new ? geteuid() : e->st.st_uid;
	gid_t group = e->is_new ? getegid() : e->st.st_gid;
	struct stat now;

	if (e->is_new && user == 0) {
		mode = 0640;
		group = e->folder_st.st_gid;
	}
	if (fstat(fd, &now) != 0)
		return false;
	if ((now.st_uid != user || now.st_gid != group) && fchown(fd, user, group) != 0)
		return false;
	return fchmod(fd, mode) == 0;
}

/* replace - the file by the new text. */
static bool
replace(const struct users_edit *e, struct err *err)
{
	const size_t room = strlen(e->path) + 8;
	char *temporary = mem_alloc(room);
	bool is_done;
	int fd;

	snprintf(temporary, room, "%s.XXXXXX", e->path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		err_set_errno(err, errno, "%s: a temporary file", e->folder);
		mem_free(temporary);
		return false;
	}
	is_done = give_owner(e, fd) && file_write_all(fd, buf_view(&e->new)) && fsync(fd) == 0;
	is_done = is_done && rename(temporary, e->path) == 0;
	if (!is_done) {
		err_set_errno(err, errno, "%s", e->path);
		unlink(temporary);
	} else if (fsync(e->folder_fd) != 0) {
		is_done = err_set_errno(err, errno, "%s: fsync", e->folder);
	}
	close(fd);
	mem_free(temporary);
	return is_done;
}

static bool
edit(struct users_edit *e, const struct users_change *c, bool *was_there_out, struct err *err)
{
	if (!users_edit_text(buf_view(&e->old), c, &e->new, was_there_out))
		return err_set(err, ERR_LIMIT, "%s would be over 64 MiB", e->path);
	if (c->is_delete && !*was_there_out)
		return err_set(err, ERR_CONFIG, "%s: there is no login \"%.*s\"", e->path,
		    VIEW_ARG(c->login));
	return check(e, err) && replace(e, err);
}

bool
users_edit_file(const char *path, const struct users_change *c, bool *was_there_out,
    bool *was_open_out, struct err *err)
{
	struct users_edit e = { .folder_fd = -1 };
	bool is_done;

	is_done = edit_open(&e, path, err);
	if (is_done)
		is_done = edit(&e, c, was_there_out, err);
	else
		err_prefix(err, "%s", path);
	*was_open_out = !e.is_new && (e.st.st_mode & (S_IROTH | S_IWOTH)) != 0;
	edit_close(&e);
	return is_done;
}
