/* SPDX-License-Identifier: MPL-2.0 */
/*
 * probe: a plugin that tries what a serving process must not be able to do, as code of somebody
 * who took it over would. RCPT TO:<DEED@probe.test> does it; the reply says what came of it:
 * OK, or the name of the errno. Paths come from its settings, so that file modes forbid
 * nothing.
 */
#include "lib/chain/link.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct probe_settings {
	const char *inside, *outside, *secret; /* folders, a file; CONF_STRING: not gathered */
	int64_t victim;			       /* a process of the same user */
};

static const struct conf_row probe_rows[] = {
	{ .key = "inside",
	    .type = CONF_STRING,
	    .offset = offsetof(struct probe_settings, inside),
	    .help = "A folder that the gate may write in." },
	{ .key = "outside",
	    .type = CONF_STRING,
	    .offset = offsetof(struct probe_settings, outside),
	    .help = "Another one, where modes allow it, too." },
	{ .key = "secret",
	    .type = CONF_STRING,
	    .offset = offsetof(struct probe_settings, secret),
	    .help = "A file that everybody may read." },
	{ .key = "victim",
	    .type = CONF_INT,
	    .offset = offsetof(struct probe_settings, victim),
	    .fallback = "0",
	    .help = "A process." },
	{ .key = NULL },
};

static const struct conf_table probe_table = {
	.name = "probe",
	.help = "Tries what it must not.",
	.size = sizeof(struct probe_settings),
	.rows = probe_rows,
	.where_offset = SIZE_MAX,
};

/* ---- deeds: 0 or more, it was possible; -1: errno ---- */

static int
open_path(const char *path, int flags)
{
	const int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd;
}

static int
open_there(const char *folder, const char *name, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return open_path(path, flags);
}

static int
do_write_inside(const struct probe_settings *s)
{
	return open_there(s->inside, "probe", O_WRONLY | O_CREAT | O_TRUNC);
}

static int
do_write_outside(const struct probe_settings *s)
{
	return open_there(s->outside, "probe", O_WRONLY | O_CREAT);
}

static int
do_append_outside(const struct probe_settings *s)
{
	return open_there(s->outside, "there", O_WRONLY | O_APPEND);
}

static int
do_truncate_outside(const struct probe_settings *s)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/there", s->outside);
	return truncate(path, 0);
}

static int
do_read_outside(const struct probe_settings *s)
{
	return open_path(s->secret, O_RDONLY);
}

static int
do_read_shadow(const struct probe_settings *s)
{
	(void)s;
	return open_path("/etc/shadow", O_RDONLY);
}

static int
do_list_root(const struct probe_settings *s)
{
	(void)s;
	return open_path("/", O_RDONLY | O_DIRECTORY);
}

static int
do_make_link(const struct probe_settings *s)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/link", s->inside);
	return symlink("/etc/passwd", path);
}

static int
do_execve(const struct probe_settings *s)
{
	char *const nothing[] = { NULL };

	(void)s;
	return execve("/no/such/program", nothing, nothing);
}

static int
do_execveat(const struct probe_settings *s)
{
	char *const nothing[] = { NULL };

	(void)s;
	return (int)syscall(SYS_execveat, AT_FDCWD, "/no/such/program", nothing, nothing, 0);
}

static int
do_fork(const struct probe_settings *s)
{
	const pid_t child = fork();

	(void)s;
	if (child == 0)
		_exit(0);
	return child;
}

static int
do_ptrace(const struct probe_settings *s)
{
	return (int)ptrace(PTRACE_SEIZE, (pid_t)s->victim, NULL, NULL);
}

static int
do_read_memory(const struct probe_settings *s)
{
	char octet;
	const struct iovec here = { &octet, 1 }, there = { &octet, 1 };

	return (int)process_vm_readv((pid_t)s->victim, &here, 1, &there, 1, 0);
}

static int
do_kill(const struct probe_settings *s)
{
	return kill((pid_t)s->victim, SIGTERM);
}

static int
do_tgkill(const struct probe_settings *s)
{
	return (int)syscall(SYS_tgkill, (pid_t)s->victim, (pid_t)s->victim, SIGTERM);
}

static int
open_socket(int family, int type, int protocol)
{
	const int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		close(fd);
	return fd;
}

static int
do_socket_packet(const struct probe_settings *s)
{
	(void)s;
	return open_socket(AF_PACKET, SOCK_RAW, 0);
}

static int
do_socket_netlink(const struct probe_settings *s)
{
	(void)s;
	return open_socket(AF_NETLINK, SOCK_RAW, 0);
}

static int
do_socket_vsock(const struct probe_settings *s)
{
	(void)s;
	return open_socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int
do_socket_alg(const struct probe_settings *s)
{
	(void)s;
	return open_socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static int
do_socket_inet(const struct probe_settings *s)
{
	(void)s;
	return open_socket(AF_INET, SOCK_STREAM, 0);
}

static int
do_bind_low(const struct probe_settings *s)
{
	const struct sockaddr_in low = { .sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int rc = bind(fd, (const struct sockaddr *)&low, sizeof(low));
	const int errnum = errno;

	(void)s;
	close(fd);
	errno = errnum;
	return rc;
}

static int
do_map_both(const struct probe_settings *s)
{
	void *map = mmap(
	    NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)s;
	if (map == MAP_FAILED)
		return -1;
	return munmap(map, 4096);
}

static int
do_unshare(const struct probe_settings *s)
{
	(void)s;
	return unshare(CLONE_NEWUSER);
}

static int
do_setuid(const struct probe_settings *s)
{
	(void)s;
	return setuid(0);
}

static int
do_raise_core(const struct probe_settings *s)
{
	static const struct rlimit limit = { 4096, 4096 };

	(void)s;
	return setrlimit(RLIMIT_CORE, &limit);
}

static int
do_dumpable(const struct probe_settings *s)
{
	(void)s;
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int
do_io_uring(const struct probe_settings *s)
{
	(void)s;
	return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static const struct {
	const char *name;
	int (*deed)(const struct probe_settings *s);
} deeds[] = {
	{ "write_inside", do_write_inside },
	{ "write_outside", do_write_outside },
	{ "append_outside", do_append_outside },
	{ "truncate_outside", do_truncate_outside },
	{ "read_outside", do_read_outside },
	{ "read_shadow", do_read_shadow },
	{ "list_root", do_list_root },
	{ "make_link", do_make_link },
	{ "execve", do_execve },
	{ "execveat", do_execveat },
	{ "fork", do_fork },
	{ "ptrace", do_ptrace },
	{ "read_memory", do_read_memory },
	{ "kill", do_kill },
	{ "tgkill", do_tgkill },
	{ "socket_packet", do_socket_packet },
	{ "socket_netlink", do_socket_netlink },
	{ "socket_vsock", do_socket_vsock },
	{ "socket_alg", do_socket_alg },
	{ "socket_inet", do_socket_inet },
	{ "bind_low", do_bind_low },
	{ "map_both", do_map_both },
	{ "unshare", do_unshare },
	{ "setuid", do_setuid },
	{ "raise_core", do_raise_core },
	{ "dumpable", do_dumpable },
	{ "io_uring", do_io_uring },
};

static enum link_answer
probe_rcpt(struct link_call *call)
{
	const char *address = link_recipient(call)->address;
	const size_t length = strcspn(address, "@");

	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		if (strlen(deeds[i].name) != length ||
		    strncmp(deeds[i].name, address, length) != 0)
			continue;
		errno = 0;
		const int rc = deeds[i].deed(link_settings(call));
		return link_refuse(call, 550, "5.7.1", "probe %s %s", deeds[i].name,
		    rc >= 0 ? "OK" : strerrorname_np(errno));
	}
	return LINK_NEXT;
}

extern const struct link gatepost_link;
const struct link gatepost_link = {
	.abi = LINK_ABI,
	.size = LINK_SIZE,
	.name = "probe",
	.summary = "tries what a serving process must not be able to do",
	.refuses = "550 5.7.1",
	.kind = LINK_POLICY,
	.settings = &probe_table,
	.rcpt = probe_rcpt,
};
