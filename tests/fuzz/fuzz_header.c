/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Messages and their edits. Input: an octet for the number of octets that choose edits, those,
 * then the content. Invariants: what is not edited goes out octet for octet in one piece; after
 * edits the header is what a plain list of strings would be, the body is untouched, and a
 * second reading of what went out finds the same fields.
 */
#include "lib/base/buf.h"
#include "lib/mail/message.h"

#include <stdio.h>
#include <stdlib.h>

#define OUT_MAX ((size_t)1 << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static struct body_store *
store_make(struct view content)
{
	struct body_limits limits = { "/tmp", OUT_MAX, OUT_MAX };
	struct body_store *b = body_create(&limits);

	check(body_append(b, content, NULL), "content fits");
	check(body_seal(b, NULL), "memory can be sealed");
	return b;
}

struct out {
	struct buf text;
	size_t pieces;
};

static bool
out_take(void *context, struct view piece)
{
	struct out *out = context;

	check(piece.len > 0, "no piece is empty");
	out->pieces++;
	return buf_add_view(&out->text, piece);
}

static void
out_write(const struct message *m, struct out *out)
{
	out->pieces = 0;
	buf_init(&out->text, OUT_MAX);
	check(message_write(m, out_take, out), "a sink that takes all gets all");
	check(out->text.len == message_size(m), "as much as message_size says");
}

/* Fields and what surrounds them fill the content without a gap. */
static void
check_fields(const struct message *m, struct view content)
{
	const char *at = content.p;

	for (size_t i = 0; i < message_field_count(m); i++) {
		const struct header_field *f = message_field(m, i);

		check(f->raw.p == at && f->raw.len >= 4,
		    "a field begins where the last one ended");
		check(f->name.p == at && f->name.len > 0, "and its name there");
		check(memchr(f->name.p, ':', f->name.len) == NULL, "a name without colon");
		at += f->raw.len;
		check(f->body.p + f->body.len + 2 == at, "a body reaches to the CRLF");
		check(memcmp(at - 2, "\r\n", 2) == 0, "which is there");
	}
	if (message_has_separator(m)) {
		check(memcmp(at, "\r\n", 2) == 0, "the empty line is there");
		at += 2;
	}
	check(message_body(m).len == content.len - (size_t)(at - content.p),
	    "the rest is the body");
}

/* The same octets, and again the same fields, when what went out is read as a message. */
static void
check_again(const struct message *m, struct view text)
{
	struct body_store *b = store_make(text);
	struct message *again = NULL;
	size_t line = 0;

	check(message_create(&b, &again, &line) == MESSAGE_OK, "what went out is a message");
	check(message_field_count(again) == message_field_count(m), "of as many fields");
	for (size_t i = 0; i < message_field_count(m); i++) {
		check(view_eq(message_field(again, i)->raw, message_field(m, i)->raw),
		    "the same");
		check(
		    view_eq(message_field(again, i)->name, message_field(m, i)->name), "names");
		check(view_eq(message_field(again, i)->body, message_field(m, i)->body),
		    "bodies");
	}
	check(view_eq(message_body(again), message_body(m)), "and the same body");
	message_destroy(&again);
}

static void
add(struct buf *b, struct view v)
{
	check(buf_add_view(b, v), "the model has room");
}

/* Half of the message's octets serve as a value: most are refused, good ones are used. */
static void
edit_one(struct edits *e, uint8_t choice, size_t index, struct view value, struct buf *top,
    struct view *replaced)
{
	switch (choice % 4) {
	case 0:
		if (edits_prepend(e, "X-New", value)) {
			bool glued = value.len == 0 || strchr(" \t\r", value.p[0]) != NULL;
			add(top, glued ? VIEW("X-New:") : VIEW("X-New: "));
			add(top, value);
			add(top, VIEW("\r\n"));
		}
		break;
	case 1:
		check(edits_remove(e, index), "any field can be removed");
		*replaced = view_make(NULL, 1);
		break;
	case 2:
		if (edits_replace(e, index, value))
			*replaced = value;
		break;
	default:
		break;
	}
}

/* The header as it should be: what was put on top, then each field as it was told. */
static void
model_finish(const struct message *m, const struct view *replaced, struct buf *model)
{
	for (size_t i = 0; i < message_field_count(m); i++) {
		const struct header_field *f = message_field(m, i);
		struct view value = replaced[i];

		if (value.p == NULL && value.len == 0)
			add(model, f->raw);
		if (value.p == NULL)
			continue;
		bool glued = value.len == 0 || strchr(" \t\r", value.p[0]) != NULL;
		add(model, f->name);
		add(model, glued ? VIEW(":") : VIEW(": "));
		add(model, value);
		add(model, VIEW("\r\n"));
	}
	if (message_has_separator(m))
		add(model, VIEW("\r\n"));
	add(model, message_body(m));
}

static void
edit(struct message *m, struct view choices, struct view content)
{
	size_t count = message_field_count(m);
	struct edits *e = edits_create();
	struct view *replaced = calloc(count + 1, sizeof(*replaced));
	struct buf model;
	struct out out;

	check(replaced != NULL, "there is memory");
	buf_init(&model, OUT_MAX);
	for (size_t i = 0; i + 3 < choices.len; i += 4) {
		const uint8_t *c = (const uint8_t *)choices.p + i;
		size_t index = count > 0 ? c[1] % count : 0;
		struct view value = view_from(content, content.len * c[2] / 256);

		if (value.len > c[3])
			value.len = c[3];
		if (count > 0 || c[0] % 4 == 0)
			edit_one(e, c[0], index, value, &model, &replaced[index]);
	}
	model_finish(m, replaced, &model);
	message_commit(m, e);
	check(edits_is_empty(e), "commit empties the edits");
	out_write(m, &out);
	check(view_eq(buf_view(&out.text), buf_view(&model)), "the message is as it should be");
	if (message_size(m) < MESSAGE_HEADER_MAX &&
	    message_field_count(m) <= MESSAGE_FIELDS_MAX)
		check_again(m, buf_view(&out.text));
	buf_finish(&out.text);
	buf_finish(&model);
	free(replaced);
	edits_destroy(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message *m = NULL;
	size_t line = 0;

	if (size == 0 || size - 1 < data[0])
		return 0;
	struct view choices = view_make((const char *)data + 1, data[0]);
	struct view content = view_make((const char *)data + 1 + data[0], size - 1 - data[0]);
	struct body_store *b = store_make(content);
	struct view sealed = body_view(b);
	enum message_status status = message_create(&b, &m, &line);

	check((status == MESSAGE_OK) == (b == NULL), "the store changes hands on success only");
	check((status == MESSAGE_OK) == (m != NULL), "there is a message on success only");
	if (m != NULL) {
		struct out out;

		check_fields(m, sealed);
		out_write(m, &out);
		check(view_eq(buf_view(&out.text), content), "octet for octet");
		check(out.pieces == (content.len > 0), "in one piece");
		buf_finish(&out.text);
		edit(m, choices, content);
	} else {
		check(line > 0 && line <= content.len + 1, "the line is one");
	}
	message_destroy(&m);
	body_destroy(&b);
	return 0;
}
