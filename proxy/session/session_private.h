/* SPDX-License-Identifier: MPL-2.0 */
/* Private to proxy/session: the session, its transaction, and what the command files share. */
#ifndef GATEPOST_PROXY_SESSION_SESSION_PRIVATE_H
#define GATEPOST_PROXY_SESSION_SESSION_PRIVATE_H

#include "lib/net/proxy_header.h"
#include "lib/smtp/dot.h"
#include "lib/smtp/line.h"
#include "proxy/auth/penalties.h"
#include "proxy/session/client_private.h"
#include "proxy/session/replies.h"
#include "proxy/session/rules.h"
#include "proxy/session/session.h"
#include "proxy/session/tracing.h"

#define SESSION_IN_MAX	(16 * 1024) /* octets read ahead: a longest AUTH line fits */
#define SESSION_OUT_MAX (64 * 1024) /* octets of replies not yet written */
#define SESSION_ID_LEN	12
#define LOG_RECIPIENTS	10 /* named in a msg.done line; the others are counted */

/* What became of the content while it came in: the reply waits for its end. */
enum content_status { CONTENT_GOOD, CONTENT_TOO_LARGE, CONTENT_NOT_STORED };

/* What cmd_auth.c keeps while a try to log in is held back (s->paused_until_ms). */
struct auth_hold {
	struct penalty_try try;
	int64_t since_ms;
	const char
	    *blocked; /* static; what the log says of it; NULL: it may still be checked */
};

/* From MAIL to the end of the message. transaction_end() is the only way out. */
struct transaction {
	struct arena arena; /* paths and ids */
	struct delivery *delivery;
	struct chain_run *chain_run;
	struct recipient *recipients; /* owned; accepted ones */
	size_t recipient_room;
	unsigned refused_recipients;
	struct body_store *store;   /* from 354 on; a message owns it later */
	struct dot_decoder decoder; /* of DATA */
	struct dot_checker checker; /* of BDAT */
	enum content_status content;
	uint64_t content_octets; /* kept or not */
	int64_t started_ms, content_done_ms;
	uint64_t chain_ms; /* of the message stage */
};

/* A chunk of BDAT whose octets are on their way: until left is 0 nothing else comes. */
struct chunk {
	uint64_t left;
	bool is_last;
	bool is_refused; /* its octets are thrown away, then refusal is said */
	struct smtp_reply refusal;
};

struct session {
	struct session_slot slot;
	int fd;
	SSL *ssl;		       /* owned; NULL: plain */
	struct proxy_header *proxy;    /* owned; while the balancer's header is awaited */
	struct proxied_by *proxied_by; /* owned; NULL: XCLIENT is not accepted from there */
	bool handshaking, greeted;
	bool is_check; /* a balancer's own connection: it is not news in the log */
	bool drained;  /* the socket gave less than was asked for */
	bool has_quit; /* the client said so: it sends nothing more */
	bool lingering;
	bool tls_next;		   /* the handshake begins when s->out has been written */
	enum state state;	   /* written by session_enter only */
	struct snapshot *snapshot; /* a reference */
	const struct snapshot_listener *listener;
	const struct snapshot_service *service;
	struct arena arena; /* lives as long as the session */
	struct buf in, out;
	char helo[SMTP_HELO_MAX + 1]; /* facts.helo, once EHLO was said */
	struct facts facts;
	struct chain_session
	    *chain_session;	 /* owned; NULL: no link needs one, or no greeting */
	struct tracing *tracing; /* owned; NULL: there is no trace */
	struct transaction *tx;	 /* NULL: none */
	struct mech_run *auth;	 /* during an AUTH exchange */
	struct auth_hold auth_hold;
	int64_t paused_until_ms; /* 0: not; nothing is read or done before */
	int64_t pace_until_ms; /* pace.c: content must have come by then; 0: none is awaited */
	uint64_t pace_octets;  /* of content, that have not counted for it yet */
	struct chunk chunk;
	uint64_t discarded;			 /* octets of refused chunks */
	uint64_t messages;			 /* transactions begun */
	size_t lingered;			 /* octets thrown away after the last reply */
	const char *names[TLS_CLIENT_NAMES_MAX]; /* of the client's verified certificate */
	size_t name_count;
	unsigned errors, commands, auth_failures;
	unsigned forgiven; /* of the errors: not the client's, limits.errors is not for them */
	int64_t opened_ms;
	int64_t phase_since_ms; /* began the command, handshake, pause or farewell at hand */
	const char *end_reason; /* for session.end; static */
};

/* session_enter - the one writer of the state. A new state begins a new phase. */
void session_enter(struct session *s, enum event_kind event);

/* session_say - queue a reply. 4xx and 5xx count as errors of the client; see session.c. */
void session_say(struct session *s, enum reply_id id, const char *detail);
void session_say_reply(struct session *s, const struct smtp_reply *reply);

/* session_close - say the last reply (REPLY_COUNT: none) and end; reason is for the log. */
void session_close(struct session *s, enum reply_id id, const char *detail, const char *reason);

/* session_greet - at the beginning, and again when XCLIENT has named another client. */
void session_greet(struct session *s);

struct rule_facts session_rule_facts(const struct session *s);

/* session_judge - run a stage of the chain over what is known; recipient and message as in
 * struct chain_work. False: *reply_out is what the client hears. */
MUST_CHECK bool session_judge(struct session *s, enum link_stage stage,
    const struct recipient *recipient, struct message *message, struct smtp_reply *reply_out);

/* input.c: octets from and to the client; none of these blocks. */
enum input_status { INPUT_OK, INPUT_WANT_READ, INPUT_WANT_WRITE, INPUT_CLOSED };
enum input_status input_handshake(struct session *s);
enum input_status input_fill(struct session *s);  /* read into s->in */
enum input_status input_flush(struct session *s); /* write s->out */
void input_start_tls(struct session *s);
/* input_is_silent - neither in clear nor under TLS may anything be said yet. */
bool input_is_silent(const struct session *s);
bool input_has_early_talk(const struct session *s);
bool input_is_gone(const struct session *s); /* it has closed, or reset, or sends no more */
enum input_status input_linger(
    struct session *s); /* after the last reply: until the peer closes */

/*
 * proxied.c: a connection from a network of balancers (proxy_networks) begins with a PROXY
 * header, before anything else. proxied_read is over (INPUT_OK) when s->proxy is gone and
 * facts.client is the client; what it refuses it logs.
 */
void session_set_client(struct session *s, const struct sockaddr_storage *addr);
void proxied_begin(struct session *s); /* if the peer is a balancer */
enum input_status proxied_read(struct session *s);
void proxied_give_up(struct session *s, const char *reason); /* no header came in time */

/* pace_deadline - of a session that waits for content: 421 when it is over. */
int64_t pace_deadline(struct session *s);

/* transaction.c */
void transaction_begin(struct session *s, const struct smtp_mail *mail);
void transaction_add_recipient(
    struct session *s, const struct smtp_path *path, const struct smtp_dsn *dsn);
void transaction_end(struct session *s); /* also when there is none */
/* transaction_route - to the upstream that the chain has chosen at the mail stage. */
void transaction_route(struct session *s);

/* transaction_finish - the content is whole: chain, upstream, log; the reply for the client. */
void transaction_finish(struct session *s, struct smtp_reply *reply_out);

/* One file per command: cmd_*.c. Called after rules_check said RULE_GO. */
void cmd_helo(struct session *s, const struct smtp_command *command);
void cmd_starttls(struct session *s, const struct smtp_command *command);
void cmd_auth(struct session *s, const struct smtp_command *command);
void cmd_auth_line(struct session *s, struct view line); /* a response within the exchange */
void cmd_auth_resume(struct session *s);		 /* the pause is over */
void cmd_mail(struct session *s, const struct smtp_command *command);
void cmd_rcpt(struct session *s, const struct smtp_command *command);
void cmd_data(struct session *s, const struct smtp_command *command);
void cmd_data_content(struct session *s); /* octets of content wait in s->in */
void cmd_bdat(struct session *s, const struct smtp_command *command);
void cmd_bdat_octets(struct session *s); /* octets of s->chunk wait in s->in */
/* cmd_bdat_refused - BDAT that may not be said now: its octets come all the same. */
void cmd_bdat_refused(
    struct session *s, const struct smtp_command *command, enum rule_verdict verdict);
void cmd_rset(struct session *s, const struct smtp_command *command);
void cmd_noop(struct session *s, const struct smtp_command *command);
void cmd_vrfy(struct session *s, const struct smtp_command *command);
void cmd_help(struct session *s, const struct smtp_command *command);
void cmd_quit(struct session *s, const struct smtp_command *command);
void cmd_xclient(struct session *s, const struct smtp_command *command);

/* cmd_size_text - the message size limit in octets, for a reply. */
#define CMD_SIZE_TEXT 24
void cmd_size_text(const struct session *s, char out[CMD_SIZE_TEXT]);

/*
 * What DATA and BDAT share. content_open - the store that content goes to. content_add - into
 * it, or nowhere, if that failed before. content_refuse - it is no lines: the session ends.
 * content_finish - it is whole. content_is_endless - twice the limit of a message has come; the
 * session is closed.
 */
void content_open(struct session *s);
void content_add(struct session *s, struct view octets);
void content_refuse(struct session *s, enum dot_status status);
void content_finish(struct session *s);
bool content_is_endless(struct session *s);

/* cmd_domain_is_valid - of a path that was parsed: a domain beyond ASCII is one of IDNA. */
bool cmd_domain_is_valid(const struct smtp_path *path);

#endif
