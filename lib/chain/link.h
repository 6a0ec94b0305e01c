/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The link interface: what policies and filters are. A link is one file with one const table.
 * It sees facts, never sockets or credentials; it answers NEXT or REFUSE (there is no "accept
 * and skip the rest"); its edits become real when it has returned NEXT, all or none. A link
 * cannot switch off another one. Hooks run on worker threads, several sessions at once: a
 * link's own state (made by setup) must be read-only or locked; message memory belongs to one
 * session.
 */
#ifndef GATEPOST_CHAIN_LINK_H
#define GATEPOST_CHAIN_LINK_H

#include "lib/base/conf.h"
#include "lib/mail/authres.h"
#include "lib/mail/facts.h"
#include "lib/mail/message.h"
#include "lib/smtp/reply.h"

#define LINK_ABI 2

enum link_kind {
	LINK_POLICY, /* decides; edits are a BUG */
	LINK_FILTER, /* may also edit */
};

enum link_answer {
	LINK_NEXT,
	LINK_REFUSE, /* by link_refuse() only */
	LINK_FAIL,   /* by link_fail() only: no decision was possible; on_error applies */
};

enum link_stage { STAGE_CONNECT, STAGE_HELO, STAGE_MAIL, STAGE_RCPT, STAGE_MESSAGE };

struct link_call; /* one call of one hook; valid until it returns */

/*
 * What the gate has for links when a configuration is made; borrowed, lives as long as the
 * chain. NULL: this gate has none (a link that cannot do without says so in setup).
 */
struct dkim_keyring;
struct dmarc_store;
struct dns_source;
struct domain_watch;
struct table_set;
struct link_env {
	const char *name; /* of this entry, as the chain writes it: "milter:opendkim" */
	const char *hostname;
	const char *temp_dir;	  /* for body stores; NULL: none, memory only */
	int64_t message_octets;	  /* limits.message: cap of a replaced body */
	struct table_set *tables; /* for look-ups (lib/table/table.h); locks itself */
	const struct dkim_keyring *keyring;
	const struct dns_source *dns;
	struct domain_watch *watch;	 /* what DNS says of our own domains; locks itself */
	struct dmarc_store *dmarc_store; /* results for aggregate reports; locks itself */
	int64_t dns_time_ms;		 /* see link_dns_deadline_ms; 0: no limit */
	const char *const *upstreams;	 /* names, for link_route */
	size_t upstream_count;
};

/* What a plugin was built with: another sum, other headers. */
#define LINK_SIZE                                                                          \
	((uint32_t)(sizeof(struct link) + sizeof(struct link_env) + sizeof(struct facts) + \
		    sizeof(struct recipient) + sizeof(struct conf_row) +                   \
		    sizeof(struct conf_table)))

struct link {
	uint32_t abi;  /* LINK_ABI */
	uint32_t size; /* of a plugin: LINK_SIZE */
	const char *name;
	const char *summary; /* one line, for the manual */
	const char *refuses; /* likewise: its replies, "554 5.7.1"; NULL: it never does */
	enum link_kind kind;
	/* Settings: rows and the struct's size; NULL: none but mode, on_error and timeout. */
	const struct conf_table *settings;
	/* A link about identity: it can only fail closed ("on_error" other than defer is an
	 * error). */
	bool fails_closed;
	/*
	 * setup - once for each configuration; checks settings (errors by conf_error with
	 * where), makes *state_out. teardown frees it. Both may be NULL.
	 */
	bool (*setup)(const void *settings, struct conf_where where, const struct link_env *env,
	    void **state_out, struct conf_errors *errors);
	void (*teardown)(void *state);
	size_t message_size; /* octets of zeroed memory for each transaction, from mail to
				message */
	/*
	 * Octets of zeroed memory for each session, and what ends it (may be NULL). finish runs
	 * once for each session whose memory was made, on any thread, and must not block.
	 */
	size_t session_size;
	void (*finish)(void *state, void *session_memory);
	enum link_answer (*connect)(struct link_call *call);
	enum link_answer (*helo)(struct link_call *call);
	enum link_answer (*mail)(struct link_call *call);
	enum link_answer (*rcpt)(struct link_call *call); /* link_recipient() is the new one */
	enum link_answer (*message)(struct link_call *call);
};

const struct facts *link_facts(const struct link_call *call);
const void *link_settings(const struct link_call *call);
void *link_state(const struct link_call *call);
void *link_memory(const struct link_call *call);
void *link_session_memory(const struct link_call *call); /* NULL with session_size 0 */
const char *link_name(const struct link_call *call);	 /* as the chain writes it */
enum link_stage link_stage(const struct link_call *call);
struct arena *link_arena(struct link_call *call); /* lives as long as this call */
const struct message *link_message(const struct link_call *call);     /* message stage */
const struct recipient *link_recipient(const struct link_call *call); /* rcpt stage */
int64_t link_deadline_ms(
    const struct link_call *call); /* kept by the chain; hand it to what blocks */

/*
 * link_dns_deadline_ms - until when this call may wait for DNS: so that time is left for its
 * answer, and no longer than dns_time_ms for all the links of a transaction together, though
 * each gets a second. A call that asks for it is taken to wait for DNS all its time.
 */
int64_t link_dns_deadline_ms(struct link_call *call);

/* link_refuse - the reply that the peer will hear. */
MUST_CHECK enum link_answer link_refuse(struct link_call *call, int code, const char *enhanced,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
/* link_fail - why no decision was possible: for the log; the peer hears a 451. */
MUST_CHECK enum link_answer link_fail(struct link_call *call, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* link_edits - of this call (message stage of filters): see lib/mail/message.h. */
struct edits *link_edits(struct link_call *call);

/*
 * link_publish - an authentication result for the links behind this one and for
 * Authentication-Results; copied. From the mail stage on. Like edits, it becomes real when the
 * link has answered in time (NEXT or REFUSE); never that of a link that failed or is a shadow.
 * link_results - those of the transaction so far, in order; without this call's own.
 */
void link_publish(struct link_call *call, const struct authres *result);
const struct authres *link_results(const struct link_call *call, size_t *count_out);

/* link_is_rehearsal - nobody waits for the answer and nothing is delivered (gatepost explain):
 * what is counted, recorded or learned of real mail must not be. */
bool link_is_rehearsal(const struct link_call *call);

/* link_is_shadow - whatever it answers is not obeyed: for what it tells others. */
bool link_is_shadow(const struct link_call *call);

/*
 * link_has_failed - the link of that name could not decide, earlier in this transaction, and
 * was passed over (on_error = "pass"): results that it would have published are missing.
 */
bool link_has_failed(const struct link_call *call, const char *name);

/*
 * link_route - deliver this message to another upstream of the configuration than the chain's.
 * At the mail stage only. It becomes real when the link has answered NEXT in time; never for a
 * shadow. Of several links the last one counts. Leaves a note "route=NAME". False: there is no
 * upstream of that name.
 */
MUST_CHECK bool link_route(struct link_call *call, const char *upstream);

/* link_note - a word for the msg.done line ("dkim=example.com/2026a"). */
void link_note(struct link_call *call, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
