/* SPDX-License-Identifier: MPL-2.0 */
/* The system calls of helpers; see helper_filter.h. */
#include "proxy/helper_filter.h"

#include "proxy/confine_private.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>

static const int allowed[] = {
	/* its connections, which are all that is open, and words to standard error */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	/* memory, but none that could be run */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* threads, time, randomness, the end */
	SCMP_SYS(futex),
	SCMP_SYS(getpid), /* OpenSSL looks whether it was forked */
	SCMP_SYS(gettid),
	SCMP_SYS(uname), /* libspf2 asks for the name of the machine */
	SCMP_SYS(sched_yield),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(getrandom),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static bool
limit(__rlimit_resource_t resource, struct err *err)
{
	const struct rlimit none = { 0, 0 };

	return setrlimit(resource, &none) == 0 || err_set_errno(err, errno, "setrlimit");
}

static int
add_rules(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp not_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int error = 0;

	for (size_t i = 0; i < ARRAY_LEN(allowed) && error == 0; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, not_exec);
	if (error == 0)
		error =
		    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, not_exec);
	return error;
}

bool
helper_give_up(struct err *err)
{
	/* Its system calls are far fewer than those of any profile: see below. */
	unsigned off = confine_bit(CONFINE_SECCOMP);
	struct confine_report report;

	if (CONFINE_SANITIZED) /* its run-time reads files when it has something to say */
		off |= confine_bit(CONFINE_LANDLOCK) | confine_bit(CONFINE_CORE_DUMPS);
	return confine_process(CONFINE_ENGINE, off, NULL, &report, err);
}

bool
helper_confine(struct err *err)
{
	scmp_filter_ctx filter;
	int error;

	if (CONFINE_SANITIZED)
		return true;
	if (!limit(RLIMIT_NOFILE, err) || !limit(RLIMIT_FSIZE, err) ||
	    !limit(RLIMIT_CORE, err) || !limit(RLIMIT_NPROC, err))
		return false;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		return err_set(err, ERR_IO, "no filter of system calls can be made");
	error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (error == 0)
		error = add_rules(filter);
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error == 0 ||
	       err_set_errno(err, -error, "system calls cannot be kept from the process");
}
