/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Our Received field. The words are laid out one by one; a fold goes before a word that would
 * pass column 78 (RFC 5322 2.1.1). The only text in it that a peer chooses freely is the HELO
 * name, of which nothing gets in but what a domain or an address literal can hold.
 */
#include "lib/mail/received.h"

#include "lib/mail/date.h"

#include <stdio.h>

#define VALUE_MAX    4096 /* octets; far over what the parts can add up to */
#define HELO_MAX     255  /* octets of a domain, RFC 5321 4.5.3.1.2 */
#define LINE_COLUMNS 78
#define NAME_COLUMNS 10 /* "Received: " */
#define TAB_COLUMNS  8

struct layout {
	struct buf text;
	size_t column;
	bool is_full;
};

/* Add a word, or a few that stay together, behind a blank or a fold. */
static void layout_add(struct layout *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
layout_add(struct layout *l, const char *fmt, ...)
{
	struct buf word;
	va_list ap;

	buf_init(&word, VALUE_MAX);
	va_start(ap, fmt);
	bool ok = buf_vprintf(&word, fmt, ap);
	va_end(ap);

	if (l->text.len == 0) {
		l->column = NAME_COLUMNS;
	} else if (l->column + 1 + word.len > LINE_COLUMNS) {
		ok = ok && buf_add_str(&l->text, "\r\n\t");
		l->column = TAB_COLUMNS;
	} else {
		ok = ok && buf_add_char(&l->text, ' ');
		l->column++;
	}
	ok = ok && buf_add_view(&l->text, buf_view(&word));
	l->column += word.len;
	l->is_full = l->is_full || !ok;
	buf_finish(&word);
}

/* A HELO name as it can stand in the field: each octet that cannot becomes '-'. */
static void
helo_make_safe(const char *helo, char out[HELO_MAX + 1])
{
	struct view v = view_of(helo);
	bool is_literal = v.len > 2 && v.p[0] == '[' && v.p[v.len - 1] == ']';

	if (v.len == 0 || v.len > HELO_MAX) {
		(void)snprintf(out, HELO_MAX + 1, "unknown");
		return;
	}
	for (size_t i = 0; i < v.len; i++) {
		char c = v.p[i];
		bool is_bracket = i == 0 || i == v.len - 1;
		bool is_kept = ascii_is_alnum(c) || c == '.' || c == '-' || c == '_' ||
			       (is_literal && (c == ':' || is_bracket));
		out[i] = is_kept ? c : '-';
	}
	out[v.len] = '\0';
}

/* RFC 3848; there is no word for HELO with TLS or AUTH. */
static const char *
protocol_name(const struct facts *facts)
{
	bool is_known = facts->identity.login != NULL;

	if (facts->mail.smtputf8 && facts->is_esmtp) { /* RFC 6531 4.3 */
		if (facts->tls.on)
			return is_known ? "UTF8SMTPSA" : "UTF8SMTPS";
		return is_known ? "UTF8SMTPA" : "UTF8SMTP";
	}
	if (!facts->is_esmtp)
		return "SMTP";
	if (facts->tls.on)
		return is_known ? "ESMTPSA" : "ESMTPS";
	return is_known ? "ESMTPA" : "ESMTP";
}

static void
add_client(struct layout *l, const struct facts *facts)
{
	char helo[HELO_MAX + 1];
	bool is_v6 = strchr(facts->client.text, ':') != NULL;

	helo_make_safe(facts->helo, helo);
	layout_add(l, "from %s", helo);
	layout_add(l, "([%s%s])", is_v6 ? "IPv6:" : "", facts->client.text);
}

static void
add_tls(struct layout *l, const struct tls_facts *tls)
{
	if (tls->on && tls->version != NULL && tls->cipher != NULL)
		layout_add(l, "(%s cipher %s bits %d)", tls->version, tls->cipher, tls->bits);
}

/* May that address stand between angle brackets in a header? (Paths are parsed; this is the
 * belt.) */
static bool
address_is_plain(const char *address)
{
	for (const char *p = address; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	}
	return address[0] != '\0';
}

bool
received_value(const struct facts *facts, bool with_client, struct buf *out)
{
	struct layout l = { .column = NAME_COLUMNS };
	const char *id = facts->message_id[0] != '\0' ? facts->message_id : facts->session_id;
	bool is_for_one =
	    facts->recipient_count == 1 && address_is_plain(facts->recipients[0].address);
	char date[DATE_MAX];

	buf_init(&l.text, VALUE_MAX);
	date_format(facts->received_at, date);
	if (with_client)
		add_client(&l, facts);
	layout_add(&l, "by %s", facts->hostname);
	layout_add(&l, "(Gatepost)");
	layout_add(&l, "with %s", protocol_name(facts));
	add_tls(&l, &facts->tls);
	layout_add(&l, is_for_one ? "id %s" : "id %s;", id);
	if (is_for_one)
		layout_add(&l, "for <%s>;", facts->recipients[0].address);
	layout_add(&l, "%s", date);
	bool ok = !l.is_full && buf_add_view(out, buf_view(&l.text));
	buf_finish(&l.text);
	return ok;
}
