/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The protocol law of the server side: which verb may be said in which state, and what follows.
 * Two tables, no I/O. State is what the peer may say next; TLS and authentication are facts
 * beside it. tests/golden/protocol-law.txt shows the whole matrix; a change of law is a change
 * there. RFC 5321 4.1.4 (order of commands), RFC 3207 4.2, RFC 4954 4, RFC 6409 4.3, RFC
 * 3030 2. That octets of a chunk are on their way is a fact too, not a state: they follow BDAT
 * whatever is replied to it.
 */
#ifndef GATEPOST_PROXY_SESSION_RULES_H
#define GATEPOST_PROXY_SESSION_RULES_H

#include "lib/mail/facts.h"

enum state {
	STATE_START,   /* greeted, or TLS just began: EHLO is awaited */
	STATE_READY,   /* EHLO or HELO was said, no transaction */
	STATE_AUTH,    /* within an AUTH exchange: lines are responses, not commands */
	STATE_MAIL,    /* MAIL was accepted, no recipient yet */
	STATE_RCPT,    /* at least one recipient was accepted */
	STATE_CONTENT, /* 354 was said: octets are content, not commands */
	STATE_BDAT,    /* a chunk has come, not the last one: no DATA any more */
	STATE_CLOSING, /* the last reply is on its way; nothing more is read */
	STATE_COUNT,
};

enum event_kind {
	EVENT_HELO,	/* EHLO or HELO accepted */
	EVENT_TLS,	/* STARTTLS: the handshake succeeded */
	EVENT_XCLIENT,	/* a proxy has named its client: greeted anew */
	EVENT_AUTH,	/* 334 said */
	EVENT_AUTH_END, /* 235, or the exchange failed */
	EVENT_MAIL,	/* MAIL accepted */
	EVENT_RCPT,	/* RCPT accepted */
	EVENT_DATA,	/* 354 said */
	EVENT_BDAT,	/* BDAT accepted */
	EVENT_TX_END,	/* the transaction is over: message answered, RSET, or abandoned */
	EVENT_CLOSE,	/* QUIT, a time-out, a broken line end, a lost peer */
	EVENT_COUNT,
};

enum rule_verdict {
	RULE_GO,
	RULE_SEQUENCE,	  /* 503 5.5.1 */
	RULE_NEED_TLS,	  /* 530 5.7.0, RFC 3207 4 */
	RULE_NEED_AUTH,	  /* 530 5.7.0, RFC 4954 6 */
	RULE_NOT_OFFERED, /* 502 5.5.1 */
	RULE_NOT_ALLOWED, /* 550 5.7.0: not from there */
	RULE_UNKNOWN,	  /* 500 5.5.2 */
	RULE_NO_ARGUMENT, /* 501 5.5.4: an argument where none is allowed */
	RULE_ARGUMENT,	  /* 501 5.5.4: none where one is needed */
};

struct rule_facts {
	enum gate_role role;
	bool tls_on;
	bool tls_offered; /* STARTTLS is in our EHLO reply */
	bool authenticated;
	bool auth_offered; /* AUTH is in our EHLO reply (never without TLS, never inbound) */
	bool is_esmtp;
	bool xclient_allowed; /* XCLIENT is in our EHLO reply */
};

enum rule_verdict rules_check(
    enum smtp_verb verb, bool has_args, enum state state, const struct rule_facts *facts);

/* rules_next - the state that follows; STATE_COUNT: the event cannot happen there (our bug). */
enum state rules_next(enum state state, enum event_kind event);

const char *rules_state_name(enum state state);
const char *rules_verdict_name(enum rule_verdict verdict);
const char *rules_event_name(enum event_kind event);

#endif
