/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate's side of judges; see judge.h. One question is a conversation: the request, as many
 * answers of DNS as the judge asks for, the result. The gate keeps the time: DNS's is the
 * request's own, and between two frames a judge that calculates has a limit of its own.
 */
#include "lib/domain/judge.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/domain/judge_wire.h"

#include <stdatomic.h>

#define QUERIES_MAX 256 /* of one request; an evaluation of SPF has about 120 at most */

struct judge_client {
	struct helper_pool *pool; /* owned */
	int64_t step_ms;
	atomic_bool was_started; /* a judge, ever: from then on the pool replaces it */
};

static _Atomic(struct judge_client *) in_use;

/* One question. */
struct question {
	enum judge_frame kind;
	const struct buf *request;
	const struct message *message; /* NULL: no content follows */
	const struct dns_source *dns;
	int64_t deadline_ms, step_ms;
	/* read - the result; false: it is none. */
	bool (*read)(struct question *q, struct view text);
	struct arena *arena;
	void *out;
};

/* ---- a conversation ---- */

struct content {
	int fd;
	int64_t step_ms;
	struct err *err;
};

static bool
send_piece(void *context, struct view piece)
{
	const struct content *c = context;

	while (piece.len > 0) {
		const struct view chunk = view_make(
		    piece.p, piece.len < JUDGE_CHUNK_MAX ? piece.len : JUDGE_CHUNK_MAX);

		if (!judge_send(
			c->fd, JUDGE_CONTENT, chunk, clock_mono_ms() + c->step_ms, c->err))
			return false;
		piece = view_from(piece, chunk.len);
	}
	return true;
}

static bool
send_message(const struct question *q, int fd, struct err *err)
{
	struct content content = { .fd = fd, .step_ms = q->step_ms, .err = err };

	return message_write(q->message, send_piece, &content) &&
	       judge_send(fd, JUDGE_CONTENT, VIEW(""), clock_mono_ms() + q->step_ms, err);
}

static bool
answer_query(const struct question *q, int fd, struct view text, struct err *err)
{
	struct judge_query query;
	struct dns_answer answer;
	struct arena arena;
	struct buf out;
	bool ok;

	arena_init(&arena);
	buf_init(&out, JUDGE_FRAME_MAX);
	if (judge_read_query(text, &arena, &query)) {
		dns_query(q->dns, query.name, query.type,
		    query.deadline_ms < q->deadline_ms ? query.deadline_ms : q->deadline_ms,
		    &arena, &answer);
		ok = judge_write_answer(&out, &answer) &&
		     judge_send(
			 fd, JUDGE_ANSWER, buf_view(&out), clock_mono_ms() + q->step_ms, err);
	} else {
		ok = err_set(err, ERR_PROTOCOL, "the judge asked what is no question");
	}
	buf_finish(&out);
	arena_finish(&arena);
	return ok;
}

static bool
hear_result(struct question *q, int fd, struct buf *frame, struct err *err)
{
	char kind;

	for (unsigned queries = 0; queries <= QUERIES_MAX; queries++) {
		if (!judge_receive(fd, clock_mono_ms() + q->step_ms, &kind, frame, err))
			return false;
		if (kind == JUDGE_RESULT)
			return q->read(q, buf_view(frame)) ||
			       err_set(err, ERR_PROTOCOL, "the judge's result is none");
		if (kind == JUDGE_UNABLE)
			return err_set(err, ERR_REFUSED, "the judge is not able to");
		if (kind != JUDGE_QUERY)
			return err_set(err, ERR_PROTOCOL, "the judge talks nonsense");
		if (!answer_query(q, fd, buf_view(frame), err))
			return false;
	}
	return err_set(err, ERR_PROTOCOL, "the judge asks without end");
}

static enum turn_outcome
outcome_of(const struct err *err)
{
	if (err->kind == ERR_REFUSED)
		return TURN_GOOD;
	return err->kind == ERR_CLOSED ? TURN_ENDED : TURN_HANGS;
}

static bool
ask_once(struct judge_client *c, struct question *q, struct err *err)
{
	struct helper_turn turn = { 0 };
	enum turn_outcome outcome = TURN_GOOD;
	struct buf frame;
	bool ok = false;

	q->step_ms = c->step_ms;
	if (!atomic_load(&c->was_started)) {
		if (!helper_pool_replace(c->pool, NULL, err))
			return false;
		atomic_store(&c->was_started, true);
	}
	if (!helper_pool_take(c->pool, q->deadline_ms, &turn, err))
		return false;
	buf_init(&frame, JUDGE_FRAME_MAX + 1);
	if (!judge_send(
		turn.fd, q->kind, buf_view(q->request), clock_mono_ms() + q->step_ms, err) ||
	    (q->message != NULL && !send_message(q, turn.fd, err)) ||
	    !hear_result(q, turn.fd, &frame, err))
		outcome = outcome_of(err);
	else
		ok = true;
	buf_finish(&frame);
	helper_pool_give(c->pool, &turn, outcome);
	return ok;
}

/* ask - a judge that ended may have done so over somebody else's question: one more is asked.
 */
static bool
ask(struct question *q, struct err *err)
{
	struct judge_client *c = atomic_load(&in_use);

	return ask_once(c, q, err) || (err->kind == ERR_CLOSED && ask_once(c, q, err));
}

/* ---- SPF ---- */

static bool
read_spf(struct question *q, struct view text)
{
	return judge_read_outcome(text, q->arena, q->out);
}

bool
judge_spf(const struct spf_request *request, struct arena *arena, struct spf_outcome *out)
{
	struct question q = { .kind = JUDGE_SPF,
		.dns = request->dns,
		.deadline_ms = request->deadline_ms,
		.read = read_spf,
		.arena = arena,
		.out = out };
	struct err err = { 0 };
	struct buf text;

	if (atomic_load(&in_use) == NULL)
		return false;
	buf_init(&text, JUDGE_FRAME_MAX);
	q.request = &text;
	if (!judge_write_spf(&text, request) || !ask(&q, &err)) {
		*out = (struct spf_outcome){ .result = AUTHRES_TEMPERROR, .domain = "" };
		(void)view_copy(
		    VIEW("it could not be judged"), out->problem, sizeof(out->problem));
	}
	buf_finish(&text);
	return true;
}

/* ---- DKIM ---- */

static bool
read_dkim(struct question *q, struct view text)
{
	return judge_read_verification(text, q->arena, q->out);
}

/* nothing_known - of any signature there is. */
static void
nothing_known(const struct dkim_verify_request *request, struct dkim_verification *out)
{
	const size_t found = message_count_of(request->message, "DKIM-Signature");
	const size_t count =
	    found < request->max_signatures ? found : (size_t)request->max_signatures;

	*out = (struct dkim_verification){ .count = count, .ignored = found - count };
	for (size_t i = 0; i < count; i++)
		out->signatures[i] = (struct dkim_signature){ .result = AUTHRES_TEMPERROR,
			.verdict = DKIM_INTERNAL,
			.reason = dkim_verdict_text(DKIM_INTERNAL),
			.domain = "",
			.selector = "",
			.algorithm = "",
			.b = "" };
}

bool
judge_dkim(const struct dkim_verify_request *request, struct arena *arena,
    struct dkim_verification *out)
{
	struct question q = { .kind = JUDGE_DKIM,
		.message = request->message,
		.dns = request->dns,
		.deadline_ms = request->deadline_ms,
		.read = read_dkim,
		.arena = arena,
		.out = out };
	struct err err = { 0 };
	struct buf text;

	if (atomic_load(&in_use) == NULL)
		return false;
	if (message_count_of(request->message, "DKIM-Signature") == 0) {
		*out = (struct dkim_verification){ 0 };
		return true;
	}
	buf_init(&text, JUDGE_FRAME_MAX);
	q.request = &text;
	if (!judge_write_dkim(&text, request) || !ask(&q, &err))
		nothing_known(request, out);
	buf_finish(&text);
	return true;
}

/* ---- life ---- */

struct judge_client *
judge_client_create(const struct helper_kind *starter, int64_t step_ms)
{
	struct judge_client *c = mem_calloc(1, sizeof(*c));
	struct helper_kind kind = *starter;

	kind.name = "judge";
	c->pool = helper_pool_create(&kind);
	c->step_ms = step_ms;
	atomic_init(&c->was_started, false);
	return c;
}

bool
judge_client_start(struct judge_client *c, struct err *err)
{
	return helper_pool_start(c->pool, err);
}

void
judge_client_destroy(struct judge_client **c)
{
	if (*c == NULL)
		return;
	helper_pool_destroy(&(*c)->pool);
	mem_free(*c);
	*c = NULL;
}

void
judge_use(struct judge_client *c)
{
	atomic_store(&in_use, c);
}
