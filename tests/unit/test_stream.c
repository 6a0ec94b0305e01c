/* SPDX-License-Identifier: MPL-2.0 */
/* lib/net/stream over socket pairs and loopback, against a peer in a thread. */
#include "lib/net/stream.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/certs.h"

static struct certs certs;
static char ca_file[160];
static struct cert_files good, expired;

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	certs_create(&certs, ca_file);
	certs_issue(&certs, "good", "mta.example.com", 100, &good);
	certs_issue(&certs, "expired", "mta.example.com", -10, &expired);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	certs_destroy(&certs);
	return 0;
}

/* soon - a deadline that a sound test never reaches. */
static int64_t
soon(void)
{
	return clock_mono_ms() + 10000;
}

static struct stream *
pair(int *other_out)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	*other_out = fd[1];
	return stream_from_fd(fd[0], "pair");
}

static void
test_plain(void **state)
{
	struct err err = { .kind = ERR_NONE };
	char buf[16];
	int other;
	struct stream *s = pair(&other);

	(void)state;
	assert_string_equal(stream_peer(s), "pair");
	assert_false(stream_is_tls(s));
	assert_string_equal(stream_tls_text(s), "");
	assert_true(stream_is_quiet(s));
	assert_true(stream_write(s, VIEW("hello"), soon(), &err));
	assert_int_equal(read(other, buf, sizeof(buf)), 5);
	assert_int_equal(write(other, "abc", 3), 3);
	assert_false(stream_is_quiet(s));
	assert_int_equal(stream_read(s, buf, 2, soon(), &err), 2);
	assert_int_equal(stream_read(s, buf, 2, soon(), &err), 1);
	assert_true(stream_is_quiet(s));
	assert_int_equal(stream_read(s, buf, 2, clock_mono_ms() + 10, &err), 0);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_false(stream_is_quiet(s)); /* a stream that had an error is of no more use */
	stream_close(&s);
	assert_null(s);
	stream_close(&s);
	close(other);
}

static void
test_peer_closes(void **state)
{
	struct err err = { .kind = ERR_NONE };
	char buf[16];
	int other;
	struct stream *s = pair(&other);

	(void)state;
	close(other);
	assert_false(stream_is_quiet(s));
	assert_int_equal(stream_read(s, buf, 2, soon(), &err), 0);
	assert_int_equal(err.kind, ERR_CLOSED);
	assert_false(stream_write(s, VIEW("x"), soon(), &err));
	assert_int_equal(err.kind, ERR_IO);
	assert_int_equal(err.errnum, EPIPE);
	stream_abort(&s);
	assert_null(s);
}

static void
test_peer_does_not_read(void **state)
{
	struct err err = { .kind = ERR_NONE };
	size_t len = 8 << 20;
	char *much = mem_calloc(1, len);
	int other;
	struct stream *s = pair(&other);

	(void)state;
	assert_false(stream_write(s, view_make(much, len), clock_mono_ms() + 30, &err));
	assert_int_equal(err.kind, ERR_TIMEOUT);
	stream_abort(&s);
	close(other);
	mem_free(much);
}

static int
listen_on(uint16_t *port_out)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port_out = ntohs(in.sin_port);
	return fd;
}

static void
test_connect(void **state)
{
	struct err err = { .kind = ERR_NONE };
	uint16_t port;
	int listener = listen_on(&port), fd;
	struct stream *s = stream_connect("127.0.0.1", port, soon(), &err);
	char want[64], c;

	(void)state;
	assert_non_null(s);
	snprintf(want, sizeof(want), "127.0.0.1:%u", port);
	assert_string_equal(stream_peer(s), want);
	fd = accept(listener, NULL, NULL);
	stream_abort(&s);
	assert_int_equal(read(fd, &c, 1), -1); /* a reset, not an end */
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	s = stream_connect("127.0.0.1", port, soon(), &err);
	assert_non_null(s);
	fd = accept(listener, NULL, NULL);
	stream_close(&s);
	assert_int_equal(read(fd, &c, 1), 0);
	close(fd);
	close(listener);
	assert_null(stream_connect("127.0.0.1", port, soon(), &err));
	assert_int_equal(err.kind, ERR_IO);
	assert_int_equal(err.errnum, ECONNREFUSED);
	assert_non_null(strstr(err.text, want));
}

/* A listener whose queue is full does not answer: connecting to it hangs. */
static void
test_connect_hangs(void **state)
{
	struct err err = { .kind = ERR_NONE };
	struct stream *filler[16] = { NULL };
	uint16_t port;
	int listener = listen_on(&port);
	bool timed_out = false;

	(void)state;
	assert_int_equal(listen(listener, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(filler) && !timed_out; i++) {
		filler[i] = stream_connect("127.0.0.1", port, clock_mono_ms() + 30, &err);
		timed_out = filler[i] == NULL;
	}
	assert_true(timed_out);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	for (size_t i = 0; i < ARRAY_LEN(filler); i++)
		stream_close(&filler[i]);
	close(listener);
}

struct tls_peer {
	int fd;
	const struct cert_files *files; /* NULL: it answers garbage */
	bool silent;			/* it never answers */
	bool cut;			/* it ends without close_notify */
	bool got_notify;		/* result: it got our close_notify */
	char got[64];			/* result */
};

/* serve_tls - greets with "hello", reads until the end. */
static void *
serve_tls(void *context)
{
	struct tls_peer *peer = context;
	struct tls_server_config config = { .min_version = TLS1_2_VERSION, .listener = "x" };
	SSL_CTX *ctx;
	SSL *ssl;
	char c;
	size_t n, len = 0;

	if (peer->silent) {
		while (read(peer->fd, &c, 1) > 0)
			continue;
		close(peer->fd);
		return NULL;
	}
	if (peer->files == NULL) {
		n = (size_t)write(peer->fd, "220 in clear text\r\n", 19);
		shutdown(peer->fd, SHUT_WR);
		while (read(peer->fd, &c, 1) > 0)
			continue;
		close(peer->fd);
		return NULL;
	}
	config.certificate = peer->files->certificate;
	config.key = peer->files->key;
	ctx = tls_server_create(&config, NULL);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, peer->fd);
	if (SSL_accept(ssl) == 1) {
		SSL_write(ssl, "hello", 5);
		while (!peer->cut && SSL_read_ex(ssl, &c, 1, &n) == 1 &&
		       len < sizeof(peer->got) - 1)
			peer->got[len++] = c;
		peer->got_notify = (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
	}
	ERR_clear_error();
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(peer->fd);
	return NULL;
}

static bool
start_tls(
    struct stream *s, enum tls_verify verify, const char *name, int64_t ms, struct err *err)
{
	SSL_CTX *ctx =
	    tls_client_create(verify, verify == TLS_VERIFY_PEER ? ca_file : NULL, NULL);
	bool ok = stream_start_tls(s, ctx, name, clock_mono_ms() + ms, err);

	SSL_CTX_free(ctx);
	return ok;
}

static void
test_tls(void **state)
{
	struct tls_peer peer = { .files = &good };
	struct err err = { .kind = ERR_NONE };
	struct stream *s = pair(&peer.fd);
	pthread_t thread;
	char buf[16];

	(void)state;
	pthread_create(&thread, NULL, serve_tls, &peer);
	assert_true(start_tls(s, TLS_VERIFY_PEER, "mta.example.com", 10000, &err));
	assert_true(stream_is_tls(s));
	assert_int_equal(strncmp(stream_tls_text(s), "TLSv1.3 TLS_", 12), 0);
	assert_int_equal(stream_read(s, buf, sizeof(buf), soon(), &err), 5);
	assert_true(stream_is_quiet(s));
	assert_true(stream_write(s, VIEW("over TLS"), soon(), &err));
	stream_close(&s);
	pthread_join(thread, NULL);
	assert_string_equal(peer.got, "over TLS");
	assert_true(peer.got_notify);
}

/* The session ticket that waits in the socket is no talk of the peer's; its data is. */
static void
test_tls_quiet(void **state)
{
	struct tls_peer peer = { .files = &good };
	struct err err = { .kind = ERR_NONE };
	struct stream *s = pair(&peer.fd);
	pthread_t thread;
	int tries = 0;

	(void)state;
	pthread_create(&thread, NULL, serve_tls, &peer);
	assert_true(start_tls(s, TLS_VERIFY_NONE, "mta.example.com", 10000, &err));
	while (stream_is_quiet(s) && tries++ < 1000)
		poll(NULL, 0, 5);
	assert_false(stream_is_quiet(s));
	stream_abort(&s);
	pthread_join(thread, NULL);
	assert_false(peer.got_notify);
}

static void
test_tls_end_without_notify(void **state)
{
	struct tls_peer peer = { .files = &good, .cut = true };
	struct err err = { .kind = ERR_NONE };
	struct stream *s = pair(&peer.fd);
	pthread_t thread;
	char buf[16];

	(void)state;
	pthread_create(&thread, NULL, serve_tls, &peer);
	assert_true(start_tls(s, TLS_VERIFY_NONE, "mta.example.com", 10000, &err));
	assert_int_equal(stream_read(s, buf, sizeof(buf), soon(), &err), 5);
	assert_int_equal(stream_read(s, buf, sizeof(buf), soon(), &err), 0);
	assert_int_equal(err.kind, ERR_CLOSED);
	assert_false(stream_is_quiet(s));
	stream_close(&s);
	pthread_join(thread, NULL);
}

static void
test_tls_refusals(void **state)
{
	static const struct {
		const char *sentence;
		const struct cert_files *files;
		bool silent;
		enum tls_verify verify;
		const char *name;
		enum err_kind kind; /* ERR_NONE: the handshake works */
		const char *text;
	} rows[] = {
		{ "the right name is taken", &good, false, TLS_VERIFY_PEER, "mta.example.com",
		    ERR_NONE, "" },
		{ "a wrong name is refused", &good, false, TLS_VERIFY_PEER, "mx.example.com",
		    ERR_TLS, "hostname mismatch" },
		{ "an address that is not in the certificate is refused", &good, false,
		    TLS_VERIFY_PEER, "192.0.2.1", ERR_TLS, "IP address mismatch" },
		{ "an expired certificate is refused", &expired, false, TLS_VERIFY_PEER,
		    "mta.example.com", ERR_TLS, "expired" },
		{ "verifying without a name is refused", &good, false, TLS_VERIFY_PEER, "",
		    ERR_TLS, "name" },
		{ "without verification all of that is taken", &expired, false, TLS_VERIFY_NONE,
		    "mx.example.com", ERR_NONE, "" },
		{ "clear text instead of a handshake is refused", NULL, false, TLS_VERIFY_NONE,
		    "mta.example.com", ERR_TLS, "handshake" },
		{ "a peer that hangs costs no more than the deadline", NULL, true,
		    TLS_VERIFY_NONE, "mta.example.com", ERR_TIMEOUT, "handshake" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_peer peer = { .files = rows[i].files, .silent = rows[i].silent };
		struct err err = { .kind = ERR_NONE };
		struct stream *s = pair(&peer.fd);
		pthread_t thread;
		bool ok;

		pthread_create(&thread, NULL, serve_tls, &peer);
		ok = start_tls(
		    s, rows[i].verify, rows[i].name, rows[i].silent ? 30 : 10000, &err);
		if (ok != (rows[i].kind == ERR_NONE) || err.kind != rows[i].kind ||
		    strstr(err.text, rows[i].text) == NULL)
			fail_msg("%s: %s", rows[i].sentence, err.text);
		stream_close(&s);
		pthread_join(thread, NULL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_peer_closes),
		cmocka_unit_test(test_peer_does_not_read),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_connect_hangs),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_tls_quiet),
		cmocka_unit_test(test_tls_end_without_notify),
		cmocka_unit_test(test_tls_refusals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
