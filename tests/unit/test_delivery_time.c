/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RFC 5321 4.5.3.2: whatever servers do, and whatever is configured, our answer comes while the
 * client still waits for it: within five minutes, ten behind the final dot. The network and the
 * clock are played here, so that minutes take no time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "proxy/upstream/group.h"
#include "tests/unit/message_fixture.h"

#define MINUTE	     60000
#define CLIENT_WAITS (5 * MINUTE)
#define DOT_WAITS    (10 * MINUTE)

struct stream {
	struct view said;
	bool in_data;
};

static int64_t now_ms, takes_ms; /* each reply */
static const char *hangs_at;	 /* the command that gets no reply; "": none, ".": the dot */
static unsigned connections;

static void
pass(int64_t ms)
{
	now_ms += ms;
	clock_fake_set(now_ms, 1700000000);
}

static struct stream *
connect_here(const struct conn_target *t, int64_t deadline_ms, struct err *err)
{
	struct stream *s = mem_calloc(1, sizeof(*s));

	(void)t, (void)deadline_ms, (void)err;
	connections++;
	s->said = VIEW("220 mta\r\n");
	return s;
}

size_t
stream_read(struct stream *s, char *out, size_t room, int64_t deadline_ms, struct err *err)
{
	const int64_t left = deadline_ms - now_ms;

	if (s->said.len == 0 || takes_ms > left) {
		pass(left > 0 ? left : 0);
		err_set(err, ERR_TIMEOUT, "no answer in time");
		return 0;
	}
	pass(takes_ms);
	assert_true(s->said.len <= room);
	const size_t len = s->said.len;
	memcpy(out, s->said.p, len);
	s->said.len = 0;
	return len;
}

bool
stream_write(struct stream *s, struct view data, int64_t deadline_ms, struct err *err)
{
	const bool is_dot = s->in_data;

	(void)deadline_ms, (void)err;
	s->in_data = view_eq(data, VIEW("DATA\r\n"));
	if (is_dot ? strcmp(hangs_at, ".") == 0
		   : *hangs_at != '\0' && view_starts(data, view_of(hangs_at)))
		s->said.len = 0;
	else
		s->said = s->in_data ? VIEW("354 go on\r\n") : VIEW("250 Ok\r\n");
	return true;
}

bool
stream_is_quiet(struct stream *s)
{
	return s->said.len == 0;
}

void
stream_abort(struct stream **s)
{
	mem_free(*s);
	*s = NULL;
}

void
stream_close(struct stream **s)
{
	stream_abort(s);
}

bool
stream_is_tls(const struct stream *s)
{
	(void)s;
	return false;
}

int
stream_fd(const struct stream *s)
{
	(void)s;
	return -1;
}

const char *
stream_peer(const struct stream *s)
{
	(void)s;
	return "192.0.2.1:25";
}

const char *
stream_tls_text(const struct stream *s)
{
	(void)s;
	return "";
}

bool
stream_start_tls(
    struct stream *s, SSL_CTX *ctx, const char *name, int64_t deadline_ms, struct err *err)
{
	(void)s, (void)ctx, (void)name, (void)deadline_ms;
	return err_set(err, ERR_TLS, "none here");
}

bool
stream_start_tls_dane(struct stream *s, SSL_CTX *ctx, const struct dane *dane,
    int64_t deadline_ms, struct err *err)
{
	(void)dane;
	return stream_start_tls(s, ctx, NULL, deadline_ms, err);
}

struct stream *
stream_connect(const char *host, uint16_t port, int64_t deadline_ms, struct err *err)
{
	(void)host, (void)port, (void)deadline_ms;
	err_set(err, ERR_IO, "none here");
	return NULL;
}

struct stream *
stream_connect_unix(const char *path, int64_t deadline_ms, struct err *err)
{
	(void)path, (void)deadline_ms;
	err_set(err, ERR_IO, "none here");
	return NULL;
}

/* The longest limits that the configuration takes, and as many servers as there may be. */
static struct upstream *
make_upstream(void)
{
	static const char *servers[GROUP_SERVERS_MAX];
	static struct config_upstream config = { .name = "mta",
		.type = UPSTREAM_SMTP,
		.servers = { .items = servers, .count = GROUP_SERVERS_MAX },
		.tls = UPSTREAM_TLS_NONE,
		.connect_timeout_ms = 2 * MINUTE,
		.command_timeout_ms = 5 * MINUTE,
		.final_timeout_ms = 10 * MINUTE,
		.idle_ms = MINUTE,
		.max_idle = 2 };
	struct conf_errors errors;

	for (size_t i = 0; i < GROUP_SERVERS_MAX; i++)
		servers[i] = "mta.test:25";
	conf_errors_init(&errors);
	struct upstream *u = upstream_create(&config, "gate.test", &errors);
	conf_errors_finish(&errors);
	assert_non_null(u);
	for (size_t i = 0; i < u->server_count; i++)
		u->servers[i].target.connect = connect_here;
	return u;
}

static const struct {
	const char *sentence;
	const char *hangs_at;
	int64_t takes_ms;
	int code; /* of the last call */
} cases[] = {
	{ "all is well", "", 10, 250 },
	{ "each reply takes its time", "", MINUTE / 4, 250 },
	{ "nobody answers MAIL", "MAIL", 10, 451 },
	{ "nobody answers RCPT", "RCPT", 10, 451 },
	{ "nobody answers DATA", "DATA", 10, 451 },
	{ "nobody answers the dot", ".", 10, 451 },
	{ "nobody answers the dot, and all before it took long", ".", MINUTE / 4, 451 },
	{ "no reply comes before a client would have left", "", 3 * MINUTE, 451 },
};

static void
run_case(size_t i)
{
	struct upstream *u = make_upstream();
	struct delivery *d = delivery_create(u, "test");
	struct message *m = message_of("Subject: x\r\n\r\nbody\r\n");
	const struct smtp_mail mail = { .path = {
					    .local = VIEW("a"), .domain = VIEW("b.test") } };
	struct smtp_reply reply;
	int64_t began = now_ms;

	hangs_at = cases[i].hangs_at;
	takes_ms = cases[i].takes_ms;
	delivery_mail(d, &mail, &reply);
	if (now_ms - began >= CLIENT_WAITS)
		fail_msg(
		    "%s: MAIL took %lld ms", cases[i].sentence, (long long)(now_ms - began));
	began = now_ms;
	if (smtp_reply_is_ok(&reply))
		delivery_rcpt(d, &mail.path, NULL, &reply);
	if (now_ms - began >= CLIENT_WAITS)
		fail_msg(
		    "%s: RCPT took %lld ms", cases[i].sentence, (long long)(now_ms - began));
	began = now_ms;
	if (smtp_reply_is_ok(&reply))
		delivery_send(d, m, &reply);
	if (now_ms - began >= DOT_WAITS)
		fail_msg(
		    "%s: the dot took %lld ms", cases[i].sentence, (long long)(now_ms - began));
	if (reply.code != cases[i].code)
		fail_msg("%s: %d %s", cases[i].sentence, reply.code, reply.text);
	delivery_destroy(&d);
	message_destroy(&m);
	upstream_destroy(&u);
}

static void
test_cases(void **state)
{
	static const struct log_config quiet = { .level = LEVEL_ERROR };

	(void)state;
	log_configure(&quiet);
	pass(MINUTE);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		run_case(i);
	assert_true(connections > 2);
	clock_fake_set(-1, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
