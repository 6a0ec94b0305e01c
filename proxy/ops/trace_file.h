/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The files of the trace: lines are put at the end of FOLDER/trace.jsonl; when it is full it
 * becomes trace.1.jsonl, that trace.2.jsonl, and so on, and the oldest is removed. One thread
 * writes; anybody may read meanwhile (trace_read.h). Folder 0700, files 0600.
 */
#ifndef GATEPOST_PROXY_OPS_TRACE_FILE_H
#define GATEPOST_PROXY_OPS_TRACE_FILE_H

#include "lib/base/err.h"
#include "lib/base/view.h"

#include <sys/types.h>

#define TRACE_FOLDER_MAX 4096 /* octets of its name, with the NUL */
#define TRACE_FILES_MAX	 100

struct trace_limits {
	int64_t file_octets; /* of one file */
	unsigned files;	     /* 1..TRACE_FILES_MAX, the one that grows among them */
};

struct trace_file {
	const char *folder; /* borrowed */
	int folder_fd, fd;  /* -1: not open */
	int64_t octets;	    /* of fd's file */
};

void trace_file_init(struct trace_file *f, const char *folder);
void trace_file_close(struct trace_file *f); /* may be used again: it opens what it needs */

/*
 * trace_file_append - the line, which ends in LF, by one write(2); makes folder and file, and
 * begins the next file when this one would grow over its limit. A file that somebody took away
 * is made anew. All or nothing: what was written of a line that did not fit on the disk is
 * taken back; the rest of one that a crash cut off is ended first.
 */
MUST_CHECK bool trace_file_append(
    struct trace_file *f, struct view line, const struct trace_limits *limits, struct err *err);

/* trace_file_name - of the index-th newest, from 0: "trace.jsonl", "trace.1.jsonl". */
void trace_file_name(unsigned index, char out[32]);

#endif
