/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ARC chains (RFC 8617 5.2): built here set by set, then damaged. That others read them in the
 * same way is shown by tests/interop/test_arc.py.
 */
#include "lib/domain/arc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/arc_sealer.h"
#include "tests/unit/dns_table.h"

#define NOW 1795553870

static const char base[] = "From: a@example.com\r\n"
			   "To: b@example.net\r\n"
			   "Subject: a  chain\r\n"
			   "\r\n"
			   "Hello  you. \r\n"
			   "\r\n";

/* What is done to a message: nothing, or one text for another, once (the topmost). */
struct damage {
	const char *from, *to;
};

struct arc_case {
	const char *name;
	unsigned sets;
	unsigned special_at; /* 0: none */
	struct seal_spec special;
	struct damage between; /* before the last set is put on */
	struct damage after;
	enum authres_result result;
	const char *reason; /* a part of it */
	unsigned oldest_pass;
};

#define PASSES AUTHRES_PASS, NULL, 0

static const struct arc_case cases[] = {
	{ "no set", 0, 0, { 0 }, { 0 }, { 0 }, AUTHRES_NONE, NULL, 0 },
	{ "one set", 1, 0, { 0 }, { 0 }, { 0 }, PASSES },
	{ "two sets", 2, 0, { 0 }, { 0 }, { 0 }, PASSES },
	{ "five sets", 5, 0, { 0 }, { 0 }, { 0 }, PASSES },
	{ "as many as are allowed", 20, 0, { 0 }, { 0 }, { 0 }, PASSES },
	{ "one more than are allowed", 21, 0, { 0 }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "21 sets are more than 20", 0 },
	/* How it may be signed. */
	{ "simple fields", 1, 1, { .canon = "simple/relaxed" }, { 0 }, { 0 }, PASSES },
	{ "a simple body", 1, 1, { .canon = "relaxed/simple" }, { 0 }, { 0 }, PASSES },
	{ "all simple", 1, 1, { .canon = "simple/simple" }, { 0 }, { 0 }, PASSES },
	{ "one word for both: the body is simple", 1, 1, { .canon = "relaxed" }, { 0 }, { 0 },
	    PASSES },
	{ "Ed25519", 2, 2, { .algorithm = "ed25519-sha256", .domain = "ed.example" }, { 0 },
	    { 0 }, PASSES },
	{ "unknown tags", 1, 1, { .ams_tags = "v=7; zz=yes; ", .seal_tags = "zz=no; v=8; " },
	    { 0 }, { 0 }, PASSES },
	{ "times", 1, 1, { .ams_tags = "t=1; x=1795553870; ", .seal_tags = "t=1; " }, { 0 },
	    { 0 }, PASSES },
	{ "a field that is not there, and one twice", 1, 1,
	    { .names = "from:from:cc:to:subject" }, { 0 }, { 0 }, PASSES },
	{ "blanks in the list of names", 1, 1, { .names = "from : To :SUBJECT" }, { 0 }, { 0 },
	    PASSES },
	{ "the length of the whole body", 1, 1, { .ams_tags = "l=12; " }, { 0 }, { 0 },
	    PASSES },
	{ "a query method", 1, 1, { .ams_tags = "q=dns/txt; " }, { 0 }, { 0 }, PASSES },
	/* What may change on the way. */
	{ "blanks of relaxed fields", 1, 0, { 0 }, { 0 },
	    { "Subject: a  chain", "SUBJECT:a\r\n\tchain " }, PASSES },
	{ "blanks of a relaxed body", 1, 0, { 0 }, { 0 }, { "Hello  you. ", "Hello\t you." },
	    PASSES },
	{ "empty lines at the body's end", 1, 0, { 0 }, { 0 },
	    { "you. \r\n", "you. \r\n\r\n\r\n" }, PASSES },
	{ "fields that are not signed", 1, 0, { 0 }, { 0 },
	    { "From:", "Received: from x\r\nCc: c@example.org\r\nFrom:" }, PASSES },
	{ "a fold in a seal", 1, 0, { 0 }, { 0 }, { "; cv=none; d=", ";\r\n\tcv=none; d=" },
	    PASSES },
	{ "blanks in a seal", 1, 0, { 0 }, { 0 }, { "; s=s; b=", "; s=s;  b=" }, PASSES },
	{ "blanks in the seal's base64", 1, 0, { 0 }, { 0 }, { "; s=s; b=", "; s=s; b=\r\n " },
	    PASSES },
	{ "the case of a field's name", 1, 0, { 0 }, { 0 }, { "ARC-Seal", "arc-SEAL" },
	    PASSES },
	{ "the body before the second set", 2, 0, { 0 }, { "Hello", "Hallo" }, { 0 },
	    AUTHRES_PASS, NULL, 2 },
	{ "a field before the third set", 3, 0, { 0 }, { "a  chain", "[list] a chain" }, { 0 },
	    AUTHRES_PASS, NULL, 3 },
	{ "an older signature by an unknown algorithm", 2, 1,
	    { .algorithm = NULL, .ams_tags = "q=carrier/pigeon; " }, { 0 }, { 0 }, AUTHRES_PASS,
	    NULL, 2 },
	/* What may not. */
	{ "the body", 1, 0, { 0 }, { 0 }, { "Hello", "Hallo" }, AUTHRES_FAIL,
	    "ARC-Message-Signature of instance 1: the body was changed", 0 },
	{ "the end of the body", 2, 0, { 0 }, { 0 }, { "you. \r\n", "you. \r\nBuy.\r\n" },
	    AUTHRES_FAIL, "instance 2: the body was changed", 0 },
	{ "a blank of a simple body", 1, 1, { .canon = "relaxed/simple" }, { 0 },
	    { "Hello  you", "Hello you" }, AUTHRES_FAIL, "the body was changed", 0 },
	{ "a blank of a simple field", 1, 1, { .canon = "simple/simple" }, { 0 },
	    { "a  chain", "a chain" }, AUTHRES_FAIL, "its signature does not match", 0 },
	{ "a signed field", 1, 0, { 0 }, { 0 }, { "a  chain", "a brain" }, AUTHRES_FAIL,
	    "ARC-Message-Signature of instance 1: its signature does not match", 0 },
	{ "From", 3, 0, { 0 }, { 0 }, { "From: a@", "From: c@" }, AUTHRES_FAIL,
	    "ARC-Message-Signature of instance 3: its signature does not match", 0 },
	{ "a signed field is gone", 1, 0, { 0 }, { 0 }, { "Subject:", "X:" }, AUTHRES_FAIL,
	    "its signature does not match", 0 },
	{ "a field that was signed as missing is there", 1, 1, { .names = "from:cc" }, { 0 },
	    { "To:", "Cc: x@example.org\r\nTo:" }, AUTHRES_FAIL, "its signature does not match",
	    0 },
	{ "a second From where one was signed twice over", 1, 1, { .names = "from:from" },
	    { 0 }, { "From:", "From: x@example.org\r\nFrom:" }, AUTHRES_FAIL,
	    "its signature does not match", 0 },
	{ "the results of the newest set", 2, 0, { 0 }, { 0 },
	    { "i=2; mx.example.net; dmarc=pass", "i=2; mx.example.net; dmarc=fail" },
	    AUTHRES_FAIL, "ARC-Seal of instance 2: its signature does not match", 0 },
	{ "the results of the oldest set", 2, 0, { 0 }, { 0 },
	    { "i=1; mx.example.net; dmarc=pass", "i=1; mx.example.net; dmarc=fail" },
	    AUTHRES_FAIL, "ARC-Seal of instance 2: its signature does not match", 0 },
	{ "the oldest set's results between the seals", 2, 0, { 0 },
	    { "i=1; mx.example.net; dmarc=pass", "i=1; mx.example.net; dmarc=fail" }, { 0 },
	    AUTHRES_FAIL, "ARC-Seal of instance 1: its signature does not match", 0 },
	{ "an old signature", 3, 0, { 0 }, { 0 },
	    { "ARC-Message-Signature: i=1; a", "ARC-Message-Signature: i=1; zz=y; a" },
	    AUTHRES_FAIL, "ARC-Seal of instance 3: its signature does not match", 0 },
	{ "the seal's time", 1, 1, { .seal_tags = "t=100; " }, { 0 }, { "t=100", "t=101" },
	    AUTHRES_FAIL, "ARC-Seal of instance 1: its signature does not match", 0 },
	/* Structure. */
	{ "a seal is gone", 2, 0, { 0 }, { 0 }, { "ARC-Seal: i=2", "X-Seal: i=2" },
	    AUTHRES_FAIL, "there is no ARC-Seal of instance 2", 0 },
	{ "a signature is gone", 1, 0, { 0 }, { 0 }, { "ARC-Message-S", "X-S" }, AUTHRES_FAIL,
	    "there is no ARC-Message-Signature of instance 1", 0 },
	{ "results are gone", 2, 0, { 0 }, { 0 },
	    { "ARC-Authentication-Results: i=1", "X: i=1" }, AUTHRES_FAIL,
	    "there is no ARC-Authentication-Results of instance 1", 0 },
	{ "results that stand alone", 0, 0, { 0 }, { 0 },
	    { "From:", "ARC-Authentication-Results: i=1; a; none\r\nFrom:" }, AUTHRES_FAIL,
	    "there is no ARC-Message-Signature of instance 1", 0 },
	{ "two seals of one instance", 1, 0, { 0 }, { 0 },
	    { "From:", "ARC-Seal: i=1; cv=none\r\nFrom:" }, AUTHRES_FAIL,
	    "two ARC-Seal of instance 1", 0 },
	{ "two results of one instance", 1, 0, { 0 }, { 0 },
	    { "From:", "ARC-Authentication-Results: i=1; x\r\nFrom:" }, AUTHRES_FAIL,
	    "two ARC-Authentication-Results of instance 1", 0 },
	{ "two signatures of one instance", 1, 0, { 0 }, { 0 },
	    { "From:", "ARC-Message-Signature: i=1; a=x\r\nFrom:" }, AUTHRES_FAIL,
	    "two ARC-Message-Signature of instance 1", 0 },
	{ "instance 51", 1, 0, { 0 }, { 0 }, { "From:", "ARC-Seal: i=51; cv=pass\r\nFrom:" },
	    AUTHRES_FAIL, "instance 51 is over 50", 0 },
	{ "instance 3 behind 1", 1, 0, { 0 }, { 0 },
	    { "From:", "ARC-Seal: i=3; cv=pass\r\nFrom:" }, AUTHRES_FAIL,
	    "there is no ARC-Authentication-Results of instance 3", 0 },
	{ "instance 0", 1, 0, { 0 }, { 0 }, { "ARC-Seal: i=1", "ARC-Seal: i=0" }, AUTHRES_FAIL,
	    "an ARC-Seal is malformed", 0 },
	{ "an instance of letters", 1, 0, { 0 }, { 0 }, { "ARC-Seal: i=1", "ARC-Seal: i=I" },
	    AUTHRES_FAIL, "an ARC-Seal is malformed", 0 },
	{ "an instance of three digits", 1, 0, { 0 }, { 0 },
	    { "ARC-Seal: i=1", "ARC-Seal: i=001" }, AUTHRES_FAIL, "an ARC-Seal is malformed",
	    0 },
	{ "an empty instance", 1, 0, { 0 }, { 0 },
	    { "ARC-Message-Signature: i=1", "ARC-Message-Signature: i=" }, AUTHRES_FAIL,
	    "an ARC-Message-Signature is malformed", 0 },
	{ "no instance", 1, 0, { 0 }, { 0 },
	    { "ARC-Message-Signature: i=1", "ARC-Message-Signature: j=1" }, AUTHRES_FAIL,
	    "an ARC-Message-Signature is malformed", 0 },
	{ "results without an instance", 1, 0, { 0 }, { 0 }, { "Results: i=1; ", "Results: " },
	    AUTHRES_FAIL, "an ARC-Authentication-Results is malformed", 0 },
	{ "results with an instance of no end", 1, 0, { 0 }, { 0 },
	    { "Results: i=1; ", "Results: i=1 " }, AUTHRES_FAIL,
	    "an ARC-Authentication-Results is malformed", 0 },
	{ "a tag twice in a seal", 1, 0, { 0 }, { 0 }, { "cv=none; ", "cv=none; cv=none; " },
	    AUTHRES_FAIL, "an ARC-Seal is malformed", 0 },
	{ "no tag list", 1, 0, { 0 }, { 0 }, { "cv=none; ", "cv=none; ; " }, AUTHRES_FAIL,
	    "an ARC-Seal is malformed", 0 },
	/* cv= */
	{ "the first one says pass", 1, 1, { .cv = "pass" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "the ARC-Seal of instance 1 has not cv=none", 0 },
	{ "the second one says none", 2, 2, { .cv = "none" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "the ARC-Seal of instance 2 has not cv=pass", 0 },
	{ "the newest one says fail", 2, 2, { .cv = "fail" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "instance 2 says that the chain was broken", 0 },
	{ "an old one says fail", 3, 2, { .cv = "fail" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "instance 2 says that the chain was broken", 0 },
	{ "the first one says fail", 1, 1, { .cv = "fail" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "instance 1 says that the chain was broken", 0 },
	{ "one says nothing", 2, 2, { .cv = "" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "the ARC-Seal of instance 2 has not cv=pass", 0 },
	{ "one says something else", 2, 2, { .cv = "Pass" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "the ARC-Seal of instance 2 has not cv=pass", 0 },
	/* Tags. */
	{ "a seal with h=", 1, 1, { .seal_tags = "h=from; " }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "ARC-Seal of instance 1: it has a tag h=", 0 },
	{ "a signature without From", 1, 1, { .names = "to:subject" }, { 0 }, { 0 },
	    AUTHRES_FAIL, "it does not sign From", 0 },
	{ "a signature of ARC-Seal", 1, 1, { .names = "from:arc-seal" }, { 0 }, { 0 },
	    AUTHRES_FAIL, "it claims to sign ARC-Seal fields", 0 },
	{ "a part of the body", 1, 1, { .ams_tags = "l=5; " }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "it leaves a part of the body unsigned", 0 },
	{ "more than the body", 1, 1, { .ams_tags = "l=13; " }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "a part of the body is missing", 0 },
	{ "a length that is no number", 1, 1, { .ams_tags = "l=-1; " }, { 0 }, { 0 },
	    AUTHRES_FAIL, "its length is no number", 0 },
	{ "a time that is no number", 1, 1, { .ams_tags = "t=; " }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "its time is no number", 0 },
	{ "a seal's time that is no number", 1, 1, { .seal_tags = "t=soon; " }, { 0 }, { 0 },
	    AUTHRES_FAIL, "ARC-Seal of instance 1: its time is no number", 0 },
	{ "an expired signature", 1, 1, { .ams_tags = "x=1795553869; " }, { 0 }, { 0 },
	    AUTHRES_FAIL, "it has expired", 0 },
	{ "SHA-1", 1, 1, { .algorithm = "rsa-sha1" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "its algorithm is not one of today's", 0 },
	{ "an algorithm in capitals", 1, 1, { .algorithm = "RSA-SHA256" }, { 0 }, { 0 },
	    AUTHRES_FAIL, "its algorithm is not one of today's", 0 },
	{ "an unknown canonicalization", 1, 1, { .canon = "nofws/relaxed" }, { 0 }, { 0 },
	    AUTHRES_FAIL, "its canonicalization is unknown", 0 },
	{ "an empty canonicalization", 1, 1, { .canon = "" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "its canonicalization is unknown", 0 },
	{ "a key elsewhere", 1, 1, { .ams_tags = "q=http; " }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "its key is not in the DNS", 0 },
	{ "an empty domain", 1, 1, { .domain = "" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "it names no domain or no selector", 0 },
	{ "a domain that is none", 1, 1, { .domain = "a b" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "it names no domain or no selector", 0 },
	{ "a seal's signature of other characters", 1, 0, { 0 }, { 0 },
	    { "s=s; b=", "s=s; b=*" }, AUTHRES_FAIL, "its signature is not readable", 0 },
	{ "a body hash of other length", 1, 0, { 0 }, { 0 }, { "bh=", "bh=AAAA" }, AUTHRES_FAIL,
	    "it has no body hash", 0 },
	/* Keys. */
	{ "no key", 1, 1, { .domain = "nokey.example" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "ARC-Message-Signature of instance 1:", 0 },
	{ "no key of an old seal", 2, 1, { .domain = "nokey.example" }, { 0 }, { 0 },
	    AUTHRES_FAIL, "ARC-Seal of instance 1:", 0 },
	{ "a revoked key", 1, 1, { .domain = "revoked.example" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "ARC-Message-Signature of instance 1:", 0 },
	{ "two keys", 1, 1, { .domain = "two.example" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "ARC-Message-Signature of instance 1:", 0 },
	{ "a key of garbage", 1, 1, { .domain = "garbage.example" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "ARC-Message-Signature of instance 1:", 0 },
	{ "an RSA signature with an Ed25519 key", 1, 1, { .domain = "ed.example" }, { 0 },
	    { 0 }, AUTHRES_FAIL, "its key is of another type", 0 },
	{ "a key for SHA-1", 1, 1, { .domain = "sha1.example" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "its key is not for this use", 0 },
	{ "a key for another service", 1, 1, { .domain = "tlsrpt.example" }, { 0 }, { 0 },
	    AUTHRES_FAIL, "its key is not for this use", 0 },
	{ "no DNS", 1, 1, { .domain = "down.example" }, { 0 }, { 0 }, AUTHRES_TEMPERROR,
	    "ARC-Message-Signature of instance 1:", 0 },
	{ "no DNS for an old seal", 3, 2, { .domain = "down.example" }, { 0 }, { 0 },
	    AUTHRES_TEMPERROR, "ARC-Seal of instance 2:", 0 },
	{ "no DNS for a broken chain is of no importance", 2, 2,
	    { .domain = "down.example", .cv = "fail" }, { 0 }, { 0 }, AUTHRES_FAIL,
	    "instance 2 says that the chain was broken", 0 },
};

static struct dns_table *
make_dns(void)
{
	struct dns_table *dns = dns_table_create(NULL);
	char name[80], text[1500];

	for (unsigned i = 1; i <= 30; i++) {
		snprintf(name, sizeof(name), "s._domainkey.seal%u.example", i);
		dns_table_add(dns, name, DNS_TXT, sealer.records[0].p);
	}
	dns_table_add(dns, "s._domainkey.ed.example", DNS_TXT, sealer.records[1].p);
	dns_table_add(dns, "s._domainkey.revoked.example", DNS_TXT, "v=DKIM1; p=");
	dns_table_add(dns, "s._domainkey.garbage.example", DNS_TXT, "v=DKIM1; p=AAAA");
	dns_table_add(dns, "s._domainkey.two.example", DNS_TXT, sealer.records[0].p);
	dns_table_add(dns, "s._domainkey.two.example", DNS_TXT, sealer.records[0].p);
	dns_table_add(dns, "s._domainkey.down.example", DNS_TXT, DNS_ROW_TEMPFAIL);
	snprintf(text, sizeof(text), "v=DKIM1; h=sha1; %s", strstr(sealer.records[0].p, "k="));
	dns_table_add(dns, "s._domainkey.sha1.example", DNS_TXT, text);
	snprintf(
	    text, sizeof(text), "v=DKIM1; s=tlsrpt; %s", strstr(sealer.records[0].p, "k="));
	dns_table_add(dns, "s._domainkey.tlsrpt.example", DNS_TXT, text);
	return dns;
}

/* Takes text, gives another one. */
static char *
damaged(char *text, const struct damage *d, const char *name)
{
	if (d->from == NULL)
		return text;

	const char *at = strstr(text, d->from);
	char *out = malloc(SEALER_TEXT_MAX);

	if (at == NULL)
		fail_msg("%s: there is no \"%s\"", name, d->from);
	snprintf(out, SEALER_TEXT_MAX, "%.*s%s%s", (int)(at - text), text, d->to,
	    at + strlen(d->from));
	free(text);
	return out;
}

static char *
build(const struct arc_case *c)
{
	static const struct seal_spec plain = { 0 };
	char *text = malloc(sizeof(base));

	memcpy(text, base, sizeof(base));
	for (unsigned i = 1; i <= c->sets; i++) {
		if (i == c->sets)
			text = damaged(text, &c->between, c->name);

		char *sealed =
		    sealer_seal(&sealer, text, i, i == c->special_at ? &c->special : &plain);
		free(text);
		text = sealed;
	}
	return damaged(text, &c->after, c->name);
}

static void
verify(const char *text, struct dns_table *dns, unsigned min_rsa_bits, struct arena *arena,
    struct arc_outcome *out)
{
	struct message *m = message_of(text);
	const struct arc_request request = {
		.message = m,
		.dns = dns_table_source(dns),
		.deadline_ms = INT64_MAX,
		.now = NOW,
		.max_sets = 20,
		.min_rsa_bits = min_rsa_bits,
	};

	arc_verify_message(&request, arena, out);
	message_destroy(&m);
}

static void
check_case(const struct arc_case *c, const struct arc_outcome *out)
{
	if (out->result != c->result)
		fail_msg("%s: %s (%s)", c->name, authres_result_name(out->result), out->reason);
	if (strstr(out->reason, c->reason != NULL ? c->reason : "") == NULL ||
	    (c->reason == NULL && out->reason[0] != '\0'))
		fail_msg("%s: %s", c->name, out->reason);
	if (out->oldest_pass != c->oldest_pass)
		fail_msg("%s: oldest pass %u", c->name, out->oldest_pass);
	if (out->set_count != (c->result == AUTHRES_PASS ? c->sets : 0))
		fail_msg("%s: %zu sets", c->name, out->set_count);
}

static void
test_chains(void **state)
{
	struct dns_table *dns = make_dns();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arc_outcome out;
		struct arena arena;
		char *text = build(&cases[i]);

		arena_init(&arena);
		verify(text, dns, 1024, &arena, &out);
		check_case(&cases[i], &out);
		arena_finish(&arena);
		free(text);
	}
	dns_table_destroy(&dns);
}

static void
test_the_sets_are_described(void **state)
{
	const struct arc_case two = { "two", 2, 1,
		{ .domain = "Seal9.EXAMPLE", .aar = "mx.b.example;\r\n dmarc=fail" }, { 0 },
		{ 0 }, PASSES };
	struct dns_table *dns = make_dns();
	struct arc_outcome out;
	struct arena arena;
	char *text = build(&two);

	(void)state;
	arena_init(&arena);
	verify(text, dns, 1024, &arena, &out);
	assert_int_equal(out.set_count, 2);
	assert_string_equal(out.sets[0].seal_domain, "seal9.example");
	assert_string_equal(out.sets[0].signature_domain, "seal9.example");
	assert_string_equal(out.sets[0].seal_selector, "s");
	assert_string_equal(out.sets[0].results, "mx.b.example; dmarc=fail");
	assert_string_equal(out.sets[1].seal_domain, "seal2.example");
	arena_finish(&arena);
	free(text);
	dns_table_destroy(&dns);
}

static void
test_small_keys_are_refused(void **state)
{
	struct dns_table *dns = make_dns();
	struct arc_outcome out;
	struct arena arena;
	char *text = build(&cases[1]);

	(void)state;
	arena_init(&arena);
	verify(text, dns, 2048, &arena, &out);
	assert_int_equal(out.result, AUTHRES_FAIL);
	assert_non_null(strstr(out.reason, "its RSA key is too small"));
	arena_finish(&arena);
	free(text);
	dns_table_destroy(&dns);
}

/* A chain that is broken in its form costs no look-up; one with a bad newest signature, one. */
static void
test_forged_chains_cost_little(void **state)
{
	const struct arc_case broken = { .sets = 5,
		.after = { "ARC-Seal: i=1", "X-Seal: i=1" } };
	const struct arc_case changed = { .sets = 5, .after = { "Subject", "X" } };
	struct dns_table *dns = make_dns();
	struct arc_outcome out;
	struct arena arena;
	char *text = build(&broken);

	(void)state;
	arena_init(&arena);
	verify(text, dns, 1024, &arena, &out);
	assert_int_equal(out.result, AUTHRES_FAIL);
	assert_int_equal(dns->query_count, 0);
	free(text);
	text = build(&changed);
	verify(text, dns, 1024, &arena, &out);
	assert_int_equal(out.result, AUTHRES_FAIL);
	assert_int_equal(dns->query_count, 1);
	arena_finish(&arena);
	free(text);
	dns_table_destroy(&dns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_the_sets_are_described),
		cmocka_unit_test(test_small_keys_are_refused),
		cmocka_unit_test(test_forged_chains_cost_little),
	};

	return cmocka_run_group_tests(tests, sealer_set_up, sealer_tear_down);
}
