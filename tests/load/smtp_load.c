/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The load generator of `make bench`: submits messages over STARTTLS with AUTH PLAIN, a number
 * of connections at once, each with a number of messages, and prints one JSON object: messages,
 * seconds, errors, and the latency of a message (MAIL to the final 250) at p50 and p99.
 *
 * usage: smtp_load PORT LOGIN PASSWORD CONNECTIONS MESSAGES_A_CONNECTION MESSAGES_IN_ALL
 * [OCTETS] smtp_load PORT LOGIN PASSWORD --idle SESSIONS
 *
 * With --idle it opens that many authenticated sessions, prints "idle", waits for a line on its
 * standard input, and closes them. With --corpus and a folder in place of login and password it
 * is another server: no TLS, no login, and by turns the messages 000, 001, ... of the folder,
 * each a file whose first line is the sender, the rest the message with its dots doubled and
 * the last one. Loopback only.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IN_MAX	     8192
#define IDLE_THREADS 8	   /* that open idle sessions */
#define A_SOURCE_MAX 20000 /* connections from one loopback address */
#define CORPUS_MAX   1000

struct message {
	char *sender; /* the start of the memory that text is in, too */
	const char *text;
	size_t len;
};

static struct {
	uint16_t port;
	char auth[600]; /* base64 of \0login\0password */
	const char *login;
	long messages_a_connection, messages, octets;
	bool is_inbound;
	SSL_CTX *ctx;
} plan;

static struct message corpus[CORPUS_MAX]; /* written before the threads start */
static size_t corpus_count;

static atomic_long next_message, errors;
static double *latencies_ms; /* by message */

struct client {
	int fd;
	SSL *ssl;
	size_t len;
	char in[IN_MAX];
};

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool
put(struct client *c, const char *text, size_t len)
{
	size_t sent;

	if (c->ssl != NULL)
		return SSL_write_ex(c->ssl, text, len, &sent) == 1 && sent == len;
	return send(c->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool
fill(struct client *c)
{
	size_t got = 0;

	if (c->len == IN_MAX)
		return false;
	if (c->ssl != NULL) {
		if (SSL_read_ex(c->ssl, c->in + c->len, IN_MAX - c->len, &got) != 1)
			return false;
	} else {
		ssize_t n = recv(c->fd, c->in + c->len, IN_MAX - c->len, 0);
		if (n <= 0)
			return false;
		got = (size_t)n;
	}
	c->len += got;
	return true;
}

/* The next whole reply's code; 0: the connection failed. */
static int
get_reply(struct client *c)
{
	for (;;) {
		char *lf = memchr(c->in, '\n', c->len);
		if (lf == NULL) {
			if (!fill(c))
				return 0;
			continue;
		}
		bool last = lf - c->in > 3 && c->in[3] == ' ';
		int code = atoi(c->in);
		size_t used = (size_t)(lf - c->in) + 1;
		memmove(c->in, c->in + used, c->len - used);
		c->len -= used;
		if (last)
			return code;
	}
}

static bool
expect(struct client *c, const char *line, int code)
{
	return put(c, line, strlen(line)) && get_reply(c) == code;
}

static void
close_client(struct client *c)
{
	if (c->ssl != NULL) {
		(void)SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
}

static struct client *
open_client(long number)
{
	struct client *c = calloc(1, sizeof(*c));
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(plan.port) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	const int on = 1;
	char line[700];

	if (c == NULL)
		return NULL;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number / A_SOURCE_MAX));
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		goto failed;
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (get_reply(c) != 220 || !expect(c, "EHLO load.example\r\n", 250))
		goto failed;
	if (plan.is_inbound)
		return c;
	if (!expect(c, "STARTTLS\r\n", 220))
		goto failed;
	c->ssl = SSL_new(plan.ctx);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
		goto failed;
	(void)snprintf(line, sizeof(line), "AUTH PLAIN %s\r\n", plan.auth);
	if (expect(c, "EHLO load.example\r\n", 250) && expect(c, line, 235))
		return c;
failed:
	close_client(c);
	return NULL;
}

/* make_message - the one that users send. */
static void
make_message(void)
{
	char *text = malloc((size_t)plan.octets + 512);
	size_t len;

	if (text == NULL)
		abort();
	len = (size_t)sprintf(text,
	    "From: %s\r\nTo: you@example.net\r\nSubject: load\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\n"
	    "Message-ID: <load@example.com>\r\n\r\n",
	    plan.login);
	while (len < (size_t)plan.octets)
		len += (size_t)sprintf(text + len,
		    "Sphinx of black quartz, judge my vow; the five boxing wizards jump.\r\n");
	len += (size_t)sprintf(text + len, ".\r\n");
	corpus[0] = (struct message){ strdup(plan.login), text, len };
	corpus_count = 1;
}

static bool
read_message(const char *path)
{
	FILE *file = fopen(path, "r");
	char *all, *lf;
	long size = -1;

	if (file == NULL)
		return false;
	if (fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	all = calloc(1, (size_t)size + 2);
	if (size < 0 || all == NULL)
		abort();
	rewind(file);
	if (fread(all, 1, (size_t)size, file) != (size_t)size)
		abort();
	(void)fclose(file);
	lf = strchr(all, '\n');
	if (lf == NULL)
		abort();
	*lf = '\0';
	corpus[corpus_count++] =
	    (struct message){ all, lf + 1, (size_t)size - (size_t)(lf + 1 - all) };
	return true;
}

static void
read_corpus(const char *folder)
{
	char path[600];

	do
		(void)snprintf(path, sizeof(path), "%s/%03zu", folder, corpus_count);
	while (corpus_count < CORPUS_MAX && read_message(path));
	if (corpus_count == 0) {
		(void)fprintf(stderr, "smtp_load: no message in %s\n", folder);
		exit(2);
	}
}

static bool
send_message(struct client *c, const struct message *message)
{
	char line[400];

	(void)snprintf(line, sizeof(line), "MAIL FROM:<%s>\r\n", message->sender);
	return expect(c, line, 250) && expect(c, "RCPT TO:<you@example.net>\r\n", 250) &&
	       expect(c, "DATA\r\n", 354) && put(c, message->text, message->len) &&
	       get_reply(c) == 250;
}

static void *
run_thread(void *arg)
{
	(void)arg;
	while (atomic_load(&next_message) < plan.messages) {
		struct client *c = open_client(0);
		if (c == NULL && atomic_fetch_add(&errors, 1) > 100)
			break;
		for (long i = 0; c != NULL && i < plan.messages_a_connection; i++) {
			long number = atomic_fetch_add(&next_message, 1);
			if (number >= plan.messages)
				break;
			double start = now_ms();
			if (!send_message(c, &corpus[(size_t)number % corpus_count])) {
				atomic_fetch_add(&errors, 1);
				break;
			}
			latencies_ms[number] = now_ms() - start;
		}
		if (c != NULL) {
			(void)expect(c, "QUIT\r\n", 221);
			close_client(c);
		}
	}
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
print_result(double seconds)
{
	long done = 0;

	for (long i = 0; i < plan.messages; i++) {
		if (latencies_ms[i] > 0)
			latencies_ms[done++] = latencies_ms[i];
	}
	qsort(latencies_ms, (size_t)done, sizeof(*latencies_ms), compare);
	(void)printf("{\"messages\": %ld, \"errors\": %ld, \"seconds\": %.3f, \"rate\": %.1f, "
		     "\"p50_ms\": %.2f, \"p99_ms\": %.2f}\n",
	    done, atomic_load(&errors), seconds, (double)done / seconds,
	    done > 0 ? latencies_ms[done / 2] : 0,
	    done > 0 ? latencies_ms[done * 99 / 100] : 0);
}

static int
run_load(long connections)
{
	pthread_t threads[512];
	double start = now_ms();

	if (connections > 512)
		connections = 512;
	latencies_ms = calloc((size_t)plan.messages + 1, sizeof(*latencies_ms));
	if (latencies_ms == NULL)
		return EXIT_FAILURE;
	for (long i = 0; i < connections; i++) {
		if (pthread_create(&threads[i], NULL, run_thread, NULL) != 0)
			return EXIT_FAILURE;
	}
	for (long i = 0; i < connections; i++)
		(void)pthread_join(threads[i], NULL);
	print_result((now_ms() - start) / 1e3);
	return EXIT_SUCCESS;
}

static void *
open_thread(void *arg)
{
	struct client **clients = arg;
	long number;

	while ((number = atomic_fetch_add(&next_message, 1)) < plan.messages) {
		clients[number] = open_client(number);
		if (clients[number] == NULL)
			atomic_fetch_add(&errors, 1);
	}
	return NULL;
}

static int
run_idle(long sessions)
{
	struct client **clients = calloc((size_t)sessions, sizeof(struct client *));
	pthread_t threads[IDLE_THREADS];

	if (clients == NULL)
		return EXIT_FAILURE;
	plan.messages = sessions;
	for (int i = 0; i < IDLE_THREADS; i++) {
		if (pthread_create(&threads[i], NULL, open_thread, clients) != 0)
			return EXIT_FAILURE;
	}
	for (int i = 0; i < IDLE_THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("idle %ld\n", sessions - atomic_load(&errors));
	(void)fflush(stdout);
	(void)getchar();
	for (long i = 0; i < sessions; i++) {
		if (clients[i] != NULL)
			close_client(clients[i]);
	}
	free(clients);
	return atomic_load(&errors) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void
make_plan(char **argv)
{
	char plain[400];
	int len = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, argv[2], 0, argv[3]);
	struct rlimit files;

	plan.port = (uint16_t)atoi(argv[1]);
	plan.login = argv[2];
	(void)EVP_EncodeBlock((unsigned char *)plan.auth, (unsigned char *)plain, len);
	plan.ctx = SSL_CTX_new(TLS_client_method());
	(void)SSL_CTX_set_mode(plan.ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
	(void)signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int
main(int argc, char **argv)
{
	if (argc < 6) {
		(void)fprintf(stderr,
		    "usage: smtp_load PORT {LOGIN PASSWORD | --corpus FOLDER} "
		    "CONNECTIONS MESSAGES_A_CONNECTION MESSAGES_IN_ALL [OCTETS]\n"
		    "       smtp_load PORT LOGIN PASSWORD --idle SESSIONS\n");
		return 2;
	}
	make_plan(argv);
	if (strcmp(argv[4], "--idle") == 0)
		return run_idle(atol(argv[5]));
	plan.messages_a_connection = atol(argv[5]);
	plan.messages = argc > 6 ? atol(argv[6]) : 1000;
	plan.octets = argc > 7 ? atol(argv[7]) : 4096;
	plan.is_inbound = strcmp(argv[2], "--corpus") == 0;
	if (plan.is_inbound)
		read_corpus(argv[3]);
	else
		make_message();
	return run_load(atol(argv[4]));
}
