/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The watch; see domain_watch.h. One mutex guards the table of domains; it is held for moments,
 * never while DNS is asked. Reports are immutable and counted: whoever holds one keeps it after
 * a newer one has come. A look at a domain that is under way when the watch ends is cut short
 * within part of a second (stoppable_dns.h).
 */
#include "lib/domain/domain_watch.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/domain/dkim_rotation_keeper.h"
#include "lib/domain/domain_check.h"
#include "lib/domain/domain_watch_log.h"
#include "lib/domain/stoppable_dns.h"
#include "lib/mail/domain_name.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

#define ROTATION_NOTICE_MS 10000 /* how soon a key that was made is noticed */
#define QUERY_SHARE	   4	 /* one query may take that part of a look's time */

struct counted_report {
	struct domain_report report; /* first: what callers see */
	struct arena arena;
	atomic_uint references;
	bool is_moving; /* a new key is on its way: look again soon */
};

struct watched {
	char *name; /* owned */
	bool is_guest;
	bool was_looked_at; /* by this watch */
	int64_t used_ms;    /* guests: when it was last asked for */
	int64_t due_ms;
	struct counted_report *report; /* owned reference; NULL: a guest not looked at yet */
};

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
	struct watched **domains; /* owned, sorted by name */
	size_t count, room, guests;
};

/* ---- reports ---- */

static void
release(struct counted_report *r)
{
	if (r == NULL || atomic_fetch_sub(&r->references, 1) != 1)
		return;
	arena_finish(&r->arena);
	mem_free(r);
}

/* With the lock. */
static struct counted_report *
hold(struct counted_report *r)
{
	if (r != NULL)
		atomic_fetch_add(&r->references, 1);
	return r;
}

/*
 * collect_keys - which keys there are for a domain, and what may sign: those of the keyring,
 * and what rotation says of them and of its own.
 */
static size_t
collect_keys(struct domain_watch *w, const char *domain, const struct dns_source *dns,
    struct counted_report *r, struct domain_key keys[DOMAIN_KEYS_MAX])
{
	const struct rotation_look look = {
		.domain = domain,
		.configured = dkim_keyring_find(w->config.keyring, domain, false),
		.dns = dns,
		.now = clock_real_s(),
		.deadline_ms = clock_mono_ms() + w->config.timeout_ms,
	};
	size_t count = 0;

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
make_report(struct domain_watch *w, const char *domain, const struct dns_source *dns,
    const struct counted_report *earlier)
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
		.domain = domain,
		.keys = keys,
		.key_count = collect_keys(w, domain, dns, r, keys),
		.now = clock_real_s(),
		.deadline_ms = clock_mono_ms() + w->config.timeout_ms,
		.earlier = earlier != NULL ? &earlier->report : NULL,
	};
	domain_check(&request, &r->arena, &r->report);
	return r;
}

/* ---- the table ---- */

static size_t
place_of(const struct domain_watch *w, const char *name, bool *found_out)
{
	size_t low = 0, high = w->count;

	*found_out = false;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(name, w->domains[middle]->name);

		if (order == 0) {
			*found_out = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static struct watched *
find(const struct domain_watch *w, const char *name)
{
	bool found;
	const size_t place = place_of(w, name, &found);

	return found ? w->domains[place] : NULL;
}

static struct watched *
insert(struct domain_watch *w, const char *name, bool is_guest)
{
	bool found;
	const size_t place = place_of(w, name, &found);
	struct watched *d;

	if (found)
		return w->domains[place];
	d = mem_calloc(1, sizeof(*d));
	d->name = mem_strdup(name);
	d->is_guest = is_guest;
	d->used_ms = d->due_ms = clock_mono_ms();
	if (w->count == w->room) {
		w->room = w->room > 0 ? 2 * w->room : 16;
		w->domains = mem_realloc(w->domains, w->room * sizeof(struct watched *));
	}
	memmove(w->domains + place + 1, w->domains + place,
	    (w->count - place) * sizeof(struct watched *));
	w->domains[place] = d;
	w->count++;
	w->guests += is_guest;
	return d;
}

static void
remove_at(struct domain_watch *w, size_t place)
{
	struct watched *d = w->domains[place];

	w->guests -= d->is_guest;
	w->count--;
	memmove(w->domains + place, w->domains + place + 1,
	    (w->count - place) * sizeof(struct watched *));
	release(d->report);
	mem_free(d->name);
	mem_free(d);
}

/* The guest that was not asked for the longest time has to go. */
static void
make_room_for_guest(struct domain_watch *w)
{
	size_t oldest = SIZE_MAX;

	for (size_t i = 0; w->guests >= WATCH_GUESTS_MAX && i < w->count; i++) {
		if (w->domains[i]->is_guest &&
		    (oldest == SIZE_MAX ||
			w->domains[i]->used_ms < w->domains[oldest]->used_ms))
			oldest = i;
	}
	if (oldest != SIZE_MAX)
		remove_at(w, oldest);
}

/* ---- looking ---- */

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
	d = atomic_load(&w->is_stopping) ? NULL : find(w, name);
	if (d != NULL) {
		before = d->report;
		d->report = hold(fresh);
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
	struct watched *d;
	bool is_guest;

	pthread_mutex_lock(&w->lock);
	d = find(w, name);
	earlier = d != NULL ? hold(d->report) : NULL;
	pthread_mutex_unlock(&w->lock);
	if (d == NULL)
		return;
	fresh = make_report(w, name, &w->dns.source, earlier);
	release(earlier);
	before = use_report(w, name, fresh, &is_guest);
	if (!is_guest)
		domain_watch_log(before != NULL ? &before->report : NULL, &fresh->report);
	release(before);
	release(fresh);
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

	for (size_t i = w->count; i-- > 0;) {
		struct watched *d = w->domains[i];

		if (d->is_guest && d->due_ms <= now && d->used_ms < unused_since)
			remove_at(w, i);
		else if (first == NULL || d->due_ms <= first->due_ms)
			first = d;
	}
	*next_ms = first != NULL ? first->due_ms : CLOCK_NEVER;
	if (first == NULL || first->due_ms > now)
		return NULL;
	first->due_ms = now + w->config.retry_s * 1000; /* others come first meanwhile */
	return arena_strdup(arena, view_of(first->name));
}

/* wait_until - for a change, or the time. With the lock. */
static void
wait_until(struct domain_watch *w, int64_t deadline_ms)
{
	struct timespec until;
	const int left_ms = clock_left_ms(deadline_ms);

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += left_ms / 1000;
	until.tv_nsec += (long)(left_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	(void)pthread_cond_timedwait(&w->changed, &w->lock, &until);
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
	names = arena_alloc(&arena, (w->count + 1) * sizeof(*names));
	for (size_t i = 0; i < w->count; i++) {
		if (!w->domains[i]->is_guest)
			names[count++] = arena_strdup(&arena, view_of(w->domains[i]->name));
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
		d = find(w, names[i]);
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
			wait_until(w, next_ms);
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
	struct watched *d = insert(w, name, false);

	if (d->report == NULL)
		d->report = make_report(w, name, NULL, NULL);
}

struct domain_watch *
domain_watch_create(const struct watch_config *config)
{
	struct domain_watch *w = mem_calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	w->config = *config;
	w->hostname = mem_strdup(config->hostname);
	pthread_mutex_init(&w->keeper_lock, NULL);
	if (config->rotation_dir != NULL)
		w->keeper = rotation_keeper_create(config->rotation_dir, &config->rotation);
	atomic_init(&w->is_stopping, false);
	stoppable_dns_init(
	    &w->dns, config->dns, &w->is_stopping, config->timeout_ms / QUERY_SHARE);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->changed, &attr);
	pthread_condattr_destroy(&attr);
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
	while (w->count > 0)
		remove_at(w, w->count - 1);
	mem_free(w->domains);
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
	for (size_t i = 0; i < w->count; i++) {
		if (!w->domains[i]->is_guest && !w->domains[i]->was_looked_at)
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
		wait_until(w, deadline_ms);
	pthread_mutex_unlock(&w->lock);
	return all;
}

/* ---- a reload ---- */

/* inherit_one - from is of another watch: only texts of it are taken, never its keys. */
static void
inherit_one(struct domain_watch *w, const struct watched *from)
{
	struct watched *d = find(w, from->name);

	if (d == NULL && (!from->is_guest || from->report == NULL))
		return;
	if (d == NULL) {
		d = insert(w, from->name, true);
		d->due_ms = from->due_ms; /* our own domains come first */
	}
	release(d->report);
	d->report = make_report(w, d->name, NULL, from->report);
	d->used_ms = from->is_guest ? from->used_ms : d->used_ms;
}

void
domain_watch_inherit(struct domain_watch *w, struct domain_watch *from)
{
	/* Two locks at once, here alone: w is new, so nobody can hold them the other way. */
	pthread_mutex_lock(&from->lock);
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < from->count; i++)
		inherit_one(w, from->domains[i]);
	pthread_mutex_unlock(&w->lock);
	pthread_mutex_unlock(&from->lock);
}

/* ---- for mail ---- */

const struct domain_report *
domain_watch_take(struct domain_watch *w, const char *domain)
{
	struct counted_report *report = NULL;
	struct watched *d;

	pthread_mutex_lock(&w->lock);
	d = find(w, domain);
	if (d == NULL && strlen(domain) < DOMAIN_NAME_MAX &&
	    dns_name_is_valid(view_of(domain)) && domain[0] != '[') {
		make_room_for_guest(w);
		(void)insert(w, domain, true);
		pthread_cond_broadcast(&w->changed);
	} else if (d != NULL) {
		d->used_ms = clock_mono_ms();
		report = hold(d->report);
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
	d = find(w, domain);
	if (d != NULL && !d->is_guest)
		report = hold(d->report);
	pthread_mutex_unlock(&w->lock);
	return report != NULL ? &report->report : NULL;
}

void
domain_watch_give(struct domain_watch *w, const struct domain_report **report)
{
	(void)w;
	if (*report != NULL)
		release((struct counted_report *)(uintptr_t)*report);
	*report = NULL;
}
