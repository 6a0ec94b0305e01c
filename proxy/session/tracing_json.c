/* SPDX-License-Identifier: MPL-2.0 */
/* From what the chain and the delivery show to JSON; see tracing_json.h. */
#include "proxy/session/tracing_json.h"

#include <stdio.h>

#define CHANGES_MAX 100 /* of one call; further ones are counted */

/* ---- lists ---- */

void
tracing_list_init(struct tracing_list *l, size_t cap)
{
	buf_init(&l->text, cap);
	l->count = l->left_out = l->whole = 0;
}

void
tracing_list_clear(struct tracing_list *l)
{
	buf_release(&l->text);
	l->count = l->left_out = l->whole = 0;
}

void
tracing_list_drop(struct tracing_list *l)
{
	const size_t left_out = l->count + l->left_out;

	tracing_list_clear(l);
	l->left_out = left_out;
}

void
tracing_list_begin(struct tracing_list *l, struct json *j)
{
	json_begin(j, &l->text);
	j->is_full = l->whole > 0 && !buf_add_char(&l->text, ',');
	json_open(j, NULL, '{');
}

void
tracing_list_end(struct tracing_list *l, struct json *j)
{
	json_close(j);
	if (json_end(j)) {
		l->whole = l->text.len;
		l->count++;
	} else {
		l->text.len = l->whole;
		l->left_out++;
	}
}

void
tracing_put_list(struct json *j, const char *key, const struct tracing_list *l)
{
	char left_out[64];

	json_open(j, key, '[');
	json_raw(j, NULL, buf_view(&l->text));
	json_close(j);
	if (l->left_out == 0)
		return;
	(void)snprintf(left_out, sizeof(left_out), "%s_left_out", key);
	json_int(j, left_out, (int64_t)l->left_out);
}

/* ---- pieces ---- */

void
tracing_put_text(struct json *j, const char *key, struct view text)
{
	char cut[TRACING_VALUE_MAX + 3];

	if (text.len <= TRACING_VALUE_MAX) {
		json_view(j, key, text);
		return;
	}
	memcpy(cut, text.p, TRACING_VALUE_MAX);
	memcpy(cut + TRACING_VALUE_MAX, "...", 3);
	json_view(j, key, view_make(cut, sizeof(cut)));
}

void
tracing_put_optional(struct json *j, const char *key, struct view text)
{
	if (text.len > 0)
		tracing_put_text(j, key, text);
}

void
tracing_put_reply(struct json *j, const char *key, const struct smtp_reply *reply)
{
	if (reply == NULL)
		return;
	json_open(j, key, '{');
	json_int(j, "code", reply->code);
	json_str(j, "enhanced", reply->enhanced);
	tracing_put_text(j, "text", view_of(reply->text));
	json_close(j);
}

static void
put_results(struct json *j, const struct chain_record *record)
{
	if (record->result_count == 0)
		return;
	json_open(j, "results", '[');
	for (size_t i = 0; i < record->result_count; i++) {
		const struct authres *r = &record->results[i];

		json_open(j, NULL, '{');
		json_str(j, "method", authres_method_name(r->method));
		json_str(j, "result", authres_result_name(r->result));
		tracing_put_optional(j, "domain", view_of(r->domain));
		tracing_put_optional(j, "reason", view_of(r->reason));
		json_close(j);
	}
	json_close(j);
}

/* Changes on their way into a record. */
struct changes {
	struct json *json;
	bool with_text;
	size_t count;
};

static void
put_change(void *context, enum edit_change change, size_t index, struct view text)
{
	struct changes *c = context;
	const bool is_field = change == CHANGE_ADDED || change == CHANGE_REMOVED;

	if (c->count++ >= CHANGES_MAX)
		return;
	if (is_field && !c->with_text)
		text.len = view_find(text, ':');
	json_open(c->json, NULL, '{');
	json_str(c->json, "change", edit_change_name(change));
	json_int(c->json, "index", (int64_t)index);
	tracing_put_text(c->json, "text", text);
	json_close(c->json);
}

static void
put_changes(struct json *j, const struct chain_record *record, bool with_text)
{
	struct changes c = { .json = j, .with_text = with_text };

	if (record->edits == NULL)
		return;
	json_open(j, "changes", '[');
	edits_describe(record->edits, record->message, record->facts, put_change, &c);
	json_close(j);
	if (c.count > CHANGES_MAX)
		json_int(j, "changes_left_out", (int64_t)(c.count - CHANGES_MAX));
}

/* ---- items ---- */

void
tracing_add_call(struct tracing_list *l, const struct chain_record *record, bool with_text)
{
	struct json j;

	tracing_list_begin(l, &j);
	json_str(&j, "link", record->link);
	json_str(&j, "stage", chain_stage_name(record->stage));
	if (record->recipient != NULL)
		tracing_put_text(&j, "recipient", view_of(record->recipient->address));
	json_str(&j, "verdict", chain_answer_name(record->answer));
	json_str(&j, "mode", record->mode == MODE_SHADOW ? "shadow" : "enforce");
	if (record->answer == LINK_FAIL)
		json_str(&j, "on_error", record->on_error == ON_ERROR_PASS ? "pass" : "defer");
	tracing_put_reply(&j, "reply", record->reply);
	tracing_put_optional(&j, "reason", view_of(record->reason));
	tracing_put_optional(&j, "notes", record->notes);
	put_results(&j, record);
	put_changes(&j, record, with_text);
	json_int(&j, "us", record->took_us);
	tracing_list_end(l, &j);
}

void
tracing_add_exchange(struct tracing_list *l, const struct delivery_event *event)
{
	struct json j;

	tracing_list_begin(l, &j);
	tracing_put_optional(&j, "server", view_of(event->server));
	tracing_put_text(&j, "command", view_of(event->command));
	tracing_put_reply(&j, "reply", event->reply);
	tracing_put_optional(&j, "error", view_of(event->error));
	json_int(&j, "us", event->took_us);
	tracing_list_end(l, &j);
}
