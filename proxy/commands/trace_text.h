/* SPDX-License-Identifier: MPL-2.0 */
/* A record of the trace for people. */
#ifndef GATEPOST_PROXY_COMMANDS_TRACE_TEXT_H
#define GATEPOST_PROXY_COMMANDS_TRACE_TEXT_H

#include "lib/base/buf.h"
#include "lib/base/json_read.h"

/*
 * trace_text_write - appended to out; false: its cap. Whatever is in a record, what comes out
 * is printable ASCII and line ends: other octets become \xNN.
 */
MUST_CHECK bool trace_text_write(const struct json_value *record, struct buf *out);

#endif
