/* SPDX-License-Identifier: MPL-2.0 */
/* See report_mailer.h. */
#include "proxy/commands/report_mailer.h"

#include "lib/base/clock.h"
#include "lib/domain/dkim_sign.h"
#include "lib/domain/domain_watch.h"
#include "lib/mail/domain_name.h"

#include <stdio.h>

#define SIGNATURE_MAX 16384

static struct upstream *
find_upstream(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; i < s->config->upstreams.count; i++) {
		if (name != NULL && strcmp(upstream_name(s->upstreams[i]), name) == 0)
			return s->upstreams[i];
	}
	return NULL;
}

/* try_signer - the keys of one domain that the link dkim_sign would choose, if it has any. */
static void
try_signer(struct report_mailer *m, const struct snapshot *s, const char *domain)
{
	if (s->watch == NULL) {
		m->signer = dkim_keyring_find(s->keyring, domain, false);
		return;
	}
	domain_watch_refresh(s->watch, domain);
	m->watch = s->watch;
	m->report = domain_watch_take_own(m->watch, domain);
	if (m->report != NULL && m->report->signing.selector_count > 0)
		m->signer = &m->report->signing;
	else
		domain_watch_give(m->watch, &m->report);
}

/* find_signer - of From's domain, or the nearest parent that has keys. */
static void
find_signer(struct report_mailer *m, const struct snapshot *s)
{
	char domain[DOMAIN_NAME_MAX];
	const char *name = domain, *dot;

	if (!domain_to_ascii(view_of(strrchr(m->from, '@') + 1), domain))
		return;
	for (; m->signer == NULL && name != NULL; name = dot != NULL ? dot + 1 : NULL) {
		try_signer(m, s, name);
		dot = strchr(name, '.');
	}
}

bool
report_mailer_init(struct report_mailer *m, const struct snapshot *snapshot, const char *from,
    const char *upstream, struct err *err)
{
	*m = (struct report_mailer){ .upstream = find_upstream(snapshot, upstream),
		.from = from,
		.temp_dir = snapshot->temp_dir };
	if (m->upstream == NULL)
		return err_set(err, ERR_CONFIG, "there is no upstream that carries reports");
	find_signer(m, snapshot);
	return true;
}

void
report_mailer_finish(struct report_mailer *m)
{
	if (m->report != NULL)
		domain_watch_give(m->watch, &m->report);
	m->signer = NULL;
}

/* make_message - NULL: the text is over a cap. */
static struct message *
make_message(const struct report_mailer *m, struct view text, struct err *err)
{
	const struct body_limits limits = { .temp_dir = m->temp_dir,
		.memory_octets = text.len + 1, /* a command may hold it: no folder needed */
		.max_octets = text.len + 1 };
	struct body_store *store = body_create(&limits);
	struct message *message = NULL;
	size_t line;

	if (body_append(store, text, err) && body_seal(store, err) &&
	    message_create(&store, &message, &line) != MESSAGE_OK)
		(void)err_set(err, ERR_CONFIG, "the report's header is malformed");
	body_destroy(&store);
	return message;
}

static bool
sign(const struct report_mailer *m, struct message *message, struct err *err)
{
	static const char *const names[] = { "From", "To", "Subject", "Date", "Message-ID",
		"Auto-Submitted", "MIME-Version", "Content-Type" };
	const struct dkim_sign_request request = { .message = message,
		.domain = m->signer,
		.header_canon = CANON_RELAXED,
		.body_canon = CANON_RELAXED,
		.sign = names,
		.sign_count = ARRAY_LEN(names),
		.oversign = names,
		.oversign_count = 5, /* what is read, but for what a relay may add */
		.now = clock_real_s() };
	struct buf values[DKIM_SELECTORS_MAX];
	const size_t count = m->signer->selector_count;
	struct edits *edits = edits_create();
	bool ok;

	for (size_t i = 0; i < count; i++)
		buf_init(&values[i], SIGNATURE_MAX);
	ok = dkim_sign_message(&request, values, err);
	for (size_t i = 0; ok && i < count; i++)
		ok = edits_prepend(edits, "DKIM-Signature", buf_view(&values[i])) ||
		     err_set(err, ERR_LIMIT, "a signature could not be added");
	for (size_t i = 0; i < count; i++)
		buf_finish(&values[i]);
	if (ok)
		message_commit(message, edits);
	edits_destroy(&edits);
	return ok;
}

/* parse_path - "a@b" as SMTP has it; bracketed keeps what path points to. */
static bool
parse_path(const char *address, char bracketed[SMTP_PATH_MAX + 4], struct smtp_path *path)
{
	const int len = snprintf(bracketed, SMTP_PATH_MAX + 4, "<%s>", address);

	return len > 0 && len < SMTP_PATH_MAX + 4 &&
	       smtp_path_parse(view_of(bracketed), path) == SMTP_SYNTAX_OK;
}

static bool
deliver(struct report_mailer *m, const struct message *message, const char *to,
    struct smtp_reply *reply)
{
	char from_text[SMTP_PATH_MAX + 4], to_text[SMTP_PATH_MAX + 4], id[32];
	struct smtp_mail mail = { .has_size = true, .size = message_size(message) };
	struct smtp_path recipient;

	if (!parse_path(m->from, from_text, &mail.path) ||
	    !parse_path(to, to_text, &recipient)) {
		smtp_reply_set(reply, 553, "5.1.3", "the address cannot be used in SMTP");
		return false;
	}
	snprintf(id, sizeof(id), "report.%u", ++m->sent);
	struct delivery *d = delivery_create(m->upstream, id);
	delivery_mail(d, &mail, reply);
	if (smtp_reply_is_ok(reply))
		delivery_rcpt(d, &recipient, NULL, reply);
	if (smtp_reply_is_ok(reply))
		delivery_send(d, message, reply);
	delivery_destroy(&d);
	return smtp_reply_is_ok(reply);
}

bool
report_mailer_send(
    struct report_mailer *m, struct view text, const char *to, char answer[REPORT_ANSWER_MAX])
{
	struct err err = { .kind = ERR_NONE };
	struct message *message = make_message(m, text, &err);
	struct smtp_reply reply = { .code = 0 };
	bool ok = false;

	if (message == NULL || (m->signer != NULL && !sign(m, message, &err))) {
		snprintf(answer, REPORT_ANSWER_MAX, "%s", err.text);
	} else {
		ok = deliver(m, message, to, &reply);
		smtp_reply_log_text(&reply, answer, REPORT_ANSWER_MAX);
	}
	message_destroy(&message);
	return ok;
}
