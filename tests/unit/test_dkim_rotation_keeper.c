/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rotation through whole simulated months: three authoritative servers that get a record late,
 * lose it, or are down; resolvers that keep answers, good and bad, for their TTL; a gate that
 * is restarted; an operator who publishes and withdraws records when told to. Never may a
 * signature be made whose key a verifier cannot find.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/domain/dkim_key_text.h"
#include "lib/domain/dkim_rotation_keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOMAIN	   "example.com"
#define SERVERS	   3
#define VERIFIERS  4
#define NAMES	   64 /* selectors of one history */
#define TTL_S	   3600
#define NEGATIVE_S 1800
#define START	   1795000000

static const struct rotation_rules rules = { .settle_s = 600, .queue_life_s = 3 * 86400 };

/* What one resolver remembers of one selector. */
struct memory {
	int64_t until;
	bool is_there;
};

struct name {
	char selector[DKIM_SELECTOR_MAX + 1];
	char record[2048];
	int64_t appears_at[SERVERS]; /* 0: it is there; INT64_MAX: never */
	bool lost[SERVERS];
	int64_t signed_at; /* the last time */
	bool is_published, is_withdrawn;
};

struct world {
	char folder[64];
	unsigned seed;
	int64_t now;
	struct rotation_keeper *keeper;
	bool is_down[SERVERS];
	int64_t answers_after_ms; /* of every server */
	struct name names[NAMES];
	size_t name_count;
	struct memory memory[VERIFIERS + 1][NAMES]; /* the last one is our own resolver's */
	struct dkim_keyring *keyring;
	struct dns_source source;
	unsigned signatures, fallbacks;
};

static unsigned
roll(struct world *w, unsigned sides)
{
	w->seed = w->seed * 1103515245U + 12345U;
	return (w->seed >> 16) % sides;
}

/* ---- DNS ---- */

static bool
server_shows(const struct world *w, size_t server, const struct name *n)
{
	return n->is_published && !n->is_withdrawn && !n->lost[server] &&
	       n->appears_at[server] <= w->now;
}

static struct name *
name_of(struct world *w, const char *name)
{
	for (size_t i = 0; i < w->name_count; i++) {
		char full[DKIM_SELECTOR_MAX + 40];

		snprintf(full, sizeof(full), "%s._domainkey." DOMAIN, w->names[i].selector);
		if (strcmp(full, name) == 0)
			return &w->names[i];
	}
	return NULL;
}

static void
answer_with(const struct name *n, bool is_there, int64_t ttl_s, struct arena *arena,
    struct dns_answer *out)
{
	*out = (struct dns_answer){ .status = is_there ? DNS_FOUND : DNS_NXDOMAIN,
		.ttl_s = (uint32_t)ttl_s };
	if (!is_there)
		return;
	out->records = arena_alloc(arena, sizeof(*out->records));
	out->records[0].data = arena_view(arena, view_of(n->record));
	out->count = 1;
}

/* A resolver asks any server that is up, and remembers what it said. */
static bool
resolve(struct world *w, size_t resolver, struct name *n, bool *is_there_out)
{
	struct memory *m = &w->memory[resolver][n - w->names];
	const size_t first = roll(w, SERVERS);

	for (size_t i = 0; i < SERVERS && m->until <= w->now; i++) {
		const size_t server = (first + i) % SERVERS;

		if (w->is_down[server])
			continue;
		m->is_there = server_shows(w, server, n);
		m->until = w->now + (m->is_there ? TTL_S : NEGATIVE_S);
	}
	*is_there_out = m->is_there;
	return m->until > w->now;
}

static void
query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	struct world *w = context;
	struct name *n = name_of(w, name);
	bool is_there;

	(void)deadline_ms;
	*out = (struct dns_answer){ .status = DNS_NXDOMAIN, .ttl_s = NEGATIVE_S };
	if (n == NULL || type != DNS_TXT)
		return;
	if (!resolve(w, VERIFIERS, n, &is_there))
		*out = (struct dns_answer){ .status = DNS_TEMPFAIL };
	else
		answer_with(n, is_there, 60, arena, out);
}

static size_t
query_each(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_server_answer **out)
{
	struct world *w = context;
	const struct name *n = name_of(w, name);

	(void)deadline_ms;
	if (w->answers_after_ms > 0)
		clock_fake_set(clock_mono_ms() + w->answers_after_ms, w->now);
	assert_int_equal(type, DNS_TXT);
	*out = arena_alloc(arena, SERVERS * sizeof(**out));
	for (size_t i = 0; i < SERVERS; i++) {
		snprintf((*out)[i].server, sizeof((*out)[i].server), "ns%zu", i + 1);
		if (w->is_down[i])
			(*out)[i].answer.status = DNS_TEMPFAIL;
		else
			answer_with(n, n != NULL && server_shows(w, i, n),
			    n != NULL && server_shows(w, i, n) ? TTL_S : NEGATIVE_S, arena,
			    &(*out)[i].answer);
	}
	return SERVERS;
}

/* ---- the operator ---- */

static void
read_record(struct world *w, const char *selector, char *out, size_t room)
{
	char path[256], warning[160];
	struct err err = { 0 };
	struct dkim_key *key;
	struct buf record;

	assert_true(rotation_key_path(w->folder, DOMAIN, selector, path, sizeof(path)));
	key = dkim_key_read(path, warning, &err);
	if (key == NULL)
		fail_msg("%s", err.text);
	buf_init(&record, room - 1);
	assert_true(dkim_key_record(key, &record));
	view_copy(buf_view(&record), out, room);
	buf_finish(&record);
	dkim_key_destroy(&key);
}

/* What `gatepost rotate` does; then the operator publishes the record, sooner or later. */
static void
begin_rotation(struct world *w, enum dkim_algorithm algorithm)
{
	struct name *n = &w->names[w->name_count];
	struct rotation r;
	struct err err = { 0 };
	char path[256];
	int lock = rotation_lock(w->folder, DOMAIN, clock_mono_ms() + 1000, &err);

	assert_true(lock >= 0);
	assert_true(rotation_read(w->folder, DOMAIN, &r, &err));
	memset(n, 0, sizeof(*n));
	snprintf(n->selector, sizeof(n->selector), "k%zu", w->name_count);
	if (rotation_begin(&r, n->selector, algorithm, w->now, &err)) {
		assert_true(
		    rotation_key_path(w->folder, DOMAIN, n->selector, path, sizeof(path)));
		/* RSA keys take too long to make for a simulation: Ed25519 stands for both */
		assert_true(dkim_key_generate(DKIM_ED25519_SHA256, 0, path, &err));
		assert_true(rotation_write(w->folder, DOMAIN, &r, &err));
		read_record(w, n->selector, n->record, sizeof(n->record));
		n->is_published = true;
		for (size_t i = 0; i < SERVERS; i++)
			n->appears_at[i] = w->now + roll(w, 6) * 3600;
		w->name_count++;
	}
	rotation_unlock(&lock);
}

/* Records that are retired go, and not one message that they signed may still be under way. */
static void
withdraw_retired(struct world *w)
{
	struct rotation r;
	struct err err = { 0 };

	assert_true(rotation_read(w->folder, DOMAIN, &r, &err));
	for (size_t i = 0; i < r.count; i++) {
		struct name *n = NULL;

		for (size_t j = 0; j < w->name_count; j++) {
			if (strcmp(w->names[j].selector, r.keys[i].selector) == 0)
				n = &w->names[j];
		}
		if (n == NULL || r.keys[i].state != ROTATION_RETIRED || n->is_withdrawn)
			continue;
		assert_true(w->now - n->signed_at >= rules.queue_life_s);
		n->is_withdrawn = true;
	}
}

/* At most one record is lost at a time, at one server; and at most one server is down. */
static void
let_things_happen(struct world *w)
{
	for (size_t i = 0; i < SERVERS; i++)
		w->is_down[i] = false;
	if (roll(w, 5) == 0)
		w->is_down[roll(w, SERVERS)] = true;
	for (size_t i = 0; i < w->name_count; i++) {
		for (size_t j = 0; j < SERVERS; j++)
			w->names[i].lost[j] = w->names[i].lost[j] && roll(w, 4) != 0;
	}
	if (w->name_count > 0 && roll(w, 6) == 0) {
		struct name *n = &w->names[w->name_count - 1];

		memset(n->lost, 0, sizeof(n->lost));
		n->lost[roll(w, SERVERS)] = true;
	}
	/* somebody looks at a key that nobody has used yet, and remembers that it is not there
	 */
	for (size_t i = 0; i < VERIFIERS; i++) {
		bool is_there;

		if (w->name_count > 0 && roll(w, 3) == 0)
			(void)resolve(w, i, &w->names[w->name_count - 1], &is_there);
	}
}

/* ---- the gate ---- */

static void
restart(struct world *w)
{
	rotation_keeper_destroy(&w->keeper);
	w->keeper = rotation_keeper_create(w->folder, &rules);
}

static bool
is_retiring(const struct domain_report *report, const char *selector)
{
	for (size_t i = 0; i < report->key_count; i++) {
		if (strcmp(report->keys[i].selector, selector) == 0)
			return strcmp(report->keys[i].rotation, "retiring") == 0;
	}
	return false;
}

/*
 * A look, and a message signed at once. A server that is down hides from us what it shows to
 * nobody else either; so what was lost at a server before it went down stays lost for those who
 * remember it, and they remember it no longer than NEGATIVE_S.
 */
static void
look_and_sign(struct world *w)
{
	const struct rotation_look look = { .domain = DOMAIN,
		.configured = dkim_keyring_find(w->keyring, DOMAIN, false),
		.dns = &w->source,
		.now = w->now,
		.deadline_ms = CLOCK_NEVER };
	struct domain_key keys[DOMAIN_KEYS_MAX];
	struct domain_report report;
	struct arena arena;
	bool is_moving;

	arena_init(&arena);
	const struct domain_check_request request = { .dns = &w->source,
		.hostname = "gate.example.com",
		.domain = DOMAIN,
		.keys = keys,
		.key_count = rotation_keeper_look(w->keeper, &look, &arena, keys, &is_moving),
		.now = w->now,
		.deadline_ms = CLOCK_NEVER };
	domain_check(&request, &arena, &report);
	for (size_t i = 0; i < report.signing.selector_count; i++) {
		const char *selector = report.signing.selectors[i].selector;

		for (size_t j = 0; j < w->name_count && !report.signs_unconfirmed; j++) {
			struct name *n = &w->names[j];
			bool is_there = false;

			if (strcmp(n->selector, selector) != 0)
				continue;
			n->signed_at = w->now;
			w->signatures++;
			w->fallbacks += is_retiring(&report, selector);
			for (size_t v = 0; v < VERIFIERS; v++) {
				if (resolve(w, v, n, &is_there) && !is_there)
					fail_msg("seed %u: verifier %zu does not find %s",
					    w->seed, v, selector);
			}
		}
	}
	arena_finish(&arena);
}

static void
world_open(struct world *w, unsigned seed)
{
	struct rotation r = { .count = 0 };
	struct err err = { 0 };
	char path[256], warning[160];
	struct dkim_key *key;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->now = START;
	w->source =
	    (struct dns_source){ .query = query, .query_each = query_each, .context = w };
	/* every step is synced to the disk, so one in memory saves most of the time */
	snprintf(w->folder, sizeof(w->folder), "%s/gatepost-test-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->folder));
	snprintf(path, sizeof(path), "%s/" DOMAIN, w->folder);
	assert_int_equal(mkdir(path, 0750), 0);
	/* the key of the configuration, known to everybody for long */
	snprintf(w->names[0].selector, sizeof(w->names[0].selector), "k0");
	assert_true(rotation_key_path(w->folder, DOMAIN, "k0", path, sizeof(path)));
	assert_true(dkim_key_generate(DKIM_ED25519_SHA256, 0, path, &err));
	read_record(w, "k0", w->names[0].record, sizeof(w->names[0].record));
	w->names[0].is_published = true;
	w->name_count = 1;
	w->keyring = dkim_keyring_create();
	key = dkim_key_read(path, warning, &err);
	assert_non_null(key);
	assert_true(dkim_keyring_add(w->keyring, DOMAIN, "k0", key, &err));
	assert_true(rotation_adopt(&r, "k0", DKIM_ED25519_SHA256, w->now));
	assert_true(rotation_write(w->folder, DOMAIN, &r, &err));
	restart(w);
}

static void
world_close(struct world *w)
{
	char command[128];

	rotation_keeper_destroy(&w->keeper);
	dkim_keyring_destroy(&w->keyring);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->folder);
	assert_int_equal(system(command), 0);
}

static void
test_no_signature_ever_names_a_key_that_cannot_be_found(void **state)
{
	unsigned active = 0, fallbacks = 0, signatures = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 12; seed++) {
		struct world w;
		struct rotation r;
		struct err err = { 0 };

		world_open(&w, seed);
		for (int step = 0; step < 400; step++) {
			w.now += 300 + roll(&w, 7200);
			clock_fake_set((w.now - START) * 1000, w.now);
			let_things_happen(&w);
			if (roll(&w, 12) == 0)
				restart(&w);
			if (roll(&w, 60) == 0 && w.name_count < NAMES)
				begin_rotation(&w, DKIM_ED25519_SHA256);
			look_and_sign(&w);
			withdraw_retired(&w);
		}
		signatures += w.signatures;
		assert_true(rotation_read(w.folder, DOMAIN, &r, &err));
		for (size_t i = 0; i < r.count; i++)
			active += r.keys[i].state == ROTATION_ACTIVE && i > 0;
		fallbacks += w.fallbacks;
		world_close(&w);
		clock_fake_set(-1, -1);
	}
	assert_true(signatures > 3000);
	assert_true(active >= 10);  /* rotations did happen */
	assert_true(fallbacks > 0); /* and so did losses */
}

/* ---- single looks ---- */

/* A world with the pending key "k1" beside "k0"; every server shows both. */
static void
open_pending(struct world *w)
{
	world_open(w, 1);
	clock_fake_set(1000, w->now);
	begin_rotation(w, DKIM_ED25519_SHA256);
	memset(w->names[1].appears_at, 0, sizeof(w->names[1].appears_at));
}

static void
close_pending(struct world *w)
{
	world_close(w);
	clock_fake_set(-1, -1);
}

/* pass - time by both clocks; the monotonic one does not see what was set by hand. */
static void
pass(struct world *w, int64_t seconds, int64_t set_by_hand)
{
	w->now += seconds + set_by_hand;
	clock_fake_set(clock_mono_ms() + seconds * 1000, w->now);
}

/* look - at k0 and k1; what the file says afterwards. */
static struct rotation
look(struct world *w, const struct dkim_domain *signed_with, bool is_stopping)
{
	const atomic_bool stop = is_stopping;
	const struct rotation_look look = { .domain = DOMAIN,
		.configured = dkim_keyring_find(w->keyring, DOMAIN, false),
		.dns = &w->source,
		.now = w->now,
		.deadline_ms = CLOCK_NEVER,
		.signed_with = signed_with,
		.is_stopping = &stop };
	struct domain_key keys[DOMAIN_KEYS_MAX];
	struct err err = { 0 };
	struct rotation r;
	struct arena arena;
	bool is_moving;

	arena_init(&arena);
	(void)rotation_keeper_look(w->keeper, &look, &arena, keys, &is_moving);
	arena_finish(&arena);
	assert_true(rotation_read(w->folder, DOMAIN, &r, &err));
	return r;
}

static void
test_a_clock_put_forward_ends_no_wait(void **state)
{
	struct world w;
	struct rotation r;

	(void)state;
	open_pending(&w);
	(void)look(&w, NULL, false);
	pass(&w, 10, 86400);
	assert_int_equal(look(&w, NULL, false).keys[1].state, ROTATION_PENDING);
	pass(&w, 599, 0);
	assert_int_equal(look(&w, NULL, false).keys[1].state, ROTATION_PENDING);
	pass(&w, 1, 0);
	r = look(&w, NULL, false);
	assert_int_equal(r.keys[1].state, ROTATION_ACTIVE);
	pass(&w, 10, 4 * 86400);
	r = look(&w, NULL, false);
	assert_int_equal(r.keys[0].state, ROTATION_RETIRING);
	assert_int_equal(r.keys[0].since, w.now);
	close_pending(&w);
}

static void
test_a_look_that_is_stopped_moves_nothing(void **state)
{
	struct world w;
	int64_t shown_since;

	(void)state;
	open_pending(&w);
	shown_since = look(&w, NULL, false).keys[1].shown_since;
	assert_true(shown_since > 0);
	memset(w.is_down, 1, sizeof(w.is_down));
	pass(&w, 60, 0);
	assert_int_equal(look(&w, NULL, true).keys[1].shown_since, shown_since);
	assert_int_equal(look(&w, NULL, false).keys[1].shown_since, 0);
	close_pending(&w);
}

static void
test_a_wait_counts_from_the_last_answer(void **state)
{
	struct world w;

	(void)state;
	open_pending(&w);
	w.answers_after_ms = 7500; /* of each of the two keys */
	assert_int_equal(look(&w, NULL, false).keys[1].shown_since, w.now + 15);
	close_pending(&w);
}

/* Whatever made it sign, a resolver of ours that is behind for example: mail is under way. */
static void
test_a_retiring_key_that_has_signed_does_not_retire(void **state)
{
	struct dkim_selector selector = { .selector = "k0" };
	const struct dkim_domain signed_with = {
		.name = DOMAIN, .selectors = &selector, .selector_count = 1
	};
	struct world w;

	(void)state;
	open_pending(&w);
	selector.key = dkim_keyring_find(w.keyring, DOMAIN, false)->selectors[0].key;
	(void)look(&w, NULL, false);
	pass(&w, 600, 0);
	assert_int_equal(look(&w, NULL, false).keys[0].state, ROTATION_RETIRING);
	pass(&w, rules.queue_life_s, 0);
	assert_int_equal(look(&w, &signed_with, false).keys[0].since, w.now);
	pass(&w, rules.queue_life_s - 1, 0);
	assert_int_equal(look(&w, NULL, false).keys[0].state, ROTATION_RETIRING);
	pass(&w, 1, 0);
	assert_int_equal(look(&w, NULL, false).keys[0].state, ROTATION_RETIRED);
	close_pending(&w);
}

static size_t
say_one(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_server_answer **out)
{
	(void)name, (void)type, (void)deadline_ms;
	*out = arena_alloc(arena, sizeof(**out));
	(*out)->answer = *(const struct dns_answer *)context;
	return 1;
}

static struct rotation_sight
sight_of_one(struct dns_answer *answer)
{
	const struct dns_source source = { .query_each = say_one, .context = answer };
	const struct rotation_look look = { .domain = DOMAIN, .dns = &source };
	struct dns_record record = { .data = VIEW("v=DKIM1; p=") };
	struct rotation_sight sight;
	const char *missing;
	struct arena arena;

	if (answer->status == DNS_FOUND) {
		answer->records = &record;
		answer->count = 1;
	}
	arena_init(&arena);
	sight = rotation_sight_of(&look, "k", NULL, &arena, &missing);
	arena_finish(&arena);
	assert_int_equal(sight.kind, SIGHT_MISSING);
	return sight;
}

/* A record that was there before ours lives on in caches for its own TTL. */
static void
test_another_record_is_waited_for_as_long_as_it_is_kept(void **state)
{
	struct dns_answer other = { .status = DNS_FOUND, .ttl_s = 3 * 86400 };
	struct dns_answer none = { .status = DNS_NXDOMAIN, .ttl_s = 3 * 86400 };

	(void)state;
	assert_int_equal(sight_of_one(&other).ttl_s, 3 * 86400);
	assert_int_equal(sight_of_one(&none).ttl_s, ROTATION_NEGATIVE_TTL_MAX);
}

int
main(void)
{
	const struct log_config quiet = { .level = LEVEL_ERROR };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_signature_ever_names_a_key_that_cannot_be_found),
		cmocka_unit_test(test_a_clock_put_forward_ends_no_wait),
		cmocka_unit_test(test_a_look_that_is_stopped_moves_nothing),
		cmocka_unit_test(test_a_wait_counts_from_the_last_answer),
		cmocka_unit_test(test_a_retiring_key_that_has_signed_does_not_retire),
		cmocka_unit_test(test_another_record_is_waited_for_as_long_as_it_is_kept),
	};

	log_configure(&quiet);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
