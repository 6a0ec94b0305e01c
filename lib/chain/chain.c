/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Runs links: the rules that no link can bend are kept here. A hook gets a call of its own;
 * what it asked for (a reply, edits, notes) lies in that call until the chain has judged its
 * answer.
 */
#include "lib/chain/chain.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/chain/link_call.h"

#include <stddef.h>
#include <stdlib.h>

METRIC_COUNTER(verdicts_total, "gatepost_link_verdicts_total",
    "Answers of links: next, refuse, fail; shadow_ before those that were not obeyed.", "link",
    "stage", "verdict");
METRIC_COUNTER(results_total, "gatepost_results_total",
    "Results of authenticating messages (RFC 8601).", "method", "result");

struct chain_slot {
	struct chain_entry entry;
	void *state;	      /* owned by the link, given back by its teardown */
	size_t memory_offset; /* of its message memory in the run's block */
};

struct chain {
	struct chain_slot *slots; /* owned */
	size_t count;
	size_t memory_size; /* octets of all links' message memory */
	int64_t dns_time_ms;
};

struct chain_run {
	char *memory; /* owned, zeroed */
	struct buf notes;
	struct arena arena;	 /* of the results' texts */
	struct authres *results; /* room for AUTHRES_MAX, in the arena; NULL before the first */
	size_t result_count;
	const char **failed; /* owned: names of links that were passed over */
	size_t failed_count;
	int64_t dns_spent_ms;
};

static const struct conf_choice mode_choices[] = {
	{ "enforce", MODE_ENFORCE },
	{ "shadow", MODE_SHADOW },
	{ NULL, 0 },
};

static const struct conf_choice on_error_choices[] = {
	{ "defer", ON_ERROR_DEFER },
	{ "pass", ON_ERROR_PASS },
	{ NULL, 0 },
};

const struct conf_row chain_common_rows[] = {
	{ .key = "mode",
	    .type = CONF_ENUM,
	    .offset = offsetof(struct chain_common, mode),
	    .fallback = "enforce",
	    .choices = mode_choices,
	    .help =
		"\"shadow\" logs the link's verdict without obeying it and drops its edits." },
	{ .key = "on_error",
	    .type = CONF_ENUM,
	    .offset = offsetof(struct chain_common, on_error),
	    .fallback = "defer",
	    .choices = on_error_choices,
	    .help =
		"What happens when the link cannot decide: the client is asked to try again "
		"later, or the message passes as if the link were not there." },
	{ .key = "timeout",
	    .type = CONF_DURATION,
	    .offset = offsetof(struct chain_common, timeout_ms),
	    .fallback = "30s",
	    .min = 100,
	    .max = 600000,
	    .help =
		"How long one call of the link may take; a longer one counts as an error." },
	{ .key = NULL },
};

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

static bool
slot_setup(struct chain_slot *slot, const struct link_env *env, struct conf_errors *errors)
{
	const struct chain_entry *entry = &slot->entry;
	const struct link *link = entry->link;

	if (link->abi != LINK_ABI) {
		conf_error(errors, entry->where, link->name,
		    "was built for link interface %u, this is %u", (unsigned)link->abi,
		    (unsigned)LINK_ABI);
		return false;
	}
	if (link->fails_closed && entry->on_error != ON_ERROR_DEFER) {
		conf_error(errors, entry->where, link->name,
		    "on_error must be \"defer\": a link about identity never lets through what "
		    "it "
		    "could not check");
		return false;
	}
	if (link->setup == NULL)
		return true;
	return link->setup(entry->settings, entry->where, env, &slot->state, errors);
}

struct chain *
chain_create(const struct chain_entry *entries, size_t count, const struct link_env *env,
    struct conf_errors *errors)
{
	struct chain *c = mem_calloc(1, sizeof(*c));
	const size_t unit = _Alignof(max_align_t);
	bool ok = true;

	c->dns_time_ms = env->dns_time_ms > 0 ? env->dns_time_ms : INT64_MAX;
	c->slots = mem_calloc(count > 0 ? count : 1, sizeof(*c->slots));
	for (size_t i = 0; i < count; i++) {
		struct chain_slot *slot = &c->slots[c->count];

		slot->entry = entries[i];
		if (!slot_setup(slot, env, errors)) {
			ok = false; /* go on: all errors are reported at once */
			continue;
		}
		slot->memory_offset = c->memory_size;
		c->memory_size += (slot->entry.link->message_size + unit - 1) / unit * unit;
		c->count++;
	}
	if (!ok)
		chain_destroy(&c);
	return c;
}

void
chain_destroy(struct chain **c)
{
	if (*c == NULL)
		return;
	for (size_t i = 0; i < (*c)->count; i++) {
		const struct chain_slot *slot = &(*c)->slots[i];

		if (slot->entry.link->teardown != NULL)
			slot->entry.link->teardown(slot->state);
	}
	mem_free((*c)->slots);
	mem_free(*c);
	*c = NULL;
}

struct chain_run *
chain_run_create(const struct chain *c)
{
	struct chain_run *r = mem_calloc(1, sizeof(*r));

	r->memory = mem_calloc(c->memory_size + 1, 1);
	r->failed = mem_calloc(c->count + 1, sizeof(*r->failed));
	buf_init(&r->notes, LINK_NOTES_MAX);
	arena_init(&r->arena);
	return r;
}

void
chain_run_destroy(struct chain_run **r)
{
	if (*r == NULL)
		return;
	buf_finish(&(*r)->notes);
	arena_finish(&(*r)->arena);
	mem_free((*r)->memory);
	mem_free((*r)->failed);
	mem_free(*r);
	*r = NULL;
}

struct view
chain_run_notes(const struct chain_run *r)
{
	return buf_view(&r->notes);
}

const struct authres *
chain_run_results(const struct chain_run *r, size_t *count_out)
{
	*count_out = r->result_count;
	return r->results;
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
	if (answer == LINK_NEXT && clock_mono_ms() > call->deadline_ms)
		return link_fail(
		    call, "took longer than its limit of %lld ms", (long long)timeout_ms);
	if (answer == LINK_FAIL && call->failure.kind == ERR_NONE)
		return link_fail(call, "failed without a reason");
	return answer;
}

static const char *
answer_name(enum link_answer answer)
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

static void
count_verdict(const struct link_call *call, enum link_answer answer, bool is_shadow)
{
	static const char *const shadow_names[] = {
		[LINK_NEXT] = "shadow_next",
		[LINK_REFUSE] = "shadow_refuse",
		[LINK_FAIL] = "shadow_fail",
	};

	metric_add(&verdicts_total, 1,
	    METRIC_LABELS(call->link->name, stage_names[call->stage],
		is_shadow ? shadow_names[answer] : answer_name(answer)));
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
	log_event(level, event, id_field(call->facts), LOG_STR("link", call->link->name),
	    LOG_STR("stage", stage_names[call->stage]), LOG_STR("verdict", answer_name(answer)),
	    LOG_OPT("reply", reply), LOG_OPT("reason", call->failure.text),
	    LOG_OPT("on_error", answer != LINK_FAIL || is_shadow   ? ""
				: entry->on_error == ON_ERROR_PASS ? "pass"
								   : "defer"),
	    (struct log_field){ .key = "notes",
		.type = notes.len > 0 ? LOG_TYPE_TEXT : LOG_TYPE_NONE,
		.text = notes });
}

/* call_commit - the link's edits become the message's. Anything but an added field is worth a
 * line. */
static void
call_commit(struct link_call *call, struct message *message)
{
	size_t prepended, removed, replaced;

	if (call->edits == NULL || edits_is_empty(call->edits))
		return;
	edits_count(call->edits, &prepended, &removed, &replaced);
	log_event(removed + replaced > 0 ? LEVEL_INFO : LEVEL_DEBUG, "link.edit",
	    id_field(call->facts), LOG_STR("link", call->link->name),
	    LOG_U64("added", prepended), LOG_U64("removed", removed),
	    LOG_U64("replaced", replaced));
	message_commit(message, call->edits);
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

/* call_obey - true: the stage goes on. */
static bool
call_obey(struct link_call *call, enum link_answer answer, const struct chain_entry *entry,
    struct chain_run *run, struct message *message, struct smtp_reply *reply_out)
{
	count_verdict(call, answer, entry->mode == MODE_SHADOW);
	log_verdict(call, answer, entry);
	if (entry->mode == MODE_SHADOW)
		return true;
	if (answer != LINK_FAIL) {
		call_keep_notes(call, run);
		call_keep_results(call, run);
	}
	if (answer == LINK_NEXT)
		call_commit(call, message);
	if (answer == LINK_REFUSE)
		*reply_out = call->reply;
	if (answer != LINK_FAIL)
		return answer == LINK_NEXT;
	if (entry->on_error == ON_ERROR_PASS) {
		call_keep_failure(call, run);
		return true;
	}
	smtp_reply_set(reply_out, call->stage == STAGE_CONNECT ? 421 : 451, "4.3.0",
	    "%s cannot be checked right now, please try again later", call->link->name);
	return false;
}

bool
chain_run_stage(const struct chain *c, struct chain_run *run, enum link_stage stage,
    const struct facts *facts, const struct recipient *recipient, struct message *message,
    struct smtp_reply *reply_out)
{
	bool go_on = true;

	for (size_t i = 0; i < c->count && go_on; i++) {
		const struct chain_slot *slot = &c->slots[i];
		const struct chain_entry *entry = &slot->entry;
		const link_hook hook = slot_hook(slot, stage);
		struct link_call call = {
			.link = entry->link,
			.stage = stage,
			.is_shadow = entry->mode == MODE_SHADOW,
			.facts = facts,
			.settings = entry->settings,
			.state = slot->state,
			.memory = run != NULL ? run->memory + slot->memory_offset : NULL,
			.recipient = recipient,
			.message = message,
			.earlier = run != NULL ? run->results : NULL,
			.earlier_count = run != NULL ? run->result_count : 0,
			.failed = run != NULL ? run->failed : NULL,
			.failed_count = run != NULL ? run->failed_count : 0,
			.dns_left_ms = c->dns_time_ms - (run != NULL ? run->dns_spent_ms : 0),
		};

		if (hook == NULL)
			continue;
		call.began_ms = clock_mono_ms();
		call.deadline_ms = call.began_ms + entry->timeout_ms;
		arena_init(&call.arena);
		buf_init(&call.notes, LINK_NOTES_MAX);
		go_on = call_obey(&call, call_judge(&call, hook(&call), entry->timeout_ms),
		    entry, run, message, reply_out);
		if (run != NULL && call.waits_for_dns)
			run->dns_spent_ms += clock_mono_ms() - call.began_ms;
		edits_destroy(&call.edits);
		buf_finish(&call.notes);
		arena_finish(&call.arena);
	}
	return go_on;
}
