/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Compiler attributes, and BUG(): the one way to say that one of *our own* invariants is
 * broken. Never used for anything that a peer, a file or an operator can cause.
 */
#ifndef GATEPOST_BASE_ATTR_H
#define GATEPOST_BASE_ATTR_H

#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN	  __attribute__((noreturn))
#define UNUSED		  __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* BUG - an invariant of ours does not hold: writes file, line and text to stderr, aborts. */
#define BUG(...) bug_abort(__FILE__, __LINE__, __VA_ARGS__)
NORETURN void bug_abort(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
