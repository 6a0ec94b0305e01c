/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands. Input: a line. Invariants: what comes out are pieces of the line; a path that was
 * accepted is printable ASCII within its limits, and what goes on to an upstream, written anew
 * from the parsed form, parses to the same path; MAIL and RCPT agree about it.
 */
#include "lib/base/utf8.h"
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
	char address[SMTP_PATH_MAX], text[SMTP_PATH_MAX + 60];
	struct smtp_path again;
	struct smtp_mail mail;
	struct smtp_dsn dsn;

	smtp_path_write(path, address);
	check(path->local.len <= 64 && path->domain.len <= 255, "limits");
	check(path->is_null == (address[0] == '\0'), "only <> is written as nothing");
	check(strlen(address) == path->local.len + (path->domain.len > 0) + path->domain.len,
	    "nothing is cut");
	for (const char *p = address; *p != '\0'; p++)
		check((unsigned char)*p >= ' ' && *p != 0x7f, "a path is text");
	check(utf8_is_text(view_of(address)), "and UTF-8");

	(void)snprintf(text, sizeof(text), "<%s>", address);
	check(
	    smtp_path_parse_utf8(view_of(text), &again) == SMTP_SYNTAX_OK, "and parses again");
	check_same(path, &again);
	check(smtp_path_parse(view_of(text), &again) ==
		  (smtp_path_is_ascii(path) ? SMTP_SYNTAX_OK : SMTP_SYNTAX_UTF8),
	    "beyond ASCII only where that is allowed");

	(void)snprintf(text, sizeof(text), "TO:<%s>", address);
	check(smtp_rcpt_parse(view_of(text), true, &again, &dsn) ==
		  (path->is_null ? SMTP_SYNTAX_NULL : SMTP_SYNTAX_OK),
	    "as forward-path");
	check_same(path, &again);

	(void)snprintf(text, sizeof(text), "FROM:<%s> SIZE=1 BODY=8BITMIME SMTPUTF8", address);
	bool is_reverse = path->is_null || path->domain.len > 0;
	check(smtp_mail_parse(view_of(text), &mail) ==
		  (is_reverse ? SMTP_SYNTAX_OK : SMTP_SYNTAX_PATH),
	    "as reverse-path");
	check_same(path, &mail.path);
	check(!is_reverse || (mail.size == 1 && mail.body == SMTP_BODY_8BITMIME), "parameters");
}

/* written - the parameter that was just written, as a clean word. */
static struct view
written(struct buf *text, bool is_written)
{
	check(is_written, "a parameter has room");
	for (size_t i = 0; i < text->len; i++)
		check((unsigned char)text->p[i] > ' ' && text->p[i] != 0x7f, "a clean word");
	return buf_view(text);
}

static void
check_mail_params(const struct smtp_mail *mail)
{
	char text[3 * SMTP_PARAM_MAX + 16];
	struct buf ret, envid, auth;
	struct smtp_mail again;

	buf_init(&ret, SMTP_PARAM_MAX);
	buf_init(&envid, SMTP_PARAM_MAX);
	buf_init(&auth, SMTP_PARAM_MAX);
	const struct view a = written(&auth, smtp_auth_write(mail, &auth));
	const struct view r = written(&ret, smtp_ret_write(mail->ret, &ret));
	const struct view e = written(&envid, smtp_envid_write(mail->envid, &envid));
	(void)snprintf(text, sizeof(text), "FROM:<>%s%.*s%s%.*s%s%.*s", a.len > 0 ? " " : "",
	    VIEW_ARG(a), r.len > 0 ? " " : "", VIEW_ARG(r), e.len > 0 ? " " : "", VIEW_ARG(e));
	check(smtp_mail_parse(view_of(text), &again) == SMTP_SYNTAX_OK, "MAIL parses again");
	check(again.has_auth == mail->has_auth && again.auth.len <= mail->auth.len,
	    "of whoever submitted it");
	check(again.ret == mail->ret && again.envid.len <= mail->envid.len &&
		  smtp_mail_has_dsn(&again) == smtp_mail_has_dsn(mail),
	    "and says the same");
	buf_finish(&ret);
	buf_finish(&envid);
	buf_finish(&auth);
}

static void
check_rcpt_params(const struct smtp_dsn *dsn)
{
	char text[2 * SMTP_PARAM_MAX + 16];
	struct buf notify, orcpt;
	struct smtp_path path;
	struct smtp_dsn again;

	buf_init(&notify, SMTP_PARAM_MAX);
	buf_init(&orcpt, SMTP_PARAM_MAX);
	const struct view n = written(&notify, smtp_notify_write(dsn->notify, &notify));
	const struct view o = written(&orcpt, smtp_orcpt_write(dsn->orcpt, &orcpt));
	(void)snprintf(text, sizeof(text), "TO:<a@b>%s%.*s%s%.*s", n.len > 0 ? " " : "",
	    VIEW_ARG(n), o.len > 0 ? " " : "", VIEW_ARG(o));
	check(smtp_rcpt_parse(view_of(text), true, &path, &again) == SMTP_SYNTAX_OK,
	    "RCPT parses again");
	check(again.notify == dsn->notify && again.orcpt.len <= dsn->orcpt.len &&
		  smtp_dsn_is_set(&again) == smtp_dsn_is_set(dsn),
	    "and says the same");
	buf_finish(&notify);
	buf_finish(&orcpt);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view line = view_make((const char *)data, size);
	struct smtp_command command = smtp_command_parse(line);
	struct smtp_mail mail;
	struct smtp_path path;
	struct smtp_dsn dsn;

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
		check_mail_params(&mail);
	}
	if (smtp_rcpt_parse(command.args, true, &path, &dsn) == SMTP_SYNTAX_OK) {
		check(!path.is_null, "a forward-path is somebody");
		check_rcpt_params(&dsn);
		check_path(&path);
	}
	if (smtp_path_parse_utf8(line, &path) == SMTP_SYNTAX_OK)
		check_path(&path);
	if (smtp_helo_is_valid(command.args)) {
		check(command.args.len > 0 && command.args.len <= 255, "length of a name");
		for (size_t i = 0; i < command.args.len; i++)
			check(command.args.p[i] > ' ' && command.args.p[i] <= '~', "a name");
	}
	return 0;
}
