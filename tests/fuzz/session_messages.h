/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the session's fuzzer: what a client has sent, by a second reading that shares no code
 * with the gate, and whether what arrived at the upstream is one of its messages: begun right
 * behind a DATA line and ended by CRLF.CRLF, or chunks up to one that is the last; every octet
 * the same, but for fields on top and those few that links take out.
 */
#ifndef GATEPOST_TESTS_SESSION_MESSAGES_H
#define GATEPOST_TESTS_SESSION_MESSAGES_H

#include "lib/base/buf.h"
#include "lib/base/view.h"
#include "tests/fuzz/session_check.h"

#define MESSAGE_ROOM (1 << 20)

static struct buf client_said;	   /* every octet of this input */
static size_t client_looked_until; /* behind the last message that arrived */

/* line_length - up to and with the CRLF; SIZE_MAX: there is none. */
static inline size_t
line_length(struct view v)
{
	for (size_t i = 0; i + 1 < v.len; i++) {
		if (v.p[i] == '\r' && v.p[i + 1] == '\n')
			return i + 2;
	}
	return SIZE_MAX;
}

/* wire_message - the lines before the one with the dot, without dot-stuffing; *used_out: octets
 * that are spent with that. False: it never comes. */
static inline bool
wire_message(struct view from, struct buf *out, size_t *used_out)
{
	size_t at = 0;

	buf_clear(out);
	for (;;) {
		const struct view rest = view_from(from, at);
		const size_t len = line_length(rest), dot = rest.len > 0 && rest.p[0] == '.';

		if (len == SIZE_MAX)
			return false;
		at += len;
		if (len == 3 && dot != 0) {
			*used_out = at;
			return true;
		}
		check(buf_add(out, rest.p + dot, len - dot), "room for a message");
	}
}

static inline struct view
last_line(struct view v)
{
	size_t at = v.len > 2 ? v.len - 2 : 0;

	while (at > 0 && !(v.p[at - 1] == '\n'))
		at--;
	return view_from(v, at);
}

/* field_may_go - the field that ends v is one that a link of the test's chains takes out;
 * *start_out is where it begins. */
static inline bool
field_may_go(struct view v, size_t *start_out)
{
	static const char *const names[] = { "authentication-results", "bcc", "resent-bcc" };
	struct view line;

	do {
		line = last_line(v);
		v.len -= line.len;
	} while (v.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t'));
	*start_out = v.len;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (view_starts_nocase(line, view_of(names[i])))
			return true;
	}
	return false;
}

static inline size_t
header_length(struct view message)
{
	size_t at = 0, len;

	while ((len = line_length(view_from(message, at))) != SIZE_MAX && len > 2)
		at += len;
	return at;
}

/* is_field_list - each line begins a field, or goes on with one. */
static inline bool
is_field_list(struct view v)
{
	bool has_one = false;

	while (v.len > 0) {
		const size_t len = line_length(v);
		const bool goes_on = v.p[0] == ' ' || v.p[0] == '\t';

		if (len == SIZE_MAX || (goes_on && !has_one) ||
		    (!goes_on && view_find(view_make(v.p, len), ':') == len))
			return false;
		has_one = true;
		v = view_from(v, len);
	}
	return has_one;
}

/* is_same_message - from the end to the top, line by line. */
static inline bool
is_same_message(struct view client, struct view arrived)
{
	const size_t client_header = header_length(client);
	const size_t header = header_length(arrived);
	struct view a = view_make(client.p, client_header), b = view_make(arrived.p, header);

	/* The empty line that ends the header is ours to add where there is no body. */
	struct view body = view_from(client, client_header), other = view_from(arrived, header);
	if (!view_eq(body, other) && !(body.len == 0 && view_eq(other, VIEW("\r\n"))))
		return false;
	while (a.len > 0) {
		const struct view line = last_line(a), there = last_line(b);
		size_t start;

		if (view_eq(line, there)) {
			a.len -= line.len;
			b.len -= there.len;
		} else if (field_may_go(a, &start)) {
			a.len = start;
		} else {
			return false;
		}
	}
	return is_field_list(b);
}

static inline bool
is_data_line(struct view before)
{
	struct view line = last_line(before);

	return view_starts_nocase(line, VIEW("DATA")) &&
	       view_trim(view_from(line, 4)).len <= 2 && line.len >= 6;
}

/* bdat_line - "BDAT n" or "BDAT n LAST" with its CRLF; false: another line. */
static inline bool
bdat_line(struct view line, size_t *size_out, bool *is_last_out)
{
	const struct view size = view_trim(view_from(line, 5));
	size_t n = 0;

	if (!view_starts_nocase(line, VIEW("BDAT ")))
		return false;
	for (*size_out = 0; n < size.len && size.p[n] >= '0' && size.p[n] <= '9'; n++)
		*size_out = *size_out < MESSAGE_ROOM
				? 10 * *size_out + (size_t)(size.p[n] - '0')
				: *size_out;
	*is_last_out = view_eq_nocase(view_trim(view_from(size, n)), VIEW("LAST"));
	return true;
}

/*
 * chunk_message - the octets of the chunks from here on, up to and with the last one, ended as
 * a message is; other commands may stand between. False: there is no last one.
 */
static inline bool
chunk_message(struct view from, struct buf *out, size_t *used_out)
{
	size_t at = 0, len, size;
	bool is_last = false;

	buf_clear(out);
	while (!is_last) {
		const struct view rest = view_from(from, at);

		len = line_length(rest);
		if (len == SIZE_MAX)
			return false;
		at += len;
		if (!bdat_line(view_make(rest.p, len), &size, &is_last))
			continue;
		if (size > from.len - at)
			return false;
		check(buf_add(out, from.p + at, size), "room for a message");
		at += size;
	}
	*used_out = at;
	if (out->len > 0 && !view_ends_nocase(buf_view(out), VIEW("\r\n")))
		check(buf_add_str(out, "\r\n"), "room for a message");
	return true;
}

/* message_at - the client's message that may begin here, behind DATA or with a chunk. */
static inline bool
message_at(struct view all, size_t at, struct buf *out, size_t *used_out)
{
	if (at >= 6 && all.p[at - 1] == '\n' && is_data_line(view_make(all.p, at)))
		return wire_message(view_from(all, at), out, used_out);
	return view_starts_nocase(view_from(all, at), VIEW("BDAT ")) &&
	       chunk_message(view_from(all, at), out, used_out);
}

/* client_message_is - one of what the client has sent since the last one. */
static inline bool
client_message_is(struct view arrived)
{
	const struct view all = buf_view(&client_said);
	bool found = false;
	struct buf message;
	size_t used;

	buf_init(&message, MESSAGE_ROOM);
	for (size_t at = client_looked_until; at < all.len && !found; at++) {
		if (!message_at(all, at, &message, &used))
			continue;
		found = is_same_message(buf_view(&message), arrived);
		if (found)
			client_looked_until = at + used;
	}
	buf_finish(&message);
	return found;
}

#endif
