/* SPDX-License-Identifier: MPL-2.0 */
/* A rehearsal for people; see rehearse.h. */
#include "proxy/commands/rehearse.h"

#include "lib/net/dns_text.h"

#define RECORD_SHOWN 300 /* octets of one DNS record; --json shows all */

/* Lines on their way out. The cap shows at the end. */
struct teller {
	const struct rehearse_story *story;
	const char *prefix;
	struct buf *out;
	bool is_full;
};

static void PRINTF_LIKE(2, 3) say(struct teller *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->is_full = t->is_full || !buf_vprintf(t->out, fmt, ap);
	va_end(ap);
}

/* say_safe - text of anybody, for a terminal. */
static void
say_safe(struct teller *t, struct view text)
{
	for (size_t i = 0; i < text.len; i++) {
		const unsigned char c = (unsigned char)text.p[i];

		if (c >= ' ' && c <= '~')
			t->is_full = t->is_full || !buf_add_char(t->out, (char)c);
		else
			say(t, "\\x%02x", c);
	}
}

static void
say_safe_str(struct teller *t, const char *text)
{
	say_safe(t, view_of(text));
}

/* begin - a line, so far from the left. */
static void
begin(struct teller *t, int indent)
{
	say(t, "%s%*s", t->prefix, indent, "");
}

/* say_line - likewise, with the tabs of a folded field as they look. */
static void
say_line(struct teller *t, struct view line)
{
	struct view piece;

	for (size_t i = 0; view_split(&line, '\t', &piece); i++) {
		say(t, "%s", i > 0 ? "        " : "");
		say_safe(t, piece);
	}
}

/* say_folded - each line of a folded text behind mark. */
static void
say_folded(struct teller *t, int indent, const char *mark, struct view text)
{
	struct view line;

	while (view_split(&text, '\n', &line)) {
		begin(t, indent);
		say(t, "%s ", mark);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		say_line(t, line);
		say(t, "\n");
	}
}

/* ---- DNS ---- */

static void
say_records(struct teller *t, enum dns_type type, const struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		struct buf text;

		buf_init(&text, 8 * DNS_TXT_MAX);
		say(t, "%s", i > 0 ? ", " : "");
		if (dns_text_write(type, &answer->records[i], &text)) {
			struct view shown = buf_view(&text);
			const bool is_long = shown.len > RECORD_SHOWN;

			shown.len = is_long ? RECORD_SHOWN : shown.len;
			say_safe(t, shown);
			say(t, "%s", is_long ? "..." : "");
		}
		buf_finish(&text);
	}
}

static void
say_answer(struct teller *t, enum dns_type type, const struct dns_answer *answer)
{
	switch (answer->status) {
	case DNS_FOUND:
		say_records(t, type, answer);
		break;
	case DNS_NODATA:
		say(t, "no such record");
		break;
	case DNS_NXDOMAIN:
		say(t, "no such name");
		break;
	case DNS_TEMPFAIL:
		say(t, "no answer: ");
		say_safe_str(t, answer->why);
		break;
	}
	say(t, "%s", answer->is_alias ? " (by an alias)" : "");
}

static void
say_question(struct teller *t, int indent, const struct dns_question *q)
{
	for (size_t i = 0; i < (q->is_each ? q->server_count : 1); i++) {
		begin(t, indent);
		say(t, "dns     %s %s", q->name, dns_type_name(q->type));
		if (q->is_each) {
			say(t, " at ");
			say_safe_str(t, q->servers[i].server);
		}
		say(t, ": ");
		say_answer(t, q->type, q->is_each ? &q->servers[i].answer : &q->answer);
		say(t, "\n");
	}
	if (q->is_each && q->server_count == 0) {
		begin(t, indent);
		say(t, "dns     %s %s: its servers were not found\n", q->name,
		    dns_type_name(q->type));
	}
}

static void
say_questions(struct teller *t, int indent, struct rehearsal_questions questions)
{
	for (size_t i = 0; i < questions.count; i++) {
		const struct dns_question *q =
		    dns_recorder_get(t->story->dns, questions.first + i);

		if (q != NULL)
			say_question(t, indent, q);
	}
}

/* ---- calls ---- */

static void
say_result(struct teller *t, int indent, const struct authres *r)
{
	begin(t, indent);
	say(t, "result  %s=%s", authres_method_name(r->method), authres_result_name(r->result));
	if (r->comment != NULL) {
		say(t, " (");
		say_safe_str(t, r->comment);
		say(t, ")");
	}
	for (size_t i = 0; i < r->property_count; i++) {
		say(t, " %s.%s=", r->properties[i].type, r->properties[i].name);
		say_safe_str(t, r->properties[i].value);
	}
	if (r->reason != NULL) {
		say(t, " reason=\"");
		say_safe_str(t, r->reason);
		say(t, "\"");
	}
	say(t, "\n");
}

static void
say_change(struct teller *t, const struct rehearsal_change *c)
{
	static const char *const heads[] = {
		[CHANGE_BODY] = "body    ",
		[CHANGE_SENDER] = "sender  is now ",
		[CHANGE_RECIPIENT_ADDED] = "+ to    ",
		[CHANGE_RECIPIENT_REMOVED] = "- to    ",
		[CHANGE_DISCARD] = "discard ",
	};
	const bool is_address = c->change != CHANGE_BODY && c->change != CHANGE_DISCARD;

	if (c->change == CHANGE_ADDED || c->change == CHANGE_REMOVED) {
		say_folded(t, 4, c->change == CHANGE_ADDED ? "+" : "-", c->text);
		return;
	}
	begin(t, 4);
	say(t, "%s%s", heads[c->change], is_address ? "<" : "");
	say_safe(t, c->text);
	say(t, "%s\n", is_address ? ">" : "");
}

/* say_reply - as the client hears it. */
static void
say_reply(struct teller *t, int indent, const struct smtp_reply *reply)
{
	struct buf text;
	struct view rest, line;

	buf_init(&text, 65536);
	if (!smtp_reply_write(reply, &text))
		BUG("a reply of over 64 KiB");
	rest = buf_view(&text);
	while (rest.len > 0 && view_split(&rest, '\n', &line)) {
		begin(t, indent);
		say_safe(t, view_trim(line));
		say(t, "\n");
	}
	buf_finish(&text);
}

static const char *
fate(const struct rehearsal_call *call)
{
	if (call->mode == MODE_SHADOW)
		return ", shadow: not obeyed";
	if (call->answer == LINK_FAIL)
		return call->on_error == ON_ERROR_PASS ? ", passed over (on_error = \"pass\")"
						       : ", deferred (on_error = \"defer\")";
	return "";
}

static void
say_call(struct teller *t, const struct rehearsal_call *call)
{
	begin(t, 2);
	say_safe_str(t, call->link);
	say(t, ": %s%s (%lld us)\n", chain_answer_name(call->answer), fate(call),
	    (long long)call->took_us);
	if (call->reply != NULL)
		say_reply(t, 4, call->reply);
	if (call->reason[0] != '\0') {
		begin(t, 4);
		say(t, "reason  ");
		say_safe_str(t, call->reason);
		say(t, "\n");
	}
	say_questions(t, 4, call->questions);
	for (size_t i = 0; i < call->result_count; i++)
		say_result(t, 4, &call->results[i]);
	if (call->notes[0] != '\0') {
		begin(t, 4);
		say(t, "notes   ");
		say_safe_str(t, call->notes);
		say(t, "\n");
	}
	for (size_t i = 0; i < call->change_count; i++)
		say_change(t, &call->changes[i]);
}

/* say_stage - a head where another stage, or another recipient, begins. */
static void
say_stage(
    struct teller *t, const struct rehearsal_call *call, const struct rehearsal_call *last)
{
	const bool is_same =
	    last != NULL && last->stage == call->stage &&
	    (call->recipient == NULL || strcmp(last->recipient, call->recipient) == 0);

	if (is_same)
		return;
	begin(t, 0);
	say(t, "%s%s", chain_stage_name(call->stage), call->recipient != NULL ? " " : "");
	say_safe_str(t, call->recipient);
	say(t, "\n");
}

/* ---- the whole ---- */

static void
say_request(struct teller *t)
{
	const struct rehearsal_request *request = t->story->request;
	const struct rehearsal *r = t->story->rehearsal;

	begin(t, 0);
	say(t, "%s on %s: %s [%s]", request->role == ROLE_INBOUND ? "inbound" : "submission",
	    r->facts.listener, "client", r->facts.client.text);
	say(t, " as ");
	say_safe_str(t, request->helo);
	if (request->login != NULL) {
		say(t, ", login ");
		say_safe_str(t, request->login);
		say(t, " (%s)",
		    r->facts.identity.backend != NULL ? r->facts.identity.backend
						      : "not asked for");
	}
	say(t, "%s\n", r->facts.tls.on ? ", TLS" : "");
	for (size_t i = 0; i < r->remark_count; i++) {
		begin(t, 0);
		say(t, "the message: %s\n", r->remarks[i]);
	}
	if (r->watch.count > 0) {
		begin(t, 0);
		say(t, "watch of our domains\n");
		say_questions(t, 4, r->watch);
	}
}

static void
say_idle(struct teller *t)
{
	const struct rehearsal *r = t->story->rehearsal;

	for (size_t i = 0; i < r->idle_count; i++) {
		if (i == 0)
			begin(t, 0);
		say(t, "%s", i == 0 ? "not asked: " : ", ");
		say_safe_str(t, r->idle[i]);
		if (i + 1 == r->idle_count)
			say(t, "\n");
	}
}

static void
say_refused_recipients(struct teller *t)
{
	const struct rehearsal *r = t->story->rehearsal;

	for (size_t i = 0; i < r->recipient_count; i++) {
		const struct rehearsal_recipient *one = &r->recipients[i];

		if (smtp_reply_is_ok(&one->reply))
			continue;
		begin(t, 0);
		say(t, "recipient refused by ");
		say_safe_str(t, one->by);
		say(t, ": ");
		say_safe_str(t, one->address);
		say(t, "\n");
		say_reply(t, 2, &one->reply);
	}
}

static void
say_outcome(struct teller *t)
{
	const struct rehearsal *r = t->story->rehearsal;

	begin(t, 0);
	say(t, "outcome: %s", rehearsal_verdict_name(r->verdict));
	switch (r->verdict) {
	case REHEARSAL_ACCEPTED:
		say(t, "; upstream ");
		say_safe_str(t, r->upstream);
		say(t, " is asked now, and its own reply is what the client hears\n");
		return;
	case REHEARSAL_DISCARDED:
		say(t, ": ");
		say_safe_str(t, r->discard);
		break;
	case REHEARSAL_REFUSED:
	case REHEARSAL_DEFERRED:
		say(t, " at %s by ", r->step);
		say_safe_str(t, r->by);
		break;
	}
	say(t, "\n");
	say_reply(t, 2, &r->reply);
}

bool
rehearse_tell(const struct rehearse_story *story, const char *prefix, struct buf *out)
{
	struct teller t = { .story = story, .prefix = prefix, .out = out };
	const struct rehearsal *r = story->rehearsal;

	say_request(&t);
	for (size_t i = 0; i < r->call_count; i++) {
		say_stage(&t, &r->calls[i], i > 0 ? &r->calls[i - 1] : NULL);
		say_call(&t, &r->calls[i]);
	}
	say_idle(&t);
	say_refused_recipients(&t);
	say_outcome(&t);
	return !t.is_full;
}
