/* SPDX-License-Identifier: MPL-2.0 */
/* The files of the keeper's keys; see keeper_files.h. */
#include "proxy/keeper_files.h"

#include "proxy/key_list.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is walked through, from STATE_DIR/dkim on. */
struct walk {
	struct keeper_keys *keys;
	uid_t keeper;
	const char *folder; /* "STATE_DIR/dkim" */
};

static void
add(struct keeper_keys *keys, const char *path, struct dkim_key *key, const char *warning,
    const struct err *err)
{
	keeper_keys_add(keys, path, key, key != NULL ? warning : err->text);
}

static bool
is_key_name(const char *name)
{
	const size_t len = strlen(name);

	return name[0] != '.' && len > strlen(".pem") &&
	       strcmp(name + len - strlen(".pem"), ".pem") == 0;
}

/* owner_of - who may own a made key: the keeper, if it does, or else who has the folder. */
static uid_t
owner_of(int folder, const char *name, uid_t folder_owner, uid_t keeper)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == keeper
		   ? keeper
		   : folder_owner;
}

/*
 * take_over - a made key becomes the keeper's own, so that the user who serves, and made it,
 * cannot read it any more. Whatever the name stands for by now: only a file of that user's
 * changes its owner. Where this process may not do it, or it is done, nothing changes.
 */
static void
take_over(int folder, const char *name, uid_t from, uid_t keeper)
{
	const int fd =
	    openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (from != keeper && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    st.st_uid == from && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		(void)!fchown(fd, keeper, (gid_t)-1);
	(void)close(fd);
}

static void
read_folder(const struct walk *w, DIR *entries, const char *domain)
{
	const int folder = dirfd(entries);
	struct dirent *entry;
	struct stat st;

	if (fstat(folder, &st) != 0)
		return;
	while ((entry = readdir(entries)) != NULL) {
		char path[PATH_MAX], warning[160];
		struct err err = { 0 };
		const int len =
		    snprintf(path, sizeof(path), "%s/%s/%s", w->folder, domain, entry->d_name);

		if (!is_key_name(entry->d_name) || len < 0 || (size_t)len >= sizeof(path))
			continue;
		struct dkim_key *key = dkim_key_read_made_at(folder, entry->d_name, path,
		    owner_of(folder, entry->d_name, st.st_uid, w->keeper), warning, &err);
		if (key != NULL)
			take_over(folder, entry->d_name, st.st_uid, w->keeper);
		add(w->keys, path, key, warning, &err);
	}
}

/* open_folder - never by a link. */
static DIR *
open_folder(int at, const char *name)
{
	const int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;

	if (entries == NULL && fd >= 0)
		(void)close(fd);
	return entries;
}

static void
read_made(const char *state_dir, uid_t keeper, struct keeper_keys *keys)
{
	char path[PATH_MAX];
	const struct walk walk = { .keys = keys, .keeper = keeper, .folder = path };
	const int len = snprintf(path, sizeof(path), "%s/dkim", state_dir);
	DIR *domains =
	    len > 0 && (size_t)len < sizeof(path) ? open_folder(AT_FDCWD, path) : NULL;
	struct dirent *entry;

	while (domains != NULL && (entry = readdir(domains)) != NULL) {
		DIR *folder =
		    entry->d_name[0] != '.' ? open_folder(dirfd(domains), entry->d_name) : NULL;

		if (folder == NULL)
			continue;
		read_folder(&walk, folder, entry->d_name);
		(void)closedir(folder);
	}
	if (domains != NULL)
		(void)closedir(domains);
}

void
keeper_files_read(struct view list, uid_t user, uid_t keeper, struct keeper_keys *keys)
{
	const char *state_dir = key_list_value(list, 'S');
	const char *value;
	char letter;

	while (key_list_next(&list, &letter, &value)) {
		char warning[160];
		struct err err = { 0 };

		if (letter != 'P')
			continue;
		struct dkim_key *key = dkim_key_read_kept(value, user, keeper, warning, &err);
		add(keys, value, key, warning, &err);
	}
	if (state_dir != NULL)
		read_made(state_dir, keeper, keys);
	keeper_keys_end_adding(keys);
}

struct dkim_key *
keeper_files_read_made(const char *path, uid_t keeper, char warning_out[160], struct err *err)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (slash == NULL ||
	    !view_copy(view_make(path, (size_t)(slash - path)), folder, sizeof(folder)) ||
	    stat(folder, &st) != 0) {
		(void)err_set(err, ERR_CONFIG, "key %s: its folder is not there", path);
		return NULL;
	}
	return dkim_key_read_made(
	    path, owner_of(AT_FDCWD, path, st.st_uid, keeper), warning_out, err);
}
