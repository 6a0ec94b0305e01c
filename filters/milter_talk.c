/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Telling a milter how far the SMTP session is. The session holds one connection from its first
 * hook on. Whoever has none yet (it failed in the message before) is told everything anew:
 * connect, HELO, MAIL and the recipients so far.
 */
#include "filters/milter_private.h"

#include "lib/base/clock.h"
#include "lib/base/metrics.h"

METRIC_COUNTER(connections_total, "gatepost_milter_connections_total",
    "Connections to milters: opened, reused from an earlier session, failed.", "link",
    "result");

void
milter_leave(struct milter_session *session)
{
	milter_conn_close(&session->conn);
	session->in_message = false;
}

/* end_message - one that was begun and not ended is over. */
static void
end_message(struct milter_session *session)
{
	if (session->in_message)
		milter_conn_abort(session->conn);
	session->in_message = false;
}

static enum milter_verdict
say_connect(struct milter_talk *t)
{
	const struct facts *f = link_facts(t->call);
	const struct milter_client client = {
		.name =
		    view_of(f->client_name != NULL && f->client_name[0] != '\0'
				? f->client_name
				: arena_printf(link_arena(t->call), "[%s]", f->client.text)),
		.family = f->client.addr.ss_family == AF_INET	 ? '4'
			  : f->client.addr.ss_family == AF_INET6 ? '6'
								 : 'U',
		.port = f->client.port,
		.address = view_of(f->client.text),
	};

	t->event = MILTER_CONNECT;
	return milter_conn_connect(t->session->conn, &t->ask, &client);
}

static enum milter_verdict
say_helo(struct milter_talk *t)
{
	const struct view name = view_of(link_facts(t->call)->helo);

	if (name.len == 0)
		return MILTER_SAYS_GO_ON;
	end_message(t->session); /* RFC 5321 4.1.4: HELO resets */
	t->event = MILTER_HELO;
	return milter_conn_strings(t->session->conn, &t->ask, MILTER_HELO, &name, 1);
}

/* param - the text that was written, in the arena; true when there is one. */
static bool
param(struct arena *arena, bool is_written, struct buf *text, struct view *out)
{
	if (!is_written)
		BUG("a parameter does not fit");
	*out = arena_view(arena, buf_view(text));
	buf_clear(text);
	return out->len > 0;
}

static enum milter_verdict
say_mail(struct milter_talk *t)
{
	const struct facts *f = link_facts(t->call);
	struct arena *arena = link_arena(t->call);
	struct view strings[8];
	struct buf text;
	size_t count = 0;

	end_message(t->session);
	strings[count++] = view_of(arena_printf(arena, "<%s>", f->reverse_path));
	if (f->mail.has_size)
		strings[count++] =
		    view_of(arena_printf(arena, "SIZE=%llu", (unsigned long long)f->mail.size));
	if (f->mail.body != SMTP_BODY_UNSET)
		strings[count++] =
		    f->mail.body == SMTP_BODY_7BIT ? VIEW("BODY=7BIT") : VIEW("BODY=8BITMIME");
	if (f->mail.smtputf8)
		strings[count++] = VIEW("SMTPUTF8");
	if (f->mail.requiretls)
		strings[count++] = VIEW("REQUIRETLS");
	buf_init(&text, SMTP_PARAM_MAX);
	count += param(arena, smtp_auth_write(&f->mail, &text), &text, &strings[count]);
	count += param(arena, smtp_ret_write(f->mail.ret, &text), &text, &strings[count]);
	count += param(arena, smtp_envid_write(f->mail.envid, &text), &text, &strings[count]);
	buf_finish(&text);
	t->event = MILTER_MAIL;
	t->session->in_message = true;
	return milter_conn_strings(t->session->conn, &t->ask, MILTER_MAIL, strings, count);
}

static enum milter_verdict
say_rcpt(struct milter_talk *t, const struct recipient *recipient)
{
	struct arena *arena = link_arena(t->call);
	const struct smtp_dsn *dsn = &recipient->dsn;
	struct view strings[3] = { view_of(arena_printf(arena, "<%s>", recipient->address)) };
	struct buf text;
	size_t count = 1;
	enum milter_verdict verdict;

	buf_init(&text, SMTP_PARAM_MAX);
	count += param(arena, smtp_notify_write(dsn->notify, &text), &text, &strings[count]);
	count += param(arena, smtp_orcpt_write(dsn->orcpt, &text), &text, &strings[count]);
	buf_finish(&text);

	t->event = MILTER_RCPT;
	t->recipient = recipient;
	verdict = milter_conn_strings(t->session->conn, &t->ask, MILTER_RCPT, strings, count);
	t->recipient = NULL;
	return verdict;
}

static enum milter_verdict
say_recipients(struct milter_talk *t)
{
	const struct facts *f = link_facts(t->call);
	enum milter_verdict verdict = MILTER_SAYS_GO_ON;

	for (size_t i = 0; i < f->recipient_count && verdict == MILTER_SAYS_GO_ON; i++)
		verdict = say_rcpt(t, &f->recipients[i]);
	return verdict;
}

static enum milter_verdict
say(struct milter_talk *t, enum link_stage stage)
{
	switch (stage) {
	case STAGE_CONNECT:
		return say_connect(t);
	case STAGE_HELO:
		return say_helo(t);
	case STAGE_MAIL:
		return say_mail(t);
	case STAGE_RCPT:
		return say_rcpt(t, link_recipient(t->call));
	case STAGE_MESSAGE:
		return milter_say_content(t);
	}
	BUG("stage %d", (int)stage);
}

/* catch_up - a new connection hears all that was before that stage. */
static enum milter_verdict
catch_up(struct milter_talk *t, enum link_stage stage)
{
	enum milter_verdict verdict = MILTER_SAYS_GO_ON;

	for (enum link_stage s = STAGE_CONNECT;
	     s < stage && s <= STAGE_MAIL && verdict == MILTER_SAYS_GO_ON; s++)
		verdict = say(t, s);
	if (stage > STAGE_MAIL && verdict == MILTER_SAYS_GO_ON)
		verdict = say_recipients(t);
	if (verdict == MILTER_SAYS_GO_ON || verdict == MILTER_SAYS_ACCEPT ||
	    verdict == MILTER_FAILED || t->event == MILTER_CONNECT || t->event == MILTER_HELO)
		return verdict;
	err_set(&t->ask.err, ERR_PROTOCOL, "on a new connection it no longer takes %s",
	    milter_command_name(t->event));
	return MILTER_FAILED;
}

static bool
open_connection(struct milter_talk *t, bool may_reuse)
{
	struct milter_session *session = t->session;
	bool is_new;

	t->event = MILTER_OPTNEG;
	session->in_message = false;
	session->conn = milter_pool_take(
	    t->state->pool, may_reuse, link_deadline_ms(t->call), &is_new, &t->ask.err);
	metric_add(&connections_total, 1,
	    METRIC_LABELS(link_name(t->call), session->conn == NULL ? "failed"
					      : is_new		    ? "opened"
								    : "reused"));
	if (session->conn == NULL)
		return false;
	session->has_waited = !is_new;
	session->replies = milter_conn_replies(session->conn);
	return true;
}

static enum milter_verdict
attempt(struct milter_talk *t, enum link_stage stage, bool may_reuse)
{
	enum milter_verdict verdict = MILTER_SAYS_GO_ON;

	if (t->session->conn == NULL) {
		if (!open_connection(t, may_reuse))
			return MILTER_FAILED;
		verdict = catch_up(t, stage);
	}
	return verdict == MILTER_SAYS_GO_ON ? say(t, stage) : verdict;
}

/* died_unseen - it has waited, and not said anything since. */
static bool
died_unseen(const struct milter_talk *t)
{
	const struct milter_session *s = t->session;

	return s->conn != NULL && s->has_waited && milter_conn_replies(s->conn) == s->replies &&
	       t->ask.err.kind != ERR_TIMEOUT;
}

enum milter_verdict
milter_talk_to(struct milter_talk *t, enum link_stage stage)
{
	struct milter_session *session = t->session;
	enum milter_verdict verdict;

	if (stage == STAGE_MAIL && session->conn != NULL) {
		session->has_waited = true;
		session->replies = milter_conn_replies(session->conn);
	}
	verdict = attempt(t, stage, true);
	if (verdict == MILTER_FAILED && died_unseen(t)) {
		milter_leave(session);
		verdict = attempt(t, stage, false);
	}
	return verdict;
}
