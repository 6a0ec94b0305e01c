/* SPDX-License-Identifier: MPL-2.0 */
/* Gathering errors of a configuration: see conf.h. */
#include "lib/base/conf.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <stdio.h>

enum { CONF_ERROR_MAX = 4096 /* octets of one text */ };

void
conf_errors_init(struct conf_errors *errors)
{
	*errors = (struct conf_errors){ 0 };
	arena_init(&errors->arena);
}

void
conf_errors_finish(struct conf_errors *errors)
{
	mem_free(errors->lines);
	arena_finish(&errors->arena);
	conf_errors_init(errors);
}

static void
add_line(struct conf_errors *errors, const char *line)
{
	if (errors->count == errors->room) {
		errors->room = errors->room > 0 ? errors->room * 2 : 16;
		errors->lines =
		    mem_realloc(errors->lines, errors->room * sizeof(*errors->lines));
	}
	errors->lines[errors->count++] = line;
}

void
conf_error(
    struct conf_errors *errors, struct conf_where where, const char *path, const char *fmt, ...)
{
	struct buf text;
	va_list ap;
	buf_init(&text, CONF_ERROR_MAX);
	va_start(ap, fmt);
	if (!buf_vprintf(&text, fmt, ap)) {
		buf_clear(&text);
		if (!buf_add_str(&text, "is wrong, and the explanation too long to show"))
			BUG("CONF_ERROR_MAX is too small");
	}
	va_end(ap);
	char line[16] = "";
	if (where.line > 0)
		snprintf(line, sizeof(line), ":%d", where.line);
	bool has_path = path != NULL && path[0] != '\0';
	add_line(errors,
	    arena_printf(&errors->arena, "%s%s: %s%s%.*s", where.file != NULL ? where.file : "",
		line, has_path ? path : "", has_path ? ": " : "", VIEW_ARG(buf_view(&text))));
	buf_finish(&text);
}
