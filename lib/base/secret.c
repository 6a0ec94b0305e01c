/* SPDX-License-Identifier: MPL-2.0 */
/* Secrets: see secret.h. One owner at a time. */
#include "lib/base/secret.h"

#include "lib/base/mem.h"

enum { SECRET_MAX = 4096 };

void
secret_init(struct secret *s)
{
	*s = (struct secret){ 0 };
}

void
secret_finish(struct secret *s)
{
	if (s->p != NULL)
		secret_wipe(s->p, s->len + 1);
	mem_free(s->p);
	secret_init(s);
}

bool
secret_set(struct secret *s, struct view text)
{
	char *copy = NULL;
	bool fits = text.len <= SECRET_MAX && view_find(text, '\0') == text.len;
	if (fits)
		copy = mem_strndup(
		    text.p, text.len); /* before the old one goes: text may be in it */
	secret_finish(s);
	if (fits)
		*s = (struct secret){ copy, text.len };
	return fits;
}

bool
secret_is_set(const struct secret *s)
{
	return s->p != NULL;
}

bool
secret_eq(const struct secret *a, const struct secret *b)
{
	if (a->p == NULL || b->p == NULL || a->len != b->len)
		return false;
	volatile unsigned char differs = 0;
	for (size_t i = 0; i < a->len; i++)
		differs = (unsigned char)(differs |
					  ((unsigned char)a->p[i] ^ (unsigned char)b->p[i]));
	return differs == 0;
}

void
secret_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}
