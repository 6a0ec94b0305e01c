/* SPDX-License-Identifier: MPL-2.0 */
/* How a key stands in an LDAP filter: apart from table_ldap.c for its test. */
#ifndef GATEPOST_TABLE_TABLE_LDAP_H
#define GATEPOST_TABLE_TABLE_LDAP_H

#include "lib/table/table_private.h"

/*
 * table_ldap_escape - as a value of a filter (RFC 4515 3), in the arena: every octet that is
 * not printable ASCII, and "*", "(", ")", "\", becomes \HH.
 */
MUST_CHECK struct view table_ldap_escape(struct arena *arena, struct view value);

#endif
