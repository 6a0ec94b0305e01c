/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct smtp_reply: what a *peer* hears (code, enhanced code, text), made by us or heard from
 * an upstream. Text is kept as lines joined by '\n' without codes. Writing re-wraps to lines of
 * at most 510 octets of printable ASCII; a tab becomes a blank, whatever else is in the text
 * '?' (RFC 5321 4.2, RFC 2034, RFC 3463).
 */
#ifndef GATEPOST_SMTP_REPLY_H
#define GATEPOST_SMTP_REPLY_H

#include "lib/base/buf.h"

#define SMTP_REPLY_TEXT_MAX \
	1200 /* octets kept; the rest of a longer upstream reply is dropped */

struct smtp_reply {
	int code;	   /* 200..599; 0: none yet */
	char enhanced[12]; /* "5.7.1", or "" */
	char text[SMTP_REPLY_TEXT_MAX];
};

/* smtp_reply_set - fill from a printf text; too long a text is cut. */
void smtp_reply_set(struct smtp_reply *r, int code, const char *enhanced, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

static inline bool
smtp_reply_is_ok(const struct smtp_reply *r)
{
	return r->code >= 200 && r->code < 300;
}

static inline bool
smtp_reply_is_temporary(const struct smtp_reply *r)
{
	return r->code >= 400 && r->code < 500;
}

/*
 * smtp_reply_write - append the reply's lines (SMTP_REPLY_LINES_MAX at most) to out; false: the
 * buffer's cap, nothing was added. A code out of range goes out as 451; an enhanced code that
 * is malformed or of another class is left out.
 */
MUST_CHECK bool smtp_reply_write(const struct smtp_reply *r, struct buf *out);

/* smtp_reply_log_text - "550 5.1.1 text text", one line, cut to fit out. */
void smtp_reply_log_text(const struct smtp_reply *r, char *out, size_t room);

/* Reading an upstream's reply, in pieces as they arrive. */
#define SMTP_REPLY_LINE_MAX  2048 /* octets */
#define SMTP_REPLY_LINES_MAX 128

struct smtp_reply_reader {
	struct smtp_reply reply;
	char line[SMTP_REPLY_LINE_MAX];
	size_t line_len, lines, text_len;
};

enum smtp_reply_status {
	SMTP_REPLY_MORE,
	SMTP_REPLY_DONE,      /* reader->reply is whole; *used_out octets of in were spent */
	SMTP_REPLY_MALFORMED, /* not a reply, too long, or too many lines: end that connection
			       */
};

void smtp_reply_reader_init(struct smtp_reply_reader *r);

/*
 * smtp_reply_read - feed octets. Codes outside 200..599, codes that differ between lines, a
 * separator other than SP, '-' or line end are malformed. A bare LF as line end is accepted
 * from an upstream (old servers), a NUL or bare CR is not. An enhanced code at the head of the
 * first line is taken apart (and dropped from following lines that repeat it) when its class
 * fits. Text past SMTP_REPLY_TEXT_MAX: the first line is cut, later ones are dropped whole.
 */
enum smtp_reply_status smtp_reply_read(
    struct smtp_reply_reader *r, struct view in, size_t *used_out);

#endif
