/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A disk that loses what was written: played by cutting the temporary file behind the store's
 * back, which makes the kernel send the same signal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/mail/body.h"
#include "lib/mail/body_guard.h"
#include "lib/mail/message.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEADER "Subject: x\r\n\r\n"
#define LINES  4096
#define LINE   "0123456789abcd\r\n"

/*
 * file_of_store - a descriptor of our own for the temporary file that was opened last: the
 * lowest one, since ours come behind it.
 */
static int
file_of_store(void)
{
	char link[64], target[256];

	for (int fd = 3; fd < 1024; fd++) {
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		const ssize_t len = readlink(link, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		if (strncmp(target, "/tmp/#", 6) == 0 ||
		    strncmp(target, "/tmp/gatepost-", 14) == 0)
			return dup(fd);
	}
	fail_msg("the store has no file");
	return -1;
}

/* make_store - sealed, in a file; *file_out is that. */
static struct body_store *
make_store(int *file_out)
{
	static const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 4096, .max_octets = 1 << 20
	};
	struct body_store *store = body_create(&limits);

	body_guard_install(); /* here: cmocka has put its own handler in */
	assert_true(body_append(store, VIEW(HEADER), NULL));
	for (int i = 0; i < LINES; i++)
		assert_true(body_append(store, VIEW(LINE), NULL));
	*file_out = file_of_store();
	assert_true(body_seal(store, NULL));
	assert_true(body_is_in_file(store));
	return store;
}

static void
a_file_that_lost_its_end_is_zeros_and_says_so(void **state)
{
	int file;
	struct body_store *store = make_store(&file);
	struct view v = body_view(store);

	(void)state;
	assert_int_equal(ftruncate(file, 4096), 0);
	assert_memory_equal(v.p, HEADER, 14);
	assert_true(body_is_intact(store));
	assert_int_equal(v.p[v.len - 1], '\0');
	assert_false(body_is_intact(store));
	assert_int_equal(v.p[8192], '\0');
	assert_memory_equal(v.p, HEADER, 14); /* what is there stays */
	body_destroy(&store);
	close(file);
}

static void
a_message_is_not_intact_when_its_content_is_not(void **state)
{
	int file, other_file;
	struct body_store *store = make_store(&file), *other;
	struct message *m = NULL;
	size_t line;

	(void)state;
	assert_int_equal(message_create(&store, &m, &line), MESSAGE_OK);
	other = make_store(&other_file);
	assert_int_equal(ftruncate(other_file, 0), 0);
	assert_int_equal(body_view(other).p[0], '\0');
	assert_false(body_is_intact(other));
	assert_true(message_is_intact(m)); /* each has its own */
	body_destroy(&other);
	assert_true(message_is_intact(m));
	message_destroy(&m);
	close(file);
	close(other_file);
}

static void
a_store_in_memory_is_always_intact(void **state)
{
	static const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 4096, .max_octets = 4096
	};
	struct body_store *store = body_create(&limits);

	(void)state;
	assert_true(body_append(store, VIEW(HEADER), NULL));
	assert_true(body_seal(store, NULL));
	assert_true(body_is_intact(store));
	body_destroy(&store);
}

/* Elsewhere the signal is what it always was: nobody goes on with memory that is not there. */
static void
elsewhere_it_ends_the_process(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		const int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		const volatile char *p;

		body_guard_install();
		if (fd < 0 || ftruncate(fd, 4096) != 0)
			_exit(3);
		p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED || ftruncate(fd, 0) != 0)
			_exit(3);
		_exit(p[0]);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_lost_its_end_is_zeros_and_says_so),
		cmocka_unit_test(a_message_is_not_intact_when_its_content_is_not),
		cmocka_unit_test(a_store_in_memory_is_always_intact),
		cmocka_unit_test(elsewhere_it_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
