/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The message, told to a milter as it is at this point of the chain: DATA, the fields, the end
 * of the header, the body in chunks, its end. Our own Received field is not shown, as Sendmail
 * and Postfix do not show theirs.
 */
#include "filters/milter_private.h"

#include "lib/milter/milter_changes.h"

#define BODY_MEMORY (256 * 1024) /* octets of a new body before it goes to a file */

static bool
contains(struct view text, struct view part)
{
	for (size_t i = 0; i + part.len <= text.len; i++) {
		if (memcmp(text.p + i, part.p, part.len) == 0)
			return true;
	}
	return false;
}

/* find_own_received - the field that the gate has put in for this message; SIZE_MAX: none. */
static size_t
find_own_received(struct milter_talk *t)
{
	const struct message *m = link_message(t->call);
	const struct view id = view_of(
	    arena_printf(link_arena(t->call), "id %s", link_facts(t->call)->message_id));
	size_t at = message_find(m, "Received", 0);

	while (at != SIZE_MAX) {
		const struct view body = message_field(m, at)->body;

		if (contains(body, VIEW("(Gatepost)")) && contains(body, id))
			break;
		at = message_find(m, "Received", at + 1);
	}
	return at;
}

/* value_of - of a field, folds with LF alone, as milters know them. */
static struct view
value_of(struct milter_talk *t, const struct header_field *field)
{
	struct view body = field->body;
	char *text, *p;

	if (body.len > 0 && body.p[0] == ' ' &&
	    !milter_conn_has_leading_space(t->session->conn))
		body = view_from(body, 1);
	if (view_find(body, '\r') == body.len)
		return body;
	p = text = arena_alloc(link_arena(t->call), body.len);
	for (size_t i = 0; i < body.len; i++) {
		if (body.p[i] != '\r')
			*p++ = body.p[i];
	}
	return view_make(text, (size_t)(p - text));
}

static enum milter_verdict
say_header(struct milter_talk *t, size_t hidden)
{
	const struct message *m = link_message(t->call);
	enum milter_verdict verdict = MILTER_SAYS_GO_ON;

	for (size_t i = 0; i < message_field_count(m) && verdict == MILTER_SAYS_GO_ON; i++) {
		const struct header_field *field = message_field(m, i);
		const struct view strings[] = { field->name, value_of(t, field) };

		if (i == hidden)
			continue;
		if (!milter_conn_wants(t->session->conn, MILTER_HEADER))
			break;
		t->event = MILTER_HEADER;
		verdict = milter_conn_strings(
		    t->session->conn, &t->ask, MILTER_HEADER, strings, ARRAY_LEN(strings));
	}
	return verdict;
}

static enum milter_verdict
say_body(struct milter_talk *t)
{
	struct view rest = message_body(link_message(t->call));
	enum milter_verdict verdict = MILTER_SAYS_GO_ON;

	while (rest.len > 0 && verdict == MILTER_SAYS_GO_ON &&
	       milter_conn_wants(t->session->conn, MILTER_BODY)) {
		const size_t len = rest.len < MILTER_DATA_MAX ? rest.len : MILTER_DATA_MAX;

		t->event = MILTER_BODY;
		verdict = milter_conn_octets(
		    t->session->conn, &t->ask, MILTER_BODY, view_make(rest.p, len));
		rest = view_from(rest, len);
	}
	return verdict;
}

static enum milter_verdict
say_bare(struct milter_talk *t, char command)
{
	t->event = command;
	return milter_conn_octets(t->session->conn, &t->ask, command, VIEW(""));
}

static bool
take_change(void *context, const struct milter_reply *reply, struct err *err)
{
	struct milter_talk *t = context;

	return milter_changes_add(t->changes, reply, err);
}

/* begin_changes - none yet; those of an attempt before this one are void. */
static void
begin_changes(struct milter_talk *t, size_t hidden)
{
	const struct milter_state *state = t->state;
	const struct milter_subject subject = {
		.message = link_message(t->call),
		.facts = link_facts(t->call),
		.hidden = hidden,
		.has_leading_space = milter_conn_has_leading_space(t->session->conn),
		.body = { .temp_dir = state->temp_dir,
		    .memory_octets = state->temp_dir[0] != '\0' ? BODY_MEMORY
								: (size_t)state->message_octets,
		    .max_octets = (uint64_t)state->message_octets },
	};

	milter_changes_destroy(&t->changes);
	t->changes = milter_changes_create(&subject);
	t->ask.change = take_change;
}

enum milter_verdict
milter_say_content(struct milter_talk *t)
{
	const size_t hidden = find_own_received(t);
	enum milter_verdict verdict;

	begin_changes(t, hidden);
	verdict = say_bare(t, MILTER_DATA);
	if (verdict == MILTER_SAYS_GO_ON)
		verdict = say_header(t, hidden);
	if (verdict == MILTER_SAYS_GO_ON)
		verdict = say_bare(t, MILTER_EOH);
	if (verdict == MILTER_SAYS_GO_ON)
		verdict = say_body(t);
	if (verdict != MILTER_SAYS_GO_ON)
		return verdict;
	verdict = say_bare(t, MILTER_EOM);
	t->session->in_message = false;
	return verdict;
}
