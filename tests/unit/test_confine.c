/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Least privilege: what the two profiles take from a process (a child, which says what came of
 * its deeds), and which folders are gathered from a configuration. The gate's own, with threads
 * and everything else, is looked at from inside by tests/interop/test_confine.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/confine_private.h"
#include "tests/unit/config_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFUSED 250 /* a child's status: confine_process said no */

static const struct conf_where nowhere;

/* ---- deeds of a child: 0, or an errno ---- */

static int
error_of(int rc)
{
	return rc >= 0 ? 0 : errno;
}

static int
do_write(const char *path)
{
	const int null = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return error_of(null);
}

static int
do_read(const char *path)
{
	return error_of(open(path, O_RDONLY | O_CLOEXEC));
}

static int
do_socket(const char *path)
{
	(void)path;
	return error_of(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
do_pipe_and_memory(const char *path)
{
	char octet = 'x';
	void *map =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)path;
	if (map == MAP_FAILED)
		return errno;
	memcpy(map, &octet, 1);
	return error_of(munmap(map, 4096)) + error_of((int)write(STDOUT_FILENO, &octet, 0));
}

static void *
run_thread(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static int
do_thread(const char *path)
{
	pthread_t thread;
	int has_run = 0, rc = pthread_create(&thread, NULL, run_thread, &has_run);

	(void)path;
	if (rc == 0)
		(void)pthread_join(thread, NULL);
	return rc != 0 ? rc : !has_run;
}

static int
do_execve(const char *path)
{
	char *const nothing[] = { NULL };

	return error_of(execve(path, nothing, nothing));
}

static int
do_fork(const char *path)
{
	(void)path;
	return error_of(fork());
}

/* ---- a child ---- */

#define ALL_BUT(layer_)                                        \
	(((1U << CONFINE_LAYERS) - 1) & ~confine_bit(layer_) & \
	    ~confine_bit(CONFINE_NO_NEW_PRIVS))

/* in_child - the wait status of a process that gave up its rights and did the deed. */
static int
in_child(enum confine_profile profile, unsigned off, struct confine_paths *paths,
    int (*deed)(const char *), const char *path)
{
	const pid_t child = fork();
	struct confine_report report;
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		if (!confine_process(profile, off, paths, &report, NULL))
			_exit(REFUSED);
		_exit(deed(path));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
assert_deed(enum confine_profile profile, int (*deed)(const char *), int error)
{
	const int status =
	    in_child(profile, ALL_BUT(CONFINE_SECCOMP), NULL, deed, "/no/such/file");

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), error);
}

static void
test_an_engine_has_memory_threads_and_its_descriptors(void **state)
{
	(void)state;
	assert_deed(CONFINE_ENGINE, do_pipe_and_memory, 0);
	assert_deed(CONFINE_ENGINE, do_thread, 0);
}

static void
test_an_engine_has_neither_network_nor_files(void **state)
{
	(void)state;
	if (CONFINE_SANITIZED)
		skip();
	assert_deed(CONFINE_ENGINE, do_socket, ENOSYS);
	assert_deed(CONFINE_ENGINE, do_read, ENOSYS);
	assert_deed(CONFINE_ENGINE, do_write, ENOSYS);
}

static void
test_a_gate_has_both(void **state)
{
	(void)state;
	assert_deed(CONFINE_GATE, do_thread, 0);
	assert_deed(CONFINE_GATE, do_socket, 0);
	assert_deed(CONFINE_GATE, do_read, ENOENT);
}

static void
test_no_profile_makes_processes(void **state)
{
	static const enum confine_profile profiles[] = { CONFINE_GATE, CONFINE_ENGINE };

	(void)state;
	if (CONFINE_SANITIZED)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		const int status = in_child(
		    profiles[i], ALL_BUT(CONFINE_SECCOMP), NULL, do_execve, "/no/such/file");

		assert_deed(profiles[i], do_fork, EPERM);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

static void
test_what_is_off_is_off(void **state)
{
	struct confine_report report = { 0 };
	struct err err;

	(void)state;
	/* All of it: this process goes on as it was. */
	assert_true(
	    confine_process(CONFINE_ENGINE, (1U << CONFINE_LAYERS) - 1, NULL, &report, &err));
	for (size_t i = 0; i < CONFINE_LAYERS; i++)
		assert_int_equal(report.layers[i].state, CONFINE_OFF);
	assert_int_equal(do_socket(NULL), 0);
}

/* ---- folders ---- */

/* A folder with two below it, "in" and "out", each with a file "file". */
static char *
make_folders(void)
{
	static const char *const names[] = { "in", "out" };
	char *top = strdup("/tmp/gatepost-test-XXXXXX"), path[128];

	assert_non_null(mkdtemp(top));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		snprintf(path, sizeof(path), "%s/%s/file", top, names[i]);
		assert_int_equal(do_write(path), 0);
	}
	return top;
}

static void
remove_folders(char *top)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", top);
	assert_int_equal(system(command), 0);
	free(top);
}

static bool
has_landlock(void)
{
	struct confine_paths paths;
	const pid_t child = fork();
	struct confine_report report = { 0 };
	int status = 0;

	confine_paths_init(&paths);
	if (child == 0) {
		const bool ok = confine_process(
		    CONFINE_GATE, ALL_BUT(CONFINE_LANDLOCK), &paths, &report, NULL);

		_exit(ok && report.layers[CONFINE_LANDLOCK].state == CONFINE_ON);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	confine_paths_finish(&paths);
	return WEXITSTATUS(status) == 1;
}

static int
deed_below(
    const char *top, enum confine_access access, const char *name, int (*deed)(const char *))
{
	struct confine_paths paths;
	char path[128];
	int status;

	confine_paths_init(&paths);
	snprintf(path, sizeof(path), access == CONFINE_WRITE ? "%s/in" : "%s/in/file", top);
	confine_paths_add(&paths, access, path, "file", nowhere);
	snprintf(path, sizeof(path), "%s/%s", top, name);
	status = in_child(CONFINE_GATE, ALL_BUT(CONFINE_LANDLOCK), &paths, deed, path);
	confine_paths_finish(&paths);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_only_what_was_named_can_be_opened(void **state)
{
	char *top;

	(void)state;
	if (!has_landlock())
		skip();
	top = make_folders();
	assert_int_equal(deed_below(top, CONFINE_READ, "in/file", do_read), 0);
	assert_int_equal(deed_below(top, CONFINE_READ, "in/file", do_write), EACCES);
	assert_int_equal(deed_below(top, CONFINE_READ, "in/new", do_write), EACCES);
	assert_int_equal(deed_below(top, CONFINE_READ, "out/file", do_read), EACCES);
	assert_int_equal(deed_below(top, CONFINE_WRITE, "in/new", do_write), 0);
	assert_int_equal(deed_below(top, CONFINE_WRITE, "in/new", do_read), 0);
	assert_int_equal(deed_below(top, CONFINE_WRITE, "out/new", do_write), EACCES);
	remove_folders(top);
}

static bool
has_path(const struct confine_paths *paths, enum confine_access access, const char *path)
{
	for (size_t i = 0; i < paths->count; i++) {
		if (paths->items[i].access == access && strcmp(paths->items[i].path, path) == 0)
			return true;
	}
	return false;
}

static void
assert_has(const struct confine_paths *paths, enum confine_access access, const char *top,
    const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", top, name);
	if (!has_path(paths, access, path))
		fail_msg("%s is missing", path);
}

static void
test_every_kind_of_path_is_gathered(void **state)
{
	char *top = make_folders(), text[1024], real[128], link[128];
	struct confine_paths paths;
	struct conf_errors errors;
	struct loaded_config *c;

	(void)state;
	snprintf(text, sizeof(text),
	    "state_dir = \"%s/state\"; access: { table = \"file:%s/in/file\"; };"
	    "tls: { certificate = \"%s/link\"; key = \"/key.pem\"; };",
	    top, top, top);
	snprintf(real, sizeof(real), "%s/out/file", top);
	snprintf(link, sizeof(link), "%s/link", top);
	assert_int_equal(symlink(real, link), 0);
	conf_errors_init(&errors);
	c = load_parts(&(struct parts){ .tls = "", .rest = text }, &errors);
	assert_non_null(c);
	confine_paths_init(&paths);
	confine_paths_gather(&paths, c);
	assert_has(&paths, CONFINE_WRITE, top, "/state"); /* it was made */
	assert_has(&paths, CONFINE_READ, top, "/in");	  /* a table in a file */
	assert_has(&paths, CONFINE_READ, top, "/out");	  /* where the link leads */
	assert_has(&paths, CONFINE_READ, top, "");	  /* and where it is */
	assert_false(has_path(&paths, CONFINE_READ, "/"));
	confine_paths_finish(&paths);
	config_unload(&c);
	conf_errors_finish(&errors);
	remove_folders(top);
}

static void
hold(struct confine_paths *paths, size_t index)
{
	struct stat st;

	assert_true(index < paths->count);
	assert_int_equal(stat(paths->items[index].path, &st), 0);
	paths->items[index].is_held = true;
	paths->items[index].device = st.st_dev;
	paths->items[index].inode = st.st_ino;
}

static bool
covers(const struct confine_paths *held, enum confine_access access, const char *top,
    const char *name, struct conf_errors *errors)
{
	struct confine_paths wanted;
	char path[128];
	bool is_covered;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	confine_paths_init(&wanted);
	confine_paths_add(&wanted, access, path, "file", nowhere);
	is_covered = confine_paths_cover(held, &wanted, errors);
	confine_paths_finish(&wanted);
	return is_covered;
}

static void
test_a_new_configuration_stays_within_what_is_held(void **state)
{
	char *top = make_folders(), path[128];
	struct conf_errors errors;
	struct confine_paths held;

	(void)state;
	conf_errors_init(&errors);
	confine_paths_init(&held);
	snprintf(path, sizeof(path), "%s/in/file", top);
	confine_paths_add(&held, CONFINE_READ, path, "file", nowhere);
	/* Without Landlock everything is within. */
	assert_true(covers(&held, CONFINE_WRITE, top, "out", &errors));
	hold(&held, 0);
	snprintf(path, sizeof(path), "%s/in/deeper", top);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(covers(&held, CONFINE_READ, top, "in/other", &errors));
	assert_true(covers(&held, CONFINE_READ, top, "in/deeper/file", &errors));
	assert_int_equal(errors.count, 0);
	assert_false(covers(&held, CONFINE_READ, top, "out/file", &errors));
	assert_false(covers(&held, CONFINE_WRITE, top, "in", &errors));
	assert_int_equal(errors.count, 2);
	assert_non_null(strstr(errors.lines[0], "restart"));
	confine_paths_finish(&held);
	conf_errors_finish(&errors);
	remove_folders(top);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_engine_has_memory_threads_and_its_descriptors),
		cmocka_unit_test(test_an_engine_has_neither_network_nor_files),
		cmocka_unit_test(test_a_gate_has_both),
		cmocka_unit_test(test_no_profile_makes_processes),
		cmocka_unit_test(test_what_is_off_is_off),
		cmocka_unit_test(test_only_what_was_named_can_be_opened),
		cmocka_unit_test(test_every_kind_of_path_is_gathered),
		cmocka_unit_test(test_a_new_configuration_stays_within_what_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
