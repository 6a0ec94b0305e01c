/* SPDX-License-Identifier: MPL-2.0 */
/* Canonical forms: see canon.h. One pass over the octets, through a small buffer. */
#include "lib/domain/canon.h"

#define PIECE_MAX 4096

struct out {
	canon_sink sink;
	void *context;
	char piece[PIECE_MAX];
	size_t len;
	uint64_t total;
};

static void
out_flush(struct out *o)
{
	if (o->len > 0)
		o->sink(o->context, view_make(o->piece, o->len));
	o->len = 0;
}

static void
out_char(struct out *o, char c)
{
	if (o->len == PIECE_MAX)
		out_flush(o);
	o->piece[o->len++] = c;
	o->total++;
}

/* Runs go past the buffer. */
static void
out_view(struct out *o, struct view v)
{
	if (v.len == 0)
		return;
	if (v.len > PIECE_MAX - o->len) {
		out_flush(o);
		if (v.len > PIECE_MAX) {
			o->sink(o->context, v);
			o->total += v.len;
			return;
		}
	}
	memcpy(o->piece + o->len, v.p, v.len);
	o->len += v.len;
	o->total += v.len;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
ends_in_crlf(struct view v)
{
	return v.len >= 2 && v.p[v.len - 2] == '\r' && v.p[v.len - 1] == '\n';
}

/* The next line of *rest without its CRLF; the last one may have none. */
static bool
next_line(struct view *rest, struct view *line)
{
	const char *end = rest->p + rest->len;
	const char *p = rest->p;

	if (rest->len == 0)
		return false;
	while ((p = memchr(p, '\r', (size_t)(end - p))) != NULL) {
		if (end - p >= 2 && p[1] == '\n')
			break;
		p++;
	}
	*line = view_make(rest->p, (size_t)((p != NULL ? p : end) - rest->p));
	*rest = view_from(*rest, line->len + (p != NULL ? 2 : 0));
	return true;
}

/* Runs of blanks as one, none at the end. */
static void
relaxed_line(struct out *o, struct view line)
{
	size_t at = 0;

	while (line.len > 0 && is_blank(line.p[line.len - 1]))
		line.len--;
	while (at < line.len) {
		size_t start = at;

		while (at < line.len && !is_blank(line.p[at]))
			at++;
		out_view(o, view_make(line.p + start, at - start));
		if (at == line.len)
			break;
		out_char(o, ' ');
		while (is_blank(line.p[at]))
			at++;
	}
}

static bool
is_empty_relaxed(struct view line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (!is_blank(line.p[i]))
			return false;
	}
	return true;
}

/* RFC 6376 3.4.4: empty lines at the end vanish, so they wait until another line comes. */
static void
relaxed_body(struct out *o, struct view body)
{
	struct view line;
	uint64_t waiting = 0;

	while (next_line(&body, &line)) {
		if (is_empty_relaxed(line)) {
			waiting++;
			continue;
		}
		for (; waiting > 0; waiting--)
			out_view(o, VIEW("\r\n"));
		relaxed_line(o, line);
		out_view(o, VIEW("\r\n"));
	}
}

/* RFC 6376 3.4.3: one CRLF at the end, whatever was there. */
static void
simple_body(struct out *o, struct view body)
{
	while (ends_in_crlf(body))
		body.len -= 2;
	out_view(o, body);
	out_view(o, VIEW("\r\n"));
}

uint64_t
canon_body(struct view body, bool relaxed, canon_sink sink, void *context)
{
	struct out o = { .sink = sink, .context = context };

	if (relaxed)
		relaxed_body(&o, body);
	else
		simple_body(&o, body);
	out_flush(&o);
	return o.total;
}

/*
 * RFC 6376 3.4.2. The value without the octets from skip_from to skip_to; before and behind the
 * gap blanks are one run. A fold's CRLF is nothing.
 */
static void
relaxed_value(struct out *o, struct view value, size_t skip_from, size_t skip_to)
{
	bool blank = false, begun = false;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (i >= skip_from && i < skip_to)
			continue;
		if (is_blank(c)) {
			blank = true;
			continue;
		}
		if (c == '\r' || c == '\n')
			continue;
		if (blank && begun)
			out_char(o, ' ');
		out_char(o, c);
		blank = false;
		begun = true;
	}
}

static void
relaxed_name(struct out *o, struct view name)
{
	for (size_t i = 0; i < name.len; i++)
		out_char(o, ascii_lower(name.p[i]));
	out_char(o, ':');
}

void
canon_field(const struct header_field *field, bool relaxed, canon_sink sink, void *context)
{
	struct out o = { .sink = sink, .context = context };

	if (relaxed) {
		relaxed_name(&o, field->name);
		relaxed_value(&o, field->body, field->body.len, field->body.len);
		out_view(&o, VIEW("\r\n"));
	} else {
		out_view(&o, field->raw);
	}
	out_flush(&o);
}

static bool
is_white(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

void
canon_signature(const struct header_field *field, struct view b, bool relaxed, canon_sink sink,
    void *context)
{
	const struct view body = field->body;
	struct out o = { .sink = sink, .context = context };
	size_t from = (size_t)(b.p - body.p), to = from + b.len;

	while (from > 0 && is_white(body.p[from - 1]))
		from--;
	while (to < body.len && is_white(body.p[to]))
		to++;
	if (relaxed) {
		relaxed_name(&o, field->name);
		relaxed_value(&o, body, from, to);
	} else {
		out_view(&o, view_make(field->raw.p, (size_t)(body.p - field->raw.p)));
		out_view(&o, view_make(body.p, from));
		out_view(&o, view_from(body, to));
	}
	out_flush(&o);
}
