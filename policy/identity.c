/* SPDX-License-Identifier: MPL-2.0 */
/*
 * identity: a login may send only as what its patterns cover. That is said of MAIL FROM, and of
 * *every* address in From and Sender (and Reply-To by option), so that no recipient's program
 * can be made to show another author. The message must have exactly one From and at most one
 * Sender (RFC 5322 3.6), and they must parse: two parsers must not see two authors.
 *
 * A table may name further patterns of a login; it is asked when the login's own do not cover.
 *
 * Resent-* fields are not looked at: they tell of a re-sending, and no program shows them as
 * the author. How patterns compare: lib/mail/sender_pattern.h.
 */
#include "policy/policy.h"

#include "lib/mail/addrlist.h"
#include "lib/mail/sender_pattern.h"
#include "lib/table/table.h"

#include <stddef.h>

struct identity_settings {
	bool reply_to, plus_addressing;
	const char *table;
};

/* One call of a hook, with what the table says of the login: asked once, when it is needed. */
struct question {
	struct link_call *call;
	bool is_asked, is_down;
	const struct view *patterns;
	size_t count;
	struct err err; /* while is_down */
};

enum coverage { COVERED, NOT_COVERED, NOBODY_KNOWS };

static const struct conf_row identity_rows[] = {
	{ .key = "plus_addressing",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct identity_settings, plus_addressing),
	    .fallback = "false",
	    .help = "Whether a login that may send as user@ may also send as user+anything@." },
	{ .key = "reply_to",
	    .type = CONF_BOOL,
	    .offset = offsetof(struct identity_settings, reply_to),
	    .fallback = "false",
	    .help = "Whether the addresses in Reply-To must be covered too." },
	{ .key = "table",
	    .type = CONF_STRING,
	    .offset = offsetof(struct identity_settings, table),
	    .help = "A table of logins, in lower case: further patterns of what they may send "
		    "as." },
	{ .key = NULL },
};

static const struct conf_table identity_table = {
	.name = "identity",
	.help =
	    "A login sends only as what its patterns cover: MAIL FROM, and every address in "
	    "From and Sender. Anything else hears 550 5.7.1; a message without exactly one "
	    "readable From field hears 554 5.6.0. The link cannot be set to pass on errors.",
	.size = sizeof(struct identity_settings),
	.rows = identity_rows,
	.where_offset = SIZE_MAX,
};

static bool
identity_setup(const void *p, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct identity_settings *settings = p;

	if (settings->table == NULL)
		return true;
	/* The table is the state: it is borrowed, and nothing has to be torn down. */
	*state_out = table_find(env->tables, settings->table, where, "identity.table", errors);
	return *state_out != NULL;
}

/* ---- the table's patterns ---- */

static bool
is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

/* add_patterns - those of one value; false: one of them is none. */
static bool
add_patterns(struct question *q, struct view value, struct view *patterns)
{
	while (value.len > 0) {
		size_t end = 0;

		while (end < value.len && !is_separator(value.p[end]))
			end++;
		if (end > 0) {
			const struct view pattern = view_make(value.p, end);

			if (!sender_pattern_is_valid(pattern))
				return err_set(&q->err, ERR_CONFIG,
				    "\"%.*s\" is not an address pattern", VIEW_ARG(pattern));
			patterns[q->count++] = pattern;
		}
		value = view_from(value, end + 1);
	}
	return true;
}

static bool
read_values(struct question *q, const struct table_values *values)
{
	size_t room = 0;
	struct view *patterns;

	for (size_t i = 0; i < values->count; i++)
		room += values->items[i].len / 2 + 1;
	patterns = arena_alloc(link_arena(q->call), room * sizeof(*patterns));
	q->patterns = patterns;
	for (size_t i = 0; i < values->count; i++) {
		if (!add_patterns(q, values->items[i], patterns))
			return err_prefix(&q->err, "table %s: %s",
			    table_name(link_state(q->call)),
			    link_facts(q->call)->identity.login);
	}
	return true;
}

static void
ask_table(struct question *q)
{
	char *login =
	    arena_strdup(link_arena(q->call), view_of(link_facts(q->call)->identity.login));
	struct table_values values;
	enum table_result result;

	for (char *c = login; *c != '\0'; c++)
		*c = ascii_lower(*c);
	result = table_lookup(link_state(q->call), view_of(login), link_deadline_ms(q->call),
	    link_arena(q->call), &values, &q->err);
	q->is_asked = true;
	q->is_down =
	    result == TABLE_DOWN || (result == TABLE_FOUND && !read_values(q, &values));
}

static enum coverage
ask_whether_covered(struct question *q, const struct sender *sender)
{
	const struct identity_settings *settings = link_settings(q->call);

	if (link_state(q->call) == NULL)
		return NOT_COVERED;
	if (!q->is_asked)
		ask_table(q);
	if (q->is_down)
		return NOBODY_KNOWS;
	for (size_t i = 0; i < q->count; i++) {
		if (sender_pattern_covers(q->patterns[i], sender, settings->plus_addressing))
			return COVERED;
	}
	return NOT_COVERED;
}

static enum coverage
identity_covers(struct question *q, const struct sender *sender)
{
	const struct identity_settings *settings = link_settings(q->call);
	const struct identity *identity = &link_facts(q->call)->identity;

	for (size_t i = 0; i < identity->pattern_count; i++) {
		if (sender_pattern_covers(
			view_of(identity->patterns[i]), sender, settings->plus_addressing))
			return COVERED;
	}
	return ask_whether_covered(q, sender);
}

/* ---- hooks ---- */

static enum link_answer
refuse_nobody(struct link_call *call)
{
	return link_refuse(call, 530, "5.7.0", "authentication required");
}

static enum link_answer
identity_mail(struct link_call *call)
{
	const struct facts *facts = link_facts(call);
	const char *login = facts->identity.login;
	struct question q = { .call = call };
	enum coverage coverage;
	struct sender sender;

	if (login == NULL)
		return refuse_nobody(call);
	if (!sender_from_path(&facts->mail.path, link_arena(call), &sender))
		return link_refuse(call, 550, "5.1.7",
		    "%s is not an address with a valid domain", facts->reverse_path);
	coverage = identity_covers(&q, &sender);
	if (coverage == NOBODY_KNOWS)
		return link_fail(call, "%s", q.err.text);
	if (coverage == COVERED)
		return LINK_NEXT;
	if (sender.is_null)
		return link_refuse(
		    call, 550, "5.7.1", "%s may not send with the null reverse-path <>", login);
	return link_refuse(
	    call, 550, "5.7.1", "%s may not send as %s", login, facts->reverse_path);
}

/* check_field - every address of one field. An empty list is for the caller to judge. */
static enum link_answer
check_field(struct question *q, size_t index, bool may_be_empty)
{
	struct link_call *call = q->call;
	const struct header_field *field = message_field(link_message(call), index);
	const char *login = link_facts(call)->identity.login;
	struct mailbox *list = NULL;
	size_t count = 0, offset = 0;
	const enum addrlist_status status =
	    addrlist_parse(field->body, link_arena(call), &list, &count, &offset);

	if (status == ADDRLIST_EMPTY && may_be_empty)
		return LINK_NEXT;
	if (status != ADDRLIST_OK)
		return link_refuse(call, 554, "5.6.0", "the %.*s field %s",
		    VIEW_ARG(field->name), addrlist_status_text(status));
	for (size_t i = 0; i < count; i++) {
		const struct sender sender = {
			.local = view_of(list[i].local),
			.domain = view_of(list[i].domain),
		};
		const enum coverage coverage = identity_covers(q, &sender);

		if (coverage == NOBODY_KNOWS)
			return link_fail(call, "%s", q->err.text);
		if (coverage == NOT_COVERED)
			return link_refuse(call, 550, "5.7.1",
			    "%s may not send as %s (in the %.*s field)", login, list[i].address,
			    VIEW_ARG(field->name));
	}
	return LINK_NEXT;
}

static enum link_answer
check_fields(struct question *q, const char *name, bool may_be_empty)
{
	const struct message *m = link_message(q->call);
	enum link_answer answer = LINK_NEXT;

	for (size_t i = message_find(m, name, 0); i != SIZE_MAX && answer == LINK_NEXT;
	     i = message_find(m, name, i + 1))
		answer = check_field(q, i, may_be_empty);
	return answer;
}

static enum link_answer
identity_message(struct link_call *call)
{
	const struct identity_settings *settings = link_settings(call);
	const size_t froms = message_count_of(link_message(call), "From");
	const size_t senders = message_count_of(link_message(call), "Sender");
	struct question q = { .call = call };
	enum link_answer answer;

	if (link_facts(call)->identity.login == NULL)
		return refuse_nobody(call);
	if (froms != 1)
		return link_refuse(call, 554, "5.6.0",
		    "the message has %zu From fields, it needs exactly one (RFC 5322 3.6)",
		    froms);
	if (senders > 1)
		return link_refuse(call, 554, "5.6.0",
		    "the message has %zu Sender fields, one at most is allowed (RFC 5322 3.6)",
		    senders);
	answer = check_fields(&q, "From", false);
	if (answer == LINK_NEXT)
		answer = check_fields(&q, "Sender", false);
	if (answer == LINK_NEXT && settings->reply_to)
		answer = check_fields(&q, "Reply-To", true);
	return answer;
}

const struct link link_identity = {
	.abi = LINK_ABI,
	.name = "identity",
	.summary = "a login sends only as what its patterns cover",
	.refuses = "550 5.7.1, 550 5.1.7, 554 5.6.0, 530 5.7.0",
	.kind = LINK_POLICY,
	.settings = &identity_table,
	.fails_closed = true,
	.setup = identity_setup,
	.mail = identity_mail,
	.message = identity_message,
};
