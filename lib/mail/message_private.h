/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What message.c and edits.c share: the shape of a field, and the list of edits that
 * message_commit reads. Nobody else includes this.
 */
#ifndef GATEPOST_MAIL_MESSAGE_PRIVATE_H
#define GATEPOST_MAIL_MESSAGE_PRIVATE_H

#include "lib/mail/envelope.h"
#include "lib/mail/message.h"

enum edit_kind { EDIT_KEEP, EDIT_REMOVE, EDIT_REPLACE };

struct edit {
	enum edit_kind kind;
	bool exact;	   /* of EDIT_REPLACE: no blank is put before value */
	struct view value; /* of EDIT_REPLACE; in the arena */
};

struct insertion {
	size_t before;	 /* index of the field below it */
	struct view raw; /* the whole field with its CRLF; in the arena */
};

struct edits {
	struct arena arena;
	/* Whole fields with their CRLF, in the order of the calls. */
	struct view *prepended; /* owned */
	size_t prepended_count, prepended_room;
	/* What happens to the field of that index; the last call for an index counts. */
	struct edit *by_index; /* owned */
	size_t index_count, index_room;
	size_t removed, replaced;   /* entries of by_index of that kind */
	struct insertion *inserted; /* owned; in the order of before, then of the calls */
	size_t inserted_count, inserted_room;
	struct body_store *body; /* owned; NULL: the body stays */
	struct envelope_edits envelope;
};

/* message_split_field - raw is one whole field with its final CRLF; false: it is no field. */
MUST_CHECK bool message_split_field(struct view raw, struct header_field *out);

/* message_make_field - "name: value CRLF" in the arena (no blank is added to one that is
 * there, nor if exact). */
MUST_CHECK struct view message_make_field(
    struct arena *arena, struct view name, struct view value, bool exact);

/* edits_has_fields - some field is added, removed or replaced. */
bool edits_has_fields(const struct edits *e);

/* message_name_is_valid - ftext of RFC 5322 3.6.8, at least one. */
bool message_name_is_valid(struct view name);

#endif
