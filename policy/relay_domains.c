/* SPDX-License-Identifier: MPL-2.0 */
/*
 * relay_domains: which domains mail is taken for at all. An open relay is a server that takes
 * it for any; inbound, this link keeps the gate from being one, whatever stands behind it.
 *
 * A recipient without a domain is <Postmaster>, who gets his mail everywhere (RFC 5321 4.5.1).
 * Address literals and what is no domain name are nobody's of ours.
 */
#include "policy/policy.h"

#include "lib/base/mem.h"
#include "lib/mail/domain_name.h"
#include "lib/table/table.h"

#include <stddef.h>

struct relay_domains_settings {
	struct conf_strings domains;
	const char *table;
};

struct relay_domain {
	bool is_below; /* ".example.com": its sub-domains at any depth, not the domain's own */
	char name[DOMAIN_NAME_MAX]; /* as domain_to_ascii makes them */
};

struct relay_domains_state {
	struct relay_domain *domains; /* owned */
	size_t count;
	struct table *table; /* borrowed; NULL: none */
};

static const struct conf_row relay_domains_rows[] = {
	{ .key = "domains",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct relay_domains_settings, domains),
	    .help = "The domains: \"example.com\" is that one, \".example.com\" every "
		    "sub-domain of it." },
	{ .key = "table",
	    .type = CONF_STRING,
	    .offset = offsetof(struct relay_domains_settings, table),
	    .help = "A table of further domains, in lower case, written as in domains; their "
		    "values do not matter." },
	{ .key = NULL },
};

static const struct conf_table relay_domains_table = {
	.name = "relay_domains",
	.help = "Which domains mail is taken for. A recipient in any other hears 550 5.7.1.",
	.size = sizeof(struct relay_domains_settings),
	.rows = relay_domains_rows,
	.where_offset = SIZE_MAX,
};

static bool
add_domains(struct relay_domains_state *state, const struct conf_strings *texts,
    struct conf_where where, struct conf_errors *errors)
{
	bool ok = true;

	state->domains = mem_calloc(texts->count + 1, sizeof(*state->domains));
	for (size_t i = 0; i < texts->count; i++) {
		struct relay_domain *domain = &state->domains[state->count++];
		const struct view text = view_of(texts->items[i]);

		domain->is_below = text.len > 0 && text.p[0] == '.';
		if (domain_to_ascii(view_from(text, domain->is_below), domain->name))
			continue;
		conf_error(errors, where, "relay_domains.domains",
		    "\"%s\" is not a domain name", texts->items[i]);
		ok = false;
	}
	return ok;
}

static void
relay_domains_teardown(void *p)
{
	struct relay_domains_state *state = p;

	if (state == NULL)
		return;
	mem_free(state->domains);
	mem_free(state);
}

static bool
relay_domains_setup(const void *p, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct relay_domains_settings *settings = p;
	struct relay_domains_state *state = mem_calloc(1, sizeof(*state));
	bool ok = add_domains(state, &settings->domains, where, errors);

	if (settings->table != NULL) {
		state->table = table_find(
		    env->tables, settings->table, where, "relay_domains.table", errors);
		ok &= state->table != NULL;
	} else if (settings->domains.count == 0) {
		conf_error(errors, where, "relay_domains",
		    "needs domains, or a table: it would refuse every recipient");
		ok = false;
	}
	*state_out = state;
	if (!ok) {
		relay_domains_teardown(state);
		*state_out = NULL;
	}
	return ok;
}

static bool
is_listed(const struct relay_domains_state *state, const char *domain)
{
	for (size_t i = 0; i < state->count; i++) {
		const struct relay_domain *ours = &state->domains[i];
		const bool is_same = strcmp(domain, ours->name) == 0;

		if (ours->is_below ? !is_same && domain_is_below(domain, ours->name) : is_same)
			return true;
	}
	return false;
}

/* ask_table - for the domain, then for each domain above it, with its dot. */
static enum table_result
ask_table(struct link_call *call, const char *domain, struct err *err)
{
	const struct relay_domains_state *state = link_state(call);
	enum table_result result = TABLE_ABSENT;

	while (domain != NULL && result == TABLE_ABSENT) {
		struct table_values values;

		result = table_lookup(state->table, view_of(domain), link_deadline_ms(call),
		    link_arena(call), &values, err);
		domain = strchr(domain + 1, '.');
	}
	return result;
}

static enum link_answer
refuse(struct link_call *call)
{
	return link_refuse(call, 550, "5.7.1",
	    "relaying denied: %s takes no mail for the domain of <%s>",
	    link_facts(call)->hostname, link_recipient(call)->address);
}

static enum link_answer
relay_domains_rcpt(struct link_call *call)
{
	const struct relay_domains_state *state = link_state(call);
	const struct view domain = link_recipient(call)->path.domain;
	char ascii[DOMAIN_NAME_MAX];
	struct err err = { .kind = ERR_NONE };

	if (domain.len == 0)
		return LINK_NEXT;
	if (domain.p[0] == '[' || !domain_to_ascii(domain, ascii))
		return refuse(call);
	if (is_listed(state, ascii))
		return LINK_NEXT;
	if (state->table == NULL)
		return refuse(call);
	switch (ask_table(call, ascii, &err)) {
	case TABLE_FOUND:
		return LINK_NEXT;
	case TABLE_DOWN:
		return link_fail(call, "%s", err.text);
	case TABLE_ABSENT:
		break;
	}
	return refuse(call);
}

const struct link link_relay_domains = {
	.abi = LINK_ABI,
	.name = "relay_domains",
	.summary =
	    "which domains mail is taken for: keeps an inbound gate from being an open relay",
	.refuses = "550 5.7.1",
	.kind = LINK_POLICY,
	.settings = &relay_domains_table,
	.setup = relay_domains_setup,
	.teardown = relay_domains_teardown,
	.rcpt = relay_domains_rcpt,
};
