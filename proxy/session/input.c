/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Octets from and to the client, plain or TLS, on a non-blocking descriptor: never waits, never
 * interprets. After close_notify or any TLS error the connection is over (never read on in
 * clear).
 */
#include "proxy/session/session_private.h"

#include "lib/base/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#define FILL_COMMANDS 2048 /* octets asked for while lines are awaited */
#define LINGER_MAX    (256 * 1024)
#define FILL_CONTENT  SESSION_IN_MAX /* and while content is */

static enum input_status
tls_status(struct session *s, int result)
{
	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return INPUT_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return INPUT_WANT_WRITE;
	default:
		return INPUT_CLOSED;
	}
}

static void
note_tls(struct session *s)
{
	struct tls_facts *tls = &s->facts.tls;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(s->ssl);

	tls->on = true;
	tls->version = SSL_get_version(s->ssl);
	tls->cipher = SSL_CIPHER_get_name(cipher);
	tls->bits = SSL_CIPHER_get_bits(cipher, NULL);
}

enum input_status
input_handshake(struct session *s)
{
	ERR_clear_error();
	int result = SSL_accept(s->ssl);

	if (result == 1) {
		note_tls(s);
		s->handshaking = !client_certificate_note(s);
		return s->handshaking ? INPUT_CLOSED : INPUT_OK;
	}
	enum input_status status = tls_status(s, result);
	if (status == INPUT_CLOSED) {
		char text[160];
		tls_error_text(text, sizeof(text));
		log_event(s->is_check ? LEVEL_DEBUG : LEVEL_INFO, "tls.fail",
		    LOG_STR("id", s->facts.session_id), LOG_STR("client", s->facts.client.text),
		    LOG_STR("text", text));
		SSL_set_quiet_shutdown(s->ssl, 1);
	}
	return status;
}

static enum input_status
fill_tls(struct session *s, char *room, size_t want)
{
	size_t got = 0;

	ERR_clear_error();
	int result = SSL_read_ex(s->ssl, room, want, &got);
	if (result == 1) {
		buf_commit(&s->in, got);
		s->drained = got < want && SSL_has_pending(s->ssl) == 0;
		return INPUT_OK;
	}
	return tls_status(s, result);
}

static enum input_status
fill_plain(struct session *s, char *room, size_t want)
{
	ssize_t got = recv(s->fd, room, want, 0);

	if (got > 0) {
		buf_commit(&s->in, (size_t)got);
		s->drained = (size_t)got < want;
		return INPUT_OK;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return INPUT_WANT_READ;
	return INPUT_CLOSED;
}

enum input_status
input_fill(struct session *s)
{
	const bool is_content = s->state == STATE_CONTENT || s->chunk.left > 0;
	size_t want = is_content ? FILL_CONTENT : FILL_COMMANDS;

	if (s->drained) { /* the last read took all there was: the next one is the loop's to
			     call */
		s->drained = false;
		return INPUT_WANT_READ;
	}
	if (want > s->in.cap - s->in.len)
		want = s->in.cap - s->in.len;
	/* Lines fill what is allocated first: growing means copying. */
	if (!is_content && s->in.room > s->in.len && want > s->in.room - s->in.len)
		want = s->in.room - s->in.len;
	char *room = want > 0 ? buf_reserve(&s->in, want) : NULL;
	if (room == NULL)
		return INPUT_CLOSED; /* a line longer than the buffer was refused before */
	return s->ssl != NULL ? fill_tls(s, room, want) : fill_plain(s, room, want);
}

enum input_status
input_flush(struct session *s)
{
	while (s->out.len > 0) {
		size_t sent = 0;
		if (s->ssl != NULL) {
			ERR_clear_error();
			int result = SSL_write_ex(s->ssl, s->out.p, s->out.len, &sent);
			if (result != 1)
				return tls_status(s, result);
		} else {
			ssize_t n = send(s->fd, s->out.p, s->out.len, MSG_NOSIGNAL);
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				return INPUT_WANT_WRITE;
			if (n <= 0)
				return INPUT_CLOSED;
			sent = (size_t)n;
		}
		buf_drop(&s->out, sent);
	}
	if (s->tls_next)
		input_start_tls(s);
	return INPUT_OK;
}

void
input_start_tls(struct session *s)
{
	s->tls_next = false;
	s->drained = false; /* the handshake may read on into the first commands */
	s->ssl = SSL_new(s->listener->tls);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1)
		BUG("no SSL object");
	s->handshaking = true;
}

bool
input_is_silent(const struct session *s)
{
	return s->proxy != NULL || s->handshaking;
}

bool
input_has_early_talk(const struct session *s)
{
	char octet;

	return recv(s->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool
input_is_gone(const struct session *s)
{
	struct pollfd client = { .fd = s->fd, .events = POLLRDHUP };

	return poll(&client, 1, 0) > 0;
}

/*
 * A close(2) with octets unread makes the kernel send a reset, which can overtake our last
 * reply. So we end our side and read on, in clear or not, only to throw it away; bounded by the
 * caller's deadline and LINGER_MAX.
 */
enum input_status
input_linger(struct session *s)
{
	char waste[4096];

	if (!s->lingering) {
		s->lingering = true;
		if (s->ssl != NULL && !s->handshaking) {
			ERR_clear_error();
			(void)SSL_shutdown(s->ssl);
		}
		(void)shutdown(s->fd, SHUT_WR);
	}
	while (s->lingered < LINGER_MAX && !s->has_quit) {
		ssize_t got = recv(s->fd, waste, sizeof(waste), 0);
		if (got < 0 && errno == EAGAIN)
			return INPUT_WANT_READ;
		if (got <= 0 && errno != EINTR)
			break;
		s->lingered += got > 0 ? (size_t)got : 0;
	}
	return INPUT_CLOSED;
}
