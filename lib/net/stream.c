/* SPDX-License-Identifier: MPL-2.0 */
/* See stream.h. The stream holds no buffer of its own: what was read is with the reader. */
#include "lib/net/stream.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/address.h"
#include "lib/net/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

struct stream {
	int fd;		   /* owned; non-blocking under TLS */
	int read_limit_ms; /* what SO_RCVTIMEO is; 0: not set yet */
	SSL *ssl;	   /* owned; NULL: plain text */
	bool is_broken;	   /* an error was seen: no close_notify, nothing to reuse */
	char peer[ADDRESS_TEXT_MAX];
	char tls_text[64];
};

static bool
set_non_blocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);
	int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

	return flags >= 0 && (flags == wanted || fcntl(fd, F_SETFL, wanted) == 0);
}

struct stream *
stream_from_fd(int fd, const char *peer)
{
	struct stream *s = mem_calloc(1, sizeof(*s));

	if (!set_non_blocking(fd, false))
		BUG("a stream over what is no socket");
	s->fd = fd;
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	return s;
}

static void
stream_free(struct stream **s)
{
	SSL_free((*s)->ssl);
	close((*s)->fd);
	mem_free(*s);
	*s = NULL;
}

void
stream_close(struct stream **s)
{
	if (*s == NULL)
		return;
	if ((*s)->ssl != NULL && !(*s)->is_broken) {
		ERR_clear_error();
		(void)SSL_shutdown((*s)->ssl);
		ERR_clear_error();
	}
	stream_free(s);
}

void
stream_abort(struct stream **s)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (*s == NULL)
		return;
	/* A reset: what is still in the socket's buffer is dropped, and no end is to be seen.
	 */
	(void)setsockopt((*s)->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	stream_free(s);
}

bool
stream_is_tls(const struct stream *s)
{
	return s->ssl != NULL;
}

int
stream_fd(const struct stream *s)
{
	return s->fd;
}

const char *
stream_peer(const struct stream *s)
{
	return s->peer;
}

const char *
stream_tls_text(const struct stream *s)
{
	return s->tls_text;
}

/* wait_for - until fd is ready for events or the deadline has passed. */
static bool
wait_for(int fd, short events, int64_t deadline_ms, struct err *err)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int left = clock_left_ms(deadline_ms);
		int n = poll(&p, 1, left);

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return err_set_errno(err, errno, "poll");
		if (n == 0 && clock_left_ms(deadline_ms) == 0)
			return err_set(err, ERR_TIMEOUT, "no answer in time");
	}
}

/* is_self - the kernel has joined a loopback port in the ephemeral range with itself. */
static bool
is_self(int fd, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(own);

	return getsockname(fd, (struct sockaddr *)&own, &len) == 0 && address_eq(&own, peer);
}

static bool
finish_connect(
    int fd, const struct sockaddr_storage *addr, int64_t deadline_ms, struct err *err)
{
	socklen_t addr_len = addr->ss_family == AF_INET ? sizeof(struct sockaddr_in)
							: sizeof(struct sockaddr_in6);
	socklen_t len = sizeof(int);
	int on = 1, status = 0;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)addr, addr_len) != 0) {
		if (errno != EINPROGRESS && errno != EINTR)
			return err_set_errno(err, errno, "connect");
		if (!wait_for(fd, POLLOUT, deadline_ms, err))
			return err_prefix(err, "connect");
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &len) != 0)
			status = errno;
		if (status != 0)
			return err_set_errno(err, status, "connect");
	}
	if (is_self(fd, addr))
		return err_set_errno(err, ECONNREFUSED, "connect");
	return true;
}

static struct stream *
connect_one(const struct sockaddr_storage *addr, int64_t deadline_ms, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	address_text(addr, text);
	if (fd < 0) {
		err_set_errno(err, errno, "%s: socket", text);
		return NULL;
	}
	if (!finish_connect(fd, addr, deadline_ms, err)) {
		err_prefix(err, "%s", text);
		close(fd);
		return NULL;
	}
	return stream_from_fd(fd, text);
}

struct stream *
stream_connect(const char *host, uint16_t port, int64_t deadline_ms, struct err *err)
{
	struct lookup_answer answer;
	struct stream *s = NULL;

	if (!lookup_host(host, port, deadline_ms, &answer, err))
		return NULL;
	/* Each address gets its share of what is left, so that one that hangs does not eat it
	 * all. */
	for (size_t i = 0; s == NULL && i < answer.count; i++) {
		int64_t share = clock_left_ms(deadline_ms) / (int64_t)(answer.count - i);

		s = connect_one(&answer.addresses[i], clock_mono_ms() + share, err);
	}
	return s;
}

/* connect_path - SO_SNDTIMEO is what bounds a connect to a full queue (unix(7)). */
static bool
connect_path(int fd, const char *path, int64_t deadline_ms, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (!view_copy(view_of(path), address.sun_path, sizeof(address.sun_path)))
		return err_set_errno(err, ENAMETOOLONG, "connect");
	for (;;) {
		const int left_ms = clock_left_ms(deadline_ms);
		const struct timeval limit = { .tv_sec = left_ms / 1000,
			.tv_usec = (suseconds_t)(left_ms % 1000) * 1000 };

		if (left_ms == 0)
			return err_set(err, ERR_TIMEOUT, "connect: no answer in time");
		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
			return err_set_errno(err, errno, "SO_SNDTIMEO");
		if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return true;
		if (errno != EINTR && errno != EAGAIN)
			return err_set_errno(err, errno, "connect");
	}
}

struct stream *
stream_connect_unix(const char *path, int64_t deadline_ms, struct err *err)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		err_set_errno(err, errno, "%s: socket", path);
		return NULL;
	}
	if (connect_path(fd, path, deadline_ms, err))
		return stream_from_fd(fd, path);
	err_prefix(err, "%s", path);
	close(fd);
	return NULL;
}

/*
 * tls_wait - after an SSL call answered rc: true when it is worth calling again; otherwise *err
 * says why not, and the stream is broken unless it was a clean end.
 */
static bool
tls_wait(struct stream *s, int rc, int64_t deadline_ms, struct err *err)
{
	char text[160];
	int errnum = errno;
	int why = SSL_get_error(s->ssl, rc);

	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
		if (wait_for(
			s->fd, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_ms, err))
			return true;
		s->is_broken = true;
		return false;
	}
	if (why == SSL_ERROR_ZERO_RETURN)
		return err_set(err, ERR_CLOSED, "the connection was closed");
	s->is_broken = true;
	if (why == SSL_ERROR_SSL &&
	    ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		return err_set(
		    err, ERR_CLOSED, "the connection was closed without a TLS close_notify");
	}
	if (why == SSL_ERROR_SYSCALL && errnum != 0)
		return err_set_errno(err, errnum, "TLS");
	tls_error_text(text, sizeof(text));
	return err_set(err, ERR_TLS, "TLS: %s", text);
}

/* set_name - what the certificate must be made out to, and SNI (host names only, RFC 6066 3).
 */
static bool
set_name(SSL *ssl, const char *name)
{
	struct sockaddr_storage unused;
	char sni[256];

	if (name[0] == '\0')
		return SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE;
	if (address_from_host(name, 0, &unused))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return view_copy(view_of(name), sni, sizeof(sni)) &&
	       SSL_set_tlsext_host_name(ssl, sni) == 1 && SSL_set1_host(ssl, name) == 1;
}

/* handshake_fail - put the reason of a refused certificate into words. */
static bool
handshake_fail(struct stream *s, const char *name, struct err *err)
{
	long verdict = SSL_get_verify_result(s->ssl);

	s->is_broken = true;
	if (err != NULL && err->kind == ERR_TLS && verdict != X509_V_OK)
		return err_set(err, ERR_TLS, "TLS: certificate for \"%s\" refused: %s", name,
		    X509_verify_cert_error_string(verdict));
	return err_prefix(err, "TLS handshake");
}

/* make_session - over the socket; who is expected is not said yet. */
static bool
make_session(struct stream *s, SSL_CTX *ctx, const char *name, struct err *err)
{
	if (s->ssl != NULL)
		BUG("TLS is on already");
	ERR_clear_error();
	s->ssl = SSL_new(ctx);
	if (s->ssl != NULL && SSL_set_fd(s->ssl, s->fd) == 1 && set_non_blocking(s->fd, true))
		return true;
	s->is_broken = true;
	return err_set(err, ERR_TLS, "TLS: no session for the name \"%s\" can be made", name);
}

static bool
shake_hands(struct stream *s, const char *name, int64_t deadline_ms, struct err *err)
{
	int rc;

	for (;;) {
		ERR_clear_error();
		errno = 0;
		rc = SSL_connect(s->ssl);
		if (rc == 1)
			break;
		if (!tls_wait(s, rc, deadline_ms, err))
			return handshake_fail(s, name, err);
	}
	snprintf(s->tls_text, sizeof(s->tls_text), "%s %s", SSL_get_version(s->ssl),
	    SSL_get_cipher_name(s->ssl));
	return true;
}

bool
stream_start_tls(
    struct stream *s, SSL_CTX *ctx, const char *name, int64_t deadline_ms, struct err *err)
{
	if (!make_session(s, ctx, name, err))
		return false;
	if (set_name(s->ssl, name))
		return shake_hands(s, name, deadline_ms, err);
	s->is_broken = true;
	return err_set(err, ERR_TLS, "TLS: no session for the name \"%s\" can be made", name);
}

bool
stream_start_tls_dane(struct stream *s, SSL_CTX *ctx, const struct dane *dane,
    int64_t deadline_ms, struct err *err)
{
	if (!make_session(s, ctx, dane->host, err))
		return false;
	if (dane_apply(s->ssl, dane, err))
		return shake_hands(s, dane->host, deadline_ms, err);
	s->is_broken = true;
	return false;
}

/*
 * limit_read - let a read wait for about left_ms. The kernel is told only when what it knows is
 * a sixteenth too long, or so short that waking up early to wait again would cost more.
 */
static bool
limit_read(struct stream *s, int left_ms, struct err *err)
{
	struct timeval limit = { .tv_sec = left_ms / 1000,
		.tv_usec = (suseconds_t)(left_ms % 1000) * 1000 };

	if (s->read_limit_ms > left_ms / 8 && s->read_limit_ms - left_ms <= left_ms / 16)
		return true;
	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
		return err_set_errno(err, errno, "SO_RCVTIMEO");
	s->read_limit_ms = left_ms;
	return true;
}

/* read_plain - a read that waits itself, without a poll(2) before it. */
static size_t
read_plain(struct stream *s, char *out, size_t room, int64_t deadline_ms, struct err *err)
{
	do {
		int left_ms = clock_left_ms(deadline_ms);
		if (left_ms > 0 && !limit_read(s, left_ms, err))
			break;
		ssize_t n = recv(s->fd, out, room, left_ms > 0 ? 0 : MSG_DONTWAIT);
		if (n > 0)
			return (size_t)n;
		if (n == 0)
			err_set(err, ERR_CLOSED, "the connection was closed");
		else if (errno == EINTR || (errno == EAGAIN && left_ms > 0))
			continue;
		else if (errno == EAGAIN)
			err_set(err, ERR_TIMEOUT, "no answer in time");
		else
			err_set_errno(err, errno, "read");
		break;
	} while (true);
	s->is_broken = true;
	return 0;
}

size_t
stream_read(struct stream *s, char *out, size_t room, int64_t deadline_ms, struct err *err)
{
	size_t n;

	if (room == 0)
		BUG("a read without room");
	if (s->ssl == NULL)
		return read_plain(s, out, room, deadline_ms, err);
	do {
		int rc;

		ERR_clear_error();
		errno = 0;
		rc = SSL_read_ex(s->ssl, out, room, &n);
		if (rc == 1)
			return n;
		if (!tls_wait(s, rc, deadline_ms, err))
			return 0;
	} while (true);
}

/* write_some - at least one octet; 0: failed. */
static size_t
write_some(struct stream *s, struct view data, int64_t deadline_ms, struct err *err)
{
	for (;;) {
		ssize_t n;
		size_t done;
		int rc;

		errno = 0;
		if (s->ssl != NULL) {
			ERR_clear_error();
			rc = SSL_write_ex(s->ssl, data.p, data.len, &done);
			if (rc == 1)
				return done;
			if (!tls_wait(s, rc, deadline_ms, err))
				return 0;
			continue;
		}
		n = send(s->fd, data.p, data.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			return (size_t)n;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			err_set_errno(err, errno, "write");
			return 0;
		}
		if (!wait_for(s->fd, POLLOUT, deadline_ms, err))
			return 0;
	}
}

bool
stream_write(struct stream *s, struct view data, int64_t deadline_ms, struct err *err)
{
	while (data.len > 0) {
		size_t n = write_some(s, data, deadline_ms, err);

		if (n == 0) {
			s->is_broken = true;
			return false;
		}
		data = view_from(data, n);
	}
	return true;
}

bool
stream_is_quiet(struct stream *s)
{
	char c;
	size_t n;
	ssize_t got;

	if (s->is_broken)
		return false;
	got = recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
	if (got == 0 || (got < 0 && errno != EAGAIN))
		return false;
	if (s->ssl == NULL)
		return got < 0;
	if (got < 0 && SSL_has_pending(s->ssl) == 0)
		return true;
	/* Records have arrived: session tickets are no data, everything else is. */
	ERR_clear_error();
	if (SSL_peek_ex(s->ssl, &c, 1, &n) == 1)
		return false;
	got = SSL_get_error(s->ssl, 0) == SSL_ERROR_WANT_READ;
	ERR_clear_error();
	return got == 1;
}
