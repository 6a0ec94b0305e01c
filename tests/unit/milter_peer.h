/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests: a milter with a script, in a thread, behind a unix socket. It notes what it
 * hears as text: a word for each packet, its code and its data, with '|' for a NUL and '.' for
 * other control octets. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_MILTER_PEER_H
#define GATEPOST_TESTS_MILTER_PEER_H

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEER_PACKETS 8

/* To the nth command of that code (0: to each) on that connection, from 1 (0: any). */
struct peer_rule {
	char command;
	unsigned nth, connection;
	struct view packets[PEER_PACKETS]; /* code and data; an empty one ends them */
	bool closes, hangs;		   /* behind them */
	struct view raw;		   /* octets instead of packets, if any */
	int delay_ms;			   /* before each packet */
};

struct milter_peer {
	char path[64];
	int listener;
	pthread_t thread;
	uint32_t version, actions, steps; /* what it answers to OPTNEG */
	struct view macros;		  /* behind that */
	const struct peer_rule *rules;
	size_t rule_count;
	pthread_mutex_t lock;
	struct buf heard; /* guarded by lock */
	unsigned connections;
	unsigned counts[256]; /* commands on this connection, by code */
};

static inline bool
peer_read(int fd, char *out, size_t len)
{
	while (len > 0) {
		const ssize_t n = read(fd, out, len);

		if (n <= 0)
			return false;
		out += n;
		len -= (size_t)n;
	}
	return true;
}

static inline void
peer_send(int fd, struct view octets)
{
	while (octets.len > 0) {
		const ssize_t n = send(fd, octets.p, octets.len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		octets = view_from(octets, (size_t)n);
	}
}

static inline void
peer_say(int fd, struct view packet)
{
	const char head[] = { 0, (char)(packet.len >> 16), (char)(packet.len >> 8),
		(char)packet.len };

	peer_send(fd, view_make(head, sizeof(head)));
	peer_send(fd, packet);
}

static inline void
peer_note(struct milter_peer *p, struct view packet)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < packet.len && i < 300; i++) {
		const char c = packet.p[i] == '\0' ? '|'
			       : packet.p[i] < ' ' ? '.'
						   : packet.p[i];

		(void)!buf_add_char(&p->heard, c);
	}
	(void)!buf_add_char(&p->heard, '\n');
	pthread_mutex_unlock(&p->lock);
}

static inline bool
peer_is_silent(const struct milter_peer *p, char command)
{
	static const struct {
		char command;
		uint32_t step;
	} steps[] = { { 'C', 0x1000 }, { 'H', 0x2000 }, { 'M', 0x4000 }, { 'R', 0x8000 },
		{ 'T', 0x10000 }, { 'L', 0x80 }, { 'N', 0x40000 }, { 'B', 0x80000 } };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (steps[i].command == command)
			return (p->steps & steps[i].step) != 0;
	}
	return strchr("DAKQ", command) != NULL;
}

static inline void
peer_negotiate(struct milter_peer *p, int fd)
{
	const uint32_t numbers[] = { p->version, p->actions, p->steps };
	struct buf out;

	buf_init(&out, 1000);
	(void)!buf_add_char(&out, 'O');
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		for (int shift = 24; shift >= 0; shift -= 8)
			(void)!buf_add_char(&out, (char)(numbers[i] >> shift));
	}
	(void)!buf_add_view(&out, p->macros);
	peer_say(fd, buf_view(&out));
	buf_finish(&out);
}

static inline const struct peer_rule *
peer_find(const struct milter_peer *p, char command)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct peer_rule *r = &p->rules[i];

		if (r->command == command &&
		    (r->connection == 0 || r->connection == p->connections) &&
		    (r->nth == 0 || r->nth == p->counts[(unsigned char)command]))
			return r;
	}
	return NULL;
}

/* peer_answer - false: the connection is over. */
static inline bool
peer_answer(struct milter_peer *p, int fd, char command)
{
	const struct peer_rule *r;
	char c;

	p->counts[(unsigned char)command]++;
	r = peer_find(p, command);
	if (r == NULL && command == 'O')
		peer_negotiate(p, fd);
	else if (r == NULL && !peer_is_silent(p, command))
		peer_say(fd, VIEW("c"));
	if (r == NULL)
		return command != 'Q';
	peer_send(fd, r->raw);
	for (size_t i = 0; i < PEER_PACKETS && r->packets[i].len > 0; i++) {
		(void)poll(NULL, 0, r->delay_ms);
		peer_say(fd, r->packets[i]);
	}
	if (r->hangs)
		(void)!recv(fd, &c, 1, MSG_PEEK); /* until the gate gives up, or says more */
	return !r->closes && !r->hangs;
}

static inline void
peer_serve(struct milter_peer *p, int fd)
{
	static char data[1 << 17];
	unsigned char head[4];
	bool goes_on = true;

	memset(p->counts, 0, sizeof(p->counts));
	p->connections++;
	while (goes_on && peer_read(fd, (char *)head, sizeof(head))) {
		const size_t len = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];

		if (len == 0 || len > sizeof(data) || !peer_read(fd, data, len))
			break;
		peer_note(p, view_make(data, len));
		goes_on = peer_answer(p, fd, data[0]);
	}
	peer_note(p, VIEW("-"));
	close(fd);
}

static inline void *
peer_thread(void *context)
{
	struct milter_peer *p = context;
	int fd;

	while ((fd = accept(p->listener, NULL, NULL)) >= 0)
		peer_serve(p, fd);
	return NULL;
}

/* peer_open - rules are borrowed. Version 6, all actions, no steps. */
static inline void
peer_open(struct milter_peer *p, const struct peer_rule *rules, size_t count)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(p, 0, sizeof(*p));
	p->version = 6;
	p->actions = 0x1ff;
	p->macros = VIEW("");
	p->rules = rules;
	p->rule_count = count;
	pthread_mutex_init(&p->lock, NULL);
	buf_init(&p->heard, 1 << 20);
	snprintf(p->path, sizeof(p->path), "/tmp/gatepost-peer-XXXXXX");
	close(mkstemp(p->path));
	unlink(p->path);
	(void)view_copy(view_of(p->path), address.sun_path, sizeof(address.sun_path));
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(p->listener, 5), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_thread, p), 0);
}

/* peer_close - behind the last connection; what it heard is p->heard, with a NUL behind it. */
static inline const char *
peer_close(struct milter_peer *p)
{
	shutdown(p->listener, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->listener);
	unlink(p->path);
	assert_true(buf_add_char(&p->heard, '\0'));
	return p->heard.p;
}

static inline void
peer_free(struct milter_peer *p)
{
	buf_finish(&p->heard);
	pthread_mutex_destroy(&p->lock);
}

#endif
