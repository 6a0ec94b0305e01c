/* SPDX-License-Identifier: MPL-2.0 */
/*
 * bulk_rules: bulk mail must let its receivers unsubscribe with one click (RFC 8058 3.1), or
 * the large mailbox providers refuse it. What is bulk is said by the configuration: some
 * logins, or some From domains.
 */
#include "filters/filters.h"

#include "lib/base/mem.h"
#include "lib/mail/addrlist.h"
#include "lib/mail/domain_name.h"

#include <stddef.h>

enum bulk_action { ACTION_REJECT, ACTION_MARK };

struct bulk_rules_settings {
	int action; /* enum bulk_action */
	struct conf_strings logins, domains;
	const char *header;
};

static const struct conf_choice action_choices[] = {
	{ "reject", ACTION_REJECT },
	{ "mark", ACTION_MARK },
	{ NULL, 0 },
};

#define MEMBER(m) offsetof(struct bulk_rules_settings, m)

static const struct conf_row bulk_rules_rows[] = {
	{ .key = "logins",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(logins),
	    .help = "Whatever these logins send is bulk mail." },
	{ .key = "domains",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(domains),
	    .help = "Mail with a From address of these domains, or below them, is bulk mail." },
	{ .key = "action",
	    .type = CONF_ENUM,
	    .offset = MEMBER(action),
	    .fallback = "reject",
	    .choices = action_choices,
	    .help =
		"Bulk mail without one-click unsubscribe: \"reject\" (550 5.7.1), or \"mark\" "
		"(a header field)." },
	{ .key = "header",
	    .type = CONF_STRING,
	    .offset = MEMBER(header),
	    .fallback = "X-Bulk-Rules",
	    .help = "With action \"mark\": the name of the field." },
	{ .key = NULL },
};

static const struct conf_table bulk_rules_table = {
	.name = "bulk_rules",
	.help = "Bulk mail (of the logins and domains named here) must have List-Unsubscribe "
		"with an https address, and List-Unsubscribe-Post. Place it before dkim_sign: "
		"both fields must be signed.",
	.size = sizeof(struct bulk_rules_settings),
	.rows = bulk_rules_rows,
	.where_offset = SIZE_MAX,
};

/* ---- setting up ---- */

struct bulk_rules_state {
	struct arena arena;
	const char **domains; /* A-labels */
	size_t domain_count;
};

static bool
bulk_rules_setup(const void *settings_, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct bulk_rules_settings *settings = settings_;
	const size_t before = errors->count;
	struct bulk_rules_state *state = mem_calloc(1, sizeof(*state));
	struct edits *edits = edits_create();
	char name[DOMAIN_NAME_MAX];

	(void)env;
	arena_init(&state->arena);
	state->domains =
	    arena_alloc(&state->arena, (settings->domains.count + 1) * sizeof(*state->domains));
	for (size_t i = 0; i < settings->domains.count; i++) {
		if (domain_to_ascii(view_of(settings->domains.items[i]), name))
			state->domains[state->domain_count++] =
			    arena_strdup(&state->arena, view_of(name));
		else
			conf_error(errors, where, "bulk_rules.domains",
			    "\"%s\" is not a domain name", settings->domains.items[i]);
	}
	if (settings->logins.count + settings->domains.count == 0)
		conf_error(errors, where, "bulk_rules",
		    "names no logins and no domains: what is bulk mail here?");
	if (!edits_prepend(edits, settings->header, VIEW("")))
		conf_error(errors, where, "bulk_rules.header", "\"%s\" is not a field name",
		    settings->header);
	edits_destroy(&edits);
	*state_out = state;
	if (errors->count == before)
		return true;
	arena_finish(&state->arena);
	mem_free(state);
	return false;
}

static void
bulk_rules_teardown(void *state_)
{
	struct bulk_rules_state *state = state_;

	arena_finish(&state->arena);
	mem_free(state);
}

/* ---- what is bulk ---- */

static bool
is_bulk_login(const struct bulk_rules_settings *settings, const char *login)
{
	for (size_t i = 0; login != NULL && i < settings->logins.count; i++) {
		if (view_eq_nocase(view_of(settings->logins.items[i]), view_of(login)))
			return true;
	}
	return false;
}

bool
bulk_rules_names_domain(const void *settings_, const char *domain)
{
	const struct bulk_rules_settings *settings = settings_;
	char name[DOMAIN_NAME_MAX];

	for (size_t i = 0; i < settings->domains.count; i++) {
		if (domain_to_ascii(view_of(settings->domains.items[i]), name) &&
		    domain_is_below(domain, name))
			return true;
	}
	return false;
}

/* is_bulk_author - any From address of any From field. */
static bool
is_bulk_author(struct link_call *call)
{
	const struct bulk_rules_state *state = link_state(call);
	const struct message *m = link_message(call);

	for (size_t at = message_find(m, "From", 0); at != SIZE_MAX;
	     at = message_find(m, "From", at + 1)) {
		struct mailbox *list = NULL;
		size_t count = 0, offset = 0;

		if (addrlist_parse(message_field(m, at)->body, link_arena(call), &list, &count,
			&offset) != ADDRLIST_OK)
			continue;
		for (size_t i = 0; i < count * state->domain_count; i++) {
			if (domain_is_below(list[i % count].domain, state->domains[i / count]))
				return true;
		}
	}
	return false;
}

/* ---- what it must have ---- */

/*
 * has_https - one of the addresses in angle brackets is an https one (RFC 2369 2 for the form;
 * comments do not count, nor blanks and folds around the address).
 */
static bool
has_https(struct view field)
{
	size_t depth = 0; /* of comments */

	for (size_t i = 0; i < field.len; i++) {
		if (field.p[i] == '(')
			depth++;
		else if (field.p[i] == ')' && depth > 0)
			depth--;
		if (field.p[i] != '<' || depth > 0)
			continue;
		const struct view rest = view_from(field, i + 1);
		const size_t end = view_find(rest, '>');
		const struct view address = view_trim(view_make(rest.p, end));

		if (end < rest.len && address.len > sizeof("https://") - 1 &&
		    view_starts_nocase(address, VIEW("https://")))
			return true;
		i += end;
	}
	return false;
}

/* what_is_missing - for one-click unsubscribe; NULL: nothing. */
static const char *
what_is_missing(const struct message *m)
{
	const size_t list = message_find(m, "List-Unsubscribe", 0);
	const size_t post = message_find(m, "List-Unsubscribe-Post", 0);

	if (list == SIZE_MAX)
		return "a List-Unsubscribe field with an https address";
	if (message_count_of(m, "List-Unsubscribe") > 1)
		return "a single List-Unsubscribe field";
	if (!has_https(message_field(m, list)->body))
		return "an https address in List-Unsubscribe";
	/* RFC 8058 3.1: exactly this pair and nothing else. */
	if (post == SIZE_MAX || message_count_of(m, "List-Unsubscribe-Post") > 1 ||
	    !view_eq(
		view_trim(message_field(m, post)->body), VIEW("List-Unsubscribe=One-Click")))
		return "the field List-Unsubscribe-Post: List-Unsubscribe=One-Click";
	return NULL;
}

static enum link_answer
bulk_rules_message(struct link_call *call)
{
	const struct bulk_rules_settings *settings = link_settings(call);
	const char *missing;
	const char *value;

	if (!is_bulk_login(settings, link_facts(call)->identity.login) && !is_bulk_author(call))
		return LINK_NEXT;
	missing = what_is_missing(link_message(call));
	if (missing == NULL) {
		link_note(call, "bulk", "ok");
		return LINK_NEXT;
	}
	if (settings->action == ACTION_REJECT)
		return link_refuse(call, 550, "5.7.1",
		    "bulk mail needs one-click unsubscribe (RFC 8058): this message lacks %s",
		    missing);
	link_note(call, "bulk", "marked");
	value = arena_printf(
	    link_arena(call), " no one-click unsubscribe;\r\n\tit lacks %s", missing);
	if (!edits_prepend(link_edits(call), settings->header, view_of(value)))
		return link_fail(call, "%s cannot be added", settings->header);
	return LINK_NEXT;
}

const struct link link_bulk_rules = {
	.abi = LINK_ABI,
	.name = "bulk_rules",
	.summary = "asks bulk mail for one-click unsubscribe",
	.refuses = "550 5.7.1",
	.kind = LINK_FILTER, /* it can add a field */
	.settings = &bulk_rules_table,
	.setup = bulk_rules_setup,
	.teardown = bulk_rules_teardown,
	.message = bulk_rules_message,
};
