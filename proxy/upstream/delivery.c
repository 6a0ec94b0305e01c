/* SPDX-License-Identifier: MPL-2.0 */
/* See upstream.h: the front of both kinds of delivery, with the time that each call took. */
#include "proxy/upstream/delivery.h"

#include "lib/base/clock.h"
#include "lib/mail/facts.h"

#include <stdio.h>

struct delivery *
delivery_create(struct upstream *u, const char *id)
{
	struct delivery *d =
	    u->pool != NULL ? delivery_smtp_create() : delivery_maildir_create();

	d->upstream = u;
	d->facts.upstream = upstream_name(u);
	snprintf(d->id, sizeof(d->id), "%s", id);
	return d;
}

void
delivery_present(struct delivery *d, const struct facts *client)
{
	d->client = client;
}

void
delivery_observe(struct delivery *d, const struct delivery_observer *observer)
{
	d->observer = observer;
}

int64_t
delivery_began_us(const struct delivery *d)
{
	return d->observer != NULL ? clock_mono_us() : 0;
}

void
delivery_tell(const struct delivery *d, int64_t began_us, const struct delivery_event *event)
{
	struct delivery_event whole = *event;

	if (d->observer == NULL)
		return;
	if (whole.server == NULL)
		whole.server = d->facts.server;
	whole.took_us = clock_mono_us() - began_us;
	d->observer->event(d->observer->context, &whole);
}

/*
 * end_call - a server's reply may lack its enhanced code, or have one of another class: towards
 * our client, to whom ENHANCEDSTATUSCODES was announced, each has one (RFC 2034 4).
 */
static void
end_call(struct delivery *d, int64_t since_ms, struct smtp_reply *reply)
{
	d->facts.wait_ms += (uint64_t)(clock_mono_ms() - since_ms);
	if (reply->enhanced[0] == '\0')
		(void)snprintf(reply->enhanced, sizeof(reply->enhanced), "%u.0.0",
		    (unsigned)reply->code / 100 % 10);
}

void
delivery_mail(struct delivery *d, const struct smtp_mail *mail, struct smtp_reply *reply_out)
{
	int64_t since_ms = clock_mono_ms();

	d->ops->mail(d, mail, reply_out);
	end_call(d, since_ms, reply_out);
}

void
delivery_rcpt(struct delivery *d, const struct smtp_path *path, const struct smtp_dsn *dsn,
    struct smtp_reply *reply_out)
{
	static const struct smtp_dsn none = { .orcpt = { "", 0 } };
	int64_t since_ms = clock_mono_ms();

	d->ops->rcpt(d, path, dsn != NULL ? dsn : &none, reply_out);
	end_call(d, since_ms, reply_out);
}

bool
delivery_readdress(struct delivery *d, const struct facts *facts, struct smtp_reply *reply_out)
{
	const int64_t since_ms = clock_mono_ms();

	d->ops->reset(d);
	d->ops->mail(d, &facts->mail, reply_out);
	for (size_t i = 0; i < facts->recipient_count && smtp_reply_is_ok(reply_out); i++)
		d->ops->rcpt(
		    d, &facts->recipients[i].path, &facts->recipients[i].dsn, reply_out);
	end_call(d, since_ms, reply_out);
	return smtp_reply_is_ok(reply_out);
}

void
delivery_send(struct delivery *d, const struct message *message, struct smtp_reply *reply_out)
{
	int64_t since_ms = clock_mono_ms();

	d->ops->send(d, message, reply_out);
	end_call(d, since_ms, reply_out);
}

const struct delivery_facts *
delivery_facts(const struct delivery *d)
{
	return &d->facts;
}

void
delivery_destroy(struct delivery **d)
{
	if (*d == NULL)
		return;
	(*d)->ops->destroy(*d);
	*d = NULL;
}
