/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Changes of the envelope that a link wants (struct edits collects them), and how they become
 * the transaction's facts. What the upstream has heard by then is said to it anew: see
 * delivery_readdress in proxy/upstream/upstream.h.
 */
#ifndef GATEPOST_MAIL_ENVELOPE_H
#define GATEPOST_MAIL_ENVELOPE_H

#include "lib/base/arena.h"
#include "lib/mail/facts.h"

#define ENVELOPE_ADDED_MAX   1000   /* recipients that one link may add */
#define ENVELOPE_REMOVED_MAX 100000 /* highest index of a removed one */

struct envelope_edits {
	bool has_sender;
	struct smtp_path sender; /* views into sender_text */
	const char *sender_text; /* "" for <> */
	struct recipient *added; /* owned */
	size_t added_count, added_room;
	bool *removed; /* owned; by index of the recipient */
	size_t removed_room, removed_count;
	const char *discard; /* the reason; NULL: no */
};

/* Texts live in arena. False: no address, or a cap. */
MUST_CHECK bool envelope_set_sender(
    struct envelope_edits *e, struct view address, struct arena *arena);
MUST_CHECK bool envelope_add(
    struct envelope_edits *e, struct view address, struct arena *arena);
MUST_CHECK bool envelope_remove(struct envelope_edits *e, size_t index);
bool envelope_is_empty(const struct envelope_edits *e);
void envelope_clear(struct envelope_edits *e);	/* keeps the room */
void envelope_finish(struct envelope_edits *e); /* frees it */

/* envelope_is_removed - recipient of that index. */
bool envelope_is_removed(const struct envelope_edits *e, size_t index);

/*
 * envelope_apply - the changes become facts' sender and recipients, in the arena (which must
 * live as long as the transaction). A recipient that is added twice, or is there already,
 * stays one: addresses compare as they are written, the domain without case. An address beyond
 * ASCII makes the transaction one of SMTPUTF8, which the upstream must take then.
 * True: the envelope is another one now.
 */
bool envelope_apply(const struct envelope_edits *e, struct facts *facts, struct arena *arena);

#endif
