/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the session's fuzzer: TLS towards the client as a fact. The handshake is one octet, 0x16;
 * anything else fails it. What follows is as it was in clear, until 0x15: that stands for
 * close_notify. Reading on after it, or writing before the handshake, is an error of the gate.
 * Stands in for what libssl exports; linked statically, so that it wins.
 */
#ifndef GATEPOST_TESTS_SESSION_TLS_H
#define GATEPOST_TESTS_SESSION_TLS_H

#include "tests/fuzz/session_check.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#define TLS_HELLO 0x16
#define TLS_END	  0x15

struct ssl_st {
	int fd, error;
	bool is_up, has_ended;
};

/* tls_begins - what was said in clear has no meaning from here on. */
static void tls_begins(int fd);

static struct ssl_st tls; /* one session at a time, and one handshake in it */

static inline int
tls_error(SSL *ssl, int error)
{
	ssl->error = error;
	return error == SSL_ERROR_NONE ? 1 : -1;
}

SSL *
SSL_new(SSL_CTX *ctx)
{
	(void)ctx;
	check(!tls.is_up, "one handshake in a session");
	memset(&tls, 0, sizeof(tls));
	return &tls;
}

void
SSL_free(SSL *ssl)
{
	(void)ssl;
}

int
SSL_set_fd(SSL *ssl, int fd)
{
	ssl->fd = fd;
	return 1;
}

int
SSL_accept(SSL *ssl)
{
	char octet;
	ssize_t got = recv(ssl->fd, &octet, 1, MSG_DONTWAIT);

	if (got < 0)
		return tls_error(ssl, SSL_ERROR_WANT_READ);
	ssl->is_up = got == 1 && octet == TLS_HELLO;
	if (ssl->is_up)
		tls_begins(ssl->fd);
	return tls_error(ssl, ssl->is_up ? SSL_ERROR_NONE : SSL_ERROR_SSL);
}

int
SSL_get_error(const SSL *ssl, int result)
{
	(void)result;
	return ssl->error;
}

int
SSL_read_ex(SSL *ssl, void *out, size_t room, size_t *got_out)
{
	ssize_t got = recv(ssl->fd, out, room, MSG_PEEK | MSG_DONTWAIT);

	check(ssl->is_up, "a handshake comes first");
	check(!ssl->has_ended, "the end of TLS is the end");
	if (got < 0)
		return tls_error(ssl, SSL_ERROR_WANT_READ) > 0;
	const char *end = memchr(out, TLS_END, (size_t)got);
	ssl->has_ended = got == 0 || end == out;
	if (ssl->has_ended)
		return tls_error(ssl, got == 0 ? SSL_ERROR_SYSCALL : SSL_ERROR_ZERO_RETURN) > 0;
	*got_out = end != NULL ? (size_t)(end - (char *)out) : (size_t)got;
	check(recv(ssl->fd, out, *got_out, 0) == (ssize_t)*got_out, "what was there stays");
	return 1;
}

int
SSL_write_ex(SSL *ssl, const void *p, size_t len, size_t *sent_out)
{
	ssize_t sent = send(ssl->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	check(ssl->is_up, "nothing is said before the handshake");
	if (sent < 0)
		return tls_error(
			   ssl, errno == EAGAIN ? SSL_ERROR_WANT_WRITE : SSL_ERROR_SYSCALL) > 0;
	*sent_out = (size_t)sent;
	return 1;
}

int
SSL_has_pending(const SSL *ssl)
{
	(void)ssl;
	return 0;
}

int
SSL_shutdown(SSL *ssl)
{
	(void)ssl;
	return 1;
}

void
SSL_set_quiet_shutdown(SSL *ssl, int mode)
{
	(void)ssl, (void)mode;
}

const char *
SSL_get_version(const SSL *ssl)
{
	(void)ssl;
	return "TLSv1.3";
}

const SSL_CIPHER *
SSL_get_current_cipher(const SSL *ssl)
{
	(void)ssl;
	return NULL;
}

/* The client shows no certificate. */
X509 *
SSL_get0_peer_certificate(const SSL *ssl)
{
	(void)ssl;
	return NULL;
}

long
SSL_get_verify_result(const SSL *ssl)
{
	(void)ssl;
	return X509_V_OK;
}

int
SSL_session_reused(const SSL *ssl)
{
	(void)ssl;
	return 0;
}

#endif
