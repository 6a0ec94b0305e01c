/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where records of transactions go. A worker only puts its record into a queue with a bound,
 * and never waits: one thread writes (trace_file.h). Not a lock around write(2): a disk that
 * hangs would hold one worker after the other, and removing the oldest file takes longer than a
 * write. What finds no room in the queue or on the disk is lost, and counted; an outage is
 * two log lines, whatever its length.
 */
#ifndef GATEPOST_PROXY_OPS_TRACE_H
#define GATEPOST_PROXY_OPS_TRACE_H

#include "proxy/ops/trace_file.h"

#define TRACE_QUEUE_MAX (4 << 20) /* octets of records that wait to be written */

struct trace;

/*
 * trace_open - the trace of that folder, shared by all who have it open in this process (each
 * open needs its close); the limits are those of the last open. Nothing is touched: the first
 * record starts the thread, which makes the folder as the user that the process is by then.
 * Errors: ERR_CONFIG the path is too long.
 */
MUST_CHECK struct trace *trace_open(
    const char *folder, const struct trace_limits *limits, struct err *err);
void trace_close(struct trace **t); /* the last one writes what is queued */

/* trace_put - a record, which ends in LF; copied. False: it is lost. Never blocks. */
bool trace_put(struct trace *t, struct view record);

#endif
