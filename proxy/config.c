/* SPDX-License-Identifier: MPL-2.0 */
/* Loading the configuration file, and what each service needs. Its chain: config_chain.c. */
#include "proxy/config.h"

#include "lib/base/mem.h"
#include "lib/mail/domain_name.h"
#include "proxy/config_check.h"

#include <stdio.h>

struct conf_where
config_where(const struct loaded_config *c, struct conf_where where)
{
	return where.line > 0 ? where : (struct conf_where){ .file = c->file };
}

bool
config_has_role(const struct config *config, enum gate_role role)
{
	const struct config_listener *listeners = config->listeners.items;

	for (size_t i = 0; i < config->listeners.count; i++) {
		if (listeners[i].role == (int)role)
			return true;
	}
	return false;
}

static void
check_service_upstream(const struct chain_load *load)
{
	const struct conf_list *list = &load->config->config.upstreams;
	const struct config_upstream *upstreams = list->items;
	const struct conf_where where = config_where(load->config, load->service->where);
	const char *wanted = load->service->upstream;
	const char **names =
	    arena_alloc(&load->config->arena, (list->count + 1) * sizeof(*names));
	char path[CONFIG_PATH_ROOM];
	const char *near;

	snprintf(path, sizeof(path), "%s.upstream", load->name);
	if (wanted == NULL) {
		conf_error(load->errors, where, path,
		    "is missing: which of the upstreams gets this mail?");
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		names[i] = upstreams[i].name != NULL ? upstreams[i].name : "";
		if (strcmp(names[i], wanted) == 0)
			return;
	}
	near = conf_nearest(wanted, names, list->count);
	conf_error(load->errors, where, path, "there is no upstream \"%s\"%s%s%s", wanted,
	    near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?)" : "");
}

static void
load_service(const struct chain_load *load, struct chain_entry **chain_out, size_t *count_out)
{
	const struct config_service *service = load->service;

	*chain_out =
	    arena_alloc(&load->config->arena, (service->chain.count + 1) * sizeof(**chain_out));
	*count_out = 0;
	if (service->upstream == NULL && service->chain.count == 0) {
		if (config_has_role(&load->config->config, load->role))
			conf_error(load->errors, config_where(load->config, service->where),
			    load->name,
			    "is missing: a listener has this role, where does its mail go?");
		return;
	}
	check_service_upstream(load);
	if (load->role == ROLE_SUBMISSION && service->chain.count == 0)
		conf_error(load->errors, config_where(load->config, service->where),
		    "submission.chain",
		    "is missing: which links does a message pass? \"identity\" should be one");
	for (size_t i = 0; i < service->chain.count; i++) {
		if (config_load_entry(load, i, &(*chain_out)[*count_out]))
			(*count_out)++;
	}
}

static void
load_services(struct loaded_config *c, struct conf_errors *errors)
{
	struct chain_load submission = { c, &c->config.submission, "submission",
		ROLE_SUBMISSION, errors };
	struct chain_load inbound = { c, &c->config.inbound, "inbound", ROLE_INBOUND, errors };

	load_service(&submission, &c->submission_chain, &c->submission_count);
	load_service(&inbound, &c->inbound_chain, &c->inbound_count);
}

static void
check_hostname(const struct loaded_config *c, struct conf_errors *errors)
{
	char ascii[DOMAIN_NAME_MAX];

	if (c->config.hostname == NULL)
		return; /* said already */
	if (!domain_to_ascii(view_of(c->config.hostname), ascii) ||
	    strcmp(ascii, c->config.hostname) != 0)
		conf_error(errors, (struct conf_where){ .file = c->file }, "hostname",
		    "\"%s\" is not a host name in lower case ASCII", c->config.hostname);
}

/*
 * something_was_read - was the file read, though with errors? Then the checks below report
 * theirs in the same run. They expect that a member with an error holds its default, or NULL.
 */
static bool
something_was_read(const struct config *config)
{
	return config->listeners.count > 0 && config->upstreams.count > 0;
}

struct loaded_config *
config_load(const char *file, struct conf_errors *errors)
{
	struct loaded_config *c = mem_calloc(1, sizeof(*c));
	const size_t errors_before = errors->count;
	bool read_whole;

	arena_init(&c->arena);
	c->file = arena_strdup(&c->arena, view_of(file));
	config_load_links(c);
	read_whole = conf_load(
	    file, &config_table, &c->config, c->groups, c->link_count, &c->arena, errors);
	if (read_whole || something_was_read(&c->config)) {
		check_hostname(c, errors);
		config_check_listeners(c, errors);
		config_check_metrics(c, errors);
		config_check_auth(c, errors);
		config_check_domains(c, errors);
		config_check_upstreams(c, errors);
		config_check_dns(c, errors);
		config_check_limits(c, errors);
		config_check_penalties(c, errors);
		config_check_dmarc_reports(c, errors);
		config_check_trace(c, errors);
		config_check_confine(c, errors);
		config_check_instances(c, errors);
		load_services(c, errors);
	}
	if (errors->count > errors_before)
		config_unload(&c);
	return c;
}

void
config_unload(struct loaded_config **c)
{
	if (*c == NULL)
		return;
	arena_finish(&(*c)->arena);
	mem_free(*c);
	*c = NULL;
}
