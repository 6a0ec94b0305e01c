/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dkim_sign: signs with the keys of the author's domain (RFC 6376): the domain of the (first)
 * From address, which the identity link has checked. One signature for each key of the domain
 * that DNS confirms (lib/domain/domain_watch.h), or for all of them when it confirms none.
 * Never l=; signatures that are there already stay. This link only chooses: the signature is
 * made by lib/domain/dkim_sign.c.
 */
#include "filters/filters.h"

#include "filters/dkim_fields.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/domain/dkim_sign.h"
#include "lib/domain/domain_watch.h"
#include "lib/mail/author.h"
#include "lib/mail/domain_name.h"

#include <stddef.h>
#include <stdio.h>

#define VALUE_MAX 16384	  /* octets of one DKIM-Signature */
#define NAMES_MAX 60	  /* field names in one list */
#define NAMES_LEN 1200	  /* octets of them: h= has room for that and more */
#define VALID_MIN 3600000 /* ms: mail queues, and clocks differ */

enum identity_tag { IDENTITY_TAG_NONE, IDENTITY_TAG_DOMAIN };

struct dkim_sign_settings {
	int header_canon, body_canon; /* enum dkim_canon */
	bool parent_domains, require_key;
	int64_t valid_ms;
	int identity; /* enum identity_tag */
	struct conf_strings sign, oversign;
};

/* What setup makes of the settings. */
struct dkim_sign_state {
	const struct dkim_keyring *keyring; /* borrowed */
	struct domain_watch *watch;	    /* borrowed; NULL: nobody asks DNS, all keys sign */
	const char *oversign[NAMES_MAX + 1], *sign[NAMES_MAX + 2]; /* and what always is */
	size_t oversign_count, sign_count;
};

static const struct conf_choice canon_choices[] = {
	{ "relaxed", CANON_RELAXED },
	{ "simple", CANON_SIMPLE },
	{ NULL, 0 },
};

static const struct conf_choice identity_choices[] = {
	{ "none", IDENTITY_TAG_NONE },
	{ "domain", IDENTITY_TAG_DOMAIN },
	{ NULL, 0 },
};

#define MEMBER(m) offsetof(struct dkim_sign_settings, m)

static const struct conf_row dkim_sign_rows[] = {
	{ .key = "header_canonicalization",
	    .type = CONF_ENUM,
	    .offset = MEMBER(header_canon),
	    .fallback = "relaxed",
	    .choices = canon_choices,
	    .help = "\"relaxed\" survives refolding of header fields on the way, \"simple\" "
		    "nothing." },
	{ .key = "body_canonicalization",
	    .type = CONF_ENUM,
	    .offset = MEMBER(body_canon),
	    .fallback = "relaxed",
	    .choices = canon_choices,
	    .help = "\"relaxed\" survives changes of blanks, \"simple\" costs less on large "
		    "messages." },
	{ .key = "parent_domains",
	    .type = CONF_BOOL,
	    .offset = MEMBER(parent_domains),
	    .fallback = "false",
	    .help = "Sign mail from a domain without keys with those of its nearest parent." },
	{ .key = "valid_for",
	    .type = CONF_DURATION,
	    .offset = MEMBER(valid_ms),
	    .fallback = "0s",
	    .max = INT64_C(366) * 86400 * 1000,
	    .help =
		"How long a signature counts (x=), at least an hour; 0 means without end." },
	{ .key = "identity",
	    .type = CONF_ENUM,
	    .offset = MEMBER(identity),
	    .fallback = "none",
	    .choices = identity_choices,
	    .help =
		"Whether i= names the domain of the From address: \"none\" leaves i= out." },
	{ .key = "oversign",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(oversign),
	    .help = "Field names signed so that no further field of that name can be added; "
		    "instead "
		    "of the default list. From is always one of them." },
	{ .key = "sign",
	    .type = CONF_STRINGS,
	    .offset = MEMBER(sign),
	    .help =
		"Field names signed as often as they are there; instead of the default list. "
		"List-Unsubscribe and List-Unsubscribe-Post always are (RFC 8058)." },
	{ .key = "require_key",
	    .type = CONF_BOOL,
	    .offset = MEMBER(require_key),
	    .fallback = "false",
	    .help = "Refuse mail from domains without a key; otherwise it passes unsigned." },
	{ .key = NULL },
};

static const struct conf_table dkim_sign_table = {
	.name = "dkim_sign",
	.help =
	    "Signs with the DKIM keys of the From address's domain (see domains): with those "
	    "that DNS confirms, or with all when it confirms none. Place it last in the "
	    "chain: what changes the message behind it breaks the signature.",
	.size = sizeof(struct dkim_sign_settings),
	.rows = dkim_sign_rows,
	.where_offset = SIZE_MAX,
};

/* Setting up. */

static bool
list_has(const char *const *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (view_eq_nocase(view_of(list[i]), view_of(name)))
			return true;
	}
	return false;
}

/* RFC 6376 3.5: what h= can name is a field name (ftext, RFC 5322 3.6.8) without ";". */
static bool
name_is_valid(const char *name)
{
	for (const char *p = name; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 127 || *p == ':' || *p == ';')
			return false;
	}
	return *name != '\0';
}

static void
check_list(const struct conf_strings *list, const char *key, struct conf_where where,
    struct conf_errors *errors)
{
	size_t length = 0;

	for (size_t i = 0; i < list->count; i++) {
		const char *name = list->items[i];
		const char *why = dkim_field_is_never_signed(name);

		length += strlen(name) + 1;
		if (!name_is_valid(name))
			conf_error(errors, where, key, "\"%s\" is not a field name", name);
		else if (why != NULL)
			conf_error(errors, where, key, "%s cannot be signed: %s", name, why);
		else if (list_has(list->items, i, name))
			conf_error(errors, where, key, "%s is named twice", name);
	}
	if (list->count > NAMES_MAX || length > NAMES_LEN)
		conf_error(errors, where, key,
		    "the list is too long: %d names, %d octets at most", NAMES_MAX, NAMES_LEN);
}

static void
add_list(const char **to, size_t *count, const char *const *names, size_t name_count)
{
	for (size_t i = 0; i < name_count; i++) {
		if (!list_has(to, *count, names[i]))
			to[(*count)++] = names[i];
	}
}

/* The list that counts: the operator's, or the default; and what always belongs to it. */
static void
fill_lists(struct dkim_sign_state *state, const struct dkim_sign_settings *settings)
{
	static const char *const from[] = { "From" };
	static const char *const unsubscribe[] = { "List-Unsubscribe",
		"List-Unsubscribe-Post" };
	const struct conf_strings *own = &settings->oversign;

	add_list(state->oversign, &state->oversign_count, from, ARRAY_LEN(from));
	add_list(state->oversign, &state->oversign_count,
	    own->count > 0 ? own->items : dkim_fields_oversign,
	    own->count > 0 ? own->count : dkim_fields_oversign_count);
	own = &settings->sign;
	add_list(state->sign, &state->sign_count, unsubscribe, ARRAY_LEN(unsubscribe));
	add_list(state->sign, &state->sign_count,
	    own->count > 0 ? own->items : dkim_fields_sign,
	    own->count > 0 ? own->count : dkim_fields_sign_count);
}

static bool
dkim_sign_setup(const void *settings_, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct dkim_sign_settings *settings = settings_;
	const size_t before = errors->count;

	check_list(&settings->oversign, "dkim_sign.oversign", where, errors);
	check_list(&settings->sign, "dkim_sign.sign", where, errors);
	if (settings->valid_ms > 0 && settings->valid_ms < VALID_MIN)
		conf_error(errors, where, "dkim_sign.valid_for",
		    "is under an hour: mail may well be under way for longer");
	if (env->keyring == NULL)
		conf_error(errors, where, "dkim_sign", "there is no keyring");
	if (errors->count != before)
		return false;

	struct dkim_sign_state *state = mem_calloc(1, sizeof(*state));
	state->keyring = env->keyring;
	state->watch = env->watch;
	fill_lists(state, settings);
	*state_out = state;
	return true;
}

static void
dkim_sign_teardown(void *state)
{
	mem_free(state);
}

/* A message. */

static enum link_answer
pass_unsigned(struct link_call *call, const char *domain)
{
	const struct dkim_sign_settings *settings = link_settings(call);

	if (settings->require_key && domain != NULL)
		return link_refuse(call, 550, "5.7.1",
		    "mail from %s is not accepted here: the server has no key to sign it with",
		    domain);
	if (settings->require_key)
		return link_refuse(call, 550, "5.7.1",
		    "the message cannot be signed: its From field names no domain");
	link_note(call, "dkim", "none");
	return LINK_NEXT;
}

/* The names to oversign in this message: without those that a relay will rightly add. */
static size_t
pick_oversigned(const struct dkim_sign_state *state, const struct message *m, const char **out)
{
	size_t count = 0;

	for (size_t i = 0; i < state->oversign_count; i++) {
		const char *name = state->oversign[i];

		if (!dkim_field_is_added_later(name) || message_count_of(m, name) > 0)
			out[count++] = name;
	}
	return count;
}

static void
note_keys(struct link_call *call, const struct dkim_domain *domain)
{
	char text[DKIM_SELECTORS_MAX * (DKIM_SELECTOR_MAX + 1) + 1] = "";
	size_t len = 0;

	for (size_t i = 0; i < domain->selector_count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
		    i > 0 ? "+" : "", domain->selectors[i].selector);
	link_note(call, "dkim", "%s/%s", domain->name, text);
}

static enum link_answer
add_signatures(struct link_call *call, const struct dkim_sign_request *request)
{
	struct buf values[DKIM_SELECTORS_MAX];
	const size_t count = request->domain->selector_count;
	struct err err = { 0 };
	bool ok;

	for (size_t i = 0; i < count; i++)
		buf_init(&values[i], VALUE_MAX);
	ok = dkim_sign_message(request, values, &err);
	for (size_t i = 0; i < count && ok; i++) {
		if (!edits_prepend(link_edits(call), "DKIM-Signature", buf_view(&values[i])))
			ok = err_set(&err, ERR_LIMIT, "the field could not be added");
	}
	for (size_t i = 0; i < count; i++)
		buf_finish(&values[i]);
	if (!ok)
		return link_fail(call, "signing for %s: %s", request->domain->name, err.text);
	note_keys(call, request->domain);
	return LINK_NEXT;
}

static enum link_answer
sign(struct link_call *call, const char *author, const struct dkim_domain *domain)
{
	const struct dkim_sign_settings *settings = link_settings(call);
	const struct dkim_sign_state *state = link_state(call);
	const char *oversign[ARRAY_LEN(state->oversign)];
	char identity[DOMAIN_NAME_MAX + 1];

	snprintf(identity, sizeof(identity), "@%s", author);
	const struct dkim_sign_request request = {
		.message = link_message(call),
		.domain = domain,
		.identity = settings->identity == IDENTITY_TAG_DOMAIN ? identity : NULL,
		.header_canon = (enum dkim_canon)settings->header_canon,
		.body_canon = (enum dkim_canon)settings->body_canon,
		.sign = state->sign,
		.sign_count = state->sign_count,
		.oversign = oversign,
		.oversign_count = pick_oversigned(state, link_message(call), oversign),
		.now = clock_real_s(),
		.valid_s = settings->valid_ms / 1000,
	};
	return add_signatures(call, &request);
}

/*
 * note_doubts - the keys that did not sign because DNS does not confirm them, or that it
 * confirms none. The watch has warned of it already, once.
 */
static void
note_doubts(struct link_call *call, const struct domain_report *report)
{
	char text[DKIM_SELECTORS_MAX * (DKIM_SELECTOR_MAX + 1) + 1] = "";
	size_t len = 0;

	if (report->signs_unconfirmed) {
		link_note(call, "dkim_unconfirmed", "yes");
		return;
	}
	for (size_t i = 0; i < report->key_count; i++) {
		const struct watched_key *key = &report->keys[i];

		if (key->presence != KEY_CONFIRMED && key->sign_order == 0 &&
		    len + strlen(key->selector) + 2 < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
			    len > 0 ? "+" : "", key->selector);
	}
	if (len > 0)
		link_note(call, "dkim_left_out", "%s", text);
}

/*
 * try_domain - sign with the keys of one domain: those that the watch chose, which may be keys
 * that rotation made, or the keyring's where nobody watches. False: it has none.
 */
static bool
try_domain(
    struct link_call *call, const char *author, const char *name, enum link_answer *answer_out)
{
	const struct dkim_sign_state *state = link_state(call);
	const struct domain_report *report =
	    state->watch != NULL ? domain_watch_take_own(state->watch, name) : NULL;
	const struct dkim_domain *domain =
	    report != NULL ? &report->signing : dkim_keyring_find(state->keyring, name, false);
	const bool has_keys = domain != NULL && domain->selector_count > 0;

	if (has_keys)
		*answer_out = sign(call, author, domain);
	if (has_keys && *answer_out == LINK_NEXT && report != NULL && report->checked_at != 0)
		note_doubts(call, report);
	domain_watch_give(state->watch, &report);
	return has_keys;
}

static enum link_answer
dkim_sign_message_hook(struct link_call *call)
{
	const struct dkim_sign_settings *settings = link_settings(call);
	const char *author = author_domain(link_message(call), link_arena(call));
	enum link_answer answer;

	for (const char *name = author; name != NULL;) {
		const char *dot = settings->parent_domains ? strchr(name, '.') : NULL;

		if (try_domain(call, author, name, &answer))
			return answer;
		name = dot != NULL ? dot + 1 : NULL;
	}
	return pass_unsigned(call, author);
}

const struct link link_dkim_sign = {
	.abi = LINK_ABI,
	.name = "dkim_sign",
	.summary = "signs with the keys of the From domain that DNS confirms",
	.refuses = "550 5.7.1, with require_key only",
	.kind = LINK_FILTER,
	.settings = &dkim_sign_table,
	.setup = dkim_sign_setup,
	.teardown = dkim_sign_teardown,
	.message = dkim_sign_message_hook,
};
