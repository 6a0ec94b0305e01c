/* SPDX-License-Identifier: MPL-2.0 */
/* Is the other end of a connection one of our own listeners? Over loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/net/address.h"
#include "lib/net/own_listeners.h"

#include <stdio.h>
#include <unistd.h>

/* listen_at - on a free port of the address; *port_out is which. */
static int
listen_at(const char *host, uint16_t *port_out)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	assert_true(address_from_host(host, 0, &address));
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port_out = address_port(&address);
	return fd;
}

static int
connect_to(const char *host, uint16_t port)
{
	struct sockaddr_storage address;

	assert_true(address_from_host(host, port, &address));
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static const struct {
	const char *sentence;
	const char *listens; /* really */
	const char *own;     /* as told; "%u" is the port, other: not that port */
	const char *to;
	bool is_ours;
} cases[] = {
	{ "the address itself", "127.0.0.1", "127.0.0.1:%u", "127.0.0.1", true },
	{ "another port of it", "127.0.0.1", "127.0.0.1:9", "127.0.0.1", false },
	{ "another address with that port", "127.0.0.2", "127.0.0.1:%u", "127.0.0.2", false },
	{ "every IPv4 address", "0.0.0.0", "*:%u", "127.0.0.1", true },
	{ "every IPv4 address, by another one of ours", "0.0.0.0", "*:%u", "127.0.0.9", true },
	{ "every address of both families", "0.0.0.0", "[::]:%u", "127.0.0.1", true },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_storage own;
		char text[ADDRESS_TEXT_MAX];
		uint16_t port;
		int server = listen_at(cases[i].listens, &port);
		int fd = connect_to(cases[i].to, port);
		const char *mark = strstr(cases[i].own, "%u");
		const size_t head = mark != NULL ? (size_t)(mark - cases[i].own) : 0;

		if (mark != NULL)
			(void)snprintf(text, sizeof(text), "%.*s%u", (int)head, cases[i].own,
			    (unsigned)port);
		else
			(void)snprintf(text, sizeof(text), "%s", cases[i].own);
		assert_true(address_parse(text, &own, NULL));
		own_listeners_set(&own, 1);
		if (own_listeners_has(fd) != cases[i].is_ours)
			fail_msg("%s", cases[i].sentence);
		close(fd);
		close(server);
	}
	own_listeners_set(NULL, 0);
}

static void
test_none(void **state)
{
	int ends[2];
	uint16_t port;
	int server = listen_at("127.0.0.1", &port);
	int fd = connect_to("127.0.0.1", port);

	(void)state;
	own_listeners_set(NULL, 0);
	assert_false(own_listeners_has(fd)); /* before there are listeners */
	assert_false(own_listeners_has(-1));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_false(own_listeners_has(ends[0])); /* not of the internet */
	close(ends[0]);
	close(ends[1]);
	close(fd);
	close(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
