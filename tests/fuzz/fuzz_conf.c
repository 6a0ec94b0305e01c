/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A configuration file of any octets, through conf_load with a table of every type. Checked:
 * it fails exactly when it says why; each error is one line with a file and a line that exist;
 * what was loaded is within the ranges of its rows, also after an error; and what was loaded
 * without one does not change when the same text is read from an include.
 */
#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "tests/unit/conf_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 does not free a string at which it found a syntax error. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

struct result {
	struct arena arena;
	struct conf_errors errors;
	struct sample sample;
	struct conf_extra extra;
	bool ok;
};

static void
check(bool holds)
{
	if (!holds)
		abort();
}

/* A memory file with this content, and its path. */
static int
make_file(struct view text, char path[64])
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	check(fd >= 0 && write(fd, text.p, text.len) == (ssize_t)text.len);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static void
load(struct result *r, const char *path)
{
	arena_init(&r->arena);
	conf_errors_init(&r->errors);
	r->extra.table = &sample_extra_table;
	r->ok = conf_load(path, &sample_table, &r->sample, &r->extra, 1, &r->arena, &r->errors);
}

static void
finish(struct result *r)
{
	conf_errors_finish(&r->errors);
	arena_finish(&r->arena);
}

static void
check_errors(const struct result *r, const char *path, size_t newlines)
{
	check(r->ok == (r->errors.count == 0));
	for (size_t i = 0; i < r->errors.count; i++) {
		struct view line = view_of(r->errors.lines[i]);
		if (!view_starts(line, view_of(path)))
			continue; /* an error in a file that the input includes */
		check(line.p[strlen(path)] == ':');
		unsigned long number = strtoul(line.p + strlen(path) + 1, NULL, 10);
		check(number <= newlines + 1);
	}
}

static void
check_listener(const struct sample_listener *l)
{
	check(l->tls >= 10 && l->tls <= 12);
	check(l->timeout_ms >= 100 && l->timeout_ms <= 300000);
	check(l->where.line > 0);
	const struct sample_key *keys = l->keys.items;
	for (size_t i = 0; i < l->keys.count; i++)
		check(keys[i].file == NULL || keys[i].file[0] == '/');
}

static void
check_values(const struct result *r)
{
	const struct sample *s = &r->sample;
	const struct sample_limits *limits = &s->limits;
	const struct sample_extra *extra = r->extra.target_out;
	check(!r->ok || s->hostname != NULL);
	check(s->state_dir[0] == '/');
	check(limits->message_octets >= 65536 && limits->message_octets <= INT64_C(8) << 30);
	check(limits->recipients >= 1 && limits->recipients <= 1000);
	check(limits->any >= 0 && limits->below >= -10 && limits->below <= -1);
	check(limits->idle_ms >= 0 && limits->idle_ms <= 3600000);
	check(extra->count >= 1 && extra->count <= 9);
	check(!r->ok || limits->where.line == 0 || limits->must != NULL);
	const struct sample_listener *listeners = s->listeners.items;
	for (size_t i = 0; i < s->listeners.count; i++)
		check_listener(&listeners[i]);
	for (size_t i = 0; i < s->names.count; i++)
		check(s->names.items[i] != NULL);
}

static bool
same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void
check_same(const struct result *a, const struct result *b)
{
	check(a->ok == b->ok);
	check(same_text(a->sample.hostname, b->sample.hostname));
	check(same_text(a->sample.motto, b->sample.motto));
	check(same_text(a->sample.state_dir, b->sample.state_dir));
	check(a->sample.servers.count == b->sample.servers.count);
	check(a->sample.listeners.count == b->sample.listeners.count);
	check(a->sample.limits.any == b->sample.limits.any);
	check(a->sample.limits.where.line == b->sample.limits.where.line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = view_make((const char *)data, size);
	struct result direct = { 0 }, included = { 0 };
	char path[64], outer_path[64], outer[96];
	size_t newlines = 0;
	for (size_t i = 0; i < size; i++)
		newlines += data[i] == '\n';

	int fd = make_file(text, path);
	load(&direct, path);
	check_errors(&direct, path, newlines);
	check_values(&direct);
	if (direct.ok) {
		snprintf(outer, sizeof(outer), "@include \"%s\"\n", path);
		int outer_fd = make_file(view_of(outer), outer_path);
		load(&included, outer_path);
		check_same(&direct, &included);
		finish(&included);
		close(outer_fd);
	}
	close(fd);
	finish(&direct);
	return 0;
}
