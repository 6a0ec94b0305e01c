/* SPDX-License-Identifier: MPL-2.0 */
/* The log; see log.h. A line is made on the stack and written whole. */
#include "lib/base/log.h"

#include "lib/base/buf.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_OCTETS	 8192
#define VALUE_MAX_OCTETS 512

static atomic_int the_level = LEVEL_INFO;
static atomic_int the_format = LOG_FORMAT_TEXT;
static atomic_int the_target = LOG_TARGET_STDERR;

/* A line under construction: what does not fit is cut, never an error. */
struct line {
	char text[LINE_MAX_OCTETS];
	size_t len;
};

static void
put(struct line *l, const char *text, size_t len)
{
	size_t room = sizeof(l->text) - 2 - l->len; /* two are kept for '}' and '\n' */

	if (len > room)
		len = room;
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

static void
put_str(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

static void
put_escaped(struct line *l, struct view v, bool json)
{
	char escape[8];
	size_t len = v.len < VALUE_MAX_OCTETS ? v.len : VALUE_MAX_OCTETS;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)v.p[i];
		if (c == '"' || c == '\\')
			(void)snprintf(escape, sizeof(escape), "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			(void)snprintf(escape, sizeof(escape), "%c", c);
		else
			(void)snprintf(escape, sizeof(escape), json ? "\\u%04x" : "\\x%02x", c);
		put_str(l, escape);
	}
	if (len < v.len)
		put_str(l, "...");
}

static bool
is_plain(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];
		if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return v.len > 0;
}

static void
put_text_field(struct line *l, const struct log_field *f)
{
	char number[24];

	put_str(l, " ");
	put_str(l, f->key);
	put_str(l, "=");
	if (f->type == LOG_TYPE_U64) {
		(void)snprintf(number, sizeof(number), "%" PRIu64, f->number);
		put_str(l, number);
	} else if (f->type == LOG_TYPE_BOOL) {
		put_str(l, f->number != 0 ? "true" : "false");
	} else if (is_plain(f->text)) {
		put_escaped(l, f->text, false);
	} else {
		put_str(l, "\"");
		put_escaped(l, f->text, false);
		put_str(l, "\"");
	}
}

static void
put_json_field(struct line *l, const struct log_field *f)
{
	char number[24];
	size_t before = l->len;

	put_str(l, ",\"");
	put_str(l, f->key);
	put_str(l, "\":");
	if (f->type == LOG_TYPE_U64) {
		(void)snprintf(number, sizeof(number), "%" PRIu64, f->number);
		put_str(l, number);
	} else if (f->type == LOG_TYPE_BOOL) {
		put_str(l, f->number != 0 ? "true" : "false");
	} else {
		put_str(l, "\"");
		put_escaped(l, f->text, true);
		put_str(l, "\"");
	}
	/* Cut JSON would be no JSON: a field that does not fit is left out whole. */
	if (l->len >= sizeof(l->text) - 2)
		l->len = before;
}

static void
put_time(struct line *l)
{
	struct timespec now;
	struct tm tm;
	char text[40];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(now.tv_nsec / 1000000));
	put_str(l, text);
}

static void
put_head(struct line *l, enum log_level level, const char *event, bool json, bool with_time)
{
	static const char *const names[] = { "debug", "info", "warning", "error" };

	if (json) {
		put_str(l, "{\"time\":\"");
		put_time(l);
		put_str(l, "\",\"level\":\"");
		put_str(l, names[level]);
		put_str(l, "\",\"event\":\"");
		put_str(l, event);
		put_str(l, "\"");
		return;
	}
	if (with_time) {
		put_time(l);
		put_str(l, " ");
	}
	put_str(l, "level=");
	put_str(l, names[level]);
	put_str(l, " event=");
	put_str(l, event);
}

void
log_configure(const struct log_config *config)
{
	static atomic_bool opened;

	if (config->target == LOG_TARGET_SYSLOG && !atomic_exchange(&opened, true))
		openlog("gatepost", LOG_PID, LOG_MAIL);
	atomic_store(&the_level, (int)config->level);
	atomic_store(&the_format, (int)config->format);
	atomic_store(&the_target, (int)config->target);
}

bool
log_is_on(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&the_level, memory_order_relaxed);
}

void
log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	static const int priorities[] = { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR };
	bool json = atomic_load_explicit(&the_format, memory_order_relaxed) == LOG_FORMAT_JSON;
	bool to_syslog =
	    atomic_load_explicit(&the_target, memory_order_relaxed) == LOG_TARGET_SYSLOG;
	struct line line;

	line.len = 0;
	put_head(&line, level, event, json, !to_syslog);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].type == LOG_TYPE_NONE)
			continue;
		if (json)
			put_json_field(&line, &fields[i]);
		else
			put_text_field(&line, &fields[i]);
	}
	if (json)
		line.text[line.len++] = '}';
	if (to_syslog) {
		syslog(priorities[level], "%.*s", (int)line.len, line.text);
		return;
	}
	line.text[line.len++] = '\n';
	(void)!write(STDERR_FILENO, line.text, line.len);
}
