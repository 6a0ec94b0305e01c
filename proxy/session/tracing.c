/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What is gathered of a session and its transaction, and the record that comes of it; see
 * tracing.h. Of a record's octets (trace.max_record, 128 KiB at least) the lists have each a
 * share, 11/16 in all. The rest is texts that are cut: under 30 KB if every octet is escaped.
 */
#include "proxy/session/tracing.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "proxy/session/tracing_json.h"

#include <stdio.h>
#include <time.h>

struct tracing {
	struct trace *trace; /* borrowed from the snapshot, as config */
	const struct config_trace *config;
	struct chain_observer chain;	   /* context: the struct itself */
	struct delivery_observer upstream; /* likewise */
	/* of the session */
	struct tracing_list greeting, helo;
	/* of the transaction */
	const struct facts *facts; /* NULL: there is none */
	struct delivery *delivery;
	const char *reverse_path; /* as the client gave it */
	int64_t began_real_ms;
	struct tracing_list recipients, calls, exchanges;
	struct buf from, message_id; /* fields of the header */
	const char *result, *by;     /* static; NULL: not known yet */
	struct smtp_reply reply;     /* code 0: none */
};

/* ---- looking on ---- */

static void
see_call(void *context, const struct chain_record *record)
{
	struct tracing *t = context;
	struct tracing_list *list = record->stage == STAGE_CONNECT ? &t->greeting
				    : record->stage == STAGE_HELO  ? &t->helo
								   : &t->calls;

	tracing_add_call(list, record, t->config->header);
}

static void
see_exchange(void *context, const struct delivery_event *event)
{
	struct tracing *t = context;

	tracing_add_exchange(&t->exchanges, event);
}

struct tracing *
tracing_create(const struct snapshot *s)
{
	struct tracing *t;

	if (s->trace == NULL)
		return NULL;
	t = mem_calloc(1, sizeof(*t));
	t->trace = s->trace;
	t->config = &s->config->trace;
	t->chain = (struct chain_observer){ .after = see_call, .context = t };
	t->upstream = (struct delivery_observer){ .event = see_exchange, .context = t };
	const size_t octets = (size_t)t->config->max_record_octets;
	tracing_list_init(&t->greeting, octets / 32);
	tracing_list_init(&t->helo, octets / 32);
	tracing_list_init(&t->recipients, octets / 8);
	tracing_list_init(&t->calls, octets / 4);
	tracing_list_init(&t->exchanges, octets / 8);
	buf_init(&t->from, TRACING_VALUE_MAX + 1);
	buf_init(&t->message_id, TRACING_VALUE_MAX + 1);
	return t;
}

void
tracing_destroy(struct tracing **tp)
{
	struct tracing *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	tracing_list_clear(&t->greeting);
	tracing_list_clear(&t->helo);
	tracing_list_clear(&t->recipients);
	tracing_list_clear(&t->calls);
	tracing_list_clear(&t->exchanges);
	buf_finish(&t->from);
	buf_finish(&t->message_id);
	mem_free(t);
}

const struct chain_observer *
tracing_observer(struct tracing *t, enum link_stage stage)
{
	if (t == NULL)
		return NULL;
	if (stage == STAGE_HELO)
		tracing_list_clear(&t->helo);
	return &t->chain;
}

void
tracing_begin(struct tracing *t, const struct facts *facts, struct delivery *d)
{
	if (t == NULL)
		return;
	t->facts = facts;
	t->reverse_path = facts->reverse_path;
	t->began_real_ms = clock_real_ms();
	t->delivery = d;
	delivery_observe(d, &t->upstream);
}

void
tracing_route(struct tracing *t, struct delivery *d)
{
	if (t == NULL)
		return;
	t->delivery = d;
	delivery_observe(d, &t->upstream);
}

void
tracing_recipient(
    struct tracing *t, const char *address, const char *by, const struct smtp_reply *reply)
{
	struct json j;

	if (t == NULL)
		return;
	tracing_list_begin(&t->recipients, &j);
	tracing_put_text(&j, "address", view_of(address));
	json_str(&j, "by", by);
	tracing_put_reply(&j, "reply", reply);
	tracing_list_end(&t->recipients, &j);
}

/* keep - a field; one octet more than is shown, so that it shows that it was cut. */
static void
keep(struct buf *b, struct view text)
{
	buf_clear(b);
	if (!buf_add(b, text.p, text.len < b->cap ? text.len : b->cap))
		BUG("a text does not fit its cap");
}

void
tracing_message(struct tracing *t, struct view from, struct view message_id)
{
	if (t == NULL || !t->config->header)
		return;
	keep(&t->from, from);
	keep(&t->message_id, message_id);
}

void
tracing_reply(
    struct tracing *t, const char *result, const char *by, const struct smtp_reply *reply)
{
	if (t == NULL || t->facts == NULL)
		return;
	t->result = result;
	t->by = by;
	t->reply = *reply;
}

void
tracing_last_words(struct tracing *t, const struct smtp_reply *reply)
{
	if (t != NULL && t->facts != NULL && t->result == NULL)
		t->reply = *reply;
}

/* settle - how it ended, when nobody has said. */
static void
settle(struct tracing *t, const struct tracing_end *end)
{
	const bool by_gate = t->reply.code >= 400;

	if (t->result != NULL)
		return;
	t->result = end->reason != NULL ? "aborted" : "reset";
	t->by = by_gate ? "gate" : "client";
}

/* ---- the record ---- */

static void
put_time(struct json *j, int64_t real_ms)
{
	const time_t seconds = (time_t)(real_ms / 1000);
	char text[40];
	struct tm utc;
	size_t len;

	(void)gmtime_r(&seconds, &utc);
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(real_ms % 1000));
	json_str(j, "time", text);
}

/* The first three members are what a reader looks for; they stay the first three. */
static void
put_session(struct json *j, const struct tracing *t)
{
	const struct facts *f = t->facts;

	json_int(j, "format", TRACING_FORMAT);
	json_str(j, "id", f->message_id);
	json_str(j, "session", f->session_id);
	put_time(j, t->began_real_ms);
	json_str(j, "role", f->role == ROLE_INBOUND ? "inbound" : "submission");
	json_str(j, "listener", f->listener);
	json_str(j, "client", f->client.text);
	json_int(j, "port", f->client.port);
	tracing_put_optional(j, "via", view_of(f->via));
	tracing_put_text(j, "helo", view_of(f->helo));
	json_bool(j, "esmtp", f->is_esmtp);
	tracing_put_optional(j, "tls", view_of(f->tls.version));
	tracing_put_optional(j, "cipher", view_of(f->tls.cipher));
	tracing_put_optional(j, "login", view_of(f->identity.login));
	tracing_put_optional(j, "mech", view_of(f->identity.mechanism));
}

/* put_envelope - what links have made of it, where it is another one than the client's. */
static void
put_envelope(struct json *j, const struct tracing *t)
{
	struct tracing_list to;

	tracing_list_init(&to, (size_t)t->config->max_record_octets / 8);
	for (size_t i = 0; i < t->facts->recipient_count; i++) {
		struct json item;

		tracing_list_begin(&to, &item);
		tracing_put_text(&item, "address", view_of(t->facts->recipients[i].address));
		tracing_list_end(&to, &item);
	}
	json_open(j, "envelope", '{');
	tracing_put_text(j, "from", view_of(t->facts->reverse_path));
	tracing_put_list(j, "recipients", &to);
	json_close(j);
	tracing_list_clear(&to);
}

static void
put_upstream(struct json *j, const struct tracing *t)
{
	const struct delivery_facts *d = delivery_facts(t->delivery);

	json_open(j, "upstream", '{');
	json_str(j, "name", d->upstream);
	tracing_put_optional(j, "server", view_of(d->server));
	tracing_put_optional(j, "tls", view_of(d->tls));
	tracing_put_optional(j, "queue_id", view_of(d->queue_id));
	json_int(j, "connects", d->connects);
	json_int(j, "replays", d->replays);
	json_int(j, "ms", (int64_t)d->wait_ms);
	tracing_put_list(j, "exchanges", &t->exchanges);
	json_close(j);
}

static void
put_end(struct json *j, const struct tracing *t, const struct tracing_end *end)
{
	json_str(j, "result", t->result);
	json_str(j, "by", t->by);
	tracing_put_optional(j, "reason", view_of(end->reason));
	tracing_put_reply(j, "reply", t->reply.code != 0 ? &t->reply : NULL);
	tracing_put_text(j, "from", view_of(t->reverse_path));
	json_int(j, "octets", (int64_t)end->octets);
	tracing_put_optional(j, "header_from", buf_view(&t->from));
	tracing_put_optional(j, "message_id", buf_view(&t->message_id));
	json_int(j, "receive_ms", (int64_t)end->receive_ms);
	json_int(j, "chain_ms", (int64_t)end->chain_ms);
	json_int(j, "ms", (int64_t)end->total_ms);
}

static bool
write_record(const struct tracing *t, const struct tracing_end *end, struct buf *out)
{
	struct json j;

	json_begin(&j, out);
	json_open(&j, NULL, '{');
	put_session(&j, t);
	put_end(&j, t, end);
	tracing_put_list(&j, "recipients", &t->recipients);
	if (end->has_new_envelope)
		put_envelope(&j, t);
	tracing_put_list(&j, "greeting", &t->greeting);
	tracing_put_list(&j, "helo_calls", &t->helo);
	tracing_put_list(&j, "calls", &t->calls);
	put_upstream(&j, t);
	json_close(&j);
	return json_end(&j) && buf_add_char(out, '\n');
}

static void
drop_lists(struct tracing *t)
{
	tracing_list_drop(&t->greeting);
	tracing_list_drop(&t->helo);
	tracing_list_drop(&t->recipients);
	tracing_list_drop(&t->calls);
	tracing_list_drop(&t->exchanges);
}

void
tracing_end(struct tracing *t, const struct tracing_end *end)
{
	struct buf out;

	if (t == NULL || t->facts == NULL)
		return;
	delivery_observe(t->delivery, NULL);
	settle(t, end);
	buf_init(&out, (size_t)t->config->max_record_octets);
	if (!write_record(t, end, &out)) { /* texts that nearly all had to be escaped */
		drop_lists(t);
		buf_clear(&out);
		if (!write_record(t, end, &out))
			BUG("a record without lists is too large");
	}
	(void)trace_put(t->trace, buf_view(&out));
	buf_finish(&out);
	tracing_list_clear(&t->recipients);
	tracing_list_clear(&t->calls);
	tracing_list_clear(&t->exchanges);
	buf_release(&t->from);
	buf_release(&t->message_id);
	t->facts = NULL;
	t->delivery = NULL;
	t->result = t->by = NULL;
	t->reply.code = 0;
}
