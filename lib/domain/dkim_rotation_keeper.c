/* SPDX-License-Identifier: MPL-2.0 */
/* Rotation at work; see dkim_rotation_keeper.h. */
#include "lib/domain/dkim_rotation_keeper.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/domain/dkim_key_text.h"
#include "lib/mail/domain_name.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_WAIT_MS  2000
#define CLOCK_SLACK_S 60 /* by which the clock of the day may run ahead between two looks */

/* A private key that was read once; kept until the keeper ends, for reports point at it. */
struct kept_key {
	struct kept_key *next;
	struct dkim_key *key; /* owned */
	char domain[DOMAIN_NAME_MAX];
	char selector[DKIM_SELECTOR_MAX + 1];
};

struct kept_domain {
	struct kept_domain *next;
	char domain[DOMAIN_NAME_MAX];
	struct rotation rotation; /* as it was last written or read */
	struct timespec changed;  /* of the file, at the last look */
	char trouble[240];	  /* that was logged: once is enough */
	/* The last time that states could move, by both clocks; 0: not yet. */
	int64_t moved_at, moved_ms;
};

struct rotation_keeper {
	char *folder; /* owned */
	struct rotation_rules rules;
	const struct dkim_key_source *source; /* borrowed; NULL: files are read here */
	struct kept_key *keys;
	struct kept_domain *domains;
};

struct rotation_keeper *
rotation_keeper_create(const char *folder, const struct rotation_rules *rules)
{
	struct rotation_keeper *k = mem_calloc(1, sizeof(*k));

	k->folder = mem_strdup(folder);
	k->rules = *rules;
	return k;
}

void
rotation_keeper_set_source(struct rotation_keeper *k, const struct dkim_key_source *source)
{
	k->source = source;
}

void
rotation_keeper_destroy(struct rotation_keeper **k)
{
	if (*k == NULL)
		return;
	while ((*k)->keys != NULL) {
		struct kept_key *key = (*k)->keys;

		(*k)->keys = key->next;
		dkim_key_destroy(&key->key);
		mem_free(key);
	}
	while ((*k)->domains != NULL) {
		struct kept_domain *domain = (*k)->domains;

		(*k)->domains = domain->next;
		mem_free(domain);
	}
	mem_free((*k)->folder);
	mem_free(*k);
	*k = NULL;
}

static struct kept_domain *
keep_domain(struct rotation_keeper *k, const char *domain)
{
	struct kept_domain *d = k->domains;

	while (d != NULL && strcmp(d->domain, domain) != 0)
		d = d->next;
	if (d != NULL)
		return d;
	d = mem_calloc(1, sizeof(*d));
	(void)view_copy(view_of(domain), d->domain, sizeof(d->domain));
	d->next = k->domains;
	k->domains = d;
	return d;
}

static void
log_trouble(struct kept_domain *d, const struct rotation_look *look, const char *text)
{
	if (look->is_dry || strcmp(d->trouble, text) == 0)
		return;
	(void)snprintf(d->trouble, sizeof(d->trouble), "%s", text);
	if (text[0] != '\0')
		log_event(LEVEL_ERROR, "dkim.rotation_fail", LOG_STR("domain", d->domain),
		    LOG_STR("text", text));
}

/* ---- keys ---- */

static const struct dkim_key *
find_key(const struct dkim_domain *domain, const char *selector)
{
	for (size_t i = 0; domain != NULL && i < domain->selector_count; i++) {
		if (view_eq_nocase(view_of(domain->selectors[i].selector), view_of(selector)))
			return domain->selectors[i].key;
	}
	return NULL;
}

/* Root may look before it becomes the user that serves, and whose keys these are. */
static uid_t
folder_owner(const struct rotation_keeper *k, const struct kept_domain *d)
{
	char path[PATH_MAX];
	struct stat st;
	const int len = snprintf(path, sizeof(path), "%s/%s", k->folder, d->domain);

	return len > 0 && (size_t)len < sizeof(path) && stat(path, &st) == 0 ? st.st_uid
									     : geteuid();
}

static struct dkim_key *
read_made(
    struct rotation_keeper *k, struct kept_domain *d, const char *selector, struct err *err)
{
	char path[PATH_MAX], warning[160];
	struct kept_key *kept = k->keys;
	struct dkim_key *key;

	while (kept != NULL &&
	       (strcmp(kept->domain, d->domain) != 0 || strcmp(kept->selector, selector) != 0))
		kept = kept->next;
	if (kept != NULL)
		return kept->key;
	if (!rotation_key_path(k->folder, d->domain, selector, path, sizeof(path))) {
		err_set(err, ERR_CONFIG, "the path of %s is too long", selector);
		return NULL;
	}
	key = k->source != NULL ? k->source->read(k->source->context, path, warning, err)
				: dkim_key_read_made(path, folder_owner(k, d), warning, err);
	if (key == NULL)
		return NULL;
	kept = mem_calloc(1, sizeof(*kept));
	kept->key = key;
	(void)view_copy(view_of(d->domain), kept->domain, sizeof(kept->domain));
	(void)view_copy(view_of(selector), kept->selector, sizeof(kept->selector));
	kept->next = k->keys;
	k->keys = kept;
	return key;
}

/* ---- what the servers show ---- */

static bool
shows_key(const struct dns_answer *answer, const struct dkim_key *key, struct arena *arena)
{
	struct dkim_key_text text;
	const char *why;

	return dkim_key_text_of_answer(answer, arena, &text, &why) == DKIM_PUBLISHED &&
	       dkim_key_text_matches(&text, key, &why);
}

/* kept_for_s - how long a resolver may go by an answer. */
static uint32_t
kept_for_s(const struct dns_answer *answer)
{
	return answer->status == DNS_FOUND || answer->ttl_s < ROTATION_NEGATIVE_TTL_MAX
		   ? answer->ttl_s
		   : ROTATION_NEGATIVE_TTL_MAX;
}

struct rotation_sight
rotation_sight_of(const struct rotation_look *look, const char *selector,
    const struct dkim_key *key, struct arena *arena, const char **missing_out)
{
	struct rotation_sight sight = { .kind = SIGHT_UNKNOWN };
	struct dns_server_answer *answers = NULL;
	size_t count = 0, shown = 0;
	char *name = arena_printf(arena, "%s._domainkey.%s", selector, look->domain);

	*missing_out = NULL;
	if (look->dns == NULL || look->dns->query_each == NULL)
		return sight;
	count = look->dns->query_each(
	    look->dns->context, name, DNS_TXT, look->deadline_ms, arena, &answers);
	for (size_t i = 0; i < count; i++) {
		const struct dns_answer *answer = &answers[i].answer;

		if (answer->status == DNS_TEMPFAIL)
			continue;
		if (shows_key(answer, key, arena)) {
			shown++;
			if (sight.kind != SIGHT_MISSING && answer->ttl_s > sight.ttl_s)
				sight.ttl_s = answer->ttl_s;
			continue;
		}
		if (sight.kind != SIGHT_MISSING)
			sight = (struct rotation_sight){ .kind = SIGHT_MISSING };
		if (kept_for_s(answer) > sight.ttl_s)
			sight.ttl_s = kept_for_s(answer);
		if (*missing_out == NULL)
			*missing_out = answers[i].server;
	}
	if (sight.kind != SIGHT_MISSING && count > 0 && shown == count)
		sight.kind = SIGHT_SHOWN;
	return sight;
}

/* ---- a look ---- */

/* One key while a look runs. */
struct seen {
	const struct dkim_key *key; /* NULL: it could not be read */
	const char *missing;
	struct rotation_sight sight;
};

static void
see_key(struct rotation_keeper *k, struct kept_domain *d, const struct rotation_look *look,
    const struct rotation_key *state, struct arena *arena, struct seen *out)
{
	struct err err = { 0 };

	*out = (struct seen){ .sight.kind = SIGHT_UNKNOWN };
	out->key = state->is_configured ? find_key(look->configured, state->selector)
					: read_made(k, d, state->selector, &err);
	if (out->key == NULL && err.kind != ERR_NONE && state->state != ROTATION_RETIRED)
		log_trouble(d, look, err.text);
	if (out->key != NULL && state->state != ROTATION_RETIRED)
		out->sight =
		    rotation_sight_of(look, state->selector, out->key, arena, &out->missing);
}

static void
log_moves(
    const struct kept_domain *d, const struct rotation *before, const struct rotation *after)
{
	for (size_t i = 0; i < before->count; i++) {
		const struct rotation_key *was = &before->keys[i], *is = &after->keys[i];

		if (was->state != is->state)
			log_event(LEVEL_INFO, "dkim.rotation", LOG_STR("domain", d->domain),
			    LOG_STR("selector", is->selector),
			    LOG_STR("algorithm", dkim_algorithm_name(is->algorithm)),
			    LOG_STR("from", rotation_state_name(was->state)),
			    LOG_STR("to", rotation_state_name(is->state)));
	}
}

static bool
note_change_time(struct rotation_keeper *k, struct kept_domain *d, struct timespec *out)
{
	char path[PATH_MAX];
	struct stat st = { 0 };
	const int len = snprintf(path, sizeof(path), "%s/%s/states", k->folder, d->domain);

	if (len > 0 && (size_t)len < sizeof(path) && stat(path, &st) != 0)
		st.st_mtim = (struct timespec){ 0 };
	*out = st.st_mtim;
	return out->tv_sec != d->changed.tv_sec || out->tv_nsec != d->changed.tv_nsec;
}

bool
rotation_keeper_has_changed(struct rotation_keeper *k, const char *domain)
{
	struct timespec changed;

	return note_change_time(k, keep_domain(k, domain), &changed);
}

/* note_use - of retiring keys that have signed since the last look, whatever made them do it.
 * True: there are some. */
static bool
note_use(struct rotation *r, const struct dkim_domain *signed_with)
{
	bool any = false;

	for (size_t i = 0; i < r->count; i++) {
		struct rotation_key *key = &r->keys[i];

		if (key->state == ROTATION_RETIRING && !key->is_in_use &&
		    find_key(signed_with, key->selector) != NULL)
			any = key->is_in_use = true;
	}
	return any;
}

/* note_time - a clock that was put forward must not end a wait. True: it was. */
static bool
note_time(struct kept_domain *d, struct rotation *r, int64_t now)
{
	const int64_t now_ms = clock_mono_ms();
	const bool jumped = d->moved_at != 0 &&
			    now - d->moved_at > (now_ms - d->moved_ms) / 1000 + CLOCK_SLACK_S;

	if (jumped)
		rotation_wait_anew(r, d->moved_at, now);
	d->moved_at = now;
	d->moved_ms = now_ms;
	return jumped;
}

/*
 * Under the lock: what the file says, and the step that the sights make of it. Asking the
 * servers takes long, so it is done before, for the keys that were there then.
 */
static void
move_states(struct rotation_keeper *k, struct kept_domain *d, const struct rotation_look *look,
    const struct seen *seen)
{
	struct rotation_sight sights[ROTATION_KEYS_MAX];
	struct rotation now_there, stepped;
	struct err err = { 0 };
	int lock = rotation_lock(k->folder, d->domain, clock_mono_ms() + LOCK_WAIT_MS, &err);

	if (lock < 0 || !rotation_read(k->folder, d->domain, &now_there, &err)) {
		log_trouble(d, look, err.text);
		rotation_unlock(&lock);
		return;
	}
	for (size_t i = 0; i < now_there.count; i++) {
		sights[i] = (struct rotation_sight){ .kind = SIGHT_UNKNOWN };
		for (size_t j = 0; j < d->rotation.count; j++) {
			if (strcmp(now_there.keys[i].selector, d->rotation.keys[j].selector) ==
			    0)
				sights[i] = seen[j].sight;
		}
	}
	stepped = now_there;
	bool changed = note_use(&stepped, look->signed_with);
	changed = note_time(d, &stepped, look->now) || changed;
	changed = rotation_step(&stepped, sights, &k->rules, look->now) || changed;
	if (changed) {
		if (rotation_write(k->folder, d->domain, &stepped, &err)) {
			log_moves(d, &now_there, &stepped);
			log_trouble(d, look, "");
			now_there = stepped;
		} else {
			log_trouble(d, look, err.text); /* not on disk: so it did not happen */
		}
	}
	d->rotation = now_there;
	(void)note_change_time(k, d, &d->changed);
	rotation_unlock(&lock);
}

/* why_not_there - what keeps a key from counting as published; NULL: nothing. */
static const char *
why_not_there(const struct rotation_key *state, const struct seen *seen,
    const struct rotation_look *look, struct arena *arena)
{
	if (seen->missing != NULL)
		return arena_printf(arena, "%s does not show it", seen->missing);
	if (state->state == ROTATION_PENDING || rotation_is_settled(state, look->now))
		return NULL;
	return arena_printf(arena,
	    "it was missing, and resolvers may believe so for up to %lld s",
	    (long long)state->negative_ttl_s);
}

static size_t
list_keys(const struct kept_domain *d, const struct rotation_look *look,
    const struct seen *seen, struct arena *arena, struct domain_key *out)
{
	size_t count = 0;

	for (size_t i = 0; look->configured != NULL && i < look->configured->selector_count;
	     i++) {
		const struct dkim_selector *s = &look->configured->selectors[i];
		struct rotation copy = d->rotation;

		if (rotation_find(&copy, s->selector) == NULL)
			out[count++] = (struct domain_key){ .selector = *s };
	}
	for (size_t i = 0; i < d->rotation.count && count < DOMAIN_KEYS_MAX; i++) {
		const struct rotation_key *state = &d->rotation.keys[i];

		if (seen[i].key == NULL)
			continue;
		out[count++] = (struct domain_key){
			.selector = { .selector = arena_strdup(arena, view_of(state->selector)),
			    .key = (struct dkim_key *)(uintptr_t)seen[i].key },
			.rotation = rotation_state_name(state->state),
			.sign_order = rotation_sign_order(state),
			.absent_why = why_not_there(state, &seen[i], look, arena),
		};
	}
	return count;
}

static bool
is_stopping(const struct rotation_look *look)
{
	return look->is_stopping != NULL && atomic_load(look->is_stopping);
}

size_t
rotation_keeper_look(struct rotation_keeper *k, const struct rotation_look *look,
    struct arena *arena, struct domain_key *keys_out, bool *is_moving_out)
{
	struct kept_domain *d = keep_domain(k, look->domain);
	struct seen seen[ROTATION_KEYS_MAX] = { 0 }, sorted[ROTATION_KEYS_MAX] = { 0 };
	const int64_t began_ms = clock_mono_ms();
	struct rotation_look answered = *look;
	struct rotation asked;
	struct err err = { 0 };

	*is_moving_out = false;
	if (rotation_read(k->folder, look->domain, &asked, &err))
		d->rotation = asked;
	else
		log_trouble(d, look, err.text);
	asked = d->rotation;
	(void)note_change_time(k, d, &d->changed);
	for (size_t i = 0; i < asked.count; i++)
		see_key(k, d, look, &asked.keys[i], arena, &seen[i]);
	/* The waits of records count from when the last server has answered. */
	answered.now += (clock_mono_ms() - began_ms + 999) / 1000;
	if (asked.count > 0 && look->dns != NULL && !look->is_dry && !is_stopping(look))
		move_states(k, d, &answered, seen);
	/* `gatepost rotate` may have changed the list in the mean time. */
	for (size_t i = 0; i < d->rotation.count; i++) {
		for (size_t j = 0; j < asked.count; j++) {
			if (strcmp(d->rotation.keys[i].selector, asked.keys[j].selector) == 0)
				sorted[i] = seen[j];
		}
		*is_moving_out =
		    *is_moving_out || d->rotation.keys[i].state == ROTATION_PENDING;
	}
	return list_keys(d, &answered, sorted, arena, keys_out);
}
