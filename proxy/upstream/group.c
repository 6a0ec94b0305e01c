/* SPDX-License-Identifier: MPL-2.0 */
/* See group.h. */
#include "proxy/upstream/group.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "proxy/upstream/relay.h"

METRIC_COUNTER(connects_total, "gatepost_upstream_connects_total",
    "New connections to upstream servers: ok, or the reason as in the event upstream.fail.",
    "upstream", "result");
METRIC_GAUGE(resting, "gatepost_upstream_resting",
    "Servers of an upstream that have failed and not worked since.", "upstream");

static bool
is_excluded(uint32_t excluded, size_t server)
{
	return (excluded >> server & 1) != 0;
}

/* standing - 0: the order of the configuration counts; otherwise the lower, the sooner. */
static int64_t
standing(const struct group_server *s, int64_t now)
{
	if (s->failures == 0)
		return 0;
	if (s->rests_until > now)
		return s->rests_until;
	return s->probe_until > now ? s->probe_until : 0;
}

bool
group_next(struct upstream *u, uint32_t excluded, size_t *server_out)
{
	int64_t now = clock_mono_ms(), best = INT64_MAX;
	bool found = false;

	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < u->server_count; i++) {
		int64_t place = standing(&u->servers[i], now);

		if (is_excluded(excluded, i) || (found && place >= best))
			continue;
		best = place;
		*server_out = i;
		found = true;
	}
	if (found && best == 0 && u->servers[*server_out].failures > 0) {
		struct group_server *s = &u->servers[*server_out];
		int64_t lease = s->target.connect_timeout_ms + u->config->command_timeout_ms;

		s->probe_until = now + (lease < GROUP_REST_MAX_MS ? lease : GROUP_REST_MAX_MS);
	}
	pthread_mutex_unlock(&u->lock);
	return found;
}

/* begin_rest - false: it rests already; many deliveries that fail at once are one failure. */
static bool
begin_rest(struct upstream *u, size_t server, unsigned *failures_out, int64_t *rest_ms_out)
{
	struct group_server *s = &u->servers[server];
	int64_t now = clock_mono_ms(), rest = GROUP_REST_MAX_MS;
	bool begins;

	pthread_mutex_lock(&u->lock);
	begins = s->failures == 0 || s->rests_until <= now;
	if (begins) {
		if (s->failures < 6)
			rest = INT64_C(1000) << s->failures;
		rest = rest < GROUP_REST_MAX_MS ? rest : GROUP_REST_MAX_MS;
		s->failures++;
		s->rests_until = now + rest;
		s->probe_until = 0;
	}
	*failures_out = s->failures;
	*rest_ms_out = rest;
	pthread_mutex_unlock(&u->lock);
	return begins;
}

void
group_failed(struct upstream *u, size_t server)
{
	unsigned failures;
	int64_t rest_ms;

	if (!begin_rest(u, server, &failures, &rest_ms))
		return;
	if (failures == 1)
		metric_add(&resting, 1, METRIC_LABELS(u->config->name));
	log_event(LEVEL_WARNING, "upstream.rests", LOG_STR("upstream", u->config->name),
	    LOG_STR("server", u->config->servers.items[server]), LOG_U64("failures", failures),
	    LOG_U64("ms", rest_ms));
}

void
group_works(struct upstream *u, size_t server)
{
	struct group_server *s = &u->servers[server];
	unsigned failures;

	pthread_mutex_lock(&u->lock);
	failures = s->failures;
	s->failures = 0;
	s->rests_until = s->probe_until = 0;
	pthread_mutex_unlock(&u->lock);
	if (failures == 0)
		return;
	metric_add(&resting, -1, METRIC_LABELS(u->config->name));
	log_event(LEVEL_INFO, "upstream.works", LOG_STR("upstream", u->config->name),
	    LOG_STR("server", u->config->servers.items[server]), LOG_U64("failures", failures));
}

void
group_forget(struct upstream *u)
{
	for (size_t i = 0; i < u->server_count; i++) {
		if (u->servers[i].failures > 0)
			metric_add(&resting, -1, METRIC_LABELS(u->config->name));
	}
}

void
group_learn(struct upstream *u, size_t server, const struct smtp_ehlo *ehlo)
{
	pthread_mutex_lock(&u->lock);
	u->servers[server].ehlo = *ehlo;
	u->servers[server].is_known = true;
	u->servers[server].known_since = clock_mono_ms();
	pthread_mutex_unlock(&u->lock);
}

bool
group_offer(struct upstream *u, size_t server, struct smtp_ehlo *out)
{
	pthread_mutex_lock(&u->lock);
	const struct group_server *s = &u->servers[server];
	const bool is_known = s->is_known && clock_mono_ms() - s->known_since < GROUP_KNOWN_MS;
	if (is_known)
		*out = s->ehlo;
	pthread_mutex_unlock(&u->lock);
	return is_known;
}

bool
group_may_offer(struct upstream *u, unsigned needs)
{
	struct smtp_ehlo offer;

	for (size_t i = 0; i < u->server_count; i++) {
		if (!group_offer(u, i, &offer) || relay_lacks(needs, &offer) == 0)
			return true;
	}
	return false;
}

/* narrow_limit - the lesser of two, of which 0 is none. */
static void
narrow_limit(uint64_t *all, uint64_t one)
{
	if (one != 0 && (*all == 0 || one < *all))
		*all = one;
}

/* narrow - take away from *all what one server does not offer. */
static void
narrow(struct smtp_ehlo *all, const struct smtp_ehlo *one)
{
	all->pipelining &= one->pipelining;
	all->size &= one->size;
	all->eightbitmime &= one->eightbitmime;
	all->starttls &= one->starttls;
	all->enhanced_codes &= one->enhanced_codes;
	all->smtputf8 &= one->smtputf8;
	all->chunking &= one->chunking;
	all->dsn &= one->dsn;
	all->auth_plain &= one->auth_plain;
	all->auth_login &= one->auth_login;
	all->requiretls &= one->requiretls;
	narrow_limit(&all->mail_max, one->mail_max);
	narrow_limit(&all->rcpt_max, one->rcpt_max);
	narrow_limit(&all->rcpt_domain_max, one->rcpt_domain_max);
	narrow_limit(&all->size_limit, one->size_limit);
	all->xclient &= one->xclient;
}

void
upstream_features(struct upstream *u, struct smtp_ehlo *out)
{
	bool is_first = true;

	*out = (struct smtp_ehlo){
		.size = true,
		.eightbitmime = true,
		.dsn = u->pool == NULL,
		.smtputf8 = u->pool == NULL,
		.requiretls = u->pool == NULL,
	};
	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < u->server_count; i++) {
		if (!u->servers[i].is_known)
			continue;
		if (is_first)
			*out = u->servers[i].ehlo;
		else
			narrow(out, &u->servers[i].ehlo);
		is_first = false;
	}
	pthread_mutex_unlock(&u->lock);
}

void
group_count_connect(const struct upstream *u, const char *result)
{
	metric_add(&connects_total, 1, METRIC_LABELS(u->config->name, result));
}

/* must_ask - nobody is known, and nobody else asks or has just asked. */
static bool
must_ask(struct upstream *u)
{
	const int64_t now = clock_mono_ms();
	bool must = u->pool != NULL;

	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < u->server_count; i++)
		must = must && !u->servers[i].is_known;
	must = must && (u->asked_at == 0 || now - u->asked_at >= GROUP_ASK_AGAIN_MS);
	if (must)
		u->asked_at = now;
	pthread_mutex_unlock(&u->lock);
	return must;
}

/* ask - one server; false: it did not answer. */
static bool
ask(struct upstream *u, size_t server, int64_t deadline_ms)
{
	struct err err = { .kind = ERR_NONE };
	bool is_warm;
	struct conn *c =
	    pool_take(u->pool, &u->servers[server].target, false, deadline_ms, &is_warm, &err);

	group_count_connect(u, c != NULL ? "ok" : err_kind_name(err.kind));
	if (c != NULL) {
		group_learn(u, server, conn_ehlo(c));
		pool_give(u->pool, &c);
		return true;
	}
	log_event(LEVEL_WARNING, "upstream.fail", LOG_STR("upstream", u->config->name),
	    LOG_STR("server", u->config->servers.items[server]),
	    LOG_STR("reason", err_kind_name(err.kind)), LOG_STR("error", err.text));
	if (err.kind != ERR_LIMIT && !err_is_shortage(&err))
		group_failed(u, server);
	return false;
}

void
upstream_ask(struct upstream *u)
{
	const int64_t deadline_ms = clock_mono_ms() + GROUP_ASK_MS;
	uint32_t asked = 0;
	size_t server;

	if (!must_ask(u))
		return;
	while (clock_left_ms(deadline_ms) > 0 && group_next(u, asked, &server)) {
		if (ask(u, server, deadline_ms))
			return;
		asked |= UINT32_C(1) << server;
	}
}
