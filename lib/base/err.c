/* SPDX-License-Identifier: MPL-2.0 */
/* Errors for the operator; see err.h. */
#include "lib/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool
err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return false;
	e->kind = kind;
	e->errnum = 0;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return false;
}

bool
err_set_errno(struct err *e, int errnum, const char *fmt, ...)
{
	char reason[80];
	va_list ap;

	if (e == NULL)
		return false;
	e->kind = ERR_IO;
	e->errnum = errnum;
	va_start(ap, fmt);
	int len = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (len >= 0 && (size_t)len < sizeof(e->text))
		(void)snprintf(e->text + len, sizeof(e->text) - (size_t)len, ": %s",
		    strerror_r(errnum, reason, sizeof(reason)));
	return false;
}

bool
err_prefix(struct err *e, const char *fmt, ...)
{
	char rest[sizeof(e->text)];
	va_list ap;

	if (e == NULL)
		return false;
	memcpy(rest, e->text, sizeof(rest));
	va_start(ap, fmt);
	int len = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (len >= 0 && (size_t)len < sizeof(e->text))
		(void)snprintf(e->text + len, sizeof(e->text) - (size_t)len, ": %.*s",
		    (int)(sizeof(e->text) - (size_t)len), rest);
	return false;
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
		[ERR_TEMP] = "temporary",
	};

	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}
