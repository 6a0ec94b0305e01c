/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Runs links: the rules that no link can bend are kept here. A hook gets a call of its own;
 * what it asked for (a reply, edits, notes) lies in that call until the chain has judged its
 * answer.
 */
#include "lib/chain/chain_private.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/chain/link_call.h"
#include "lib/mail/envelope.h"

#include <string.h>

METRIC_COUNTER(verdicts_total, "gatepost_link_verdicts_total",
    "Answers of links: next, refuse, fail; shadow_ before those that were not obeyed.", "link",
    "stage", "verdict");
METRIC_COUNTER(results_total, "gatepost_results_total",
    "Results of authenticating messages (RFC 8601).", "method", "result");

static const char *const stage_names[] = {
	[STAGE_CONNECT] = "connect",
	[STAGE_HELO] = "helo",
	[STAGE_MAIL] = "mail",
	[STAGE_RCPT] = "rcpt",
	[STAGE_MESSAGE] = "message",
};

typedef enum link_answer (*link_hook)(struct link_call *call);

static link_hook
slot_hook(const struct chain_slot *slot, enum link_stage stage)
{
	const struct link *link = slot->entry.link;

	switch (stage) {
	case STAGE_CONNECT:
		return link->connect;
	case STAGE_HELO:
		return link->helo;
	case STAGE_MAIL:
		return link->mail;
	case STAGE_RCPT:
		return link->rcpt;
	case STAGE_MESSAGE:
		return link->message;
	}
	BUG("stage %d", (int)stage);
}

const char *
chain_stage_name(enum link_stage stage)
{
	return stage_names[stage];
}

const char *
chain_answer_name(enum link_answer answer)
{
	switch (answer) {
	case LINK_NEXT:
		return "next";
	case LINK_REFUSE:
		return "refuse";
	case LINK_FAIL:
		return "fail";
	}
	BUG("answer %d", (int)answer);
}

static struct log_field
id_field(const struct facts *facts)
{
	const bool in_transaction = facts->message_id != NULL && facts->message_id[0] != '\0';

	return LOG_STR("id", in_transaction ? facts->message_id : facts->session_id);
}

/* call_judge - what the hook's answer comes to, now that its time is known. */
static enum link_answer
call_judge(struct link_call *call, enum link_answer answer, int64_t timeout_ms)
{
	if (answer == LINK_REFUSE && call->reply.code == 0)
		BUG("link %s refuses without a reply", call->link->name);
	if (answer == LINK_NEXT && clock_mono_coarse_ms() > call->deadline_ms)
		return link_fail(
		    call, "took longer than its limit of %lld ms", (long long)timeout_ms);
	if (answer == LINK_FAIL && call->failure.kind == ERR_NONE)
		return link_fail(call, "failed without a reason");
	return answer;
}

static const char *
verdict_name(enum link_answer answer, bool is_shadow)
{
	static const char *const shadow_names[] = {
		[LINK_NEXT] = "shadow_next",
		[LINK_REFUSE] = "shadow_refuse",
		[LINK_FAIL] = "shadow_fail",
	};

	return is_shadow ? shadow_names[answer] : chain_answer_name(answer);
}

/* count_verdict - NEXT, which most of them are, without looking for its series each time. */
static void
count_verdict(const struct link_call *call, enum link_answer answer, struct chain_slot *slot)
{
	metric_cell *_Atomic *kept = &slot->next_cells[call->stage];
	metric_cell *cell =
	    answer == LINK_NEXT ? atomic_load_explicit(kept, memory_order_acquire) : NULL;

	if (cell == NULL)
		cell = metric_find_cell(&verdicts_total,
		    METRIC_LABELS(call->name, stage_names[call->stage],
			verdict_name(answer, slot->entry.mode == MODE_SHADOW)));
	if (answer == LINK_NEXT)
		atomic_store_explicit(kept, cell, memory_order_release); /* with its zero */
	metric_count(cell);
}

/* log_verdict - every verdict that is not a plain NEXT; and what a shadow would have changed.
 */
static void
log_verdict(
    const struct link_call *call, enum link_answer answer, const struct chain_entry *entry)
{
	const bool is_shadow = entry->mode == MODE_SHADOW;
	const char *event = answer == LINK_REFUSE ? "link.refuse" : "link.fail";
	enum log_level level = answer == LINK_FAIL ? LEVEL_WARNING : LEVEL_INFO;
	char reply[200] = "";
	struct view notes = VIEW("");

	if (answer == LINK_NEXT && !is_shadow)
		return;
	if (is_shadow) {
		const bool wants_edits = call->edits != NULL && !edits_is_empty(call->edits);

		event = "link.shadow";
		notes = buf_view(&call->notes);
		if (answer == LINK_NEXT && !wants_edits)
			level = LEVEL_DEBUG;
	}
	if (answer == LINK_REFUSE)
		smtp_reply_log_text(&call->reply, reply, sizeof(reply));
	log_event(level, event, id_field(call->facts), LOG_STR("link", call->name),
	    LOG_STR("stage", stage_names[call->stage]),
	    LOG_STR("verdict", chain_answer_name(answer)), LOG_OPT("reply", reply),
	    LOG_OPT("reason", call->failure.text),
	    LOG_OPT("on_error", answer != LINK_FAIL || is_shadow   ? ""
				: entry->on_error == ON_ERROR_PASS ? "pass"
								   : "defer"),
	    (struct log_field){ .key = "notes",
		.type = notes.len > 0 ? LOG_TYPE_TEXT : LOG_TYPE_NONE,
		.text = notes });
}

static void
commit_envelope(struct link_call *call, struct chain_run *run, struct facts *facts)
{
	const struct envelope_edits *e = edits_envelope(call->edits);

	if (envelope_is_empty(e))
		return;
	log_event(LEVEL_INFO, "link.envelope", id_field(facts), LOG_STR("link", call->name),
	    LOG_OPT("from", e->has_sender ? e->sender_text : NULL),
	    LOG_U64("added", e->added_count), LOG_U64("removed", e->removed_count),
	    LOG_OPT("discard", e->discard));
	if (envelope_apply(e, facts, &run->arena))
		run->envelope_changed = true;
	if (e->discard != NULL && run->discard == NULL)
		run->discard = arena_printf(&run->arena, "%s: %s", call->name, e->discard);
}

/* call_commit - the link's edits become the message's. Anything but an added field is worth a
 * line. */
static void
call_commit(struct link_call *call, struct chain_run *run, const struct chain_work *work)
{
	size_t added, removed, replaced;
	bool has_body;

	if (call->edits == NULL || edits_is_empty(call->edits))
		return;
	has_body = edits_has_body(call->edits);
	commit_envelope(call, run, work->facts);
	edits_count(call->edits, &added, &removed, &replaced);
	if (added + removed + replaced > 0 || has_body)
		log_event(removed + replaced > 0 || has_body ? LEVEL_INFO : LEVEL_DEBUG,
		    "link.edit", id_field(call->facts), LOG_STR("link", call->name),
		    LOG_U64("added", added), LOG_U64("removed", removed),
		    LOG_U64("replaced", replaced), LOG_OPT("body", has_body ? "replaced" : ""));
	message_commit(work->message, call->edits);
}

static void
call_keep_notes(const struct link_call *call, struct chain_run *run)
{
	const struct view notes = buf_view(&call->notes);

	if (run == NULL || notes.len == 0)
		return;
	if (!buf_printf(&run->notes, "%s%.*s", run->notes.len > 0 ? " " : "", VIEW_ARG(notes)))
		return; /* over the cap: left out, whole */
}

static void
call_keep_results(const struct link_call *call, struct chain_run *run)
{
	if (run != NULL && call->result_count > 0 && run->results == NULL)
		run->results = arena_alloc(&run->arena, AUTHRES_MAX * sizeof(*run->results));
	for (size_t i = 0; run != NULL && i < call->result_count; i++) {
		if (run->result_count == AUTHRES_MAX)
			return; /* hostile mail has many: the first ones count */
		metric_add(&results_total, 1,
		    METRIC_LABELS(authres_method_name(call->results[i].method),
			authres_result_name(call->results[i].result)));
		run->results[run->result_count++] =
		    authres_copy(&call->results[i], &run->arena);
	}
}

/* call_keep_failure - once for a link, however often its hooks fail. */
static void
call_keep_failure(const struct link_call *call, struct chain_run *run)
{
	if (run != NULL && !link_has_failed(call, call->link->name))
		run->failed[run->failed_count++] = call->link->name;
}

static void
call_record(const struct link_call *call, enum link_answer answer,
    const struct chain_entry *entry, const struct chain_work *work, int64_t began_us)
{
	const struct chain_record record = {
		.link = call->name,
		.stage = call->stage,
		.answer = answer,
		.mode = entry->mode,
		.on_error = entry->on_error,
		.recipient = call->recipient,
		.reply = answer == LINK_REFUSE ? &call->reply : NULL,
		.reason = answer == LINK_FAIL ? call->failure.text : "",
		.notes = buf_view(&call->notes),
		.edits =
		    call->edits != NULL && !edits_is_empty(call->edits) ? call->edits : NULL,
		.message = call->message,
		.facts = call->facts,
		.results = call->results,
		.result_count = call->result_count,
		.took_us = clock_mono_us() - began_us,
	};

	work->observer->after(work->observer->context, &record);
}

/* call_obey - true: the stage goes on. */
static bool
call_obey(struct link_call *call, enum link_answer answer, struct chain_slot *slot,
    struct chain_run *run, const struct chain_work *work, struct smtp_reply *reply_out)
{
	const struct chain_entry *entry = &slot->entry;

	count_verdict(call, answer, slot);
	log_verdict(call, answer, entry);
	if (entry->mode == MODE_SHADOW)
		return true;
	if (answer != LINK_FAIL) {
		call_keep_notes(call, run);
		call_keep_results(call, run);
	}
	if (answer == LINK_NEXT)
		call_commit(call, run, work);
	if (answer == LINK_NEXT && call->route != NULL)
		run->route = call->route;
	if (answer == LINK_REFUSE)
		*reply_out = call->reply;
	if (answer != LINK_FAIL)
		return answer == LINK_NEXT;
	if (entry->on_error == ON_ERROR_PASS) {
		call_keep_failure(call, run);
		return true;
	}
	smtp_reply_set(reply_out, call->stage == STAGE_CONNECT ? 421 : 451, "4.3.0",
	    "%s cannot be checked right now, please try again later", call->name);
	return false;
}

/* call_begin - all but what is large: see struct link_call. */
static void
call_begin(struct link_call *call, const struct chain *c, const struct chain_slot *slot,
    struct chain_run *run, enum link_stage stage, const struct chain_work *work)
{
	memset(call, 0, offsetof(struct link_call, reply));
	call->reply.code = 0;
	call->link = slot->entry.link;
	call->name = slot->entry.name;
	call->stage = stage;
	call->is_shadow = slot->entry.mode == MODE_SHADOW;
	call->is_rehearsal = work->is_rehearsal;
	call->facts = work->facts;
	call->settings = slot->entry.settings;
	call->state = slot->state;
	call->session_memory = chain_session_memory(work->session, slot);
	call->recipient = work->recipient;
	call->message = work->message;
	call->dns_left_ms = c->dns_time_ms;
	call->upstreams = c->upstreams;
	call->upstream_count = c->upstream_count;
	if (run != NULL) {
		call->memory = run->memory + slot->memory_offset;
		call->earlier = run->results;
		call->earlier_count = run->result_count;
		call->failed = run->failed;
		call->failed_count = run->failed_count;
		call->dns_left_ms -= run->dns_spent_ms;
	}
	arena_init(&call->arena);
	buf_init(&call->notes, LINK_NOTES_MAX);
	call->began_ms = clock_mono_coarse_ms();
	call->deadline_ms = call->began_ms + slot->entry.timeout_ms;
}

static void
call_finish(struct link_call *call, struct chain_run *run)
{
	if (run != NULL && call->waits_for_dns)
		run->dns_spent_ms += clock_mono_coarse_ms() - call->began_ms;
	edits_destroy(&call->edits);
	buf_finish(&call->notes);
	arena_finish(&call->arena);
}

/* call_hook - the hook's answer, judged; who looks on is told. */
static enum link_answer
call_hook(struct link_call *call, link_hook hook, const struct chain_entry *entry,
    const struct chain_work *work)
{
	const struct chain_observer *observer = work->observer;
	int64_t began_us;
	enum link_answer answer;

	if (observer == NULL)
		return call_judge(call, hook(call), entry->timeout_ms);
	if (observer->before != NULL)
		observer->before(observer->context, call->name, call->stage);
	began_us = clock_mono_us();
	answer = call_judge(call, hook(call), entry->timeout_ms);
	if (observer->after != NULL)
		call_record(call, answer, entry, work, began_us);
	return answer;
}

bool
chain_run_stage(const struct chain *c, struct chain_run *run, enum link_stage stage,
    const struct chain_work *work, struct smtp_reply *reply_out)
{
	bool go_on = true;

	for (size_t i = 0; i < c->count && go_on; i++) {
		struct chain_slot *slot = &c->slots[i];
		const link_hook hook = slot_hook(slot, stage);
		struct link_call call;

		if (hook == NULL)
			continue;
		call_begin(&call, c, slot, run, stage, work);
		go_on = call_obey(&call, call_hook(&call, hook, &slot->entry, work), slot, run,
		    work, reply_out);
		call_finish(&call, run);
	}
	return go_on;
}
