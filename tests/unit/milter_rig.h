/* SPDX-License-Identifier: MPL-2.0 */
/* For the tests of the link milter: a session of the gate with a milter that has a script.
 * Include behind cmocka.h. */
#ifndef GATEPOST_TESTS_MILTER_RIG_H
#define GATEPOST_TESTS_MILTER_RIG_H

#include "filters/filters.h"
#include "lib/net/address.h"
#include "tests/unit/link_fixture.h"
#include "tests/unit/milter_peer.h"

#define OURS                                                                      \
	"Received: from x by gate.example.net (Gatepost) with ESMTP id s1.1;\r\n" \
	"\tTue, 24 Nov 2026 20:57:50 +0000\r\n"
#define FIELDS "From: a@example.com\r\nSubject: one\r\n two\r\n"
#define TEXT   OURS FIELDS "\r\nbody\r\n"

static const struct recipient rcpt_b = { .path = { .local = { "b", 1 },
					     .domain = { "example.net", 11 } },
	.address = "b@example.net" };
static const struct recipient rcpt_c = { .path = { .local = { "c", 1 },
					     .domain = { "example.net", 11 } },
	.address = "c@example.net" };

struct rig {
	struct milter_peer peer;
	struct link_fixture f;
	struct recipient recipients[4];
	size_t messages;
};

static inline void
rig_open(struct rig *r, const struct peer_rule *rules, size_t count)
{
	memset(r, 0, sizeof(*r));
	peer_open(&r->peer, rules, count);
}

/* rig_start - the gate's side; more settings. */
static inline void
rig_start(struct rig *r, const char *settings)
{
	const struct link_env env = {
		.name = "milter", .hostname = "gate.example.net", .message_octets = 1 << 20
	};
	char text[400];

	snprintf(text, sizeof(text), "socket = \"unix:%s\"; %s", r->peer.path, settings);
	link_fixture_open_env(&r->f, &link_milter, text, &env);
	if (r->f.chain == NULL)
		fail_msg("%s", r->f.errors.lines[0]);
	assert_true(address_from_host("192.0.2.7", 4711, &r->f.facts.client.addr));
	snprintf(r->f.facts.client.text, sizeof(r->f.facts.client.text), "192.0.2.7");
	r->f.facts.client.port = 4711;
	r->f.facts.listener = "192.0.2.1:25";
	r->f.facts.helo = "";
	r->f.facts.message_id = "";
}

static inline const char *
rig_stop(struct rig *r)
{
	link_fixture_close(&r->f);
	return peer_close(&r->peer);
}

static inline void
rig_close(struct rig *r)
{
	peer_free(&r->peer);
}

static inline int
say_connect(struct rig *r)
{
	return link_fixture_stage(&r->f, STAGE_CONNECT, NULL);
}

static inline int
say_helo(struct rig *r)
{
	r->f.facts.helo = "client.example.org";
	return link_fixture_stage(&r->f, STAGE_HELO, NULL);
}

/* say_mail - another message of the session. */
static inline int
say_mail(struct rig *r)
{
	static const char *const ids[] = { "s1.1", "s1.2", "s1.3", "s1.4" };

	if (r->messages > 0) {
		chain_run_destroy(&r->f.run);
		r->f.run = chain_run_create(r->f.chain);
	}
	r->f.facts.message_id = ids[r->messages++];
	r->f.facts.reverse_path = "a@example.com";
	r->f.facts.mail =
	    (struct smtp_mail){ .path = { .local = VIEW("a"), .domain = VIEW("example.com") },
		    .has_size = true,
		    .size = 100,
		    .body = SMTP_BODY_8BITMIME };
	r->f.facts.recipient_count = 0;
	r->f.facts.recipients = r->recipients;
	return link_fixture_stage(&r->f, STAGE_MAIL, NULL);
}

static inline int
say_rcpt(struct rig *r, const struct recipient *recipient)
{
	const int code = link_fixture_stage(&r->f, STAGE_RCPT, recipient);

	if (code == 0)
		r->recipients[r->f.facts.recipient_count++] = *recipient;
	return code;
}

/* say_all - up to the message; 0 if nothing was refused on the way. */
static inline int
say_all(struct rig *r)
{
	int code = say_connect(r);

	code = code != 0 ? code : say_helo(r);
	code = code != 0 ? code : say_mail(r);
	code = code != 0 ? code : say_rcpt(r, &rcpt_b);
	return code != 0 ? code : say_rcpt(r, &rcpt_c);
}

static inline int
say_message(struct rig *r)
{
	return link_fixture_message(&r->f, TEXT);
}

static inline void
expect_heard(const char *heard, const char *wanted)
{
	if (strcmp(heard, wanted) != 0)
		fail_msg("it heard\n%s\nnot\n%s", heard, wanted);
}

static inline void
expect_has(const char *heard, const char *part)
{
	if (strstr(heard, part) == NULL)
		fail_msg("it heard\n%s\nwithout\n%s", heard, part);
}

#endif
