/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An upstream's reply, in pieces. The upstream is a peer like any other: what it sends is read
 * to the letter, within limits, and a reader that has once said "malformed" keeps saying so.
 */
#include "lib/smtp/reply_private.h"

#define LINES_BROKEN \
	(SMTP_REPLY_LINES_MAX + 1) /* lines of a reader that met something malformed */

void
smtp_reply_reader_init(struct smtp_reply_reader *r)
{
	r->reply.code = 0;
	r->reply.enhanced[0] = r->reply.text[0] = '\0';
	r->line_len = r->lines = r->text_len = 0;
}

/* Add octets without LF to the line: no NUL, and a CR only at the very end. */
static bool
line_add(struct smtp_reply_reader *r, struct view piece)
{
	if (piece.len == 0)
		return true;
	if (r->line_len + piece.len >= SMTP_REPLY_LINE_MAX) /* one is left for the LF */
		return false;
	if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
		return false;
	if (view_find(piece, '\r') < piece.len - 1 || view_find(piece, '\0') < piece.len)
		return false;
	memcpy(r->line + r->line_len, piece.p, piece.len);
	r->line_len += piece.len;
	return true;
}

/* The code at the head of a line; 0: none, or out of range. */
static int
line_code(struct view line)
{
	int code = 0;

	if (line.len < 3)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		if (!ascii_is_digit(line.p[i]))
			return 0;
		code = code * 10 + (line.p[i] - '0');
	}
	return code >= SMTP_CODE_MIN && code <= SMTP_CODE_MAX ? code : 0;
}

/* Take the enhanced code off the first line, and off the others that repeat it. */
static struct view
text_without_enhanced(struct smtp_reply *reply, bool is_first, struct view text)
{
	size_t len = smtp_enhanced_length(text, reply->code);
	struct view enhanced = view_make(text.p, len);

	if (is_first && len > 0)
		(void)view_copy(enhanced, reply->enhanced, sizeof(reply->enhanced));
	if (len == 0 || !view_eq(enhanced, view_of(reply->enhanced)))
		return text;
	return view_from(text, len + 1);
}

/*
 * A first line that is too long is cut. A later one is kept whole or not at all, with all that
 * follow: half of "SIZE 10485760" would be another size.
 */
static void
text_add(struct smtp_reply_reader *r, bool is_first, struct view text)
{
	struct smtp_reply *reply = &r->reply;
	size_t room = SMTP_REPLY_TEXT_MAX - 1 - r->text_len;

	if (is_first && text.len > room)
		text.len = room;
	if (!is_first && text.len + 1 > room) {
		r->text_len = SMTP_REPLY_TEXT_MAX - 1; /* full */
		return;
	}
	if (!is_first)
		reply->text[r->text_len++] = '\n';
	memcpy(reply->text + r->text_len, text.p, text.len);
	r->text_len += text.len;
	reply->text[r->text_len] = '\0';
}

static enum smtp_reply_status
line_end(struct smtp_reply_reader *r)
{
	struct view line = view_make(r->line, r->line_len);
	bool is_first = r->lines == 0;

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	int code = line_code(line);
	bool has_more = line.len > 3 && line.p[3] == '-';
	if (code == 0 || (!is_first && code != r->reply.code))
		return SMTP_REPLY_MALFORMED;
	if (line.len > 3 && !has_more && line.p[3] != ' ')
		return SMTP_REPLY_MALFORMED;
	if (++r->lines == SMTP_REPLY_LINES_MAX && has_more)
		return SMTP_REPLY_MALFORMED;
	r->reply.code = code;
	r->line_len = 0;
	text_add(r, is_first, text_without_enhanced(&r->reply, is_first, view_from(line, 4)));
	return has_more ? SMTP_REPLY_MORE : SMTP_REPLY_DONE;
}

enum smtp_reply_status
smtp_reply_read(struct smtp_reply_reader *r, struct view in, size_t *used_out)
{
	enum smtp_reply_status status = SMTP_REPLY_MORE;

	if (r->lines == LINES_BROKEN)
		status = SMTP_REPLY_MALFORMED;
	*used_out = 0;
	while (status == SMTP_REPLY_MORE && *used_out < in.len) {
		struct view rest = view_from(in, *used_out);
		size_t len = view_find(rest, '\n');
		*used_out += len < rest.len ? len + 1 : len;
		if (!line_add(r, view_make(rest.p, len)))
			status = SMTP_REPLY_MALFORMED;
		else if (len < rest.len)
			status = line_end(r);
	}
	if (status == SMTP_REPLY_MALFORMED)
		r->lines = LINES_BROKEN;
	return status;
}
