/* SPDX-License-Identifier: MPL-2.0 */
/* BUG(): see attr.h. Writes by write(2) alone, so that it works in any state of the heap. */
#include "lib/base/attr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
bug_abort(const char *file, int line, const char *fmt, ...)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "BUG at %s:%d: ", file, line);
	va_list ap;

	va_start(ap, fmt);
	len += vsnprintf(text + len, sizeof(text) - (size_t)len - 1, fmt, ap);
	va_end(ap);
	if (len > (int)sizeof(text) - 2)
		len = (int)sizeof(text) - 2;
	text[len++] = '\n';
	(void)!write(STDERR_FILENO, text, (size_t)len);
	abort();
}
