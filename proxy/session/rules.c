/* SPDX-License-Identifier: MPL-2.0 */
/* The protocol law as two tables; see rules.h. */
#include "proxy/session/rules.h"

#define BIT(state) (1U << (state))
#define COMMANDS                                                                   \
	(BIT(STATE_START) | BIT(STATE_READY) | BIT(STATE_MAIL) | BIT(STATE_RCPT) | \
	    BIT(STATE_BDAT))

enum need {
	NEED_NOTHING,
	NEED_STARTTLS_OFFERED,
	NEED_AUTH_OFFERED,
	NEED_XCLIENT,  /* a proxy's network */
	NEED_IDENTITY, /* of a submission: TLS where offered, then AUTH */
};

enum argument { ARG_NONE, ARG_OPTIONAL, ARG_REQUIRED };

/* Table 1: may it be said? */
static const struct rule {
	unsigned states; /* in which the verb is in sequence */
	enum need need;
	enum argument argument;
} rules[VERB_UNKNOWN] = {
	[VERB_HELO] = { COMMANDS, NEED_NOTHING, ARG_REQUIRED },
	[VERB_EHLO] = { COMMANDS, NEED_NOTHING, ARG_REQUIRED },
	[VERB_STARTTLS] = { BIT(STATE_READY), NEED_STARTTLS_OFFERED, ARG_NONE },
	[VERB_AUTH] = { BIT(STATE_READY), NEED_AUTH_OFFERED, ARG_REQUIRED },
	[VERB_MAIL] = { BIT(STATE_READY), NEED_IDENTITY, ARG_REQUIRED },
	[VERB_RCPT] = { BIT(STATE_MAIL) | BIT(STATE_RCPT), NEED_IDENTITY, ARG_REQUIRED },
	[VERB_DATA] = { BIT(STATE_RCPT), NEED_IDENTITY, ARG_NONE },
	[VERB_BDAT] = { BIT(STATE_RCPT) | BIT(STATE_BDAT), NEED_IDENTITY, ARG_REQUIRED },
	[VERB_RSET] = { COMMANDS, NEED_NOTHING, ARG_NONE },
	[VERB_NOOP] = { COMMANDS, NEED_NOTHING, ARG_OPTIONAL },
	[VERB_VRFY] = { COMMANDS, NEED_IDENTITY, ARG_REQUIRED },
	[VERB_HELP] = { COMMANDS, NEED_NOTHING, ARG_OPTIONAL },
	[VERB_QUIT] = { COMMANDS, NEED_NOTHING, ARG_NONE },
	[VERB_XCLIENT] = { BIT(STATE_START) | BIT(STATE_READY), NEED_XCLIENT, ARG_REQUIRED },
};

/* Table 2: what follows? STATE_COUNT (written NEVER): it cannot happen there. */
#define NEVER STATE_COUNT
static const enum state next[EVENT_COUNT][STATE_COUNT] = {
	/*                   START          READY          AUTH           MAIL           RCPT
	   CONTENT        BDAT           CLOSING */
	[EVENT_HELO] = { STATE_READY, STATE_READY, NEVER, STATE_READY, STATE_READY, NEVER,
	    STATE_READY, NEVER },
	[EVENT_TLS] = { STATE_START, STATE_START, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER },
	[EVENT_XCLIENT] = { STATE_START, STATE_START, NEVER, NEVER, NEVER, NEVER, NEVER,
	    NEVER },
	[EVENT_AUTH] = { NEVER, STATE_AUTH, STATE_AUTH, NEVER, NEVER, NEVER, NEVER, NEVER },
	[EVENT_AUTH_END] = { NEVER, STATE_READY, STATE_READY, NEVER, NEVER, NEVER, NEVER,
	    NEVER },
	[EVENT_MAIL] = { NEVER, STATE_MAIL, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER },
	[EVENT_RCPT] = { NEVER, NEVER, NEVER, STATE_RCPT, STATE_RCPT, NEVER, NEVER, NEVER },
	[EVENT_DATA] = { NEVER, NEVER, NEVER, NEVER, STATE_CONTENT, NEVER, NEVER, NEVER },
	[EVENT_BDAT] = { NEVER, NEVER, NEVER, NEVER, STATE_BDAT, NEVER, STATE_BDAT, NEVER },
	[EVENT_TX_END] = { STATE_START, STATE_READY, STATE_AUTH, STATE_READY, STATE_READY,
	    STATE_READY, STATE_READY, STATE_CLOSING },
	[EVENT_CLOSE] = { STATE_CLOSING, STATE_CLOSING, STATE_CLOSING, STATE_CLOSING,
	    STATE_CLOSING, STATE_CLOSING, STATE_CLOSING, STATE_CLOSING },
};

static enum rule_verdict
check_need(enum need need, enum state state, const struct rule_facts *f)
{
	switch (need) {
	case NEED_NOTHING:
		return RULE_GO;
	case NEED_STARTTLS_OFFERED:
		if (f->tls_on)
			return RULE_SEQUENCE;
		return f->tls_offered ? RULE_GO : RULE_NOT_OFFERED;
	case NEED_AUTH_OFFERED:
		if (f->role == ROLE_SUBMISSION && f->tls_offered && !f->tls_on)
			return RULE_NEED_TLS;
		if (f->authenticated)
			return RULE_SEQUENCE;
		/* RFC 4954 4: AUTH needs EHLO. */
		if (!f->auth_offered || (state == STATE_READY && !f->is_esmtp))
			return RULE_NOT_OFFERED;
		return RULE_GO;
	case NEED_XCLIENT:
		return f->xclient_allowed ? RULE_GO : RULE_NOT_ALLOWED;
	case NEED_IDENTITY:
		if (f->role != ROLE_SUBMISSION || f->authenticated)
			return RULE_GO;
		return f->tls_offered && !f->tls_on ? RULE_NEED_TLS : RULE_NEED_AUTH;
	}
	return RULE_SEQUENCE;
}

enum rule_verdict
rules_check(
    enum smtp_verb verb, bool has_args, enum state state, const struct rule_facts *facts)
{
	if (verb >= VERB_UNKNOWN)
		return RULE_UNKNOWN;

	const struct rule *rule = &rules[verb];
	enum rule_verdict verdict = check_need(rule->need, state, facts);
	if (verdict != RULE_GO)
		return verdict;
	if ((rule->states & BIT(state)) == 0)
		return RULE_SEQUENCE;
	if (rule->argument == ARG_NONE && has_args)
		return RULE_NO_ARGUMENT;
	if (rule->argument == ARG_REQUIRED && !has_args)
		return RULE_ARGUMENT;
	return RULE_GO;
}

enum state
rules_next(enum state state, enum event_kind event)
{
	return next[event][state];
}

const char *
rules_state_name(enum state state)
{
	static const char *const names[STATE_COUNT] = { "START", "READY", "AUTH", "MAIL",
		"RCPT", "CONTENT", "BDAT", "CLOSING" };
	return state < STATE_COUNT ? names[state] : "never";
}

const char *
rules_verdict_name(enum rule_verdict verdict)
{
	switch (verdict) {
	case RULE_GO:
		return "go";
	case RULE_SEQUENCE:
		return "503";
	case RULE_NEED_TLS:
		return "530tls";
	case RULE_NEED_AUTH:
		return "530auth";
	case RULE_NOT_OFFERED:
		return "502";
	case RULE_NOT_ALLOWED:
		return "550";
	case RULE_UNKNOWN:
		return "500";
	case RULE_NO_ARGUMENT:
	case RULE_ARGUMENT:
		return "501";
	}
	return "?";
}

const char *
rules_event_name(enum event_kind event)
{
	static const char *const names[EVENT_COUNT] = { "helo", "tls", "xclient", "auth",
		"auth-end", "mail", "rcpt", "data", "bdat", "tx-end", "close" };
	return event < EVENT_COUNT ? names[event] : "?";
}
