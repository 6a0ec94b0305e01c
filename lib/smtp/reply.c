/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Making and writing replies. The text may come from an upstream or out of a link: nothing in
 * it is trusted, whatever it holds comes out as lines of printable ASCII with the one code.
 */
#include "lib/smtp/reply_private.h"

#include <stdio.h>

#define LINE_MAX_	  510 /* octets without CRLF */
#define NUMBER_DIGITS_MAX 3

void
smtp_reply_set(struct smtp_reply *r, int code, const char *enhanced, const char *fmt, ...)
{
	va_list ap;

	r->code = code;
	(void)view_copy(view_of(enhanced), r->enhanced, sizeof(r->enhanced));
	va_start(ap, fmt);
	(void)vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

/* ".123" at the head of text: its length, or 0. */
static size_t
dot_number_length(struct view text)
{
	size_t len = 1;

	if (text.len == 0 || text.p[0] != '.')
		return 0;
	while (len < text.len && len <= NUMBER_DIGITS_MAX && ascii_is_digit(text.p[len]))
		len++;
	return len > 1 ? len : 0;
}

size_t
smtp_enhanced_length(struct view text, int code)
{
	if (text.len == 0 || code / 100 == 3 || text.p[0] != '0' + code / 100)
		return 0;
	size_t subject = dot_number_length(view_from(text, 1));
	size_t detail = dot_number_length(view_from(text, 1 + subject));
	size_t len = 1 + subject + detail;
	if (subject == 0 || detail == 0)
		return 0;
	return len == text.len || text.p[len] == ' ' || text.p[len] == '\t' ? len : 0;
}

static char
clean_char(char c)
{
	if (c == '\t' || c == '\n')
		return ' ';
	return c >= ' ' && c <= '~' ? c : '?';
}

/* How much of the line at text (longer than room) to write: up to its last blank, if any. */
static size_t
wrap_length(const char *text, size_t room)
{
	for (size_t len = room; len > 0; len--) {
		if (text[len] == ' ')
			return len;
	}
	return room;
}

/* Cut what goes into one line of room octets off *rest, with the LF or blank behind it. */
static struct view
take_piece(struct view *rest, size_t room)
{
	size_t len = view_find(*rest, '\n');

	if (len > room)
		len = wrap_length(rest->p, room);
	struct view piece = view_make(rest->p, len);
	bool has_break = len < rest->len && (rest->p[len] == '\n' || rest->p[len] == ' ');
	*rest = view_from(*rest, has_break ? len + 1 : len);
	return piece;
}

bool
smtp_reply_write(const struct smtp_reply *r, struct buf *out)
{
	char line[LINE_MAX_ + 2], head[24];
	size_t lines = 0, before = out->len;
	bool is_valid = r->code >= SMTP_CODE_MIN && r->code <= SMTP_CODE_MAX;
	struct view rest = view_of(r->text), enhanced = view_of(r->enhanced);
	bool is_last = false;

	if (!is_valid || smtp_enhanced_length(enhanced, r->code) != enhanced.len)
		enhanced.len = 0;
	int head_len = snprintf(head, sizeof(head), "%d %.*s%s", is_valid ? r->code : 451,
	    VIEW_ARG(enhanced), enhanced.len > 0 ? " " : "");

	while (!is_last) {
		struct view piece = take_piece(&rest, (size_t)(LINE_MAX_ - head_len));
		char *p = line + head_len;
		is_last = rest.len == 0 || ++lines == SMTP_REPLY_LINES_MAX;
		memcpy(line, head, (size_t)head_len);
		line[3] = is_last ? ' ' : '-';
		for (size_t i = 0; i < piece.len; i++)
			*p++ = clean_char(piece.p[i]);
		*p++ = '\r';
		*p++ = '\n';
		if (!buf_add(out, line, (size_t)(p - line))) {
			out->len = before;
			return false;
		}
	}
	return true;
}

void
smtp_reply_log_text(const struct smtp_reply *r, char *out, size_t room)
{
	if (room == 0)
		return;
	(void)snprintf(out, room, "%d%s%s%s%s", r->code, r->enhanced[0] != '\0' ? " " : "",
	    r->enhanced, r->text[0] != '\0' ? " " : "", r->text);
	for (; *out != '\0'; out++)
		*out = clean_char(*out);
}
