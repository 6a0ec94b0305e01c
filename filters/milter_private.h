/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the files of the link milter share: its settings and state, the memory of a session and
 * of a message, and one call's talk with the milter. Nobody else includes this.
 */
#ifndef GATEPOST_FILTERS_MILTER_PRIVATE_H
#define GATEPOST_FILTERS_MILTER_PRIVATE_H

#include "lib/chain/link.h"
#include "lib/milter/milter_pool.h"

enum milter_quarantine {
	QUARANTINE_HEADER,
	QUARANTINE_DEFER,
	QUARANTINE_REJECT,
	QUARANTINE_REDIRECT,
};
enum milter_discard { DISCARD_OBEY, DISCARD_REFUSE };

struct milter_settings {
	const char *socket;
	int64_t protocol, max_idle;
	int64_t connect_ms, command_ms, content_ms;
	const char *macros[MILTER_STAGES];
	struct conf_strings macro_values; /* "name=value" */
	int quarantine;			  /* enum milter_quarantine */
	const char *quarantine_field, *quarantine_to;
	int discard; /* enum milter_discard */
};

struct milter_state {
	const struct milter_settings *settings; /* borrowed */
	struct arena arena;
	struct milter_config config;
	struct milter_macro *values; /* in the arena: names without braces */
	size_t value_count;
	struct milter_pool *pool; /* owned */
	const char *temp_dir;	  /* borrowed; "": memory only */
	int64_t message_octets;
};

/* Of a session. All zero: the milter has not heard of it yet. */
struct milter_session {
	struct milter_conn *conn; /* owned; NULL: none */
	bool is_accepted; /* the milter does not want to hear of this session any more */
	bool in_message;  /* MAIL was said, and the message is not over */
	/* The connection has waited since it said something, which is as many replies: it may
	 * have died unseen. */
	bool has_waited;
	uint64_t replies;
	struct smtp_reply *refusal; /* owned; what every command hears; NULL: nothing */
};

/* Of a message. */
struct milter_mail {
	bool has_failed; /* it is not asked again */
	bool is_accepted;
	bool is_discarded;
};

/* One call. */
struct milter_talk {
	struct link_call *call;
	const struct milter_state *state;
	const struct milter_settings *settings;
	struct milter_session *session;
	struct milter_mail *mail; /* NULL at connect and helo */
	struct milter_ask ask;
	char event;			   /* the last command */
	const struct recipient *recipient; /* of that command, if it is RCPT; else NULL */
	struct milter_changes *changes;	   /* owned by milter_message: what it asks for */
};

extern const struct conf_table milter_table;
bool milter_setup(const void *settings, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors);
void milter_teardown(void *state);

/* milter_macro - the ask's, with a struct milter_talk as context. */
bool milter_macro(void *context, struct view name, struct view *value_out);

/* milter_macro_name - "{auth_type}" without its braces. */
struct view milter_macro_name(struct view name);

/*
 * milter_talk_to - tell the milter what stage the session is at, and before that whatever it
 * does not know yet. A connection that had died while it waited is replaced, once.
 */
MUST_CHECK enum milter_verdict milter_talk_to(struct milter_talk *t, enum link_stage stage);

/* milter_say_content - DATA to EOM; in milter_content.c. */
MUST_CHECK enum milter_verdict milter_say_content(struct milter_talk *t);

/* milter_leave - the connection is not needed any more by this session. */
void milter_leave(struct milter_session *session);

#endif
