/* SPDX-License-Identifier: MPL-2.0 */
/* DNS that remembers; see dns_recorder.h. The lock is not held while the inner source is asked.
 */
#include "lib/net/dns_recorder.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/dns_file.h"
#include "lib/net/dns_text.h"

#include <pthread.h>

struct dns_recorder {
	struct dns_source source;
	const struct dns_source *inner;
	pthread_mutex_t lock;		 /* of what stands below */
	struct arena arena;		 /* of the questions */
	struct dns_question **questions; /* owned array */
	size_t count, room;
};

/* ---- copies ---- */

static void
copy_answer(struct dns_recorder *r, const struct dns_answer *from, struct dns_answer *to)
{
	*to = *from;
	to->records = arena_alloc(&r->arena, (from->count + 1) * sizeof(*to->records));
	for (size_t i = 0; i < from->count; i++) {
		to->records[i].preference = from->records[i].preference;
		to->records[i].data = view_make(
		    arena_strdup(&r->arena, from->records[i].data), from->records[i].data.len);
	}
}

static struct dns_question *
add_question(struct dns_recorder *r, const char *name, enum dns_type type, int64_t began_us)
{
	char asked[DNS_NAME_TEXT_MAX];
	struct dns_question *q;

	if (r->count == DNS_RECORDER_MAX || !dns_name_is_valid(view_of(name)) ||
	    !dns_text_name(view_of(name), asked))
		return NULL;
	if (r->count == r->room) {
		r->room = 2 * r->room + 16;
		r->questions =
		    mem_realloc(r->questions, r->room * sizeof(struct dns_question *));
	}
	q = r->questions[r->count++] = arena_alloc(&r->arena, sizeof(*q));
	q->name = arena_strdup(&r->arena, view_of(asked));
	q->type = type;
	q->took_us = clock_mono_us() - began_us;
	return q;
}

/* ---- asking ---- */

static void
query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	struct dns_recorder *r = context;
	const int64_t began_us = clock_mono_us();
	struct dns_question *q;

	r->inner->query(r->inner->context, name, type, deadline_ms, arena, out);
	pthread_mutex_lock(&r->lock);
	q = add_question(r, name, type, began_us);
	if (q != NULL)
		copy_answer(r, out, &q->answer);
	pthread_mutex_unlock(&r->lock);
}

static size_t
query_each(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_server_answer **out)
{
	struct dns_recorder *r = context;
	const int64_t began_us = clock_mono_us();
	struct dns_question *q;
	size_t count = 0;

	if (r->inner->query_each != NULL)
		count = r->inner->query_each(
		    r->inner->context, name, type, deadline_ms, arena, out);
	pthread_mutex_lock(&r->lock);
	q = add_question(r, name, type, began_us);
	if (q != NULL) {
		q->is_each = true;
		q->servers = arena_alloc(&r->arena, (count + 1) * sizeof(*q->servers));
		for (; q->server_count < count; q->server_count++) {
			struct dns_server_answer *to = &q->servers[q->server_count];

			*to = (*out)[q->server_count];
			copy_answer(r, &(*out)[q->server_count].answer, &to->answer);
		}
	}
	pthread_mutex_unlock(&r->lock);
	return count;
}

/* ---- reading ---- */

size_t
dns_recorder_count(struct dns_recorder *r)
{
	size_t count;

	pthread_mutex_lock(&r->lock);
	count = r->count;
	pthread_mutex_unlock(&r->lock);
	return count;
}

const struct dns_question *
dns_recorder_get(struct dns_recorder *r, size_t index)
{
	const struct dns_question *q = NULL;

	pthread_mutex_lock(&r->lock);
	if (index < r->count)
		q = r->questions[index];
	pthread_mutex_unlock(&r->lock);
	return q;
}

static bool
failed(const struct dns_question *q)
{
	return !q->is_each && q->answer.status == DNS_TEMPFAIL;
}

/* is_superseded - the question was asked again, and not in vain. */
static bool
is_superseded(const struct dns_recorder *r, size_t index)
{
	const struct dns_question *q = r->questions[index];

	for (size_t i = index + 1; i < r->count; i++) {
		const struct dns_question *later = r->questions[i];

		if (later->type == q->type && later->is_each == q->is_each &&
		    strcmp(later->name, q->name) == 0 && (!failed(later) || failed(q)))
			return true;
	}
	return false;
}

static bool
print_question(const struct dns_question *q, struct buf *out)
{
	if (!q->is_each)
		return dns_file_print(out, NULL, q->name, q->type, &q->answer);
	if (q->server_count == 0)
		return dns_file_print_unknown(out, q->name, q->type);
	for (size_t i = 0; i < q->server_count; i++) {
		if (!dns_file_print(
			out, q->servers[i].server, q->name, q->type, &q->servers[i].answer))
			return false;
	}
	return true;
}

bool
dns_recorder_print(struct dns_recorder *r, struct buf *out)
{
	bool ok = true;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; ok && i < r->count; i++)
		ok = is_superseded(r, i) || print_question(r->questions[i], out);
	pthread_mutex_unlock(&r->lock);
	return ok;
}

/* ---- life ---- */

const struct dns_source *
dns_recorder_source(const struct dns_recorder *r)
{
	return &r->source;
}

struct dns_recorder *
dns_recorder_create(const struct dns_source *inner)
{
	struct dns_recorder *r = mem_calloc(1, sizeof(*r));

	pthread_mutex_init(&r->lock, NULL);
	arena_init(&r->arena);
	r->inner = inner;
	r->source = (struct dns_source){ query, query_each, r };
	return r;
}

void
dns_recorder_destroy(struct dns_recorder **r)
{
	if (*r == NULL)
		return;
	pthread_mutex_destroy(&(*r)->lock);
	arena_finish(&(*r)->arena);
	mem_free((*r)->questions);
	mem_free(*r);
	*r = NULL;
}
