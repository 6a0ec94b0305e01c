/* SPDX-License-Identifier: MPL-2.0 */
/* The content store: memory, file, cap, and a file system that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/mail/body.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static char temp_dir[] = "/tmp/gatepost-test-body-XXXXXX";

static int
make_temp_dir(void **state)
{
	(void)state;
	return mkdtemp(temp_dir) != NULL ? 0 : -1;
}

static int
remove_temp_dir(void **state)
{
	(void)state;
	return rmdir(temp_dir); /* fails when a store has left a file */
}

static size_t
files_in_temp_dir(void)
{
	size_t n = 0;
	DIR *dir = opendir(temp_dir);

	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static struct body_store *
make_store(size_t memory_octets, uint64_t max_octets)
{
	struct body_limits limits = { temp_dir, memory_octets, max_octets };

	return body_create(&limits);
}

static char
octet_at(size_t i)
{
	return (char)(i * 31 + i / 251);
}

/* Append total octets in pieces of at most piece octets. */
static void
append_pattern(struct body_store *b, size_t total, size_t piece)
{
	char *text = malloc(piece);
	struct err err;

	assert_non_null(text);
	for (size_t done = 0; done < total;) {
		size_t n = total - done < piece ? total - done : piece;
		for (size_t i = 0; i < n; i++)
			text[i] = octet_at(done + i);
		assert_true(body_append(b, view_make(text, n), &err));
		done += n;
		assert_int_equal(body_size(b), done);
	}
	free(text);
}

static void
test_content_comes_back_whole(void **state)
{
	static const struct {
		const char *name;
		size_t memory, total, piece;
		bool in_file;
	} rows[] = {
		{ "nothing", 1000, 0, 1, false },
		{ "one octet", 1000, 1, 1, false },
		{ "octet by octet up to the threshold", 1000, 1000, 1, false },
		{ "octet by octet, one over the threshold", 1000, 1001, 1, true },
		{ "one piece up to the threshold", 1000, 1000, 1000, false },
		{ "one piece over the threshold", 1000, 1001, 1001, true },
		{ "pieces that do not divide the threshold", 1000, 30000, 333, true },
		{ "pieces as large as the threshold", 1000, 5000, 1000, true },
		{ "pieces larger than the threshold", 1000, 30000, 7777, true },
		{ "no memory at all", 0, 5000, 100, true },
		{ "no memory, nothing in it", 0, 0, 1, false },
		{ "the usual threshold, much more content", 262144, 5000000, 16384, true },
		{ "the usual threshold, growing memory", 262144, 200000, 4000, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct body_store *b = make_store(rows[i].memory, 10000000);
		struct err err;

		append_pattern(b, rows[i].total, rows[i].piece);
		if (body_is_in_file(b) != rows[i].in_file)
			fail_msg("%s: in file: %d", rows[i].name, body_is_in_file(b));
		assert_int_equal(files_in_temp_dir(), 0);
		assert_true(body_seal(b, &err));
		struct view v = body_view(b);
		assert_int_equal(body_size(b), rows[i].total);
		assert_int_equal(v.len, rows[i].total);
		for (size_t k = 0; k < v.len; k++) {
			if (v.p[k] != octet_at(k))
				fail_msg("%s: octet %zu differs", rows[i].name, k);
		}
		body_destroy(&b);
		assert_null(b);
	}
}

static void
test_the_cap_is_exact_and_leaves_the_store_usable(void **state)
{
	static const size_t memories[] = { 0, 50, 100, 1000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(memories); i++) {
		struct body_store *b = make_store(memories[i], 100);
		struct err err;

		append_pattern(b, 99, 40);
		assert_false(body_append(b, VIEW("xy"), &err));
		assert_int_equal(err.kind, ERR_LIMIT);
		assert_int_equal(body_size(b), 99);
		assert_true(body_append(b, VIEW("x"), &err));
		assert_false(body_append(b, VIEW("y"), &err));
		assert_int_equal(err.kind, ERR_LIMIT);
		assert_true(body_append(b, VIEW(""), &err));
		assert_true(body_seal(b, &err));
		assert_int_equal(body_view(b).len, 100);
		assert_int_equal(body_view(b).p[99], 'x');
		body_destroy(&b);
	}
}

static void
test_a_missing_folder_is_an_error_once_it_is_needed(void **state)
{
	struct body_limits limits = { "/nonexistent/gatepost", 10, 1000 };
	struct body_store *b = body_create(&limits);
	struct err err;

	(void)state;
	assert_true(body_append(b, VIEW("123456789"), &err));
	assert_false(body_append(b, VIEW("abc"), &err));
	assert_int_equal(err.kind, ERR_IO);
	assert_int_equal(err.errnum, ENOENT);
	assert_false(body_append(b, VIEW("a"), &err));
	assert_int_equal(err.kind, ERR_IO);
	assert_false(body_seal(b, &err));
	assert_int_equal(err.kind, ERR_IO);
	body_destroy(&b);
}

/* Run what with files limited to max octets: a write is cut short, the next one fails. */
static void
with_small_files(rlim_t max, void (*what)(void))
{
	struct rlimit old, small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = max;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	what();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, handler);
}

static void
fill_file(void)
{
	struct body_store *b = make_store(1000, 100000);
	struct err err = { .kind = ERR_NONE };
	char text[700] = { 0 };
	size_t n = 0;

	while (n < 100 && body_append(b, view_make(text, sizeof(text)), &err))
		n++;
	assert_in_range(n, 5, 8); /* 5000 octets in the file, up to 1000 in memory */
	assert_int_equal(err.kind, ERR_IO);
	assert_int_equal(err.errnum, EFBIG);
	assert_false(body_append(b, VIEW("a"), &err));
	assert_false(body_seal(b, &err));
	assert_int_equal(err.kind, ERR_IO);
	body_destroy(&b);
}

static void
test_a_full_file_is_an_error_that_stays(void **state)
{
	(void)state;
	with_small_files(5000, fill_file);
}

static void
fill_file_at_seal(void)
{
	struct body_store *b = make_store(1000, 100000);
	struct err err;
	char text[1300] = { 0 };

	assert_true(body_append(b, view_make(text, sizeof(text)), &err));
	assert_true(body_append(b, view_make(text, 900), &err));
	assert_false(body_seal(b, &err));
	assert_int_equal(err.kind, ERR_IO);
	assert_false(body_seal(b, &err));
	body_destroy(&b);
}

static void
test_a_file_that_fills_at_the_seal_is_an_error(void **state)
{
	(void)state;
	with_small_files(1500, fill_file_at_seal);
}

static void
test_a_store_is_destroyed_unsealed(void **state)
{
	struct body_store *b = make_store(10, 1000), *none = NULL;

	(void)state;
	append_pattern(b, 500, 7);
	assert_true(body_is_in_file(b));
	body_destroy(&b);
	body_destroy(&none);
	assert_null(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content_comes_back_whole),
		cmocka_unit_test(test_the_cap_is_exact_and_leaves_the_store_usable),
		cmocka_unit_test(test_a_missing_folder_is_an_error_once_it_is_needed),
		cmocka_unit_test(test_a_full_file_is_an_error_that_stays),
		cmocka_unit_test(test_a_file_that_fills_at_the_seal_is_an_error),
		cmocka_unit_test(test_a_store_is_destroyed_unsealed),
	};

	return cmocka_run_group_tests(tests, make_temp_dir, remove_temp_dir);
}
