/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A whole message: its header fields in order, and its body, both byte-exact as they came. The
 * one splitter of header and body in this house. Edits are made on a list beside it and become
 * real only when message_commit is called, so that a link that fails half-way leaves no trace.
 *
 * Not for MIME: nothing here looks into the body.
 */
#ifndef GATEPOST_MAIL_MESSAGE_H
#define GATEPOST_MAIL_MESSAGE_H

#include "lib/base/arena.h"
#include "lib/mail/body.h"

#define MESSAGE_FIELDS_MAX 2000		/* default caps, RFC 5322 has none */
#define MESSAGE_HEADER_MAX (512 * 1024) /* octets of the header block */

struct header_field {
	struct view name; /* without the colon and blanks before it */
	struct view body; /* behind the colon, folds included, without the final CRLF */
	struct view raw;  /* the whole field with its CRLF */
};

enum message_status {
	MESSAGE_OK,
	MESSAGE_HEADER_SYNTAX, /* a header line that is no field: *line_out says which, from 1
				*/
	MESSAGE_HEADER_LARGE,
	MESSAGE_HEADER_FIELDS,
};

struct message;

/*
 * message_create - split a sealed store's content. The header ends at the first empty line, or
 * at the end of content; a content that begins with an empty line has no fields. A line without
 * a colon, with a name that is not ftext (RFC 5322 3.6.8), or that begins with a blank in first
 * place is MESSAGE_HEADER_SYNTAX. On success the message owns the store.
 */
MUST_CHECK enum message_status message_create(
    struct body_store **store, struct message **out, size_t *line_out);
void message_destroy(struct message **m);

size_t message_field_count(const struct message *m);
const struct header_field *message_field(const struct message *m, size_t index);

/* message_find - first field of that name (no case) at or after index from; SIZE_MAX: none. */
size_t message_find(const struct message *m, const char *name, size_t from);
size_t message_count_of(const struct message *m, const char *name);

/* message_body - behind the empty line; message_has_separator: was there one? */
struct view message_body(const struct message *m);
bool message_has_separator(const struct message *m);

uint64_t message_size(const struct message *m); /* octets as it would go out now */

/* Edits: wanted by a link, real after message_commit. Text is copied. Names and values are
 * checked. */
struct edits;

struct edits *edits_create(void);
void edits_destroy(struct edits **e);
bool edits_is_empty(const struct edits *e);
void edits_clear(struct edits *e);

/*
 * edits_prepend - a field on top of all others. value may be folded with CRLF + blank; it is
 * refused (false) if it holds NUL, bare CR or LF, a CRLF not followed by a blank, or a bad
 * name. Several prepends of one link keep the order of the calls from top to bottom of *that
 * link's* block.
 */
MUST_CHECK bool edits_prepend(struct edits *e, const char *name, struct view value);
MUST_CHECK bool edits_remove(
    struct edits *e, size_t index); /* index as of now, before commit */
MUST_CHECK bool edits_replace(struct edits *e, size_t index, struct view value);

/*
 * edits_insert - a field above the one that has index `before` now; before = the number of
 * fields: at the end of the header. Several at one place keep the order of the calls; all of
 * them are below what edits_prepend puts on top. exact: value stands behind the colon as it is
 * (a milter that brings its own blank, or none); otherwise as by edits_prepend, with one blank.
 * edits_replace_exact - likewise.
 */
MUST_CHECK bool edits_insert(
    struct edits *e, size_t before, const char *name, struct view value, bool exact);
MUST_CHECK bool edits_replace_exact(struct edits *e, size_t index, struct view value);

/*
 * edits_set_body - what stands behind the empty line from now on (one is put in where the
 * message has none): a sealed store, which the edits own on success. False: it has a NUL, a
 * bare CR or LF, or does not end in CRLF.
 */
struct body_store;
MUST_CHECK bool edits_set_body(struct edits *e, struct body_store **body);

/*
 * The envelope (lib/mail/envelope.h); addresses without angle brackets, checked to the grammar
 * of RFC 5321 4.1.2: false if it is none. edits_set_sender: "" is the null reverse-path.
 * edits_remove_recipient: index into facts->recipients as of now. edits_discard: nothing is
 * delivered, though the peer hears that it was accepted; the links behind run all the same.
 */
MUST_CHECK bool edits_set_sender(struct edits *e, struct view address);
MUST_CHECK bool edits_add_recipient(struct edits *e, struct view address);
MUST_CHECK bool edits_remove_recipient(struct edits *e, size_t index);
void edits_discard(struct edits *e, const char *reason);
struct envelope_edits;
const struct envelope_edits *edits_envelope(const struct edits *e);

/* edits_count - of each kind, for the log: fields added (on top or elsewhere), removed,
 * replaced. */
void edits_count(const struct edits *e, size_t *added, size_t *removed, size_t *replaced);
bool edits_has_body(const struct edits *e);

/*
 * edits_describe - what the edits would do to m and the envelope of facts, for people: one call
 * of line for each change, in the order of the header; a replaced field is one removed and one
 * added. The text may hold anything that a message may, folds included: whoever shows it makes
 * it safe. It lives until line returns. field_index is where in m, or which recipient.
 */
struct facts;
enum edit_change {
	CHANGE_ADDED,	/* a field: text is "Name: value" */
	CHANGE_REMOVED, /* likewise */
	CHANGE_BODY,	/* text is "N octets instead of M" */
	CHANGE_SENDER,	/* text is the new reverse-path, "" for <> */
	CHANGE_RECIPIENT_ADDED,
	CHANGE_RECIPIENT_REMOVED,
	CHANGE_DISCARD, /* text is the reason */
};
const char *edit_change_name(enum edit_change change); /* "added", "recipient_removed" */
typedef void (*edits_line)(
    void *context, enum edit_change change, size_t field_index, struct view text);
void edits_describe(const struct edits *e, const struct message *m, const struct facts *facts,
    edits_line line, void *context);

/* message_commit - make the edits real, all of them; e is empty afterwards. Bad index: BUG. */
void message_commit(struct message *m, struct edits *e);

/* message_is_intact - false: what was seen of its content so far was not all of it
 * (body_is_intact). Whoever hands it on asks before that counts. */
bool message_is_intact(const struct message *m);

/* message_write - hand the message out in order, in pieces; stops when sink answers false. */
typedef bool (*message_sink)(void *context, struct view piece);
MUST_CHECK bool message_write(const struct message *m, message_sink sink, void *context);

#endif
