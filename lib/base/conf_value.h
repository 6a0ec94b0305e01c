/* SPDX-License-Identifier: MPL-2.0 */
/* Values with units, as text and back. Pure functions. */
#ifndef GATEPOST_BASE_CONF_VALUE_H
#define GATEPOST_BASE_CONF_VALUE_H

#include "lib/base/conf.h"

enum { CONF_NUMBER_ROOM = 32 }; /* octets of a printed value with its NUL */

/* conf_parse_size - "4096", "256K", "25M", "1G" (of 1024) to octets. */
MUST_CHECK bool conf_parse_size(struct view text, int64_t *octets_out);

/* conf_parse_duration - "250ms", "30s", "5m", "2h", "7d", and "0", to milliseconds. */
MUST_CHECK bool conf_parse_duration(struct view text, int64_t *ms_out);

/* conf_print_number - of a row of type INT, SIZE or DURATION, in its largest whole unit. */
const char *conf_print_number(enum conf_type type, int64_t value, char out[CONF_NUMBER_ROOM]);

#endif
