/* SPDX-License-Identifier: MPL-2.0 */
/* For unit tests of DKIM verification: messages signed and damaged, and what became of each
 * signature. Include behind cmocka.h. */
#ifndef GATEPOST_TESTS_DKIM_VERIFY_FIXTURE_H
#define GATEPOST_TESTS_DKIM_VERIFY_FIXTURE_H

#include "lib/domain/dkim_verify.h"
#include "tests/unit/dkim_keys.h"
#include "tests/unit/dkim_make.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/message_fixture.h"

#include <pthread.h>

#define NOW 1795553870

#define ED_RECORD "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define RSA_1024                                                                               \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2" \
	"jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvH" \
	"O9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"

static struct dns_table *dns;
static char rsa_record[1024];

static inline void
fill_dns(void)
{
	dns_table_clear(dns);
	dns_table_add(dns, "e._domainkey.example.com", DNS_TXT, ED_RECORD);
	dns_table_add(dns, "r._domainkey.example.com", DNS_TXT, rsa_record);
	dns_table_add(dns, "small._domainkey.example.com", DNS_TXT, KEY_RSA_512_RECORD);
	dns_table_forget_asked(dns);
}

static inline int
set_up(void **state)
{
	static const struct dns_row none[] = { { .name = NULL } };
	struct dkim_key *key = good_key(key_rsa_2048);
	struct buf record;
	struct err err = { 0 };

	(void)state;
	buf_init(&record, 1000);
	assert_true(dkim_key_record(key, &record));
	assert_true(view_copy(buf_view(&record), rsa_record, sizeof(rsa_record)));
	buf_finish(&record);
	dkim_key_destroy(&key);
	dns = dns_table_create(none);
	return dkim_verify_init(&err) ? 0 : -1;
}

static inline int
tear_down(void **state)
{
	(void)state;
	dns_table_destroy(&dns);
	dkim_verify_finish();
	return 0;
}

/* One message, verified. */
struct outcome {
	struct arena arena;
	struct message *message;
	struct dkim_verification v;
};

static inline struct dkim_verify_request
request_of(const struct message *m)
{
	return (struct dkim_verify_request){
		.message = m,
		.dns = dns_table_source(dns),
		.deadline_ms = 5000,
		.now = NOW,
		.skew_s = 300,
		.max_signatures = 8,
		.min_rsa_bits = 1024,
	};
}

static inline void
verify_with(struct outcome *o, struct view text, void (*change)(struct dkim_verify_request *))
{
	struct buf copy;
	struct dkim_verify_request request;

	buf_init(&copy, 4 << 20);
	assert_true(buf_add_view(&copy, text) && buf_add_char(&copy, '\0'));
	o->message = message_of(copy.p);
	arena_init(&o->arena);
	request = request_of(o->message);
	if (change != NULL)
		change(&request);
	dkim_verify_message(&request, &o->arena, &o->v);
	buf_finish(&copy);
}

static inline void
verify(struct outcome *o, struct view text)
{
	verify_with(o, text, NULL);
}

static inline void
outcome_finish(struct outcome *o)
{
	message_destroy(&o->message);
	arena_finish(&o->arena);
}

/* A signed message, what was then done to it, and the key that is published. */

#define V	"v=1; a=ed25519-sha256; "
#define DS	"d=example.com; s=e; "
#define TAGS	V "c=relaxed/relaxed; " DS "h=from:to:subject"
#define SIMPLE	V DS "h=from:to:subject"
#define MESSAGE "From: a@example.com\r\nTo: b@example.net\r\nSubject: s\r\n\r\nbody\r\n"

static inline const char *
pem_for(const char *tags)
{
	if (strstr(tags, "s=small") != NULL)
		return key_rsa_512;
	return strstr(tags, "a=rsa") != NULL ? key_rsa_2048 : key_ed25519;
}

static inline void
replace(struct buf *text, const char *find, const char *put)
{
	struct buf out;
	const char *at;

	assert_true(buf_add_char(text, '\0'));
	at = strstr(text->p, find);
	if (at == NULL)
		fail_msg("no \"%s\" in the message", find);
	buf_init(&out, text->cap);
	assert_true(buf_add(&out, text->p, (size_t)(at - text->p)) && buf_add_str(&out, put) &&
		    buf_add_str(&out, at + strlen(find)));
	buf_finish(text);
	*text = out;
}

static inline void
expect(const char *name, const struct dkim_signature *s, enum dkim_verdict verdict,
    const char *reason)
{
	if (s->verdict != verdict)
		fail_msg("%s: verdict %d, %s", name, (int)s->verdict,
		    s->reason != NULL ? s->reason : "holds");
	if ((verdict == DKIM_GOOD) != (s->result == AUTHRES_PASS) ||
	    (verdict == DKIM_GOOD) != (s->reason == NULL))
		fail_msg("%s: result %s", name, authres_result_name(s->result));
	if (reason == NULL && verdict != DKIM_GOOD && verdict != DKIM_VERSION &&
	    verdict != DKIM_IDENTITY && verdict != DKIM_FROM_UNSIGNED)
		reason = dkim_verdict_text(verdict);
	if (reason != NULL && (s->reason == NULL || strstr(s->reason, reason) == NULL))
		fail_msg("%s: reason \"%s\"", name, s->reason != NULL ? s->reason : "none");
}

#endif
