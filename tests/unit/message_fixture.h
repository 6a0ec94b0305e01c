/* SPDX-License-Identifier: MPL-2.0 */
/* For unit tests: a message from its text, and back. Include behind cmocka.h. */
#ifndef GATEPOST_TESTS_MESSAGE_FIXTURE_H
#define GATEPOST_TESTS_MESSAGE_FIXTURE_H

#include "lib/base/buf.h"
#include "lib/mail/message.h"

static inline struct message *
message_of(const char *text)
{
	const struct body_limits limits = {
		.temp_dir = "/tmp",
		.memory_octets = 1 << 20,
		.max_octets = 1 << 20,
	};
	struct body_store *store = body_create(&limits);
	struct message *m = NULL;
	size_t line = 0;

	assert_true(body_append(store, view_of(text), NULL));
	assert_true(body_seal(store, NULL));
	assert_int_equal(message_create(&store, &m, &line), MESSAGE_OK);
	return m;
}

static inline bool
message_text_sink(void *context, struct view piece)
{
	return buf_add_view(context, piece);
}

/* message_text - as it would go out now; the caller frees it with buf_finish. */
static inline struct buf
message_text(const struct message *m)
{
	struct buf out;

	buf_init(&out, 2 << 20);
	assert_true(message_write(m, message_text_sink, &out));
	return out;
}

static inline void
assert_message_is(const struct message *m, const char *text)
{
	struct buf out = message_text(m);

	if (!view_eq(buf_view(&out), view_of(text)))
		fail_msg("the message is\n%.*s\nnot\n%s", (int)out.len, out.p, text);
	buf_finish(&out);
}

#endif
