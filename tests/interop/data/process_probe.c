/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Preloaded into the processes of a gate by tests/interop/test_processes.py, and into one that
 * is not confined for comparison: at a signal from SIGRTMIN on it tries what that signal stands
 * for. The process ends with PROBE_DONE if the kernel did it, with PROBE_REFUSED if it said no.
 * Where it does neither, the kernel has ended it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROBE_DONE = 50, PROBE_REFUSED = 51 };

static long
try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long
try_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long
try_open(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static long
try_create(void)
{
	return open("/tmp/gatepost-probe", O_WRONLY | O_CREAT, 0600);
}

static long
try_fork(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static long
try_exec(void)
{
	char *const arguments[] = { "sh", "-c", "exit 50", NULL };

	return execve("/bin/sh", arguments, NULL);
}

static long
try_kill(void)
{
	return kill(getppid(), 0);
}

static long
try_run_memory(void)
{
	return (long)mmap(
	    NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long
try_trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long
try_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long (*const probes[])(void) = { try_socket, try_unix_socket, try_open, try_create,
	try_fork, try_exec, try_kill, try_run_memory, try_trace, try_dumpable };

static void
on_signal(int number, siginfo_t *info, void *context)
{
	const unsigned wanted = (unsigned)(number - SIGRTMIN);

	(void)info;
	(void)context;
	if (wanted < sizeof(probes) / sizeof(probes[0]))
		_exit(probes[wanted]() != -1 ? PROBE_DONE : PROBE_REFUSED);
}

__attribute__((constructor)) static void
listen_to_signals(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_signal;
	action.sa_flags = SA_SIGINFO;
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		(void)sigaction(SIGRTMIN + (int)i, &action, NULL);
}
