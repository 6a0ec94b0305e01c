/* SPDX-License-Identifier: MPL-2.0 */
/* What a configuration may say, though hardly anybody means it. */
#include "proxy/config_check.h"

#include "lib/net/address.h"

#include <stdio.h>

static size_t
chain_find(const struct chain_entry *chain, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(chain[i].link->name, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* chain_counts - it is among the first count links, and what it finds out is heeded. */
static bool
chain_counts(const struct chain_entry *chain, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(chain[i].link->name, name) == 0 && chain[i].mode != MODE_SHADOW)
			return true;
	}
	return false;
}

static void
warn_networks(const struct config_listener *l, const char *path, const char *key,
    const struct conf_strings *texts, struct conf_errors *warnings)
{
	struct network network;

	for (size_t i = 0; i < texts->count; i++) {
		if (network_parse(texts->items[i], &network, NULL) && network.prefix == 0)
			conf_error(warnings, l->where, path,
			    "%s has \"%s\": anybody may claim any address", key,
			    texts->items[i]);
	}
}

static void
warn_listeners(const struct loaded_config *c, struct conf_errors *warnings)
{
	const struct config_listener *listeners = c->config.listeners.items;

	for (size_t i = 0; i < c->config.listeners.count; i++) {
		char path[64];

		snprintf(path, sizeof(path), "listeners[%zu]", i);
		if (listeners[i].role == ROLE_SUBMISSION &&
		    listeners[i].tls == LISTENER_TLS_NONE)
			conf_error(warnings, listeners[i].where, path,
			    "nobody can log in here: passwords are taken over TLS only");
		warn_networks(&listeners[i], path, "proxy_networks",
		    &listeners[i].proxy_networks, warnings);
		warn_networks(&listeners[i], path, "xclient_networks",
		    &listeners[i].xclient_networks, warnings);
	}
}

static void
warn_identity(const struct loaded_config *c, struct conf_errors *warnings)
{
	const size_t at = chain_find(c->submission_chain, c->submission_count, "identity");
	const struct conf_where where = config_where(c, c->config.submission.where);

	if (!config_has_role(&c->config, ROLE_SUBMISSION))
		return;
	if (at == SIZE_MAX)
		conf_error(warnings, where, "submission.chain",
		    "has no \"identity\": every user may send as anybody");
	else if (!chain_counts(c->submission_chain, c->submission_count, "identity"))
		conf_error(warnings, c->submission_chain[at].where, "identity.mode",
		    "is \"shadow\": every user may send as anybody");
}

static bool
any_domain_has_keys(const struct config *config)
{
	const struct config_domain *domains = config->domains.items;

	for (size_t i = 0; i < config->domains.count; i++) {
		if (domains[i].dkim.count > 0)
			return true;
	}
	return false;
}

/* warn_signing - what is done to a message behind the signature may break it. */
static void
warn_signing(const struct loaded_config *c, struct conf_errors *warnings)
{
	const size_t at = chain_find(c->submission_chain, c->submission_count, "dkim_sign");
	const struct conf_where where = config_where(c, c->config.submission.where);

	if (at == SIZE_MAX) {
		if (any_domain_has_keys(&c->config) && c->submission_count > 0)
			conf_error(warnings, where, "submission.chain",
			    "has no \"dkim_sign\": the DKIM keys in domains sign nothing");
		return;
	}
	if (!any_domain_has_keys(&c->config))
		conf_error(warnings, where, "submission.chain",
		    "has \"dkim_sign\", but no domain has a DKIM key: nothing is signed");
	for (size_t i = at + 1; i < c->submission_count; i++) {
		const struct link *link = c->submission_chain[i].link;

		/* preflight only puts a field on top, and must see the signature */
		if (link->kind == LINK_FILTER && strcmp(link->name, "preflight") != 0)
			conf_error(warnings, where, "submission.chain",
			    "\"%s\" stands behind \"dkim_sign\": what it changes breaks the "
			    "signature",
			    c->submission_chain[i].name);
	}
}

/* warn_results - a result that is found out behind auth_results never gets into the field. */
static void
warn_results(const struct chain_entry *chain, size_t count, struct conf_where where,
    const char *path, struct conf_errors *warnings)
{
	static const char *const finders[] = { "spf", "dkim_verify", "arc", "dmarc" };
	const size_t at = chain_find(chain, count, "auth_results");

	if (at == SIZE_MAX)
		return;
	if (chain[at].mode == MODE_SHADOW)
		conf_error(warnings, chain[at].where, "auth_results.mode",
		    "is \"shadow\": forged Authentication-Results fields pass");
	for (size_t i = 0; i < ARRAY_LEN(finders); i++) {
		const size_t finder = chain_find(chain, count, finders[i]);

		if (finder != SIZE_MAX && finder > at)
			conf_error(warnings, where, path,
			    "\"%s\" stands behind \"auth_results\": its results are not in the "
			    "field",
			    finders[i]);
	}
}

/* warn_dmarc - it judges by what spf and dkim_verify have found out before it. */
static void
warn_dmarc(const struct chain_entry *chain, size_t count, struct conf_where where,
    const char *path, struct conf_errors *warnings)
{
	const size_t at = chain_find(chain, count, "dmarc");
	bool has_spf, has_dkim;

	if (at == SIZE_MAX)
		return;
	has_spf = chain_counts(chain, at, "spf");
	has_dkim = chain_counts(chain, at, "dkim_verify");
	if (!has_spf || !has_dkim)
		conf_error(warnings, where, path,
		    "\"dmarc\" has no %s%s%s before it that counts: good mail will fail",
		    has_spf ? "" : "\"spf\"", has_spf || has_dkim ? "" : " and no ",
		    has_dkim ? "" : "\"dkim_verify\"");
	if (chain_find(chain, count, "arc") != SIZE_MAX &&
	    chain_find(chain, at, "arc") == SIZE_MAX)
		conf_error(warnings, where, path,
		    "\"arc\" stands behind \"dmarc\": what trusted sealers say is not heeded");
}

static void
warn_chain(const struct chain_entry *chain, size_t count, struct conf_where where,
    const char *path, struct conf_errors *warnings)
{
	warn_results(chain, count, where, path, warnings);
	warn_dmarc(chain, count, where, path, warnings);
}

static const struct config_upstream *
submission_upstream(const struct config *config)
{
	const struct config_upstream *upstreams = config->upstreams.items;

	for (size_t i = 0; i < config->upstreams.count; i++) {
		if (strcmp(upstreams[i].name, config->submission.upstream) == 0)
			return &upstreams[i];
	}
	return NULL;
}

static void
warn_preflight(const struct loaded_config *c, struct conf_errors *warnings)
{
	const size_t at = chain_find(c->submission_chain, c->submission_count, "preflight");
	const size_t sign = chain_find(c->submission_chain, c->submission_count, "dkim_sign");
	const struct conf_where where = config_where(c, c->config.submission.where);
	const struct config_upstream *upstream;

	if (at == SIZE_MAX)
		return;
	if (sign != SIZE_MAX && sign > at)
		conf_error(warnings, where, "submission.chain",
		    "\"preflight\" stands before \"dkim_sign\": it sees no signature");
	upstream = submission_upstream(&c->config);
	if (upstream != NULL && upstream->egress.count == 0)
		conf_error(warnings, upstream->where, "upstreams.egress",
		    "is missing: \"preflight\" cannot judge SPF without the addresses from "
		    "which mail leaves");
}

void
config_warn(const struct loaded_config *c, struct conf_errors *warnings)
{
	warn_listeners(c, warnings);
	warn_identity(c, warnings);
	warn_signing(c, warnings);
	config_warn_dmarc_reports(c, warnings);
	config_warn_confine(c, warnings);
	warn_preflight(c, warnings);
	warn_chain(c->submission_chain, c->submission_count,
	    config_where(c, c->config.submission.where), "submission.chain", warnings);
	warn_chain(c->inbound_chain, c->inbound_count, config_where(c, c->config.inbound.where),
	    "inbound.chain", warnings);
}
