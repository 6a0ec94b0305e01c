/* SPDX-License-Identifier: MPL-2.0 */
/* The watch over time: guests, a reload, its thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/domain_watch_fixture.h"

/* ---- guests ---- */

static void
test_a_guest_is_learned_from_mail(void **state)
{
	struct watch_fixture f;
	const struct domain_report *report;

	(void)state;
	watch_fixture_open(&f);
	watch_fixture_publish(&f);
	dns_table_add(f.dns, "guest.example", DNS_TXT, "v=spf1 -all");
	assert_null(domain_watch_take(f.watch, "guest.example"));
	assert_int_equal(f.dns->query_count, 0); /* never on the path of mail */
	log_capture_begin(LEVEL_INFO);
	domain_watch_refresh(f.watch, NULL);
	assert_null(strstr(log_capture_end(), "guest.example"));
	report = report_of(&f, "guest.example");
	assert_non_null(report);
	assert_int_equal(report->spf.result, AUTHRES_FAIL);
	assert_int_equal(report->key_count, 0);
	assert_int_equal(report->signing.selector_count, 0);
	assert_false(report->signs_unconfirmed);
	watch_fixture_close(&f);
}

/* Of a domain that was taken out of the configuration, and that mail still names. */
static void
test_a_guest_has_no_keys_whatever_lies_in_the_folder(void **state)
{
	struct rotation rotation = { .count = 0 };
	char folder[] = "/tmp/gatepost-test-XXXXXX", path[80], command[96];
	struct watch_fixture f;
	struct err err = { 0 };

	(void)state;
	watch_fixture_open(&f);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/guest.example", folder);
	assert_int_equal(mkdir(path, 0750), 0);
	assert_true(rotation_adopt(&rotation, "old", DKIM_ED25519_SHA256, WATCH_NOW));
	assert_true(rotation_write(folder, "guest.example", &rotation, &err));
	assert_true(rotation_key_path(folder, "guest.example", "next", path, sizeof(path)));
	assert_true(rotation_begin(&rotation, "next", DKIM_ED25519_SHA256, WATCH_NOW, &err));
	assert_true(dkim_key_generate(DKIM_ED25519_SHA256, 0, path, &err));
	assert_true(rotation_write(folder, "guest.example", &rotation, &err));
	f.config.rotation_dir = folder;
	watch_fixture_restart(&f);
	assert_null(domain_watch_take(f.watch, "guest.example"));
	domain_watch_refresh(f.watch, NULL);
	assert_int_equal(report_of(&f, "guest.example")->key_count, 0);
	assert_int_equal(dns_table_asked(f.dns, "next._domainkey.guest.example", DNS_TXT), 0);
	watch_fixture_close(&f);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
}

static void
test_what_is_no_domain_is_no_guest(void **state)
{
	struct watch_fixture f;
	static const char *const names[] = { "", "a..b", "[192.0.2.1]", "a b.example" };

	(void)state;
	watch_fixture_open(&f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_null(domain_watch_take(f.watch, names[i]));
		domain_watch_refresh(f.watch, NULL);
		assert_null(domain_watch_take(f.watch, names[i]));
	}
	watch_fixture_close(&f);
}

static void
test_guests_are_bounded_and_the_longest_unused_goes(void **state)
{
	struct watch_fixture f;
	char name[64];

	(void)state;
	watch_fixture_open(&f);
	for (int i = 0; i < WATCH_GUESTS_MAX; i++) {
		snprintf(name, sizeof(name), "g%d.example", i);
		assert_null(domain_watch_take(f.watch, name));
		watch_fixture_pass_ms(1);
	}
	domain_watch_refresh(f.watch, NULL);
	assert_non_null(report_of(&f, "g0.example")); /* used again: g1 is the oldest */
	watch_fixture_pass_ms(1);
	assert_null(domain_watch_take(f.watch, "new.example"));
	assert_non_null(report_of(&f, "g0.example"));
	assert_non_null(report_of(&f, "g2.example"));
	assert_non_null(report_of(&f, "example.com"));
	assert_null(domain_watch_take(f.watch, "g1.example"));
	watch_fixture_close(&f);
}

static void
test_guests_do_not_keep_our_own_domains_waiting(void **state)
{
	struct watch_fixture f;

	(void)state;
	watch_fixture_open(&f);
	domain_watch_refresh(f.watch, NULL);
	assert_null(domain_watch_take(f.watch, "guest.example"));
	watch_fixture_pass_ms(WATCH_HOUR_MS); /* the guest is due for longer */
	dns_table_forget_asked(f.dns);
	domain_watch_refresh(f.watch, NULL);
	assert_true(f.dns->query_count > 0);
	assert_non_null(strstr(f.dns->log[f.dns->query_count - 1].name, "guest.example"));
	watch_fixture_close(&f);
}

static void
test_a_guest_whom_nobody_asks_for_is_forgotten(void **state)
{
	struct watch_fixture f;

	(void)state;
	watch_fixture_open(&f);
	assert_null(domain_watch_take(f.watch, "guest.example"));
	assert_int_equal(looks_after_ms(&f, 0, "guest.example"), 2); /* one an address */
	assert_int_equal(looks_after_ms(&f, WATCH_HOUR_MS * 12 / 10, "guest.example"), 2);
	assert_int_equal(looks_after_ms(&f, WATCH_HOUR_MS * 12 / 10, "guest.example"), 0);
	assert_null(domain_watch_take(f.watch, "guest.example"));
	watch_fixture_close(&f);
}

static void
test_a_domain_without_keys_is_watched_when_it_is_configured(void **state)
{
	static const char *const names[] = { "bare.example", "example.com" };
	struct watch_fixture f;

	(void)state;
	watch_fixture_open(&f);
	f.config.domains = names;
	f.config.domain_count = ARRAY_LEN(names);
	watch_fixture_restart(&f);
	assert_non_null(report_of(&f, "bare.example"));
	assert_int_equal(looks_after_ms(&f, 0, "bare.example"), 2);
	watch_fixture_close(&f);
}

/* ---- a reload ---- */

/* What a reload leaves behind. */
struct former {
	struct domain_watch *watch;
	struct dkim_keyring *ring;
};

/* reload - a new watch with the configuration as it is now, and another key for selector r. */
static struct former
reload(struct watch_fixture *f, const char *first_pem)
{
	const struct former former = { f->watch, f->ring };

	f->ring = watch_fixture_ring(first_pem);
	f->config.keyring = f->ring;
	f->watch = domain_watch_create(&f->config);
	domain_watch_inherit(f->watch, former.watch);
	return former;
}

static void
former_finish(struct former *former)
{
	domain_watch_destroy(&former->watch);
	dkim_keyring_destroy(&former->ring);
}

static void
test_a_new_watch_inherits(void **state)
{
	struct watch_fixture f;
	struct former former;

	(void)state;
	watch_fixture_open(&f);
	watch_fixture_publish(&f);
	assert_null(domain_watch_take(f.watch, "guest.example"));
	domain_watch_refresh(f.watch, NULL);
	former = reload(&f, key_rsa_2048);
	former_finish(&former); /* nothing of the old keys may be left */
	assert_all_is_known(report_of(&f, "example.com"), false);
	assert_int_equal(report_of(&f, "example.com")->checked_at, WATCH_NOW);
	assert_non_null(report_of(&f, "guest.example"));
	assert_ptr_equal(report_of(&f, "example.com")->signing.selectors[0].key,
	    dkim_keyring_find(f.ring, "example.com", false)->selectors[0].key);

	f.dns->is_off = true; /* and it looks for itself, at once */
	assert_int_equal(looks_after_ms(&f, 0, "r._domainkey.example.com"), 1);
	assert_all_is_known(report_of(&f, "example.com"), true);
	watch_fixture_close(&f);
}

static void
test_a_changed_key_is_not_inherited(void **state)
{
	struct watch_fixture f;
	struct former former;

	(void)state;
	watch_fixture_open(&f);
	watch_fixture_publish(&f);
	domain_watch_refresh(f.watch, NULL);
	assert_true(address_from_host("192.0.2.7", 0, &f.config.egress[0]));
	former = reload(&f, key_ed25519);
	const struct domain_report *report = report_of(&f, "example.com");
	assert_int_equal(report->keys[0].presence, KEY_UNKNOWN);
	assert_int_equal(report->keys[1].presence, KEY_CONFIRMED);
	assert_string_equal(signing_text(report), "e");
	assert_int_equal(report->addresses[0].spf.result, AUTHRES_TEMPERROR);
	assert_int_equal(report->addresses[1].spf.result, AUTHRES_PASS);
	former_finish(&former);
	watch_fixture_close(&f);
}

/* ---- the thread ---- */

static void
test_the_thread_looks_by_itself(void **state)
{
	struct watch_fixture f;
	struct err err = { 0 };
	const struct domain_report *report = NULL;

	(void)state;
	watch_fixture_open(&f);
	watch_fixture_publish(&f);
	clock_fake_set(-1, -1);
	watch_fixture_restart(&f);
	assert_true(domain_watch_start(f.watch, &err));
	assert_true(domain_watch_wait(f.watch, clock_mono_ms() + 30000));
	assert_false(report_of(&f, "example.com")->signs_unconfirmed);
	assert_null(domain_watch_take(f.watch, "guest.example"));
	for (int i = 0; i < 3000 && report == NULL; i++) {
		report = domain_watch_take(f.watch, "guest.example");
		(void)poll(NULL, 0, 10);
	}
	assert_non_null(report);
	domain_watch_give(f.watch, &report);
	watch_fixture_close(&f);
}

static void
dead_query(void *context, const char *name, enum dns_type type, int64_t deadline_ms,
    struct arena *arena, struct dns_answer *out)
{
	(void)name;
	(void)type;
	(void)arena;
	atomic_fetch_add((atomic_uint *)context, 1);
	(void)poll(NULL, 0, clock_left_ms(deadline_ms) + 1);
	*out = (struct dns_answer){ .status = DNS_TEMPFAIL, .why = "timed out" };
}

static void
test_a_dead_dns_keeps_nobody(void **state)
{
	struct watch_fixture f;
	struct err err = { 0 };
	atomic_uint asked = 0;
	const struct dns_source dead = { .query = dead_query, .context = &asked };

	(void)state;
	watch_fixture_open(&f);
	clock_fake_set(-1, -1);
	f.config.dns = &dead;
	f.config.timeout_ms = 600000;
	watch_fixture_restart(&f);
	assert_true(domain_watch_start(f.watch, &err));
	assert_false(domain_watch_wait(f.watch, clock_mono_ms() + 50));
	while (atomic_load(&asked) == 0)
		(void)poll(NULL, 0, 1);
	const int64_t before_ms = clock_mono_ms();
	assert_non_null(report_of(&f, "example.com")); /* takes nothing but a mutex */
	domain_watch_destroy(&f.watch);
	assert_true(clock_mono_ms() - before_ms < 60000); /* of the ten minutes of a look */
	watch_fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_guest_is_learned_from_mail),
		cmocka_unit_test(test_a_guest_has_no_keys_whatever_lies_in_the_folder),
		cmocka_unit_test(test_what_is_no_domain_is_no_guest),
		cmocka_unit_test(test_guests_do_not_keep_our_own_domains_waiting),
		cmocka_unit_test(test_guests_are_bounded_and_the_longest_unused_goes),
		cmocka_unit_test(test_a_guest_whom_nobody_asks_for_is_forgotten),
		cmocka_unit_test(test_a_domain_without_keys_is_watched_when_it_is_configured),
		cmocka_unit_test(test_a_new_watch_inherits),
		cmocka_unit_test(test_a_changed_key_is_not_inherited),
		cmocka_unit_test(test_the_thread_looks_by_itself),
		cmocka_unit_test(test_a_dead_dns_keeps_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
