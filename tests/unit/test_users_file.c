/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/auth/users_*: lines as a table, a file that changes under its reader, edits. */
#include "proxy/auth/users_file.h"

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "proxy/auth/users_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define D43    "JQpe5d0Fw3.jaHLWVoEK1yWIsN1zAkyOD1/8wvn3Hg6"
#define HASH   "$5$saltsalt$" D43
#define HASH_6 "$6$saltsalt$" D43 D43

static struct users_table *
parse(const char *text, enum users_form form, struct conf_errors *errors)
{
	conf_errors_init(errors);
	return users_table_parse("users", view_of(text), form, errors);
}

/* ---- one line -------------------------------------------------------------------------------
 */

struct line_case {
	const char *name, *text;
	enum users_form form;
	const char *login;    /* that is there then; NULL: an error */
	const char *patterns; /* joined by blanks; or what stands in the error */
};

static const struct line_case lines[] = {
	{ "an address stands for itself", "alice@example.com:" HASH ":", USERS_WITH_HASH,
	    "alice@example.com", "alice@example.com" },
	{ "blanks around fields", " alice@example.com : " HASH " : \r", USERS_WITH_HASH,
	    "alice@example.com", "alice@example.com" },
	{ "logins have no case", "Alice@Example.COM:" HASH ":", USERS_WITH_HASH,
	    "aLICE@example.com", "Alice@Example.COM" },
	{ "commas and blanks", "bob:" HASH ":a@x.example,b@x.example , *@y.example\t<>",
	    USERS_WITH_HASH, "bob", "a@x.example b@x.example *@y.example <>" },
	{ "a quoted local part with blank and comma",
	    "bob:" HASH ":\"a, \\\"b\"@x.example c@x.example", USERS_WITH_HASH, "bob",
	    "\"a, \\\"b\"@x.example c@x.example" },
	{ "a colon in a pattern", "bob:" HASH ":bob@[IPv6:::1]", USERS_WITH_HASH, "bob",
	    "bob@[IPv6:::1]" },
	{ "a locked login", "bob@x.example:!:", USERS_WITH_HASH, "bob@x.example",
	    "bob@x.example" },
	{ "patterns alone", "bob:a@x.example", USERS_PATTERNS_ONLY, "bob", "a@x.example" },
	{ "patterns alone, none", "bob@x.example:", USERS_PATTERNS_ONLY, "bob@x.example",
	    "bob@x.example" },
	{ "a comment in front", "# hi\n\n  # there\nbob@x.example:*:", USERS_WITH_HASH,
	    "bob@x.example", "bob@x.example" },
	{ "one field", "alice@example.com", USERS_WITH_HASH, NULL,
	    "users:1: line: needs three" },
	{ "two fields", "alice@example.com:" HASH, USERS_WITH_HASH, NULL,
	    "users:1: line: needs three" },
	{ "one field where patterns are", "alice@example.com", USERS_PATTERNS_ONLY, NULL,
	    "users:1: line: needs two" },
	{ "no login", "\n:" HASH ":a@x.example", USERS_WITH_HASH, NULL,
	    "users:2: login: is empty" },
	{ "a control character", "a\001b:" HASH ":a@x.example", USERS_WITH_HASH, NULL,
	    "login: is empty, too long, or" },
	{ "a password in clear", "a@x.example:sesame:", USERS_WITH_HASH, NULL,
	    "hash: not a hash of" },
	{ "no hash", "a@x.example::", USERS_WITH_HASH, NULL, "hash: not a hash of" },
	{ "no address and no patterns", "bob:" HASH ":", USERS_WITH_HASH, NULL,
	    "patterns: must be given" },
	{ "a login that looks like a wildcard is none", "*@x.example:" HASH ":",
	    USERS_WITH_HASH, NULL, "patterns: must be given" },
	{ "a pattern that is none", "bob:" HASH ":a@x.example,nonsense", USERS_WITH_HASH, NULL,
	    "patterns: \"nonsense\" is not" },
	{ "a quote that does not end", "bob:" HASH ":\"a@x.example b@x.example",
	    USERS_WITH_HASH, NULL, "is not an address pattern" },
	{ "a login twice", "bob@x.example:!:\nBOB@x.example:!:", USERS_WITH_HASH, NULL,
	    "users:2: login: \"BOB@x.example\" is there twice" },
};

static void
expect_user(const struct users_table *t, const struct line_case *c)
{
	const struct user *u;
	char joined[512] = "";

	assert_non_null(t);
	u = users_table_find(t, view_of(c->login));
	assert_non_null(u);
	for (size_t i = 0; i < u->pattern_count; i++) {
		const size_t len = strlen(joined);

		snprintf(joined + len, sizeof(joined) - len, "%s%s", i > 0 ? " " : "",
		    u->patterns[i]);
	}
	assert_string_equal(joined, c->patterns);
}

static void
test_lines(void **state)
{
	struct conf_errors errors;
	struct users_table *t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		print_message("%s\n", lines[i].name);
		t = parse(lines[i].text, lines[i].form, &errors);
		if (lines[i].login != NULL) {
			expect_user(t, &lines[i]);
		} else {
			assert_null(t);
			assert_int_equal(errors.count, 1);
			assert_non_null(strstr(errors.lines[0], lines[i].patterns));
			assert_null(strstr(errors.lines[0], "sesame"));
		}
		users_table_unref(&t);
		conf_errors_finish(&errors);
	}
}

static void
test_limits(void **state)
{
	static char text[USERS_LINE_MAX + 100];
	struct conf_errors errors;
	struct users_table *t;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	t = parse(text, USERS_WITH_HASH, &errors);
	assert_null(t);
	assert_non_null(strstr(errors.lines[0], "over 16384"));
	conf_errors_finish(&errors);
	conf_errors_init(&errors);
	assert_null(
	    users_table_parse("users", view_make("a\0b:!:", 6), USERS_WITH_HASH, &errors));
	assert_non_null(strstr(errors.lines[0], "NUL"));
	conf_errors_finish(&errors);
	memset(text, '\n', sizeof(text) - 1);
	for (size_t i = 0; i < 100; i += 2)
		text[i] = 'x';
	t = parse(text, USERS_WITH_HASH, &errors);
	assert_null(t);
	assert_int_equal(errors.count, USERS_ERRORS_MAX);
	conf_errors_finish(&errors);
}

static void
test_many_logins(void **state)
{
	struct conf_errors errors;
	struct buf text;
	struct users_table *t;
	char login[32];

	(void)state;
	buf_init(&text, 1 << 20);
	for (int i = 0; i < 3000; i++)
		assert_true(buf_printf(&text, "u%d@x.example:!:\n", i));
	conf_errors_init(&errors);
	t = users_table_parse("users", buf_view(&text), USERS_WITH_HASH, &errors);
	assert_non_null(t);
	assert_int_equal(users_table_count(t), 3000);
	for (int i = 0; i < 3000; i++) {
		snprintf(login, sizeof(login), "u%d@x.example", i);
		assert_string_equal(users_table_find(t, view_of(login))->login, login);
	}
	assert_null(users_table_find(t, VIEW("u3000@x.example")));
	assert_null(users_table_find(t, VIEW("")));
	users_table_unref(&t);
	conf_errors_finish(&errors);
	buf_finish(&text);
}

static void
test_dummy(void **state)
{
	static const struct {
		const char *name, *text, *head;
	} rows[] = {
		{ "an empty file: yescrypt", "", "$y$j9T$" },
		{ "only locked ones: yescrypt", "a@x.example:!" HASH ":\n", "$y$j9T$" },
		{ "the commonest one",
		    "a@x.example:" HASH ":\nb@x.example:" HASH_6 ":\nc@x.example:" HASH_6 ":\n",
		    "$6$" },
		{ "cost counts, not only method",
		    "a@x.example:$6$rounds=1000$saltsalt$" D43 D43 ":\nb@x.example:" HASH_6
		    ":\nc@x.example:$6$rounds=1000$saltsal2$" D43 D43 ":\n",
		    "$6$rounds=1000$" },
	};
	struct conf_errors errors;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct users_table *t = parse(rows[i].text, USERS_WITH_HASH, &errors);

		print_message("%s\n", rows[i].name);
		assert_non_null(t);
		assert_memory_equal(users_table_dummy(t), rows[i].head, strlen(rows[i].head));
		users_table_unref(&t);
		conf_errors_finish(&errors);
	}
}

/* ---- the file on disk -----------------------------------------------------------------------
 */

struct folder {
	char path[64], file[80];
};

static unsigned changes;

static void
count_change(void)
{
	changes++;
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), mode), 0);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
expect_text(const char *path, const char *text)
{
	char got[1024];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(got, 1, sizeof(got) - 1, f);
	fclose(f);
	got[n] = '\0';
	assert_string_equal(got, text);
}

static int
set_up(void **state)
{
	static struct folder folder;

	snprintf(folder.path, sizeof(folder.path), "/tmp/gatepost-users-XXXXXX");
	assert_non_null(mkdtemp(folder.path));
	snprintf(folder.file, sizeof(folder.file), "%s/users", folder.path);
	clock_fake_set(0, 0);
	changes = 0;
	*state = &folder;
	return 0;
}

static int
tear_down(void **state)
{
	struct folder *folder = *state;

	unlink(folder->file);
	clock_fake_set(-1, -1);
	return rmdir(folder->path); /* fails when a temporary file was left */
}

static bool
has_login(struct users_file *f, const char *login)
{
	struct users_table *t = users_file_take(f);
	const bool has = users_table_find(t, view_of(login)) != NULL;

	users_table_unref(&t);
	return has;
}

static struct users_file *
create(const char *path, enum users_form form, const char *error)
{
	struct conf_errors errors;
	struct users_file *f;

	conf_errors_init(&errors);
	f = users_file_create(path, form, count_change, &errors);
	assert_int_equal(f != NULL, error == NULL);
	if (error != NULL) {
		assert_int_equal(errors.count, 1);
		assert_non_null(strstr(errors.lines[0], error));
	}
	conf_errors_finish(&errors);
	return f;
}

static void
test_a_change_is_seen_once_a_second(void **state)
{
	const struct folder *folder = *state;
	struct users_file *f;
	struct users_table *kept;

	write_file(folder->file, "a@x.example:!:\n", 0600);
	f = create(folder->file, USERS_WITH_HASH, NULL);
	kept = users_file_take(f);
	write_file(folder->file, "long-b@x.example:!:\n", 0600);
	clock_fake_set(999, 0);
	users_file_refresh(f);
	assert_true(has_login(f, "a@x.example"));
	assert_int_equal(changes, 0);
	clock_fake_set(1000, 0);
	users_file_refresh(f);
	assert_false(has_login(f, "a@x.example"));
	assert_true(has_login(f, "long-b@x.example"));
	assert_int_equal(changes, 1);
	assert_non_null(users_table_find(kept, VIEW("a@x.example"))); /* for who holds it */
	users_table_unref(&kept);
	clock_fake_set(2000, 0);
	users_file_refresh(f);
	assert_int_equal(changes, 1);
	users_file_destroy(&f);
	assert_null(f);
}

static void
test_a_broken_file_keeps_the_old_table(void **state)
{
	const struct folder *folder = *state;
	struct users_file *f;

	write_file(folder->file, "a@x.example:!:\n", 0600);
	f = create(folder->file, USERS_WITH_HASH, NULL);
	write_file(folder->file, "a@x.example:!:\nbroken\n", 0600);
	clock_fake_set(1000, 0);
	users_file_refresh(f);
	assert_true(has_login(f, "a@x.example"));
	unlink(folder->file);
	clock_fake_set(2000, 0);
	users_file_refresh(f);
	assert_true(has_login(f, "a@x.example"));
	write_file(folder->file, "long-b@x.example:!:\n", 0644); /* others may read it */
	clock_fake_set(3000, 0);
	users_file_refresh(f);
	assert_true(has_login(f, "a@x.example"));
	assert_int_equal(changes, 0);
	assert_int_equal(chmod(folder->file, 0640), 0); /* its ctime tells */
	clock_fake_set(4000, 0);
	users_file_refresh(f);
	assert_true(has_login(f, "long-b@x.example"));
	assert_int_equal(changes, 1);
	users_file_destroy(&f);
}

static void
test_files_that_are_refused(void **state)
{
	const struct folder *folder = *state;
	struct users_file *f;

	create(folder->file, USERS_WITH_HASH, "No such file");
	create(folder->path, USERS_WITH_HASH, "not a regular file");
	write_file(folder->file, "a@x.example:!:\n", 0644);
	create(folder->file, USERS_WITH_HASH, "chmod o-rwx");
	write_file(folder->file, "a@x.example:a@x.example\n", 0644);
	f = create(folder->file, USERS_PATTERNS_ONLY, NULL);
	users_file_destroy(&f);
	write_file(folder->file, "a@x.example:a@x.example\n", 0646);
	create(folder->file, USERS_PATTERNS_ONLY, "chmod o-w");
	write_file(folder->file, "a@x.example\n", 0600);
	create(folder->file, USERS_WITH_HASH, "users:1: line");
}

/* ---- edits ----------------------------------------------------------------------------------
 */

#define WAS "# mine\nBob:!:b@x.example, c@x.example\n\na@x.example:!:"

static const struct {
	const char *name, *text, *login;
	bool is_delete;
	const char *patterns, *after;
	bool was_there;
} edits[] = {
	{ "a first login", "", "a@x.example", false, NULL, "a@x.example:*NEW:\n", false },
	{ "one more, behind a line without end", WAS, "d@x.example", false, "*@x.example",
	    WAS "\nd@x.example:*NEW:*@x.example\n", false },
	{ "a hash changes, patterns and spelling stay", WAS, "bob", false, NULL,
	    "# mine\nBob:*NEW:b@x.example, c@x.example\n\na@x.example:!:\n", true },
	{ "patterns change", WAS, "bob", false, "d@x.example",
	    "# mine\nBob:*NEW:d@x.example\n\na@x.example:!:\n", true },
	{ "a login goes", WAS, "BOB", true, NULL, "# mine\n\na@x.example:!:\n", true },
	{ "a login that is not there goes", "a@x.example:!:\n", "b", true, NULL,
	    "a@x.example:!:\n", false },
	{ "a login that is there twice becomes one", "b:!:b@x.example\nb:*:\n", "b", false,
	    NULL, "b:*NEW:b@x.example\n", true },
};

static void
test_edits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		const struct users_change change = { view_of(edits[i].login),
			edits[i].is_delete, "*NEW", edits[i].patterns };
		struct buf out;
		bool was_there;

		print_message("%s\n", edits[i].name);
		buf_init(&out, 4096);
		assert_true(users_edit_text(view_of(edits[i].text), &change, &out, &was_there));
		assert_true(view_eq(buf_view(&out), view_of(edits[i].after)));
		assert_int_equal(was_there, edits[i].was_there);
		buf_finish(&out);
	}
}

static bool
edit_file(const struct folder *folder, const char *login, const char *hash, struct err *err)
{
	const struct users_change change = { view_of(login), hash == NULL, hash, NULL };
	bool was_there, was_open;

	return users_edit_file(folder->file, &change, &was_there, &was_open, err);
}

static void
test_a_file_is_edited_in_place(void **state)
{
	const struct folder *folder = *state;
	struct err err = { 0 };
	struct stat st;
	char link[96];

	assert_true(edit_file(folder, "a@x.example", "!", &err));
	expect_text(folder->file, "a@x.example:!:\n");
	assert_int_equal(stat(folder->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, geteuid() == 0 ? 0640 : 0600);
	assert_int_equal(chmod(folder->file, 0660), 0);
	snprintf(link, sizeof(link), "%s/link", folder->path);
	assert_int_equal(symlink("users", link), 0);
	{
		const struct users_change change = { VIEW("b@x.example"), false, "*", NULL };
		bool was_there, was_open;

		assert_true(users_edit_file(link, &change, &was_there, &was_open, &err));
		assert_false(was_there);
		assert_false(was_open);
	}
	expect_text(folder->file, "a@x.example:!:\nb@x.example:*:\n");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode)); /* still a link */
	unlink(link);
	assert_int_equal(stat(folder->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_true(edit_file(folder, "a@x.example", NULL, &err));
	expect_text(folder->file, "b@x.example:*:\n");
}

static void
test_an_edit_that_fails_changes_nothing(void **state)
{
	const struct folder *folder = *state;
	struct folder nowhere = { .file = "/nonexistent-folder/users" };
	struct err err = { 0 };

	write_file(folder->file, "a@x.example:!:\n", 0600);
	assert_false(edit_file(folder, "b@x.example", NULL, &err));
	assert_non_null(strstr(err.text, "there is no login \"b@x.example\""));
	assert_false(edit_file(folder, "bob", "!", &err)); /* no address, no patterns */
	assert_non_null(strstr(err.text, "nothing was changed"));
	assert_false(edit_file(folder, "b@x.example", "sesame", &err));
	expect_text(folder->file, "a@x.example:!:\n");
	assert_false(edit_file(&nowhere, "b@x.example", "!", &err));
	assert_int_equal(err.kind, ERR_IO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_logins),
		cmocka_unit_test(test_dummy),
		cmocka_unit_test_setup_teardown(
		    test_a_change_is_seen_once_a_second, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_broken_file_keeps_the_old_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_files_that_are_refused, set_up, tear_down),
		cmocka_unit_test(test_edits),
		cmocka_unit_test_setup_teardown(
		    test_a_file_is_edited_in_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_an_edit_that_fails_changes_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
