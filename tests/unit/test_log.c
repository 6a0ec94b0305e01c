/* SPDX-License-Identifier: MPL-2.0 */
/* Log lines: the format to the octet, hostile values, the one-line rule, one write a line. */
#include "lib/base/log.h"

#include "lib/base/clock.h"
#include "lib/base/log_line.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TIME	  1795553870123 /* 2026-11-24T20:57:50.123Z */
#define HEAD_TEXT "2026-11-24T20:57:50.123Z level=info event=msg.done"
#define HEAD_JSON \
	"{\"time\":\"2026-11-24T20:57:50.123Z\",\"level\":\"info\",\"event\":\"msg.done\""

static size_t
print(enum log_format format, const struct log_field *fields, size_t count,
    char out[LOG_LINE_MAX + 1])
{
	struct log_line line = { .format = format,
		.real_ms = TIME,
		.level = LEVEL_INFO,
		.event = "msg.done",
		.fields = fields,
		.count = count };
	return log_line_print(&line, out);
}

static void
values_are_printed_to_the_octet(void **state)
{
	(void)state;
	const struct {
		struct log_field field;
		const char *text, *json;
	} cases[] = {
		{ LOG_STR("k", "plain"), " k=plain", ",\"k\":\"plain\"" },
		{ LOG_STR("k", "two words"), " k=\"two words\"", ",\"k\":\"two words\"" },
		{ LOG_STR("k", ""), " k=\"\"", ",\"k\":\"\"" },
		{ LOG_STR("k", NULL), " k=\"\"", ",\"k\":\"\"" },
		{ LOG_STR("k", "a=b"), " k=\"a=b\"", ",\"k\":\"a=b\"" },
		{ LOG_STR("k", "say \"hi\"\\"), " k=\"say \\\"hi\\\"\\\\\"",
		    ",\"k\":\"say \\\"hi\\\"\\\\\"" },
		{ LOG_STR("k", "a\r\nlevel=error"), " k=\"a\\x0d\\x0alevel=error\"",
		    ",\"k\":\"a\\u000d\\u000alevel=error\"" },
		{ LOG_VIEW("k", VIEW("\0")), " k=\"\\x00\"", ",\"k\":\"\\u0000\"" },
		{ LOG_STR("k", "\x1b[31m\x7f"), " k=\"\\x1b[31m\\x7f\"",
		    ",\"k\":\"\\u001b[31m\\u007f\"" },
		{ LOG_STR("k", "b\xc3\xbc"), " k=\"b\\xc3\\xbc\"", ",\"k\":\"b\xc3\xbc\"" },
		{ LOG_STR("k", "\xf0\x9f\x98\x80"), " k=\"\\xf0\\x9f\\x98\\x80\"",
		    ",\"k\":\"\xf0\x9f\x98\x80\"" },
		{ LOG_STR("k", "\xfc"), " k=\"\\xfc\"", ",\"k\":\"\\u00fc\"" },
		{ LOG_STR("k", "\xc0\xaf"), " k=\"\\xc0\\xaf\"", ",\"k\":\"\\u00c0\\u00af\"" },
		{ LOG_STR("k", "\xed\xa0\x80"), " k=\"\\xed\\xa0\\x80\"",
		    ",\"k\":\"\\u00ed\\u00a0\\u0080\"" },
		{ LOG_STR("k", "\xf4\x90\x80\x80"), " k=\"\\xf4\\x90\\x80\\x80\"",
		    ",\"k\":\"\\u00f4\\u0090\\u0080\\u0080\"" },
		{ LOG_STR("k", "\xe2\x80\xa8"), " k=\"\\xe2\\x80\\xa8\"",
		    ",\"k\":\"\\u00e2\\u0080\\u00a8\"" },
		{ LOG_STR("k", "\xc2\x85"), " k=\"\\xc2\\x85\"", ",\"k\":\"\\u00c2\\u0085\"" },
		{ LOG_STR("k", "cut\xe2\x82"), " k=\"cut\\xe2\\x82\"",
		    ",\"k\":\"cut\\u00e2\\u0082\"" },
		{ LOG_U64("k", UINT64_MAX), " k=18446744073709551615",
		    ",\"k\":18446744073709551615" },
		{ LOG_BOOL("k", true), " k=true", ",\"k\":true" },
		{ LOG_BOOL("k", false), " k=false", ",\"k\":false" },
		{ { .key = "k" }, "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[LOG_LINE_MAX + 1], expected[512];
		snprintf(expected, sizeof(expected), HEAD_TEXT "%s\n", cases[i].text);
		size_t len = print(LOG_FORMAT_TEXT, &cases[i].field, 1, out);
		assert_string_equal(out, expected);
		assert_int_equal(len, strlen(expected));
		snprintf(expected, sizeof(expected), HEAD_JSON "%s}\n", cases[i].json);
		print(LOG_FORMAT_JSON, &cases[i].field, 1, out);
		assert_string_equal(out, expected);
	}
}

static void
a_long_value_is_cut_at_512_octets(void **state)
{
	(void)state;
	char value[600], out[LOG_LINE_MAX + 1];
	memset(value, 'a', sizeof(value));
	memcpy(value + 511, "\xc3\xbc", 2); /* not cut in two: it goes */
	struct log_field field = LOG_VIEW("k", view_make(value, 512));
	print(LOG_FORMAT_TEXT, &field, 1, out);
	assert_null(strstr(out, "..."));
	field.text.len = 513;
	print(LOG_FORMAT_TEXT, &field, 1, out);
	assert_string_equal(out + strlen(HEAD_TEXT) + 3 + 511, "...\n");
	print(LOG_FORMAT_JSON, &field, 1, out);
	assert_string_equal(out + strlen(HEAD_JSON) + 6 + 511, "...\"}\n");
}

static void
a_line_stops_at_8192_octets_and_says_so(void **state)
{
	(void)state;
	char value[512], out[LOG_LINE_MAX + 1];
	struct log_field fields[30];
	for (size_t fill = 0; fill < 2; fill++) {
		memset(value, fill == 0 ? 'a' : '\x01', sizeof(value));
		for (size_t i = 0; i < ARRAY_LEN(fields); i++)
			fields[i] = LOG_VIEW("k", view_make(value, sizeof(value)));
		size_t len = print(LOG_FORMAT_TEXT, fields, ARRAY_LEN(fields), out);
		assert_true(len <= LOG_LINE_MAX);
		assert_int_equal(strlen(out), len);
		assert_non_null(strstr(out, " truncated=true\n"));
		len = print(LOG_FORMAT_JSON, fields, ARRAY_LEN(fields), out);
		assert_true(len <= LOG_LINE_MAX);
		assert_non_null(strstr(out, "\",\"truncated\":true}\n"));
	}
	fields[29] = LOG_BOOL("last", true);
	print(LOG_FORMAT_TEXT, fields, ARRAY_LEN(fields), out);
	assert_non_null(strstr(out, " last=true truncated=true\n"));
}

static void
every_octet_stays_on_the_line(void **state)
{
	(void)state;
	for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++)
		for (int c = 0; c < 256; c++) {
			char out[LOG_LINE_MAX + 1], value[2] = { (char)c, 'x' };
			struct log_field field = LOG_VIEW("k", view_make(value, 2));
			size_t len = print((enum log_format)format, &field, 1, out);
			for (size_t i = 0; i < len - 1; i++)
				assert_true(out[i] >= 0x20 && out[i] < 0x7f);
			assert_int_equal(out[len - 1], '\n');
		}
}

static void
syslog_lines_in_text_have_no_time(void **state)
{
	(void)state;
	char out[LOG_LINE_MAX + 1];
	struct log_line line = {
		.without_time = true, .real_ms = TIME, .level = LEVEL_ERROR, .event = "x"
	};
	log_line_print(&line, out);
	assert_string_equal(out, "level=error event=x\n");
	line.format = LOG_FORMAT_JSON;
	line.level = LEVEL_DEBUG;
	log_line_print(&line, out);
	assert_string_equal(out,
	    "{\"time\":\"2026-11-24T20:57:50.123Z\",\"level\":\"debug\",\"event\":\"x\"}\n");
}

/* stderr is a memory file between capture_start and capture_stop. */
static int saved_stderr, captured;

static void
capture_start(void)
{
	saved_stderr = dup(STDERR_FILENO);
	captured = memfd_create("stderr", MFD_CLOEXEC);
	fcntl(captured, F_SETFL, O_APPEND); /* a memory file has no lock on its offset */
	assert_true(captured >= 0 && dup2(captured, STDERR_FILENO) >= 0);
}

/* What was written, terminated; the caller frees it. */
static char *
capture_stop(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	off_t size = lseek(captured, 0, SEEK_END);
	assert_true(size >= 0);
	char *text = calloc(1, (size_t)size + 1);
	assert_int_equal(pread(captured, text, (size_t)size, 0), size);
	close(captured);
	return text;
}

static void
the_level_decides_what_is_written(void **state)
{
	(void)state;
	struct log_config config = { .level = LEVEL_WARNING };
	clock_fake_set(0, 1795553870);
	capture_start();
	log_configure(&config);
	bool info = log_is_on(LEVEL_INFO), error = log_is_on(LEVEL_ERROR);
	log_event(LEVEL_INFO, "not.written", LOG_U64("n", 1));
	log_event(LEVEL_WARNING, "written", LOG_STR("peer", "a b"), LOG_OPT("left", ""),
	    LOG_OPT("out", (const char *)NULL), LOG_BOOL("tls", true));
	config.format = LOG_FORMAT_JSON;
	config.level = LEVEL_DEBUG;
	log_configure(&config);
	log_event(LEVEL_DEBUG, "now.too", LOG_U64("n", 2));
	char *text = capture_stop();
	assert_false(info);
	assert_true(error);
	assert_string_equal(text,
	    "2026-11-24T20:57:50.000Z level=warning event=written peer=\"a b\" tls=true\n"
	    "{\"time\":\"2026-11-24T20:57:50.000Z\",\"level\":\"debug\",\"event\":\"now.too\","
	    "\"n\":2}\n");
	free(text);
}

static void *
write_lines(void *arg)
{
	for (int i = 0; i < 200; i++)
		log_event(LEVEL_ERROR, "line", LOG_STR("from", arg), LOG_U64("n", i));
	return NULL;
}

static void
lines_of_many_threads_stay_whole(void **state)
{
	(void)state;
	static char names[4][8] = { "aaaa", "bbbb", "cccc", "dddd" };
	pthread_t threads[4];
	struct log_config config = { .level = LEVEL_INFO };
	clock_fake_set(0, 1795553870);
	log_configure(&config);
	capture_start();
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, write_lines, names[i]);
	for (int i = 0; i < 50; i++) /* a reload meanwhile */
		log_configure(&config);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	char *text = capture_stop();
	struct view rest = view_of(text), line;
	size_t count = 0;
	while (view_split(&rest, '\n', &line) && line.len > 0) {
		char from[8];
		int n;
		char copy[128];
		assert_true(view_copy(line, copy, sizeof(copy)));
		assert_int_equal(sscanf(copy,
				     "2026-11-24T20:57:50.000Z level=error event=line "
				     "from=%4[a-d] n=%d",
				     from, &n),
		    2);
		count++;
	}
	assert_int_equal(count, 800);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_printed_to_the_octet),
		cmocka_unit_test(a_long_value_is_cut_at_512_octets),
		cmocka_unit_test(a_line_stops_at_8192_octets_and_says_so),
		cmocka_unit_test(every_octet_stays_on_the_line),
		cmocka_unit_test(syslog_lines_in_text_have_no_time),
		cmocka_unit_test(the_level_decides_what_is_written),
		cmocka_unit_test(lines_of_many_threads_stay_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
