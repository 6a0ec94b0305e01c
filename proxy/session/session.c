/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A session's life and its main loop: handshake, greeting, lines to commands, replies out. Runs
 * on a worker; returns whenever it needs the client. RFC 5321 3.1, 4.1.4, 4.5.3.2; RFC
 * 2920 3.2.
 */
#include "proxy/session/session_private.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"

#include <openssl/rand.h>
#include <stdatomic.h>
#include <unistd.h>

#define FILLS_A_TURN  64   /* reads before others get their turn */
#define LOOK_MS	      1000 /* between looks whether a client that is held back is still there */
#define CLOSING_MS    2000 /* for the peer to take our last reply */
#define OCTETS_MS     1	   /* octets of content a millisecond: what is slower has an end */
#define REPLIES_LARGE 4096 /* octets of replies after which pipelined commands wait */

METRIC_COUNTER(
    sessions_total, "gatepost_sessions_total", "Client connections begun.", "listener", "role");
METRIC_COUNTER(session_ends_total, "gatepost_session_ends_total",
    "Client connections ended, by reason as in the event session.end.", "reason");
METRIC_GAUGE(connections, "gatepost_connections", "Client connections open now.", NULL);

static atomic_bool draining;

bool
session_is_draining(void)
{
	return atomic_load_explicit(&draining, memory_order_relaxed);
}

void
session_set_draining(bool on)
{
	atomic_store(&draining, on);
}

struct session_slot *
session_slot(struct session *s)
{
	return &s->slot;
}

int
session_fd(const struct session *s)
{
	return s->fd;
}

/* ---- making and ending ---- */

static const char *
make_id(struct arena *arena)
{
	unsigned char random[SESSION_ID_LEN / 2];
	char *id = arena_alloc(arena, SESSION_ID_LEN + 1);

	if (RAND_bytes(random, sizeof(random)) != 1)
		BUG("no random octets");
	for (size_t i = 0; i < sizeof(random); i++) {
		id[2 * i] = "0123456789abcdef"[random[i] >> 4];
		id[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
	}
	return id;
}

struct session *
session_create(int fd, const struct sockaddr_storage *client, struct snapshot *snapshot,
    const struct snapshot_listener *listener)
{
	struct session *s = mem_calloc(1, sizeof(*s));
	struct facts *f = &s->facts;

	s->fd = fd;
	s->snapshot = snapshot;
	s->listener = listener;
	s->service = &snapshot->services[listener->config->role];
	s->opened_ms = s->phase_since_ms = clock_mono_ms();
	s->end_reason = "quit";
	arena_init(&s->arena);
	buf_init(&s->in, SESSION_IN_MAX);
	buf_set_secret(&s->in); /* AUTH */
	buf_init(&s->out, SESSION_OUT_MAX);
	f->session_id = make_id(&s->arena);
	f->hostname = snapshot->config->hostname;
	f->listener = listener->config->listen;
	f->role = (enum gate_role)listener->config->role;
	f->helo = f->message_id = f->reverse_path = f->via = f->client_name = "";
	session_set_client(s, client);
	proxied_begin(s);
	if (listener->config->tls == LISTENER_TLS_IMPLICIT) {
		s->ssl = SSL_new(listener->tls);
		if (s->ssl == NULL || SSL_set_fd(s->ssl, fd) != 1)
			BUG("no SSL object");
		s->handshaking = true;
	}
	metric_add(&sessions_total, 1,
	    METRIC_LABELS(f->listener, f->role == ROLE_INBOUND ? "inbound" : "submission"));
	metric_add(&connections, 1, NULL);
	return s;
}

void
session_destroy(struct session **sp)
{
	struct session *s = *sp;

	transaction_end(s);
	chain_session_destroy(&s->chain_session);
	tracing_destroy(&s->tracing);
	metric_add(&session_ends_total, 1, METRIC_LABELS(s->end_reason));
	metric_add(&connections, -1, NULL);
	log_event(s->is_check && s->messages == 0 ? LEVEL_DEBUG : LEVEL_INFO, "session.end",
	    LOG_STR("id", s->facts.session_id), LOG_STR("client", s->facts.client.text),
	    LOG_OPT("via", s->facts.via), LOG_STR("reason", s->end_reason),
	    LOG_U64("messages", s->messages), LOG_U64("errors", s->errors),
	    LOG_U64("ms", clock_mono_ms() - s->opened_ms));
	if (s->auth != NULL) {
		mech_run_finish(s->auth);
		mem_free(s->auth);
	}
	mem_free(s->proxy);
	xclient_end(s);
	SSL_free(s->ssl);
	(void)close(s->fd);
	census_leave(&s->slot.place);
	buf_finish(&s->in);
	buf_finish(&s->out);
	arena_finish(&s->arena);
	snapshot_release(&s->snapshot);
	mem_free(s);
	*sp = NULL;
}

/* ---- what the command files use ---- */

static void
begin_phase(struct session *s)
{
	s->phase_since_ms = clock_mono_ms();
}

void
session_enter(struct session *s, enum event_kind event)
{
	enum state next = rules_next(s->state, event);

	if (next == STATE_COUNT)
		BUG("event %s in state %s", rules_event_name(event),
		    rules_state_name(s->state));
	if (next != s->state)
		begin_phase(s);
	s->state = next;
}

void
session_say_reply(struct session *s, const struct smtp_reply *reply)
{
	if (reply->code >= 400)
		s->errors++;
	if (s->state == STATE_CLOSING)
		tracing_last_words(s->tracing, reply);
	/* The cap holds many times what one turn can say: reaching it means a peer that never
	 * reads. */
	if (!smtp_reply_write(reply, &s->out) && s->state != STATE_CLOSING) {
		s->end_reason = "unread replies";
		session_enter(s, EVENT_CLOSE);
	}
	if (reply->code == 421)
		session_close(s, REPLY_COUNT, NULL, "refused"); /* RFC 5321 3.8 */
}

void
session_say(struct session *s, enum reply_id id, const char *detail)
{
	struct smtp_reply reply;

	reply_make(id, detail, &reply);
	session_say_reply(s, &reply);
}

void
session_close(struct session *s, enum reply_id id, const char *detail, const char *reason)
{
	if (s->state == STATE_CLOSING)
		return;
	s->end_reason = reason;
	session_enter(s, EVENT_CLOSE);
	if (id != REPLY_COUNT)
		session_say(s, id, detail);
	transaction_end(s);
}

struct rule_facts
session_rule_facts(const struct session *s)
{
	bool submission = s->facts.role == ROLE_SUBMISSION;

	return (struct rule_facts){ .role = s->facts.role,
		.tls_on = s->ssl != NULL,
		.tls_offered = s->listener->config->tls == LISTENER_TLS_STARTTLS,
		.authenticated = s->facts.identity.login != NULL,
		.auth_offered =
		    submission && s->ssl != NULL && s->snapshot->authenticator != NULL,
		.is_esmtp = s->facts.is_esmtp,
		.xclient_allowed = s->proxied_by != NULL };
}

bool
session_judge(struct session *s, enum link_stage stage, const struct recipient *recipient,
    struct message *message, struct smtp_reply *reply_out)
{
	const struct chain_work work = {
		.facts = &s->facts,
		.session = s->chain_session,
		.recipient = recipient,
		.message = message,
		.observer = tracing_observer(s->tracing, stage),
	};

	return chain_run_stage(s->service->chain, s->tx != NULL ? s->tx->chain_run : NULL,
	    stage, &work, reply_out);
}

/* ---- greeting and lines ---- */

void
session_greet(struct session *s)
{
	const bool is_first = !s->greeted;
	struct smtp_reply reply;

	s->greeted = true;
	if (is_first)
		xclient_begin(s);
	begin_phase(s);
	s->chain_session = chain_session_create(s->service->chain);
	s->tracing = tracing_create(s->snapshot);
	log_event(LEVEL_DEBUG, "session.start", LOG_STR("id", s->facts.session_id),
	    LOG_STR("client", s->facts.client.text), LOG_U64("port", s->facts.client.port),
	    LOG_OPT("via", s->facts.via), LOG_STR("listener", s->facts.listener),
	    LOG_OPT("tls", s->facts.tls.version));
	if (session_is_draining()) {
		session_close(s, REPLY_SHUTDOWN, s->facts.hostname, "shutdown");
	} else if (is_first && s->ssl == NULL && input_has_early_talk(s)) {
		session_close(s, REPLY_EARLY_TALKER, NULL, "early talker");
	} else if (!session_judge(s, STAGE_CONNECT, NULL, NULL, &reply)) {
		session_say_reply(s, &reply);
		session_close(s, REPLY_COUNT, NULL, "refused");
	} else {
		session_say(s, REPLY_GREETING, s->facts.hostname);
	}
}

typedef void (*command_handler)(struct session *s, const struct smtp_command *command);

static const command_handler handlers[VERB_UNKNOWN] = {
	[VERB_HELO] = cmd_helo,
	[VERB_EHLO] = cmd_helo,
	[VERB_STARTTLS] = cmd_starttls,
	[VERB_AUTH] = cmd_auth,
	[VERB_MAIL] = cmd_mail,
	[VERB_RCPT] = cmd_rcpt,
	[VERB_DATA] = cmd_data,
	[VERB_BDAT] = cmd_bdat,
	[VERB_RSET] = cmd_rset,
	[VERB_NOOP] = cmd_noop,
	[VERB_VRFY] = cmd_vrfy,
	[VERB_HELP] = cmd_help,
	[VERB_QUIT] = cmd_quit,
	[VERB_XCLIENT] = cmd_xclient,
};

/*
 * When the connection has lived long enough. A transaction that runs is finished first, as long
 * as its content keeps coming at OCTETS_MS in the mean.
 */
static int64_t
last_deadline(const struct session *s)
{
	int64_t session_ms = s->snapshot->config->limits.session_ms;

	if (s->tx == NULL)
		return s->opened_ms + session_ms;
	return s->tx->started_ms + session_ms + (int64_t)(s->tx->content_octets / OCTETS_MS);
}

static void
handle_command(struct session *s, struct view line)
{
	struct smtp_command command = smtp_command_parse(line);
	struct rule_facts facts = session_rule_facts(s);
	enum rule_verdict verdict =
	    rules_check(command.verb, command.args.len > 0, s->state, &facts);

	if (command.verb == VERB_UNKNOWN && smtp_line_is_foreign(line)) {
		session_close(s, REPLY_FOREIGN, NULL, "foreign protocol");
		return;
	}
	if (s->tx == NULL && clock_mono_ms() >= last_deadline(s)) {
		session_close(s, REPLY_TIMEOUT, s->facts.hostname, "timeout");
		return;
	}
	s->commands++;
	if (verdict == RULE_GO && command.verb < VERB_UNKNOWN)
		handlers[command.verb](s, &command);
	else if (command.verb == VERB_BDAT)
		cmd_bdat_refused(s, &command, verdict);
	else
		session_say(s, reply_of_verdict(verdict), smtp_verb_name(command.verb));

	const struct config_limits *limits = &s->snapshot->config->limits;
	if (s->state != STATE_CLOSING && s->errors - s->forgiven > (uint64_t)limits->errors)
		session_close(s, REPLY_ERRORS, NULL, "too many errors");
	else if (s->state != STATE_CLOSING && s->commands > (uint64_t)limits->commands)
		session_close(s, REPLY_COMMANDS, NULL, "too many commands");
}

/* A line that ends in anything but CRLF: what follows it cannot be trusted, so it is the last.
 */
static void
refuse_line(struct session *s, enum smtp_line status)
{
	switch (status) {
	case SMTP_LINE_TOO_LONG:
		session_close(s, REPLY_LINE_LONG, NULL, "line too long");
		break;
	case SMTP_LINE_BARE_LF:
		session_close(s, REPLY_LINE_BARE_LF, NULL, "bare LF");
		break;
	case SMTP_LINE_BARE_CR:
		session_close(s, REPLY_LINE_BARE_CR, NULL, "bare CR");
		break;
	default:
		session_close(s, REPLY_LINE_NUL, NULL, "NUL in a line");
		break;
	}
}

/*
 * The line is copied out first, so that a handler sees in s->in only what came behind it. A
 * line of AUTH holds a password: its copy and what is left of it in the buffer are wiped.
 */
static bool
consume_line(struct session *s)
{
	char copy[SMTP_AUTH_LINE_MAX];
	struct view line;
	size_t used;
	bool in_auth = s->state == STATE_AUTH;
	size_t max = in_auth || view_starts_nocase(buf_view(&s->in), VIEW("AUTH "))
			 ? SMTP_AUTH_LINE_MAX
			 : SMTP_COMMAND_LINE_MAX;
	enum smtp_line status = smtp_line_scan(buf_view(&s->in), max, &line, &used);

	if (status == SMTP_LINE_MORE)
		return false;
	if (status != SMTP_LINE_DONE) {
		refuse_line(s, status);
		return true;
	}
	memcpy(copy, line.p, line.len);
	line.p = copy;
	buf_drop(&s->in, used);
	if (max == SMTP_AUTH_LINE_MAX)
		secret_wipe(s->in.p + s->in.len, s->in.room - s->in.len);

	if (in_auth)
		cmd_auth_line(s, line);
	else
		handle_command(s, line);
	if (max == SMTP_AUTH_LINE_MAX)
		secret_wipe(copy, line.len);
	if (s->state != STATE_START && s->state != STATE_CLOSING)
		begin_phase(s);
	return true;
}

static bool
consume(struct session *s)
{
	if (s->state == STATE_CLOSING || s->in.len == 0 || input_is_silent(s) ||
	    s->paused_until_ms > 0)
		return false;
	if (s->chunk.left == 0 && s->state != STATE_CONTENT)
		return consume_line(s);
	const size_t before = s->in.len;
	begin_phase(s);
	if (s->chunk.left > 0)
		cmd_bdat_octets(s);
	else
		cmd_data_content(s);
	s->pace_octets += before - s->in.len;
	return true;
}

/* ---- the loop ---- */

/* Counted from where the phase began, not from the last octet: one that sends an octet now and
 * then has no more time than one that sends none. */
static int64_t
wait_deadline(struct session *s)
{
	const struct config_limits *limits = &s->snapshot->config->limits;
	const int64_t last = last_deadline(s);
	int64_t deadline = s->phase_since_ms + limits->command_ms;

	if (s->state == STATE_CLOSING)
		return s->phase_since_ms + CLOSING_MS;
	if (s->state == STATE_CONTENT || s->chunk.left > 0) {
		deadline = pace_deadline(s);
	} else {
		s->pace_until_ms = 0;
		if (input_is_silent(s) || s->state == STATE_START)
			deadline = s->phase_since_ms + limits->greeting_ms;
	}
	return deadline < last ? deadline : last;
}

static void
wake(struct session *s, enum session_wake why)
{
	if (why == WAKE_TIMEOUT && s->state == STATE_CLOSING && !s->lingering)
		s->end_reason = "timeout";
	if (why == WAKE_TIMEOUT && s->proxy != NULL)
		proxied_give_up(s, "timeout");
	if (why == WAKE_TIMEOUT)
		session_close(s, input_is_silent(s) ? REPLY_COUNT : REPLY_TIMEOUT,
		    s->facts.hostname, "timeout");
	else if (why == WAKE_STOP || (why == WAKE_DRAIN && s->tx == NULL))
		session_close(s, input_is_silent(s) ? REPLY_COUNT : REPLY_SHUTDOWN,
		    s->facts.hostname, "shutdown");
}

static enum session_wait
lost(struct session *s)
{
	const char *reason = "lost connection";

	if (s->proxy != NULL)
		reason = "no PROXY header";
	else if (s->handshaking)
		reason = "TLS handshake failed";
	if (s->state != STATE_CLOSING)
		session_close(s, REPLY_COUNT, NULL, reason);
	return WAIT_NONE;
}

static enum session_wait
wait_for(struct session *s, enum input_status status)
{
	switch (status) {
	case INPUT_WANT_READ:
		return WAIT_READ;
	case INPUT_WANT_WRITE:
		return WAIT_WRITE;
	case INPUT_OK:
		return WAIT_TURN;
	case INPUT_CLOSED:
		break;
	}
	return lost(s);
}

/* A client that leaves meanwhile is seen by a look now and then: what it said before it left
 * lies unread, so that reading does not tell. */
static int64_t
pause_deadline(const struct session *s)
{
	const int64_t look = clock_mono_ms() + LOOK_MS;

	return s->paused_until_ms < look ? s->paused_until_ms : look;
}

static void
end_pause(struct session *s)
{
	s->paused_until_ms = 0;
	if (s->state == STATE_CLOSING)
		return;
	cmd_auth_resume(s);
	if (s->state != STATE_CLOSING)
		begin_phase(s);
}

/* One round: commands, replies, more octets. WAIT_TURN means: and once more. */
static enum session_wait
run_round(struct session *s)
{
	if (s->proxy != NULL && s->state != STATE_CLOSING) {
		enum input_status status = proxied_read(s);
		if (status != INPUT_OK)
			return wait_for(s, status);
		begin_phase(s);
	}
	if (s->handshaking && s->state != STATE_CLOSING) {
		enum input_status status = input_handshake(s);
		if (status != INPUT_OK)
			return wait_for(s, status);
		begin_phase(s);
	}
	if (!s->greeted && s->state != STATE_CLOSING) {
		session_greet(s);
		begin_phase(s);
	}
	if (s->paused_until_ms > 0 && clock_left_ms(s->paused_until_ms) == 0)
		end_pause(s);
	while (s->out.len < REPLIES_LARGE && consume(s))
		continue;
	if (s->out.len > 0) {
		enum input_status status = input_flush(s);
		if (status != INPUT_OK)
			return wait_for(s, status);
		return WAIT_TURN;
	}
	if (s->state == STATE_CLOSING)
		return input_linger(s) == INPUT_WANT_READ ? WAIT_READ : WAIT_NONE;
	if (s->paused_until_ms > 0)
		return WAIT_TIME;
	if (s->handshaking)
		return WAIT_TURN;
	return wait_for(s, input_fill(s));
}

enum session_wait
session_run(struct session *s, enum session_wake why, int64_t *deadline_ms_out)
{
	enum session_wait wait = WAIT_TURN;
	bool late = why == WAKE_TIMEOUT && s->state == STATE_CLOSING;

	wake(s, why);
	if (late || (s->state == STATE_CLOSING && input_is_silent(s)))
		return WAIT_NONE;
	if (s->paused_until_ms > 0 && s->state != STATE_CLOSING && input_is_gone(s))
		return lost(s);
	for (int i = 0; i < 2 * FILLS_A_TURN && wait == WAIT_TURN; i++)
		wait = run_round(s);
	if (wait == WAIT_READ && s->in.len == 0)
		buf_release(&s->in);
	if (wait == WAIT_TIME)
		*deadline_ms_out = pause_deadline(s);
	if (wait == WAIT_READ || wait == WAIT_WRITE) {
		if (s->out.len == 0)
			buf_release(&s->out);
		*deadline_ms_out = wait_deadline(s);
	}
	return wait;
}

enum session_wait
session_first_wait(const struct session *s)
{
	return input_is_silent(s) ? WAIT_READ : WAIT_TURN;
}
