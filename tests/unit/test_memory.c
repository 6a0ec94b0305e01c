/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/session/memory: want of memory in OpenSSL and libevent ends the process, as our own
 * does. */
#include "proxy/session/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define FAR_TOO_MUCH (SIZE_MAX / 8)

/* Sanitizers, too, shall say that there is none, instead of ending the process themselves. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void
want_crypto_alloc(void)
{
	(void)!OPENSSL_malloc(FAR_TOO_MUCH);
}

static void
want_crypto_realloc(void)
{
	void *p = OPENSSL_malloc(1);

	(void)!OPENSSL_realloc(p, FAR_TOO_MUCH);
}

static void
want_event_buffer(void)
{
	(void)evbuffer_expand(evbuffer_new(), FAR_TOO_MUCH);
}

/* end_of - of a process that does that: its exit status, and its words on stderr. */
static int
end_of(void (*what)(void), char said[200])
{
	int ends[2], status;
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		(void)dup2(ends[1], STDERR_FILENO);
		what();
		_exit(EXIT_SUCCESS);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	n = read(ends[0], said, 199);
	said[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_ends(void **state)
{
	static const struct {
		const char *sentence;
		void (*what)(void);
	} rows[] = {
		{ "OpenSSL wants too much", want_crypto_alloc },
		{ "OpenSSL wants too much more", want_crypto_realloc },
		{ "libevent wants too much", want_event_buffer },
	};
	char said[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (end_of(rows[i].what, said) != EX_SOFTWARE ||
		    strstr(said, "gatepost: out of memory") == NULL)
			fail_msg("%s: %s", rows[i].sentence, said);
	}
}

static void
test_no_octets_are_no_memory(void **state)
{
	void *p = OPENSSL_malloc(1);

	(void)state;
	assert_null(OPENSSL_malloc(0));
	assert_non_null(p);
	assert_null(OPENSSL_realloc(p, 0));
	OPENSSL_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_no_octets_are_no_memory),
	};

	memory_share();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
