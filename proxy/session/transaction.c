/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A transaction: begun by MAIL, ended by transaction_end() on every path. When the content is
 * whole: message, our Received field, the chain, the upstream, and the one msg.done line.
 */
#include "proxy/session/session_private.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "proxy/session/arrival.h"

#include <stdio.h>

METRIC_COUNTER(messages_total, "gatepost_messages_total",
    "Messages that were answered, as in the event msg.done.", "role", "result", "by");
METRIC_COUNTER(message_octets_total, "gatepost_message_octets_total",
    "Octets of content of these messages.", "role");

void
transaction_begin(struct session *s, const struct smtp_mail *mail)
{
	struct transaction *tx = mem_calloc(1, sizeof(*tx));
	struct facts *f = &s->facts;
	char address[SMTP_PATH_MAX];

	arena_init(&tx->arena);
	tx->started_ms = clock_mono_ms();
	s->tx = tx;
	s->messages++;
	f->mail = *mail;
	f->mail.path.local = arena_view(&tx->arena, mail->path.local);
	f->mail.path.domain = arena_view(&tx->arena, mail->path.domain);
	f->mail.envid = arena_view(&tx->arena, mail->envid);
	f->mail.auth = arena_view(&tx->arena, mail->auth);
	smtp_path_write(&mail->path, address);
	f->reverse_path = arena_strdup(&tx->arena, view_of(address));
	f->message_id =
	    arena_printf(&tx->arena, "%s.%llu", f->session_id, (unsigned long long)s->messages);
	f->received_at = clock_real_s();
	f->recipients = NULL;
	f->recipient_count = 0;
	tx->chain_run = chain_run_create(s->service->chain);
	tx->delivery = delivery_create(s->service->upstream, f->message_id);
	delivery_present(tx->delivery, f);
	tracing_begin(s->tracing, f, tx->delivery);
}

void
transaction_add_recipient(
    struct session *s, const struct smtp_path *path, const struct smtp_dsn *dsn)
{
	struct transaction *tx = s->tx;
	char address[SMTP_PATH_MAX];

	if (s->facts.recipient_count == tx->recipient_room) {
		tx->recipient_room = tx->recipient_room == 0 ? 4 : 2 * tx->recipient_room;
		tx->recipients =
		    mem_realloc(tx->recipients, tx->recipient_room * sizeof(*tx->recipients));
	}
	smtp_path_write(path, address);
	struct recipient *r = &tx->recipients[s->facts.recipient_count++];
	r->path = *path;
	r->path.local = arena_view(&tx->arena, path->local);
	r->path.domain = arena_view(&tx->arena, path->domain);
	r->address = arena_strdup(&tx->arena, view_of(address));
	r->dsn.notify = dsn->notify;
	r->dsn.orcpt = arena_view(&tx->arena, dsn->orcpt);
	s->facts.recipients = tx->recipients;
}

void
transaction_route(struct session *s)
{
	struct transaction *tx = s->tx;
	const char *route = chain_run_route(tx->chain_run);

	if (route == NULL || strcmp(route, upstream_name(s->service->upstream)) == 0)
		return;
	delivery_destroy(&tx->delivery);
	tx->delivery =
	    delivery_create(snapshot_upstream(s->snapshot, route), s->facts.message_id);
	delivery_present(tx->delivery, &s->facts);
	tracing_route(s->tracing, tx->delivery);
}

static void
end_trace(const struct session *s)
{
	const struct transaction *tx = s->tx;
	const struct tracing_end end = {
		.reason = s->state == STATE_CLOSING ? s->end_reason : NULL,
		.octets = tx->content_octets,
		.receive_ms = tx->content_done_ms > 0
				  ? (uint64_t)(tx->content_done_ms - tx->started_ms)
				  : 0,
		.chain_ms = tx->chain_ms,
		.total_ms = (uint64_t)(clock_mono_ms() - tx->started_ms),
		.has_new_envelope = chain_run_envelope_changed(tx->chain_run),
	};

	tracing_end(s->tracing, &end);
}

void
transaction_end(struct session *s)
{
	struct transaction *tx = s->tx;
	struct facts *f = &s->facts;

	if (tx == NULL)
		return;
	end_trace(s);
	delivery_destroy(&tx->delivery);
	chain_run_destroy(&tx->chain_run);
	body_destroy(&tx->store);
	mem_free(tx->recipients);
	arena_finish(&tx->arena);
	mem_free(tx);
	s->tx = NULL;
	memset(&f->mail, 0, sizeof(f->mail));
	f->message_id = f->reverse_path = "";
	f->recipients = NULL;
	f->recipient_count = 0;
	session_enter(s, EVENT_TX_END);
}

/* ---- the end of a message ---- */

static bool
make_message(struct session *s, struct message **out, struct smtp_reply *reply)
{
	struct err err = { 0 };

	if (!body_seal(s->tx->store, &err)) {
		log_event(LEVEL_ERROR, "msg.not_stored", LOG_STR("id", s->facts.message_id),
		    LOG_STR("reason", err.text));
		reply_make(REPLY_STORE, NULL, reply);
		return false;
	}
	return arrival_message(&s->tx->store, &s->snapshot->config->limits, out, reply);
}

static void
list_recipients(const struct facts *f, struct buf *out)
{
	for (size_t i = 0; i < f->recipient_count && i < LOG_RECIPIENTS; i++) {
		if (!buf_printf(out, "%s%s", i > 0 ? "," : "", f->recipients[i].address))
			return;
	}
}

/* The body of the first field of that name, trimmed, for the log; empty when there is none. */
static struct view
field_text(const struct message *message, const char *name)
{
	size_t at = message != NULL ? message_find(message, name, 0) : SIZE_MAX;

	return at != SIZE_MAX ? view_trim(message_field(message, at)->body) : VIEW("");
}

struct outcome {
	const struct smtp_reply *reply;
	const char *by; /* who said it: "gate", "chain", "upstream" */
};

static const char *
outcome_result(const struct outcome *outcome)
{
	if (smtp_reply_is_ok(outcome->reply))
		return strcmp(outcome->by, "chain") == 0 ? "discarded" : "delivered";
	return smtp_reply_is_temporary(outcome->reply) ? "deferred" : "refused";
}

static void
log_done(struct session *s, const struct message *message, const struct outcome *outcome)
{
	const struct facts *f = &s->facts;
	const struct delivery_facts *d = delivery_facts(s->tx->delivery);
	const char *result = outcome_result(outcome);
	const char *role = f->role == ROLE_INBOUND ? "inbound" : "submission";
	char reply[256];
	struct buf rcpts;

	buf_init(&rcpts, (size_t)LOG_RECIPIENTS * (SMTP_PATH_MAX + 1));
	list_recipients(f, &rcpts);
	smtp_reply_log_text(outcome->reply, reply, sizeof(reply));
	metric_add(&messages_total, 1, METRIC_LABELS(role, result, outcome->by));
	metric_add(&message_octets_total, (int64_t)s->tx->content_octets, METRIC_LABELS(role));
	log_event(LEVEL_INFO, "msg.done", LOG_STR("id", f->message_id),
	    LOG_STR("result", result), LOG_STR("by", outcome->by), LOG_STR("reply", reply),
	    LOG_STR("client", f->client.text), LOG_STR("listener", f->listener),
	    LOG_STR("helo", f->helo), LOG_OPT("tls", f->tls.version),
	    LOG_OPT("cipher", f->tls.cipher), LOG_OPT("login", f->identity.login),
	    LOG_OPT("mech", f->identity.mechanism), LOG_STR("from", f->reverse_path),
	    LOG_VIEW("rcpt", buf_view(&rcpts)), LOG_U64("rcpts", f->recipient_count),
	    LOG_U64("rcpts_refused", s->tx->refused_recipients),
	    LOG_U64("size", s->tx->content_octets),
	    LOG_VIEW("header_from", field_text(message, "From")),
	    LOG_VIEW("message_id", field_text(message, "Message-ID")),
	    LOG_OPT("upstream", d->upstream), LOG_OPT("server", d->server),
	    LOG_OPT("server_tls", d->tls), LOG_OPT("queue_id", d->queue_id),
	    LOG_U64("connects", d->connects), LOG_U64("replays", d->replays),
	    LOG_VIEW("links", chain_run_notes(s->tx->chain_run)),
	    LOG_U64("receive_ms", s->tx->content_done_ms - s->tx->started_ms),
	    LOG_U64("chain_ms", s->tx->chain_ms), LOG_U64("upstream_ms", d->wait_ms),
	    LOG_U64("ms", clock_mono_ms() - s->tx->started_ms));
	buf_finish(&rcpts);
}

/* The reply to content that could not be kept; false: it could. */
static bool
content_failed(struct session *s, struct smtp_reply *reply)
{
	char limit[CMD_SIZE_TEXT];

	switch (s->tx->content) {
	case CONTENT_GOOD:
		return false;
	case CONTENT_TOO_LARGE:
		cmd_size_text(s, limit);
		reply_make(REPLY_SIZE, limit, reply);
		break;
	case CONTENT_NOT_STORED:
		reply_make(REPLY_STORE, NULL, reply);
		break;
	}
	return true;
}

/* pass_on - the chain has nothing against it; whose the reply is. */
static const char *
pass_on(struct session *s, const struct message *message, struct smtp_reply *reply_out)
{
	const struct transaction *tx = s->tx;
	const char *discard = chain_run_discard(tx->chain_run);

	if (discard == NULL && s->facts.recipient_count == 0)
		discard = "every recipient was removed";
	if (discard != NULL) {
		log_event(LEVEL_WARNING, "msg.discarded", LOG_STR("id", s->facts.message_id),
		    LOG_STR("reason", discard));
		reply_make(REPLY_DISCARDED, NULL, reply_out);
		return "chain";
	}
	if (!chain_run_envelope_changed(tx->chain_run) ||
	    delivery_readdress(tx->delivery, &s->facts, reply_out))
		delivery_send(tx->delivery, message, reply_out);
	return "upstream";
}

/* refuse_lost - the disk has lost what the chain looked at. */
static const char *
refuse_lost(struct session *s, struct smtp_reply *reply_out)
{
	log_event(LEVEL_ERROR, "msg.not_stored", LOG_STR("id", s->facts.message_id),
	    LOG_STR("reason", "the temporary file could not be read back"));
	reply_make(REPLY_STORE, NULL, reply_out);
	return "gate";
}

void
transaction_finish(struct session *s, struct smtp_reply *reply_out)
{
	struct outcome outcome = { .reply = reply_out, .by = "gate" };
	struct message *message = NULL;

	if (!content_failed(s, reply_out) && make_message(s, &message, reply_out)) {
		int64_t before_ms = clock_mono_ms();
		outcome.by = "chain";
		arrival_add_received(message, &s->facts, s->service->config);
		bool go = session_judge(s, STAGE_MESSAGE, NULL, message, reply_out);
		s->tx->chain_ms = (uint64_t)(clock_mono_ms() - before_ms);
		if (!message_is_intact(message)) /* no word of the chain counts */
			outcome.by = refuse_lost(s, reply_out);
		else if (go)
			outcome.by = pass_on(s, message, reply_out);
	}
	log_done(s, message, &outcome);
	tracing_message(
	    s->tracing, field_text(message, "From"), field_text(message, "Message-ID"));
	tracing_reply(s->tracing, outcome_result(&outcome), outcome.by, reply_out);
	message_destroy(&message);
}
