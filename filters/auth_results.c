/* SPDX-License-Identifier: MPL-2.0 */
/*
 * auth_results: one Authentication-Results field with all that the links before this one have
 * found out, and none besides it that anybody could take for ours (RFC 8601 5). Fields of
 * other servers stay, unless the operator wants none.
 */
#include "filters/filters.h"

#include "lib/base/mem.h"
#include "lib/mail/authres_field.h"
#include "lib/mail/domain_name.h"

#include <stddef.h>

#define FIELD_NAME "Authentication-Results"
#define IDS_MAX	   33 /* our own, and those of also_remove */

struct auth_results_settings {
	const char *authserv_id; /* NULL: the hostname */
	struct conf_strings also_remove;
	bool remove_all, show_login;
};

/* What setup makes of the settings. */
struct auth_results_state {
	char ids[IDS_MAX][DOMAIN_NAME_MAX]; /* ours first */
	size_t id_count;
};

#define MEMBER(m) offsetof(struct auth_results_settings, m)

static const struct conf_row auth_results_rows[] = {
	{ .key = "authserv_id",
	    .type = CONF_STRING,
	    .offset = MEMBER(authserv_id),
	    .help = "The name under which the results stand, by default the hostname. "
		    "Whatever reads them behind this server must look for this name." },
	{ .key = "also_remove",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(also_remove),
	    .help = "Further names whose fields are removed: those of other servers that "
		    "programs behind this one trust." },
	{ .key = "remove_all",
	    .type = CONF_BOOL,
	    .offset = MEMBER(remove_all),
	    .fallback = "false",
	    .help = "Remove every Authentication-Results field that a message arrives with." },
	{ .key = "show_login",
	    .type = CONF_BOOL,
	    .offset = MEMBER(show_login),
	    .fallback = "true",
	    .help =
		"Name the login of a submitter (auth=pass smtp.auth=LOGIN). Every recipient "
		"can read it." },
	{ .key = NULL },
};

static const struct conf_table auth_results_table = {
	.name = "auth_results",
	.help = "Removes forged Authentication-Results fields and adds one with all results. "
		"Place it behind the links that find them out.",
	.size = sizeof(struct auth_results_settings),
	.rows = auth_results_rows,
	.where_offset = SIZE_MAX,
};

/* Setting up. */

static void
add_id(struct auth_results_state *state, const char *id, const char *key,
    struct conf_where where, struct conf_errors *errors)
{
	if (state->id_count == IDS_MAX)
		conf_error(errors, where, key, "has more than %d names", IDS_MAX - 1);
	else if (!domain_to_ascii(view_of(id), state->ids[state->id_count]))
		conf_error(errors, where, key, "\"%s\" is not a domain name", id);
	else
		state->id_count++;
}

static bool
auth_results_setup(const void *settings_, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct auth_results_settings *settings = settings_;
	struct auth_results_state *state = mem_calloc(1, sizeof(*state));
	const size_t before = errors->count;
	const char *id = settings->authserv_id != NULL ? settings->authserv_id : env->hostname;

	add_id(state, id, "auth_results.authserv_id", where, errors);
	for (size_t i = 0; i < settings->also_remove.count && errors->count == before; i++)
		add_id(state, settings->also_remove.items[i], "auth_results.also_remove", where,
		    errors);
	*state_out = state;
	if (errors->count == before)
		return true;
	mem_free(state);
	*state_out = NULL;
	return false;
}

static void
auth_results_teardown(void *state)
{
	mem_free(state);
}

/* A message. */

static bool
is_claim(const struct auth_results_state *state, struct view value)
{
	for (size_t i = 0; i < state->id_count; i++) {
		if (authres_field_is_claim(value, state->ids[i]))
			return true;
	}
	return false;
}

/* remove_forged - false: an edit was refused. */
static bool
remove_forged(struct link_call *call, size_t *removed)
{
	const struct auth_results_settings *settings = link_settings(call);
	const struct auth_results_state *state = link_state(call);
	const struct message *m = link_message(call);

	for (size_t i = message_find(m, FIELD_NAME, 0); i != SIZE_MAX;
	     i = message_find(m, FIELD_NAME, i + 1)) {
		if (!settings->remove_all && !is_claim(state, message_field(m, i)->body))
			continue;
		if (!edits_remove(link_edits(call), i))
			return false;
		(*removed)++;
	}
	return true;
}

static bool
add_field(struct link_call *call)
{
	const struct auth_results_settings *settings = link_settings(call);
	const struct auth_results_state *state = link_state(call);
	const struct identity *identity = &link_facts(call)->identity;
	struct authres_field field = {
		.authserv_id = state->ids[0],
		.login = settings->show_login ? identity->login : NULL,
		.mechanism = identity->mechanism,
	};
	struct buf value;

	field.results = link_results(call, &field.count);
	buf_init(&value, AUTHRES_FIELD_MAX);
	bool ok = authres_field_write(&field, &value) &&
		  edits_prepend(link_edits(call), FIELD_NAME, buf_view(&value));
	buf_finish(&value);
	return ok;
}

static enum link_answer
auth_results_message(struct link_call *call)
{
	size_t removed = 0;

	if (!remove_forged(call, &removed))
		return link_fail(call, "a forged field could not be removed");
	if (!add_field(call))
		return link_fail(call, "the field could not be added");
	if (removed > 0)
		link_note(call, "authres_removed", "%zu", removed);
	return LINK_NEXT;
}

const struct link link_auth_results = {
	.abi = LINK_ABI,
	.name = "auth_results",
	.summary = "removes forged Authentication-Results fields, adds one with all results",
	.kind = LINK_FILTER,
	.settings = &auth_results_table,
	.fails_closed = true, /* or forged fields would pass */
	.setup = auth_results_setup,
	.teardown = auth_results_teardown,
	.message = auth_results_message,
};
