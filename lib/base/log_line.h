/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One log line, as a pure function: what log.c writes, apart so that it can be tested and
 * fuzzed.
 *
 * Text:  2026-11-24T20:57:50.123Z level=info event=msg.done key=value key="quoted value"
 * JSON:  {"time":"2026-11-24T20:57:50.123Z","level":"info","event":"msg.done","key":"value"}
 *
 * Text values outside 0x20..0x7e become \xNN; JSON lets valid UTF-8 pass and writes the rest as
 * \u00NN. A value is cut at 512 octets (and ends in "..."), a line at LOG_LINE_MAX: fields that
 * do not fit are left out, and the line then ends in truncated=true.
 */
#ifndef GATEPOST_BASE_LOG_LINE_H
#define GATEPOST_BASE_LOG_LINE_H

#include "lib/base/log.h"

enum { LOG_LINE_MAX = 8192, LOG_VALUE_MAX = 512 };

struct log_line {
	enum log_format format;
	bool without_time; /* text for syslog, which has its own */
	int64_t real_ms;   /* since 1970 */
	enum log_level level;
	const char *event;
	const struct log_field *fields;
	size_t count;
};

/* log_line_print - into out; returns the length. The line ends in LF, then NUL (not counted).
 */
size_t log_line_print(const struct log_line *line, char out[LOG_LINE_MAX + 1]);

#endif
