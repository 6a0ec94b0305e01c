/* SPDX-License-Identifier: MPL-2.0 */
/* Starting the processes of the gate; see supervisor_child.h. */
#include "proxy/supervisor_child.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "proxy/helpers.h"
#include "proxy/key_list.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD     3
#define ASIDE_FD     300 /* while descriptors change places */
#define SCAN_MS	     10000
#define LINKS_MIN    4 /* more than cores there may be: one works while another is on its way */
#define LINKS_MAX    16 /* of a helper that has one for each core */
#define EXIT_NO_EXEC 127

struct child {
	const char *arguments[6]; /* behind the binary's name; NULL: the end */
	int fds[1 + HELPER_LINKS_MAX];
	size_t fd_count;
	const sigset_t *signals;
};

void
child_ignore_signal(int number)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigaction(number, &ignore, NULL);
}

/* become - in the child. */
static void
become(const struct child *c)
{
	int aside[ARRAY_LEN(c->fds)];

	for (size_t i = 0; i < c->fd_count; i++) {
		if ((aside[i] = fcntl(c->fds[i], F_DUPFD, ASIDE_FD)) < 0)
			_exit(EXIT_NO_EXEC);
	}
	for (size_t i = 0; i < c->fd_count; i++) {
		if (dup2(aside[i], FIRST_FD + (int)i) < 0)
			_exit(EXIT_NO_EXEC);
	}
	(void)close_range(FIRST_FD + (unsigned)c->fd_count, ~0U, 0);
	(void)setpgid(0, 0);	     /* a terminal's ^C is the parent's to hand on */
	child_ignore_signal(SIGHUP); /* until it takes it itself */
	(void)sigprocmask(SIG_SETMASK, c->signals, NULL);
	(void)execv("/proc/self/exe", (char *const *)(uintptr_t)c->arguments);
	(void)fprintf(stderr, "gatepost: cannot start /proc/self/exe: %d\n", errno);
	_exit(EXIT_NO_EXEC);
}

static pid_t
start(const struct child *c, struct err *err)
{
	const pid_t pid = fork();

	if (pid == 0)
		become(c);
	if (pid < 0)
		err_set_errno(err, errno, "fork");
	return pid;
}

pid_t
child_start_gate(const char *file, const sigset_t *signals, int *socket_out, struct err *err)
{
	struct child gate = { .arguments = { "gatepost", "gate", "-c", file, NULL },
		.fd_count = 1,
		.signals = signals };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		err_set_errno(err, errno, "socketpair");
		return -1;
	}
	gate.fds[0] = pair[1];
	const pid_t pid = start(&gate, err);
	(void)close(pair[1]);
	*socket_out = pair[0];
	if (pid < 0)
		(void)close(pair[0]);
	return pid;
}

/* ---- helpers ---- */

static size_t
link_count(const struct child_kind *kind)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (kind->links > 0)
		return kind->links;
	if (cores < LINKS_MIN)
		return LINKS_MIN;
	return cores < LINKS_MAX ? (size_t)cores : LINKS_MAX;
}

static void
close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
}

static bool
make_links(const struct child_kind *kind, struct helper_links *out, struct child *helper,
    struct err *err)
{
	const size_t count = link_count(kind);
	int pair[2];

	for (out->count = 0; out->count < count; out->count++) {
		if (socketpair(AF_UNIX, kind->socket_type | SOCK_CLOEXEC, 0, pair) != 0)
			return err_set_errno(err, errno, "socketpair");
		out->fds[out->count] = pair[0];
		helper->fds[helper->fd_count++] = pair[1];
	}
	return true;
}

/* write_list - a file of no name, which the keeper reads from its beginning. */
static int
write_list(struct view list, struct err *err)
{
	const int fd = memfd_create("keys", MFD_CLOEXEC);

	if (fd >= 0 && file_write_all(fd, list) && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	err_set_errno(err, errno, "memfd");
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

bool
child_start_helper(const struct child_kind *kind, struct view list, const sigset_t *signals,
    struct helper_links *out, struct err *err)
{
	char count[16];
	struct child helper = { .arguments = { "gatepost", kind->name, count, NULL },
		.signals = signals };
	const int fd = write_list(list, err);

	out->count = 0;
	out->pid = -1;
	if (fd < 0)
		return false;
	helper.fds[helper.fd_count++] = fd;
	if (make_links(kind, out, &helper, err)) {
		(void)snprintf(count, sizeof(count), "%zu", out->count);
		out->pid = start(&helper, err);
	}
	close_all(helper.fds, helper.fd_count);
	if (out->pid > 0)
		return true;
	close_all(out->fds, out->count);
	return false;
}

/* ---- the list of keys ---- */

static void
scan_and_exit(const char *file, int out)
{
	struct buf list;

	buf_init(&list, KEY_LIST_MAX);
	key_list_scan(file, &list);
	_exit(file_write_all(out, buf_view(&list)) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* hear - until the child has closed its end; false: too much, or too late. */
static bool
hear(int fd, struct buf *out)
{
	const int64_t deadline_ms = clock_mono_ms() + SCAN_MS;
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	for (;;) {
		const int ready = poll(&readable, 1, clock_left_ms(deadline_ms));
		char octets[4096];

		if (ready < 0 && errno == EINTR)
			continue;
		const ssize_t got = ready > 0 ? read(fd, octets, sizeof(octets)) : -1;
		if (got <= 0)
			return got == 0;
		if (!buf_add(out, octets, (size_t)got))
			return false;
	}
}

void
child_scan_keys(const char *file, struct buf *list)
{
	struct buf fresh;
	int pair[2], status;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) != 0)
		return;
	pid = fork();
	if (pid == 0)
		scan_and_exit(file, pair[1]);
	(void)close(pair[1]);
	buf_init(&fresh, KEY_LIST_MAX);
	if (pid > 0) {
		const bool is_whole = hear(pair[0], &fresh);

		if (!is_whole)
			(void)kill(pid, SIGKILL);
		if (waitpid(pid, &status, 0) == pid && is_whole && status == 0)
			key_list_merge(list, buf_view(&fresh));
	}
	buf_finish(&fresh);
	(void)close(pair[0]);
}
