/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Dots off and dots on. Both ways look at content through one function, scan_lines(), which
 * finds runs of whole lines with memchr, so that most octets are only searched and copied; and
 * which is the one place that knows a line end. The few octets around a dot at the start of a
 * line, or around a CR at the end of a chunk, go one by one.
 */
#include "lib/smtp/dot.h"

enum {
	AT_LINE_START,
	IN_LINE,
	BEHIND_CR,
	BEHIND_DOT,    /* decoder: a dot at the start of a line, taken off */
	BEHIND_DOT_CR, /* decoder */
	REFUSED,       /* and from here on: REFUSED + enum dot_status */
};

struct span {
	const char *p;
	const char *end;
};

static const char *
find_before(const char *p, const char *end, char c)
{
	const char *found = end > p ? memchr(p, c, (size_t)(end - p)) : NULL;

	return found != NULL ? found : end;
}

/*
 * Move in->p over lines: up to a dot at the start of one (*state is then AT_LINE_START), or to
 * the end (any of the first three states). DOT_MORE, or what is wrong at in->p.
 */
static enum dot_status
scan_lines(struct span *in, int *state)
{
	while (in->p < in->end) {
		if (*state == BEHIND_CR) {
			if (*in->p != '\n')
				return DOT_BARE_CR;
			in->p++;
			*state = AT_LINE_START;
			continue;
		}
		if (*state == AT_LINE_START && *in->p == '.')
			return DOT_MORE;
		const char *cr = find_before(in->p, in->end, '\r');
		const char *lf = find_before(in->p, cr, '\n');
		in->p = lf;
		*state = IN_LINE;
		if (lf < cr)
			return DOT_BARE_LF;
		if (cr < in->end) {
			in->p++;
			*state = BEHIND_CR;
		}
	}
	return DOT_MORE;
}

/* ---- off ---- */

/* One octet behind a dot that stood at the start of a line. */
static enum dot_status
decode_dot(struct span *in, int *state)
{
	char c = *in->p;

	if (*state == BEHIND_DOT_CR) {
		if (c != '\n')
			return DOT_BARE_CR;
		in->p++;
		*state = AT_LINE_START;
		return DOT_END;
	}
	if (c == '\r') {
		in->p++;
		*state = BEHIND_DOT_CR;
	} else {
		*state = IN_LINE; /* its octets are content, even when c is a dot again */
	}
	return DOT_MORE;
}

/* A run of lines, copied; the CR at its end waits until its LF is there. */
static enum dot_status
decode_lines(struct span *in, int *state, char **out)
{
	bool had_cr = *state == BEHIND_CR;
	const char *start = in->p;
	enum dot_status status = scan_lines(in, state);
	size_t len = (size_t)(in->p - start);

	if (had_cr && len > 0)
		*(*out)++ = '\r';
	if (*state == BEHIND_CR && len > 0)
		len--;
	memcpy(*out, start, len);
	*out += len;
	return status;
}

static enum dot_status
decode(struct span *in, int *state, char **out)
{
	enum dot_status status = DOT_MORE;

	while (status == DOT_MORE && in->p < in->end) {
		if (*state == BEHIND_DOT || *state == BEHIND_DOT_CR) {
			status = decode_dot(in, state);
		} else if (*state == AT_LINE_START && *in->p == '.') {
			in->p++;
			*state = BEHIND_DOT;
		} else {
			status = decode_lines(in, state, out);
		}
	}
	return status;
}

enum dot_status
dot_decode(struct dot_decoder *d, struct view in, char *out, size_t *out_len, size_t *used)
{
	struct view clean = view_make(in.p, view_find(in, '\0'));
	struct span span = { in.p, in.p + clean.len };
	char *out_end = out;
	enum dot_status status = DOT_MORE;

	if (d->state >= REFUSED)
		status = (enum dot_status)(d->state - REFUSED);
	else
		status = decode(&span, &d->state, &out_end);
	if (status == DOT_MORE && clean.len < in.len)
		status = DOT_NUL;
	if (status != DOT_MORE && status != DOT_END)
		d->state = REFUSED + (int)status;
	*out_len = (size_t)(out_end - out);
	*used = status == DOT_END ? (size_t)(span.p - in.p) : in.len;
	return status;
}

/* ---- neither ---- */

enum dot_status
dot_check(struct dot_checker *c, struct view in)
{
	struct view clean = view_make(in.p, view_find(in, '\0'));
	struct span span = { in.p, in.p + clean.len };
	enum dot_status status = DOT_MORE;

	if (c->state >= REFUSED)
		return (enum dot_status)(c->state - REFUSED);
	while (status == DOT_MORE && span.p < span.end) {
		if (c->state == AT_LINE_START && *span.p == '.') {
			span.p++; /* a dot like any other octet */
			c->state = IN_LINE;
		}
		status = scan_lines(&span, &c->state);
	}
	if (status == DOT_MORE && clean.len < in.len)
		status = DOT_NUL;
	if (status != DOT_MORE)
		c->state = REFUSED + (int)status;
	return status;
}

enum dot_status
dot_check_end(const struct dot_checker *c, bool *unfinished_out)
{
	*unfinished_out = c->state == IN_LINE;
	if (c->state >= REFUSED)
		return (enum dot_status)(c->state - REFUSED);
	return c->state == BEHIND_CR ? DOT_BARE_CR : DOT_END;
}

/* ---- on ---- */

static bool
encode(struct span *in, int *state, struct buf *out)
{
	while (in->p < in->end) {
		const char *start = in->p;
		if (*state == AT_LINE_START && *start == '.') {
			if (!buf_add(out, ".", 1))
				return false;
			in->p++; /* the dot itself goes out with the run */
			*state = IN_LINE;
		}
		if (scan_lines(in, state) != DOT_MORE ||
		    !buf_add(out, start, (size_t)(in->p - start)))
			return false;
	}
	return true;
}

bool
dot_encode(struct dot_encoder *e, struct view in, struct buf *out)
{
	size_t before = out->len;
	int state = e->state;
	struct span span = { in.p, in.p + in.len };

	if (view_find(in, '\0') < in.len || !encode(&span, &state, out)) {
		out->len = before;
		return false;
	}
	e->state = state;
	return true;
}

bool
dot_encode_end(struct dot_encoder *e, struct buf *out)
{
	if (e->state == BEHIND_CR)
		return false;
	if (!buf_add_str(out, e->state == AT_LINE_START ? ".\r\n" : "\r\n.\r\n"))
		return false;
	e->state = AT_LINE_START;
	return true;
}
