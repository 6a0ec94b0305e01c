/* SPDX-License-Identifier: MPL-2.0 */
/* The links of this folder: they decide, and change nothing. */
#ifndef GATEPOST_POLICY_POLICY_H
#define GATEPOST_POLICY_POLICY_H

#include "lib/chain/link.h"

extern const struct link link_access;
extern const struct link link_identity;
extern const struct link link_recipient_limit;
extern const struct link link_relay_domains;

#endif
