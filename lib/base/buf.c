/* SPDX-License-Identifier: MPL-2.0 */
/* Growing buffers with a cap: see buf.h. One owner at a time. */
#include "lib/base/buf.h"

#include "lib/base/mem.h"
#include "lib/base/secret.h"

#include <stdio.h>

enum { BUF_FIRST_ROOM = 64 };

void
buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){ .cap = cap };
}

void
buf_finish(struct buf *b)
{
	buf_release(b);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
}

void
buf_set_secret(struct buf *b)
{
	b->is_secret = true;
}

void
buf_release(struct buf *b)
{
	if (b->is_secret && b->p != NULL)
		secret_wipe(b->p, b->room);
	mem_free(b->p);
	b->p = NULL;
	b->len = b->room = 0;
}

/* The next room that holds need octets: doubled, never over the cap. */
static size_t
next_room(const struct buf *b, size_t need)
{
	size_t room = b->room > BUF_FIRST_ROOM / 2 ? b->room : BUF_FIRST_ROOM / 2;
	room = room > b->cap / 2 ? b->cap : room * 2;
	return room < need ? need : room;
}

/* grow - to room octets; realloc(3) would leave a copy where it moved from. */
static void
grow(struct buf *b, size_t room)
{
	if (b->is_secret && b->p != NULL) {
		char *p = mem_alloc(room);

		memcpy(p, b->p, b->len);
		secret_wipe(b->p, b->room);
		mem_free(b->p);
		b->p = p;
	} else {
		b->p = mem_realloc(b->p, room);
	}
	b->room = room;
}

char *
buf_reserve(struct buf *b, size_t len)
{
	if (len > b->cap - b->len)
		return NULL;
	if (b->p == NULL || len > b->room - b->len)
		grow(b, next_room(b, b->len + len));
	return b->p + b->len;
}

void
buf_commit(struct buf *b, size_t len)
{
	if (len > b->room - b->len)
		BUG("buf_commit of %zu octets, %zu were reserved", len, b->room - b->len);
	b->len += len;
}

bool
buf_add(struct buf *b, const void *p, size_t len)
{
	if (len == 0)
		return true;
	char *to = buf_reserve(b, len);
	if (to == NULL)
		return false;
	memcpy(to, p, len);
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

/* The text is made beside the buffer: its NUL need not fit in, and a failure changes nothing.
 */
bool
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	char small[512];
	va_list again;
	va_copy(again, ap);
	bool ok = false;
	int len = vsnprintf(small, sizeof(small), fmt, ap);
	if (len < 0 || (size_t)len > b->cap - b->len)
		goto out;
	if ((size_t)len < sizeof(small)) {
		ok = buf_add(b, small, (size_t)len);
		goto out;
	}
	char *large = mem_alloc((size_t)len + 1);
	vsnprintf(large, (size_t)len + 1, fmt, again);
	ok = buf_add(b, large, (size_t)len);
	mem_free(large);
out:
	va_end(again);
	return ok;
}

void
buf_drop(struct buf *b, size_t len)
{
	if (len > b->len)
		BUG("buf_drop of %zu octets, there are %zu", len, b->len);
	if (len == 0)
		return;
	b->len -= len;
	memmove(b->p, b->p + len, b->len);
}
