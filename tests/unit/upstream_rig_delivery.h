/* SPDX-License-Identifier: MPL-2.0 */
/* Deliveries for the tests of the upstream side: messages, envelopes, an upstream's
 * configuration. */
#ifndef GATEPOST_TESTS_UNIT_UPSTREAM_RIG_DELIVERY_H
#define GATEPOST_TESTS_UNIT_UPSTREAM_RIG_DELIVERY_H

#include "lib/base/mem.h"
#include "proxy/upstream/delivery.h"

#include <stdlib.h>
#include <string.h>

/* The content of rig_message_of, and what comes of it and its envelope. */
#define CONTENT	 "From: a@example.com\r\nSubject: x\r\n\r\n.dot\r\nbody\r\n"
#define ON_WIRE	 "From: a@example.com\r\nSubject: x\r\n\r\n..dot\r\nbody\r\n.\r\n"
#define EHLO	 "EHLO gate.example.com\r\n"
#define ENVELOPE "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n"
#define AGAIN	 "MAIL FROM:<a@example.com> SIZE=47\r\nRCPT TO:<b@example.net>\r\n"

/* rig_config - of an upstream with these servers, with short time limits. */
static inline struct config_upstream
rig_config(const char *const *servers, size_t count)
{
	return (struct config_upstream){ .name = "mta",
		.type = UPSTREAM_SMTP,
		.servers = { .items = servers, .count = count },
		.tls = UPSTREAM_TLS_NONE,
		.connect_timeout_ms = 5000,
		.command_timeout_ms = 5000,
		.final_timeout_ms = 5000,
		.idle_ms = 60000,
		.max_idle = 4 };
}

static inline struct message *
rig_message(const char *p, size_t len)
{
	struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 64U << 20, .max_octets = 64U << 20
	};
	struct body_store *store = body_create(&limits);
	struct message *m = NULL;
	size_t line;

	if (!body_append(store, view_make(p, len), NULL) || !body_seal(store, NULL) ||
	    message_create(&store, &m, &line) != MESSAGE_OK)
		abort();
	return m;
}

static inline struct smtp_mail
rig_mail_of(const char *args)
{
	struct smtp_mail mail;

	if (smtp_mail_parse(view_of(args), &mail) != SMTP_SYNTAX_OK)
		abort();
	return mail;
}

static inline struct smtp_path
rig_path_of(const char *text)
{
	struct smtp_path path;

	if (smtp_path_parse(view_of(text), &path) != SMTP_SYNTAX_OK)
		abort();
	return path;
}

static inline struct message *
rig_message_of(bool is_large)
{
	static const char line[] =
	    "0123456789012345678901234567890123456789012345678901234567890\r\n";
	size_t len = sizeof(CONTENT) - 1, lines = is_large ? 200000 : 0;
	char *text = mem_alloc(len + lines * (sizeof(line) - 1));
	struct message *m;

	memcpy(text, CONTENT, len);
	for (size_t i = 0; i < lines; i++) {
		memcpy(text + len, line, sizeof(line) - 1);
		len += sizeof(line) - 1;
	}
	m = rig_message(text, len);
	mem_free(text);
	return m;
}

/* What one delivery answered, step by step; 0: not asked. */
struct rig_answers {
	int mail, rcpt, final;
	struct smtp_reply last;
	struct delivery_facts facts;
};

static inline void
rig_deliver(struct upstream *u, const char *mail_args, bool is_large, struct rig_answers *out)
{
	struct delivery *d = delivery_create(u, "test.1");
	struct smtp_mail mail = rig_mail_of(mail_args);
	struct smtp_path path = rig_path_of("<b@example.net>");

	memset(out, 0, sizeof(*out));
	delivery_mail(d, &mail, &out->last);
	out->mail = out->last.code;
	if (smtp_reply_is_ok(&out->last)) {
		delivery_rcpt(d, &path, NULL, &out->last);
		out->rcpt = out->last.code;
	}
	if (out->rcpt != 0 && smtp_reply_is_ok(&out->last)) {
		struct message *m = rig_message_of(is_large);

		delivery_send(d, m, &out->last);
		out->final = out->last.code;
		message_destroy(&m);
	}
	out->facts = *delivery_facts(d);
	delivery_destroy(&d);
}

#endif
