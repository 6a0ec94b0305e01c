/* SPDX-License-Identifier: MPL-2.0 */
/* The links of this folder: they look at the message, and may change it. */
#ifndef GATEPOST_FILTERS_FILTERS_H
#define GATEPOST_FILTERS_FILTERS_H

#include "lib/chain/link.h"

extern const struct link link_arc;
extern const struct link link_auth_results;
extern const struct link link_bulk_rules;
extern const struct link link_dkim_sign;
extern const struct link link_dkim_verify;
extern const struct link link_dmarc;
extern const struct link link_fix_headers;
extern const struct link link_hop_limit;
extern const struct link link_lua;
extern const struct link link_milter;
extern const struct link link_preflight;
extern const struct link link_spf;

/* bulk_rules_names_domain - is mail From that domain (A-labels) bulk, by these settings of the
 * link? */
bool bulk_rules_names_domain(const void *settings, const char *domain);

#endif
