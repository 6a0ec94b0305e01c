/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Replies. Input: an octet for the size of pieces, then what an upstream sends. Invariants: the
 * reading does not depend on how it is cut; a reader that said "malformed" says it for ever;
 * whatever was read, or is set as a text, is written as lines of printable ASCII of at most 510
 * octets and CRLF, with one code, which read again as a reply of that code. The facts of EHLO
 * are taken from it on the way.
 */
#include "lib/smtp/ehlo.h"
#include "lib/smtp/reply.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static enum smtp_reply_status
read_pieces(struct smtp_reply_reader *r, struct view in, size_t step, size_t *used_out)
{
	enum smtp_reply_status status = SMTP_REPLY_MORE;

	smtp_reply_reader_init(r);
	*used_out = 0;
	while (status == SMTP_REPLY_MORE && *used_out < in.len) {
		size_t len = in.len - *used_out < step ? in.len - *used_out : step, used;
		status = smtp_reply_read(r, view_make(in.p + *used_out, len), &used);
		check(
		    used <= len && (used == len || status != SMTP_REPLY_MORE), "all is spent");
		*used_out += used;
	}
	return status;
}

static void
check_wire(struct view wire)
{
	struct view code = view_make(wire.p, 3);

	while (wire.len > 0) {
		size_t len = view_find(wire, '\n');
		check(len < wire.len && len >= 5 && len <= 511, "the length of a line");
		check(wire.p[len - 1] == '\r', "a line ends in CRLF");
		check(view_starts(wire, code), "one code");
		check(
		    wire.p[3] == (len + 1 == wire.len ? ' ' : '-'), "the last line is marked");
		for (size_t i = 4; i < len - 1; i++)
			check(wire.p[i] >= ' ' && wire.p[i] <= '~', "printable ASCII");
		wire = view_from(wire, len + 1);
	}
}

static void
check_written(const struct smtp_reply *reply)
{
	static struct smtp_reply_reader again;
	struct buf out;
	char log[80];
	size_t used;

	buf_init(&out, 100000);
	check(smtp_reply_write(reply, &out), "a reply fits");
	check_wire(buf_view(&out));
	check(
	    read_pieces(&again, buf_view(&out), 7, &used) == SMTP_REPLY_DONE, "it reads again");
	check(used == out.len, "as one reply");
	check(again.reply.code == reply->code, "of the same code");
	check(reply->enhanced[0] == '\0' || strcmp(reply->enhanced, again.reply.enhanced) == 0,
	    "with the same enhanced code");
	buf_finish(&out);

	smtp_reply_log_text(reply, log, sizeof(log));
	check(strlen(log) < sizeof(log), "the log text fits");
	for (const char *p = log; *p != '\0'; p++)
		check(*p >= ' ' && *p <= '~', "the log text is one line");
}

static void
check_reading(struct view in, size_t step)
{
	static struct smtp_reply_reader whole, pieces;
	struct smtp_ehlo ehlo;
	size_t used, pieces_used;
	enum smtp_reply_status status = read_pieces(&whole, in, in.len + 1, &used);

	check(read_pieces(&pieces, in, step, &pieces_used) == status, "pieces say the same");
	if (status == SMTP_REPLY_MALFORMED) {
		check(smtp_reply_read(&whole, VIEW("250 ok\r\n"), &used) == status,
		    "malformed for ever");
	} else if (status == SMTP_REPLY_DONE) {
		check(used == pieces_used && in.p[used - 1] == '\n', "it ends with a line");
		check(whole.reply.code == pieces.reply.code, "the same code");
		check(whole.reply.code >= 200 && whole.reply.code <= 599, "a code in range");
		check(strcmp(whole.reply.enhanced, pieces.reply.enhanced) == 0,
		    "the same enhanced code");
		check(strcmp(whole.reply.text, pieces.reply.text) == 0, "the same text");
		check_written(&whole.reply);
		smtp_ehlo_parse(&whole.reply, &ehlo);
		check(ehlo.size || ehlo.size_limit == 0, "no limit without SIZE");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int codes[] = { 250, 354, 450, 550 };
	struct smtp_reply reply;

	if (size == 0)
		return 0;
	struct view in = view_make((const char *)data + 1, size - 1);
	check_reading(in, (size_t)data[0] + 1);
	check_reading(in, 1);

	smtp_reply_set(&reply, codes[data[0] % 4], data[0] < 128 ? "5.7.1" : "", "%.*s",
	    (int)(in.len < SMTP_REPLY_TEXT_MAX ? in.len : SMTP_REPLY_TEXT_MAX), in.p);
	if (reply.code != 550)
		reply.enhanced[0] = '\0';
	check_written(&reply);
	return 0;
}
