/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a transaction needs of a server, and how MAIL and RCPT are said to it: each parameter
 * only where the server has offered it, written anew from the parsed form. Pure.
 */
#ifndef GATEPOST_PROXY_UPSTREAM_RELAY_H
#define GATEPOST_PROXY_UPSTREAM_RELAY_H

#include "lib/base/arena.h"
#include "lib/smtp/command.h"
#include "lib/smtp/ehlo.h"

/* Needs, as bits of a set. */
enum {
	RELAY_8BITMIME = 1,   /* the content may hold 8-bit text: nothing is re-encoded */
	RELAY_DSN = 2,	      /* RFC 3461 */
	RELAY_SMTPUTF8 = 4,   /* RFC 6531: addresses or the header are internationalized */
	RELAY_REQUIRETLS = 8, /* RFC 8689: verified TLS to a server that goes on like this */
};

unsigned relay_needs_of_mail(const struct smtp_mail *mail);
unsigned relay_needs_of_rcpt(const struct smtp_dsn *dsn);

/* relay_lacks - those of the needs that a server with that offer cannot meet. */
unsigned relay_lacks(unsigned needs, const struct smtp_ehlo *ehlo);

/* relay_refuse - what the client hears when no server meets these (at least one). */
void relay_refuse(unsigned lacking, struct smtp_reply *reply_out);

/* What stands in MAIL. */
struct relay_mail {
	const char *path; /* "" for <> */
	const struct smtp_mail *mail;
	uint64_t size; /* octets; 0: not known */
	bool
	    may_assert; /* AUTH= goes to servers that trust us, since we have logged in there */
};

struct relay_rcpt {
	const char *path;
	struct smtp_dsn dsn;
	/* set by relay_keep: */
	struct view domain;
	bool is_first; /* of its domain */
};

/* What was accepted, to be said again elsewhere. */
struct relay_rcpts {
	struct relay_rcpt *items; /* owned; texts in the arena of relay_keep */
	size_t count, room, domain_count;
};

/* relay_has_room - for that recipient, as the server's LIMITS have it (RFC 9422). */
bool relay_has_room(
    const struct relay_rcpts *list, const char *path, const struct smtp_ehlo *ehlo);

void relay_keep(struct relay_rcpts *list, const struct relay_rcpt *rcpt, struct arena *arena);

/* relay_write_mail, _rcpt - the command without CRLF; a line is RELAY_LINE_MAX at most. */
#define RELAY_LINE_MAX 2048
void relay_write_mail(
    const struct relay_mail *m, const struct smtp_ehlo *ehlo, char line[RELAY_LINE_MAX]);
void relay_write_rcpt(
    const struct relay_rcpt *rcpt, const struct smtp_ehlo *ehlo, char line[RELAY_LINE_MAX]);

/* relay_queue_id - "queued as X" (Postfix) or "id=X" (Exim) out of a reply, for the log; out
 * stays as it is when there is none. */
void relay_queue_id(const char *text, char *out, size_t room);

#endif
