/* SPDX-License-Identifier: MPL-2.0 */
/* The judge's side; see judge.h. One thread for each connection, nothing is shared. */
#include "lib/domain/judge.h"

#include "lib/base/clock.h"
#include "lib/domain/judge_wire.h"

/* One connection. */
struct seat {
	int fd;
	struct buf frame; /* what came last */
	bool is_broken;	  /* the gate is gone, or talks nonsense */
};

static bool
hear(struct seat *s, char wanted)
{
	char kind = '\0';

	s->is_broken = s->is_broken ||
		       !judge_receive(s->fd, CLOCK_NEVER, &kind, &s->frame, NULL) ||
		       (wanted != '\0' && kind != wanted);
	return !s->is_broken;
}

static void
say(struct seat *s, enum judge_frame kind, const struct buf *text)
{
	s->is_broken =
	    s->is_broken || !judge_send(s->fd, kind, buf_view(text), CLOCK_NEVER, NULL);
}

/* query - DNS, by way of the gate. */
static void
query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	const struct judge_query wanted = { name, type, deadline_ms };
	struct seat *s = context;
	struct buf text;

	buf_init(&text, JUDGE_FRAME_MAX);
	if (!judge_write_query(&text, &wanted))
		s->is_broken = true;
	say(s, JUDGE_QUERY, &text);
	buf_finish(&text);
	if (hear(s, JUDGE_ANSWER) && judge_read_answer(buf_view(&s->frame), arena, out))
		return;
	s->is_broken = true;
	*out = (struct dns_answer){ .status = DNS_TEMPFAIL, .why = "the gate is gone" };
}

static void
answer_spf(struct seat *s, struct arena *arena)
{
	const struct dns_source dns = { .query = query, .context = s };
	struct sockaddr_storage client;
	struct spf_request request;
	struct spf_outcome outcome;
	struct buf text;

	if (!judge_read_spf(buf_view(&s->frame), arena, &client, &request)) {
		s->is_broken = true;
		return;
	}
	request.dns = &dns;
	spf_evaluate(&request, arena, &outcome);
	buf_init(&text, JUDGE_FRAME_MAX);
	s->is_broken = s->is_broken || !judge_write_outcome(&text, &outcome);
	say(s, JUDGE_RESULT, &text);
	buf_finish(&text);
}

/* read_message - the content that follows a request; NULL: it does not come, or is none. */
static struct message *
read_message(struct seat *s)
{
	const struct body_limits limits = {
		.temp_dir = "/", .memory_octets = SIZE_MAX, .max_octets = UINT64_MAX
	};
	struct body_store *store = body_create(&limits);
	struct message *message = NULL;
	size_t line;

	while (hear(s, JUDGE_CONTENT) && s->frame.len > 0)
		s->is_broken = !body_append(store, buf_view(&s->frame), NULL);
	if (s->is_broken || !body_seal(store, NULL) ||
	    message_create(&store, &message, &line) != MESSAGE_OK)
		message = NULL;
	body_destroy(&store);
	return message;
}

static void
answer_dkim(struct seat *s, struct arena *arena)
{
	const struct dns_source dns = { .query = query, .context = s };
	struct dkim_verify_request request;
	struct dkim_verification verification;
	struct message *message;
	struct buf text;

	if (!judge_read_dkim(buf_view(&s->frame), &request)) {
		s->is_broken = true;
		return;
	}
	message = read_message(s);
	buf_init(&text, JUDGE_FRAME_MAX);
	if (message != NULL) {
		request.dns = &dns;
		request.message = message;
		dkim_verify_message(&request, arena, &verification);
		s->is_broken = s->is_broken || !judge_write_verification(&text, &verification);
	}
	say(s, message != NULL ? JUDGE_RESULT : JUDGE_UNABLE, &text);
	buf_finish(&text);
	message_destroy(&message);
}

void
judge_serve(int fd)
{
	struct seat s = { .fd = fd };
	struct arena arena;
	char kind;

	buf_init(&s.frame, JUDGE_FRAME_MAX + 1);
	while (!s.is_broken && judge_receive(fd, CLOCK_NEVER, &kind, &s.frame, NULL)) {
		arena_init(&arena);
		if (kind == JUDGE_SPF)
			answer_spf(&s, &arena);
		else if (kind == JUDGE_DKIM)
			answer_dkim(&s, &arena);
		else
			s.is_broken = true;
		arena_finish(&arena);
		buf_release(&s.frame);
	}
	buf_finish(&s.frame);
}
