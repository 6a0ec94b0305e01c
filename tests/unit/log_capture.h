/* SPDX-License-Identifier: MPL-2.0 */
/* For unit tests: what is logged between two calls. Include behind cmocka.h. */
#ifndef GATEPOST_TESTS_LOG_CAPTURE_H
#define GATEPOST_TESTS_LOG_CAPTURE_H

#include "lib/base/log.h"

#include <stdio.h>
#include <unistd.h>

static int log_capture_saved = -1;

static inline void
log_capture_begin(enum log_level level)
{
	const struct log_config config = { .level = level };
	FILE *file = tmpfile();

	log_configure(&config);
	assert_non_null(file);
	(void)fflush(stderr);
	log_capture_saved = dup(STDERR_FILENO);
	assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
	(void)fclose(file);
}

static inline const char *
log_capture_end(void)
{
	static char text[65536];
	const ssize_t n = pread(STDERR_FILENO, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	assert_int_equal(dup2(log_capture_saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(log_capture_saved);
	return text;
}

/* log_capture_count - lines with that event. */
static inline size_t
log_capture_count(const char *log, const char *event)
{
	size_t count = 0;

	for (const char *p = log; (p = strstr(p, event)) != NULL; p++)
		count++;
	return count;
}

#endif
