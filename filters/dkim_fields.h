/* SPDX-License-Identifier: MPL-2.0 */
/* Which header fields a DKIM signature covers, where the configuration says nothing else. */
#ifndef GATEPOST_FILTERS_DKIM_FIELDS_H
#define GATEPOST_FILTERS_DKIM_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

extern const char *const dkim_fields_oversign[]; /* signed, and protected against another one */
extern const size_t dkim_fields_oversign_count;
extern const char *const dkim_fields_sign[]; /* signed as often as they are there */
extern const size_t dkim_fields_sign_count;

/*
 * dkim_field_is_added_later - a server on the way adds it when it is missing: it must not be
 * oversigned unless it is there.
 */
bool dkim_field_is_added_later(const char *name);

/* dkim_field_is_never_signed - it changes or goes away on the way: NULL, or why. */
const char *dkim_field_is_never_signed(const char *name);

#endif
