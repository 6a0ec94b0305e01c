/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A secret: a password or key text. Wiped when it is finished or set anew; there is no way to
 * print one, and no log field type takes one.
 */
#ifndef GATEPOST_BASE_SECRET_H
#define GATEPOST_BASE_SECRET_H

#include "lib/base/view.h"

struct secret {
	char *p;    /* owned; NUL-terminated (a NUL inside is refused by secret_set) */
	size_t len; /* without the NUL */
};

void secret_init(struct secret *s);
void secret_finish(struct secret *s); /* wipes and frees */

/* secret_set - copy in; false, and nothing set, when text holds a NUL or is over 4096 octets.
 */
MUST_CHECK bool secret_set(struct secret *s, struct view text);

bool secret_is_set(const struct secret *s);
/* secret_eq - in constant time for equal lengths; false when one of them is not set. */
bool secret_eq(const struct secret *a, const struct secret *b);
void secret_wipe(void *p, size_t len); /* explicit_bzero */

#endif
