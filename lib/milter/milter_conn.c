/* SPDX-License-Identifier: MPL-2.0 */
/* See milter_conn.h. */
#include "lib/milter/milter_conn.h"

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define OUT_MAX	     (256 * 1024) /* octets; a command has MILTER_DATA_MAX at most */
#define FLUSH_AT     (64 * 1024)
#define READ_AT_ONCE 8192
#define MACROS_MAX   64 /* names in one list; further ones are not sent */

struct milter_conn {
	const struct milter_config *config; /* borrowed */
	struct stream *stream;		    /* owned */
	uint32_t version, actions, steps;   /* as negotiated */
	bool has_macros[MILTER_STAGES];
	struct view macros[MILTER_STAGES]; /* in the arena: what it wants to know */
	struct arena arena;
	struct buf out; /* not yet written */
	struct buf in;	/* read, from in_at on not yet used */
	size_t in_at;
	char skipped; /* a command of which it wants no more in this message; 0: none */
	bool is_broken;
	bool is_at_end; /* the last event was EOM, and not accepted: see milter_conn_renew */
	uint64_t replies;
};

static const struct command_row {
	char command;
	uint32_t no, nr;
	int stage; /* enum milter_stage of its macros; -1: none go before it */
	uint32_t since;
	bool is_content; /* time limit; and it need not go out at once */
} commands[] = {
	{ MILTER_CONNECT, MILTER_NO_CONNECT, MILTER_NR_CONNECT, MILTER_AT_CONNECT, 2, false },
	{ MILTER_HELO, MILTER_NO_HELO, MILTER_NR_HELO, MILTER_AT_HELO, 2, false },
	{ MILTER_MAIL, MILTER_NO_MAIL, MILTER_NR_MAIL, MILTER_AT_MAIL, 2, false },
	{ MILTER_RCPT, MILTER_NO_RCPT, MILTER_NR_RCPT, MILTER_AT_RCPT, 2, false },
	{ MILTER_DATA, MILTER_NO_DATA, MILTER_NR_DATA, MILTER_AT_DATA, 4, false },
	{ MILTER_HEADER, MILTER_NO_HEADER, MILTER_NR_HEADER, -1, 2, true },
	{ MILTER_EOH, MILTER_NO_EOH, MILTER_NR_EOH, MILTER_AT_EOH, 2, true },
	{ MILTER_BODY, MILTER_NO_BODY, MILTER_NR_BODY, -1, 2, true },
	{ MILTER_EOM, 0, 0, MILTER_AT_EOM, 2, true },
};

static const struct command_row *
row_of(char command)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (commands[i].command == command)
			return &commands[i];
	}
	BUG("milter command 0x%02x", (unsigned)(unsigned char)command);
}

static int64_t
earlier(int64_t deadline_ms, int64_t limit_ms)
{
	const int64_t at = clock_mono_ms() + limit_ms;

	return at < deadline_ms ? at : deadline_ms;
}

/* ---- octets ---- */

static bool
flush(struct milter_conn *c, int64_t deadline_ms, struct err *err)
{
	const bool ok =
	    c->out.len == 0 || stream_write(c->stream, buf_view(&c->out), deadline_ms, err);

	buf_clear(&c->out);
	c->is_broken = c->is_broken || !ok;
	return ok;
}

static bool
read_some(struct milter_conn *c, int64_t deadline_ms, struct err *err)
{
	size_t got;

	buf_drop(&c->in, c->in_at);
	c->in_at = 0;
	char *at = buf_reserve(&c->in, READ_AT_ONCE);
	if (at == NULL)
		BUG("a milter's packet is over its cap"); /* milter_packet_read has refused it
							   */
	got = stream_read(c->stream, at, READ_AT_ONCE, deadline_ms, err);
	buf_commit(&c->in, got);
	return got > 0;
}

/* read_packet - the next one; its data lives until the next call. */
static bool
read_packet(struct milter_conn *c, int64_t deadline_ms, char *code_out, struct view *data_out,
    struct err *err)
{
	for (;;) {
		size_t used;

		switch (milter_packet_read(view_from(buf_view(&c->in), c->in_at),
		    c->config->reply_octets, code_out, data_out, &used)) {
		case MILTER_PACKET:
			c->in_at += used;
			c->replies++;
			return true;
		case MILTER_BAD_LENGTH:
			return err_set(err, ERR_PROTOCOL, "a reply of no octets, or too many");
		case MILTER_MORE:
			if (!read_some(c, deadline_ms, err))
				return false;
			break;
		}
	}
}

/* rest - what a large message has made of the buffers is not kept while the client is waited
 * for. */
static void
rest(struct milter_conn *c)
{
	buf_clear(&c->in);
	c->in_at = 0;
	if (c->in.room > 2 * READ_AT_ONCE)
		buf_release(&c->in);
	if (c->out.len == 0 && c->out.room > 2 * READ_AT_ONCE)
		buf_release(&c->out);
}

/* ---- negotiation ---- */

static struct milter_options
offer(uint32_t version)
{
	struct milter_options o = { .version = version,
		.actions = MILTER_MAY_ADDHDRS | MILTER_MAY_CHGBODY | MILTER_MAY_ADDRCPT |
			   MILTER_MAY_DELRCPT | MILTER_MAY_CHGHDRS | MILTER_MAY_QUARANTINE,
		.steps = MILTER_NO_CONNECT | MILTER_NO_HELO | MILTER_NO_MAIL | MILTER_NO_RCPT |
			 MILTER_NO_BODY | MILTER_NO_HEADER | MILTER_NO_EOH };

	if (version >= 3)
		o.steps |= MILTER_NO_UNKNOWN;
	if (version >= 4)
		o.steps |= MILTER_NO_DATA;
	if (version < 6)
		return o;
	o.actions |= MILTER_MAY_CHGFROM | MILTER_MAY_ADDRCPT_PAR | MILTER_MAY_SETSYMLIST;
	o.steps |= MILTER_CAN_SKIP | MILTER_LEADSPC | MILTER_NR_CONNECT | MILTER_NR_HELO |
		   MILTER_NR_MAIL | MILTER_NR_RCPT | MILTER_NR_DATA | MILTER_NR_UNKNOWN |
		   MILTER_NR_HEADER | MILTER_NR_EOH | MILTER_NR_BODY;
	return o;
}

/* agree - what it answered to our offer. A step that was not offered and is only less work (a
 * command that it does not want) harms nobody; one that changes what is said does. */
static bool
agree(struct milter_conn *c, const struct milter_options *ours,
    const struct milter_options *theirs, struct err *err)
{
	const uint32_t harmless = MILTER_NO_CONNECT | MILTER_NO_HELO | MILTER_NO_MAIL |
				  MILTER_NO_RCPT | MILTER_NO_BODY | MILTER_NO_HEADER |
				  MILTER_NO_EOH | MILTER_NO_UNKNOWN | MILTER_NO_DATA;
	const uint32_t changing = MILTER_LEADSPC | offer(MILTER_VERSION_MAX).steps;

	if (theirs->version < MILTER_VERSION_MIN || theirs->version > ours->version)
		return err_set(err, ERR_PROTOCOL, "it speaks version %u, %d to %u are offered",
		    theirs->version, MILTER_VERSION_MIN, ours->version);
	if ((theirs->actions & ~ours->actions) != 0)
		return err_set(err, ERR_PROTOCOL, "it wants actions 0x%x, 0x%x are offered",
		    theirs->actions, ours->actions);
	if ((theirs->steps & changing & ~harmless & ~ours->steps) != 0)
		return err_set(err, ERR_PROTOCOL, "it wants steps 0x%x, 0x%x are offered",
		    theirs->steps, ours->steps);
	c->version = theirs->version;
	c->actions = theirs->actions;
	c->steps = theirs->steps & (harmless | ours->steps);
	for (size_t i = 0; i < MILTER_STAGES; i++) {
		c->has_macros[i] = theirs->has_macros[i];
		if (theirs->has_macros[i])
			c->macros[i] = arena_view(&c->arena, theirs->macros[i]);
	}
	return true;
}

static bool
negotiate(struct milter_conn *c, int64_t deadline_ms, struct err *err)
{
	const struct milter_options ours = offer(c->config->version);
	const int64_t until_ms = earlier(deadline_ms, c->config->command_ms);
	struct milter_options theirs;
	struct view data;
	char code;

	if (!milter_put_options(&c->out, &ours))
		BUG("an offer is over the buffer's cap");
	if (!flush(c, until_ms, err) || !read_packet(c, until_ms, &code, &data, err))
		return false;
	if (code != MILTER_OPTNEG)
		return err_set(
		    err, ERR_PROTOCOL, "it answers %s to OPTNEG", milter_answer_name(code));
	return milter_options_parse(data, &theirs, err) && agree(c, &ours, &theirs, err);
}

struct milter_conn *
milter_conn_from_stream(const struct milter_config *config, struct stream **stream,
    int64_t deadline_ms, struct err *err)
{
	struct milter_conn *c = mem_calloc(1, sizeof(*c));

	c->config = config;
	c->stream = *stream;
	*stream = NULL;
	arena_init(&c->arena);
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->in, config->reply_octets + 2 * READ_AT_ONCE);
	if (negotiate(c, deadline_ms, err))
		return c;
	err_prefix(err, "negotiation");
	c->is_broken = true;
	milter_conn_close(&c);
	return NULL;
}

struct milter_conn *
milter_conn_open(const struct milter_config *config, int64_t deadline_ms, struct err *err)
{
	struct stream *stream = milter_target_connect(
	    &config->target, earlier(deadline_ms, config->connect_ms), err);

	return stream == NULL ? NULL
			      : milter_conn_from_stream(config, &stream, deadline_ms, err);
}

void
milter_conn_close(struct milter_conn **c)
{
	struct milter_conn *old = *c;
	struct err ignored;

	if (old == NULL)
		return;
	if (!old->is_broken && milter_put(&old->out, MILTER_QUIT, VIEW("")))
		(void)flush(old, clock_mono_ms(), &ignored);
	stream_close(&old->stream);
	buf_finish(&old->out);
	buf_finish(&old->in);
	arena_finish(&old->arena);
	mem_free(old);
	*c = NULL;
}

/* ---- macros ---- */

/* put_macros - false: they do not fit into one packet. */
static bool
put_macros(struct milter_conn *c, const struct command_row *row, const struct milter_ask *ask)
{
	struct milter_macro macros[MACROS_MAX];
	struct view list, name, value;
	struct arena arena;
	size_t count = 0;
	bool ok;

	if (row->stage < 0)
		return true;
	list =
	    c->has_macros[row->stage] ? c->macros[row->stage] : c->config->macros[row->stage];
	arena_init(&arena);
	while (count < MACROS_MAX && list.len > 0 && milter_next_name(&list, &name)) {
		if (ask->macro == NULL || !ask->macro(ask->context, name, &value))
			continue;
		macros[count++] = (struct milter_macro){ name, arena_view(&arena, value) };
	}
	ok = milter_put_macros(&c->out, row->command, macros, count);
	arena_finish(&arena);
	return ok;
}

/* ---- events ---- */

static enum milter_verdict
fail(struct milter_conn *c, struct milter_ask *ask, const struct command_row *row)
{
	c->is_broken = true;
	err_prefix(&ask->err, "%s", milter_command_name(row->command));
	return MILTER_FAILED;
}

static bool
take_skip(struct milter_conn *c, const struct command_row *row, struct err *err)
{
	if ((c->steps & MILTER_CAN_SKIP) == 0 ||
	    (row->command != MILTER_BODY && row->command != MILTER_HEADER))
		return err_set(err, ERR_PROTOCOL, "SKIP is no answer to it here");
	c->skipped = row->command;
	return true;
}

static bool
take_change(struct milter_conn *c, const struct command_row *row,
    const struct milter_reply *reply, struct milter_ask *ask)
{
	const char *name = milter_answer_name(reply->code);

	if (row->command != MILTER_EOM || ask->change == NULL)
		return err_set(&ask->err, ERR_PROTOCOL, "%s is no answer to it", name);
	if ((milter_action_of(reply->code) & c->actions) == 0)
		return err_set(&ask->err, ERR_PROTOCOL, "%s, which was not negotiated", name);
	return ask->change(ask->context, reply, &ask->err) || err_prefix(&ask->err, "%s", name);
}

/* take_reply - what one reply comes to; false: err says what is wrong with it. */
static bool
take_reply(struct milter_conn *c, const struct command_row *row,
    const struct milter_reply *reply, struct milter_ask *ask, enum milter_verdict *verdict_out)
{
	*verdict_out = MILTER_SAYS_GO_ON;
	switch ((enum milter_answer)reply->code) {
	case MILTER_CONTINUE:
	case MILTER_PROGRESS:
		return true;
	case MILTER_SKIP:
		return take_skip(c, row, &ask->err);
	case MILTER_ACCEPT:
		*verdict_out = MILTER_SAYS_ACCEPT;
		return true;
	case MILTER_REJECT:
		*verdict_out = MILTER_SAYS_REJECT;
		return true;
	case MILTER_TEMPFAIL:
		*verdict_out = MILTER_SAYS_TEMPFAIL;
		return true;
	case MILTER_DISCARD:
		*verdict_out = MILTER_SAYS_DISCARD;
		return true;
	case MILTER_SHUTDOWN:
	case MILTER_CONN_FAIL:
		*verdict_out = MILTER_SAYS_SHUTDOWN;
		return true;
	case MILTER_REPLYCODE:
		*verdict_out = MILTER_SAYS_REPLY;
		return milter_reply_text_parse(reply->value, &ask->reply, &ask->err);
	case MILTER_ADDRCPT:
	case MILTER_DELRCPT:
	case MILTER_ADDRCPT_PAR:
	case MILTER_REPLBODY:
	case MILTER_CHGFROM:
	case MILTER_ADDHEADER:
	case MILTER_INSHEADER:
	case MILTER_CHGHEADER:
	case MILTER_QUARANTINE:
		return take_change(c, row, reply, ask);
	}
	return err_set(&ask->err, ERR_PROTOCOL, "an unknown reply");
}

static bool
is_last(const struct milter_reply *reply)
{
	return reply->code != MILTER_PROGRESS && milter_action_of(reply->code) == 0;
}

/* await - replies up to the last one. */
static enum milter_verdict
await(struct milter_conn *c, const struct command_row *row, struct milter_ask *ask)
{
	const int64_t limit_ms =
	    row->is_content ? c->config->content_ms : c->config->command_ms;
	enum milter_verdict verdict;

	for (size_t i = 0; i < MILTER_REPLIES_MAX; i++) {
		struct milter_reply reply;
		struct view data;
		char code;

		if (!read_packet(
			c, earlier(ask->deadline_ms, limit_ms), &code, &data, &ask->err) ||
		    !milter_reply_parse(code, data, &reply, &ask->err) ||
		    !take_reply(c, row, &reply, ask, &verdict))
			return fail(c, ask, row);
		if (!is_last(&reply))
			continue;
		if (c->in_at == c->in.len) {
			c->is_at_end =
			    row->command == MILTER_EOM && verdict != MILTER_SAYS_ACCEPT;
			rest(c);
			return verdict;
		}
		err_set(&ask->err, ERR_PROTOCOL, "it goes on talking behind %s",
		    milter_answer_name(code));
		return fail(c, ask, row);
	}
	err_set(&ask->err, ERR_LIMIT, "over %d replies", MILTER_REPLIES_MAX);
	return fail(c, ask, row);
}

bool
milter_conn_wants(const struct milter_conn *c, char command)
{
	const struct command_row *row = row_of(command);

	return c->version >= row->since && (c->steps & row->no) == 0 && c->skipped != command;
}

/* begin - macros, and room for the event. False: *verdict_out is all there is to it. */
static bool
begin(struct milter_conn *c, const struct command_row *row, struct milter_ask *ask,
    enum milter_verdict *verdict_out)
{
	const int64_t limit_ms =
	    row->is_content ? c->config->content_ms : c->config->command_ms;

	*verdict_out = MILTER_SAYS_GO_ON;
	if (c->is_broken)
		BUG("a broken connection to a milter is used");
	ask->err.kind = ERR_NONE;
	c->is_at_end = false;
	if (row->command == MILTER_MAIL)
		c->skipped = 0;
	if (c->version < row->since)
		return false;
	if (c->out.len > FLUSH_AT &&
	    !flush(c, earlier(ask->deadline_ms, limit_ms), &ask->err)) {
		*verdict_out = fail(c, ask, row);
		return false;
	}
	if (!put_macros(c, row, ask)) {
		err_set(&ask->err, ERR_LIMIT, "its macros are over %d octets", MILTER_DATA_MAX);
		*verdict_out = fail(c, ask, row);
		return false;
	}
	return milter_conn_wants(c, row->command);
}

/* finish - the event is in the buffer, unless it did not fit. */
static enum milter_verdict
finish(struct milter_conn *c, const struct command_row *row, struct milter_ask *ask, bool fits)
{
	const int64_t limit_ms =
	    row->is_content ? c->config->content_ms : c->config->command_ms;
	const bool is_silent = (c->steps & row->nr) != 0;

	if (!fits) {
		err_set(&ask->err, ERR_LIMIT, "over %d octets, or with a NUL", MILTER_DATA_MAX);
		return fail(c, ask, row);
	}
	if (is_silent && row->is_content)
		return MILTER_SAYS_GO_ON;
	if (!flush(c, earlier(ask->deadline_ms, limit_ms), &ask->err))
		return fail(c, ask, row);
	return is_silent ? MILTER_SAYS_GO_ON : await(c, row, ask);
}

enum milter_verdict
milter_conn_connect(
    struct milter_conn *c, struct milter_ask *ask, const struct milter_client *client)
{
	const struct command_row *row = row_of(MILTER_CONNECT);
	enum milter_verdict verdict;

	if (!begin(c, row, ask, &verdict))
		return verdict;
	return finish(c, row, ask,
	    milter_put_connect(
		&c->out, client->name, client->family, client->port, client->address));
}

enum milter_verdict
milter_conn_strings(struct milter_conn *c, struct milter_ask *ask, char command,
    const struct view *strings, size_t count)
{
	const struct command_row *row = row_of(command);
	enum milter_verdict verdict;

	if (!begin(c, row, ask, &verdict))
		return verdict;
	return finish(c, row, ask, milter_put_strings(&c->out, command, strings, count));
}

enum milter_verdict
milter_conn_octets(
    struct milter_conn *c, struct milter_ask *ask, char command, struct view octets)
{
	const struct command_row *row = row_of(command);
	enum milter_verdict verdict;

	if (!begin(c, row, ask, &verdict))
		return verdict;
	return finish(c, row, ask, milter_put(&c->out, command, octets));
}

/* ---- between messages and sessions ---- */

void
milter_conn_abort(struct milter_conn *c)
{
	c->is_at_end = false;
	if (!c->is_broken && !milter_put(&c->out, MILTER_ABORT, VIEW("")))
		c->is_broken = true;
}

bool
milter_conn_renew(struct milter_conn *c)
{
	struct err ignored;

	c->skipped = 0;
	return c->version >= MILTER_VERSION_MAX && !c->is_broken && c->is_at_end &&
	       milter_put(&c->out, MILTER_QUIT_NC, VIEW("")) &&
	       flush(c, clock_mono_ms(), &ignored) && milter_conn_is_quiet(c);
}

bool
milter_conn_is_quiet(struct milter_conn *c)
{
	return !c->is_broken && c->in_at == c->in.len && stream_is_quiet(c->stream);
}

bool
milter_conn_has_leading_space(const struct milter_conn *c)
{
	return (c->steps & MILTER_LEADSPC) != 0;
}

uint64_t
milter_conn_replies(const struct milter_conn *c)
{
	return c->replies;
}
