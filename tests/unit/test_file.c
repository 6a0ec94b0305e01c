/* SPDX-License-Identifier: MPL-2.0 */
/* Writing whole, and syncing folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/file.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define LARGE (1 << 20) /* octets: many times what a pipe holds */

static void *
drain(void *arg)
{
	const int fd = *(const int *)arg;
	size_t *total = mem_calloc(1, sizeof(*total));
	char octets[4096];
	ssize_t n;

	while ((n = read(fd, octets, sizeof(octets))) > 0)
		*total += (size_t)n;
	return total;
}

static void
test_what_is_taken_in_pieces_is_written_whole(void **state)
{
	char *text = mem_calloc(LARGE, 1);
	size_t *total = NULL;
	pthread_t reader;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pthread_create(&reader, NULL, drain, &ends[0]), 0);
	assert_true(file_write_all(ends[1], view_make(text, LARGE)));
	close(ends[1]);
	assert_int_equal(pthread_join(reader, (void **)&total), 0);
	assert_int_equal(*total, LARGE);
	close(ends[0]);
	mem_free(total);
	mem_free(text);
}

static void
test_what_cannot_be_written_says_why(void **state)
{
	const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(full >= 0);
	errno = 0;
	assert_false(file_write_all(full, VIEW("x")));
	assert_int_equal(errno, ENOSPC);
	assert_true(file_write_all(full, VIEW(""))); /* nothing to write */
	close(full);
}

static void
test_a_folder_is_synced_and_anything_else_is_not(void **state)
{
	char path[] = "/tmp/gatepost-test-XXXXXX";
	const int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_true(file_sync_folder(AT_FDCWD, path));
	assert_true(file_sync_folder(folder, path + sizeof("/tmp/") - 1));
	assert_int_equal(rmdir(path), 0);
	assert_false(file_sync_folder(AT_FDCWD, path));
	assert_int_equal(errno, ENOENT);
	assert_false(file_sync_folder(AT_FDCWD, "/dev/null"));
	assert_int_equal(errno, ENOTDIR);
	close(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_taken_in_pieces_is_written_whole),
		cmocka_unit_test(test_what_cannot_be_written_says_why),
		cmocka_unit_test(test_a_folder_is_synced_and_anything_else_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
