/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests: a watch over a DNS table, with two keys for example.com (r, e), one for
 * one.example (e), and two egress addresses; time stands still. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_WATCH_FIXTURE_H
#define GATEPOST_TESTS_WATCH_FIXTURE_H

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/domain/domain_check.h"
#include "lib/net/address.h"

#include "tests/unit/dkim_keys.h"
#include "tests/unit/dns_table.h"

#define WATCH_NOW     1795553870
#define WATCH_MONO    INT64_C(10000000)
#define WATCH_HOUR_MS INT64_C(3600000)

struct watch_fixture {
	struct dkim_keyring *ring;
	struct dns_table *dns;
	struct watch_config config;
	struct domain_watch *watch;
	char record_r[1024], record_e[256]; /* the TXT records of the two keys */
};

static inline void
watch_fixture_record(const struct dkim_keyring *ring, size_t index, char *out, size_t room)
{
	const struct dkim_domain *domain = dkim_keyring_find(ring, "example.com", false);
	struct buf record;

	buf_init(&record, 4096);
	assert_true(dkim_key_record(domain->selectors[index].key, &record));
	assert_true(view_copy(buf_view(&record), out, room));
	buf_finish(&record);
}

static inline struct dkim_keyring *
watch_fixture_ring(const char *first_pem)
{
	struct dkim_keyring *ring = dkim_keyring_create();
	struct err err = { 0 };

	assert_true(dkim_keyring_add(ring, "example.com", "r", good_key(first_pem), &err));
	assert_true(dkim_keyring_add(ring, "example.com", "e", good_key(key_ed25519), &err));
	assert_true(dkim_keyring_add(ring, "one.example", "e", good_key(key_ed25519), &err));
	return ring;
}

static inline void
watch_fixture_open(struct watch_fixture *f)
{
	*f = (struct watch_fixture){ .ring = watch_fixture_ring(key_rsa_2048),
		.dns = dns_table_create(NULL) };
	log_configure(&(struct log_config){ .level = LEVEL_ERROR });
	clock_fake_set(WATCH_MONO, WATCH_NOW);
	watch_fixture_record(f->ring, 0, f->record_r, sizeof(f->record_r));
	watch_fixture_record(f->ring, 1, f->record_e, sizeof(f->record_e));
	f->config = (struct watch_config){
		.keyring = f->ring,
		.dns = dns_table_source(f->dns),
		.hostname = "gate.example.net",
		.egress_count = 2,
		.refresh_s = 3600,
		.retry_s = 300,
		.timeout_ms = 20000,
	};
	assert_true(address_from_host("192.0.2.1", 0, &f->config.egress[0]));
	assert_true(address_from_host("2001:db8::1", 0, &f->config.egress[1]));
	f->watch = domain_watch_create(&f->config);
}

/* watch_fixture_restart - with the configuration as it is now, knowing nothing. */
static inline void
watch_fixture_restart(struct watch_fixture *f)
{
	domain_watch_destroy(&f->watch);
	f->watch = domain_watch_create(&f->config);
}

/* watch_fixture_show - a TXT record: "r", "e" (the keys' own), any other, a status, or NULL. */
static inline void
watch_fixture_show(struct watch_fixture *f, const char *name, const char *record)
{
	if (record != NULL && strcmp(record, "r") == 0)
		record = f->record_r;
	else if (record != NULL && strcmp(record, "e") == 0)
		record = f->record_e;
	dns_table_set(f->dns, name, DNS_TXT, record);
}

/* watch_fixture_publish - all that example.com needs. */
static inline void
watch_fixture_publish(struct watch_fixture *f)
{
	dns_table_set(f->dns, "r._domainkey.example.com", DNS_TXT, f->record_r);
	dns_table_set(f->dns, "e._domainkey.example.com", DNS_TXT, f->record_e);
	dns_table_set(
	    f->dns, "example.com", DNS_TXT, "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all");
	dns_table_set(f->dns, "_dmarc.example.com", DNS_TXT,
	    "v=DMARC1; p=reject; rua=mailto:d@example.com");
}

static inline void
watch_fixture_close(struct watch_fixture *f)
{
	domain_watch_destroy(&f->watch);
	dns_table_destroy(&f->dns);
	dkim_keyring_destroy(&f->ring);
	clock_fake_set(-1, -1);
}

static inline void
watch_fixture_pass_ms(int64_t ms)
{
	const int64_t now_ms = clock_mono_ms() + ms;

	clock_fake_set(now_ms, WATCH_NOW + (now_ms - WATCH_MONO) / 1000);
}

#endif
