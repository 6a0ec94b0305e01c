/* SPDX-License-Identifier: MPL-2.0 */
/*
 * AUTH (RFC 4954): the exchange as lines; what they mean is proxy/auth's business. A response
 * is never a command: "*" cancels, everything else goes to the mechanism.
 */
#include "proxy/session/session_private.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"

#define CHECK_MS 30000 /* for all backends together */

METRIC_COUNTER(auth_total, "gatepost_auth_total",
    "Credentials that were checked: accepted, refused, or unavailable (a backend was down).",
    "mechanism", "result");

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

static void
log_verdict(struct session *s, const char *event, int64_t since_ms, const struct err *why)
{
	const struct secret *login = &s->auth->login;

	log_event(LEVEL_INFO, event, LOG_STR("id", s->facts.session_id),
	    LOG_STR("client", s->facts.client.text),
	    LOG_VIEW("login", view_make(login->p != NULL ? login->p : "", login->len)),
	    LOG_STR("mech", s->auth->mech->name), LOG_OPT("backend", s->facts.identity.backend),
	    LOG_OPT("reason", why != NULL ? why->text : ""),
	    LOG_U64("ms", clock_mono_ms() - since_ms));
}

static void
refuse(struct session *s)
{
	session_say(s, REPLY_AUTH_REFUSED, NULL);
	if (++s->auth_failures >= (uint64_t)s->snapshot->config->limits.auth_failures)
		session_close(s, REPLY_AUTH_FAILURES, NULL, "failed authentications");
}

static void
check(struct session *s)
{
	int64_t now = clock_mono_ms();
	const struct auth_question question = {
		.login = view_make(s->auth->login.p, s->auth->login.len),
		.password = &s->auth->password,
		.deadline_ms = now + CHECK_MS,
		.arena = &s->arena,
	};
	struct identity identity = { 0 };
	struct err why = { 0 };
	enum auth_verdict verdict =
	    auth_check(s->snapshot->authenticator, &question, &identity, &why);

	if (verdict == AUTH_ACCEPTED) {
		identity.mechanism = s->auth->mech->name;
		s->facts.identity = identity;
		log_verdict(s, "auth.ok", now, NULL);
	} else {
		log_verdict(
		    s, verdict == AUTH_REFUSED ? "auth.fail" : "auth.unavailable", now, &why);
	}
	metric_add(&auth_total, 1, METRIC_LABELS(s->auth->mech->name, verdict_names[verdict]));
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
	refuse(s);
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
		check(s);
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
	if (mech == NULL) {
		session_say(s, REPLY_AUTH_MECHANISM, mech_names);
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
