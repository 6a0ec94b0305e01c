/* SPDX-License-Identifier: MPL-2.0 */
/* Dropping root; see privileges.h. */
#include "proxy/privileges.h"

#include "proxy/confine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

bool
privileges_find(
    const char *user, const char *group, uid_t *uid_out, gid_t *gid_out, struct err *err)
{
	*uid_out = getuid();
	*gid_out = getgid();
	if (geteuid() != 0)
		return true;
	if (user == NULL)
		return err_set(err, ERR_CONFIG,
		    "will not serve as root: set user = \"...\" to an unprivileged account");
	const struct passwd *pw = getpwnam(user);
	if (pw == NULL)
		return err_set(err, ERR_CONFIG, "user: there is no account \"%s\"", user);
	if (pw->pw_uid == 0)
		return err_set(
		    err, ERR_CONFIG, "user: \"%s\" is root; use another account", user);
	*uid_out = pw->pw_uid;
	*gid_out = pw->pw_gid;
	if (group != NULL) {
		const struct group *gr = getgrnam(group);
		if (gr == NULL)
			return err_set(
			    err, ERR_CONFIG, "group: there is no group \"%s\"", group);
		*gid_out = gr->gr_gid;
	}
	return true;
}

bool
privileges_become(const char *user, uid_t uid, gid_t gid, struct err *err)
{
	if (geteuid() != 0)
		return true;
	if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0)
		return err_set_errno(err, errno, "cannot become user %s", user);
	if (setuid(0) == 0 || geteuid() != uid || getegid() != gid)
		return err_set(err, ERR_IO, "root could not be given up");
	return true;
}

bool
privileges_drop(const char *user, uid_t uid, gid_t gid, struct err *err)
{
	return privileges_become(user, uid, gid, err) && confine_no_new_privs(err) &&
	       confine_core_dumps(err);
}
