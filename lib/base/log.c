/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The log: level, format and target, and where lines go. Any thread; the three settings are one
 * atomic word, so that a reload never shows a mixture. Lines are made by log_line.c.
 */
#include "lib/base/log.h"

#include "lib/base/clock.h"
#include "lib/base/log_line.h"

#include <errno.h>
#include <stdatomic.h>
#include <syslog.h>
#include <unistd.h>

static atomic_uint settings = LEVEL_INFO; /* level | format << 8 | target << 16 */

void
log_configure(const struct log_config *config)
{
	unsigned word = (unsigned)config->level | (unsigned)config->format << 8 |
			(unsigned)config->target << 16;
	if (config->target == LOG_TARGET_SYSLOG)
		openlog("gatepost", LOG_PID | LOG_NDELAY, LOG_MAIL);
	atomic_store(&settings, word);
}

bool
log_is_on(enum log_level level)
{
	return (unsigned)level >=
	       (atomic_load_explicit(&settings, memory_order_relaxed) & 0xff);
}

static int
syslog_priority(enum log_level level)
{
	switch (level) {
	case LEVEL_DEBUG:
		return LOG_DEBUG;
	case LEVEL_INFO:
		return LOG_INFO;
	case LEVEL_WARNING:
		return LOG_WARNING;
	case LEVEL_ERROR:
		break;
	}
	return LOG_ERR;
}

/* One write a line; a full pipe or disk loses the line rather than hold a session up. */
static void
write_stderr(const char *p, size_t len)
{
	ssize_t n;
	do
		n = write(STDERR_FILENO, p, len);
	while (n < 0 && errno == EINTR);
}

void
log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
	if (!log_is_on(level))
		return;
	char text[LOG_LINE_MAX + 1];
	int errno_before = errno;
	unsigned word = atomic_load(&settings);
	bool to_syslog = (word >> 16 & 0xff) == LOG_TARGET_SYSLOG;
	struct log_line line = {
		.format = (enum log_format)(word >> 8 & 0xff),
		.without_time = to_syslog,
		.real_ms = clock_real_ms(),
		.level = level,
		.event = event,
		.fields = fields,
		.count = count,
	};
	size_t len = log_line_print(&line, text);
	if (to_syslog)
		syslog(syslog_priority(level), "%.*s", (int)len - 1, text); /* without LF */
	else
		write_stderr(text, len);
	errno = errno_before;
}
