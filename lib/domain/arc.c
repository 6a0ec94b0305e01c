/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The chain, in the order of RFC 8617 5.2: the sets and their structure, the newest message
 * signature, the seals from the newest down; and, for a chain that holds, how far back message
 * signatures still verify. Seals come before older signatures here, so that a forged chain
 * costs the fewest look-ups.
 *
 * RFC 8617 5.2.1 makes DNS trouble a failure for good. To a seal that would be added it is; we
 * add none, and tell it apart in the result.
 */
#include "lib/domain/arc_private.h"

#include <stdio.h>

/* Always the result. */
static enum authres_result
explain(struct arc_outcome *out, const char *what, unsigned instance, const char *why,
    enum authres_result result)
{
	if (result != AUTHRES_PASS)
		snprintf(out->reason, sizeof(out->reason), "%s of instance %u: %s", what,
		    instance, why);
	return result;
}

static enum authres_result
check_newest_signature(struct arc_run *run, struct arc_outcome *out)
{
	const unsigned newest = run->sets.count;
	struct arc_tags tags;
	const char *why = "";
	const enum authres_result result = arc_check_signature(run, newest, &tags, &why);

	return explain(out, "ARC-Message-Signature", newest, why, result);
}

static enum authres_result
check_seals(struct arc_run *run, struct arc_outcome *out)
{
	for (unsigned i = run->sets.count; i > 0; i--) {
		struct arc_set *set = &out->sets[i - 1];
		struct arc_tags tags;
		const char *why = "";
		const enum authres_result result = arc_check_seal(run, i, &tags, &why);

		if (result != AUTHRES_PASS)
			return explain(out, "ARC-Seal", i, why, result);
		set->seal_domain = tags.domain;
		set->seal_selector = tags.selector;
	}
	return AUTHRES_PASS;
}

/* RFC 8617 5.2 step 5. One that cannot be checked counts as one that fails. */
static void
find_oldest_pass(struct arc_run *run, struct arc_outcome *out)
{
	for (unsigned i = run->sets.count - 1; i > 0; i--) {
		struct arc_tags tags;
		const char *why;

		if (arc_check_signature(run, i, &tags, &why) != AUTHRES_PASS) {
			out->oldest_pass = i + 1;
			return;
		}
	}
	out->oldest_pass = 0;
}

/* Folds become blanks. */
static const char *
unfold(struct view v, struct arena *arena)
{
	char *text = arena_strdup(arena, view_trim(v));
	size_t len = 0;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p != '\r' && *p != '\n')
			text[len++] = *p;
	}
	text[len] = '\0';
	return text;
}

static void
describe_sets(struct arc_run *run, struct arc_outcome *out)
{
	for (unsigned i = 1; i <= run->sets.count; i++) {
		const struct arc_fields *fields = &run->sets.fields[i];
		struct arc_set *set = &out->sets[i - 1];
		struct arc_tags tags;
		const char *why;

		set->results = unfold(fields->results, run->arena);
		set->signature_domain = arc_tags_read(fields->field[ARC_SIGNATURE],
					    ARC_SIGNATURE, 0, run->arena, &tags, &why)
					    ? tags.domain
					    : "";
	}
}

void
arc_verify_message(
    const struct arc_request *request, struct arena *arena, struct arc_outcome *out)
{
	struct arc_run *run = arena_alloc(arena, sizeof(*run));

	*out = (struct arc_outcome){ .result = AUTHRES_FAIL };
	run->request = request;
	run->arena = arena;
	if (!arc_sets_collect(request->message, request->max_sets, &run->sets, out->reason))
		return;
	if (run->sets.count == 0) {
		out->result = AUTHRES_NONE;
		return;
	}
	out->sets = arena_alloc(arena, run->sets.count * sizeof(*out->sets));
	out->result = check_newest_signature(run, out);
	if (out->result == AUTHRES_PASS)
		out->result = check_seals(run, out);
	if (out->result != AUTHRES_PASS) {
		out->sets = NULL;
		return;
	}
	out->set_count = run->sets.count;
	find_oldest_pass(run, out);
	describe_sets(run, out);
}
