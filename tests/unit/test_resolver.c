/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The resolver's life, deadlines and threads, against a server of a few lines on loopback: it
 * answers every name with one TXT record, but "silent..." never. What it makes of all kinds of
 * answers is shown by tests/interop/test_resolver.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/net/address.h"
#include "lib/net/resolver.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 32

struct responder {
	int fd;
	char address[ADDRESS_TEXT_MAX];
	pthread_t thread;
	atomic_int queries;
};

static void *
respond(void *context)
{
	static const char record[] =
	    "\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x06\x05hello";
	struct responder *r = context;
	unsigned char packet[1500];
	struct sockaddr_in peer;

	for (;;) {
		socklen_t room = sizeof(peer);
		const ssize_t n =
		    recvfrom(r->fd, packet, 512, 0, (struct sockaddr *)&peer, &room);
		size_t len = 12;

		if (n <= 12)
			return NULL;
		atomic_fetch_add(&r->queries, 1);
		if (memcmp(packet + 13, "silent", 6) == 0)
			continue;
		while (packet[len] != 0)
			len += 1U + packet[len];
		len += 5;
		packet[2] |= 0x84; /* QR, AA */
		packet[3] = 0x80;  /* RA */
		packet[7] = 1;
		packet[11] = 0;
		memcpy(packet + len, record, sizeof(record) - 1);
		(void)sendto(r->fd, packet, len + sizeof(record) - 1, 0,
		    (const struct sockaddr *)&peer, room);
	}
}

static void
responder_start(struct responder *r)
{
	struct sockaddr_storage addr;
	socklen_t room = sizeof(addr);

	assert_true(address_from_host("127.0.0.1", 0, &addr));
	r->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(
	    bind(r->fd, (const struct sockaddr *)&addr, sizeof(struct sockaddr_in)), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&addr, &room), 0);
	address_text(&addr, r->address);
	atomic_init(&r->queries, 0);
	assert_int_equal(pthread_create(&r->thread, NULL, respond, r), 0);
}

static void
responder_stop(struct responder *r)
{
	struct sockaddr_storage addr;
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(address_parse(r->address, &addr, NULL));
	assert_int_equal(
	    sendto(fd, "x", 1, 0, (const struct sockaddr *)&addr, sizeof(struct sockaddr_in)),
	    1);
	pthread_join(r->thread, NULL);
	close(fd);
	close(r->fd);
}

static struct resolver *
open_for(const char *server)
{
	const char *const servers[] = { server };
	const struct resolver_config config = {
		.servers = servers,
		.server_count = 1,
		.timeout_ms = 10000,
		.cache_octets = 1 << 20,
		.authority_port = 53,
	};
	struct err err = { 0 };
	struct resolver *r = resolver_open(&config, &err);

	if (r == NULL)
		fail_msg("%s", err.text);
	return r;
}

static enum dns_status
ask(struct resolver *r, const char *name, int64_t limit_ms)
{
	struct dns_answer answer;
	struct arena arena;

	arena_init(&arena);
	dns_query(
	    resolver_source(r), name, DNS_TXT, clock_mono_ms() + limit_ms, &arena, &answer);
	if (answer.status == DNS_FOUND)
		assert_true(view_eq(answer.records[0].data, VIEW("hello")));
	else
		assert_string_equal(answer.why, "timed out"); /* it never says no */
	arena_finish(&arena);
	return answer.status;
}

static size_t
count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void
test_no_thread_before_the_first_query(void **state)
{
	struct responder server;
	size_t before;
	struct resolver *r;

	(void)state;
	responder_start(&server);
	before = count_threads();
	r = open_for(server.address);
	assert_int_equal(count_threads(), before);
	assert_int_equal(ask(r, "a.example.com", 10000), DNS_FOUND);
	assert_true(count_threads() > before);
	resolver_close(&r);
	assert_null(r);
	assert_int_equal(count_threads(), before);
	responder_stop(&server);
}

static void
test_equal_settings_share(void **state)
{
	struct resolver *a = open_for("127.0.0.1:5353"), *b = open_for("127.0.0.1:5353");
	struct resolver *c = open_for("127.0.0.1:5354");

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	resolver_close(&a);
	a = open_for("127.0.0.1:5353");
	assert_ptr_equal(a, b);
	resolver_close(&a);
	resolver_close(&b);
	resolver_close(&c);
	resolver_close(&c); /* NULL is fine */
}

static void
test_the_cache_outlives_one_of_two(void **state)
{
	struct responder server;
	struct resolver *first, *second;

	(void)state;
	responder_start(&server);
	first = open_for(server.address);
	assert_int_equal(ask(first, "kept.example.com", 10000), DNS_FOUND);
	second = open_for(server.address);
	resolver_close(&first);
	assert_int_equal(ask(second, "kept.example.com", 10000), DNS_FOUND);
	assert_int_equal(atomic_load(&server.queries), 1);
	resolver_close(&second);
	responder_stop(&server);
}

static void
test_servers_must_be_addresses(void **state)
{
	static const char *const bad[] = { "localhost:53", "127.0.0.1", "::1", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct resolver_config config = { .servers = &bad[i], .server_count = 1 };
		struct err err = { 0 };

		assert_null(resolver_open(&config, &err));
		assert_int_equal(err.kind, ERR_CONFIG);
	}
}

static void
test_without_servers_those_of_the_system(void **state)
{
	const struct resolver_config config = { .timeout_ms = 1000, .cache_octets = 1 << 20 };
	const struct resolver_config recursive = {
		.recursive = true, .timeout_ms = 1000, .cache_octets = 1 << 20
	};
	struct err err = { 0 };
	struct resolver *r = resolver_open(&config, &err), *other;

	(void)state;
	assert_non_null(r);
	other = resolver_open(&recursive, &err);
	assert_non_null(other);
	assert_ptr_not_equal(r, other);
	resolver_close(&r);
	resolver_close(&other);
}

static void
test_who_waits_leaves_at_the_deadline(void **state)
{
	struct responder server;
	struct resolver *r;
	int64_t began;

	(void)state;
	responder_start(&server);
	r = open_for(server.address);
	began = clock_mono_ms();
	assert_int_equal(ask(r, "silent.example.com", 100), DNS_TEMPFAIL);
	assert_true(clock_mono_ms() - began >= 100);
	/* A deadline that has passed: no wait at all, and nothing breaks. */
	assert_int_equal(ask(r, "silent.example.com", -5), DNS_TEMPFAIL);
	/* Closed while libunbound still has both. */
	resolver_close(&r);
	responder_stop(&server);
}

struct asker {
	pthread_t thread;
	struct resolver *resolver;
	int number;
	int found;
};

static void *
run_asker(void *context)
{
	struct asker *asker = context;

	for (int i = 0; i < 8; i++) {
		char name[64];

		/* Every name is asked for by several threads; some are given up at once. */
		snprintf(name, sizeof(name), "%d.example.com", (asker->number + i) % 16);
		if (asker->number % 8 == 7)
			(void)ask(asker->resolver, name, i % 2);
		else
			asker->found += ask(asker->resolver, name, 20000) == DNS_FOUND;
	}
	return NULL;
}

static void
test_many_threads(void **state)
{
	struct asker askers[THREADS];
	struct responder server;
	struct resolver *r;
	int found = 0;

	(void)state;
	responder_start(&server);
	r = open_for(server.address);
	for (int i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){ .resolver = r, .number = i };
		assert_int_equal(
		    pthread_create(&askers[i].thread, NULL, run_asker, &askers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(askers[i].thread, NULL);
		found += askers[i].found;
	}
	assert_int_equal(found, THREADS / 8 * 7 * 8);
	/* 16 names; a query or two may have been repeated on a busy machine. */
	assert_in_range(atomic_load(&server.queries), 16, 64);
	resolver_close(&r);
	responder_stop(&server);
}

/* count_running - what the gauge gatepost_dns_running shows. */
static long
count_running(void)
{
	static const char name[] = "\ngatepost_dns_running ";
	struct buf page;
	const char *at;
	long value = -1;

	buf_init(&page, 1 << 20);
	assert_true(metrics_print(&page) && buf_add_char(&page, '\0'));
	at = strstr(page.p, name);
	if (at != NULL)
		value = strtol(at + sizeof(name) - 1, NULL, 10);
	buf_finish(&page);
	return value;
}

static void
test_too_many_at_a_time(void **state)
{
	struct dns_answer answer = { .count = 0 };
	struct responder server;
	struct resolver *r;
	struct arena arena;
	int running;

	(void)state;
	responder_start(&server);
	r = open_for(server.address);
	arena_init(&arena);
	/* Those that libunbound gives up meanwhile make room again, on a slow machine. */
	for (running = 0; running < 10000; running++) {
		char name[64];

		snprintf(name, sizeof(name), "silent%d.example.com", running);
		dns_query(resolver_source(r), name, DNS_TXT, 0, &arena, &answer);
		assert_int_equal(answer.status, DNS_TEMPFAIL);
		if (strcmp(answer.why, "timed out") != 0)
			break;
	}
	assert_in_range(running, 2048, 9999);
	assert_string_equal(answer.why, "too many queries at a time");
	assert_in_range(count_running(), 1, 2048); /* some may end meanwhile */
	arena_finish(&arena);
	resolver_close(&r);
	assert_int_equal(count_running(), 0);
	responder_stop(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_thread_before_the_first_query),
		cmocka_unit_test(test_equal_settings_share),
		cmocka_unit_test(test_the_cache_outlives_one_of_two),
		cmocka_unit_test(test_servers_must_be_addresses),
		cmocka_unit_test(test_without_servers_those_of_the_system),
		cmocka_unit_test(test_who_waits_leaves_at_the_deadline),
		cmocka_unit_test(test_many_threads),
		cmocka_unit_test(test_too_many_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
