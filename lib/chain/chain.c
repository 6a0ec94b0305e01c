/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A chain from the configuration's entries; and the memory that its links have for each session
 * and each transaction. How links run: chain_stage.c.
 */
#include "lib/chain/chain_private.h"

#include "lib/base/mem.h"
#include "lib/chain/link_call.h"

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
	{ .key = "name",
	    .type = CONF_STRING,
	    .offset = offsetof(struct chain_common, name),
	    .help = "Of one group, where the link has a list of them: a chain calls it as "
		    "\"link:name\"." },
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

static bool
slot_setup(struct chain_slot *slot, const struct link_env *env, struct conf_errors *errors)
{
	const struct chain_entry *entry = &slot->entry;
	const struct link *link = entry->link;
	struct link_env own = *env;

	own.name = entry->name;
	if (link->abi != LINK_ABI) {
		conf_error(errors, entry->where, entry->name,
		    "was built for link interface %u, this is %u", (unsigned)link->abi,
		    (unsigned)LINK_ABI);
		return false;
	}
	if (link->fails_closed && entry->on_error != ON_ERROR_DEFER) {
		conf_error(errors, entry->where, entry->name,
		    "on_error must be \"defer\": a link about identity never lets through what "
		    "it "
		    "could not check");
		return false;
	}
	if (link->setup == NULL)
		return true;
	return link->setup(entry->settings, entry->where, &own, &slot->state, errors);
}

/* aligned - size as a multiple of what any type is aligned to. */
static size_t
aligned(size_t size)
{
	const size_t unit = _Alignof(max_align_t);

	return (size + unit - 1) / unit * unit;
}

struct chain *
chain_create(const struct chain_entry *entries, size_t count, const struct link_env *env,
    struct conf_errors *errors)
{
	struct chain *c = mem_calloc(1, sizeof(*c));
	bool ok = true;

	c->dns_time_ms = env->dns_time_ms > 0 ? env->dns_time_ms : INT64_MAX;
	c->upstreams = env->upstreams;
	c->upstream_count = env->upstream_count;
	c->slots = mem_calloc(count > 0 ? count : 1, sizeof(*c->slots));
	for (size_t i = 0; i < count; i++) {
		struct chain_slot *slot = &c->slots[c->count];

		slot->entry = entries[i];
		if (slot->entry.name == NULL)
			slot->entry.name = slot->entry.link->name;
		if (!slot_setup(slot, env, errors)) {
			ok = false; /* go on: all errors are reported at once */
			continue;
		}
		slot->memory_offset = c->memory_size;
		c->memory_size += aligned(slot->entry.link->message_size);
		slot->session_offset = c->session_size;
		c->session_size += aligned(slot->entry.link->session_size);
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

struct chain_session *
chain_session_create(const struct chain *c)
{
	struct chain_session *s;

	if (c->session_size == 0)
		return NULL;
	s = mem_calloc(1, sizeof(*s) + c->session_size);
	s->chain = c;
	return s;
}

void
chain_session_destroy(struct chain_session **s)
{
	if (*s == NULL)
		return;
	for (size_t i = 0; i < (*s)->chain->count; i++) {
		const struct chain_slot *slot = &(*s)->chain->slots[i];

		if (slot->entry.link->session_size > 0 && slot->entry.link->finish != NULL)
			slot->entry.link->finish(slot->state, chain_session_memory(*s, slot));
	}
	mem_free(*s);
	*s = NULL;
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

bool
chain_run_envelope_changed(const struct chain_run *r)
{
	return r->envelope_changed;
}

const char *
chain_run_discard(const struct chain_run *r)
{
	return r->discard;
}

const char *
chain_run_route(const struct chain_run *r)
{
	return r->route;
}

const struct authres *
chain_run_results(const struct chain_run *r, size_t *count_out)
{
	*count_out = r->result_count;
	return r->results;
}
