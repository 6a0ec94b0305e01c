/* SPDX-License-Identifier: MPL-2.0 */
/* Private to proxy/config*.c: what no single row can check, and what is allowed but hardly
 * meant. */
#ifndef GATEPOST_PROXY_CONFIG_CHECK_H
#define GATEPOST_PROXY_CONFIG_CHECK_H

#include "proxy/config.h"

/* Each adds an error for everything that it finds. */
void config_check_listeners(const struct loaded_config *c, struct conf_errors *errors);
void config_check_metrics(const struct loaded_config *c, struct conf_errors *errors);
void config_check_auth(const struct loaded_config *c, struct conf_errors *errors);
void config_check_domains(const struct loaded_config *c, struct conf_errors *errors);
void config_check_upstreams(const struct loaded_config *c, struct conf_errors *errors);
void config_check_dns(const struct loaded_config *c, struct conf_errors *errors);
void config_check_penalties(const struct loaded_config *c, struct conf_errors *errors);
void config_check_limits(const struct loaded_config *c, struct conf_errors *errors);

void config_check_trace(const struct loaded_config *c, struct conf_errors *errors);

void config_check_confine(const struct loaded_config *c, struct conf_errors *errors);
void config_warn_confine(const struct loaded_config *c, struct conf_errors *warnings);

void config_check_dmarc_reports(const struct loaded_config *c, struct conf_errors *errors);
void config_warn_dmarc_reports(const struct loaded_config *c, struct conf_errors *warnings);

#define CONFIG_PATH_ROOM 64 /* octets of a path in an error: "submission.chain[3]" */

/* One service while its chain is made. */
struct chain_load {
	struct loaded_config *config;
	const struct config_service *service;
	const char *name; /* "submission" */
	enum gate_role role;
	struct conf_errors *errors;
};

/* config_load_links - the built-in links, the plugins that the file's chains call, their
 * groups.
 */
void config_load_links(struct loaded_config *c);

/* config_load_entry - the link that chain[index] calls, into *entry; false: an error was added.
 */
MUST_CHECK bool config_load_entry(
    const struct chain_load *load, size_t index, struct chain_entry *entry);

/* config_check_instances - the names of the groups of links that have several. */
void config_check_instances(const struct loaded_config *c, struct conf_errors *errors);

/* config_has_role - is there a listener of this role? */
bool config_has_role(const struct config *config, enum gate_role role);

/* config_where - where, or the file as a whole for what was not written. */
struct conf_where config_where(const struct loaded_config *c, struct conf_where where);

#endif
