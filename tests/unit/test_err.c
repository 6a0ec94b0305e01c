/* SPDX-License-Identifier: MPL-2.0 */
/* struct err: always false, always one terminated line. */
#include "lib/base/err.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
set_fills_kind_and_text_and_is_false(void **state)
{
	(void)state;
	struct err e = { .errnum = 5 };
	assert_false(err_set(&e, ERR_TIMEOUT, "no reply in %d s", 30));
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_int_equal(e.errnum, 0);
	assert_string_equal(e.text, "no reply in 30 s");
}

static void
errno_is_kept_and_spelled_out(void **state)
{
	(void)state;
	struct err e;
	assert_false(err_set_errno(&e, ENOENT, "open %s", "/x"));
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(e.errnum, ENOENT);
	assert_string_equal(e.text, "open /x: No such file or directory");
}

static void
prefix_keeps_kind_and_errno(void **state)
{
	(void)state;
	struct err e;
	err_set_errno(&e, ECONNREFUSED, "connect");
	assert_false(err_prefix(&e, "upstream %s", "mta"));
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(e.errnum, ECONNREFUSED);
	assert_string_equal(e.text, "upstream mta: connect: Connection refused");
}

static void
nobody_listening_is_fine(void **state)
{
	(void)state;
	assert_false(err_set(NULL, ERR_IO, "x"));
	assert_false(err_set_errno(NULL, EIO, "x"));
	assert_false(err_prefix(NULL, "x"));
}

static void
arguments_may_come_from_the_old_text(void **state)
{
	(void)state;
	struct err e;
	err_set(&e, ERR_TLS, "inner");
	err_set(&e, ERR_TEMP, "outer: %s", e.text);
	assert_string_equal(e.text, "outer: inner");
	err_prefix(&e, "%s", e.text);
	assert_string_equal(e.text, "outer: inner: outer: inner");
}

static void
long_text_is_cut(void **state)
{
	(void)state;
	struct err e;
	char text[1000];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_PROTOCOL, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	err_set_errno(&e, EIO, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	err_prefix(&e, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void
every_kind_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int kind = ERR_NONE; kind <= ERR_TEMP; kind++) {
		const char *name = err_kind_name((enum err_kind)kind);
		assert_string_not_equal(name, "unknown");
		for (int other = ERR_NONE; other < kind; other++)
			assert_string_not_equal(name, err_kind_name((enum err_kind)other));
	}
	assert_string_equal(err_kind_name((enum err_kind)99), "unknown");
}

static void
shortage_is_of_our_own_machine(void **state)
{
	(void)state;
	static const int ours[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM };
	static const int theirs[] = { 0, ECONNREFUSED, ETIMEDOUT, EIO };
	struct err e;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
		err_set_errno(&e, ours[i], "socket");
		err_prefix(&e, "192.0.2.1:25");
		assert_true(err_is_shortage(&e));
		err_set_errno(&e, theirs[i], "connect");
		assert_false(err_is_shortage(&e));
	}
	err_set(&e, ERR_TIMEOUT, "no answer");
	assert_false(err_is_shortage(&e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_fills_kind_and_text_and_is_false),
		cmocka_unit_test(errno_is_kept_and_spelled_out),
		cmocka_unit_test(prefix_keeps_kind_and_errno),
		cmocka_unit_test(nobody_listening_is_fine),
		cmocka_unit_test(arguments_may_come_from_the_old_text),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(every_kind_has_a_name_of_its_own),
		cmocka_unit_test(shortage_is_of_our_own_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
