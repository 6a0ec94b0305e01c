/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A growing buffer that takes its cap when it is made. Every add can fail, with one meaning:
 * the cap would be passed; the buffer is then unchanged. It allocates nothing until it is used,
 * and buf_release() gives its memory back while it is empty (a parked session keeps none).
 */
#ifndef GATEPOST_BASE_BUF_H
#define GATEPOST_BASE_BUF_H

#include "lib/base/view.h"

#include <stdarg.h>

struct buf {
	char *p;     /* owned */
	size_t len;  /* octets in use */
	size_t room; /* octets allocated; len <= room <= cap */
	size_t cap;  /* octets, fixed at buf_init */
	bool is_secret;
};

void buf_init(struct buf *b, size_t cap);
/* buf_set_secret - passwords may be in it: memory that it gives up, also by growing, is wiped.
 */
void buf_set_secret(struct buf *b);
void buf_finish(struct buf *b);	 /* frees; b may be initialised again */
void buf_clear(struct buf *b);	 /* len = 0, memory kept */
void buf_release(struct buf *b); /* len = 0, memory freed, cap kept */

MUST_CHECK bool buf_add(struct buf *b, const void *p, size_t len);
MUST_CHECK bool buf_add_view(struct buf *b, struct view v);
MUST_CHECK bool buf_add_str(struct buf *b, const char *s);
MUST_CHECK bool buf_add_char(struct buf *b, char c);
MUST_CHECK bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
MUST_CHECK bool buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/*
 * buf_reserve - room for len more octets; write them at the address returned, then tell
 * buf_commit how many became real. NULL: the cap would be passed.
 */
MUST_CHECK char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

void buf_drop(struct buf *b, size_t len); /* forget the first len octets */

static inline struct view
buf_view(const struct buf *b)
{
	return view_make(b->p != NULL ? b->p : "", b->len);
}

#endif
