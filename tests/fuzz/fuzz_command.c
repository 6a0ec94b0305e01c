/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands. Input: a line. Invariants: what comes out are pieces of the line; a path that was
 * accepted is printable ASCII within its limits, and what goes on to an upstream, written anew
 * from the parsed form, parses to the same path; MAIL and RCPT agree about it.
 */
#include "lib/smtp/command.h"

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

static void
check_inside(struct view piece, struct view whole)
{
	check(piece.len == 0 ||
		  (piece.p >= whole.p && piece.p + piece.len <= whole.p + whole.len),
	    "what comes out is a piece of the line");
}

static void
check_same(const struct smtp_path *a, const struct smtp_path *b)
{
	check(a->is_null == b->is_null && view_eq(a->local, b->local) &&
		  view_eq(a->domain, b->domain),
	    "a path written anew parses to itself");
}

static void
check_path(const struct smtp_path *path)
{
	char address[SMTP_PATH_MAX], text[SMTP_PATH_MAX + 40];
	struct smtp_path again;
	struct smtp_mail mail;

	smtp_path_write(path, address);
	check(path->local.len <= 64 && path->domain.len <= 255, "limits");
	check(path->is_null == (address[0] == '\0'), "only <> is written as nothing");
	check(strlen(address) == path->local.len + (path->domain.len > 0) + path->domain.len,
	    "nothing is cut");
	for (const char *p = address; *p != '\0'; p++)
		check(*p >= ' ' && *p <= '~', "a path is printable ASCII");

	(void)snprintf(text, sizeof(text), "<%s>", address);
	check(smtp_path_parse(view_of(text), &again) == SMTP_SYNTAX_OK, "and parses again");
	check_same(path, &again);

	(void)snprintf(text, sizeof(text), "TO:<%s>", address);
	check(smtp_rcpt_parse(view_of(text), &again) ==
		  (path->is_null ? SMTP_SYNTAX_NULL : SMTP_SYNTAX_OK),
	    "as forward-path");
	check_same(path, &again);

	(void)snprintf(text, sizeof(text), "FROM:<%s> SIZE=1 BODY=8BITMIME", address);
	bool is_reverse = path->is_null || path->domain.len > 0;
	check(smtp_mail_parse(view_of(text), &mail) ==
		  (is_reverse ? SMTP_SYNTAX_OK : SMTP_SYNTAX_PATH),
	    "as reverse-path");
	check_same(path, &mail.path);
	check(!is_reverse || (mail.size == 1 && mail.body == SMTP_BODY_8BITMIME), "parameters");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view line = view_make((const char *)data, size);
	struct smtp_command command = smtp_command_parse(line);
	struct smtp_mail mail;
	struct smtp_path path;

	check_inside(command.word, line);
	check_inside(command.args, line);
	check((command.verb == VERB_UNKNOWN) == (smtp_verb_name(command.verb)[0] == '?'),
	    "names");
	check(command.verb == VERB_UNKNOWN || !smtp_line_is_foreign(line),
	    "no verb of ours is foreign");
	if (smtp_mail_parse(command.args, &mail) == SMTP_SYNTAX_OK) {
		check_inside(mail.path.local, line);
		check_inside(mail.path.domain, line);
		check_path(&mail.path);
	}
	if (smtp_rcpt_parse(command.args, &path) == SMTP_SYNTAX_OK) {
		check(!path.is_null, "a forward-path is somebody");
		check_path(&path);
	}
	if (smtp_path_parse(line, &path) == SMTP_SYNTAX_OK)
		check_path(&path);
	if (smtp_helo_is_valid(command.args)) {
		check(command.args.len > 0 && command.args.len <= 255, "length of a name");
		for (size_t i = 0; i < command.args.len; i++)
			check(command.args.p[i] > ' ' && command.args.p[i] <= '~', "a name");
	}
	return 0;
}
