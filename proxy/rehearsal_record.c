/* SPDX-License-Identifier: MPL-2.0 */
/* From what the chain shows of a call to what is kept of it; see rehearsal_record.h. */
#include "proxy/rehearsal_record.h"

#include "lib/base/mem.h"

/* ---- changes ---- */

/* Lines of edits_describe on their way into the arena. */
struct gathering {
	struct arena *arena;
	struct rehearsal_change *changes; /* NULL: they are counted only */
	size_t count;
};

static void
gather(void *context, enum edit_change change, size_t index, struct view text)
{
	struct gathering *g = context;

	if (g->changes != NULL)
		g->changes[g->count] =
		    (struct rehearsal_change){ change, index, arena_view(g->arena, text) };
	g->count++;
}

static void
copy_changes(
    const struct chain_record *record, struct arena *arena, struct rehearsal_call *call)
{
	struct gathering g = { .arena = arena };

	if (record->edits == NULL)
		return;
	edits_describe(record->edits, record->message, record->facts, gather, &g);
	g.changes = arena_alloc(arena, (g.count + 1) * sizeof(*g.changes));
	g.count = 0;
	edits_describe(record->edits, record->message, record->facts, gather, &g);
	call->changes = g.changes;
	call->change_count = g.count;
}

/* ---- the rest ---- */

static void
copy_results(
    const struct chain_record *record, struct arena *arena, struct rehearsal_call *call)
{
	struct authres *results =
	    arena_alloc(arena, (record->result_count + 1) * sizeof(*results));

	for (size_t i = 0; i < record->result_count; i++)
		results[i] = authres_copy(&record->results[i], arena);
	call->results = results;
	call->result_count = record->result_count;
}

static const struct smtp_reply *
copy_reply(const struct smtp_reply *from, struct arena *arena)
{
	struct smtp_reply *reply;

	if (from == NULL)
		return NULL;
	reply = arena_alloc(arena, sizeof(*reply));
	*reply = *from;
	return reply;
}

static struct rehearsal_call *
add_call(struct rehearsal *r)
{
	if (r->call_count == REHEARSAL_CALLS_MAX)
		return NULL;
	if (r->call_count == r->call_room) {
		r->call_room = 2 * r->call_room + 16;
		r->calls = mem_realloc(r->calls, r->call_room * sizeof(*r->calls));
	}
	return &r->calls[r->call_count++];
}

static void
before(void *context, const char *link, enum link_stage stage)
{
	struct rehearsal_observer *o = context;

	(void)link;
	(void)stage;
	o->questions_before = dns_recorder_count(o->dns);
}

static void
after(void *context, const struct chain_record *record)
{
	struct rehearsal_observer *o = context;
	struct arena *arena = &o->rehearsal->arena;
	struct rehearsal_call *call = add_call(o->rehearsal);

	if (call == NULL)
		return;
	*call = (struct rehearsal_call){
		.link = arena_strdup(arena, view_of(record->link)),
		.stage = record->stage,
		.recipient = record->recipient != NULL
				 ? arena_strdup(arena, view_of(record->recipient->address))
				 : NULL,
		.answer = record->answer,
		.mode = record->mode,
		.on_error = record->on_error,
		.reply = copy_reply(record->reply, arena),
		.reason = arena_strdup(arena, view_of(record->reason)),
		.notes = arena_strdup(arena, record->notes),
		.questions = { o->questions_before,
		    dns_recorder_count(o->dns) - o->questions_before },
		.took_us = record->took_us,
	};
	copy_changes(record, arena, call);
	copy_results(record, arena, call);
}

void
rehearsal_observe(struct rehearsal_observer *o, struct rehearsal *r, struct dns_recorder *dns)
{
	*o = (struct rehearsal_observer){
		.observer = { before, after, o }, .rehearsal = r, .dns = dns
	};
}

/* ---- for whoever reads it ---- */

void
rehearsal_finish(struct rehearsal *r)
{
	message_destroy(&r->message);
	mem_free(r->calls);
	arena_finish(&r->arena);
}

bool
rehearsal_is_obeyed(const struct rehearsal_call *call)
{
	return call->mode != MODE_SHADOW && call->answer != LINK_FAIL;
}

const char *
rehearsal_verdict_name(enum rehearsal_verdict verdict)
{
	static const char *const names[] = {
		[REHEARSAL_ACCEPTED] = "accepted",
		[REHEARSAL_DISCARDED] = "discarded",
		[REHEARSAL_REFUSED] = "refused",
		[REHEARSAL_DEFERRED] = "deferred",
	};

	return names[verdict];
}
