/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the session's fuzzer: what the client hears. Every reply is well formed (RFC 5321 4.2,
 * RFC 2034), no line is longer than 512 octets, nothing follows a last word, and there are no
 * more replies than there were reasons for.
 */
#ifndef GATEPOST_TESTS_SESSION_REPLIES_H
#define GATEPOST_TESTS_SESSION_REPLIES_H

#include "lib/base/view.h"
#include "tests/fuzz/session_check.h"

#define REPLY_LINE_OCTETS 512
#define OUR_NAME	  "gate.test"

struct replies {
	size_t count;
	size_t answers;	   /* of these: to a command; the others close, or are 421 */
	size_t logins;	   /* 235 */
	size_t messages;   /* a 2xx right behind a 354 */
	size_t queued;	   /* a server's own word, if it is the usual one */
	bool is_over;	   /* 421 or 221 was said */
	int last;	   /* code */
	bool is_in_middle; /* a line with a hyphen came last */
};

static inline bool
is_printable(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] < ' ' || v.p[i] > '~')
			return false;
	}
	return true;
}

static inline size_t
digits(struct view v)
{
	size_t n = 0;

	while (n < v.len && v.p[n] >= '0' && v.p[n] <= '9')
		n++;
	return n;
}

/* has_enhanced - "5.7.1 " at the head, of the code's own class. */
static inline bool
has_enhanced(struct view text, int code)
{
	size_t subject, detail;

	if (text.len < 6 || text.p[0] != '0' + code / 100 || text.p[1] != '.')
		return false;
	subject = digits(view_from(text, 2));
	if (subject == 0 || subject > 3 || view_from(text, 2 + subject).p[0] != '.')
		return false;
	detail = digits(view_from(text, 3 + subject));
	return detail > 0 && detail <= 3 &&
	       view_starts(view_from(text, 3 + subject + detail), VIEW(" "));
}

/* needs_enhanced - all but the greeting, 3xx, and what answers HELO and EHLO. */
static inline bool
needs_enhanced(const struct replies *r, int code, struct view text)
{
	if (code / 100 == 3 || (r->count == 0 && code == 220))
		return false;
	return !(code == 250 && view_starts(text, VIEW(OUR_NAME)));
}

static inline void
check_line(struct replies *r, struct view line, bool is_ehlo)
{
	int code = 0;

	check(line.len >= 4 && line.len + 2 <= REPLY_LINE_OCTETS,
	    "a reply's line has its length");
	check(is_printable(line), "a reply is printable");
	check(digits(line) == 3, "a reply begins with a code");
	for (size_t i = 0; i < 3; i++)
		code = code * 10 + (line.p[i] - '0');
	check(code >= 200 && code < 600, "a code is one of RFC 5321");
	check(line.p[3] == ' ' || line.p[3] == '-', "a code ends in a blank or a hyphen");
	check(!r->is_in_middle || r->last == code, "one code a reply");
	check(!r->is_over || r->is_in_middle, "nothing follows the last word");
	check(is_ehlo || !needs_enhanced(r, code, view_from(line, 4)) ||
		  has_enhanced(view_from(line, 4), code),
	    "a reply has its enhanced code");
	if (!r->is_in_middle && r->last == 354)
		r->messages += code / 100 == 2;
	r->is_in_middle = line.p[3] == '-';
	r->last = code;
	if (r->is_in_middle)
		return;
	r->count++;
	r->answers += code != 421 && !view_ends_nocase(line, VIEW("closing"));
	r->logins += code == 235;
	r->queued += view_eq(view_from(line, 4), VIEW("2.0.0 Ok: queued as X"));
	r->is_over = code == 421 || code == 221;
}

/* replies_read - the whole of what was heard so far; the rest of a line is looked at later. */
static inline void
replies_read(struct replies *r, struct view heard)
{
	bool is_ehlo = false;

	*r = (struct replies){ 0 };
	while (heard.len > 0) {
		const size_t cr = view_find(heard, '\r');
		const struct view line = view_make(heard.p, cr);

		if (cr + 1 >= heard.len)
			return;
		check(heard.p[cr + 1] == '\n', "a reply's line ends in CRLF");
		is_ehlo = r->is_in_middle ? is_ehlo
					  : view_starts(line, VIEW("250-" OUR_NAME)) ||
						view_starts(line, VIEW("250 " OUR_NAME));
		check_line(r, line, is_ehlo);
		heard = view_from(heard, cr + 2);
	}
}

#endif
