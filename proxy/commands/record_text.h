/* SPDX-License-Identifier: MPL-2.0 */
/* DNS records and JSON strings as the sub-commands print them, to standard output. */
#ifndef GATEPOST_PROXY_COMMANDS_RECORD_TEXT_H
#define GATEPOST_PROXY_COMMANDS_RECORD_TEXT_H

#include "lib/base/view.h"

#define RECORD_TEXT_MAX 8192 /* octets of a key record, or of its zone line */

/* record_print_strings - the quoted strings of a TXT record, with glue between them. */
void record_print_strings(const char *glue, struct view record);

/* json_print_member - "key": "value", without a comma; octets over 0x7e become U+FFFD. */
void json_print_member(const char *key, struct view value);

#endif
