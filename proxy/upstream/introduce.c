/* SPDX-License-Identifier: MPL-2.0 */
/* See introduce.h. */
#include "proxy/upstream/introduce.h"

#include "lib/smtp/xclient.h"
#include "proxy/upstream/conn_private.h"

#include <stdio.h>

#define LINE_OCTETS 510 /* of a command, without CRLF */
#define VALUE_MAX   (3 * XCLIENT_VALUE_MAX + 16)

/* value_of - the attribute's value for this client; "": not known. */
static void
value_of(enum xclient_attribute attribute, const struct facts *client, char *out, size_t room)
{
	const struct identity *identity = &client->identity;
	const bool is_v6 = client->client.addr.ss_family == AF_INET6;
	const char *value = "";
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", (unsigned)client->client.port);
	switch (attribute) {
	case XCLIENT_NAME:
		value = client->client_name != NULL ? client->client_name : "";
		break;
	case XCLIENT_ADDR:
		(void)snprintf(out, room, "%s%s", is_v6 ? "IPV6:" : "", client->client.text);
		return;
	case XCLIENT_PORT:
		value = client->client.port != 0 ? port : "";
		break;
	case XCLIENT_PROTO:
		value = client->is_esmtp ? "ESMTP" : "SMTP";
		break;
	case XCLIENT_HELO:
		value = client->helo != NULL ? client->helo : "";
		break;
	case XCLIENT_LOGIN:
		value = identity->login != NULL ? identity->login : "";
		break;
	case XCLIENT_DESTADDR:
	case XCLIENT_DESTPORT:
	case XCLIENT_COUNT:
		break;
	}
	(void)snprintf(out, room, "%s", strlen(value) < room ? value : "");
}

/* tell - one command; false: the connection is of no more use. */
static bool
tell(
    struct conn *c, const char *line, int64_t by, struct smtp_reply *reply_out, struct err *err)
{
	char text[160];

	if (!conn_command(c, view_of(line), by, reply_out, err))
		return err_prefix(err, "%.7s", line);
	if (reply_out->code != 421 && reply_out->code / 100 != 3)
		return true;
	smtp_reply_log_text(reply_out, text, sizeof(text));
	return err_set(
	    err, reply_out->code == 421 ? ERR_TEMP : ERR_PROTOCOL, "%.7s: %s", line, text);
}

/* tell_all - as many XCLIENT commands as it takes; stops at the first that is refused. */
static bool
tell_all(struct conn *c, const struct facts *client, int64_t by, struct smtp_reply *reply_out,
    struct err *err)
{
	const unsigned offered = c->ehlo.xclient;
	char line[LINE_OCTETS + 1] = "XCLIENT", value[XCLIENT_VALUE_MAX + 1], word[VALUE_MAX];
	const size_t head = strlen(line);
	size_t len = head;

	reply_out->code = 220;
	for (enum xclient_attribute i = 0; i < XCLIENT_DESTADDR; i++) {
		size_t added;

		if ((offered & XCLIENT_BIT(i)) == 0)
			continue;
		value_of(i, client, value, sizeof(value));
		added = smtp_xclient_write(i, value, word, sizeof(word));
		if (added == 0 || head + added > LINE_OCTETS)
			added = smtp_xclient_write(i, "", word, sizeof(word));
		if (len + added > LINE_OCTETS) {
			if (!tell(c, line, by, reply_out, err))
				return false;
			if (reply_out->code >= 400)
				return true;
			len = head;
		}
		memcpy(line + len, word, added + 1);
		len += added;
	}
	return len == head || tell(c, line, by, reply_out, err);
}

/* name_of - for the EHLO behind XCLIENT: Postfix believes this one, not HELO's. */
static const char *
name_of(const struct conn *c, const struct facts *client)
{
	if ((c->ehlo.xclient & XCLIENT_BIT(XCLIENT_HELO)) != 0 && client != NULL &&
	    smtp_helo_is_valid(view_of(client->helo)))
		return client->helo;
	return c->target->helo;
}

bool
conn_introduce(struct conn *c, const struct facts *client, int64_t by,
    struct smtp_reply *reply_out, struct err *err)
{
	static const struct facts nobody = { .helo = "", .client = { .text = "" } };
	char line[512];

	reply_out->code = 220;
	if (c->ehlo.xclient == 0)
		return !c->is_introduced ||
		       err_set(err, ERR_PROTOCOL, "XCLIENT is not offered any more");
	c->is_introduced = true;
	if (!tell_all(c, client != NULL ? client : &nobody, by, reply_out, err))
		return false;
	if (reply_out->code >= 400)
		return true;
	(void)snprintf(line, sizeof(line), "%s %s", c->target->is_lmtp ? "LHLO" : "EHLO",
	    name_of(c, client));
	if (!tell(c, line, by, reply_out, err))
		return false;
	if (reply_out->code == 250)
		smtp_ehlo_parse(reply_out, &c->ehlo);
	else if (reply_out->code < 400)
		return err_set(
		    err, ERR_PROTOCOL, "EHLO behind XCLIENT: a reply of %d", reply_out->code);
	return true;
}
