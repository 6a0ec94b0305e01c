/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A sink for `make bench`: the upstream of both candidates. Plain SMTP on loopback, one thread
 * a connection, says yes to everything and keeps nothing. Prints its port, then serves until
 * its standard input ends. For each line there it prints how many messages it has taken so far,
 * and how many of them bore all the texts of its command line in their headers.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define IN_MAX	   65536
#define WANTED_MAX 8
#define KEPT	   31 /* octets of content kept for the next look: nothing wanted is longer */

static atomic_ulong messages, well_ones;
static char *const *wanted;
static size_t wanted_count;

struct client {
	int fd;
	bool in_content, in_header, has[WANTED_MAX];
	size_t len;
	char in[IN_MAX];
};

static bool
say(const struct client *c, const char *text)
{
	size_t len = strlen(text);

	return send(c->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* One command line; false: the connection is over. */
static bool
command(struct client *c, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0)
		return say(
		    c, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 104857600\r\n");
	if (strncasecmp(line, "DATA", 4) == 0) {
		c->in_content = c->in_header = true;
		memset(c->has, 0, sizeof(c->has));
		return say(c, "354 go\r\n");
	}
	if (strncasecmp(line, "QUIT", 4) == 0) {
		(void)say(c, "221 2.0.0 bye\r\n");
		return false;
	}
	return say(c, "250 2.0.0 ok\r\n");
}

static void
drop(struct client *c, size_t len)
{
	memmove(c->in, c->in + len, c->len - len);
	c->len -= len;
}

/* look_for_wanted - within the header, of which pieces may be gone already. */
static void
look_for_wanted(struct client *c)
{
	const char *end = memmem(c->in, c->len, "\r\n\r\n", 4);
	size_t len = end != NULL ? (size_t)(end - c->in) : c->len;

	if (!c->in_header)
		return;
	for (size_t i = 0; i < wanted_count; i++) {
		if (!c->has[i])
			c->has[i] = memmem(c->in, len, wanted[i], strlen(wanted[i])) != NULL;
	}
	c->in_header = end == NULL;
}

static bool
has_all(const struct client *c)
{
	for (size_t i = 0; i < wanted_count; i++) {
		if (!c->has[i])
			return false;
	}
	return true;
}

/* What is in the buffer, as far as it goes; false: the connection is over. */
static bool
consume(struct client *c)
{
	for (;;) {
		if (c->in_content) {
			const char *end = memmem(c->in, c->len, "\r\n.\r\n", 5);
			look_for_wanted(c);
			if (end == NULL) {
				if (c->len > KEPT)
					drop(c, c->len - KEPT);
				return true;
			}
			drop(c, (size_t)(end - c->in) + 5);
			c->in_content = false;
			atomic_fetch_add(&well_ones, has_all(c) ? 1 : 0);
			atomic_fetch_add(&messages, 1);
			if (!say(c, "250 2.0.0 Ok: queued as SINK\r\n"))
				return false;
			continue;
		}
		char *lf = memchr(c->in, '\n', c->len);
		if (lf == NULL)
			return c->len < IN_MAX;
		*lf = '\0';
		if (!command(c, c->in))
			return false;
		drop(c, (size_t)(lf - c->in) + 1);
	}
}

static void *
serve(void *arg)
{
	struct client *c = arg;
	ssize_t got;

	if (say(c, "220 sink ESMTP\r\n")) {
		while ((got = recv(c->fd, c->in + c->len, IN_MAX - c->len, 0)) > 0) {
			c->len += (size_t)got;
			if (!consume(c))
				break;
		}
	}
	(void)close(c->fd);
	free(c);
	return NULL;
}

static void *
accept_all(void *arg)
{
	const int fd = *(const int *)arg, on = 1;

	for (;;) {
		pthread_t thread;
		struct client *c = calloc(1, sizeof(*c));
		if (c == NULL)
			return NULL;
		c->fd = accept(fd, NULL, NULL);
		if (c->fd < 0) {
			free(c);
			continue;
		}
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (pthread_create(&thread, NULL, serve, c) == 0)
			(void)pthread_detach(thread);
	}
}

static bool
take_wanted(int argc, char *const *argv)
{
	wanted = argv + 1;
	wanted_count = (size_t)argc - 1;
	for (int i = 1; i < argc; i++) {
		if (strlen(argv[i]) > KEPT)
			return false;
	}
	return wanted_count <= WANTED_MAX;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;
	char octet;

	if (!take_wanted(argc, argv)) {
		(void)fprintf(stderr, "usage: smtp_sink [TEXT ...]\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
	    pthread_create(&thread, NULL, accept_all, &fd) != 0) {
		perror("smtp_sink");
		return EXIT_FAILURE;
	}
	(void)printf("%u\n", ntohs(address.sin_port));
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &octet, 1) > 0) {
		if (octet != '\n')
			continue;
		(void)printf("%lu %lu\n", atomic_load(&messages), atomic_load(&well_ones));
		(void)fflush(stdout);
	}
	return EXIT_SUCCESS;
}
