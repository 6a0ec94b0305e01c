/* SPDX-License-Identifier: MPL-2.0 */
/* The settings of the link milter, and what is made of them once. */
#include "filters/milter_private.h"

#include "lib/base/mem.h"

#include <stddef.h>

#define MEMBER(m)      offsetof(struct milter_settings, m)
#define FIELD_NAME_MAX 60 /* octets */

static const struct conf_choice quarantine_choices[] = {
	{ "header", QUARANTINE_HEADER },
	{ "defer", QUARANTINE_DEFER },
	{ "reject", QUARANTINE_REJECT },
	{ "redirect", QUARANTINE_REDIRECT },
	{ NULL, 0 },
};

static const struct conf_choice discard_choices[] = {
	{ "obey", DISCARD_OBEY },
	{ "refuse", DISCARD_REFUSE },
	{ NULL, 0 },
};

/* What Postfix sends by default, and the client's address. */
#define MACROS(stage, name, names, text)                                             \
	{                                                                            \
		.key = (name), .type = CONF_STRING, .offset = MEMBER(macros[stage]), \
		.fallback = (names), .help = (text)                                  \
	}

static const struct conf_row milter_rows[] = {
	{ .key = "socket",
	    .type = CONF_STRING,
	    .offset = MEMBER(socket),
	    .help = "Where the milter listens: \"unix:/run/x.sock\", \"inet:8891@host\", "
		    "\"inet6:8891@::1\", or \"host:8891\"." },
	{ .key = "protocol",
	    .type = CONF_INT,
	    .offset = MEMBER(protocol),
	    .fallback = "6",
	    .min = MILTER_VERSION_MIN,
	    .max = MILTER_VERSION_MAX,
	    .help = "Highest version of the protocol that is offered." },
	{ .key = "connect_timeout",
	    .type = CONF_DURATION,
	    .offset = MEMBER(connect_ms),
	    .fallback = "5s",
	    .min = 100,
	    .max = 600000,
	    .help = "How long connecting may take." },
	{ .key = "command_timeout",
	    .type = CONF_DURATION,
	    .offset = MEMBER(command_ms),
	    .fallback = "30s",
	    .min = 100,
	    .max = 600000,
	    .help = "How long the milter may take for its answer to connect, HELO, MAIL, RCPT "
		    "and DATA." },
	{ .key = "content_timeout",
	    .type = CONF_DURATION,
	    .offset = MEMBER(content_ms),
	    .fallback = "300s",
	    .min = 100,
	    .max = 600000,
	    .help = "How long it may take for its answer to the header, the body and their "
		    "end; progress that it reports begins it anew. timeout bounds all of it." },
	{ .key = "max_idle",
	    .type = CONF_INT,
	    .offset = MEMBER(max_idle),
	    .fallback = "0",
	    .min = 0,
	    .max = 100,
	    .help = "Connections that are kept for another session when one is over; only for "
		    "a filter that bears it (OpenDKIM does not)." },
	MACROS(MILTER_AT_CONNECT, "connect_macros",
	    "j, {daemon_name}, {daemon_addr}, v, _, {client_addr}, {client_name}, "
	    "{client_port}, {client_ptr}",
	    "Macros sent with the connection, unless the milter names those that it wants."),
	MACROS(MILTER_AT_HELO, "helo_macros", "{tls_version}, {cipher}, {cipher_bits}",
	    "Macros sent with HELO, unless the milter names those that it wants."),
	MACROS(MILTER_AT_MAIL, "mail_macros",
	    "i, {auth_type}, {auth_authen}, {auth_author}, {mail_addr}, {mail_host}, "
	    "{mail_mailer}",
	    "Macros sent with MAIL, unless the milter names those that it wants."),
	MACROS(MILTER_AT_RCPT, "rcpt_macros", "i, {rcpt_addr}, {rcpt_host}, {rcpt_mailer}",
	    "Macros sent with RCPT, unless the milter names those that it wants."),
	MACROS(MILTER_AT_DATA, "data_macros", "i",
	    "Macros sent with DATA, unless the milter names those that it wants."),
	MACROS(MILTER_AT_EOH, "eoh_macros", "i",
	    "Macros sent with the end of the header, unless the milter names those that it "
	    "wants."),
	MACROS(MILTER_AT_EOM, "eom_macros", "i",
	    "Macros sent with the end of the message, unless the milter names those that it "
	    "wants."),
	{ .key = "macro_values",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(macro_values),
	    .help =
		"Values of macros, each as \"{daemon_name}=ORIGINATING\": in place of ours, "
		"or of macros that we do not know." },
	{ .key = "quarantine",
	    .type = CONF_ENUM,
	    .offset = MEMBER(quarantine),
	    .fallback = "header",
	    .choices = quarantine_choices,
	    .help =
		"What becomes of a message that the milter wants quarantined: marked with a "
		"header field for the server behind, 451, 550, or sent to quarantine_to "
		"alone." },
	{ .key = "quarantine_field",
	    .type = CONF_STRING,
	    .offset = MEMBER(quarantine_field),
	    .fallback = "X-Quarantine",
	    .help = "The name of that field." },
	{ .key = "quarantine_to",
	    .type = CONF_STRING,
	    .offset = MEMBER(quarantine_to),
	    .help = "The address that gets the message with quarantine = \"redirect\"." },
	{ .key = "discard",
	    .type = CONF_ENUM,
	    .offset = MEMBER(discard),
	    .fallback = "obey",
	    .choices = discard_choices,
	    .help =
		"What becomes of a message that the milter wants discarded: the client hears "
		"250 and nobody gets it, or 550 5.7.1." },
	{ .key = NULL },
};

const struct conf_table milter_table = {
	.name = "milter",
	.help = "Asks a milter (Sendmail's and Postfix's protocol for mail filters), and does "
		"what it says.",
	.size = sizeof(struct milter_settings),
	.rows = milter_rows,
	.where_offset = SIZE_MAX,
};

/* ---- each answers false when it has added an error ---- */

static bool
setup_field(
    const struct milter_settings *settings, struct conf_where where, struct conf_errors *errors)
{
	const struct view name = view_of(settings->quarantine_field);
	bool ok = name.len > 0 && name.len <= FIELD_NAME_MAX;

	for (size_t i = 0; i < name.len; i++)
		ok &= ascii_is_alnum(name.p[i]) || name.p[i] == '-' || name.p[i] == '_';
	if (!ok)
		conf_error(errors, where, "milter.quarantine_field",
		    "\"%s\" is no name of a header field", settings->quarantine_field);
	return ok;
}

static bool
setup_redirect(
    const struct milter_settings *settings, struct conf_where where, struct conf_errors *errors)
{
	struct edits *edits;
	bool ok;

	if ((settings->quarantine == QUARANTINE_REDIRECT) !=
	    (settings->quarantine_to != NULL)) {
		conf_error(errors, where, "milter.quarantine_to",
		    "and quarantine = \"redirect\" go together");
		return false;
	}
	if (settings->quarantine_to == NULL)
		return true;
	edits = edits_create();
	ok = edits_add_recipient(edits, view_of(settings->quarantine_to));
	edits_destroy(&edits);
	if (!ok)
		conf_error(errors, where, "milter.quarantine_to", "\"%s\" is no address",
		    settings->quarantine_to);
	return ok;
}

static bool
setup_values(struct milter_state *state, struct conf_where where, struct conf_errors *errors)
{
	const struct conf_strings *texts = &state->settings->macro_values;
	bool ok = true;

	state->values = arena_alloc(&state->arena, (texts->count + 1) * sizeof(*state->values));
	for (size_t i = 0; i < texts->count; i++) {
		const struct view text = view_of(texts->items[i]);
		const size_t equals = view_find(text, '=');

		if (equals == 0 || equals == text.len) {
			conf_error(errors, where, "milter.macro_values",
			    "\"%s\" is not \"name=value\"", texts->items[i]);
			ok = false;
		}
		state->values[state->value_count++] = (struct milter_macro){
			.name = milter_macro_name(view_make(text.p, equals)),
			.value = view_from(text, equals + 1),
		};
	}
	return ok;
}

static bool
is_listed(const struct milter_config *config, struct view wanted)
{
	for (size_t stage = 0; stage < MILTER_STAGES; stage++) {
		struct view list = config->macros[stage], name;

		while (milter_next_name(&list, &name)) {
			if (view_eq(milter_macro_name(name), wanted))
				return true;
		}
	}
	return false;
}

/* setup_lists - a value that no list asks for is sent at connect. */
static void
setup_lists(struct milter_state *state)
{
	struct view *list = &state->config.macros[MILTER_AT_CONNECT];

	for (size_t stage = 0; stage < MILTER_STAGES; stage++)
		state->config.macros[stage] = view_of(state->settings->macros[stage]);

	for (size_t i = 0; i < state->value_count; i++) {
		const struct view name = state->values[i].name;

		if (!is_listed(&state->config, name))
			*list = view_of(arena_printf(&state->arena,
			    name.len > 1 ? "%.*s {%.*s}" : "%.*s %.*s", VIEW_ARG(*list),
			    VIEW_ARG(name)));
	}
}

void
milter_teardown(void *p)
{
	struct milter_state *state = p;

	if (state == NULL)
		return;
	milter_pool_destroy(&state->pool);
	arena_finish(&state->arena);
	mem_free(state);
}

bool
milter_setup(const void *p, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct milter_settings *settings = p;
	struct milter_state *state = mem_calloc(1, sizeof(*state));
	const size_t before = errors->count;
	struct err err = { .kind = ERR_NONE };

	arena_init(&state->arena);
	state->settings = settings;
	state->temp_dir = env->temp_dir != NULL ? env->temp_dir : "";
	state->message_octets = env->message_octets;
	state->config = (struct milter_config){
		.version = (uint32_t)settings->protocol,
		.connect_ms = settings->connect_ms,
		.command_ms = settings->command_ms,
		.content_ms = settings->content_ms,
		.reply_octets = MILTER_REPLY_MAX,
		.max_idle = (size_t)settings->max_idle,
	};
	if (settings->socket == NULL)
		conf_error(errors, where, env->name, "socket is missing: where is the milter?");
	else if (!milter_target_parse(settings->socket, &state->config.target, &err))
		conf_error(
		    errors, where, "milter.socket", "\"%s\": %s", settings->socket, err.text);
	if (setup_field(settings, where, errors) && setup_redirect(settings, where, errors) &&
	    setup_values(state, where, errors))
		setup_lists(state);
	state->pool = milter_pool_create(&state->config);
	*state_out = state;
	if (errors->count == before)
		return true;
	milter_teardown(state);
	*state_out = NULL;
	return false;
}
