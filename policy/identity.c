/* SPDX-License-Identifier: MPL-2.0 */
/*
 * identity: a login may send only as what its patterns cover. That is said of MAIL FROM, and of
 * *every* address in From and Sender (and Reply-To by option), so that no recipient's program
 * can be made to show another author. The message must have exactly one From and at most one
 * Sender (RFC 5322 3.6), and they must parse: two parsers must not see two authors.
 *
 * Resent-* fields are not looked at: they tell of a re-sending, and no program shows them as
 * the author. How patterns compare: lib/mail/sender_pattern.h.
 */
#include "policy/policy.h"

#include "lib/mail/addrlist.h"
#include "lib/mail/sender_pattern.h"

#include <stddef.h>

struct identity_settings {
	bool reply_to, plus_addressing;
};

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
identity_covers(struct link_call *call, const struct sender *sender)
{
	const struct identity_settings *settings = link_settings(call);
	const struct identity *identity = &link_facts(call)->identity;

	for (size_t i = 0; i < identity->pattern_count; i++) {
		if (sender_pattern_covers(
			view_of(identity->patterns[i]), sender, settings->plus_addressing))
			return true;
	}
	return false;
}

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
	struct sender sender;

	if (login == NULL)
		return refuse_nobody(call);
	if (!sender_from_path(&facts->mail.path, link_arena(call), &sender))
		return link_refuse(call, 550, "5.1.7",
		    "%s is not an address with a valid domain", facts->reverse_path);
	if (identity_covers(call, &sender))
		return LINK_NEXT;
	if (sender.is_null)
		return link_refuse(
		    call, 550, "5.7.1", "%s may not send with the null reverse-path <>", login);
	return link_refuse(
	    call, 550, "5.7.1", "%s may not send as %s", login, facts->reverse_path);
}

/* check_field - every address of one field. An empty list is for the caller to judge. */
static enum link_answer
check_field(struct link_call *call, size_t index, bool may_be_empty)
{
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

		if (!identity_covers(call, &sender))
			return link_refuse(call, 550, "5.7.1",
			    "%s may not send as %s (in the %.*s field)", login, list[i].address,
			    VIEW_ARG(field->name));
	}
	return LINK_NEXT;
}

static enum link_answer
check_fields(struct link_call *call, const char *name, bool may_be_empty)
{
	const struct message *m = link_message(call);
	enum link_answer answer = LINK_NEXT;

	for (size_t i = message_find(m, name, 0); i != SIZE_MAX && answer == LINK_NEXT;
	     i = message_find(m, name, i + 1))
		answer = check_field(call, i, may_be_empty);
	return answer;
}

static enum link_answer
identity_message(struct link_call *call)
{
	const struct identity_settings *settings = link_settings(call);
	const size_t froms = message_count_of(link_message(call), "From");
	const size_t senders = message_count_of(link_message(call), "Sender");
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
	answer = check_fields(call, "From", false);
	if (answer == LINK_NEXT)
		answer = check_fields(call, "Sender", false);
	if (answer == LINK_NEXT && settings->reply_to)
		answer = check_fields(call, "Reply-To", true);
	return answer;
}

const struct link link_identity = {
	.abi = LINK_ABI,
	.name = "identity",
	.summary = "a login sends only as what it is allowed to",
	.kind = LINK_POLICY,
	.settings = &identity_table,
	.fails_closed = true,
	.mail = identity_mail,
	.message = identity_message,
};
