/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parent; see supervisor.h. Signals come by a descriptor, so that the one loop sees all
 * that happens in turn. What the gate says is checked: it may be in the hands of a peer.
 */
#include "proxy/supervisor.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "proxy/helpers.h"
#include "proxy/key_list.h"
#include "proxy/notify.h"
#include "proxy/supervisor_child.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELPERS_MAX  64	 /* alive at a time: one a configuration that is still in use */
#define PAUSE_MS     100 /* before a gate is started again that ended soon; doubled each time */
#define PAUSE_MAX_MS 30000
#define PAUSE_READY_MS                                                                     \
	800		 /* at most, for a gate that did serve: it is back within a second \
			  */
#define GOOD_MS	   10000 /* a gate that has lived that long was a good one */
#define PACKET_MAX 512
#define READY	   "READY=1"

struct supervisor {
	const char *file;
	struct buf keys; /* key_list.h */
	sigset_t before; /* the signal mask that children get */
	int signals;	 /* owned */
	int socket;	 /* owned; to the gate; -1: it is not there */
	pid_t gate;	 /* -1: likewise */
	int status;	 /* of the gate that ended last */
	struct helper {
		pid_t pid;
		const char *name;
	} helpers[HELPERS_MAX];
	size_t helper_count;
	int64_t started_ms, restart_at_ms, pause_ms;
	bool was_ready; /* some gate has served */
	bool is_ready;	/* this one has */
	bool is_stopping;
};

/* ---- the gate's words ---- */

static bool
send_links(int to, const struct helper_links *links)
{
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(int) * HELPER_LINKS_MAX)];
	} control = { 0 };
	char packet[1 + sizeof(pid_t)] = { HELPER_OK };
	struct iovec octets = { .iov_base = packet, .iov_len = sizeof(packet) };
	const struct msghdr message = { .msg_iov = &octets,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * links->count) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	memcpy(packet + 1, &links->pid, sizeof(links->pid));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * links->count);
	memcpy(CMSG_DATA(c), links->fds, sizeof(int) * links->count);
	return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

static const struct child_kind keeper = { .name = "keeper", .socket_type = SOCK_SEQPACKET };
/* Whom it asks for may take its time, so there are many questions at a time. */
static const struct child_kind judge = {
	.name = "judge", .socket_type = SOCK_STREAM, .links = HELPER_LINKS_MAX
};

static void
start_helper(struct supervisor *s, const struct child_kind *kind)
{
	const char failed = HELPER_FAILED;
	struct helper_links links;
	struct err err = { 0 };
	bool ok = s->helper_count < HELPERS_MAX ||
		  err_set(&err, ERR_LIMIT, "%d helpers are there already", HELPERS_MAX);

	if (ok && child_start_helper(kind, buf_view(&s->keys), &s->before, &links, &err)) {
		s->helpers[s->helper_count++] = (struct helper){ links.pid, kind->name };
		(void)send_links(s->socket, &links); /* without a reader the keeper ends */
		for (size_t i = 0; i < links.count; i++)
			(void)close(links.fds[i]);
		return;
	}
	log_event(LEVEL_ERROR, "process.failed", LOG_STR("name", kind->name),
	    LOG_STR("text", err.text));
	(void)!send(s->socket, &failed, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
end_helper(const struct supervisor *s, struct view text)
{
	pid_t pid;

	if (text.len != sizeof(pid))
		return;
	memcpy(&pid, text.p, sizeof(pid));
	for (size_t i = 0; i < s->helper_count; i++) {
		if (s->helpers[i].pid == pid)
			(void)kill(pid, SIGKILL);
	}
}

static void
configure_log(struct view text)
{
	if (text.len != 3 || (unsigned char)text.p[0] > LEVEL_ERROR ||
	    (unsigned char)text.p[1] > LOG_FORMAT_JSON ||
	    (unsigned char)text.p[2] > LOG_TARGET_SYSLOG)
		return;
	const struct log_config config = { .level = (enum log_level)text.p[0],
		.format = (enum log_format)text.p[1],
		.target = (enum log_target)text.p[2] };
	log_configure(&config);
}

static void
notify(struct supervisor *s, struct view text)
{
	char state[PACKET_MAX];

	if (!view_copy(text, state, sizeof(state)))
		return;
	if (strcmp(state, READY) == 0)
		s->was_ready = s->is_ready = true;
	notify_send(state);
}

static void
close_socket(struct supervisor *s)
{
	if (s->socket >= 0)
		(void)close(s->socket);
	s->socket = -1;
}

/* hear_gate - all that it has said; when it has closed its end, it will be gone soon. */
static void
hear_gate(struct supervisor *s)
{
	char packet[PACKET_MAX];

	while (s->socket >= 0) {
		const ssize_t got = recv(s->socket, packet, sizeof(packet), MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			close_socket(s);
			return;
		}
		const struct view text = view_make(packet + 1, (size_t)got - 1);
		switch (packet[0]) {
		case HELPER_START_KEEPER:
			start_helper(s, &keeper);
			break;
		case HELPER_START_JUDGE:
			start_helper(s, &judge);
			break;
		case HELPER_END:
			end_helper(s, text);
			break;
		case HELPER_NOTIFY:
			notify(s, text);
			break;
		case HELPER_LOG:
			configure_log(text);
			break;
		default:
			break;
		}
	}
}

/* ---- lives ---- */

static void
start_gate(struct supervisor *s)
{
	struct err err = { 0 };

	child_scan_keys(s->file, &s->keys);
	s->restart_at_ms = CLOCK_NEVER;
	s->is_ready = false;
	s->started_ms = clock_mono_ms();
	s->gate = child_start_gate(s->file, &s->before, &s->socket, &err);
	if (s->gate >= 0)
		return;
	s->socket = -1;
	s->status = EXIT_FAILURE;
	s->restart_at_ms = s->started_ms + PAUSE_MAX_MS;
	log_event(
	    LEVEL_ERROR, "process.failed", LOG_STR("name", "gate"), LOG_STR("text", err.text));
}

static void
log_end(const char *name, pid_t pid, int status)
{
	const bool killed = WIFSIGNALED(status);

	log_event(LEVEL_WARNING, "process.ended", LOG_STR("name", name), LOG_U64("pid", pid),
	    LOG_STR("how", killed ? "signal" : "exit"),
	    LOG_U64("number", killed ? WTERMSIG(status) : WEXITSTATUS(status)));
}

static void
on_gate_end(struct supervisor *s, int status)
{
	const pid_t pid = s->gate;

	hear_gate(s); /* what it said last */
	const int64_t most_ms = s->is_ready ? PAUSE_READY_MS : PAUSE_MAX_MS;
	close_socket(s);
	s->gate = -1;
	if (WIFEXITED(status))
		s->status = WEXITSTATUS(status);
	else /* before it could take a signal itself */
		s->status =
		    s->is_stopping && WTERMSIG(status) == SIGTERM ? EXIT_SUCCESS : EXIT_FAILURE;
	if (s->is_stopping || (!s->was_ready && WIFEXITED(status)))
		return; /* it has said why itself */
	log_end("gate", pid, status);
	if (clock_mono_ms() - s->started_ms > GOOD_MS)
		s->pause_ms = 0;
	s->restart_at_ms = clock_mono_ms() + s->pause_ms;
	s->pause_ms = s->pause_ms == 0 ? PAUSE_MS : 2 * s->pause_ms;
	if (s->pause_ms > most_ms)
		s->pause_ms = most_ms;
}

static void
on_helper_end(struct supervisor *s, pid_t pid, int status)
{
	for (size_t i = 0; i < s->helper_count; i++) {
		if (s->helpers[i].pid != pid)
			continue;
		if (status != 0)
			log_end(s->helpers[i].name, pid, status);
		s->helpers[i] = s->helpers[--s->helper_count];
		return;
	}
}

static void
reap(struct supervisor *s)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->gate)
			on_gate_end(s, status);
		else
			on_helper_end(s, pid, status);
	}
}

static void
on_signal(struct supervisor *s, int number)
{
	if (number == SIGCHLD) {
		reap(s);
		return;
	}
	if (number == SIGHUP)
		child_scan_keys(s->file, &s->keys); /* before the gate asks for them */
	else
		s->is_stopping = true;
	if (s->gate > 0)
		(void)kill(s->gate, number);
	else if (s->is_stopping)
		s->status = EXIT_SUCCESS; /* stopped as asked, though nobody served just now */
}

static void
hear_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(s, (int)info.ssi_signo);
}

/* is_over - the gate is gone, and is not to come back. */
static bool
is_over(const struct supervisor *s)
{
	return s->gate < 0 && (s->is_stopping || !s->was_ready);
}

static void
wait_and_do(struct supervisor *s)
{
	struct pollfd fds[2] = { { .fd = s->signals, .events = POLLIN },
		{ .fd = s->socket, .events = POLLIN } };
	const bool waits = s->gate < 0;

	(void)poll(fds, 2, waits ? clock_left_ms(s->restart_at_ms) : -1);
	if (s->socket >= 0 && fds[1].revents != 0)
		hear_gate(s);
	if (fds[0].revents != 0)
		hear_signals(s);
	if (s->gate < 0 && !is_over(s) && clock_left_ms(s->restart_at_ms) == 0)
		start_gate(s);
}

/* end_helpers - they hold nothing that could be lost. */
static void
end_helpers(struct supervisor *s)
{
	int status;

	for (size_t i = 0; i < s->helper_count; i++)
		(void)kill(s->helpers[i].pid, SIGKILL);
	for (size_t i = 0; i < s->helper_count; i++)
		(void)waitpid(s->helpers[i].pid, &status, 0);
}

static bool
take_signals(struct supervisor *s)
{
	static const int numbers[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };
	sigset_t set;

	child_ignore_signal(SIGPIPE);
	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)sigaddset(&set, numbers[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &s->before);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals >= 0;
}

int
supervisor_run(const char *file)
{
	struct supervisor s = { .file = file, .gate = -1, .socket = -1 };

	buf_init(&s.keys, KEY_LIST_MAX);
	if (!take_signals(&s)) {
		(void)fprintf(stderr, "gatepost: cannot wait for signals\n");
		return EXIT_FAILURE;
	}
	start_gate(&s);
	while (!is_over(&s))
		wait_and_do(&s);
	end_helpers(&s);
	buf_finish(&s.keys);
	(void)close(s.signals);
	return s.status;
}
