/* SPDX-License-Identifier: MPL-2.0 */
/* A record of the trace for people; see trace_text.h. Members that are not there are left out,
 * so that records of other versions can be shown too. */
#include "proxy/commands/trace_text.h"

#define REPLY_COLUMN 44 /* where replies and verdicts begin, if there is room */

struct page {
	struct buf *out;
	size_t line; /* where in out the present line begins */
	bool is_full;
};

static void
put(struct page *p, struct view text)
{
	for (size_t i = 0; i < text.len && !p->is_full; i++) {
		const unsigned char c = (unsigned char)text.p[i];

		if (c >= ' ' && c <= '~')
			p->is_full = !buf_add_char(p->out, (char)c);
		else
			p->is_full = !buf_printf(p->out, "\\x%02x", c);
	}
}

static void
say(struct page *p, const char *text)
{
	put(p, view_of(text));
}

static void
say_int(struct page *p, int64_t number, const char *unit)
{
	p->is_full = p->is_full || !buf_printf(p->out, "%lld", (long long)number);
	say(p, unit);
}

static void
end_line(struct page *p)
{
	p->is_full = p->is_full || !buf_add_char(p->out, '\n');
	p->line = p->out->len;
}

/* go_to - blanks up to that column, at least one. */
static void
go_to(struct page *p, size_t column)
{
	do
		say(p, " ");
	while (!p->is_full && p->out->len - p->line < column);
}

/* label - the head of a line. */
static void
label(struct page *p, const char *name)
{
	say(p, "  ");
	say(p, name);
	go_to(p, 13);
}

/* say_if - " NAME VALUE" of what is there. */
static void
say_if(struct page *p, const struct json_value *object, const char *name, const char *key)
{
	const struct view text = json_get_text(object, key);

	if (text.len == 0)
		return;
	say(p, name);
	put(p, text);
}

static void
say_reply(struct page *p, const struct json_value *reply)
{
	if (reply == NULL)
		return;
	say_int(p, json_get_int(reply, "code"), "");
	say_if(p, reply, " ", "enhanced");
	say_if(p, reply, " ", "text");
}

static void
say_left_out(struct page *p, const struct json_value *object, const char *key)
{
	const int64_t count = json_get_int(object, key);

	if (count == 0)
		return;
	label(p, "");
	say_int(p, count, " more that had no room");
	end_line(p);
}

static void
say_us(struct page *p, int64_t us)
{
	if (us < 10000)
		say_int(p, us, " us");
	else
		say_int(p, us / 1000, " ms");
}

/* ---- parts ---- */

static void
say_head(struct page *p, const struct json_value *r)
{
	say_if(p, r, "", "id");
	say_if(p, r, "  ", "time");
	say_if(p, r, "  ", "result");
	say_if(p, r, " by ", "by");
	say_if(p, r, ": ", "reason");
	if (json_get(r, "reply") != NULL) {
		say(p, ": ");
		say_reply(p, json_get(r, "reply"));
	}
	end_line(p);
}

static void
say_client(struct page *p, const struct json_value *r)
{
	label(p, "client");
	say_if(p, r, "", "client");
	say(p, " port ");
	say_int(p, json_get_int(r, "port"), "");
	say_if(p, r, " through ", "via");
	say(p, json_get_bool(r, "esmtp") ? ", EHLO " : ", HELO ");
	put(p, json_get_text(r, "helo"));
	say_if(p, r, ", ", "tls");
	say_if(p, r, " ", "cipher");
	end_line(p);
	label(p, "at");
	say_if(p, r, "", "listener");
	say_if(p, r, " (", "role");
	say(p, ")");
	say_if(p, r, ", login ", "login");
	say_if(p, r, " by ", "mech");
	end_line(p);
}

static void
say_address(struct page *p, const struct json_value *object, const char *key)
{
	say(p, "<");
	put(p, json_get_text(object, key));
	say(p, ">");
}

static void
say_envelope(struct page *p, const struct json_value *r)
{
	const struct json_value *changed = json_get(r, "envelope");

	label(p, "from");
	say_address(p, r, "from");
	end_line(p);
	for (const struct json_value *to = json_first(r, "recipients"); to != NULL;
	     to = to->next) {
		label(p, "to");
		say_address(p, to, "address");
		go_to(p, REPLY_COLUMN);
		say_reply(p, json_get(to, "reply"));
		say_if(p, to, " (", "by");
		say(p, ")");
		end_line(p);
	}
	say_left_out(p, r, "recipients_left_out");
	if (changed == NULL)
		return;
	label(p, "became");
	say_address(p, changed, "from");
	for (const struct json_value *to = json_first(changed, "recipients"); to != NULL;
	     to = to->next) {
		say(p, to == json_first(changed, "recipients") ? " to " : ", ");
		say_address(p, to, "address");
	}
	end_line(p);
}

static void
say_message(struct page *p, const struct json_value *r)
{
	if (json_get_int(r, "octets") == 0)
		return;
	label(p, "message");
	say_int(p, json_get_int(r, "octets"), " octets");
	say_if(p, r, ", From: ", "header_from");
	say_if(p, r, ", Message-ID: ", "message_id");
	end_line(p);
}

/* say_field - of a message: what was folded is folded here too. */
static void
say_field(struct page *p, struct view text)
{
	struct view rest = text, line;

	while (view_split(&rest, '\n', &line)) {
		if (line.p != text.p) {
			end_line(p);
			label(p, "");
			say(p, "      ");
		}
		put(p, view_trim(line));
	}
}

static void
say_changes(struct page *p, const struct json_value *call)
{
	for (const struct json_value *c = json_first(call, "changes"); c != NULL; c = c->next) {
		const struct view change = json_get_text(c, "change");

		label(p, "");
		say(p, "  ");
		if (view_eq(change, VIEW("added")))
			say(p, "+");
		else if (view_eq(change, VIEW("removed")))
			say(p, "-");
		else
			put(p, change);
		say(p, " ");
		say_field(p, json_get_text(c, "text"));
		end_line(p);
	}
	say_left_out(p, call, "changes_left_out");
}

static void
say_results(struct page *p, const struct json_value *call)
{
	for (const struct json_value *r = json_first(call, "results"); r != NULL; r = r->next) {
		label(p, "");
		say_if(p, r, "  ", "method");
		say_if(p, r, "=", "result");
		say_if(p, r, " ", "domain");
		say_if(p, r, ": ", "reason");
		end_line(p);
	}
}

static void
say_call(struct page *p, const struct json_value *call)
{
	label(p, "");
	put(p, json_get_text(call, "stage"));
	go_to(p, 21);
	put(p, json_get_text(call, "link"));
	say_if(p, call, " for ", "recipient");
	go_to(p, REPLY_COLUMN);
	if (view_eq(json_get_text(call, "mode"), VIEW("shadow")))
		say(p, "shadow: ");
	put(p, json_get_text(call, "verdict"));
	say_if(p, call, ", on_error ", "on_error");
	say(p, ", ");
	say_us(p, json_get_int(call, "us"));
	if (json_get(call, "reply") != NULL) {
		say(p, ": ");
		say_reply(p, json_get(call, "reply"));
	}
	say_if(p, call, ": ", "reason");
	end_line(p);
	if (json_get(call, "notes") != NULL) {
		label(p, "");
		say_if(p, call, "  ", "notes");
		end_line(p);
	}
	say_results(p, call);
	say_changes(p, call);
}

static void
say_calls(struct page *p, const struct json_value *r)
{
	static const char *const lists[][2] = { { "greeting", "greeting_left_out" },
		{ "helo_calls", "helo_calls_left_out" }, { "calls", "calls_left_out" } };

	say(p, "  links");
	end_line(p);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (const struct json_value *call = json_first(r, lists[i][0]); call != NULL;
		     call = call->next)
			say_call(p, call);
		say_left_out(p, r, lists[i][1]);
	}
}

static void
say_upstream(struct page *p, const struct json_value *r)
{
	const struct json_value *u = json_get(r, "upstream");

	label(p, "upstream");
	say_if(p, u, "", "name");
	say_if(p, u, " at ", "server");
	say_if(p, u, ", ", "tls");
	say_if(p, u, ", queue id ", "queue_id");
	say(p, ", ");
	say_int(p, json_get_int(u, "connects"), " connects, ");
	say_int(p, json_get_int(u, "replays"), " replays");
	end_line(p);
	for (const struct json_value *e = json_first(u, "exchanges"); e != NULL; e = e->next) {
		label(p, "");
		put(p, json_get_text(e, "command"));
		go_to(p, REPLY_COLUMN);
		say_reply(p, json_get(e, "reply"));
		say_if(p, e, "failed: ", "error");
		if (json_get(e, "reply") == NULL && json_get(e, "error") == NULL)
			put(p, json_get_text(e, "server"));
		say(p, ", ");
		say_us(p, json_get_int(e, "us"));
		end_line(p);
	}
	say_left_out(p, u, "exchanges_left_out");
}

static void
say_times(struct page *p, const struct json_value *r)
{
	label(p, "time");
	say_int(p, json_get_int(r, "ms"), " ms (receiving ");
	say_int(p, json_get_int(r, "receive_ms"), ", chain ");
	say_int(p, json_get_int(r, "chain_ms"), ", upstream ");
	say_int(p, json_get_int(json_get(r, "upstream"), "ms"), ")");
	end_line(p);
}

bool
trace_text_write(const struct json_value *record, struct buf *out)
{
	struct page p = { .out = out, .line = out->len };

	say_head(&p, record);
	say_client(&p, record);
	say_envelope(&p, record);
	say_message(&p, record);
	say_calls(&p, record);
	say_upstream(&p, record);
	say_times(&p, record);
	return !p.is_full;
}
