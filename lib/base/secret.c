/* SPDX-License-Identifier: MPL-2.0 */
/* Secrets; see secret.h. */
#include "lib/base/secret.h"

#include "lib/base/mem.h"

#define SECRET_MAX 4096

void
secret_init(struct secret *s)
{
	*s = (struct secret){ 0 };
}

void
secret_finish(struct secret *s)
{
	if (s->p != NULL)
		secret_wipe(s->p, s->len);
	mem_free(s->p);
	*s = (struct secret){ 0 };
}

bool
secret_set(struct secret *s, struct view text)
{
	secret_finish(s);
	if (text.len > SECRET_MAX || view_find(text, '\0') != text.len)
		return false;
	s->p = mem_strndup(text.p != NULL ? text.p : "", text.len);
	s->len = text.len;
	return true;
}

bool
secret_is_set(const struct secret *s)
{
	return s->p != NULL;
}

bool
secret_eq(const struct secret *a, const struct secret *b)
{
	unsigned char difference = 0;

	if (a->p == NULL || b->p == NULL || a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		difference |= (unsigned char)(a->p[i] ^ b->p[i]);
	return difference == 0;
}

void
secret_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}
