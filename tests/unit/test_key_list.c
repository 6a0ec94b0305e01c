/* SPDX-License-Identifier: MPL-2.0 */
/* The list of key files that the parent makes for keepers. */
#include "proxy/key_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LISTENERS "listeners: ( { listen = \"127.0.0.1:587\"; } );\n"

/* scan - a configuration of that text; the list with "|" for each NUL. */
static void
scan(const char *text, char *out, size_t room)
{
	char folder[] = "/tmp/key-list-XXXXXX", path[64];
	struct buf list;

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/conf", folder);
	const int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
	buf_init(&list, KEY_LIST_MAX);
	key_list_scan(path, &list);
	assert_true(list.len < room);
	for (size_t i = 0; i < list.len; i++)
		out[i] = list.p[i] != '\0' ? list.p[i] : '|';
	out[list.len] = '\0';
	buf_finish(&list);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void
test_scan(void **state)
{
	static const struct {
		const char *text, *list;
	} cases[] = {
		{ LISTENERS, "Ugatepost|S/var/lib/gatepost|" },
		{ "user = \"mail\"; group = \"adm\"; keeper_user = \"games\";\n"
		  "state_dir = \"/s\";\n" LISTENERS
		  "domains: ( { name = \"a\"; dkim = ( { selector = \"x\"; key = \"/k/1\"; },\n"
		  "{ selector = \"y\"; key = \"/k/2\"; } ); }, { name = \"b\"; },\n"
		  "{ name = \"c\"; dkim = ( { key = \"/k/3\"; }, { key = 7; } ); } );\n",
		    "Umail|Gadm|Kgames|S/s|P/k/1|P/k/2|P/k/3|" },
		{ "domains: ( { dkim = ( { key = \"/k/1\"; } ); } );\n", "" },
		{ LISTENERS "domains: ( { dkim = ( { key = \"/k/1\"; } ); );\n", "" },
		{ "domains = \"x\"; listeners = 5;\n", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char list[256];

		scan(cases[i].text, list, sizeof(list));
		assert_string_equal(list, cases[i].list);
	}
}

static void
merge(const char *old, size_t old_len, struct view fresh, struct buf *out)
{
	buf_init(out, KEY_LIST_MAX);
	assert_true(buf_add(out, old, old_len));
	key_list_merge(out, fresh);
}

static void
test_merge(void **state)
{
	static const char old[] = "Umail\0Ggrp\0P/k/1\0P/k/2";
	static const char fresh[] = "Uother\0P/k/2\0P/k/3";
	static const char both[] = "Uother\0P/k/2\0P/k/3\0P/k/1";
	struct buf list;

	(void)state;
	merge(old, sizeof(old), view_make(fresh, sizeof(fresh)), &list);
	assert_int_equal(list.len, sizeof(both));
	assert_memory_equal(list.p, both, sizeof(both));
	assert_string_equal(key_list_value(buf_view(&list), 'U'), "other");
	assert_null(key_list_value(buf_view(&list), 'G'));
	buf_finish(&list);
	merge(old, sizeof(old), VIEW(""), &list);
	assert_memory_equal(list.p, old, sizeof(old));
	buf_finish(&list);
}

static void
test_next(void **state)
{
	static const char text[] = "Ua\0P\0half";
	struct view rest = view_make(text, sizeof(text) - 1);
	const char *value;
	char letter;

	(void)state;
	assert_true(key_list_next(&rest, &letter, &value));
	assert_int_equal(letter, 'U');
	assert_string_equal(value, "a");
	assert_true(key_list_next(&rest, &letter, &value));
	assert_string_equal(value, "");
	assert_false(key_list_next(&rest, &letter, &value)); /* without its NUL */
	rest = view_make("\0Ua", 4);
	assert_false(key_list_next(&rest, &letter, &value));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{ "a configuration's keys, users and folder are listed; a broken one's are not",
		    test_scan, NULL, NULL, NULL },
		{ "paths that a reload took away stay, all else is the new one's", test_merge,
		    NULL, NULL, NULL },
		{ "only whole records are read", test_next, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
