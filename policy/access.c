/* SPDX-License-Identifier: MPL-2.0 */
/*
 * access: which networks may connect at all. The longest matching network of the lists and the
 * table decides, deny before allow when both name the same one; what matches none gets the
 * default. The trust that a network earns here ends here: nothing later is skipped for it.
 */
#include "policy/policy.h"

#include "lib/base/mem.h"
#include "lib/net/address.h"
#include "lib/table/table.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>

enum access_action { ACCESS_ALLOW, ACCESS_DENY };

struct access_settings {
	struct conf_strings allow, deny;
	int fallback; /* enum access_action */
	const char *table;
};

struct access_rule {
	struct network network;
	enum access_action action;
};

struct access_state {
	struct access_rule *rules; /* owned */
	size_t count;
	enum access_action fallback;
	struct table *table; /* borrowed; NULL: none */
};

/* What the client's address came to. */
struct verdict {
	enum access_action action;
	int prefix;	  /* of the network that said so; -1: none did */
	const char *text; /* the table's own words to a client that it denies, or "" */
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
	{ .key = "table",
	    .type = CONF_STRING,
	    .offset = offsetof(struct access_settings, table),
	    .help =
		"A table of addresses and networks, each with \"allow\", or \"deny\" and what "
		"the client shall be told." },
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
access_setup(const void *p, struct conf_where where, const struct link_env *env,
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
	if (settings->table != NULL) {
		state->table =
		    table_find(env->tables, settings->table, where, "access.table", errors);
		ok &= state->table != NULL;
	} else if (settings->allow.count > 0 && settings->deny.count == 0 &&
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

static struct verdict
ask_lists(const struct access_state *state, const struct sockaddr_storage *addr)
{
	struct verdict best = { state->fallback, -1, "" };

	for (size_t i = 0; i < state->count; i++) {
		const struct access_rule *rule = &state->rules[i];
		const int prefix = (int)rule->network.prefix;

		if (!network_has(&rule->network, addr))
			continue;
		if (prefix > best.prefix ||
		    (prefix == best.prefix && rule->action == ACCESS_DENY)) {
			best.action = rule->action;
			best.prefix = prefix;
		}
	}
	return best;
}

/* ---- the table ---- */

/* Which networks around an address are asked for, the longest first. */
static const int prefixes_4[] = { 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
	17, 16, 15, 14, 13, 12, 11, 10, 9, 8, -1 };
static const int prefixes_6[] = { 128, 112, 96, 80, 64, 60, 56, 52, 48, 44, 40, 36, 32, -1 };

#define NETWORK_TEXT_MAX (INET6_ADDRSTRLEN + 5) /* "ADDRESS/128" with NUL */

/* print_network - "192.0.2.0/24"; a whole address stands alone. */
static void
print_network(const struct sockaddr_storage *addr, int prefix, char out[NETWORK_TEXT_MAX])
{
	const bool is_4 = addr->ss_family == AF_INET;
	const int bits = is_4 ? 32 : 128;
	unsigned char octets[16];
	char text[INET6_ADDRSTRLEN] = "";

	if (is_4)
		memcpy(octets, &((const struct sockaddr_in *)addr)->sin_addr, 4);
	else
		memcpy(octets, &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
	for (int i = 0; i < bits / 8; i++) {
		const int kept = prefix - 8 * i;

		if (kept < 8)
			octets[i] &= (unsigned char)(kept > 0 ? 0xff00 >> kept : 0);
	}
	(void)inet_ntop(addr->ss_family, octets, text, sizeof(text));
	if (prefix == bits)
		(void)snprintf(out, NETWORK_TEXT_MAX, "%s", text);
	else
		(void)snprintf(out, NETWORK_TEXT_MAX, "%s/%u", text, (unsigned)prefix & 0xff);
}

/* read_values - "allow", "deny", "deny WORDS": in one value or in several. */
static bool
read_values(struct arena *arena, const struct table_values *values, struct verdict *out)
{
	const char *text = "";
	size_t word;

	for (size_t i = 0; i < values->count; i++)
		text = arena_printf(
		    arena, "%s%s%.*s", text, i > 0 ? " " : "", VIEW_ARG(values->items[i]));
	word = strcspn(text, " \t");
	out->text = text + word + strspn(text + word, " \t");
	if (view_eq_nocase(view_make(text, word), VIEW("allow")))
		out->action = ACCESS_ALLOW;
	else if (view_eq_nocase(view_make(text, word), VIEW("deny")))
		out->action = ACCESS_DENY;
	else
		return false;
	return true;
}

/*
 * ask_table - networks at least as long as best's; what is found takes its place. Other than
 * LINK_NEXT: the table could not tell.
 */
static enum link_answer
ask_table(struct link_call *call, struct verdict *best)
{
	const struct access_state *state = link_state(call);
	const struct sockaddr_storage *addr = &link_facts(call)->client.addr;
	const int *prefix = addr->ss_family == AF_INET ? prefixes_4 : prefixes_6;

	for (; *prefix >= best->prefix && *prefix >= 0; prefix++) {
		char network[NETWORK_TEXT_MAX];
		struct verdict found = { .prefix = *prefix };
		struct table_values values;
		struct err err = { .kind = ERR_NONE };
		enum table_result result;

		print_network(addr, *prefix, network);
		result = table_lookup(state->table, view_of(network), link_deadline_ms(call),
		    link_arena(call), &values, &err);
		if (result == TABLE_ABSENT)
			continue;
		if (result == TABLE_DOWN)
			return link_fail(call, "%s", err.text);
		if (!read_values(link_arena(call), &values, &found))
			return link_fail(call,
			    "table %s: %s has neither \"allow\" nor \"deny\"",
			    table_name(state->table), network);
		if (found.prefix > best->prefix || found.action == ACCESS_DENY)
			*best = found;
		break;
	}
	return LINK_NEXT;
}

static enum link_answer
access_connect(struct link_call *call)
{
	const struct facts *facts = link_facts(call);
	const struct access_state *state = link_state(call);
	struct verdict verdict = ask_lists(state, &facts->client.addr);

	if (state->table != NULL && ask_table(call, &verdict) != LINK_NEXT)
		return LINK_FAIL;
	if (verdict.action == ACCESS_ALLOW)
		return LINK_NEXT;
	return link_refuse(call, 554, "5.7.1", "%s does not accept connections from %s%s%s",
	    facts->hostname, facts->client.text, verdict.text[0] != '\0' ? ": " : "",
	    verdict.text);
}

const struct link link_access = {
	.abi = LINK_ABI,
	.name = "access",
	.summary = "which networks may connect: the longest matching network of its lists and "
		   "its table decides, then the default",
	.refuses = "554 5.7.1",
	.kind = LINK_POLICY,
	.settings = &access_table,
	.setup = access_setup,
	.teardown = access_teardown,
	.connect = access_connect,
};
