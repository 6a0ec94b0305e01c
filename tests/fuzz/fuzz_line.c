/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lines. Input: an octet for the limit, then the stream. Invariants: the answer is that of a
 * plain state machine that looks at one octet after the other; a shorter piece of the input
 * gives the same answer or "more"; a line holds no CR, LF or NUL and is followed by CRLF.
 */
#include "lib/smtp/line.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* What the header says, octet by octet. */
static enum smtp_line
reference(struct view in, size_t max, size_t *len_out)
{
	bool had_cr = false;

	for (size_t i = 0; i < in.len && i < max; i++) {
		char c = in.p[i];
		if (had_cr && c == '\n') {
			*len_out = i - 1;
			return SMTP_LINE_DONE;
		}
		if (had_cr)
			return SMTP_LINE_BARE_CR;
		if (c == '\n')
			return SMTP_LINE_BARE_LF;
		if (c == '\0')
			return SMTP_LINE_NUL;
		had_cr = c == '\r';
	}
	return in.len < max ? SMTP_LINE_MORE : SMTP_LINE_TOO_LONG;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view line, shorter;
	size_t used, len = 0;

	if (size == 0)
		return 0;
	struct view in = view_make((const char *)data + 1, size - 1);
	size_t max = data[0] < 128 ? data[0] : 16 * (size_t)data[0];
	enum smtp_line status = smtp_line_scan(in, max, &line, &used);

	check(status == reference(in, max, &len), "the answer is that of the state machine");
	check(line.len == len, "the line is that of the state machine");
	check(used == (status == SMTP_LINE_DONE ? len + 2 : 0), "line and CRLF are spent");
	check(used <= max, "the limit counts the CRLF");
	if (status == SMTP_LINE_DONE)
		check(memcmp(in.p + len, "\r\n", 2) == 0, "CRLF follows");
	for (size_t cut = 0; cut < in.len && cut < 300; cut++) {
		enum smtp_line now = smtp_line_scan(view_make(in.p, cut), max, &shorter, &used);
		check(now == status || now == SMTP_LINE_MORE, "a piece says the same, or more");
		check(now != SMTP_LINE_DONE || shorter.len == line.len, "and the same line");
	}
	return 0;
}
