/* SPDX-License-Identifier: MPL-2.0 */
/* What a hook can do with its call: see lib/chain/link.h. */
#include "lib/chain/link.h"

#include "lib/chain/link_call.h"

#include <stdarg.h>
#include <stdio.h>

#define DNS_TIME_LEAST_MS 1000 /* for what is in the cache, or near */
#define ANSWER_TIME_MS	  2000 /* behind DNS; a fifth of the limit, if that is less */

const struct facts *
link_facts(const struct link_call *call)
{
	return call->facts;
}

const void *
link_settings(const struct link_call *call)
{
	return call->settings;
}

void *
link_state(const struct link_call *call)
{
	return call->state;
}

void *
link_memory(const struct link_call *call)
{
	return call->memory;
}

void *
link_session_memory(const struct link_call *call)
{
	return call->session_memory;
}

const char *
link_name(const struct link_call *call)
{
	return call->name;
}

enum link_stage
link_stage(const struct link_call *call)
{
	return call->stage;
}

struct arena *
link_arena(struct link_call *call)
{
	return &call->arena;
}

const struct message *
link_message(const struct link_call *call)
{
	return call->message;
}

const struct recipient *
link_recipient(const struct link_call *call)
{
	return call->recipient;
}

int64_t
link_deadline_ms(const struct link_call *call)
{
	return call->deadline_ms;
}

int64_t
link_dns_deadline_ms(struct link_call *call)
{
	const int64_t limit_ms = call->deadline_ms - call->began_ms;
	const int64_t answer_ms = limit_ms / 5 < ANSWER_TIME_MS ? limit_ms / 5 : ANSWER_TIME_MS;
	const int64_t dns_ms =
	    call->dns_left_ms > DNS_TIME_LEAST_MS ? call->dns_left_ms : DNS_TIME_LEAST_MS;

	call->waits_for_dns = true;
	return call->began_ms + (dns_ms < limit_ms - answer_ms ? dns_ms : limit_ms - answer_ms);
}

enum link_answer
link_refuse(struct link_call *call, int code, const char *enhanced, const char *fmt, ...)
{
	char text[SMTP_REPLY_TEXT_MAX];
	va_list ap;

	if (code < 400 || code > 599)
		BUG("link %s refuses with code %d", call->link->name, code);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	smtp_reply_set(&call->reply, code, enhanced, "%s", text);
	return LINK_REFUSE;
}

enum link_answer
link_fail(struct link_call *call, const char *fmt, ...)
{
	char text[sizeof(call->failure.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(&call->failure, ERR_TEMP, "%s", text);
	return LINK_FAIL;
}

struct edits *
link_edits(struct link_call *call)
{
	if (call->link->kind != LINK_FILTER)
		BUG("policy %s asks for edits", call->link->name);
	if (call->stage != STAGE_MESSAGE)
		BUG("filter %s asks for edits before there is a message", call->link->name);
	if (call->edits == NULL)
		call->edits = edits_create();
	return call->edits;
}

void
link_publish(struct link_call *call, const struct authres *result)
{
	if (call->stage < STAGE_MAIL)
		BUG("link %s publishes a result outside of a transaction", call->link->name);
	if (result->property_count > AUTHRES_PROPERTIES_MAX)
		BUG("link %s: too many properties", call->link->name);
	if (call->results == NULL)
		call->results = arena_alloc(&call->arena, AUTHRES_MAX * sizeof(*call->results));
	if (call->result_count < AUTHRES_MAX)
		call->results[call->result_count++] = authres_copy(result, &call->arena);
}

const struct authres *
link_results(const struct link_call *call, size_t *count_out)
{
	*count_out = call->earlier_count;
	return call->earlier;
}

bool
link_is_rehearsal(const struct link_call *call)
{
	return call->is_rehearsal;
}

bool
link_is_shadow(const struct link_call *call)
{
	return call->is_shadow;
}

bool
link_has_failed(const struct link_call *call, const char *name)
{
	for (size_t i = 0; i < call->failed_count; i++) {
		if (strcmp(call->failed[i], name) == 0)
			return true;
	}
	return false;
}

bool
link_route(struct link_call *call, const char *upstream)
{
	if (call->stage != STAGE_MAIL)
		BUG("link %s routes at another stage than mail", call->link->name);
	for (size_t i = 0; i < call->upstream_count; i++) {
		if (strcmp(call->upstreams[i], upstream) != 0)
			continue;
		call->route = call->upstreams[i];
		link_note(call, "route", "%s", upstream);
		return true;
	}
	return false;
}

void
link_note(struct link_call *call, const char *key, const char *fmt, ...)
{
	char text[LINK_NOTES_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Notes are for the eye: what is over the cap is left out, whole. */
	if (!buf_printf(&call->notes, "%s%s=%s", call->notes.len > 0 ? " " : "", key, text))
		return;
}
