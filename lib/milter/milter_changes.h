/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a milter asks for at the end of a message, gathered: nothing is real before the milter
 * has said its last word. Changes of the header come one after the other and each sees what the
 * one before it made, as in Sendmail and Postfix; here they act on a list beside the message,
 * which becomes edits at the end.
 */
#ifndef GATEPOST_MILTER_MILTER_CHANGES_H
#define GATEPOST_MILTER_MILTER_CHANGES_H

#include "lib/mail/facts.h"
#include "lib/mail/message.h"
#include "lib/milter/milter_packet.h"

#define MILTER_REASON_MAX 200 /* octets of a quarantine's reason, with NUL */

struct milter_subject {
	const struct message *message; /* borrowed */
	const struct facts *facts;     /* borrowed */
	size_t hidden;		 /* a field that the milter has not seen; SIZE_MAX: none */
	bool has_leading_space;	 /* it writes the blank behind the colon itself */
	struct body_limits body; /* of a new one */
};

struct milter_changes;

struct milter_changes *milter_changes_create(const struct milter_subject *subject);
void milter_changes_destroy(struct milter_changes **c);

/*
 * milter_changes_add - a reply that changes something (milter_action_of is not 0). False: it
 * cannot be. Line ends within values of fields become CRLF, and a line that does not begin with
 * a blank gets a tab; line ends of a body become CRLF, and its last one is added. Parameters of
 * addresses are left out.
 */
MUST_CHECK bool milter_changes_add(
    struct milter_changes *c, const struct milter_reply *reply, struct err *err);

/* milter_changes_commit - all of it as edits. False: something cannot be, edits are empty. */
MUST_CHECK bool milter_changes_commit(
    struct milter_changes *c, struct edits *edits, struct err *err);

/* milter_changes_redirect - that address (borrowed) is the only recipient, whoever was before.
 */
void milter_changes_redirect(struct milter_changes *c, const char *address);

size_t milter_changes_count(const struct milter_changes *c); /* without quarantine */

/* milter_changes_quarantine - the reason, in printable ASCII; NULL: not asked for. */
const char *milter_changes_quarantine(const struct milter_changes *c);

#endif
