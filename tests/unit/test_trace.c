/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The trace's files: written, rotated, bounded, cut off by crashes and full disks; read
 * backwards whatever is in them. And the queue in front of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "proxy/ops/trace.h"
#include "proxy/ops/trace_read.h"
#include "tests/unit/log_capture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char parent[32];
	char folder[64];
	struct trace_file file;
	struct trace_limits limits;
};

static void
path_of(const struct fixture *f, unsigned index, char out[128])
{
	char name[32];

	trace_file_name(index, name);
	(void)snprintf(out, 128, "%s/%s", f->folder, name);
}

static void
fixture_open(struct fixture *f)
{
	(void)snprintf(f->parent, sizeof(f->parent), "/tmp/gatepost-test-XXXXXX");
	assert_non_null(mkdtemp(f->parent));
	(void)snprintf(f->folder, sizeof(f->folder), "%s/trace", f->parent);
	trace_file_init(&f->file, f->folder);
	f->limits = (struct trace_limits){ .file_octets = 1000, .files = 3 };
}

static void
fixture_close(struct fixture *f)
{
	char path[128];

	trace_file_close(&f->file);
	for (unsigned i = 0; i < TRACE_FILES_MAX; i++) {
		path_of(f, i, path);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(f->folder), 0);
	assert_int_equal(rmdir(f->parent), 0);
}

static void
append(struct fixture *f, const char *line)
{
	struct err err = { 0 };

	if (!trace_file_append(&f->file, view_of(line), &f->limits, &err))
		fail_msg("%s: %s", line, err.text);
}

static void
append_number(struct fixture *f, unsigned number)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "line %u %*s\n", number, 80, "x");
	append(f, line);
}

/* put_octets - straight into a file. */
static void
put_octets(const struct fixture *f, unsigned index, struct view text)
{
	char path[128];
	int fd;

	(void)mkdir(f->folder, 0700);
	path_of(f, index, path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	assert_true(file_write_all(fd, text));
	close(fd);
}

/* expect_lines - all of them, with commas between, the newest first. */
static void
expect_lines(const struct fixture *f, const char *lines, size_t cut_off, size_t too_long)
{
	struct trace_reader reader;
	struct err err = { 0 };
	struct view line;
	struct buf found;

	buf_init(&found, 1 << 20);
	assert_true(trace_reader_open(&reader, f->folder, &err));
	while (trace_reader_next(&reader, &line))
		assert_true(
		    buf_printf(&found, "%s%.*s", found.len > 0 ? "," : "", VIEW_ARG(line)));
	if (!view_eq(buf_view(&found), view_of(lines)))
		fail_msg("found: %.*s", VIEW_ARG(buf_view(&found)));
	assert_int_equal(reader.cut_off, cut_off);
	assert_int_equal(reader.too_long, too_long);
	trace_reader_close(&reader);
	buf_finish(&found);
}

static off_t
octets_of(const struct fixture *f, unsigned index)
{
	struct stat st;
	char path[128];

	path_of(f, index, path);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* ---- files ---- */

static void
test_lines_come_back_the_newest_first(void **state)
{
	struct fixture f;
	struct stat st;
	char path[128];

	(void)state;
	fixture_open(&f);
	append(&f, "one\n");
	append(&f, "two\n");
	append(&f, "three\n");
	expect_lines(&f, "three,two,one", 0, 0);
	path_of(&f, 0, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(f.folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	fixture_close(&f);
}

static void
test_all_files_together_have_a_bound(void **state)
{
	struct fixture f;
	struct trace_reader reader;
	struct err err = { 0 };
	struct view line;
	unsigned number = 100;

	(void)state;
	fixture_open(&f);
	for (unsigned i = 0; i < 100; i++)
		append_number(&f, i);
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(octets_of(&f, i), 1, 1000);
	assert_int_equal(octets_of(&f, 3), -1);
	assert_true(trace_reader_open(&reader, f.folder, &err));
	while (trace_reader_next(&reader, &line)) {
		char head[32];

		(void)snprintf(head, sizeof(head), "line %u ", --number);
		assert_true(view_starts(line, view_of(head)));
	}
	assert_in_range(number, 70, 80);
	trace_reader_close(&reader);
	fixture_close(&f);
}

static void
test_fewer_files_by_a_reload(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	f.limits.files = 10;
	for (unsigned i = 0; i < 100; i++)
		append_number(&f, i);
	assert_true(octets_of(&f, 8) > 0);
	f.limits.files = 1;
	for (unsigned i = 0; i < 15; i++)
		append_number(&f, i);
	assert_true(octets_of(&f, 0) > 0);
	for (unsigned i = 1; i < 12; i++)
		assert_int_equal(octets_of(&f, i), -1);
	fixture_close(&f);
}

static void
test_what_a_crash_cut_off_spoils_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_octets(&f, 0, VIEW("one\ntwo\n{\"cut"));
	expect_lines(&f, "two,one", 1, 0);
	append(&f, "three\n");
	expect_lines(&f, "three,{\"cut,two,one", 0, 0);
	fixture_close(&f);
}

static void
test_a_file_taken_away_is_made_anew(void **state)
{
	struct fixture f;
	char path[128];

	(void)state;
	fixture_open(&f);
	append(&f, "one\n");
	path_of(&f, 0, path);
	assert_int_equal(unlink(path), 0);
	append(&f, "two\n");
	expect_lines(&f, "two", 0, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(f.folder), 0);
	append(&f, "three\n");
	expect_lines(&f, "three", 0, 0);
	fixture_close(&f);
}

static void
test_a_line_that_finds_half_its_room_is_taken_back(void **state)
{
	const struct rlimit small = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY };
	struct rlimit before;
	struct fixture f;
	struct err err = { 0 };

	(void)state;
	fixture_open(&f);
	append(&f, "one\n");
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_false(trace_file_append(&f.file, VIEW("too long a line\n"), &f.limits, &err));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(octets_of(&f, 0), 4);
	append(&f, "two\n");
	expect_lines(&f, "two,one", 0, 0);
	fixture_close(&f);
}

static void
test_what_cannot_be_a_file_is_said(void **state)
{
	struct fixture f;
	struct err err = { 0 };
	char path[128];

	(void)state;
	fixture_open(&f);
	assert_int_equal(mkdir(f.folder, 0700), 0);
	path_of(&f, 0, path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(trace_file_append(&f.file, VIEW("one\n"), &f.limits, &err));
	assert_non_null(strstr(err.text, "is no file"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/tmp/gatepost-nowhere", path), 0);
	assert_false(trace_file_append(&f.file, VIEW("one\n"), &f.limits, &err));
	assert_int_equal(unlink(path), 0);
	append(&f, "one\n");
	fixture_close(&f);
}

/* ---- reading what nobody has written ---- */

static void
test_reading_junk(void **state)
{
	struct fixture f;
	char *junk = mem_alloc(3 * TRACE_LINE_MAX);

	(void)state;
	fixture_open(&f);
	memset(junk, 'x', 3 * TRACE_LINE_MAX);
	put_octets(&f, 0, VIEW("one\n\n\n"));
	put_octets(&f, 0, view_make(junk, 3 * TRACE_LINE_MAX));
	put_octets(&f, 0, VIEW("\ntwo\n"));
	put_octets(&f, 1, view_make(junk, 3 * TRACE_LINE_MAX));
	put_octets(&f, 2, VIEW(""));
	put_octets(&f, 4, VIEW("\n"));
	put_octets(&f, 5, VIEW("four"));
	put_octets(&f, 6, VIEW("five\n"));
	put_octets(&f, 6, view_make(junk, 3 * TRACE_LINE_MAX));
	expect_lines(&f, "two,one,five", 3, 1);
	mem_free(junk);
	fixture_close(&f);
}

static void
test_lines_of_every_length(void **state)
{
	size_t lengths[220], count = 0;
	struct trace_reader reader;
	struct fixture f;
	struct err err = { 0 };
	struct view line;
	char *text = mem_alloc(300000);

	(void)state;
	fixture_open(&f);
	memset(text, 'y', 300000);
	for (size_t len = 1; count < ARRAY_LEN(lengths); len += len < 200 ? 1 : 13331) {
		lengths[count++] = len;
		put_octets(&f, 0, view_make(text, len));
		put_octets(&f, 0, VIEW("\n"));
	}
	assert_true(trace_reader_open(&reader, f.folder, &err));
	while (trace_reader_next(&reader, &line))
		assert_int_equal(line.len, lengths[--count]);
	assert_int_equal(count, 0);
	trace_reader_close(&reader);
	mem_free(text);
	fixture_close(&f);
}

static void
test_there_is_no_trace(void **state)
{
	struct trace_reader reader;
	struct fixture f;
	struct err err = { 0 };

	(void)state;
	fixture_open(&f);
	assert_false(trace_reader_open(&reader, f.folder, &err));
	assert_int_equal(mkdir(f.folder, 0700), 0);
	assert_false(trace_reader_open(&reader, f.folder, &err));
	fixture_close(&f);
}

/* ---- the queue ---- */

static void
test_what_is_queued_is_written_when_it_closes(void **state)
{
	struct trace *first, *second;
	struct fixture f;
	struct err err = { 0 };

	(void)state;
	fixture_open(&f);
	first = trace_open(f.folder, &f.limits, &err);
	second = trace_open(f.folder, &f.limits, &err);
	assert_ptr_equal(first, second);
	assert_true(trace_put(first, VIEW("one\n")));
	trace_close(&first);
	assert_true(trace_put(second, VIEW("two\n")));
	trace_close(&second);
	expect_lines(&f, "two,one", 0, 0);
	fixture_close(&f);
}

static void
test_an_outage_is_one_line_and_a_full_queue_loses(void **state)
{
	char *record = mem_alloc(TRACE_QUEUE_MAX + 1);
	struct trace *trace;
	struct fixture f;
	struct err err = { 0 };
	const char *log;

	(void)state;
	fixture_open(&f);
	memset(record, 'z', TRACE_QUEUE_MAX + 1);
	put_octets(&f, 0, VIEW("a file\n"));
	(void)snprintf(f.folder, sizeof(f.folder), "%s/trace/trace.jsonl", f.parent);
	log_capture_begin(LEVEL_INFO);
	trace = trace_open(f.folder, &f.limits, &err);
	assert_false(trace_put(trace, view_make(record, TRACE_QUEUE_MAX + 1)));
	for (int i = 0; i < 5; i++)
		assert_true(trace_put(trace, VIEW("x\n")));
	trace_close(&trace);
	log = log_capture_end();
	assert_int_equal(log_capture_count(log, "event=trace.failed"), 1);
	assert_int_equal(log_capture_count(log, "event=trace.works"), 0);
	(void)snprintf(f.folder, sizeof(f.folder), "%s/trace", f.parent);
	mem_free(record);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_come_back_the_newest_first),
		cmocka_unit_test(test_all_files_together_have_a_bound),
		cmocka_unit_test(test_fewer_files_by_a_reload),
		cmocka_unit_test(test_what_a_crash_cut_off_spoils_nothing),
		cmocka_unit_test(test_a_file_taken_away_is_made_anew),
		cmocka_unit_test(test_a_line_that_finds_half_its_room_is_taken_back),
		cmocka_unit_test(test_what_cannot_be_a_file_is_said),
		cmocka_unit_test(test_reading_junk),
		cmocka_unit_test(test_lines_of_every_length),
		cmocka_unit_test(test_there_is_no_trace),
		cmocka_unit_test(test_what_is_queued_is_written_when_it_closes),
		cmocka_unit_test(test_an_outage_is_one_line_and_a_full_queue_loses),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
