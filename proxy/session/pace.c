/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The least pace of content. A client has limits.data of time in hand; time passes, and each
 * octet brings 1/limits.data_rate seconds back, though never more than it began with. So it may
 * pause, or be slow for a while, but not drip: one octet now and then keeps nobody connected.
 * On a worker, for a session that waits for content.
 */
#include "proxy/session/session_private.h"

#include "lib/base/clock.h"

int64_t
pace_deadline(struct session *s)
{
	const struct config_limits *limits = &s->snapshot->config->limits;
	const int64_t full = clock_mono_ms() + limits->data_ms;
	const uint64_t rate = (uint64_t)limits->data_rate;

	if (s->pace_until_ms == 0 || (rate == 0 && s->pace_octets > 0)) {
		s->pace_until_ms = full;
		s->pace_octets = 0;
	} else if (rate > 0) {
		const uint64_t earned_ms = s->pace_octets * 1000 / rate;
		s->pace_until_ms += (int64_t)earned_ms;
		s->pace_octets -= earned_ms * rate / 1000; /* the rest counts next time */
	}
	if (s->pace_until_ms > full)
		s->pace_until_ms = full;
	return s->pace_until_ms;
}
