/* SPDX-License-Identifier: MPL-2.0 */
/* struct err: see err.h. Text is made aside first, since arguments may point into the old text.
 */
#include "lib/base/err.h"

#include "lib/base/view.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
fill(struct err *e, enum err_kind kind, int errnum, const char *text)
{
	e->kind = kind;
	e->errnum = errnum;
	view_copy(view_of(text), e->text, sizeof(e->text)); /* cut when long */
}

bool
err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	if (e == NULL)
		return false;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fill(e, kind, 0, text);
	return false;
}

bool
err_set_errno(struct err *e, int errnum, const char *fmt, ...)
{
	char what[sizeof(e->text)];
	char why[64];
	char text[sizeof(what) + sizeof(why) + 2];
	if (e == NULL)
		return false;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%s: %s", what, strerror_r(errnum, why, sizeof(why)));
	fill(e, ERR_IO, errnum, text);
	return false;
}

bool
err_prefix(struct err *e, const char *fmt, ...)
{
	char prefix[sizeof(e->text)];
	char text[2 * sizeof(e->text) + 2];
	if (e == NULL)
		return false;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%s: %s", prefix, e->text);
	fill(e, e->kind, e->errnum, text);
	return false;
}

bool
err_is_shortage(const struct err *e)
{
	return e->errnum == EMFILE || e->errnum == ENFILE || e->errnum == ENOBUFS ||
	       e->errnum == ENOMEM;
}

const char *
err_kind_name(enum err_kind kind)
{
	static const char *const names[] = {
		[ERR_NONE] = "none",
		[ERR_CONFIG] = "config",
		[ERR_IO] = "io",
		[ERR_TIMEOUT] = "timeout",
		[ERR_CLOSED] = "closed",
		[ERR_PROTOCOL] = "protocol",
		[ERR_LIMIT] = "limit",
		[ERR_TLS] = "tls",
		[ERR_REFUSED] = "refused",
		[ERR_TEMP] = "temp",
	};
	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}
