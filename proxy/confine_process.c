/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Capabilities, core dumps, no_new_privs: see proxy/confine.h, capabilities(7), prctl(2). Asked
 * of the kernel itself: libcap would do no more, and is one library more.
 */
#include "proxy/confine_private.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Root is a user like others, for good: its programs get no capabilities, nor keep any. */
#define SECUREBITS                                                        \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED | \
	    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | \
	    SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

bool
confine_as_root(unsigned off, struct err *err)
{
	if (geteuid() != 0 || (off & confine_bit(CONFINE_CAPABILITIES)) != 0)
		return true;
	/* A container may have taken CAP_SETPCAP from its root: the report will say so. */
	if (prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0) != 0 && errno != EPERM)
		return err_set_errno(err, errno, "cannot set the securebits");
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EPERM)
			return err_set_errno(err, errno, "cannot give capability %lu up", cap);
	}
	return true;
}

static bool
bounding_set_is_empty(void)
{
	int is_there = 0;

	for (unsigned long cap = 0; is_there == 0; cap++)
		is_there = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
	return is_there < 0; /* behind the last one */
}

bool
confine_capabilities(struct confine_report *report, struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return err_set_errno(err, errno, "cannot clear the ambient set");
	if (syscall(SYS_capset, &header, none) != 0)
		return err_set_errno(err, errno, "cannot give them up");
	if (!bounding_set_is_empty())
		confine_note(report, CONFINE_CAPABILITIES, CONFINE_ON,
		    "the bounding set stays, only root can empty it");
	return true;
}

bool
confine_core_dumps(struct err *err)
{
	static const struct rlimit none = { 0, 0 };
	struct rlimit now;

	/* They would hold keys, passwords and mail. A service manager may have said so already.
	 */
	if ((getrlimit(RLIMIT_CORE, &now) != 0 || now.rlim_max != 0) &&
	    setrlimit(RLIMIT_CORE, &none) != 0)
		return err_set_errno(err, errno, "cannot set their size to 0");
	/* A handler of core dumps (a pipe) heeds no limit; and no debugger of this user. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_set_errno(err, errno, "cannot switch core dumps off");
	return true;
}

bool
confine_no_new_privs(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set_errno(err, errno, "cannot set no_new_privs");
	return true;
}
