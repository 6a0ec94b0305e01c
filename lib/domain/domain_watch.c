/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The watch; see domain_watch.h. One mutex guards the table of domains; it is held for moments,
 * never while DNS is asked. Reports are immutable and counted: whoever holds one keeps it after
 * a newer one has come. A look at a domain that is under way when the watch ends is cut short
 * (stoppable_dns.h).
 */
#include "lib/domain/domain_watch.h"

#include "lib/base/clock.h"
#include "lib/base/cond.h"
#include "lib/base/mem.h"
#include "lib/domain/dkim_rotation_keeper.h"
#include "lib/domain/domain_check.h"
#include "lib/domain/domain_watch_log.h"
#include "lib/domain/domain_watch_table.h"
#include "lib/domain/stoppable_dns.h"
#include "lib/mail/domain_name.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

#define ROTATION_NOTICE_MS 10000 /* how soon a key that was made is noticed */
#define QUERY_SHARE	   4	 /* one query may take that part of a look's time */

struct domain_watch {
	struct watch_config config;
	char *hostname;		  /* owned; config.hostname */
	struct stoppable_dns dns; /* config.dns, cut short by is_stopping */
	atomic_bool is_stopping;
	pthread_t thread;
	bool is_started;

	pthread_mutex_t keeper_lock;	/* one look at a time; never taken with lock held, but
					   before the thread starts */
	struct rotation_keeper *keeper; /* owned; NULL: no rotation */

	pthread_mutex_t lock; /* what stands below */
	pthread_cond_t changed;
	struct watch_table table;
};

/* ---- a look ---- */

/* What is looked at. */
struct subject {
	const char *domain;
	bool is_guest;			      /* it has no keys here */
	const struct counted_report *earlier; /* borrowed; or NULL */
};

/*
 * collect_keys - which keys there are for a domain, and what may sign: those of the keyring,
 * and what rotation says of them and of its own.
 */
static size_t
collect_keys(struct domain_watch *w, const struct subject *s, const struct dns_source *dns,
    struct counted_report *r, struct domain_key keys[DOMAIN_KEYS_MAX])
{
	const struct rotation_look look = {
		.domain = s->domain,
		.configured = dkim_keyring_find(w->config.keyring, s->domain, false),
		.dns = dns,
		.now = clock_real_s(),
		.deadline_ms = clock_mono_ms() + w->config.timeout_ms,
		.signed_with = s->earlier != NULL ? &s->earlier->report.signing : NULL,
		.is_stopping = &w->is_stopping,
		.is_dry = w->config.is_dry,
	};
	size_t count = 0;

	if (s->is_guest)
		return 0;

	if (w->keeper != NULL) {
		pthread_mutex_lock(&w->keeper_lock);
		count = rotation_keeper_look(w->keeper, &look, &r->arena, keys, &r->is_moving);
		pthread_mutex_unlock(&w->keeper_lock);
		return count;
	}
	for (; look.configured != NULL && count < look.configured->selector_count; count++)
		keys[count] =
		    (struct domain_key){ .selector = look.configured->selectors[count] };
	return count;
}

/* make_report - dns NULL: nothing is asked. Without the lock. One reference. */
static struct counted_report *
make_report(struct domain_watch *w, const struct subject *s, const struct dns_source *dns)
{
	struct counted_report *r = mem_calloc(1, sizeof(*r));
	struct domain_key keys[DOMAIN_KEYS_MAX];

	arena_init(&r->arena);
	atomic_init(&r->references, 1);
	const struct domain_check_request request = {
		.dns = dns,
		.hostname = w->hostname,
		.egress = w->config.egress,
		.egress_count = w->config.egress_count,
		.domain = s->domain,
		.keys = keys,
		.key_count = collect_keys(w, s, dns, r, keys),
		.now = clock_real_s(),
		.deadline_ms = clock_mono_ms() + w->config.timeout_ms,
		.earlier = s->earlier != NULL ? &s->earlier->report : NULL,
	};
	domain_check(&request, &r->arena, &r->report);
	return r;
}

/* ---- when ---- */

/* next_look_ms - the interval with a tenth of jitter, so that domains spread out. */
static int64_t
next_look_ms(const struct domain_watch *w, const struct watched *d)
{
	const struct domain_report *report = &d->report->report;
	const bool soon = d->report->is_moving || domain_report_lacks_answer(report) ||
			  (!d->is_guest && !domain_report_is_well(report));
	const int64_t interval_ms = (soon ? w->config.retry_s : w->config.refresh_s) * 1000;
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)clock_real_ms();
	return clock_mono_ms() + interval_ms - interval_ms / 10 +
	       (int64_t)random % (interval_ms / 5 + 1);
}

/* use_report - takes the reference over. Returns what it replaced, for its last reader. */
static struct counted_report *
use_report(
    struct domain_watch *w, const char *name, struct counted_report *fresh, bool *is_guest_out)
{
	struct counted_report *before = NULL;
	struct watched *d;

	*is_guest_out = true;
	pthread_mutex_lock(&w->lock);
	d = atomic_load(&w->is_stopping) ? NULL : watch_table_find(&w->table, name);
	if (d != NULL) {
		before = d->report;
		d->report = counted_report_hold(fresh);
		d->due_ms = next_look_ms(w, d);
		d->was_looked_at = true;
		*is_guest_out = d->is_guest;
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return before;
}

/* look_at - without the lock. */
static void
look_at(struct domain_watch *w, const char *name)
{
	struct counted_report *earlier, *fresh, *before;
	struct subject subject = { .domain = name };
	struct watched *d;
	bool is_guest;

	pthread_mutex_lock(&w->lock);
	d = watch_table_find(&w->table, name);
	earlier = d != NULL ? counted_report_hold(d->report) : NULL;
	subject.is_guest = d != NULL && d->is_guest;
	pthread_mutex_unlock(&w->lock);
	if (d == NULL)
		return;
	subject.earlier = earlier;
	fresh = make_report(w, &subject, &w->dns.source);
	counted_report_release(earlier);
	before = use_report(w, name, fresh, &is_guest);
	if (!is_guest && !w->config.is_dry)
		domain_watch_log(before != NULL ? &before->report : NULL, &fresh->report);
	counted_report_release(before);
	counted_report_release(fresh);
}

/*
 * comes_before - of what is due, our own domains before guests: those are as many as senders
 * like, each with servers that may be slow.
 */
static bool
comes_before(const struct watched *a, const struct watched *b, int64_t now)
{
	if (a->is_guest != b->is_guest && a->due_ms <= now && b->due_ms <= now)
		return b->is_guest;
	return a->due_ms <= b->due_ms;
}

/*
 * take_due - the name of the domain that is due first, in the arena; NULL: none is, *next_ms
 * says when. Guests that nobody asked for in two rounds are forgotten instead. With the lock.
 */
static const char *
take_due(struct domain_watch *w, struct arena *arena, int64_t *next_ms)
{
	const int64_t now = clock_mono_ms();
	const int64_t unused_since = now - 2 * w->config.refresh_s * 1000;
	struct watched *first = NULL;

	for (size_t i = w->table.count; i-- > 0;) {
		struct watched *d = w->table.domains[i];

		if (d->is_guest && d->due_ms <= now && d->used_ms < unused_since)
			watch_table_remove_at(&w->table, i);
		else if (first == NULL || comes_before(d, first, now))
			first = d;
	}
	*next_ms = first != NULL ? first->due_ms : CLOCK_NEVER;
	if (first == NULL || first->due_ms > now)
		return NULL;
	first->due_ms = now + w->config.retry_s * 1000; /* others come first meanwhile */
	return arena_strdup(arena, view_of(first->name));
}

/* notice_rotations - a domain whose states were changed by somebody else is due at once. */
static void
notice_rotations(struct domain_watch *w)
{
	struct arena arena;
	const char **names;
	size_t count = 0;

	arena_init(&arena);
	pthread_mutex_lock(&w->lock);
	names = arena_alloc(&arena, (w->table.count + 1) * sizeof(*names));
	for (size_t i = 0; i < w->table.count; i++) {
		if (!w->table.domains[i]->is_guest)
			names[count++] =
			    arena_strdup(&arena, view_of(w->table.domains[i]->name));
	}
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < count; i++) {
		struct watched *d;

		pthread_mutex_lock(&w->keeper_lock);
		const bool changed = rotation_keeper_has_changed(w->keeper, names[i]);
		pthread_mutex_unlock(&w->keeper_lock);
		if (!changed)
			continue;
		pthread_mutex_lock(&w->lock);
		d = watch_table_find(&w->table, names[i]);
		if (d != NULL)
			d->due_ms = clock_mono_ms();
		pthread_mutex_unlock(&w->lock);
	}
	arena_finish(&arena);
}

static void *
watch_main(void *arg)
{
	struct domain_watch *w = arg;
	int64_t notice_ms = clock_mono_ms() + ROTATION_NOTICE_MS;

	while (!atomic_load(&w->is_stopping)) {
		struct arena arena;
		const char *name;
		int64_t next_ms;

		if (w->keeper != NULL && clock_mono_ms() >= notice_ms) {
			notice_rotations(w);
			notice_ms = clock_mono_ms() + ROTATION_NOTICE_MS;
		}
		arena_init(&arena);
		pthread_mutex_lock(&w->lock);
		name = take_due(w, &arena, &next_ms);
		if (w->keeper != NULL && next_ms > notice_ms)
			next_ms = notice_ms;
		if (name == NULL && !atomic_load(&w->is_stopping))
			(void)cond_wait(&w->changed, &w->lock, next_ms);
		pthread_mutex_unlock(&w->lock);
		if (name != NULL)
			look_at(w, name);
		arena_finish(&arena);
	}
	return NULL;
}

void
domain_watch_refresh(struct domain_watch *w, const char *domain)
{
	struct arena arena;
	const char *name = domain;
	int64_t next_ms;

	if (domain != NULL) {
		look_at(w, domain);
		return;
	}
	arena_init(&arena);
	do {
		pthread_mutex_lock(&w->lock);
		name = take_due(w, &arena, &next_ms);
		pthread_mutex_unlock(&w->lock);
		if (name != NULL)
			look_at(w, name);
	} while (name != NULL);
	arena_finish(&arena);
}

/* ---- life ---- */

static void
add_domain(struct domain_watch *w, const char *name)
{
	struct watched *d = watch_table_insert(&w->table, name, false);

	if (d->report == NULL)
		d->report = make_report(w, &(struct subject){ .domain = name }, NULL);
}

struct domain_watch *
domain_watch_create(const struct watch_config *config)
{
	struct domain_watch *w = mem_calloc(1, sizeof(*w));

	w->config = *config;
	w->hostname = mem_strdup(config->hostname);
	pthread_mutex_init(&w->keeper_lock, NULL);
	if (config->rotation_dir != NULL) {
		w->keeper = rotation_keeper_create(config->rotation_dir, &config->rotation);
		rotation_keeper_set_source(w->keeper, config->keys);
	}
	atomic_init(&w->is_stopping, false);
	stoppable_dns_init(
	    &w->dns, config->dns, &w->is_stopping, config->timeout_ms / QUERY_SHARE);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	for (size_t i = 0; i < dkim_keyring_count(config->keyring); i++)
		add_domain(w, dkim_keyring_at(config->keyring, i)->name);
	for (size_t i = 0; i < config->domain_count; i++)
		add_domain(w, config->domains[i]);
	w->config.hostname = w->hostname;
	w->config.rotation_dir = NULL;
	w->config.domains = NULL;
	w->config.domain_count = 0;
	return w;
}

void
domain_watch_stop(struct domain_watch *w)
{
	atomic_store(&w->is_stopping, true);
	pthread_mutex_lock(&w->lock);
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

void
domain_watch_destroy(struct domain_watch **wp)
{
	struct domain_watch *w = *wp;

	if (w == NULL)
		return;
	domain_watch_stop(w);
	if (w->is_started)
		pthread_join(w->thread, NULL);
	watch_table_finish(&w->table);
	rotation_keeper_destroy(&w->keeper);
	pthread_mutex_destroy(&w->keeper_lock);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	mem_free(w->hostname);
	mem_free(w);
	*wp = NULL;
}

bool
domain_watch_start(struct domain_watch *w, struct err *err)
{
	const int error = pthread_create(&w->thread, NULL, watch_main, w);

	if (error != 0)
		return err_set_errno(err, error, "no thread for the watch of domains");
	w->is_started = true;
	return true;
}

static bool
all_were_looked_at(const struct domain_watch *w)
{
	for (size_t i = 0; i < w->table.count; i++) {
		if (!w->table.domains[i]->is_guest && !w->table.domains[i]->was_looked_at)
			return false;
	}
	return true;
}

bool
domain_watch_wait(struct domain_watch *w, int64_t deadline_ms)
{
	bool all;

	pthread_mutex_lock(&w->lock);
	while (!(all = all_were_looked_at(w)) && clock_left_ms(deadline_ms) > 0)
		(void)cond_wait(&w->changed, &w->lock, deadline_ms);
	pthread_mutex_unlock(&w->lock);
	return all;
}

/* ---- a reload ---- */

/* inherit_one - from is of another watch: only texts of it are taken, never its keys. */
static void
inherit_one(struct domain_watch *w, const struct watched *from)
{
	struct watched *d = watch_table_find(&w->table, from->name);

	if (d == NULL && (!from->is_guest || from->report == NULL))
		return;
	if (d == NULL) {
		d = watch_table_insert(&w->table, from->name, true);
		d->due_ms = from->due_ms; /* our own domains come first */
	}
	const struct subject subject = {
		.domain = d->name, .is_guest = d->is_guest, .earlier = from->report
	};
	counted_report_release(d->report);
	d->report = make_report(w, &subject, NULL);
	d->used_ms = from->is_guest ? from->used_ms : d->used_ms;
}

void
domain_watch_inherit(struct domain_watch *w, struct domain_watch *from)
{
	struct watched *list;
	struct arena arena;
	size_t count;

	/* Mail takes reports of from meanwhile: its lock is held for a copy of the list only.
	 */
	arena_init(&arena);
	pthread_mutex_lock(&from->lock);
	count = from->table.count;
	list = arena_alloc(&arena, (count + 1) * sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		list[i] = *from->table.domains[i];
		list[i].name = arena_strdup(&arena, view_of(list[i].name));
		list[i].report = counted_report_hold(list[i].report);
	}
	pthread_mutex_unlock(&from->lock);
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < count; i++) {
		inherit_one(w, &list[i]);
		counted_report_release(list[i].report);
	}
	pthread_mutex_unlock(&w->lock);
	arena_finish(&arena);
}

/* ---- for mail ---- */

const struct domain_report *
domain_watch_take(struct domain_watch *w, const char *domain)
{
	struct counted_report *report = NULL;
	struct watched *d;

	pthread_mutex_lock(&w->lock);
	d = watch_table_find(&w->table, domain);
	if (d == NULL && strlen(domain) < DOMAIN_NAME_MAX &&
	    dns_name_is_valid(view_of(domain)) && domain[0] != '[') {
		watch_table_make_room(&w->table);
		(void)watch_table_insert(&w->table, domain, true);
		pthread_cond_broadcast(&w->changed);
	} else if (d != NULL) {
		d->used_ms = clock_mono_ms();
		report = counted_report_hold(d->report);
	}
	pthread_mutex_unlock(&w->lock);
	return report != NULL ? &report->report : NULL;
}

const struct domain_report *
domain_watch_take_own(struct domain_watch *w, const char *domain)
{
	struct counted_report *report = NULL;
	const struct watched *d;

	pthread_mutex_lock(&w->lock);
	d = watch_table_find(&w->table, domain);
	if (d != NULL && !d->is_guest)
		report = counted_report_hold(d->report);
	pthread_mutex_unlock(&w->lock);
	return report != NULL ? &report->report : NULL;
}

void
domain_watch_give(struct domain_watch *w, const struct domain_report **report)
{
	(void)w;
	if (*report != NULL)
		counted_report_release((struct counted_report *)(uintptr_t)*report);
	*report = NULL;
}
