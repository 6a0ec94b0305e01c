/* SPDX-License-Identifier: MPL-2.0 */
/* Frames over a stream socket; see judge_wire.h. A head is eight octets: kind, zeros, length.
 */
#include "lib/domain/judge_wire.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define HEAD_OCTETS 8

/* wait_for - false: too late, or an error. The judge never comes here. */
static bool
wait_for(int fd, short events, int64_t deadline_ms, struct err *err)
{
	struct pollfd wanted = { .fd = fd, .events = events };
	int ready;

	do
		ready = poll(&wanted, 1, clock_left_ms(deadline_ms));
	while (ready < 0 && errno == EINTR);
	return ready > 0 || err_set(err, ERR_TIMEOUT, "the other side does not answer");
}

static bool
send_all(int fd, struct view text, int64_t deadline_ms, struct err *err)
{
	const bool is_blocking = deadline_ms == CLOCK_NEVER;

	while (text.len > 0) {
		const ssize_t sent =
		    send(fd, text.p, text.len, MSG_NOSIGNAL | (is_blocking ? 0 : MSG_DONTWAIT));

		if (sent > 0)
			text = view_from(text, (size_t)sent);
		else if (errno == EAGAIN && !is_blocking) {
			if (!wait_for(fd, POLLOUT, deadline_ms, err))
				return false;
		} else if (errno != EINTR)
			return err_set(err, ERR_CLOSED, "the other side has ended");
	}
	return true;
}

static bool
receive_all(int fd, char *to, size_t len, int64_t deadline_ms, struct err *err)
{
	const bool is_blocking = deadline_ms == CLOCK_NEVER;

	while (len > 0) {
		const ssize_t got = recv(fd, to, len, is_blocking ? 0 : MSG_DONTWAIT);

		if (got > 0) {
			to += got;
			len -= (size_t)got;
		} else if (got < 0 && errno == EAGAIN && !is_blocking) {
			if (!wait_for(fd, POLLIN, deadline_ms, err))
				return false;
		} else if (got == 0 || errno != EINTR)
			return err_set(err, ERR_CLOSED, "the other side has ended");
	}
	return true;
}

bool
judge_send(
    int fd, enum judge_frame kind, struct view text, int64_t deadline_ms, struct err *err)
{
	char head[HEAD_OCTETS] = { (char)kind };
	const uint32_t len = (uint32_t)text.len;

	if (text.len > JUDGE_FRAME_MAX)
		return err_set(err, ERR_LIMIT, "the frame is too long");
	memcpy(head + HEAD_OCTETS - sizeof(len), &len, sizeof(len));
	return send_all(fd, view_make(head, sizeof(head)), deadline_ms, err) &&
	       send_all(fd, text, deadline_ms, err);
}

bool
judge_receive(
    int fd, int64_t deadline_ms, char *kind_out, struct buf *text_out, struct err *err)
{
	char head[HEAD_OCTETS];
	uint32_t len;

	if (!receive_all(fd, head, sizeof(head), deadline_ms, err))
		return false;
	memcpy(&len, head + HEAD_OCTETS - sizeof(len), sizeof(len));
	*kind_out = head[0];
	buf_clear(text_out);
	char *to = len <= JUDGE_FRAME_MAX ? buf_reserve(text_out, len + 1) : NULL;
	if (to == NULL)
		return err_set(err, ERR_PROTOCOL, "the frame is too long");
	if (!receive_all(fd, to, len, deadline_ms, err))
		return false;
	buf_commit(text_out, len);
	return true;
}
