/* SPDX-License-Identifier: MPL-2.0 */
/* A delivery by LMTP differs from one by SMTP in who answers behind the dot: see lmtp.h. */
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "proxy/upstream/delivery_private.h"

static struct lmtp_delivery
lmtp_of(const struct smtp_delivery *d)
{
	struct lmtp_delivery l = { .id = d->base.id,
		.upstream = d->base.facts.upstream,
		.sender = d->mail_path,
		.is_named = d->is_named };

	memcpy(l.message, d->digest, sizeof(l.message));
	return l;
}

bool
delivery_lmtp_spare(struct smtp_delivery *d, const struct message *message)
{
	const size_t before = d->rcpts.count;
	struct lmtp_delivery l;

	if (d->base.upstream->config->type != UPSTREAM_LMTP)
		return false;
	d->is_named = lmtp_digest(message, d->digest);
	l = lmtp_of(d);
	d->rcpts.count = 0;
	for (size_t i = 0; i < before; i++) {
		if (!lmtp_has(&l, d->rcpts.items[i].path)) {
			d->rcpts.items[d->rcpts.count++] = d->rcpts.items[i];
			continue;
		}
		log_event(LEVEL_INFO, "upstream.rcpt", LOG_STR("id", d->base.id),
		    LOG_STR("upstream", d->base.facts.upstream),
		    LOG_STR("rcpt", d->rcpts.items[i].path),
		    LOG_STR("reply", "has it already"));
	}
	return d->rcpts.count < before;
}

bool
delivery_lmtp_final(
    struct smtp_delivery *d, int64_t by, struct smtp_reply *reply_out, struct err *err)
{
	const char **paths = mem_calloc(d->rcpts.count + 1, sizeof(*paths));
	struct lmtp_delivery l = lmtp_of(d);
	bool ok;

	for (size_t i = 0; i < d->rcpts.count; i++)
		paths[i] = d->rcpts.items[i].path;
	l.recipients = paths;
	l.count = d->rcpts.count;
	ok = lmtp_final(d->conn, &l, by, reply_out, err);
	mem_free(paths);
	return ok;
}
