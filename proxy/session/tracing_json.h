/* SPDX-License-Identifier: MPL-2.0 */
/* Private to tracing*.c: the lists of a record, each with a bound, and what goes into them. */
#ifndef GATEPOST_PROXY_SESSION_TRACING_JSON_H
#define GATEPOST_PROXY_SESSION_TRACING_JSON_H

#include "lib/base/json.h"
#include "proxy/session/tracing.h"

/* JSON objects with commas between; what does not fit is left out whole, and counted. */
struct tracing_list {
	struct buf text;
	size_t count, left_out;
	size_t whole; /* octets of text without an item that is being written */
};

void tracing_list_init(struct tracing_list *l, size_t cap);
void tracing_list_clear(struct tracing_list *l); /* and its memory given back */
void tracing_list_drop(struct tracing_list *l);	 /* the same, but they count as left out */

/* tracing_list_begin, _end - an object of the list is written into j between them. */
void tracing_list_begin(struct tracing_list *l, struct json *j);
void tracing_list_end(struct tracing_list *l, struct json *j);

/* tracing_put_list - as a member, and how many were left out as "KEY_left_out", if any. */
void tracing_put_list(struct json *j, const char *key, const struct tracing_list *l);

void tracing_put_text(struct json *j, const char *key, struct view text);     /* cut */
void tracing_put_optional(struct json *j, const char *key, struct view text); /* if any */
void tracing_put_reply(struct json *j, const char *key, const struct smtp_reply *reply);

/* tracing_add_call - what a link made of a call; with_text: and the text of fields that it adds
 * and removes. */
void tracing_add_call(
    struct tracing_list *l, const struct chain_record *record, bool with_text);
void tracing_add_exchange(struct tracing_list *l, const struct delivery_event *event);

#endif
