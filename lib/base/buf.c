/* SPDX-License-Identifier: MPL-2.0 */
/* Growing buffers with a cap; see buf.h. */
#include "lib/base/buf.h"

#include "lib/base/mem.h"

#include <stdio.h>

#define ROOM_MIN 128 /* octets of a first allocation */

void
buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){ .cap = cap };
}

void
buf_finish(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){ 0 };
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
}

void
buf_release(struct buf *b)
{
	size_t cap = b->cap;

	buf_finish(b);
	b->cap = cap;
}

char *
buf_reserve(struct buf *b, size_t len)
{
	if (len > b->cap - b->len)
		return NULL;
	size_t need = b->len + len;
	if (need > b->room) {
		size_t room = b->room > 0 ? b->room : ROOM_MIN;
		while (room < need)
			room = room > b->cap / 2 ? b->cap : 2 * room;
		b->p = mem_realloc(b->p, room);
		b->room = room;
	}
	/* Even an empty reservation has an address. */
	if (b->p == NULL) {
		b->p = mem_alloc(1);
		b->room = 0;
	}
	return b->p + b->len;
}

void
buf_commit(struct buf *b, size_t len)
{
	if (len > b->room - b->len)
		BUG("%zu octets committed, %zu reserved", len, b->room - b->len);
	b->len += len;
}

bool
buf_add(struct buf *b, const void *p, size_t len)
{
	char *at = buf_reserve(b, len);

	if (at == NULL)
		return false;
	if (len > 0)
		memcpy(at, p, len);
	b->len += len;
	return true;
}

bool
buf_add_view(struct buf *b, struct view v)
{
	return buf_add(b, v.p, v.len);
}

bool
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

bool
buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

bool
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bool ok = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return ok;
}

bool
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	char text[512];
	va_list again;

	va_copy(again, ap);
	int len = vsnprintf(text, sizeof(text), fmt, ap);
	bool ok = len >= 0;
	if (ok && (size_t)len < sizeof(text)) {
		ok = buf_add(b, text, (size_t)len);
	} else if (ok) {
		char *large = mem_alloc((size_t)len + 1);
		(void)vsnprintf(large, (size_t)len + 1, fmt, again);
		ok = buf_add(b, large, (size_t)len);
		mem_free(large);
	}
	va_end(again);
	return ok;
}

void
buf_drop(struct buf *b, size_t len)
{
	if (len >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->p, b->p + len, b->len - len);
	b->len -= len;
}
