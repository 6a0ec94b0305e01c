/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The chain: links in the order of the configuration, each with its settings, mode, on_error
 * and time limit. Immutable once made. The only caller of hooks.
 */
#ifndef GATEPOST_CHAIN_CHAIN_H
#define GATEPOST_CHAIN_CHAIN_H

#include "lib/chain/link.h"

struct chain;

/* What every link has, in its group beside its own settings: rows in chain_common_rows. */
enum link_mode { MODE_ENFORCE, MODE_SHADOW };
enum link_on_error { ON_ERROR_DEFER, ON_ERROR_PASS };

struct chain_common {
	const char *name; /* of the group, where a link has several; NULL: none */
	int mode;	  /* enum link_mode */
	int on_error;	  /* enum link_on_error */
	int64_t timeout_ms;
};

extern const struct conf_row chain_common_rows[]; /* for struct chain_common at offset 0 */

struct chain_entry {
	const char *name; /* as the chain writes it ("milter:opendkim"); NULL: the link's */
	const struct link *link;
	const void *settings; /* struct of link->settings, or NULL; borrowed */
	struct conf_where where;
	enum link_mode mode;
	enum link_on_error on_error;
	int64_t timeout_ms;
};

/* chain_create - runs each link's setup; NULL when an error was added. */
MUST_CHECK struct chain *chain_create(const struct chain_entry *entries, size_t count,
    const struct link_env *env, struct conf_errors *errors);
void chain_destroy(struct chain **c);

/* Per session: links' session memory. NULL when no link of the chain needs any. */
struct chain_session;
MUST_CHECK struct chain_session *chain_session_create(const struct chain *c);
void chain_session_destroy(struct chain_session **s); /* runs the links' finish; any thread */

/* Per transaction: links' message memory and notes. */
struct chain_run;
struct chain_run *chain_run_create(const struct chain *c);
void chain_run_destroy(struct chain_run **r);
struct view chain_run_notes(
    const struct chain_run *r); /* "key=value key=value", for msg.done */

/* chain_run_results - what the links found out so far; borrowed from r. */
const struct authres *chain_run_results(const struct chain_run *r, size_t *count_out);

/* What one link made of one call. Everything is borrowed for the time of observer.after. */
struct chain_record {
	const char *link; /* as the chain writes it */
	enum link_stage stage;
	enum link_answer answer;
	enum link_mode mode;
	enum link_on_error on_error;
	const struct recipient *recipient; /* rcpt stage */
	const struct smtp_reply *reply;	   /* LINK_REFUSE: its own; else NULL */
	const char *reason;		   /* LINK_FAIL; else "" */
	struct view notes;
	const struct edits *edits;     /* wanted; NULL: none */
	const struct message *message; /* as it was before these edits; message stage */
	const struct facts *facts;     /* likewise */
	const struct authres *results;
	size_t result_count;
	int64_t took_us;
};

/* Who looks on (trace, explain). Called on the thread that runs the stage; may be NULL each. */
struct chain_observer {
	void (*before)(void *context, const char *link, enum link_stage stage);
	void (*after)(void *context, const struct chain_record *record);
	void *context;
};

/* What a stage runs over. */
struct chain_work {
	struct facts *facts; /* edits of the envelope become real in it, at the message stage */
	struct chain_session *session;	       /* of chain_session_create */
	const struct recipient *recipient;     /* rcpt stage */
	struct message *message;	       /* message stage */
	const struct chain_observer *observer; /* NULL: nobody */
	bool is_rehearsal;
};

/*
 * chain_run_stage - run all links that have this hook, in order; true: go on. False: *reply_out
 * is what the peer hears. run is NULL for connect and helo. Each verdict other than NEXT is
 * logged ("link.refuse", "link.fail", "link.shadow"), and each commit of edits ("link.edit").
 *
 * Only a refusal (or a failure under on_error = "defer") ends the stage; nothing that one link
 * does keeps a later one from running otherwise. Edits are committed link by link, after NEXT
 * within the time limit. A hook that overran its limit has failed, whatever it found to pass; a
 * refusal counts however late. A failure is 451 4.3.0 (421 4.3.0 at connect, where RFC 5321
 * knows no 451).
 */
MUST_CHECK bool chain_run_stage(const struct chain *c, struct chain_run *run,
    enum link_stage stage, const struct chain_work *work, struct smtp_reply *reply_out);

/*
 * chain_run_envelope_changed - facts is not what the upstream has heard at MAIL and RCPT.
 * chain_run_discard - why the message shall not be delivered; NULL: it shall.
 * chain_run_route - the upstream that a link has chosen at the mail stage; NULL: none has.
 */
bool chain_run_envelope_changed(const struct chain_run *r);
const char *chain_run_discard(const struct chain_run *r);
const char *chain_run_route(const struct chain_run *r);

/* chain_stage_name - "connect", "helo", "mail", "rcpt", "message". */
const char *chain_stage_name(enum link_stage stage);
const char *chain_answer_name(enum link_answer answer); /* "next", "refuse", "fail" */

#endif
