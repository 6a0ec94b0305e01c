/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A transaction at a group of SMTP servers. What was accepted (MAIL, and each RCPT) is
 * remembered, so that it can be said again on another connection when one dies before the final
 * dot. Each call may use one warm and one new connection of each server; then nothing is
 * reachable. Once something that our client has heard a yes to is refused in a replay, or
 * nothing is reachable, the delivery is doomed: 451 to all further calls, and no dot goes out.
 */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "proxy/upstream/content.h"
#include "proxy/upstream/delivery_private.h"
#include "proxy/upstream/introduce.h"

#include <stdio.h>

#define CALL_MAX_MS \
	240000 /* for one call but the final reply: under the 5 minutes of RFC 5321 4.5.3.2 */
/* From the end of the chain to our answer: a client waits ten minutes for it (4.5.3.2.6). */
#define FINAL_MAX_MS 540000
#define RSET_MAX_MS  5000

/* tell - who looks on; reply NULL: none, and why is in err, if that is known. */
static void
tell(const struct smtp_delivery *d, int64_t began_us, const char *command,
    const struct smtp_reply *reply, const struct err *err)
{
	const struct delivery_event event = { .command = command,
		.reply = reply,
		.error =
		    reply == NULL && err != NULL && err->kind != ERR_NONE ? err->text : NULL };

	delivery_tell(&d->base, began_us, &event);
}

static struct smtp_delivery *
self_of(struct delivery *d)
{
	return (struct smtp_delivery *)d;
}

static void
begin_call(struct smtp_delivery *d)
{
	d->warm_tried = d->new_tried = d->unfit = 0;
	d->lacking = 0;
	d->deadline_ms = clock_mono_ms() + CALL_MAX_MS;
	d->final_by_ms = clock_mono_ms() + FINAL_MAX_MS;
	d->last_421.code = 0;
}

/* reply_by - the time limit of the next reply. */
static int64_t
reply_by(const struct smtp_delivery *d)
{
	int64_t own = clock_mono_ms() + d->base.upstream->config->command_timeout_ms;

	return own < d->deadline_ms ? own : d->deadline_ms;
}

static void
log_fail(const struct smtp_delivery *d, const char *server, const struct err *err)
{
	log_event(LEVEL_WARNING, "upstream.fail", LOG_STR("id", d->base.id),
	    LOG_STR("upstream", d->base.facts.upstream), LOG_STR("server", server),
	    LOG_STR("reason", err_kind_name(err->kind)), LOG_STR("error", err->text));
}

/*
 * drop_conn - it is of no more use. One out of the pool that was dead before its first reply
 * says nothing about its server.
 */
static void
drop_conn(struct smtp_delivery *d, const struct err *err)
{
	if (!d->is_warm || err->kind == ERR_TIMEOUT) {
		group_failed(d->base.upstream, d->server);
		log_fail(d, conn_peer(d->conn), err);
	}
	pool_drop(d->base.upstream->pool, &d->conn);
	d->is_open = false;
}

/*
 * say - a command; false: the connection is dropped, since it gave no reply, or 421, or one of
 * a kind that cannot be (3xx where not_3xx).
 */
static bool
say(struct smtp_delivery *d, const char *line, bool not_3xx, struct smtp_reply *reply_out)
{
	const int64_t began_us = delivery_began_us(&d->base);
	struct err err = { .kind = ERR_NONE };
	char text[160];

	if (!conn_command(d->conn, view_of(line), reply_by(d), reply_out, &err)) {
		tell(d, began_us, line, NULL, &err);
		err_prefix(&err, "%.4s", line);
		drop_conn(d, &err);
		return false;
	}
	tell(d, began_us, line, reply_out, NULL);
	if (reply_out->code != 421 && !(not_3xx && reply_out->code / 100 == 3)) {
		d->is_warm = false;
		return true;
	}
	smtp_reply_log_text(reply_out, text, sizeof(text));
	err_set(&err, reply_out->code == 421 ? ERR_TEMP : ERR_PROTOCOL, "%.4s: %s", line, text);
	if (reply_out->code == 421)
		d->last_421 = *reply_out;
	drop_conn(d, &err);
	return false;
}

/* as_451 - a 421 ends a connection to the upstream, never our client's. */
static void
as_451(struct smtp_reply *reply)
{
	if (reply->code == 421)
		reply->code = 451;
}

static bool
doom(struct smtp_delivery *d, const char *enhanced, const char *text)
{
	smtp_reply_set(&d->doom, 451, enhanced, "%s", text);
	return false;
}

/* doom_unfit - servers work, and none of them can carry this. */
static bool
doom_unfit(struct smtp_delivery *d)
{
	if (d->is_accepted)
		return doom(
		    d, "4.3.0", "The mail server has changed its mind, try again later");
	relay_refuse(d->lacking, &d->doom);
	return false;
}

static bool
doom_unreachable(struct smtp_delivery *d)
{
	if (d->unfit != 0 && d->new_tried == 0)
		return doom_unfit(d);
	if (d->last_421.code == 0)
		return doom(d, "4.4.1", "The mail server cannot be reached, try again later");
	d->doom = d->last_421; /* the server's own words */
	as_451(&d->doom);
	return false;
}

static void
note_conn(struct smtp_delivery *d)
{
	struct delivery_facts *f = &d->base.facts;

	snprintf(f->server, sizeof(f->server), "%s", conn_peer(d->conn));
	snprintf(f->tls, sizeof(f->tls), "%s", conn_tls_text(d->conn));
	if (d->is_warm)
		return;
	f->connects++;
	group_count_connect(d->base.upstream, "ok");
	group_learn(d->base.upstream, d->server, conn_ehlo(d->conn));
	log_event(LEVEL_DEBUG, "upstream.connect", LOG_STR("id", d->base.id),
	    LOG_STR("upstream", f->upstream), LOG_STR("server", f->server),
	    LOG_OPT("tls", f->tls));
}

/* is_unfit - and noted, if that offer lacks what the transaction needs. */
static bool
is_unfit(struct smtp_delivery *d, const struct smtp_ehlo *ehlo)
{
	const unsigned lacking = relay_lacks(d->needs, ehlo);

	if (lacking == 0)
		return false;
	d->lacking |= lacking;
	d->unfit |= UINT32_C(1) << d->server;
	return true;
}

/* take_conn - to d->server; false: there is none, *err says why. */
static bool
take_conn(struct smtp_delivery *d, struct err *err)
{
	struct upstream *u = d->base.upstream;
	const struct group_server *s = &u->servers[d->server];
	const uint32_t bit = UINT32_C(1) << d->server;
	const int64_t by = clock_mono_ms() + s->target.connect_timeout_ms;
	const int64_t began_us = delivery_began_us(&d->base);

	d->conn = pool_take(u->pool, &s->target, (d->warm_tried & bit) != 0,
	    by < d->deadline_ms ? by : d->deadline_ms, &d->is_warm, err);
	if (d->conn != NULL) {
		if (d->is_warm)
			d->warm_tried |= bit;
		note_conn(d);
		tell(d, began_us, d->is_warm ? "reuse" : "connect", NULL, NULL);
		return true;
	}
	d->new_tried |= bit;
	delivery_tell(&d->base, began_us,
	    &(struct delivery_event){ .server = u->config->servers.items[d->server],
		.command = "connect",
		.error = err->text });
	group_count_connect(u, err_kind_name(err->kind));
	log_fail(d, u->config->servers.items[d->server], err);
	return false;
}

/*
 * get_conn - to the best server that was not tried yet in this call and, as far as is known,
 * can carry the transaction; false: doomed.
 */
static bool
get_conn(struct smtp_delivery *d)
{
	struct upstream *u = d->base.upstream;
	struct err err = { .kind = ERR_NONE };
	struct smtp_ehlo known;

	while (clock_left_ms(d->deadline_ms) > 0 &&
	       group_next(u, d->new_tried | d->unfit, &d->server)) {
		if (group_offer(u, d->server, &known) && is_unfit(d, &known))
			continue;
		if (take_conn(d, &err)) {
			if (!is_unfit(d, conn_ehlo(d->conn))) {
				if (!d->is_warm)
					d->new_tried |= UINT32_C(1) << d->server;
				return true;
			}
			pool_give(u->pool, &d->conn);
			continue;
		}
		if (err.kind == ERR_LIMIT)
			return doom(d, "4.4.5",
			    "Too many connections to the mail server, try again later");
		if (err_is_shortage(&err))
			return doom(d, "4.3.2", "No descriptor is left, try again later");
		group_failed(u, d->server);
	}
	return doom_unreachable(d);
}

/* introduce - our client; false: d->conn is dropped, or *reply_out the word against it. */
static bool
introduce(struct smtp_delivery *d, struct smtp_reply *reply_out)
{
	struct err err = { .kind = ERR_NONE };

	if (!d->base.upstream->config->xclient)
		return true;
	if (conn_introduce(d->conn, d->base.client, reply_by(d), reply_out, &err))
		return reply_out->code < 400;
	drop_conn(d, &err);
	return false;
}

static bool
say_mail(struct smtp_delivery *d, struct smtp_reply *reply_out)
{
	const struct relay_mail mail = {
		.path = d->mail_path,
		.mail = &d->mail,
		.may_assert = conn_target(d->conn)->login != NULL,
		.size = d->size != 0	   ? d->size
			: d->mail.has_size ? d->mail.size
					   : 0,
	};
	char line[RELAY_LINE_MAX];

	if (!introduce(d, reply_out))
		return d->conn != NULL;
	relay_write_mail(&mail, conn_ehlo(d->conn), line);
	if (!say(d, line, true, reply_out))
		return false;
	d->is_open = smtp_reply_is_ok(reply_out);
	group_works(d->base.upstream, d->server);
	return true;
}

static bool
say_rcpt(struct smtp_delivery *d, const struct relay_rcpt *rcpt, struct smtp_reply *reply_out)
{
	char line[RELAY_LINE_MAX];

	relay_write_rcpt(rcpt, conn_ehlo(d->conn), line);
	return say(d, line, true, reply_out);
}

/* replay - say again what was accepted; false: the connection is dropped, or the delivery
 * doomed. */
static bool
replay(struct smtp_delivery *d)
{
	static const char text[] = "The mail server has changed its mind, try again later";
	struct smtp_reply reply;

	d->base.facts.replays++;
	if (!say_mail(d, &reply))
		return false;
	if (!smtp_reply_is_ok(&reply))
		return doom(d, "4.3.0", text);
	for (size_t i = 0; i < d->rcpts.count; i++) {
		if (!say_rcpt(d, &d->rcpts.items[i], &reply))
			return false;
		if (!smtp_reply_is_ok(&reply))
			return doom(d, "4.3.0", text);
	}
	return true;
}

/* ready - a connection on which all that was accepted stands; false: doomed. */
static bool
ready(struct smtp_delivery *d)
{
	while (d->doom.code == 0 && d->conn == NULL) {
		if (get_conn(d) && d->is_accepted)
			(void)replay(d);
	}
	return d->doom.code == 0;
}

/* say_rset - the transaction on the connection is taken back; it may be lost by that. */
static void
say_rset(struct smtp_delivery *d)
{
	const int64_t by = clock_mono_ms() + RSET_MAX_MS;
	const int64_t began_us = delivery_began_us(&d->base);
	struct smtp_reply reply;
	struct err err = { .kind = ERR_NONE };
	bool is_answered;

	if (!d->is_open)
		return;
	d->is_open = false;
	is_answered = conn_command(d->conn, VIEW("RSET"), by, &reply, &err);
	tell(d, began_us, "RSET", is_answered ? &reply : NULL, &err);
	if (!is_answered || reply.code != 250)
		pool_drop(d->base.upstream->pool, &d->conn);
}

/* give_back - the connection to the pool, without a transaction on it. */
static void
give_back(struct smtp_delivery *d)
{
	say_rset(d);
	pool_give(d->base.upstream->pool, &d->conn);
}

static void
smtp_reset(struct delivery *base)
{
	struct smtp_delivery *d = self_of(base);

	say_rset(d);
	d->is_accepted = false;
	d->rcpts.count = d->rcpts.domain_count = 0;
}

static void
smtp_mail(struct delivery *base, const struct smtp_mail *mail, struct smtp_reply *reply_out)
{
	struct smtp_delivery *d = self_of(base);
	char path[SMTP_PATH_MAX];

	smtp_path_write(&mail->path, path);
	d->mail_path = arena_strdup(&d->arena, view_of(path));
	d->mail = *mail;
	d->mail.path = (struct smtp_path){ .is_null = mail->path.is_null }; /* borrowed views */
	d->mail.envid = arena_view(&d->arena, mail->envid);
	d->mail.auth = arena_view(&d->arena, mail->auth);
	d->needs = relay_needs_of_mail(mail);
	begin_call(d);
	do {
		if (!ready(d)) {
			*reply_out = d->doom;
			return;
		}
	} while (!say_mail(d, reply_out));
	d->is_accepted = d->is_open;
	if (d->is_accepted)
		reply_out->code = 250;
}

/*
 * widen - a recipient needs what MAIL did not: the connection must have it, or is given back
 * for one to another server that may have it. False: no server has.
 */
static bool
widen(struct smtp_delivery *d, unsigned needs, struct smtp_reply *reply_out)
{
	const unsigned lacking = d->conn != NULL ? relay_lacks(needs, conn_ehlo(d->conn)) : 0;

	if (lacking != 0 && !group_may_offer(d->base.upstream, d->needs | needs)) {
		relay_refuse(lacking, reply_out);
		return false;
	}
	d->needs |= needs;
	if (lacking != 0)
		give_back(d);
	return true;
}

static void
smtp_rcpt(struct delivery *base, const struct smtp_path *path, const struct smtp_dsn *dsn,
    struct smtp_reply *reply_out)
{
	struct smtp_delivery *d = self_of(base);
	char text[SMTP_PATH_MAX];
	const struct relay_rcpt rcpt = { .path = text, .dsn = *dsn };

	if (!d->is_accepted)
		BUG("RCPT without MAIL");
	smtp_path_write(path, text);
	begin_call(d);
	if (!widen(d, relay_needs_of_rcpt(dsn), reply_out))
		return;
	do {
		if (!ready(d)) {
			*reply_out = d->doom;
			return;
		}
		if (!relay_has_room(&d->rcpts, text, conn_ehlo(d->conn))) {
			smtp_reply_set(reply_out, 452, "4.5.3", "Too many recipients");
			return;
		}
	} while (!say_rcpt(d, &rcpt, reply_out));
	if (!smtp_reply_is_ok(reply_out))
		return;
	relay_keep(&d->rcpts, &rcpt, &d->arena);
	if (reply_out->code != 251)
		reply_out->code = 250;
}

/* unsure - after the dot and without a good answer, only the client may try again. */
static void
unsure(struct smtp_delivery *d, const struct err *err, struct smtp_reply *reply_out)
{
	smtp_reply_set(reply_out, 451, "4.4.2",
	    "The mail server did not confirm the message, it may or may not have it; try again "
	    "later");
	drop_conn(d, err);
}

/* finish - the reply to the final dot. The transaction is over, whatever it says. */
static void
finish(struct smtp_delivery *d, struct smtp_reply *reply_out)
{
	const int64_t own = clock_mono_ms() + d->base.upstream->config->final_timeout_ms;
	const int64_t by = own < d->final_by_ms ? own : d->final_by_ms;
	const int64_t began_us = delivery_began_us(&d->base);
	struct err err = { .kind = ERR_NONE };
	const bool is_answered = conn_target(d->conn)->is_lmtp
				     ? delivery_lmtp_final(d, by, reply_out, &err)
				     : conn_get_reply(d->conn, by, reply_out, &err);

	d->is_open = false;
	tell(d, began_us, ".", is_answered ? reply_out : NULL, &err);
	if (!is_answered) {
		err_prefix(&err, "final dot");
		unsure(d, &err, reply_out);
	} else if (reply_out->code == 250) {
		relay_queue_id(
		    reply_out->text, d->base.facts.queue_id, sizeof(d->base.facts.queue_id));
	} else if (reply_out->code < 400) {
		err_set(&err, ERR_PROTOCOL, "final dot: a reply of %d", reply_out->code);
		unsure(d, &err, reply_out);
	} else if (reply_out->code == 421) {
		err_set(&err, ERR_TEMP, "final dot: 421");
		drop_conn(d, &err);
		as_451(reply_out);
	}
}

/* interrupted - what the server has said within a chunk, which it now never gets whole; false:
 * no answer to it. */
static bool
interrupted(struct smtp_delivery *d, struct err *err, struct smtp_reply *reply_out)
{
	const bool is_reply =
	    conn_early_reply(d->conn, reply_by(d), reply_out, err) && reply_out->code >= 400;

	if (!is_reply || reply_out->code == 421)
		return false;
	pool_drop(d->base.upstream->pool, &d->conn);
	d->is_open = false;
	return true;
}

/* send_content - by BDAT, or behind the 354; false: the connection was dropped before the end.
 */
static bool
send_content(
    struct smtp_delivery *d, const struct message *message, struct smtp_reply *reply_out)
{
	const int64_t began_us = delivery_began_us(&d->base);
	struct err err = { .kind = ERR_NONE };
	const enum content_result result =
	    (conn_ehlo(d->conn)->chunking ? content_send_chunk : content_send)(d->conn, message,
		d->base.upstream->config->command_timeout_ms, d->deadline_ms, &err);

	if (result != CONTENT_SENT)
		tell(d, began_us, ".", NULL, &err);
	switch (result) {
	case CONTENT_SENT:
		finish(d, reply_out);
		return true;
	case CONTENT_UNSURE:
		err_prefix(&err, "final dot");
		unsure(d, &err, reply_out);
		return true;
	case CONTENT_BAD:
	case CONTENT_LOST:
		content_give_up(result, reply_out);
		log_fail(d, conn_peer(d->conn), &err);
		pool_drop(d->base.upstream->pool, &d->conn);
		d->is_open = false;
		return true;
	case CONTENT_EARLY:
		if (interrupted(d, &err, reply_out))
			return true;
		break;
	case CONTENT_DEAD:
		break;
	}
	err_prefix(&err, "content");
	drop_conn(d, &err);
	return false;
}

/* transfer - DATA and what follows; false: the connection was dropped before the dot. */
static bool
transfer(struct smtp_delivery *d, const struct message *message, struct smtp_reply *reply_out)
{
	struct err err;

	if (conn_ehlo(d->conn)->chunking)
		return send_content(d, message, reply_out);
	if (!say(d, "DATA", false, reply_out))
		return false;
	if (reply_out->code == 354)
		return send_content(d, message, reply_out);
	if (reply_out->code >= 400)
		return true;
	err_set(&err, ERR_PROTOCOL, "DATA: a reply of %d", reply_out->code);
	drop_conn(d, &err);
	return false;
}

static void
smtp_send(struct delivery *base, const struct message *message, struct smtp_reply *reply_out)
{
	struct smtp_delivery *d = self_of(base);

	if (d->rcpts.count == 0)
		BUG("a message without a recipient");
	d->size = message_size(message);
	begin_call(d);
	if (delivery_lmtp_spare(d, message)) {
		if (d->rcpts.count == 0) {
			smtp_reply_set(reply_out, 250, "2.0.0", "Ok: delivered to all before");
			return;
		}
		say_rset(d);
		if (d->conn != NULL)
			(void)replay(d);
	}
	do {
		if (!ready(d)) {
			*reply_out = d->doom;
			return;
		}
	} while (!transfer(d, message, reply_out));
}

static void
smtp_destroy(struct delivery *base)
{
	struct smtp_delivery *d = self_of(base);

	if (d->conn != NULL)
		give_back(d);
	mem_free(d->rcpts.items);
	arena_finish(&d->arena);
	mem_free(d);
}

struct delivery *
delivery_smtp_create(void)
{
	static const struct delivery_ops ops = { smtp_mail, smtp_rcpt, smtp_reset, smtp_send,
		smtp_destroy };
	struct smtp_delivery *d = mem_calloc(1, sizeof(*d));

	d->base.ops = &ops;
	arena_init(&d->arena);
	return &d->base;
}
