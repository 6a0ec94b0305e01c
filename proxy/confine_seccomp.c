/* SPDX-License-Identifier: MPL-2.0 */
/*
 * System calls by seccomp (libseccomp writes the filter): a list of those that are allowed, one
 * of those that end the process, as no honest code of ours ever makes them, and some with an
 * error that callers understand. All others do not exist (ENOSYS), as on an older kernel, so
 * that a libc which tries a new one first goes on with an old one; clone3, whose arguments no
 * filter can see, is one of them.
 *
 * Under a sanitizer only what is dangerous is denied: its run-time needs calls of its own.
 */
#include "proxy/confine_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Memory, threads, clocks, signals of its own, and descriptors that are there. */
static const char *const engine_calls[] = { "brk", "clock_getres", "clock_gettime",
	"clock_nanosleep", "close", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2",
	"epoll_wait", "exit", "exit_group", "fcntl", "fstat", "futex", "getegid", "geteuid",
	"getgid", "getpid", "getppid", "getrandom", "getresgid", "getresuid", "getrusage",
	"gettid", "gettimeofday", "getuid", "lseek", "madvise", "membarrier", "mincore",
	"mlock", "mlock2", "mremap", "munlock", "munmap", "nanosleep", "poll", "ppoll",
	"pselect6", "read", "readv", "recvfrom", "recvmsg", "restart_syscall", "rseq",
	"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
	"rt_sigtimedwait", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
	"sched_yield", "select", "sendmsg", "sendto", "set_robust_list", "shutdown",
	"sigaltstack", "sysinfo", "time", "times", "uname", "write", "writev" };

/* The network but for making sockets, and files. */
static const char *const gate_calls[] = { "accept", "accept4", "access", "bind", "chmod",
	"connect", "dup", "dup2", "dup3", "epoll_create", "eventfd2", "faccessat", "faccessat2",
	"fadvise64", "fallocate", "fchmod", "fchmodat", "fchown", "fdatasync", "flock",
	"fstatfs", "fsync", "ftruncate", "getcwd", "getdents64", "getpeername", "getsockname",
	"getsockopt", "link", "linkat", "listen", "lstat", "mkdir", "mkdirat", "msync",
	"newfstatat", "open", "openat", "openat2", "pipe", "pipe2", "pread64", "preadv",
	"preadv2", "pwrite64", "pwritev", "pwritev2", "readahead", "readlink", "readlinkat",
	"recvmmsg", "rename", "renameat", "renameat2", "rmdir", "sendfile", "sendmmsg",
	"setsockopt", "socketpair", "stat", "statfs", "statx", "sync_file_range",
	"timerfd_create", "timerfd_gettime", "timerfd_settime", "truncate", "umask", "unlink",
	"unlinkat", "utimensat" };

/* Nothing here runs programs or looks into other processes: who tries was taken over. */
static const char *const deadly_calls[] = { "execve", "execveat", "ptrace", "process_vm_readv",
	"process_vm_writev" };

/* To be tried and refused: the error of somebody who may not. */
static const char *const denied_calls[] = { "acct", "add_key", "adjtimex", "bpf", "capset",
	"chown", "chroot", "clock_settime", "delete_module", "fanotify_init", "fchownat",
	"finit_module", "fork", "fsmount", "fsopen", "init_module", "io_uring_enter",
	"io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load",
	"kexec_load", "keyctl", "kill", "lchown", "lookup_dcookie", "memfd_create", "mknod",
	"mknodat", "mount", "mount_setattr", "move_mount", "move_pages", "name_to_handle_at",
	"open_by_handle_at", "open_tree", "perf_event_open", "personality", "pidfd_getfd",
	"pidfd_open", "pidfd_send_signal", "pivot_root", "process_madvise", "quotactl",
	"reboot", "request_key", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "setdomainname",
	"setfsgid", "setfsuid", "setgid", "setgroups", "sethostname", "setns", "setpgid",
	"setregid", "setresgid", "setresuid", "setreuid", "setsid", "settimeofday", "setuid",
	"swapoff", "swapon", "symlink", "symlinkat", "syslog", "tkill", "umount", "umount2",
	"unshare", "userfaultfd", "vfork", "vhangup" };

static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM };

#define KIND_MASK 0xf /* of a socket's type; the rest are flags */

/* A filter while it is made; the first error stays. */
struct filter {
	scmp_filter_ctx context;
	int error; /* 0, or minus an errno */
};

/* add - a rule with up to three conditions; a call that this machine does not have is left out.
 */
static void
add(struct filter *f, uint32_t action, const char *name, unsigned count,
    const struct scmp_arg_cmp *conditions)
{
	const int number = seccomp_syscall_resolve_name(name);
	int rc;

	if (number == __NR_SCMP_ERROR || f->error != 0)
		return;
	rc = seccomp_rule_add_array(f->context, action, number, count, conditions);
	if (rc != 0)
		f->error = rc;
}

static void
add_all(struct filter *f, uint32_t action, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add(f, action, names[i], 0, NULL);
}

/* ---- calls that are allowed with some arguments ---- */

/* when - a condition on an argument (from 0). With SCMP_CMP_MASKED_EQ, a is the mask. */
static struct scmp_arg_cmp
when(unsigned argument, enum scmp_compare how, uint64_t a, uint64_t b)
{
	return (struct scmp_arg_cmp){ .arg = argument, .op = how, .datum_a = a, .datum_b = b };
}

/* Memory that can be both written and run is never needed. */
static void
add_memory(struct filter *f)
{
	static const uint64_t both = PROT_WRITE | PROT_EXEC;
	static const char *const names[] = { "mmap", "mmap2", "mprotect" };
	static const uint64_t allowed[] = { 0, PROT_WRITE, PROT_EXEC };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct scmp_arg_cmp bad = when(2, SCMP_CMP_MASKED_EQ, both, both);

		for (size_t j = 0; j < ARRAY_LEN(allowed); j++) {
			const struct scmp_arg_cmp good =
			    when(2, SCMP_CMP_MASKED_EQ, both, allowed[j]);

			add(f, SCMP_ACT_ALLOW, names[i], 1, &good);
		}
		add(f, SCMP_ACT_ERRNO(EPERM), names[i], 1, &bad);
	}
}

/* Threads, no processes and no name spaces; signals to this process, questions about limits. */
static void
add_threads(struct filter *f)
{
	static const uint64_t spaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET |
				       CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER |
				       CLONE_NEWUTS;
	const uint64_t mask = spaces | CLONE_THREAD;
	const struct scmp_arg_cmp thread = when(0, SCMP_CMP_MASKED_EQ, mask, CLONE_THREAD);
	const struct scmp_arg_cmp process = when(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
	const struct scmp_arg_cmp own = when(0, SCMP_CMP_EQ, (uint64_t)getpid(), 0);
	const struct scmp_arg_cmp others = when(0, SCMP_CMP_NE, (uint64_t)getpid(), 0);
	const struct scmp_arg_cmp question = when(2, SCMP_CMP_EQ, 0, 0);
	const struct scmp_arg_cmp name = when(0, SCMP_CMP_EQ, PR_SET_NAME, 0);

	add(f, SCMP_ACT_ALLOW, "clone", 1, &thread);
	add(f, SCMP_ACT_ERRNO(EPERM), "clone", 1, &process);
	add(f, SCMP_ACT_ALLOW, "tgkill", 1, &own);
	add(f, SCMP_ACT_ERRNO(EPERM), "tgkill", 1, &others);
	add(f, SCMP_ACT_ALLOW, "prlimit64", 1, &question);
	add(f, SCMP_ACT_ALLOW, "getrlimit", 0, NULL);
	add(f, SCMP_ACT_ALLOW, "prctl", 1, &name);
}

/* Questions about a descriptor, and whether it blocks. */
static void
add_ioctls(struct filter *f)
{
	static const uint64_t requests[] = { FIONREAD, FIONBIO, FIOCLEX, TCGETS };

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		const struct scmp_arg_cmp request = when(1, SCMP_CMP_EQ, requests[i], 0);

		add(f, SCMP_ACT_ALLOW, "ioctl", 1, &request);
	}
}

static void
deny_family(struct filter *f, enum scmp_compare how, uint64_t family)
{
	const struct scmp_arg_cmp condition = when(0, how, family, 0);

	add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", 1, &condition);
}

static void
deny_families(struct filter *f)
{
	for (int family = 0; family < AF_INET6; family++) {
		if (family != AF_UNIX && family != AF_INET)
			deny_family(f, SCMP_CMP_EQ, (uint64_t)family);
	}
	deny_family(f, SCMP_CMP_GT, AF_INET6);
}

/* Streams and datagrams; getaddrinfo() does without AF_NETLINK. */
static void
add_sockets(struct filter *f)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		for (size_t j = 0; j < ARRAY_LEN(kinds); j++) {
			const struct scmp_arg_cmp conditions[] = {
				when(0, SCMP_CMP_EQ, (uint64_t)families[i], 0),
				when(1, SCMP_CMP_MASKED_EQ, KIND_MASK, (uint64_t)kinds[j]),
			};

			add(f, SCMP_ACT_ALLOW, "socket", ARRAY_LEN(conditions), conditions);
		}
	}
	deny_families(f);
}

/* ---- the filter ---- */

static void
fill(struct filter *f, enum confine_profile profile)
{
	add_all(f, SCMP_ACT_ALLOW, engine_calls, ARRAY_LEN(engine_calls));
	add_memory(f);
	add_threads(f);
	if (profile == CONFINE_GATE) {
		add_all(f, SCMP_ACT_ALLOW, gate_calls, ARRAY_LEN(gate_calls));
		add_sockets(f);
	}
	add_ioctls(f);
	add_all(f, SCMP_ACT_KILL_PROCESS, deadly_calls, ARRAY_LEN(deadly_calls));
	add_all(f, SCMP_ACT_ERRNO(EPERM), denied_calls, ARRAY_LEN(denied_calls));
}

/* fill_sanitized - what a sanitizer does without. */
static void
fill_sanitized(struct filter *f)
{
	static const char *const others[] = { "bpf", "chroot", "init_module", "io_uring_setup",
		"kexec_load", "keyctl", "mount", "perf_event_open", "pivot_root", "reboot",
		"setns", "umount2", "unshare", "userfaultfd" };

	add_all(f, SCMP_ACT_ERRNO(EPERM), others, ARRAY_LEN(others));
	deny_families(f);
}

static bool
is_lacking(int error)
{
	return error == -ENOSYS || error == -EINVAL || error == -EOPNOTSUPP;
}

static bool
load(struct filter *f, struct confine_report *report, struct err *err)
{
	static const struct {
		enum scmp_filter_attr attribute;
		uint32_t value;
	} attributes[] = {
		{ SCMP_FLTATR_API_SYSRAWRC, 1 }, /* errors are the kernel's own */
		{ SCMP_FLTATR_CTL_NNP, 0 },	 /* set by a layer of its own */
		{ SCMP_FLTATR_CTL_OPTIMIZE, 2 }, /* a tree: each call runs through it */
		{ SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS },
	};
	int error = 0;

	for (size_t i = 0; error == 0 && i < ARRAY_LEN(attributes); i++)
		error =
		    seccomp_attr_set(f->context, attributes[i].attribute, attributes[i].value);
	if (error == 0)
		error = seccomp_load(f->context);
	if (error != 0 && !is_lacking(error))
		return err_set_errno(err, -error, "cannot load the filter");
	if (error != 0)
		confine_note(report, CONFINE_SECCOMP, CONFINE_ABSENT, "the kernel says: %s",
		    strerror(-error));
	return true;
}

bool
confine_seccomp(enum confine_profile profile, struct confine_report *report, struct err *err)
{
	struct filter f = { .context = seccomp_init(
				CONFINE_SANITIZED ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS)) };
	bool ok;

	if (f.context == NULL)
		return err_set(err, ERR_IO, "no memory for the filter");
	if (CONFINE_SANITIZED)
		fill_sanitized(&f);
	else
		fill(&f, profile);
	ok = f.error == 0 ? load(&f, report, err)
			  : err_set_errno(err, -f.error, "cannot make the filter");
	seccomp_release(f.context);
	return ok;
}
