/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Keys that only root can read are kept over the change of user. What happens as another user
 * happens in a child; only root can run these tests, and the rest of them are in test_tls.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/net/tls_keys.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

enum result { IS_KEPT, IS_ANOTHER, IS_READ, IS_REFUSED };

static char folder[] = "/tmp/gatepost-test-XXXXXX";
static char path[64];

static EVP_PKEY *
write_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	return key;
}

static int
set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	snprintf(path, sizeof(path), "%s/key.pem", folder);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	return 0;
}

/* read_as_nobody - what a process hears that has given root up. */
static enum result
read_as_nobody(const EVP_PKEY *expected)
{
	const pid_t child = fork();
	bool is_kept = false;
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		if (setresuid(NOBODY, NOBODY, NOBODY) != 0)
			_exit(99);
		EVP_PKEY *key = tls_key_read(path, &is_kept, NULL);

		if (key == NULL)
			_exit(IS_REFUSED);
		if (EVP_PKEY_eq(key, expected) != 1)
			_exit(IS_ANOTHER);
		_exit(is_kept ? IS_KEPT : IS_READ);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return (enum result)WEXITSTATUS(status);
}

static void
read_as_root(const EVP_PKEY *expected)
{
	bool is_kept = true;
	EVP_PKEY *key = tls_key_read(path, &is_kept, NULL);

	assert_non_null(key);
	assert_false(is_kept);
	assert_int_equal(EVP_PKEY_eq(key, expected), 1);
	EVP_PKEY_free(key);
}

static void
test_a_key_that_nobody_has_read_is_refused(void **state)
{
	EVP_PKEY *key = write_key();

	(void)state;
	if (geteuid() == 0)
		assert_int_equal(read_as_nobody(key), IS_REFUSED);
	EVP_PKEY_free(key);
}

static void
test_what_root_has_read_is_there_for_the_user_behind_it(void **state)
{
	EVP_PKEY *first = write_key(), *second;

	(void)state;
	if (geteuid() != 0) {
		EVP_PKEY_free(first);
		skip();
	}
	read_as_root(first);
	assert_int_equal(read_as_nobody(first), IS_KEPT);
	/* Another file of that name that cannot be read either: still the one of then. */
	second = write_key();
	assert_int_equal(read_as_nobody(first), IS_KEPT);
	/* What can be read is read. */
	assert_int_equal(chown(path, NOBODY, NOBODY), 0);
	assert_int_equal(read_as_nobody(second), IS_READ);
	/* And what is not there any more is an error, as before. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(read_as_nobody(first), IS_REFUSED);
	EVP_PKEY_free(first);
	EVP_PKEY_free(second);
}

static void
test_root_keeps_the_newest(void **state)
{
	EVP_PKEY *first = write_key(), *second;

	(void)state;
	read_as_root(first);
	second = write_key();
	read_as_root(second);
	if (geteuid() == 0)
		assert_int_equal(read_as_nobody(second), IS_KEPT);
	EVP_PKEY_free(first);
	EVP_PKEY_free(second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_that_nobody_has_read_is_refused),
		cmocka_unit_test(test_what_root_has_read_is_there_for_the_user_behind_it),
		cmocka_unit_test(test_root_keeps_the_newest),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
