/* SPDX-License-Identifier: MPL-2.0 */
/*
 * milter: asks a mail filter that speaks Sendmail's protocol, and does what it says. It hears
 * connect, HELO, MAIL and RCPT when they come, the content when it is whole. What it wants
 * changed becomes edits only after its last word, all or none. "Accept" ends its own part in a
 * message or session, never that of another link.
 */
#include "filters/filters.h"
#include "filters/milter_private.h"

#include "lib/base/mem.h"
#include "lib/milter/milter_changes.h"

#include <stdio.h>

#define QUARANTINE_VALUE_MAX 400 /* octets of our field's value */

static struct milter_talk
talk_begin(struct link_call *call)
{
	const struct milter_state *state = link_state(call);

	return (struct milter_talk){
		.call = call,
		.state = state,
		.settings = state->settings,
		.session = link_session_memory(call),
		.mail = link_memory(call),
		.ask = { .deadline_ms = link_deadline_ms(call), .macro = milter_macro },
	};
}

/* ---- what its verdicts come to ---- */

/* refuse - with the reply, as far as SMTP has it at that stage: at connect there are 554 and
 * 421 alone (RFC 5321 4.3.2). A 421 ends the session anywhere. */
static enum link_answer
refuse(struct milter_talk *t, const struct smtp_reply *reply)
{
	const bool is_permanent = reply->code >= 500;
	int code = reply->code;
	const char *enhanced = reply->enhanced;

	if (link_stage(t->call) == STAGE_CONNECT)
		code = is_permanent ? 554 : 421;
	if (enhanced[0] == '\0')
		enhanced = is_permanent ? "5.7.1" : "4.7.1";
	link_note(t->call, link_name(t->call), "refused");
	return link_refuse(t->call, code, enhanced, "%s", reply->text);
}

/* refuse_for_good - every command of the session hears it from now on. */
static enum link_answer
refuse_for_good(struct milter_talk *t, const struct smtp_reply *reply)
{
	struct milter_session *session = t->session;

	if (session->refusal == NULL)
		session->refusal = mem_alloc(sizeof(*session->refusal));
	*session->refusal = *reply;
	milter_leave(session);
	return refuse(t, reply);
}

/* obey_refusal - of a milter that refuses before MAIL, or wants the session to end. */
static enum link_answer
obey_refusal(struct milter_talk *t, enum milter_verdict verdict)
{
	struct smtp_reply reply;

	if (verdict == MILTER_SAYS_REPLY)
		reply = t->ask.reply;
	else if (verdict == MILTER_SAYS_REJECT)
		smtp_reply_set(&reply, 550, "5.7.1", "Command rejected");
	else if (verdict == MILTER_SAYS_TEMPFAIL)
		smtp_reply_set(
		    &reply, 451, "4.7.1", "Service unavailable, please try again later");
	else
		smtp_reply_set(&reply, 421, "4.7.0", "Service unavailable, closing");
	if (t->event == MILTER_CONNECT || t->event == MILTER_HELO || reply.code == 421)
		return refuse_for_good(t, &reply);
	return refuse(t, &reply);
}

static enum link_answer
obey_accept(struct milter_talk *t)
{
	if (t->event == MILTER_CONNECT || t->event == MILTER_HELO) {
		t->session->is_accepted = true;
		milter_leave(t->session);
	} else {
		t->mail->is_accepted = true;
		link_note(t->call, link_name(t->call), "accepted");
	}
	return LINK_NEXT;
}

static enum link_answer
obey_discard(struct milter_talk *t)
{
	if (t->mail == NULL)
		return LINK_NEXT; /* there is nothing to discard yet */
	t->mail->is_accepted = true;
	if (t->settings->discard == DISCARD_REFUSE)
		return link_refuse(
		    t->call, 550, "5.7.1", "this message was refused by a mail filter");
	t->mail->is_discarded = true;
	return LINK_NEXT;
}

static enum link_answer
obey_failure(struct milter_talk *t)
{
	milter_leave(t->session);
	if (t->mail != NULL)
		t->mail->has_failed = true;
	return link_fail(t->call, "%s", t->ask.err.text);
}

static enum link_answer
obey(struct milter_talk *t, enum milter_verdict verdict)
{
	switch (verdict) {
	case MILTER_SAYS_GO_ON:
		return LINK_NEXT;
	case MILTER_SAYS_ACCEPT:
		return obey_accept(t);
	case MILTER_SAYS_DISCARD:
		return obey_discard(t);
	case MILTER_FAILED:
		return obey_failure(t);
	case MILTER_SAYS_REJECT:
	case MILTER_SAYS_TEMPFAIL:
	case MILTER_SAYS_REPLY:
	case MILTER_SAYS_SHUTDOWN:
		return obey_refusal(t, verdict);
	}
	BUG("verdict %d", (int)verdict);
}

/* ---- changes ---- */

static bool
mark(struct milter_talk *t, const char *reason)
{
	char value[QUARANTINE_VALUE_MAX];

	(void)snprintf(value, sizeof(value), "%s%s%s", link_name(t->call),
	    reason[0] != '\0' ? "; " : "", reason);
	return edits_prepend(
	    link_edits(t->call), t->settings->quarantine_field, view_of(value));
}

/* quarantine - LINK_NEXT: marked, or sent elsewhere. Before the changes are committed. */
static enum link_answer
quarantine(struct milter_talk *t, const char *reason)
{
	link_note(t->call, link_name(t->call), "quarantine");
	switch ((enum milter_quarantine)t->settings->quarantine) {
	case QUARANTINE_HEADER:
		if (!mark(t, reason))
			return link_fail(t->call, "its quarantine cannot be marked");
		return LINK_NEXT;
	case QUARANTINE_REDIRECT:
		milter_changes_redirect(t->changes, t->settings->quarantine_to);
		return LINK_NEXT;
	case QUARANTINE_DEFER:
		return link_refuse(t->call, 451, "4.7.1",
		    "this message was held by a mail filter, please try again later");
	case QUARANTINE_REJECT:
		return link_refuse(
		    t->call, 550, "5.7.1", "this message was held by a mail filter");
	}
	BUG("quarantine %d", t->settings->quarantine);
}

/* commit - the milter's last word on the message was good: what it wants changed is edits. */
static enum link_answer
commit(struct milter_talk *t)
{
	const size_t count = milter_changes_count(t->changes);
	const char *reason = milter_changes_quarantine(t->changes);
	enum link_answer answer = LINK_NEXT;

	if (reason != NULL)
		answer = quarantine(t, reason);
	if (answer != LINK_NEXT || (count == 0 && reason == NULL))
		return answer;
	if (!milter_changes_commit(t->changes, link_edits(t->call), &t->ask.err))
		return link_fail(t->call, "%s", t->ask.err.text);
	if (count > 0)
		link_note(t->call, link_name(t->call), "changed:%zu", count);
	return LINK_NEXT;
}

/* ---- hooks ---- */

/* is_over - nothing more is to be asked; *answer_out is the link's. */
static bool
is_over(struct milter_talk *t, enum link_answer *answer_out)
{
	*answer_out = LINK_NEXT;
	if (t->session->refusal != NULL)
		*answer_out = refuse(t, t->session->refusal);
	else if (t->mail != NULL && t->mail->has_failed)
		*answer_out = link_fail(t->call, "it has failed in this message before");
	else
		return t->session->is_accepted || (t->mail != NULL && t->mail->is_accepted);
	return true;
}

static enum link_answer
milter_command(struct link_call *call)
{
	struct milter_talk t = talk_begin(call);
	enum link_answer answer;

	t.ask.context = &t;
	if (is_over(&t, &answer))
		return answer;
	return obey(&t, milter_talk_to(&t, link_stage(call)));
}

static enum link_answer
milter_message(struct link_call *call)
{
	struct milter_talk t = talk_begin(call);
	enum link_answer answer;

	t.ask.context = &t;
	if (!is_over(&t, &answer)) {
		enum milter_verdict verdict = milter_talk_to(&t, STAGE_MESSAGE);

		answer = obey(&t, verdict);
		if (answer == LINK_NEXT && t.event == MILTER_EOM &&
		    verdict != MILTER_SAYS_DISCARD)
			answer = commit(&t);
	}
	milter_changes_destroy(&t.changes);
	if (answer == LINK_NEXT && t.mail->is_discarded)
		edits_discard(link_edits(call), "the milter wants it");
	return answer;
}

static void
milter_finish(void *p, void *memory)
{
	struct milter_state *state = p;
	struct milter_session *session = memory;

	if (session->conn != NULL && session->in_message)
		milter_conn_abort(session->conn);
	milter_pool_give(state->pool, &session->conn);
	mem_free(session->refusal);
	session->refusal = NULL;
}

const struct link link_milter = {
	.abi = LINK_ABI,
	.name = "milter",
	.summary = "asks a mail filter that speaks the milter protocol, and does what it says",
	.refuses = "what the filter says",
	.kind = LINK_FILTER,
	.settings = &milter_table,
	.setup = milter_setup,
	.teardown = milter_teardown,
	.message_size = sizeof(struct milter_mail),
	.session_size = sizeof(struct milter_session),
	.finish = milter_finish,
	.connect = milter_command,
	.helo = milter_command,
	.mail = milter_command,
	.rcpt = milter_command,
	.message = milter_message,
};
