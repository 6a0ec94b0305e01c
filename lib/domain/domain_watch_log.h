/* SPDX-License-Identifier: MPL-2.0 */
/* Private to domain_watch.c: what a new look at a domain says that the one before did not. */
#ifndef GATEPOST_DOMAIN_DOMAIN_WATCH_LOG_H
#define GATEPOST_DOMAIN_DOMAIN_WATCH_LOG_H

#include "lib/domain/domain_watch.h"

/* domain_watch_log - before may be of a time when DNS had not been asked (checked_at 0). */
void domain_watch_log(const struct domain_report *before, const struct domain_report *after);

#endif
