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

/* edits_count - of each kind, for the log: prepended, removed, replaced. */
void edits_count(const struct edits *e, size_t *prepended, size_t *removed, size_t *replaced);

/* message_commit - make the edits real, all of them; e is empty afterwards. Bad index: BUG. */
void message_commit(struct message *m, struct edits *e);

/* message_write - hand the message out in order, in pieces; stops when sink answers false. */
typedef bool (*message_sink)(void *context, struct view piece);
MUST_CHECK bool message_write(const struct message *m, message_sink sink, void *context);

#endif
