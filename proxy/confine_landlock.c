/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files by Landlock: see landlock(7). Everything that the kernel's version governs is denied
 * but for what the rules allow. What it does not govern: descriptors that are open already,
 * looking at names and attributes (stat), and connecting to unix sockets. Before its second
 * version a rename between two folders was always denied, as a Maildir needs it: that counts as
 * absent.
 */
#include "proxy/confine_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ABI_NEEDED 2

/* Headers of older systems do not have what came later. */
#define ACCESS_TRUNCATE	 (UINT64_C(1) << 14) /* since version 3 */
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define SCOPE_SIGNAL	 (UINT64_C(1) << 1)  /* 6 */

struct ruleset_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

#define READ_FILE LANDLOCK_ACCESS_FS_READ_FILE
#define READ	  (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ON_FILES  (READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_TRUNCATE)
#define WRITE                                                                     \
	(LANDLOCK_ACCESS_FS_READ_DIR | ON_FILES | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |        \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |          \
	    LANDLOCK_ACCESS_FS_REFER)
/* Never allowed: running programs, making devices, pipes and symbolic links, and the like. */
#define NEVER                                                              \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |       \
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
	    LANDLOCK_ACCESS_FS_MAKE_SYM | ACCESS_IOCTL_DEV)

static const uint64_t rights[] = {
	[CONFINE_READ] = READ,
	[CONFINE_WRITE] = WRITE,
	[CONFINE_DEVICE] = READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE,
};

static uint64_t
governed(int abi)
{
	uint64_t all = WRITE | NEVER;

	if (abi < 3)
		all &= ~ACCESS_TRUNCATE;
	if (abi < 5)
		all &= ~ACCESS_IOCTL_DEV;
	return all;
}

/* add_rule - what is not there, or cannot be looked into by this user, needs none. */
static bool
add_rule(int ruleset, struct confine_path *path, uint64_t all, struct err *err)
{
	struct landlock_path_beneath_attr rule = { .allowed_access =
						       rights[path->access] & all };
	struct stat st;
	bool ok;

	rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return true;
	ok = fstat(rule.parent_fd, &st) == 0;
	if (ok && !S_ISDIR(st.st_mode))
		rule.allowed_access &= ON_FILES;
	ok = ok &&
	     syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	if (!ok)
		(void)err_set_errno(err, errno, "no rule for %s", path->path);
	(void)close(rule.parent_fd);
	path->is_held = ok;
	path->device = st.st_dev;
	path->inode = st.st_ino;
	return ok;
}

static bool
restrict_to(struct confine_paths *paths, int abi, struct err *err)
{
	const struct ruleset_attr attr = { .handled_access_fs = governed(abi),
		.scoped = abi >= 6 ? SCOPE_SIGNAL : 0 };
	const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	bool ok = ruleset >= 0;

	if (!ok)
		return err_set_errno(err, errno, "cannot begin");
	for (size_t i = 0; ok && paths != NULL && i < paths->count; i++)
		ok = add_rule(ruleset, &paths->items[i], attr.handled_access_fs, err);
	if (ok && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		ok = err_set_errno(err, errno, "cannot restrict this process");
	(void)close(ruleset);
	return ok;
}

bool
confine_landlock(struct confine_paths *paths, struct confine_report *report, struct err *err)
{
	const int abi =
	    (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0)
		confine_note(report, CONFINE_LANDLOCK, CONFINE_ABSENT, "the kernel says: %s",
		    strerror(errno));
	else if (abi < ABI_NEEDED)
		confine_note(report, CONFINE_LANDLOCK, CONFINE_ABSENT,
		    "the kernel has version %d, %d is needed", abi, ABI_NEEDED);
	else
		return restrict_to(paths, abi, err);
	return true;
}
