/* SPDX-License-Identifier: MPL-2.0 */
/* BUG(): says on stderr where an invariant of ours broke, and aborts. */
#include "lib/base/attr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
bug_abort(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	char out[768];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	int len =
	    snprintf(out, sizeof(out), "gatepost: BUG at %.128s:%d: %s\n", file, line, text);
	if (len > 0 && write(STDERR_FILENO, out, (size_t)len) < 0)
		abort(); /* nobody can be told */
	abort();
}
