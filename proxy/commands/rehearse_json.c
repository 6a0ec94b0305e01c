/* SPDX-License-Identifier: MPL-2.0 */
/* A rehearsal as JSON; see rehearse.h. Members are never taken away, only added. */
#include "proxy/commands/rehearse.h"

#include "lib/base/json.h"
#include "lib/net/dns_text.h"
#include "proxy/commands/commands.h"

#define FORMAT 1 /* of the document: another number when a member changes its meaning */

static void
put_reply(struct json *j, const char *key, const struct smtp_reply *reply)
{
	if (reply == NULL) {
		json_str(j, key, NULL);
		return;
	}
	json_open(j, key, '{');
	json_int(j, "code", reply->code);
	json_str(j, "enhanced", reply->enhanced);
	json_str(j, "text", reply->text);
	json_close(j);
}

static void
put_strings(struct json *j, const char *key, const char *const *texts, size_t count)
{
	json_open(j, key, '[');
	for (size_t i = 0; i < count; i++)
		json_str(j, NULL, texts[i]);
	json_close(j);
}

/* ---- DNS ---- */

static void
put_answer(struct json *j, enum dns_type type, const struct dns_answer *answer)
{
	json_str(j, "status", dns_status_name(answer->status));
	json_str(j, "why", answer->why);
	json_int(j, "ttl", answer->ttl_s);
	json_bool(j, "alias", answer->is_alias);
	json_open(j, "records", '[');
	for (size_t i = 0; i < answer->count; i++) {
		struct buf text;

		buf_init(&text, 8 * DNS_TXT_MAX);
		if (dns_text_write(type, &answer->records[i], &text))
			json_view(j, NULL, buf_view(&text));
		buf_finish(&text);
	}
	json_close(j);
}

static void
put_question(struct json *j, const struct dns_question *q)
{
	json_open(j, NULL, '{');
	json_str(j, "name", q->name);
	json_str(j, "type", dns_type_name(q->type));
	json_int(j, "us", q->took_us);
	if (!q->is_each) {
		put_answer(j, q->type, &q->answer);
	} else {
		json_open(j, "servers", '[');
		for (size_t i = 0; i < q->server_count; i++) {
			json_open(j, NULL, '{');
			json_str(j, "server", q->servers[i].server);
			put_answer(j, q->type, &q->servers[i].answer);
			json_close(j);
		}
		json_close(j);
	}
	json_close(j);
}

static void
put_questions(struct json *j, struct dns_recorder *dns, struct rehearsal_questions questions)
{
	json_open(j, "dns", '[');
	for (size_t i = 0; i < questions.count; i++) {
		const struct dns_question *q = dns_recorder_get(dns, questions.first + i);

		if (q != NULL)
			put_question(j, q);
	}
	json_close(j);
}

/* ---- calls ---- */

static void
put_results(struct json *j, const struct authres *results, size_t count)
{
	json_open(j, "results", '[');
	for (size_t i = 0; i < count; i++) {
		const struct authres *r = &results[i];

		json_open(j, NULL, '{');
		json_str(j, "method", authres_method_name(r->method));
		json_str(j, "result", authres_result_name(r->result));
		json_str(j, "domain", r->domain);
		json_str(j, "reason", r->reason);
		json_str(j, "comment", r->comment);
		json_open(j, "properties", '[');
		for (size_t k = 0; k < r->property_count; k++) {
			json_open(j, NULL, '{');
			json_str(j, "type", r->properties[k].type);
			json_str(j, "name", r->properties[k].name);
			json_str(j, "value", r->properties[k].value);
			json_close(j);
		}
		json_close(j);
		json_close(j);
	}
	json_close(j);
}

static void
put_changes(struct json *j, const struct rehearsal_call *call)
{
	json_open(j, "changes", '[');
	for (size_t i = 0; i < call->change_count; i++) {
		json_open(j, NULL, '{');
		json_str(j, "change", edit_change_name(call->changes[i].change));
		json_int(j, "index", (int64_t)call->changes[i].index);
		json_view(j, "text", call->changes[i].text);
		json_close(j);
	}
	json_close(j);
}

static void
put_call(struct json *j, struct dns_recorder *dns, const struct rehearsal_call *call)
{
	json_open(j, NULL, '{');
	json_str(j, "link", call->link);
	json_str(j, "stage", chain_stage_name(call->stage));
	json_str(j, "recipient", call->recipient);
	json_str(j, "verdict", chain_answer_name(call->answer));
	json_str(j, "mode", call->mode == MODE_SHADOW ? "shadow" : "enforce");
	json_str(j, "on_error", call->on_error == ON_ERROR_PASS ? "pass" : "defer");
	json_bool(j, "obeyed", rehearsal_is_obeyed(call));
	put_reply(j, "reply", call->reply);
	json_str(j, "reason", call->reason);
	json_str(j, "notes", call->notes);
	put_questions(j, dns, call->questions);
	put_results(j, call->results, call->result_count);
	put_changes(j, call);
	json_int(j, "us", call->took_us);
	json_close(j);
}

/* ---- the whole ---- */

static void
put_request(struct json *j, const struct rehearse_story *s)
{
	const struct rehearsal_request *request = s->request;
	const struct facts *f = &s->rehearsal->facts;

	json_open(j, "request", '{');
	json_str(j, "role", request->role == ROLE_INBOUND ? "inbound" : "submission");
	json_str(j, "listener", f->listener);
	json_str(j, "login", request->login);
	json_str(j, "backend", request->login != NULL ? f->identity.backend : NULL);
	json_str(j, "client", f->client.text);
	json_str(j, "helo", request->helo);
	json_bool(j, "tls", f->tls.on);
	json_str(j, "from", request->from);
	put_strings(j, "to", request->recipients, request->recipient_count);
	json_int(j, "octets", (int64_t)request->content.len);
	json_close(j);
}

static void
put_recipients(struct json *j, const struct rehearsal *r)
{
	json_open(j, "recipients", '[');
	for (size_t i = 0; i < r->recipient_count; i++) {
		const struct rehearsal_recipient *one = &r->recipients[i];

		json_open(j, NULL, '{');
		json_str(j, "address", one->address);
		json_bool(j, "accepted", smtp_reply_is_ok(&one->reply));
		json_str(j, "by", one->by);
		put_reply(j, "reply", &one->reply);
		json_close(j);
	}
	json_close(j);
}

static void
put_message(struct json *j, const struct rehearsal *r)
{
	if (r->message == NULL) {
		json_str(j, "message", NULL);
		return;
	}
	json_open(j, "message", '{');
	json_str(j, "from", r->reverse_path);
	put_strings(j, "to", r->forward_paths, r->forward_path_count);
	json_int(j, "octets", (int64_t)message_size(r->message));
	json_open(j, "fields", '[');
	for (size_t i = 0; i < message_field_count(r->message); i++) {
		const struct header_field *field = message_field(r->message, i);

		json_open(j, NULL, '{');
		json_view(j, "name", field->name);
		json_view(j, "value", field->body);
		json_close(j);
	}
	json_close(j);
	json_close(j);
}

static void
put_outcome(struct json *j, const struct rehearsal *r)
{
	json_open(j, "outcome", '{');
	json_str(j, "verdict", rehearsal_verdict_name(r->verdict));
	json_str(j, "stage", r->step);
	json_str(j, "by", r->by);
	put_reply(j, "reply", &r->reply);
	json_str(j, "discard", r->discard);
	json_str(j, "upstream", r->upstream);
	json_str(j, "notes", r->notes);
	put_results(j, r->results, r->result_count);
	put_message(j, r);
	json_close(j);
}

bool
rehearse_tell_json(const struct rehearse_story *s, struct buf *out)
{
	const struct rehearsal *r = s->rehearsal;
	struct json j;

	json_begin(&j, out);
	json_open(&j, NULL, '{');
	json_str(&j, "gatepost", GATEPOST_VERSION);
	json_int(&j, "format", FORMAT);
	put_request(&j, s);
	put_strings(&j, "remarks", r->remarks, r->remark_count);
	json_open(&j, "watch", '{');
	put_questions(&j, s->dns, r->watch);
	json_close(&j);
	json_open(&j, "calls", '[');
	for (size_t i = 0; i < r->call_count; i++)
		put_call(&j, s->dns, &r->calls[i]);
	json_close(&j);
	put_strings(&j, "not_asked", r->idle, r->idle_count);
	put_recipients(&j, r);
	put_outcome(&j, r);
	json_close(&j);
	return json_end(&j) && buf_add_char(out, '\n');
}
