/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The log: one line an event, key=value or JSON, to stderr or syslog. Event names are stable
 * ("msg.done", "auth.fail"); docs/OPERATIONS.md lists them. Peer text is escaped and cut here,
 *so callers pass it as it came. Any thread may log; a line is written by one write(2).
 *
 *	log_event(LEVEL_INFO, "auth.ok", LOG_VIEW("login", login), LOG_U64("ms", ms));
 *
 * A value of a field is cut at 512 octets, a line at 8192. Secrets have no field type.
 */
#ifndef GATEPOST_BASE_LOG_H
#define GATEPOST_BASE_LOG_H

#include "lib/base/view.h"

enum log_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

enum log_type { LOG_TYPE_NONE, LOG_TYPE_TEXT, LOG_TYPE_U64, LOG_TYPE_BOOL };

struct log_field {
	const char *key;
	enum log_type type; /* LOG_TYPE_NONE fields are left out */
	struct view text;
	uint64_t number;
};

#define LOG_VIEW(k, v) ((struct log_field){ .key = (k), .type = LOG_TYPE_TEXT, .text = (v) })
#define LOG_STR(k, s)  LOG_VIEW(k, view_of(s))
#define LOG_U64(k, n) \
	((struct log_field){ .key = (k), .type = LOG_TYPE_U64, .number = (uint64_t)(n) })
#define LOG_BOOL(k, b) ((struct log_field){ .key = (k), .type = LOG_TYPE_BOOL, .number = (b) })
/* LOG_OPT - left out when s is NULL or empty. */
#define LOG_OPT(k, s)                                                            \
	((struct log_field){ .key = (k),                                         \
	    .type = (s) != NULL && *(s) != '\0' ? LOG_TYPE_TEXT : LOG_TYPE_NONE, \
	    .text = view_of(s) })

struct log_config {
	enum log_level level; /* events below are dropped */
	enum log_format format;
	enum log_target target;
};

void log_configure(const struct log_config *config); /* before threads start, and at reload */
bool log_is_on(enum log_level level);
void log_write(
    enum log_level level, const char *event, const struct log_field *fields, size_t count);

#define log_event(level, event, ...)                                                  \
	do {                                                                          \
		if (log_is_on(level)) {                                               \
			const struct log_field log_fields_[] = { __VA_ARGS__ };       \
			log_write(level, event, log_fields_, ARRAY_LEN(log_fields_)); \
		}                                                                     \
	} while (0)

#endif
