/* SPDX-License-Identifier: MPL-2.0 */
/* The settings of the link dmarc, and what setup makes of them: for dmarc.c alone. */
#ifndef GATEPOST_FILTERS_DMARC_SETTINGS_H
#define GATEPOST_FILTERS_DMARC_SETTINGS_H

#include "lib/chain/link.h"
#include "lib/mail/domain_name.h"
#include "lib/net/address.h"

enum dmarc_action { DMARC_ACCEPT, DMARC_QUARANTINE, DMARC_REFUSE };

enum dmarc_on_temperror { DMARC_TEMPERROR_DEFER, DMARC_TEMPERROR_ACCEPT };

struct dmarc_settings {
	int reject;	/* enum dmarc_action: what p=reject comes to */
	int quarantine; /* enum dmarc_action: how a quarantine is done; QUARANTINE: by the field
			 */
	int bad_from;	/* enum dmarc_action */
	int on_temperror;
	const char *quarantine_field;
	struct conf_strings trusted_forwarders;
	struct conf_list overrides; /* struct dmarc_override_settings */
};

struct dmarc_override {
	char domain[DOMAIN_NAME_MAX];
	bool is_below; /* ".example.com": its sub-domains, not itself */
	enum dmarc_action action;
};

struct dmarc_state {
	const struct dns_source *dns;
	struct dmarc_store *store;  /* NULL: nothing is kept for reports */
	struct network *forwarders; /* owned */
	size_t forwarder_count;
	struct dmarc_override *overrides; /* owned; the first one that matches decides */
	size_t override_count;
};

extern const struct conf_table dmarc_table;

bool dmarc_setup(const void *settings, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors);
void dmarc_teardown(void *state);

const struct dmarc_override *dmarc_find_override(
    const struct dmarc_state *state, const char *from_domain);
bool dmarc_trusts_client(
    const struct dmarc_state *state, const struct sockaddr_storage *client);

#endif
