/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One command line out of a byte stream: a line ends in CRLF and in nothing else
 * (RFC 5321 2.3.8). Pure; the caller keeps the buffer.
 */
#ifndef GATEPOST_SMTP_LINE_H
#define GATEPOST_SMTP_LINE_H

#include "lib/base/view.h"

#define SMTP_COMMAND_LINE_MAX \
	2048 /* octets with CRLF; RFC 5321 4.5.3.1.4 says 512 plus extensions */
#define SMTP_AUTH_LINE_MAX 12288 /* RFC 4954 4 */

enum smtp_line {
	SMTP_LINE_DONE,	    /* *line_out is the line without CRLF, *used_out octets are spent */
	SMTP_LINE_MORE,	    /* no line end yet, and still within max */
	SMTP_LINE_TOO_LONG, /* no CRLF within max octets */
	SMTP_LINE_BARE_LF,  /* what follows cannot be trusted: answer and close */
	SMTP_LINE_BARE_CR,
	SMTP_LINE_NUL,
};

/* smtp_line_scan - find the first line of in; max counts its CRLF. */
enum smtp_line smtp_line_scan(
    struct view in, size_t max, struct view *line_out, size_t *used_out);

#endif
