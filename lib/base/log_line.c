/* SPDX-License-Identifier: MPL-2.0 */
/* One log line: see log_line.h. Pure: no I/O, no clock, no allocation. */
#include "lib/base/log_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

struct out {
	char *p; /* LOG_LINE_MAX + 1 octets */
	size_t len;
	size_t limit; /* len <= limit: the tail of the line is kept free */
	bool full;    /* something did not fit since this was last cleared */
};

#define TAIL_TEXT " truncated=true\n"
#define TAIL_JSON ",\"truncated\":true}\n"

static void
put(struct out *o, const char *p, size_t len)
{
	if (len > o->limit - o->len) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->len, p, len);
	o->len += len;
}

static void
put_str(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

static void
put_escaped(struct out *o, const char *prefix, char c)
{
	char text[8];
	int len = snprintf(text, sizeof(text), "%s%02x", prefix, (unsigned)(unsigned char)c);
	put(o, text, (size_t)len);
}

/* Length of the valid UTF-8 sequence (RFC 3629) at the start of v, 0 when there is none. */
static size_t
utf8_len(struct view v)
{
	const unsigned char *p = (const unsigned char *)v.p;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len == 0 || len > v.len || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
	bool surrogate = p[0] == 0xed && p[1] > 0x9f;
	bool too_high = p[0] == 0xf4 && p[1] > 0x8f;
	return overlong || surrogate || too_high ? 0 : len;
}

/* Lines in the eyes of some reader: U+0080..U+009F (NEL is one), U+2028, U+2029. */
static bool
is_unicode_control(struct view sequence)
{
	const unsigned char *p = (const unsigned char *)sequence.p;
	if (sequence.len == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	return sequence.len == 3 && p[0] == 0xe2 && p[1] == 0x80 &&
	       (p[2] == 0xa8 || p[2] == 0xa9);
}

/* The first LOG_VALUE_MAX octets at most; a UTF-8 sequence is not cut in two. */
static struct view
cut_value(struct view v)
{
	if (v.len <= LOG_VALUE_MAX)
		return v;
	size_t len = LOG_VALUE_MAX;
	for (size_t back = 0; back < 3 && ((unsigned char)v.p[len] & 0xc0) == 0x80; back++)
		len--;
	return view_make(v.p, len);
}

static void
put_json_string(struct out *o, struct view v)
{
	struct view rest = cut_value(v);
	bool cut = rest.len < v.len;
	put(o, "\"", 1);
	while (rest.len > 0) {
		char c = rest.p[0];
		size_t len = utf8_len(rest);
		if (c == '"' || c == '\\')
			put(o, c == '"' ? "\\\"" : "\\\\", 2);
		else if (len == 0 || (unsigned char)c < 0x20 || c == 0x7f)
			put_escaped(o, "\\u00", c);
		else if (len > 1 && is_unicode_control(view_make(rest.p, len)))
			for (size_t i = 0; i < len; i++)
				put_escaped(o, "\\u00", rest.p[i]);
		else
			put(o, rest.p, len);
		rest = view_from(rest, len > 0 ? len : 1);
	}
	put_str(o, cut ? "...\"" : "\"");
}

static bool
is_plain(char c)
{
	return c > 0x20 && c <= 0x7e && c != '"' && c != '\\' && c != '=';
}

static bool
needs_quotes(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!is_plain(v.p[i]))
			return true;
	return v.len == 0;
}

static void
put_text_value(struct out *o, struct view v)
{
	struct view kept = cut_value(v);
	bool quoted = needs_quotes(kept);
	if (quoted)
		put(o, "\"", 1);
	for (size_t i = 0; i < kept.len; i++) {
		char c = kept.p[i];
		if (c == '"' || c == '\\')
			put(o, c == '"' ? "\\\"" : "\\\\", 2);
		else if (c < 0x20 || c > 0x7e)
			put_escaped(o, "\\x", c);
		else
			put(o, &c, 1);
	}
	if (kept.len < v.len)
		put(o, "...", 3);
	if (quoted)
		put(o, "\"", 1);
}

static void
put_key(struct out *o, enum log_format format, const char *key)
{
	bool first = o->len == 0;
	if (format == LOG_FORMAT_JSON) {
		put_str(o, first ? "{\"" : ",\"");
		put_str(o, key);
		put(o, "\":", 2);
	} else {
		put_str(o, first ? "" : " ");
		put_str(o, key);
		put(o, "=", 1);
	}
}

static void
put_field(struct out *o, enum log_format format, const struct log_field *field)
{
	char number[24];
	put_key(o, format, field->key);
	switch (field->type) {
	case LOG_TYPE_TEXT:
		if (format == LOG_FORMAT_JSON)
			put_json_string(o, field->text);
		else
			put_text_value(o, field->text);
		break;
	case LOG_TYPE_U64:
		snprintf(number, sizeof(number), "%" PRIu64, field->number);
		put_str(o, number);
		break;
	case LOG_TYPE_BOOL:
		put_str(o, field->number != 0 ? "true" : "false");
		break;
	case LOG_TYPE_NONE:
		break;
	}
}

static void
put_time(struct out *o, enum log_format format, int64_t real_ms)
{
	char text[64];
	struct tm tm;
	time_t seconds = (time_t)(real_ms / 1000);
	if (gmtime_r(&seconds, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(real_ms % 1000));
	if (format == LOG_FORMAT_JSON) {
		put_str(o, "{\"time\":\"");
		put_str(o, text);
		put(o, "\"", 1);
	} else {
		put_str(o, text);
	}
}

static const char *
level_name(enum log_level level)
{
	static const char *const names[] = { "debug", "info", "warning", "error" };
	return (size_t)level < ARRAY_LEN(names) ? names[level] : "error";
}

size_t
log_line_print(const struct log_line *line, char out[LOG_LINE_MAX + 1])
{
	bool json = line->format == LOG_FORMAT_JSON;
	size_t tail_room = json ? sizeof(TAIL_JSON) - 1 : sizeof(TAIL_TEXT) - 1;
	struct out o = { .p = out, .limit = LOG_LINE_MAX - tail_room };
	bool truncated = false;

	if (json || !line->without_time)
		put_time(&o, line->format, line->real_ms);
	struct log_field level = LOG_STR("level", level_name(line->level));
	struct log_field event = LOG_STR("event", line->event);
	put_field(&o, line->format, &level);
	put_field(&o, line->format, &event);
	for (size_t i = 0; i < line->count; i++) {
		size_t before = o.len;
		if (line->fields[i].type == LOG_TYPE_NONE)
			continue;
		o.full = false;
		put_field(&o, line->format, &line->fields[i]);
		if (o.full) { /* whole or not at all */
			o.len = before;
			truncated = true;
		}
	}
	o.limit = LOG_LINE_MAX;
	if (truncated)
		put_str(&o, json ? TAIL_JSON : TAIL_TEXT);
	else
		put_str(&o, json ? "}\n" : "\n");
	out[o.len] = '\0';
	return o.len;
}
