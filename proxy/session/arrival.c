/* SPDX-License-Identifier: MPL-2.0 */
/* From content to message; see arrival.h. */
#include "proxy/session/arrival.h"

#include "lib/mail/received.h"
#include "proxy/session/replies.h"

#include <stdio.h>

#define RECEIVED_MAX 4096 /* octets of our Received field */

bool
arrival_message(struct body_store **store, const struct config_limits *limits,
    struct message **out, struct smtp_reply *reply_out)
{
	size_t line = 0;
	char text[24];

	switch (message_create(store, out, &line)) {
	case MESSAGE_OK:
		if (message_size(*out) - message_body(*out).len <=
			(uint64_t)limits->header_octets &&
		    message_field_count(*out) <= (size_t)limits->header_fields)
			return true;
		message_destroy(out);
		reply_make(REPLY_HEADER_LARGE, NULL, reply_out);
		return false;
	case MESSAGE_HEADER_SYNTAX:
		(void)snprintf(text, sizeof(text), "%zu", line);
		reply_make(REPLY_HEADER_SYNTAX, text, reply_out);
		break;
	case MESSAGE_HEADER_LARGE:
	case MESSAGE_HEADER_FIELDS:
		reply_make(REPLY_HEADER_LARGE, NULL, reply_out);
		break;
	}
	return false;
}

void
arrival_add_received(
    struct message *message, const struct facts *facts, const struct config_service *service)
{
	struct edits *edits = edits_create();
	struct buf value;

	buf_init(&value, RECEIVED_MAX);
	if (!received_value(facts, service->received_client, &value) ||
	    !edits_prepend(edits, "Received", buf_view(&value)))
		BUG("a Received field of our own is not valid");
	message_commit(message, edits);
	buf_finish(&value);
	edits_destroy(&edits);
}
