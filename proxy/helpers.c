/* SPDX-License-Identifier: MPL-2.0 */
/* What the gate asks of its parent; see helpers.h. Any thread; one question at a time. */
#include "proxy/helpers.h"

#include "lib/base/clock.h"
#include "proxy/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS	 10000 /* the parent forks, and says so */
#define KEEPER_ANSWER_MS 5000
#define KEEPER_START_MS	 60000 /* it may have thousands of keys to read */
#define JUDGE_STEP_MS	 10000 /* tens of megabytes can be hashed in that */
#define NOTIFY_MAX	 512

static struct {
	pthread_mutex_t lock;
	int fd; /* -1: there is no parent */
} parent = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

bool
helpers_init(struct err *err)
{
	socklen_t len = sizeof(int);
	int type = 0;

	if (getsockopt(HELPERS_FD, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
	    type != SOCK_SEQPACKET)
		return err_set(err, ERR_CONFIG, "is started by \"gatepost run\" only");
	if (fcntl(HELPERS_FD, F_SETFD, FD_CLOEXEC) != 0)
		return err_set_errno(err, errno, "the parent's socket");
	parent.fd = HELPERS_FD;
	return true;
}

bool
helpers_are_apart(void)
{
	return parent.fd >= 0;
}

bool
helpers_live_with_parent(void)
{
	char octet;

	if (!helpers_are_apart())
		return true;
	return prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == 0 &&
	       recv(parent.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

/* ---- words without an answer ---- */

static void
tell(enum helper_packet kind, struct view text)
{
	char packet[NOTIFY_MAX];

	if (text.len >= sizeof(packet))
		return;
	packet[0] = (char)kind;
	memcpy(packet + 1, text.p, text.len);
	(void)!send(parent.fd, packet, 1 + text.len, MSG_NOSIGNAL);
}

void
helpers_notify(const char *state)
{
	if (helpers_are_apart())
		tell(HELPER_NOTIFY, view_of(state));
	else
		notify_send(state);
}

void
helpers_log_configure(const struct log_config *config)
{
	const char octets[] = { (char)config->level, (char)config->format,
		(char)config->target };

	log_configure(config);
	if (helpers_are_apart())
		tell(HELPER_LOG, view_make(octets, sizeof(octets)));
}

static void
end_helper(void *context, pid_t pid)
{
	(void)context;
	tell(HELPER_END, view_make((const char *)&pid, sizeof(pid)));
}

/* ---- starting a helper ---- */

union control {
	struct cmsghdr align;
	char octets[CMSG_SPACE(sizeof(int) * HELPER_LINKS_MAX)];
};

static void
take_descriptors(struct msghdr *message, struct helper_links *out)
{
	out->count = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL;
	     c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		out->count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(out->fds, CMSG_DATA(c), out->count * sizeof(int));
		return; /* there is room for one only */
	}
}

static bool
hear(struct helper_links *out, struct err *err)
{
	struct pollfd readable = { .fd = parent.fd, .events = POLLIN };
	union control control;
	char packet[1 + sizeof(pid_t)] = { 0 };
	struct iovec octets = { .iov_base = packet, .iov_len = sizeof(packet) };
	struct msghdr message = { .msg_iov = &octets,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	const int64_t deadline_ms = clock_mono_ms() + ANSWER_MS;
	int ready;

	do
		ready = poll(&readable, 1, clock_left_ms(deadline_ms));
	while (ready < 0 && errno == EINTR);
	const ssize_t got =
	    ready > 0 ? recvmsg(parent.fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) : -1;
	if (got <= 0)
		return err_set(err, ERR_TEMP, "the parent process does not answer");
	take_descriptors(&message, out);
	if (got == (ssize_t)sizeof(packet) && packet[0] == HELPER_OK && out->count > 0) {
		memcpy(&out->pid, packet + 1, sizeof(out->pid));
		return true;
	}
	for (size_t i = 0; i < out->count; i++)
		(void)close(out->fds[i]);
	return err_set(err, ERR_TEMP, "the parent process could not start a helper");
}

static bool
start(enum helper_packet kind, struct helper_links *out, struct err *err)
{
	bool ok;

	pthread_mutex_lock(&parent.lock);
	tell(kind, VIEW(""));
	ok = hear(out, err);
	pthread_mutex_unlock(&parent.lock);
	return ok;
}

static bool
start_keeper(void *context, struct helper_links *out, struct err *err)
{
	(void)context;
	return start(HELPER_START_KEEPER, out, err);
}

static bool
start_judge(void *context, struct helper_links *out, struct err *err)
{
	(void)context;
	return start(HELPER_START_JUDGE, out, err);
}

struct keeper_client *
helpers_keeper(void)
{
	const struct helper_kind starter = { .open = start_keeper, .end = end_helper };

	return keeper_client_create(&starter, KEEPER_ANSWER_MS);
}

struct judge_client *
helpers_judge(void)
{
	const struct helper_kind starter = { .open = start_judge, .end = end_helper };

	return judge_client_create(&starter, JUDGE_STEP_MS);
}
