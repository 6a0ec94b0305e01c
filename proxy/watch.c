/* SPDX-License-Identifier: MPL-2.0 */
/* From the configuration to the watch of our own domains; see watch.h. */
#include "proxy/watch.h"

#include "filters/filters.h"
#include "lib/mail/domain_name.h"
#include "lib/net/address.h"

struct resolver *
watch_resolver(const struct config *config, struct err *err)
{
	const struct config_dns *dns = &config->dns;
	const struct resolver_config settings = {
		.servers = dns->servers.items,
		.server_count = dns->servers.count,
		.recursive = dns->recursive,
		.trust_anchor = dns->trust_anchor,
		.timeout_ms = dns->timeout_ms,
		.cache_octets = dns->cache_octets,
		.authority_port = (uint16_t)dns->authority_port,
	};

	return resolver_open(&settings, err);
}

static bool
chain_asks(const struct loaded_config *c, const struct chain_entry *chain, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (chain[i].link == &link_preflight ||
		    (chain[i].link == &link_dkim_sign && c->config.domains.count > 0))
			return true;
	}
	return false;
}

bool
watch_is_needed(const struct loaded_config *c)
{
	return c->config.watch.enabled &&
	       (chain_asks(c, c->submission_chain, c->submission_count) ||
		   chain_asks(c, c->inbound_chain, c->inbound_count));
}

/* add_egress - the addresses from which mail of our users leaves; they were checked. */
static void
add_egress(const struct config *config, struct watch_config *out)
{
	const struct config_upstream *upstreams = config->upstreams.items;
	const char *wanted = config->submission.upstream;

	for (size_t i = 0; i < config->upstreams.count; i++) {
		const struct conf_strings *egress = &upstreams[i].egress;

		if (wanted == NULL || strcmp(upstreams[i].name, wanted) != 0)
			continue;
		for (size_t j = 0; j < egress->count && j < WATCH_EGRESS_MAX; j++) {
			if (address_from_host(
				egress->items[j], 0, &out->egress[out->egress_count]))
				out->egress_count++;
		}
	}
}

void
watch_describe(const struct loaded_config *c, struct arena *arena, struct watch_config *out)
{
	const struct config *config = &c->config;
	const struct config_domain *domains = config->domains.items;
	const char **names = arena_alloc(arena, (config->domains.count + 1) * sizeof(*names));

	*out = (struct watch_config){
		.domains = names,
		.hostname = config->hostname,
		.rotation_dir = arena_printf(arena, "%s/dkim", config->state_dir),
		/* A session may sign as it began, with what a reload has replaced since. */
		.rotation = { .settle_s = config->rotation.settle_ms / 1000,
		    .queue_life_s =
			(config->rotation.queue_life_ms + config->limits.session_ms) / 1000 },
		.refresh_s = config->watch.refresh_ms / 1000,
		.retry_s = config->watch.retry_ms / 1000,
		.timeout_ms = config->watch.timeout_ms,
	};
	for (size_t i = 0; i < config->domains.count; i++) {
		char name[DOMAIN_NAME_MAX];

		if (domain_to_ascii(view_of(domains[i].name), name))
			names[out->domain_count++] = arena_strdup(arena, view_of(name));
	}
	add_egress(config, out);
}

bool
watch_has_bulk_rules(const struct loaded_config *c, const char *domain)
{
	for (size_t i = 0; i < c->submission_count; i++) {
		if (c->submission_chain[i].link == &link_bulk_rules &&
		    bulk_rules_names_domain(c->submission_chain[i].settings, domain))
			return true;
	}
	return false;
}
