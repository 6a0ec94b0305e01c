/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A rehearsal: one transaction through the real chain, without a client, an upstream, or
 * anything written; with a record of what each link did. For gatepost explain and test-policy.
 *
 * The steps and the replies are the session's (proxy/session). What it leaves out: TLS, the
 * proof of a password, SIZE and BODY of MAIL, and the upstream, which is taken to accept
 * everything. HELO is said once, as the client says it last (behind STARTTLS).
 */
#ifndef GATEPOST_PROXY_REHEARSAL_H
#define GATEPOST_PROXY_REHEARSAL_H

#include "lib/net/dns_recorder.h"
#include "proxy/snapshot.h"

#define REHEARSAL_CALLS_MAX   20000
#define REHEARSAL_REMARKS_MAX 4

/* Who says what. Borrowed. */
struct rehearsal_request {
	enum gate_role role;
	const char *listener; /* as it is configured; NULL: the first one of the role */
	const char *login;    /* who has authenticated; NULL: nobody */
	struct sockaddr_storage client;
	const char *helo;
	const char *from; /* without brackets; "" or "<>": the null reverse-path */
	const char *const *recipients;
	size_t recipient_count; /* at least 1 */
	bool tls;		/* on all listeners with a login, or with implicit TLS, it is */
	struct view content;	/* lines may end in LF alone */
};

struct rehearsal_change {
	enum edit_change change;
	size_t index; /* of the field, or the recipient */
	struct view text;
};

/* Questions to the DNS, by their numbers in the recorder. */
struct rehearsal_questions {
	size_t first, count;
};

/* What one link made of one call. */
struct rehearsal_call {
	const char *link; /* as the chain writes it */
	enum link_stage stage;
	const char *recipient; /* rcpt stage, else NULL */
	enum link_answer answer;
	enum link_mode mode;
	enum link_on_error on_error;
	const struct smtp_reply *reply; /* NULL: none */
	const char *reason;		/* LINK_FAIL, else "" */
	const char *notes;
	const struct rehearsal_change *changes; /* wanted; see rehearsal_is_obeyed */
	size_t change_count;
	const struct authres *results;
	size_t result_count;
	struct rehearsal_questions questions;
	int64_t took_us;
};

enum rehearsal_verdict {
	REHEARSAL_ACCEPTED,
	REHEARSAL_DISCARDED, /* accepted, and not delivered */
	REHEARSAL_REFUSED,
	REHEARSAL_DEFERRED,
};

struct rehearsal_recipient {
	const char *address;
	struct smtp_reply reply; /* 250: accepted by the chain */
	const char *by;		 /* who refused it, as in struct rehearsal */
};

/* All texts live in the arena, or in the snapshot. */
struct rehearsal {
	struct arena arena;
	struct facts facts;		  /* at the end; without the identity's patterns */
	const char *upstream;		  /* that it would go to */
	struct rehearsal_questions watch; /* the watch of our own domains, beforehand */
	struct rehearsal_call *calls;	  /* owned array */
	size_t call_count, call_room;
	struct rehearsal_recipient *recipients; /* those that the chain was asked about */
	size_t recipient_count;
	const char *remarks[REHEARSAL_REMARKS_MAX]; /* about the message, for people */
	size_t remark_count;
	const char **idle; /* links of the chain that were not asked at all */
	size_t idle_count;

	enum rehearsal_verdict verdict;
	struct smtp_reply reply; /* what the client hears to what decided */
	const char *step;	 /* where: "connect", "helo", "mail", "rcpt", "message" */
	const char *by;		 /* who: a link, "session", or "upstream" */
	const char *discard;	 /* why, when it is discarded; else NULL */
	const char *notes;	 /* of all links together, as the log has them */
	const struct authres *results;
	size_t result_count;
	struct message *message; /* owned: as it would be forwarded; NULL: it is not */
	/* The envelope that it would be forwarded with. */
	const char *reverse_path;
	const char *const *forward_paths;
	size_t forward_path_count;
};

/*
 * rehearsal_run - the snapshot is of snapshot_rehearse, over the recorder's source. False: it
 * cannot be rehearsed, *err says why (no such listener or login). Finish it in both cases.
 */
MUST_CHECK bool rehearsal_run(const struct snapshot *s, const struct rehearsal_request *request,
    struct dns_recorder *dns, struct rehearsal *out, struct err *err);
void rehearsal_finish(struct rehearsal *r);

/* rehearsal_is_obeyed - its answer, edits and results counted: it is no shadow, and did not
 * fail. */
bool rehearsal_is_obeyed(const struct rehearsal_call *call);

const char *rehearsal_verdict_name(enum rehearsal_verdict verdict); /* "accepted" */

#endif
