/* SPDX-License-Identifier: MPL-2.0 */
/* Dates of RFC 5322 3.3: "Tue, 24 Nov 2026 20:57:50 +0000". Always UTC: no time zone leaks. */
#ifndef GATEPOST_MAIL_DATE_H
#define GATEPOST_MAIL_DATE_H

#include <stdint.h>

#define DATE_MAX 40
void date_format(int64_t unix_s, char out[DATE_MAX]);

#endif
