/* SPDX-License-Identifier: MPL-2.0 */
/* DNS that ends early; see stoppable_dns.h. */
#include "lib/domain/stoppable_dns.h"

#include "lib/base/clock.h"

#define SLICE_MS 500  /* a query is asked again so often, to notice the end */
#define EACH_MS	 5000 /* what asks every server notices no end: it takes no longer */

static int64_t
cut(const struct stoppable_dns *d, int64_t deadline_ms)
{
	const int64_t share = clock_mono_ms() + d->share_ms;

	return deadline_ms < share ? deadline_ms : share;
}

static void
query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	const struct stoppable_dns *d = context;

	deadline_ms = cut(d, deadline_ms);
	while (!atomic_load(d->is_stopping)) {
		int64_t slice_ms = clock_mono_ms() + SLICE_MS;

		if (slice_ms > deadline_ms)
			slice_ms = deadline_ms;
		dns_query(d->inner, name, type, slice_ms, arena, out);
		if (out->status != DNS_TEMPFAIL || slice_ms == deadline_ms ||
		    clock_mono_ms() < slice_ms)
			return;
	}
	*out = (struct dns_answer){ .status = DNS_TEMPFAIL, .why = "the gate is ending" };
}

static size_t
query_each(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_server_answer **out)
{
	const struct stoppable_dns *d = context;
	const int64_t each_ms = clock_mono_ms() + EACH_MS;

	if (atomic_load(d->is_stopping) || d->inner->query_each == NULL)
		return 0;
	deadline_ms = cut(d, deadline_ms);
	return d->inner->query_each(d->inner->context, name, type,
	    deadline_ms < each_ms ? deadline_ms : each_ms, arena, out);
}

void
stoppable_dns_init(struct stoppable_dns *d, const struct dns_source *inner,
    const atomic_bool *is_stopping, int64_t share_ms)
{
	*d = (struct stoppable_dns){
		.inner = inner, .is_stopping = is_stopping, .share_ms = share_ms
	};
	d->source =
	    (struct dns_source){ .query = query, .query_each = query_each, .context = d };
}
