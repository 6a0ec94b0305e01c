/* SPDX-License-Identifier: MPL-2.0 */
/*
 * BDAT as a stream: lines "BDAT size [LAST]" with their octets behind them. Invariants: what is
 * read of a command is a size that can be counted down; content is judged as a plain look at
 * the whole of it does, however it is cut into chunks; what is judged clean can be sent by DATA
 * and comes back as it was.
 */
#include "lib/smtp/command.h"
#include "lib/smtp/dot.h"
#include "lib/smtp/line.h"

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

/* plain_look - every CR before an LF, every LF behind a CR, no NUL. */
static bool
plain_look(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		const bool is_pair = v.p[i] == '\r' && i + 1 < v.len && v.p[i + 1] == '\n';

		if (v.p[i] == '\0' || v.p[i] == '\n' || (v.p[i] == '\r' && !is_pair))
			return false;
		i += is_pair ? 1 : 0;
	}
	return true;
}

static void
check_by_data(struct view content, bool unfinished)
{
	struct dot_encoder encoder = { 0 };
	struct dot_decoder decoder = { 0 };
	struct buf wire;
	char *back = malloc(2 * content.len + 16);
	size_t len, used;

	buf_init(&wire, 2 * content.len + 16);
	check(back != NULL && dot_encode(&encoder, content, &wire) &&
		  dot_encode_end(&encoder, &wire),
	    "clean content can be sent by DATA");
	check(dot_decode(&decoder, buf_view(&wire), back, &len, &used) == DOT_END &&
		  used == wire.len,
	    "in which it ends where it ends");
	check(len == content.len + (unfinished ? 2 : 0) &&
		  memcmp(back, content.p, content.len) == 0,
	    "and is what it was");
	free(back);
	buf_finish(&wire);
}

/* next_chunk - cut the next command and its octets off *in; false: none, or no BDAT. */
static bool
next_chunk(struct view *in, struct view *octets_out, bool *is_last_out)
{
	struct view line;
	uint64_t size;
	size_t used;

	if (smtp_line_scan(*in, SMTP_COMMAND_LINE_MAX, &line, &used) != SMTP_LINE_DONE)
		return false;
	const struct smtp_command command = smtp_command_parse(line);
	if (command.verb != VERB_BDAT || !smtp_bdat_parse(command.args, &size, is_last_out))
		return false;
	check(size <= INT64_MAX, "a size can be counted down");
	*in = view_from(*in, used);
	*octets_out = view_make(in->p, size < in->len ? (size_t)size : in->len);
	*in = view_from(*in, octets_out->len);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view in = view_make((const char *)data, size), octets;
	struct dot_checker checker = { 0 };
	enum dot_status status = DOT_MORE;
	struct buf content;
	bool is_last = false, unfinished = false;

	buf_init(&content, size + 1);
	while (!is_last && next_chunk(&in, &octets, &is_last)) {
		check(buf_add_view(&content, octets), "room");
		const enum dot_status now = dot_check(&checker, octets);
		check(status == DOT_MORE || now == status, "an error stays");
		status = now;
	}
	if (status == DOT_MORE)
		status = dot_check_end(&checker, &unfinished);
	check((status == DOT_END) == plain_look(buf_view(&content)), "as a plain look has it");
	if (status == DOT_END)
		check_by_data(buf_view(&content), unfinished && content.len > 0);
	buf_finish(&content);
	return 0;
}
