/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Log lines from any octets. Whatever a value holds: one line, within its limit, of printable
 * text; and the text form can be read back to the value.
 */
#include "lib/base/log_line.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static int
hex_digit(char c)
{
	return ascii_is_digit(c) ? c - '0' : c - 'a' + 10;
}

/* The value of the last field of a text line must be v again. */
static void
check_text_value(struct view line, struct view v)
{
	static const char head[] = "level=info event=e value=";
	check(view_starts(line, view_of(head)));
	struct view rest = view_from(line, sizeof(head) - 1);
	bool quoted = rest.p[0] == '"';
	if (quoted)
		rest = view_from(rest, 1);
	for (size_t i = 0; i < v.len; i++) {
		size_t len = rest.p[0] != '\\' ? 1 : rest.p[1] == 'x' ? 4 : 2;
		check(len <= rest.len);
		char c = len == 1 ? rest.p[0] : rest.p[1];
		if (len == 4)
			c = (char)(hex_digit(rest.p[2]) * 16 + hex_digit(rest.p[3]));
		check(c == v.p[i] && (quoted || (c > ' ' && c != '=')));
		rest = view_from(rest, len);
	}
	check(view_eq(rest, quoted ? VIEW("\"\n") : VIEW("\n")));
}

static void
check_line(struct view line)
{
	check(line.len > 0 && line.len <= LOG_LINE_MAX && line.p[line.len] == '\0');
	check(view_find(line, '\n') == line.len - 1);
	for (size_t i = 0; i < line.len - 1; i++)
		check((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
}

/* Quotes come in pairs, but for those behind a backslash; and the line is an object. */
static void
check_json(struct view line)
{
	bool inside = false;
	for (size_t i = 0; i < line.len; i++) {
		if (inside && line.p[i] == '\\')
			i++;
		else if (line.p[i] == '"')
			inside = !inside;
	}
	check(!inside && line.p[0] == '{' && line.p[line.len - 2] == '}');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[LOG_LINE_MAX + 1];
	struct view all = view_make((const char *)data, size), rest = all;
	struct log_field fields[24] = { LOG_VIEW("value", all) };
	struct log_line line = { .without_time = true,
		.level = LEVEL_INFO,
		.event = "e",
		.fields = fields,
		.count = 1 };

	struct view printed = view_make(out, log_line_print(&line, out));
	check_line(printed);
	if (size <= LOG_VALUE_MAX)
		check_text_value(printed, all);
	for (line.count = 0; line.count < ARRAY_LEN(fields) && rest.p != NULL; line.count++) {
		struct view piece;
		if (!view_split(&rest, '\n', &piece))
			break;
		fields[line.count] = LOG_VIEW("f", piece);
	}
	printed.len = log_line_print(&line, out);
	check_line(printed);
	line.format = LOG_FORMAT_JSON;
	printed.len = log_line_print(&line, out);
	check_line(printed);
	check_json(printed);
	return 0;
}
