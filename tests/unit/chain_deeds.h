/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the proofs of the chain's order: all that a link can do in one call, as a value; a link
 * whose hooks do it; and what the law says of it. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_CHAIN_DEEDS_H
#define GATEPOST_TESTS_CHAIN_DEEDS_H

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/chain/chain.h"
#include "tests/unit/message_fixture.h"

#include <stdio.h>
#include <string.h>

#define DEED_LIMIT_MS 100 /* of a call */

enum deed_edit {
	EDIT_NOTHING,
	EDIT_PREPEND,
	EDIT_INSERT,
	EDIT_REMOVE_ALL, /* fields */
	EDIT_REPLACE_ALL,
	EDIT_BODY,
	EDIT_SENDER,
	EDIT_NULL_SENDER,
	EDIT_ADD_RECIPIENT,
	EDIT_NO_RECIPIENTS,
	EDIT_DISCARD,
	EDIT_EVERYTHING,
	EDIT_COUNT,
};

static const char *const deed_edit_names[] = { "nothing", "a field on top", "a field within",
	"no fields", "other fields", "another body", "another sender", "the null sender",
	"one more recipient", "no recipients", "discard", "everything" };

struct deed {
	enum link_answer answer;
	bool is_late;
	enum deed_edit edit;
};

/* deed_goes_on - the law: what may come behind a link that does this. */
static inline bool
deed_goes_on(const struct deed *deed, enum link_mode mode, enum link_on_error on_error)
{
	if (mode == MODE_SHADOW)
		return true;
	if (deed->answer == LINK_REFUSE)
		return false;
	return (deed->answer == LINK_NEXT && !deed->is_late) || on_error == ON_ERROR_PASS;
}

static inline void
deed_edit_fields(struct edits *e, const struct message *m, enum deed_edit edit)
{
	const size_t count = message_field_count(m);
	const bool all = edit == EDIT_EVERYTHING;

	if (all || edit == EDIT_PREPEND)
		assert_true(edits_prepend(e, "X-Deed", VIEW("on top")));
	if (all || edit == EDIT_INSERT)
		assert_true(edits_insert(e, count, "X-Deed", VIEW(" within"), true));
	for (size_t i = 0; i < count && edit == EDIT_REMOVE_ALL; i++)
		assert_true(edits_remove(e, i));
	for (size_t i = 0; i < count && (all || edit == EDIT_REPLACE_ALL); i++)
		assert_true(edits_replace(e, i, VIEW("other")));
}

static inline void
deed_edit_body(struct edits *e)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp", .memory_octets = 1 << 16, .max_octets = 1 << 16
	};
	struct body_store *body = body_create(&limits);

	assert_true(body_append(body, VIEW("another body\r\n"), NULL));
	assert_true(body_seal(body, NULL));
	assert_true(edits_set_body(e, &body));
}

static inline void
deed_edit_envelope(struct edits *e, const struct facts *facts, enum deed_edit edit)
{
	const bool all = edit == EDIT_EVERYTHING;

	if (all || edit == EDIT_SENDER)
		assert_true(edits_set_sender(e, VIEW("other@example.org")));
	if (edit == EDIT_NULL_SENDER)
		assert_true(edits_set_sender(e, VIEW("")));
	if (all || edit == EDIT_ADD_RECIPIENT)
		assert_true(edits_add_recipient(e, VIEW("one.more@example.org")));
	for (size_t i = 0; i < facts->recipient_count && (all || edit == EDIT_NO_RECIPIENTS);
	     i++)
		assert_true(edits_remove_recipient(e, i));
	if (all || edit == EDIT_DISCARD)
		edits_discard(e, "a deed");
}

/* deed_do - what a hook does; a policy makes no edits, and nobody does before the message. */
static inline enum link_answer
deed_do(const struct deed *deed, struct link_call *call, enum link_kind kind)
{
	if (kind == LINK_FILTER && link_message(call) != NULL && deed->edit != EDIT_NOTHING) {
		struct edits *e = link_edits(call);

		deed_edit_fields(e, link_message(call), deed->edit);
		if (deed->edit == EDIT_BODY || deed->edit == EDIT_EVERYTHING)
			deed_edit_body(e);
		deed_edit_envelope(e, link_facts(call), deed->edit);
	}
	link_note(call, "deed", "%d", (int)deed->answer);
	if (deed->is_late)
		clock_fake_set(clock_mono_ms() + DEED_LIMIT_MS + 1, 0);
	if (deed->answer == LINK_REFUSE)
		return link_refuse(call, 550, "5.7.1", "%s says no", link_name(call));
	if (deed->answer == LINK_FAIL)
		return link_fail(call, "%s cannot say", link_name(call));
	return LINK_NEXT;
}

/* What the stages run over; made anew for each chain, since edits change it. */
struct deed_mail {
	struct recipient recipients[2];
	struct facts facts;
	struct message *message;
	struct chain_session *session; /* of the caller; NULL: no link needs one */
};

static inline void
deed_mail_open(struct deed_mail *mail, const char *text)
{
	static const char *const addresses[] = { "bob@example.net", "carol@example.net" };
	struct facts *f = &mail->facts;

	memset(mail, 0, sizeof(*mail));
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct view local, domain = view_of(addresses[i]);

		assert_true(view_split(&domain, '@', &local));
		mail->recipients[i] =
		    (struct recipient){ .path = { .local = local, .domain = domain },
			    .address = addresses[i] };
	}
	f->session_id = "s1";
	f->message_id = "s1.1";
	f->hostname = "gate.example.net";
	f->listener = "127.0.0.1:25";
	f->via = "";
	f->helo = "client.example.com";
	f->mail.path =
	    (struct smtp_path){ .local = VIEW("alice"), .domain = VIEW("example.com") };
	f->reverse_path = "alice@example.com";
	f->recipients = mail->recipients;
	f->recipient_count = ARRAY_LEN(addresses);
	mail->message = message_of(text);
}

static inline void
deed_mail_close(struct deed_mail *mail)
{
	message_destroy(&mail->message);
}

static inline bool
deed_mail_run(struct deed_mail *mail, const struct chain *chain, struct chain_run *run,
    enum link_stage stage, const struct chain_observer *observer, struct smtp_reply *reply)
{
	const struct chain_work work = { .facts = &mail->facts,
		.session = mail->session,
		.recipient = stage == STAGE_RCPT ? &mail->recipients[0] : NULL,
		.message = stage == STAGE_MESSAGE ? mail->message : NULL,
		.observer = observer };

	return chain_run_stage(chain, stage >= STAGE_MAIL ? run : NULL, stage, &work, reply);
}

#endif
