/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading the trace's files line by line, the newest line first, while the gate may be writing
 * them. Lines are handed on as they are; whether they are records is the caller's to find out.
 */
#ifndef GATEPOST_PROXY_OPS_TRACE_READ_H
#define GATEPOST_PROXY_OPS_TRACE_READ_H

#include "proxy/ops/trace_file.h"

#define TRACE_LINE_MAX (2U << 20) /* octets; a longer line is no record */

struct trace_reader {
	int fds[TRACE_FILES_MAX]; /* newest first; -1: done with */
	size_t count, at;
	off_t left; /* octets of the file at hand before those of text */
	char *text; /* owned; ends where the next line to be handed on ends */
	size_t len, room;
	bool in_junk;  /* the line whose end was seen is longer than TRACE_LINE_MAX */
	bool is_begun; /* the file at hand */
	size_t too_long, cut_off; /* lines that were left out: see trace_reader_next */
};

/* trace_reader_open - false: there is no trace, or it cannot be read. */
MUST_CHECK bool trace_reader_open(struct trace_reader *r, const char *folder, struct err *err);
void trace_reader_close(struct trace_reader *r);

/*
 * trace_reader_next - the next older line, without its LF, until the next call; empty lines are
 * left out, and those over the limit (counted in too_long), and what stands at a file's end
 * without LF (cut_off): the gate died while it wrote, or is writing it now. False: no more.
 */
MUST_CHECK bool trace_reader_next(struct trace_reader *r, struct view *line_out);

#endif
