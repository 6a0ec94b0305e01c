/* SPDX-License-Identifier: MPL-2.0 */
/* The settings of the link dmarc: rows, setup, and the lists that it looks into. */
#include "filters/dmarc_settings.h"

#include "lib/base/mem.h"

#include <stddef.h>

#define FIELD_NAME_MAX 60

struct dmarc_override_settings {
	struct conf_where where;
	const char *domain;
	int action;
};

static const struct conf_choice action_choices[] = {
	{ "accept", DMARC_ACCEPT },
	{ "quarantine", DMARC_QUARANTINE },
	{ "reject", DMARC_REFUSE },
	{ NULL, 0 },
};

static const struct conf_choice quarantine_choices[] = {
	{ "accept", DMARC_ACCEPT },
	{ "header", DMARC_QUARANTINE },
	{ "reject", DMARC_REFUSE },
	{ NULL, 0 },
};

static const struct conf_choice temperror_choices[] = {
	{ "defer", DMARC_TEMPERROR_DEFER },
	{ "accept", DMARC_TEMPERROR_ACCEPT },
	{ NULL, 0 },
};

static const struct conf_row override_rows[] = {
	{ .key = "domain",
	    .type = CONF_STRING,
	    .offset = offsetof(struct dmarc_override_settings, domain),
	    .required = true,
	    .help = "The From domain: \"example.com\" is that one, \".example.com\" every "
		    "sub-domain of it." },
	{ .key = "action",
	    .type = CONF_ENUM,
	    .offset = offsetof(struct dmarc_override_settings, action),
	    .required = true,
	    .choices = action_choices,
	    .help = "What is done with its mail when DMARC fails, whatever the domain asks "
		    "for." },
	{ .key = NULL },
};

static const struct conf_table override_table = {
	.name = "overrides",
	.help = "Domains whose mail is dealt with otherwise than they ask for when it fails "
		"DMARC; the first entry that matches decides.",
	.size = sizeof(struct dmarc_override_settings),
	.rows = override_rows,
	.where_offset = offsetof(struct dmarc_override_settings, where),
};

#define MEMBER(m) offsetof(struct dmarc_settings, m)

static const struct conf_row dmarc_rows[] = {
	{ .key = "reject",
	    .type = CONF_ENUM,
	    .offset = MEMBER(reject),
	    .fallback = "reject",
	    .choices = action_choices,
	    .help = "What becomes of mail that fails DMARC when its domain asks for reject: "
		    "refused with 550 5.7.1, treated as if quarantine were asked for, or "
		    "accepted." },
	{ .key = "quarantine",
	    .type = CONF_ENUM,
	    .offset = MEMBER(quarantine),
	    .fallback = "header",
	    .choices = quarantine_choices,
	    .help = "How mail is quarantined: marked with a header field for the server "
		    "behind, refused, or not at all." },
	{ .key = "quarantine_field",
	    .type = CONF_STRING,
	    .offset = MEMBER(quarantine_field),
	    .fallback = "X-Quarantine",
	    .help = "The name of that field; fields of this name are removed from all mail "
		    "that comes in." },
	{ .key = "bad_from",
	    .type = CONF_ENUM,
	    .offset = MEMBER(bad_from),
	    .fallback = "reject",
	    .choices = action_choices,
	    .help = "What becomes of mail whose author nobody can be sure of: no From field or "
		    "several, one that does not parse, addresses of several domains." },
	{ .key = "on_temperror",
	    .type = CONF_ENUM,
	    .offset = MEMBER(on_temperror),
	    .fallback = "defer",
	    .choices = temperror_choices,
	    .help = "What becomes of mail that cannot be judged because DNS does not answer: "
		    "451 4.7.1, or accepted. Mail of domains that ask for nothing is always "
		    "accepted." },
	{ .key = "overrides",
	    .type = CONF_LIST,
	    .offset = MEMBER(overrides),
	    .table = &override_table,
	    .help = "Domains with a policy of our own." },
	{ .key = "trusted_forwarders",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(trusted_forwarders),
	    .help = "Networks whose mail is accepted though it fails DMARC: forwarders and "
		    "mailing lists that check what they pass on." },
	{ .key = NULL },
};

const struct conf_table dmarc_table = {
	.name = "dmarc",
	.help = "Obeys the DMARC policy of the author's domain (RFC 9989). Place it behind "
		"spf and dkim_verify (and arc).",
	.size = sizeof(struct dmarc_settings),
	.rows = dmarc_rows,
	.where_offset = SIZE_MAX,
};

/* Setting up: each answers false when it has added an error. */

static bool
setup_field(
    const struct dmarc_settings *settings, struct conf_where where, struct conf_errors *errors)
{
	const struct view name = view_of(settings->quarantine_field);
	bool ok =
	    name.len > 2 && name.len <= FIELD_NAME_MAX && view_starts_nocase(name, VIEW("X-"));

	for (size_t i = 0; i < name.len; i++)
		ok &= ascii_is_alnum(name.p[i]) || name.p[i] == '-' || name.p[i] == '_';
	if (!ok)
		conf_error(errors, where, "dmarc.quarantine_field",
		    "\"%s\" must be \"X-\" and letters, digits or hyphens: all fields of that "
		    "name are removed from what comes in",
		    settings->quarantine_field);
	return ok;
}

static bool
setup_forwarders(struct dmarc_state *state, const struct conf_strings *networks,
    struct conf_where where, struct conf_errors *errors)
{
	bool ok = true;

	state->forwarders = mem_calloc(networks->count + 1, sizeof(*state->forwarders));
	for (size_t i = 0; i < networks->count; i++) {
		struct err err = { 0 };

		if (network_parse(
			networks->items[i], &state->forwarders[state->forwarder_count], &err)) {
			state->forwarder_count++;
			continue;
		}
		conf_error(errors, where, "dmarc.trusted_forwarders", "\"%s\": %s",
		    networks->items[i], err.text);
		ok = false;
	}
	return ok;
}

static bool
setup_overrides(
    struct dmarc_state *state, const struct conf_list *list, struct conf_errors *errors)
{
	const struct dmarc_override_settings *items = list->items;
	bool ok = true;

	state->overrides = mem_calloc(list->count + 1, sizeof(*state->overrides));
	for (size_t i = 0; i < list->count; i++) {
		struct dmarc_override *override = &state->overrides[state->override_count];
		const struct view text = view_of(items[i].domain);

		override->is_below = text.len > 0 && text.p[0] == '.';
		override->action = (enum dmarc_action)items[i].action;
		if (domain_to_ascii(view_from(text, override->is_below), override->domain)) {
			state->override_count++;
			continue;
		}
		conf_error(errors, items[i].where, "dmarc.overrides.domain",
		    "\"%.*s\" is not a domain name", VIEW_ARG(text));
		ok = false;
	}
	return ok;
}

bool
dmarc_setup(const void *p, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct dmarc_settings *settings = p;
	struct dmarc_state *state = mem_calloc(1, sizeof(*state));
	bool ok = setup_field(settings, where, errors);

	state->dns = env->dns;
	state->store = env->dmarc_store;
	ok &= setup_forwarders(state, &settings->trusted_forwarders, where, errors);
	ok &= setup_overrides(state, &settings->overrides, errors);
	if (env->dns == NULL) {
		conf_error(errors, where, "dmarc", "needs DNS, and there is no resolver");
		ok = false;
	}
	*state_out = state;
	if (!ok) {
		dmarc_teardown(state);
		*state_out = NULL;
	}
	return ok;
}

void
dmarc_teardown(void *p)
{
	struct dmarc_state *state = p;

	if (state == NULL)
		return;
	mem_free(state->forwarders);
	mem_free(state->overrides);
	mem_free(state);
}

/* Looking things up */

const struct dmarc_override *
dmarc_find_override(const struct dmarc_state *state, const char *from_domain)
{
	for (size_t i = 0; i < state->override_count; i++) {
		const struct dmarc_override *override = &state->overrides[i];
		const bool is_same = strcmp(from_domain, override->domain) == 0;

		if (override->is_below
			? !is_same && domain_is_below(from_domain, override->domain)
			: is_same)
			return override;
	}
	return NULL;
}

bool
dmarc_trusts_client(const struct dmarc_state *state, const struct sockaddr_storage *client)
{
	for (size_t i = 0; i < state->forwarder_count; i++) {
		if (network_has(&state->forwarders[i], client))
			return true;
	}
	return false;
}
