/* SPDX-License-Identifier: MPL-2.0 */
/* For the session's fuzzer: what must hold, and says so when it does not. */
#ifndef GATEPOST_TESTS_SESSION_CHECK_H
#define GATEPOST_TESTS_SESSION_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static inline void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

#endif
