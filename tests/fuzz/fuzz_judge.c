/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the gate reads of a judge, and a judge of the gate. Invariants: what is taken is in
 * range, and written down anew and read again it is the same.
 */
#include "lib/domain/judge_wire.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void
check_outcome(struct view text, struct arena *arena, struct buf *again)
{
	struct spf_outcome first, second;

	if (!judge_read_outcome(text, arena, &first))
		return;
	check(first.result <= AUTHRES_PERMERROR && first.result != AUTHRES_POLICY, "result");
	check(judge_write_outcome(again, &first) &&
		  judge_read_outcome(buf_view(again), arena, &second),
	    "an outcome that was read can be written and read");
	check(strcmp(first.problem, second.problem) == 0 && first.voids == second.voids,
	    "an outcome stays the same");
}

static void
check_verification(struct view text, struct arena *arena, struct buf *again)
{
	struct dkim_verification first, second;

	if (!judge_read_verification(text, arena, &first))
		return;
	check(first.count <= DKIM_SIGNATURES_MAX, "not too many signatures");
	for (size_t i = 0; i < first.count; i++)
		check((first.signatures[i].result == AUTHRES_PASS) ==
			  (first.signatures[i].verdict == DKIM_GOOD),
		    "only what is good is a pass");
	check(judge_write_verification(again, &first) &&
		  judge_read_verification(buf_view(again), arena, &second) &&
		  second.count == first.count,
	    "a verification stays the same");
}

static void
check_answer(struct view text, struct arena *arena, struct buf *again)
{
	struct dns_answer first, second;

	if (!judge_read_answer(text, arena, &first))
		return;
	check(judge_write_answer(again, &first) &&
		  judge_read_answer(buf_view(again), arena, &second) &&
		  second.count == first.count,
	    "an answer stays the same");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view text = view_make((const char *)data, size);
	struct sockaddr_storage client;
	struct dkim_verify_request dkim;
	struct judge_query query;
	struct spf_request spf;
	struct arena arena;
	struct buf again;

	if (size == 0)
		return 0;
	const unsigned char kind = data[0] % 6;
	text = view_from(text, 1);
	arena_init(&arena);
	buf_init(&again, JUDGE_FRAME_MAX);
	if (kind == 0)
		check_outcome(text, &arena, &again);
	else if (kind == 1)
		check_verification(text, &arena, &again);
	else if (kind == 2)
		check_answer(text, &arena, &again);
	else if (kind == 3 && judge_read_query(text, &arena, &query))
		check(strlen(query.name) < DNS_NAME_TEXT_MAX, "names have a length");
	else if (kind == 4)
		(void)!judge_read_spf(text, &arena, &client, &spf);
	else
		(void)!judge_read_dkim(text, &dkim);
	buf_finish(&again);
	arena_finish(&arena);
	return 0;
}
