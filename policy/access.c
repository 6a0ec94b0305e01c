/* SPDX-License-Identifier: MPL-2.0 */
/*
 * access: which networks may connect at all. The longest matching network decides, deny before
 * allow when both name the same one; what matches none gets the default. The trust that a
 * network earns here ends here: nothing later is skipped for it.
 */
#include "policy/policy.h"

#include "lib/base/mem.h"
#include "lib/net/address.h"

#include <stddef.h>

enum access_action { ACCESS_ALLOW, ACCESS_DENY };

struct access_settings {
	struct conf_strings allow, deny;
	int fallback; /* enum access_action */
};

struct access_rule {
	struct network network;
	enum access_action action;
};

struct access_state {
	struct access_rule *rules; /* owned */
	size_t count;
	enum access_action fallback;
};

static const struct conf_choice action_choices[] = {
	{ "allow", ACCESS_ALLOW },
	{ "deny", ACCESS_DENY },
	{ NULL, 0 },
};

static const struct conf_row access_rows[] = {
	{ .key = "allow",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct access_settings, allow),
	    .help = "Networks that may connect: \"192.0.2.0/24\", \"2001:db8::/32\", or single "
		    "addresses." },
	{ .key = "deny",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct access_settings, deny),
	    .help = "Networks that may not connect; the longest matching network of both lists "
		    "decides, deny before allow." },
	{ .key = "default",
	    .type = CONF_ENUM,
	    .offset = offsetof(struct access_settings, fallback),
	    .fallback = "allow",
	    .choices = action_choices,
	    .help = "What happens to a client that no network matches." },
	{ .key = NULL },
};

static const struct conf_table access_table = {
	.name = "access",
	.help = "Which networks may connect. A refused client hears 554 5.7.1 instead of a "
		"greeting.",
	.size = sizeof(struct access_settings),
	.rows = access_rows,
	.where_offset = SIZE_MAX,
};

static bool
access_add(struct access_state *state, const struct conf_strings *networks,
    enum access_action action, struct conf_where where, struct conf_errors *errors)
{
	bool ok = true;

	for (size_t i = 0; i < networks->count; i++) {
		struct access_rule *rule = &state->rules[state->count];
		struct err err = { 0 };

		rule->action = action;
		if (network_parse(networks->items[i], &rule->network, &err)) {
			state->count++;
			continue;
		}
		conf_error(errors, where,
		    action == ACCESS_ALLOW ? "access.allow" : "access.deny", "\"%s\": %s",
		    networks->items[i], err.text);
		ok = false;
	}
	return ok;
}

static void
access_teardown(void *p)
{
	struct access_state *state = p;

	if (state == NULL)
		return;
	mem_free(state->rules);
	mem_free(state);
}

static bool
access_setup(const void *p, struct conf_where where, const struct link_env *env UNUSED,
    void **state_out, struct conf_errors *errors)
{
	const struct access_settings *settings = p;
	struct access_state *state = mem_calloc(1, sizeof(*state));
	bool ok;

	state->rules =
	    mem_calloc(settings->allow.count + settings->deny.count + 1, sizeof(*state->rules));
	state->fallback = (enum access_action)settings->fallback;
	ok = access_add(state, &settings->allow, ACCESS_ALLOW, where, errors);
	ok &= access_add(state, &settings->deny, ACCESS_DENY, where, errors);
	if (settings->allow.count > 0 && settings->deny.count == 0 &&
	    state->fallback == ACCESS_ALLOW) {
		conf_error(errors, where, "access.allow",
		    "shuts nobody out while everybody else is allowed too: set default = "
		    "\"deny\"");
		ok = false;
	}
	*state_out = state;
	if (!ok) {
		access_teardown(state);
		*state_out = NULL;
	}
	return ok;
}

static enum access_action
access_decide(const struct access_state *state, const struct sockaddr_storage *addr)
{
	const struct access_rule *best = NULL;

	for (size_t i = 0; i < state->count; i++) {
		const struct access_rule *rule = &state->rules[i];

		if (!network_has(&rule->network, addr))
			continue;
		if (best == NULL || rule->network.prefix > best->network.prefix ||
		    (rule->network.prefix == best->network.prefix &&
			rule->action == ACCESS_DENY))
			best = rule;
	}
	return best != NULL ? best->action : state->fallback;
}

static enum link_answer
access_connect(struct link_call *call)
{
	const struct facts *facts = link_facts(call);

	if (access_decide(link_state(call), &facts->client.addr) == ACCESS_ALLOW)
		return LINK_NEXT;
	return link_refuse(call, 554, "5.7.1", "%s does not accept connections from %s",
	    facts->hostname, facts->client.text);
}

const struct link link_access = {
	.abi = LINK_ABI,
	.name = "access",
	.summary = "which networks may connect",
	.kind = LINK_POLICY,
	.settings = &access_table,
	.setup = access_setup,
	.teardown = access_teardown,
	.connect = access_connect,
};
