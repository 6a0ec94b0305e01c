/* SPDX-License-Identifier: MPL-2.0 */
/* See relay.h. */
#include "proxy/upstream/relay.h"

#include "lib/base/mem.h"

#include <string.h>

unsigned
relay_needs_of_mail(const struct smtp_mail *mail)
{
	unsigned needs = 0;

	if (mail->body == SMTP_BODY_8BITMIME)
		needs |= RELAY_8BITMIME;
	if (smtp_mail_has_dsn(mail))
		needs |= RELAY_DSN;
	if (mail->smtputf8)
		needs |= RELAY_SMTPUTF8;
	if (mail->requiretls)
		needs |= RELAY_REQUIRETLS;
	return needs;
}

unsigned
relay_needs_of_rcpt(const struct smtp_dsn *dsn)
{
	return smtp_dsn_is_set(dsn) ? RELAY_DSN : 0;
}

unsigned
relay_lacks(unsigned needs, const struct smtp_ehlo *ehlo)
{
	unsigned has = 0;

	if (ehlo->eightbitmime)
		has |= RELAY_8BITMIME;
	if (ehlo->dsn)
		has |= RELAY_DSN;
	if (ehlo->smtputf8 && ehlo->eightbitmime) /* RFC 6531 3.1: never without */
		has |= RELAY_SMTPUTF8;
	if (ehlo->requiretls)
		has |= RELAY_REQUIRETLS;
	return needs & ~has;
}

void
relay_refuse(unsigned lacking, struct smtp_reply *reply_out)
{
	static const struct {
		unsigned need;
		int code;
		const char *enhanced, *text;
	} refusals[] = {
		{ RELAY_8BITMIME, 554, "5.6.3",
		    "The mail server does not take 8-bit content (BODY=8BITMIME)" },
		{ RELAY_SMTPUTF8, 550, "5.6.7",
		    "The mail server does not take internationalized mail (SMTPUTF8)" },
		{ RELAY_REQUIRETLS, 550, "5.7.30",
		    "The way to the mail server cannot promise TLS throughout (REQUIRETLS)" },
		{ RELAY_DSN, 555, "5.5.4",
		    "The mail server does not take requests for delivery notifications (DSN)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		if ((lacking & refusals[i].need) == 0)
			continue;
		smtp_reply_set(
		    reply_out, refusals[i].code, refusals[i].enhanced, "%s", refusals[i].text);
		return;
	}
	BUG("nothing is lacking");
}

/* A command line in the making. */
struct line {
	struct buf text;
	bool is_full;
};

static void
line_begin(struct line *l, const char *verb, const char *path)
{
	*l = (struct line){ .is_full = false };
	buf_init(&l->text, RELAY_LINE_MAX - 1);
	if (!buf_printf(&l->text, "%s:<%s>", verb, path))
		l->is_full = true;
}

static void
line_end(struct line *l, char out[RELAY_LINE_MAX])
{
	if (l->is_full || !view_copy(buf_view(&l->text), out, RELAY_LINE_MAX))
		BUG("a command does not fit into its line");
	buf_finish(&l->text);
}

static void
line_text(struct line *l, const char *text)
{
	if (!buf_add_str(&l->text, text))
		l->is_full = true;
}

/* line_param - the parameter that is in text behind a blank; nothing when it was not given. */
static void
line_param(struct line *l, bool is_written, struct buf *text)
{
	if (!is_written || (text->len > 0 && (!buf_add_char(&l->text, ' ') ||
						 !buf_add_view(&l->text, buf_view(text)))))
		l->is_full = true;
	buf_clear(text);
}

void
relay_write_mail(
    const struct relay_mail *m, const struct smtp_ehlo *ehlo, char line[RELAY_LINE_MAX])
{
	struct buf param;
	struct line l;

	buf_init(&param, SMTP_PARAM_MAX);
	line_begin(&l, "MAIL FROM", m->path);
	if (ehlo->size && m->size != 0 &&
	    !buf_printf(&l.text, " SIZE=%llu", (unsigned long long)m->size))
		l.is_full = true;
	if (ehlo->eightbitmime && m->mail->body == SMTP_BODY_8BITMIME)
		line_text(&l, " BODY=8BITMIME");
	if (ehlo->smtputf8 && m->mail->smtputf8)
		line_text(&l, " SMTPUTF8");
	if (ehlo->requiretls && m->mail->requiretls)
		line_text(&l, " REQUIRETLS");
	if (m->may_assert && (ehlo->auth_plain || ehlo->auth_login))
		line_param(&l, smtp_auth_write(m->mail, &param), &param);
	if (ehlo->dsn) {
		line_param(&l, smtp_ret_write(m->mail->ret, &param), &param);
		line_param(&l, smtp_envid_write(m->mail->envid, &param), &param);
	}
	buf_finish(&param);
	line_end(&l, line);
}

void
relay_write_rcpt(
    const struct relay_rcpt *rcpt, const struct smtp_ehlo *ehlo, char line[RELAY_LINE_MAX])
{
	struct buf param;
	struct line l;

	buf_init(&param, SMTP_PARAM_MAX);
	line_begin(&l, "RCPT TO", rcpt->path);
	if (ehlo->dsn) {
		line_param(&l, smtp_notify_write(rcpt->dsn.notify, &param), &param);
		line_param(&l, smtp_orcpt_write(rcpt->dsn.orcpt, &param), &param);
	}
	buf_finish(&param);
	line_end(&l, line);
}

static struct view
domain_of(const char *path)
{
	const char *at = strrchr(path, '@');

	return at != NULL ? view_of(at + 1) : VIEW("");
}

/* has_domain - is one of the recipients there already? */
static bool
has_domain(const struct relay_rcpts *list, struct view domain)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].is_first && view_eq_nocase(list->items[i].domain, domain))
			return true;
	}
	return false;
}

bool
relay_has_room(const struct relay_rcpts *list, const char *path, const struct smtp_ehlo *ehlo)
{
	if (ehlo->rcpt_max != 0 && list->count >= ehlo->rcpt_max)
		return false;
	return ehlo->rcpt_domain_max == 0 || list->domain_count < ehlo->rcpt_domain_max ||
	       has_domain(list, domain_of(path));
}

void
relay_keep(struct relay_rcpts *list, const struct relay_rcpt *rcpt, struct arena *arena)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 4 : 2 * list->room;
		list->items = mem_realloc(list->items, list->room * sizeof(*list->items));
	}
	struct relay_rcpt kept = { .path = arena_strdup(arena, view_of(rcpt->path)),
		.dsn = {
		    .notify = rcpt->dsn.notify, .orcpt = arena_view(arena, rcpt->dsn.orcpt) } };
	kept.domain = domain_of(kept.path);
	kept.is_first = !has_domain(list, kept.domain);
	list->domain_count += kept.is_first;
	list->items[list->count++] = kept;
}

static bool
is_id_char(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_';
}

void
relay_queue_id(const char *text, char *out, size_t room)
{
	static const char *const marks[] = { "queued as ", "id=" };
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		const char *at = strstr(text, marks[i]);

		if (at == NULL)
			continue;
		at += strlen(marks[i]);
		while (len < room - 1 && is_id_char(at[len]))
			len++;
		(void)view_copy(view_make(at, len), out, room);
		return;
	}
}
