/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Message content on the wire (RFC 5321 4.5.2): dots off when it comes, dots on when it goes.
 * The decoder is the one place that decides where a message ends: CRLF.CRLF, nothing else.
 * A bare CR, a bare LF or a NUL is an error, after which the connection must end: the rest of
 * the stream is never searched for a command (SMTP smuggling, CVE-2023-51764 and its family).
 * The answer does not depend on how the input is cut into pieces; the decoder repeats an error.
 */
#ifndef GATEPOST_SMTP_DOT_H
#define GATEPOST_SMTP_DOT_H

#include "lib/base/buf.h"

enum dot_status {
	DOT_MORE,
	DOT_END, /* the terminating dot line was spent; what follows in the input is a command
		  */
	DOT_BARE_LF,
	DOT_BARE_CR,
	DOT_NUL,
};

struct dot_decoder {
	int state; /* private; zero is "at the start of a line" */
};

/*
 * dot_decode - decode in; decoded octets go to out, which has room for in.len + 2 at least;
 * *out_len says how many; *used says how many octets of in are spent (all, but at DOT_END).
 * Content is handed out with its CRLFs; the final CRLF before the dot belongs to it.
 */
enum dot_status dot_decode(
    struct dot_decoder *d, struct view in, char *out, size_t *out_len, size_t *used);

/* Content that comes by size instead (RFC 3030 BDAT): no dots, the same rule for line ends. */
struct dot_checker {
	int state; /* private; zero is "at the start of a line" */
};

/* dot_check - DOT_MORE, or what is wrong with the next piece of content; repeats an error. */
enum dot_status dot_check(struct dot_checker *c, struct view in);

/* dot_check_end - at the end of it: DOT_END, or DOT_BARE_CR. *unfinished_out: the last line has
 * no CRLF, which DATA would have added. */
enum dot_status dot_check_end(const struct dot_checker *c, bool *unfinished_out);

struct dot_encoder {
	int state; /* private; zero is "at the start of a line" */
};

/*
 * dot_encode - append in with dots doubled (at most 2 * in.len are added). False: out's cap, or
 * a bare CR, bare LF or NUL in the content, which never goes out, whoever put it there; nothing
 * was added then, and the connection must end without dot_encode_end().
 */
MUST_CHECK bool dot_encode(struct dot_encoder *e, struct view in, struct buf *out);

/* dot_encode_end - append CRLF if the content did not end in one, then ".\r\n"; false as above.
 */
MUST_CHECK bool dot_encode_end(struct dot_encoder *e, struct buf *out);

#endif
