/* SPDX-License-Identifier: MPL-2.0 */
/*
 * AUTH (RFC 4954): the exchange as lines; what they mean is proxy/auth's business. A response
 * is never a command: "*" cancels, everything else goes to the mechanism. Who has failed before
 * waits, or is refused unseen: proxy/auth/penalties.h.
 */
#include "proxy/session/session_private.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"

#define CHECK_MS    30000 /* for all backends together */
#define PATIENCE_MS 5000  /* besides twice auth.penalties.max_delay, before it is hopeless */

METRIC_COUNTER(auth_total, "gatepost_auth_total",
    "Credentials that were checked: accepted, refused, or unavailable (a backend was down).",
    "mechanism", "result");

METRIC_COUNTER(auth_held_total, "gatepost_auth_held_total",
    "Times that a login had to wait because of failed ones before it.", NULL);
METRIC_COUNTER(auth_blocked_total, "gatepost_auth_blocked_total",
    "Logins that were refused unseen: their login was blocked there, their address was, or too "
    "many others waited (busy).",
    "scope");
METRIC_COUNTER(auth_blocks_total, "gatepost_auth_blocks_total",
    "Blocks that began: of a login from one address, of an address.", "scope");

static const char *const verdict_names[] = {
	[AUTH_REFUSED] = "refused",
	[AUTH_ACCEPTED] = "accepted",
	[AUTH_UNAVAILABLE] = "unavailable",
};

static void
end_exchange(struct session *s)
{
	mech_run_finish(s->auth);
	mem_free(s->auth);
	s->auth = NULL;
	session_enter(s, EVENT_AUTH_END);
}

static struct view
login_of(const struct session *s)
{
	const struct secret *said = &s->auth->login;
	const char *proven = s->facts.identity.login;

	if (proven != NULL)
		return view_of(proven);
	return said->p != NULL ? view_make(said->p, said->len) : VIEW("");
}

static void
log_verdict(struct session *s, const char *event, int64_t since_ms, const struct err *why)
{
	log_event(LEVEL_INFO, event, LOG_STR("id", s->facts.session_id),
	    LOG_STR("client", s->facts.client.text), LOG_VIEW("login", login_of(s)),
	    LOG_STR("mech", s->auth->mech->name), LOG_OPT("backend", s->facts.identity.backend),
	    LOG_OPT("reason", why != NULL ? why->text : ""),
	    LOG_U64("ms", clock_mono_ms() - since_ms));
}

/* count_failure - what was said already is the last but one, if it was one too many. */
static void
count_failure(struct session *s)
{
	if (++s->auth_failures >= (uint64_t)s->snapshot->config->limits.auth_failures)
		session_close(s, REPLY_AUTH_FAILURES, NULL, "failed authentications");
}

/* hold - the client hears nothing before then, and waits where it costs no thread. */
static void
hold(struct session *s, int64_t until_ms)
{
	s->paused_until_ms = until_ms;
	metric_add(&auth_held_total, 1, NULL);
}

/* hold_blocked - it will be refused, but not at once, or guessing on were cheap. */
static void
hold_blocked(struct session *s, const char *scope)
{
	s->auth_hold.blocked = scope;
	hold(s, clock_mono_ms() + s->snapshot->config->auth.penalties.max_delay_ms);
}

static void
refuse_blocked(struct session *s)
{
	log_event(LEVEL_INFO, "auth.blocked", LOG_STR("id", s->facts.session_id),
	    LOG_STR("client", s->facts.client.text), LOG_VIEW("login", login_of(s)),
	    LOG_STR("scope", s->auth_hold.blocked));
	metric_add(&auth_blocked_total, 1, METRIC_LABELS(s->auth_hold.blocked));
	end_exchange(s);
	session_say(s, REPLY_AUTH_BLOCKED, NULL);
	count_failure(s);
}

static void
log_block(struct session *s, const char *scope, uint32_t guesses)
{
	log_event(LEVEL_WARNING, "auth.block", LOG_STR("id", s->facts.session_id),
	    LOG_STR("client", s->facts.client.text), LOG_VIEW("login", login_of(s)),
	    LOG_STR("scope", scope), LOG_U64("guesses", guesses),
	    LOG_U64("ms", s->snapshot->config->auth.penalties.block_ms));
	metric_add(&auth_blocks_total, 1, METRIC_LABELS(scope));
}

/* note_end - true: the address is blocked, and who could still try hears the same as others. */
static bool
note_end(struct session *s, enum auth_verdict verdict)
{
	const struct penalty_outcome outcome = penalties_end(
	    &s->snapshot->config->auth.penalties, &s->auth_hold.try, verdict, clock_mono_ms());

	if (outcome.blocks_login)
		log_block(s, "login", outcome.guesses);
	if (outcome.blocks_address)
		log_block(s, "address", outcome.address_guesses);
	return outcome.is_address_blocked && !outcome.blocks_address;
}

static void
check(struct session *s)
{
	int64_t now = clock_mono_ms();
	const struct auth_question question = {
		.login = login_of(s),
		.password = &s->auth->password,
		.deadline_ms = now + CHECK_MS,
		.arena = &s->arena,
	};
	struct identity identity = { 0 };
	struct err why = { 0 };
	enum auth_verdict verdict =
	    s->auth->mech->is_by_certificate
		? client_certificate_check(s, question.login, &identity, &why)
		: auth_check(s->snapshot->authenticator, &question, &identity, &why);

	if (verdict == AUTH_ACCEPTED) {
		identity.mechanism = s->auth->mech->name;
		s->facts.identity = identity;
		log_verdict(s, "auth.ok", now, NULL);
	} else {
		log_verdict(
		    s, verdict == AUTH_REFUSED ? "auth.fail" : "auth.unavailable", now, &why);
	}
	metric_add(&auth_total, 1, METRIC_LABELS(s->auth->mech->name, verdict_names[verdict]));
	if (note_end(s, verdict)) {
		hold_blocked(s, "address");
		return;
	}
	end_exchange(s);
	switch (verdict) {
	case AUTH_ACCEPTED:
		session_say(s, REPLY_AUTH_OK, NULL);
		return;
	case AUTH_UNAVAILABLE:
		session_say(s, REPLY_AUTH_UNAVAILABLE, NULL);
		return;
	case AUTH_REFUSED:
		break;
	}
	session_say(s, REPLY_AUTH_REFUSED, NULL);
	count_failure(s);
}

/* attempt - check it, if no penalty stands before it; no password is looked at otherwise. */
static void
attempt(struct session *s)
{
	const struct config_penalties *config = &s->snapshot->config->auth.penalties;
	const int64_t now = clock_mono_ms(),
		      patience_ms = 2 * config->max_delay_ms + PATIENCE_MS;
	int64_t until;

	switch (penalties_begin(config, &s->auth_hold.try, now, &until)) {
	case PENALTY_GO:
		check(s);
		return;
	case PENALTY_WAIT:
		if (now - s->auth_hold.since_ms < patience_ms)
			hold(s, until);
		else
			hold_blocked(s, "busy");
		return;
	case PENALTY_BLOCKED_LOGIN:
		hold_blocked(s, "login");
		return;
	case PENALTY_BLOCKED_ADDRESS:
		hold_blocked(s, "address");
		return;
	}
}

void
cmd_auth_resume(struct session *s)
{
	if (s->auth_hold.blocked != NULL)
		refuse_blocked(s);
	else
		attempt(s);
}

static void
begin_attempt(struct session *s)
{
	s->auth_hold = (struct auth_hold){
		.try =
		    penalties_make_try(&s->facts.client.addr, login_of(s), &s->auth->password),
		.since_ms = clock_mono_ms(),
	};
	attempt(s);
}

static void
step(struct session *s, bool has_response, struct view response)
{
	const char *challenge = "";
	struct smtp_reply reply;

	switch (mech_run_step(s->auth, has_response, response, &challenge)) {
	case MECH_CHALLENGE:
		smtp_reply_set(&reply, 334, "", "%s", challenge);
		session_say_reply(s, &reply);
		return;
	case MECH_CREDENTIALS:
		begin_attempt(s);
		return;
	case MECH_BAD_ENCODING:
		end_exchange(s);
		session_say(s, REPLY_AUTH_ENCODING, NULL);
		return;
	case MECH_BAD_CONTENT:
		break;
	}
	end_exchange(s);
	session_say(s, REPLY_AUTH_CONTENT, NULL);
}

void
cmd_auth(struct session *s, const struct smtp_command *command)
{
	struct view rest = command->args, name;

	(void)view_split(&rest, ' ', &name);
	const struct mech *mech = mech_find(name);
	if (mech == NULL || (mech->is_by_certificate && s->name_count == 0)) {
		session_say(s, REPLY_AUTH_MECHANISM, client_certificate_mechanisms(s));
		return;
	}
	s->auth = mem_calloc(1, sizeof(*s->auth));
	mech_run_init(s->auth, mech);
	session_enter(s, EVENT_AUTH);
	step(s, name.len < command->args.len, view_trim(rest));
}

void
cmd_auth_line(struct session *s, struct view line)
{
	if (view_eq(line, VIEW("*"))) {
		end_exchange(s);
		session_say(s, REPLY_AUTH_CANCELLED, NULL);
		return;
	}
	step(s, true, line);
}
