/* SPDX-License-Identifier: MPL-2.0 */
/* proxy/upstream/delivery_maildir: whole in new/, or nowhere. */
#include "proxy/upstream/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/upstream_rig.h"
#include "tests/unit/upstream_rig_delivery.h"

static char parent[64], folder[128];

static int
set_up(void **state)
{
	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	snprintf(parent, sizeof(parent), "/tmp/gatepost-maildir-XXXXXX");
	snprintf(folder, sizeof(folder), "%s/Mail", mkdtemp(parent));
	return 0;
}

/* entries - of a folder in the Maildir; the name of the last one, or removed. */
static size_t
entries(const char *part, char *name_out, bool remove)
{
	char path[512], file[1024];
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", folder, part);
	dir = opendir(path);
	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (name_out != NULL)
			snprintf(name_out, 256, "%s", e->d_name);
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (remove)
			unlink(file);
	}
	closedir(dir);
	if (remove)
		rmdir(path);
	return n;
}

static int
tear_down(void **state)
{
	(void)state;
	entries("tmp", NULL, true);
	entries("new", NULL, true);
	entries("cur", NULL, true);
	rmdir(folder);
	unlink(folder);
	rmdir(parent);
	return 0;
}

static struct config_upstream
config_of(void)
{
	return (struct config_upstream){
		.name = "local", .type = UPSTREAM_MAILDIR, .maildir = folder
	};
}

static void
deliver(const char *from, const char *hostname, bool is_large, struct smtp_reply *out,
    struct delivery_facts *facts)
{
	struct config_upstream config = config_of();
	struct conf_errors errors;
	struct smtp_mail mail = rig_mail_of(from);
	struct smtp_path b = rig_path_of("<b@example.net>"),
			 c = rig_path_of("<\"c d\"@example.net>");
	struct message *m = rig_message_of(is_large);

	conf_errors_init(&errors);
	struct upstream *u = upstream_create(&config, hostname, &errors);
	assert_non_null(u);
	struct delivery *d = delivery_create(u, "test.1");
	delivery_mail(d, &mail, out);
	assert_int_equal(out->code, 250);
	delivery_rcpt(d, &b, NULL, out);
	assert_int_equal(out->code, 250);
	delivery_rcpt(d, &c, NULL, out);
	assert_int_equal(out->code, 250);
	delivery_send(d, m, out);
	*facts = *delivery_facts(d);
	facts->upstream = NULL;
	delivery_destroy(&d);
	upstream_destroy(&u);
	message_destroy(&m);
	conf_errors_finish(&errors);
}

static void
check_content(const char *name, const char *want, size_t size)
{
	char path[512], text[1024];
	struct stat st;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/new/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, size);
	n = read(fd, text, strlen(want));
	assert_int_equal(n, strlen(want));
	assert_memory_equal(text, want, strlen(want));
	close(fd);
}

#define TOP                                                               \
	"Return-Path: <a@example.com>\r\nDelivered-To: b@example.net\r\n" \
	"Delivered-To: \"c d\"@example.net\r\n"

static void
test_whole(void **state)
{
	struct smtp_reply reply;
	struct delivery_facts facts;
	char name[256];

	(void)state;
	deliver("FROM:<a@example.com>", "gate.example.com", false, &reply, &facts);
	assert_int_equal(reply.code, 250);
	assert_int_equal(entries("new", name, false), 1);
	assert_int_equal(entries("tmp", NULL, false), 0);
	assert_int_equal(entries("cur", NULL, false), 0);
	assert_string_equal(facts.queue_id, name);
	assert_non_null(strstr(reply.text, name));
	assert_non_null(strstr(name, ".gate.example.com"));
	check_content(name, TOP CONTENT, sizeof(TOP CONTENT) - 1);
	/* The next one has another name. */
	deliver("FROM:<>", "gate.example.com", false, &reply, &facts);
	assert_int_equal(reply.code, 250);
	assert_int_equal(entries("new", NULL, false), 2);
	check_content(facts.queue_id, "Return-Path: <>\r\n", sizeof(TOP CONTENT) - 1 - 13);
}

static void
test_large(void **state)
{
	struct smtp_reply reply;
	struct delivery_facts facts;
	struct message *m = rig_message_of(true);

	(void)state;
	deliver("FROM:<a@example.com>", "a/b:c.example.com", true, &reply, &facts);
	assert_int_equal(reply.code, 250);
	assert_non_null(strstr(facts.queue_id, ".a_b_c.example.com"));
	check_content(facts.queue_id, TOP CONTENT, sizeof(TOP) - 1 + message_size(m));
	message_destroy(&m);
}

/* A full disk, played by a limit on the size of files. */
static void
test_full(void **state)
{
	struct rlimit before, small;
	struct smtp_reply reply;
	struct delivery_facts facts;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 100000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	deliver("FROM:<a@example.com>", "gate", true, &reply, &facts);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(reply.code, 451);
	assert_string_equal(facts.queue_id, "");
	assert_int_equal(entries("new", NULL, false), 0);
	assert_int_equal(entries("tmp", NULL, false), 0);
}

/* new/ is a file: what was written to tmp/ cannot be published. */
static void
test_unpublishable(void **state)
{
	struct smtp_reply reply;
	struct delivery_facts facts;
	char path[256];
	int fd;

	(void)state;
	assert_int_equal(mkdir(folder, 0700), 0);
	snprintf(path, sizeof(path), "%s/new", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	deliver("FROM:<a@example.com>", "gate", false, &reply, &facts);
	assert_int_equal(reply.code, 451);
	assert_string_equal(reply.enhanced, "4.3.0");
	assert_int_equal(entries("tmp", NULL, false), 0);
	unlink(path);
}

static void
test_features(void **state)
{
	struct config_upstream config = config_of();
	struct conf_errors errors;
	struct smtp_ehlo ehlo;

	(void)state;
	conf_errors_init(&errors);
	struct upstream *u = upstream_create(&config, "gate", &errors);
	upstream_features(u, &ehlo);
	assert_true(ehlo.eightbitmime);
	assert_int_equal(ehlo.size_limit, 0);
	upstream_tend(u);
	upstream_destroy(&u);
	conf_errors_finish(&errors);
	assert_int_equal(
	    access(folder, F_OK), -1); /* nothing is made before the first delivery */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unpublishable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_features, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
