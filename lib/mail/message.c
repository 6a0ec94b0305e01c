/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A message as an index over its octets: the fields as views into the store (or into the arena,
 * for fields that were put in), and the tail, which is the empty line and the body.
 *
 * The header block must be clean: each line ends in CRLF, no NUL, no other CR or LF. The
 * decoder of lib/smtp/dot.h has seen to it already; here it is an ordinary syntax error. A line
 * that consists of blanks continues a field, as RFC 5322 4.2 has it.
 */
#include "lib/mail/message_private.h"

#include "lib/base/mem.h"

struct message {
	struct body_store *store;    /* owned: as it came; fields are views into it */
	struct body_store *body;     /* owned: a body that was put in; NULL: as it came */
	struct arena arena;	     /* text of fields that were put in */
	struct header_field *fields; /* owned */
	size_t count, room;
	struct view tail; /* from the empty line on, as it came; or the body that was put in */
	bool has_separator;
	uint64_t size; /* octets of all fields and the tail */
};

/* Where the reading of the header block stands. */
struct scan {
	struct view content;
	size_t at;   /* start of the next line */
	size_t line; /* number of that line, from 1 */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool
message_name_is_valid(struct view name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= 32 || name.p[i] >= 127 || name.p[i] == ':')
			return false;
	}
	return name.len > 0;
}

bool
message_split_field(struct view raw, struct header_field *out)
{
	size_t colon = view_find(raw, ':');
	if (colon == raw.len)
		return false;
	size_t name_len = colon;
	while (name_len > 0 && is_blank(raw.p[name_len - 1]))
		name_len--;
	out->name = view_make(raw.p, name_len);
	out->body = view_make(raw.p + colon + 1, raw.len - colon - 1 - 2);
	out->raw = raw;
	return message_name_is_valid(out->name);
}

struct view
message_make_field(struct arena *arena, struct view name, struct view value, bool exact)
{
	bool needs_blank =
	    !exact && value.len > 0 && !is_blank(value.p[0]) && value.p[0] != '\r';
	size_t len = name.len + 1 + needs_blank + value.len + 2;
	char *text = arena_alloc(arena, len), *p = text;

	memcpy(p, name.p, name.len);
	p += name.len;
	*p++ = ':';
	if (needs_blank)
		*p++ = ' ';
	if (value.len > 0)
		memcpy(p, value.p, value.len);
	memcpy(p + value.len, "\r\n", 2);
	return view_make(text, len);
}

/*
 * The end of the line at s->at, behind its CRLF; 0 when the line is not clean. A line that
 * passes the cap is looked at no further than that.
 */
static size_t
scan_line_end(const struct scan *s)
{
	const char *start = s->content.p + s->at;
	size_t left = s->content.len - s->at;
	if (left > MESSAGE_HEADER_MAX + 2)
		left = MESSAGE_HEADER_MAX + 2;
	const char *cr = memchr(start, '\r', left);

	size_t len = cr != NULL ? (size_t)(cr - start) : left;

	if (len + 1 >= left)
		return left > MESSAGE_HEADER_MAX ? s->at + left : 0;
	if (cr == NULL || cr[1] != '\n')
		return 0;
	if (memchr(start, '\n', len) != NULL || memchr(start, '\0', len) != NULL)
		return 0;
	return s->at + len + 2;
}

/* Read one field with its continuation lines, beginning at s->at. */
static enum message_status
scan_field(struct scan *s, struct header_field *out)
{
	size_t start = s->at, first = s->line;
	const char *p = s->content.p;

	do {
		size_t end = scan_line_end(s);
		if (end == 0)
			return MESSAGE_HEADER_SYNTAX;
		if (end > MESSAGE_HEADER_MAX)
			return MESSAGE_HEADER_LARGE;
		s->at = end;
		s->line++;
	} while (s->at < s->content.len && is_blank(p[s->at]));
	if (message_split_field(view_make(p + start, s->at - start), out))
		return MESSAGE_OK;
	s->line = first;
	return MESSAGE_HEADER_SYNTAX;
}

static bool
scan_is_at_separator(const struct scan *s)
{
	const char *p = s->content.p + s->at;

	return s->content.len - s->at >= 2 && p[0] == '\r' && p[1] == '\n';
}

static void
message_add_field(struct message *m, const struct header_field *field)
{
	if (m->count == m->room) {
		m->room = m->room > 0 ? 2 * m->room : 32;
		m->fields = mem_realloc(m->fields, m->room * sizeof(*m->fields));
	}
	m->fields[m->count++] = *field;
}

static enum message_status
message_read_header(struct message *m, struct scan *s)
{
	while (s->at < s->content.len && !scan_is_at_separator(s)) {
		struct header_field field;
		enum message_status status = scan_field(s, &field);

		if (status != MESSAGE_OK)
			return status;
		if (m->count == MESSAGE_FIELDS_MAX)
			return MESSAGE_HEADER_FIELDS;
		message_add_field(m, &field);
	}
	m->tail = view_from(s->content, s->at);
	m->has_separator = m->tail.len > 0;
	m->size = s->content.len;
	return MESSAGE_OK;
}

enum message_status
message_create(struct body_store **store, struct message **out, size_t *line_out)
{
	struct message *m = mem_calloc(1, sizeof(*m));
	struct scan scan = { .content = body_view(*store), .at = 0, .line = 1 };

	arena_init(&m->arena);
	enum message_status status = message_read_header(m, &scan);
	if (status != MESSAGE_OK) {
		*line_out = scan.line;
		message_destroy(&m);
	} else {
		m->store = *store;
		*store = NULL;
	}
	*out = m;
	return status;
}

void
message_destroy(struct message **m)
{
	if (*m == NULL)
		return;
	arena_finish(&(*m)->arena);
	body_destroy(&(*m)->store);
	body_destroy(&(*m)->body);
	mem_free((*m)->fields);
	mem_free(*m);
	*m = NULL;
}

size_t
message_field_count(const struct message *m)
{
	return m->count;
}

const struct header_field *
message_field(const struct message *m, size_t index)
{
	if (index >= m->count)
		BUG("message_field: index %zu of %zu", index, m->count);
	return &m->fields[index];
}

size_t
message_find(const struct message *m, const char *name, size_t from)
{
	struct view wanted = view_of(name);

	for (size_t i = from; i < m->count; i++) {
		if (view_eq_nocase(m->fields[i].name, wanted))
			return i;
	}
	return SIZE_MAX;
}

size_t
message_count_of(const struct message *m, const char *name)
{
	size_t n = 0;

	for (size_t i = message_find(m, name, 0); i != SIZE_MAX;
	     i = message_find(m, name, i + 1))
		n++;
	return n;
}

struct view
message_body(const struct message *m)
{
	return view_from(m->tail, m->has_separator && m->body == NULL ? 2 : 0);
}

bool
message_has_separator(const struct message *m)
{
	return m->has_separator;
}

uint64_t
message_size(const struct message *m)
{
	return m->size;
}

/* Put a field that we made behind those in m. */
static void
message_add_raw(struct message *m, struct view raw)
{
	struct header_field field;

	if (!message_split_field(raw, &field))
		BUG("an edit made something that is no field");
	message_add_field(m, &field);
	m->size += raw.len;
}

static void
message_apply(struct message *m, const struct header_field *old, const struct edit *edit)
{
	if (edit->kind == EDIT_REPLACE) {
		message_add_raw(
		    m, message_make_field(&m->arena, old->name, edit->value, edit->exact));
	} else if (edit->kind == EDIT_KEEP) {
		message_add_field(m, old);
		m->size += old->raw.len;
	}
}

/* commit_body - the tail is the new body; the empty line above it is written on its own. */
static void
commit_body(struct message *m, struct edits *e)
{
	if (e->body == NULL)
		return;
	body_destroy(&m->body);
	m->body = e->body;
	e->body = NULL;
	m->tail = body_view(m->body);
	m->has_separator = true;
}

static uint64_t
tail_size(const struct message *m)
{
	return m->tail.len + (m->body != NULL ? strlen("\r\n") : 0);
}

static void
commit_fields(struct message *m, const struct edits *e)
{
	static const struct edit keep = { .kind = EDIT_KEEP };
	struct header_field *old = m->fields;
	const size_t old_count = m->count;
	size_t next = 0;

	m->room = e->prepended_count + e->inserted_count + old_count;
	m->fields = mem_calloc(m->room + 1, sizeof(*m->fields));
	m->count = 0;
	m->size = tail_size(m);
	for (size_t i = 0; i < e->prepended_count; i++)
		message_add_raw(m, arena_view(&m->arena, e->prepended[i]));
	for (size_t i = 0; i <= old_count; i++) {
		for (; next < e->inserted_count && e->inserted[next].before == i; next++)
			message_add_raw(m, arena_view(&m->arena, e->inserted[next].raw));
		if (i < old_count)
			message_apply(m, &old[i], i < e->index_count ? &e->by_index[i] : &keep);
	}
	mem_free(old);
}

void
message_commit(struct message *m, struct edits *e)
{
	if (e->index_count > m->count)
		BUG("message_commit: an edit of field %zu of %zu", e->index_count - 1,
		    m->count);
	if (e->inserted_count > 0 && e->inserted[e->inserted_count - 1].before > m->count)
		BUG("message_commit: an insertion before field %zu of %zu",
		    e->inserted[e->inserted_count - 1].before, m->count);
	if (edits_has_fields(e) || e->body != NULL) {
		commit_body(m, e);
		commit_fields(m, e);
	}
	edits_clear(e);
}

/* write_piece - what is adjacent in memory goes out as one. */
static bool
write_piece(struct view *waiting, struct view next, message_sink sink, void *context)
{
	if (waiting->len > 0 && waiting->p + waiting->len == next.p) {
		waiting->len += next.len;
		return true;
	}
	if (waiting->len > 0 && !sink(context, *waiting))
		return false;
	*waiting = next;
	return true;
}

bool
message_is_intact(const struct message *m)
{
	return body_is_intact(m->store) && (m->body == NULL || body_is_intact(m->body));
}

bool
message_write(const struct message *m, message_sink sink, void *context)
{
	struct view waiting = { "", 0 };

	for (size_t i = 0; i < m->count; i++) {
		if (!write_piece(&waiting, m->fields[i].raw, sink, context))
			return false;
	}
	if (m->body != NULL && !write_piece(&waiting, VIEW("\r\n"), sink, context))
		return false;
	if (!write_piece(&waiting, m->tail, sink, context))
		return false;
	return waiting.len == 0 || sink(context, waiting);
}
