/* SPDX-License-Identifier: MPL-2.0 */
/* Verifying DKIM signatures: what holds, what does not, and which reason is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dkim_verify_fixture.h"

/* RFC 8463 appendix A: the message and both keys. */
static const char rfc8463_message[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
    " date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
    " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
    " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
    "\r\n"
    "Hi.\r\n"
    "\r\n"
    "We lost the game.  Are you hungry yet?\r\n"
    "\r\n"
    "Joe.\r\n";

static void
test_the_example_of_rfc_8463(void **state)
{
	struct outcome o;

	(void)state;
	fill_dns();
	dns_table_add(dns, "brisbane._domainkey.football.example.com", DNS_TXT, ED_RECORD);
	dns_table_add(dns, "test._domainkey.football.example.com", DNS_TXT,
	    "v=DKIM1; k=rsa; p=" RSA_1024);
	verify(&o, view_of(rfc8463_message));
	assert_int_equal(o.v.count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct dkim_signature *s = &o.v.signatures[i];

		assert_int_equal(s->verdict, DKIM_GOOD);
		assert_int_equal(s->result, AUTHRES_PASS);
		assert_null(s->reason);
		assert_string_equal(s->domain, "football.example.com");
		assert_string_equal(s->identity, "@football.example.com");
		assert_int_equal(s->key_bits, i == 0 ? 256 : 1024);
	}
	assert_string_equal(o.v.signatures[0].selector, "brisbane");
	assert_string_equal(o.v.signatures[0].algorithm, "ed25519-sha256");
	assert_string_equal(o.v.signatures[0].b, "/gCrinpc");
	assert_string_equal(o.v.signatures[1].b, "F45dVWDf");
	outcome_finish(&o);
}

struct verify_case {
	const char *name;
	const char *tags;	/* signed with */
	const char *find, *put; /* afterwards: the first "find" of the text becomes "put" */
	const char *record;	/* of the key; NULL: the good one */
	enum dkim_verdict verdict;
	const char *reason; /* a part of it; NULL: the verdict's own */
};

static const struct verify_case cases[] = {
	{ "an Ed25519 signature", TAGS, NULL, NULL, NULL, DKIM_GOOD, NULL },
	{ "everything simple", SIMPLE, NULL, NULL, NULL, DKIM_GOOD, NULL },
	{ "an RSA signature",
	    "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=r; h=from", NULL, NULL,
	    NULL, DKIM_GOOD, NULL },
	{ "only the header relaxed", V "c=relaxed; " DS "h=from", NULL, NULL, NULL, DKIM_GOOD,
	    NULL },
	{ "only the body relaxed", V "c=simple/relaxed; " DS "h=from", NULL, NULL, NULL,
	    DKIM_GOOD, NULL },
	{ "d= in upper case", V "d=EXAMPLE.com; s=E; h=From", NULL, NULL, NULL, DKIM_GOOD,
	    NULL },
	{ "h= names fields that are not there", V DS "h=from:from:cc:subject:x", NULL, NULL,
	    NULL, DKIM_GOOD, NULL },
	{ "blanks and folds in h=", V DS "h=from :\r\n\tto\r\n : subject", NULL, NULL, NULL,
	    DKIM_GOOD, NULL },
	{ "unknown tags", TAGS "; zz=1; x_y=z:z", NULL, NULL, NULL, DKIM_GOOD, NULL },
	{ "copied fields (z=) are not looked at", TAGS "; z=From:a=40b|Subject:x", NULL, NULL,
	    NULL, DKIM_GOOD, NULL },
	{ "q= among others", TAGS "; q=x/y:dns/txt", NULL, NULL, NULL, DKIM_GOOD, NULL },
	{ "i= of d=", TAGS "; i=a@example.com", NULL, NULL, NULL, DKIM_GOOD, NULL },
	{ "i= without a local part", TAGS "; i=@example.com", NULL, NULL, NULL, DKIM_GOOD,
	    NULL },
	{ "i= of a subdomain", TAGS "; i=a@b.Example.com", NULL, NULL, NULL, DKIM_GOOD, NULL },
	{ "i= in quoted-printable", TAGS "; i=a=20b@example.com", NULL, NULL, NULL, DKIM_GOOD,
	    NULL },
	{ "blanks were added where relaxed allows it", TAGS, "Subject: s", "SUBJECT \t:  s  ",
	    NULL, DKIM_GOOD, NULL },
	{ "lines were added at the end", TAGS, "body\r\n", "body\r\n\r\n\r\n", NULL, DKIM_GOOD,
	    NULL },
	{ "a final line end is missing", TAGS, "body\r\n", "body", NULL, DKIM_GOOD, NULL },
	{ "t= now, x= later", TAGS "; t=1795553870; x=1795553871", NULL, NULL, NULL, DKIM_GOOD,
	    NULL },
	{ "t= a little in the future", TAGS "; t=1795554170", NULL, NULL, NULL, DKIM_GOOD,
	    NULL },
	{ "x= is now", TAGS "; x=1795553870", NULL, NULL, NULL, DKIM_GOOD, NULL },
	{ "x= beyond all times", TAGS "; x=9999999999999", NULL, NULL, NULL, DKIM_GOOD, NULL },
	{ "x= beyond what the library reads", TAGS "; x=99999999999999999999", NULL, NULL, NULL,
	    DKIM_SYNTAX, "libopendkim" },
	{ "a field that was not signed", TAGS, "Subject", "X-New: n\r\nSubject", NULL,
	    DKIM_GOOD, NULL },

	{ "a changed body", TAGS, "\r\n\r\nbody", "\r\n\r\nBody", NULL, DKIM_BAD_BODY, NULL },
	{ "an appended body", TAGS, "body\r\n", "body\r\nmore\r\n", NULL, DKIM_BAD_BODY, NULL },
	{ "an emptied body", TAGS, "body\r\n", "", NULL, DKIM_BAD_BODY, NULL },
	{ "a blank in a simple body", SIMPLE, "body\r\n", "body \r\n", NULL, DKIM_BAD_BODY,
	    NULL },
	{ "a changed Subject", TAGS, "Subject: s", "Subject: t", NULL, DKIM_BAD_SIGNATURE,
	    NULL },
	{ "a removed Subject", TAGS, "Subject: s\r\n", "", NULL, DKIM_BAD_SIGNATURE, NULL },
	{ "a Subject added below", TAGS, "Subject: s\r\n", "Subject: s\r\nSubject: t\r\n", NULL,
	    DKIM_BAD_SIGNATURE, NULL },
	{ "a Subject added above", TAGS, "From:", "Subject: t\r\nFrom:", NULL, DKIM_GOOD,
	    NULL },
	{ "a Subject added above an oversigned one",
	    V "c=relaxed/relaxed; " DS "h=from:subject:subject",
	    "From:", "Subject: t\r\nFrom:", NULL, DKIM_BAD_SIGNATURE, NULL },
	{ "a refolded Subject, simple", SIMPLE, "Subject: s", "Subject:\r\n s", NULL,
	    DKIM_BAD_SIGNATURE, NULL },
	{ "a tag was added", TAGS, "v=1;", "v=1; y=1;", NULL, DKIM_BAD_SIGNATURE, NULL },
	{ "d= was changed", TAGS "; i=@b.example.com", "d=example.com", "d=b.example.com", NULL,
	    DKIM_KEY_NONE, "does not exist" },
	{ "b= was folded", TAGS, "; b=", "; b=\r\n ", NULL, DKIM_GOOD, NULL },
	{ "b= is cut off", TAGS, "; b=", "; b=AAAA; c2=", NULL, DKIM_BAD_SIGNATURE, NULL },
	{ "a From added above", TAGS, "From:", "From: x@evil.example\r\nFrom:", NULL,
	    DKIM_FROM_ADDED, NULL },
	{ "a From added above the signature", TAGS, "DKIM-Signature:",
	    "FROM: x@evil.example\r\nDKIM-Signature:", NULL, DKIM_FROM_ADDED, NULL },
	{ "a From added above, oversigned", V "c=relaxed/relaxed; " DS "h=from:from",
	    "From:", "From: x@evil.example\r\nFrom:", NULL, DKIM_BAD_SIGNATURE, NULL },

	{ "expired", TAGS "; t=1795553000; x=1795553869", NULL, NULL, NULL, DKIM_EXPIRED,
	    NULL },
	{ "expired, without t=", TAGS "; x=1", NULL, NULL, NULL, DKIM_EXPIRED, NULL },
	{ "from the future", TAGS "; t=1795554171", NULL, NULL, NULL, DKIM_FROM_FUTURE, NULL },
	{ "from far beyond", TAGS "; t=99999999999999999999", NULL, NULL, NULL,
	    DKIM_FROM_FUTURE, NULL },
	{ "x= before t=", TAGS "; t=1795553870; x=1795553869", NULL, NULL, NULL, DKIM_SYNTAX,
	    "x= is before t=" },
	{ "a negative t=", TAGS "; t=-1", NULL, NULL, NULL, DKIM_SYNTAX, "t=" },
	{ "an empty t=", TAGS "; t=", NULL, NULL, NULL, DKIM_SYNTAX, "t=" },
	{ "x= in words", TAGS "; x=never", NULL, NULL, NULL, DKIM_SYNTAX, "x=" },

	{ "v= is 2", "v=2; a=ed25519-sha256; " DS "h=from", NULL, NULL, NULL, DKIM_VERSION,
	    "v= is not 1" },
	{ "v= is 1.0", "v=1.0; a=ed25519-sha256; " DS "h=from", NULL, NULL, NULL, DKIM_VERSION,
	    NULL },
	{ "no v=", "a=ed25519-sha256; " DS "h=from", NULL, NULL, NULL, DKIM_SYNTAX, "v=" },
	{ "no a=", "v=1; " DS "h=from", NULL, NULL, NULL, DKIM_SYNTAX, "a=" },
	{ "no d=", V "s=e; h=from", NULL, NULL, NULL, DKIM_SYNTAX, "d=" },
	{ "no s=", V "d=example.com; h=from", NULL, NULL, NULL, DKIM_SYNTAX, "s=" },
	{ "no h=", V DS "c=simple", NULL, NULL, NULL, DKIM_SYNTAX, "h=" },
	{ "no bh=", TAGS, "bh=", "bx=", NULL, DKIM_SYNTAX, "bh=" },
	{ "no b=", TAGS, "; b=", "; bx=", NULL, DKIM_SYNTAX, "b= is missing" },
	{ "an empty b=", TAGS, "; b=", "; b=; bx=", NULL, DKIM_SYNTAX, "b= is missing" },
	{ "an empty h=", V DS "h=", NULL, NULL, NULL, DKIM_SYNTAX, "h=" },
	{ "a hole in h=", V DS "h=from::to", NULL, NULL, NULL, DKIM_SYNTAX, "h=" },
	{ "a tag twice", TAGS "; s=e", NULL, NULL, NULL, DKIM_SYNTAX, "twice" },
	{ "an unknown tag twice", TAGS "; q1=e; q1=e", NULL, NULL, NULL, DKIM_SYNTAX, "twice" },
	{ "no tag list", TAGS "; rubbish", NULL, NULL, NULL, DKIM_SYNTAX, "tags" },
	{ "octets over 127", TAGS "; n=\xc3\xa9", NULL, NULL, NULL, DKIM_SYNTAX, "ASCII" },
	{ "bh= of another length", TAGS, "bh=", "bh=AAAA; bx=", NULL, DKIM_SYNTAX, "bh=" },
	{ "bh= is not base64", TAGS, "bh=", "bh=*", NULL, DKIM_SYNTAX, "bh=" },
	{ "b= is not base64", TAGS, "; b=", "; b=*", NULL, DKIM_SYNTAX, "b= is no" },
	{ "a blank before the equals sign of b=", TAGS, "; b=", "; b =", NULL, DKIM_SYNTAX,
	    "libopendkim" },
	{ "a tag that ends in b", TAGS "; zb=1", NULL, NULL, NULL, DKIM_SYNTAX, "libopendkim" },
	{ "a tag that ends in b, and a blank", TAGS "; zb =1", NULL, NULL, NULL, DKIM_GOOD,
	    NULL },
	{ "an unknown c=", V DS "c=nowsp; h=from", NULL, NULL, NULL, DKIM_SYNTAX, "c=" },
	{ "an unknown c= of the body", V DS "c=simple/; h=from", NULL, NULL, NULL, DKIM_SYNTAX,
	    "c=" },
	{ "an unknown q=", TAGS "; q=http", NULL, NULL, NULL, DKIM_SYNTAX, "q=" },
	{ "d= is a U-label", V "d=m\xc3\xbcller.example; s=e; h=from", NULL, NULL, NULL,
	    DKIM_SYNTAX, "ASCII" },
	{ "d= has an empty label", V "d=a..example; s=e; h=from", NULL, NULL, NULL, DKIM_SYNTAX,
	    "d=" },
	{ "d= ends in a dot", V "d=example.com.; s=e; h=from", NULL, NULL, NULL, DKIM_SYNTAX,
	    "d=" },
	{ "d= has a blank inside", V "d=example. com; s=e; h=from", NULL, NULL, NULL,
	    DKIM_SYNTAX, "d=" },
	{ "d= with a slash", V "d=a/b.example; s=e; h=from", NULL, NULL, NULL, DKIM_SYNTAX,
	    "d=" },
	{ "s= with a star", V "d=example.com; s=*; h=from", NULL, NULL, NULL, DKIM_SYNTAX,
	    "s=" },
	{ "rsa-sha1", "v=1; a=rsa-sha1; d=example.com; s=r; h=from", NULL, NULL, NULL,
	    DKIM_ALGORITHM, "RFC 8301" },
	{ "an unknown algorithm", "v=1; a=rsa-sha512; d=example.com; s=r; h=from", NULL, NULL,
	    NULL, DKIM_ALGORITHM, "unknown" },
	{ "an algorithm in upper case", "v=1; a=RSA-SHA256; d=example.com; s=r; h=from", NULL,
	    NULL, NULL, DKIM_ALGORITHM, "unknown" },
	{ "From is not signed", V DS "h=to:subject", NULL, NULL, NULL, DKIM_FROM_UNSIGNED,
	    "From" },
	{ "a name like From is not it", V DS "h=x-from:fromm", NULL, NULL, NULL,
	    DKIM_FROM_UNSIGNED, NULL },
	{ "i= of another domain", TAGS "; i=a@example.net", NULL, NULL, NULL, DKIM_IDENTITY,
	    "i=" },
	{ "i= of a parent", TAGS "; i=a@com", NULL, NULL, NULL, DKIM_IDENTITY, NULL },
	{ "i= of a domain that ends alike", TAGS "; i=a@notexample.com", NULL, NULL, NULL,
	    DKIM_IDENTITY, NULL },
	{ "i= without @", TAGS "; i=example.com", NULL, NULL, NULL, DKIM_IDENTITY, NULL },
	{ "i= with the domain before the last @", TAGS "; i=@example.com@evil.example", NULL,
	    NULL, NULL, DKIM_IDENTITY, NULL },
	{ "i= of a subdomain under t=s", TAGS "; i=a@b.example.com", NULL, NULL,
	    ED_RECORD "; t=s", DKIM_IDENTITY, "subdomain" },
	{ "i= of d= under t=s", TAGS "; i=a@Example.com", NULL, NULL, ED_RECORD "; t=s",
	    DKIM_GOOD, NULL },

	{ "no such key", TAGS, NULL, NULL, DNS_ROW_NXDOMAIN, DKIM_KEY_NONE, "does not exist" },
	{ "no TXT record", TAGS, NULL, NULL, DNS_ROW_NODATA, DKIM_KEY_NONE, "no TXT record" },
	{ "DNS is down", TAGS, NULL, NULL, DNS_ROW_TEMPFAIL, DKIM_KEY_TEMPORARY, "DNS" },
	{ "the body was changed, and DNS is down", TAGS, "body\r\n", "Body\r\n",
	    DNS_ROW_TEMPFAIL, DKIM_BAD_BODY, NULL },
	{ "revoked", TAGS, NULL, NULL, "v=DKIM1; p=", DKIM_KEY_REVOKED, NULL },
	{ "a malformed key", TAGS, NULL, NULL, "v=DKIM1; p=***", DKIM_KEY_SYNTAX, "base64" },
	{ "another key", TAGS, NULL, NULL,
	    "k=ed25519; p=O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=", DKIM_BAD_SIGNATURE,
	    NULL },
	{ "a key of another type", TAGS, NULL, NULL, "p=" RSA_1024, DKIM_KEY_TYPE, "type" },
	{ "a key of an unknown type", TAGS, NULL, NULL, "k=x; p=AAAA", DKIM_KEY_TYPE, "type" },
	{ "h= of the key is SHA-1", TAGS, NULL, NULL, ED_RECORD "; h=sha1", DKIM_KEY_TYPE,
	    "h=" },
	{ "s= of the key is not mail", TAGS, NULL, NULL, ED_RECORD "; s=x", DKIM_KEY_TYPE,
	    "s=" },
	{ "an RSA key of 512 bits",
	    "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=small; h=from", NULL, NULL,
	    NULL, DKIM_KEY_SMALL, "512" },
	{ "a broken signature with a key of 512 bits",
	    "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=small; h=from", "From: a",
	    "From: b", NULL, DKIM_BAD_SIGNATURE, NULL },
};

static void
check_case(const struct verify_case *c)
{
	struct buf text;
	struct outcome o;

	fill_dns();
	if (c->record != NULL)
		dns_table_set(dns, "e._domainkey.example.com", DNS_TXT, c->record);
	buf_init(&text, 65536);
	make_signed(&text, c->tags, MESSAGE, NULL, pem_for(c->tags));
	if (c->find != NULL)
		replace(&text, c->find, c->put);
	verify(&o, buf_view(&text));
	if (o.v.count != 1)
		fail_msg("%s: %zu signatures", c->name, o.v.count);
	expect(c->name, &o.v.signatures[0], c->verdict, c->reason);
	buf_finish(&text);
	outcome_finish(&o);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(&cases[i]);
}

/* RFC 8601 2.7.1: which result each verdict is. */
static void
test_results(void **state)
{
	static const struct {
		const char *tags, *find, *put, *record;
		enum authres_result result;
	} results[] = {
		{ TAGS, "body\r\n", "x\r\n", NULL, AUTHRES_FAIL },
		{ TAGS, "Subject: s", "Subject: t", NULL, AUTHRES_FAIL },
		{ TAGS "; x=1", NULL, NULL, NULL, AUTHRES_FAIL },
		{ TAGS, "From:", "From: x\r\nFrom:", NULL, AUTHRES_POLICY },
		{ "v=1; a=rsa-sha1; " DS "h=from", NULL, NULL, NULL, AUTHRES_POLICY },
		{ "v=1; a=x; " DS "h=from", NULL, NULL, NULL, AUTHRES_PERMERROR },
		{ TAGS "; i=x", NULL, NULL, NULL, AUTHRES_PERMERROR },
		{ TAGS, NULL, NULL, DNS_ROW_NXDOMAIN, AUTHRES_PERMERROR },
		{ TAGS, NULL, NULL, DNS_ROW_TEMPFAIL, AUTHRES_TEMPERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		struct buf text;
		struct outcome o;

		fill_dns();
		if (results[i].record != NULL)
			dns_table_set(
			    dns, "e._domainkey.example.com", DNS_TXT, results[i].record);
		buf_init(&text, 65536);
		make_signed(&text, results[i].tags, MESSAGE, NULL, key_ed25519);
		if (results[i].find != NULL)
			replace(&text, results[i].find, results[i].put);
		verify(&o, buf_view(&text));
		if (o.v.signatures[0].result != results[i].result)
			fail_msg(
			    "result %zu: %s", i, authres_result_name(o.v.signatures[0].result));
		buf_finish(&text);
		outcome_finish(&o);
	}
}

/* l=: what is signed holds; what was appended makes the difference. */

static void
allow_length(struct dkim_verify_request *request)
{
	request->allow_length = true;
}

static void
test_length(void **state)
{
	static const struct {
		const char *name, *tags, *signed_body;
		bool allow;
		enum dkim_verdict verdict;
	} lengths[] = {
		{ "l= of all", TAGS "; l=6", "body\r\n", false, DKIM_GOOD },
		{ "l= of a part", TAGS "; l=2", "bo", false, DKIM_LENGTH },
		{ "l= of a part, allowed", TAGS "; l=2", "bo", true, DKIM_GOOD },
		{ "l= of nothing", TAGS "; l=0", "", false, DKIM_LENGTH },
		{ "l= of nothing, allowed", TAGS "; l=0", "", true, DKIM_GOOD },
		{ "l= of a part, in a simple body", SIMPLE "; l=2", "bo", false, DKIM_LENGTH },
		{ "l= of another part", TAGS "; l=2", "xx", true, DKIM_BAD_BODY },
		{ "l= of more than there is", TAGS "; l=7", "body\r\n", true, DKIM_BAD_BODY },
		{ "l= beyond all numbers", TAGS "; l=99999999999999999999999", "body\r\n", true,
		    DKIM_BAD_BODY },
		{ "l= as large as a number gets", TAGS "; l=18446744073709551615", "body\r\n",
		    true, DKIM_BAD_BODY },
		{ "l= is no number", TAGS "; l=-1", "body\r\n", true, DKIM_SYNTAX },
		{ "l= is empty", TAGS "; l=", "body\r\n", true, DKIM_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		unsigned char hash[32], encoded[64];
		struct buf text, tags;
		struct outcome o;

		/* The hash of an unfinished line is nothing that make_signed makes. */
		fill_dns();
		buf_init(&text, 65536);
		buf_init(&tags, 1024);
		SHA256((const unsigned char *)lengths[i].signed_body,
		    strlen(lengths[i].signed_body), hash);
		EVP_EncodeBlock(encoded, hash, 32);
		assert_true(buf_printf(&tags, "%s; bh=%s", lengths[i].tags, (char *)encoded) &&
			    buf_add_char(&tags, '\0'));
		make_signed_bare(&text, tags.p, MESSAGE, key_ed25519);
		verify_with(&o, buf_view(&text), lengths[i].allow ? allow_length : NULL);
		if (o.v.signatures[0].verdict != lengths[i].verdict)
			fail_msg("%s: verdict %d, %s", lengths[i].name,
			    (int)o.v.signatures[0].verdict, o.v.signatures[0].reason);
		buf_finish(&text);
		buf_finish(&tags);
		outcome_finish(&o);
	}
}

/* libopendkim carries the l= of one signature over to those below it. */
static void
test_length_is_of_one_signature(void **state)
{
	struct buf first, both;
	struct outcome o;

	(void)state;
	fill_dns();
	buf_init(&first, 65536);
	buf_init(&both, 65536);
	make_signed(&first, TAGS, MESSAGE, NULL, key_ed25519);
	assert_true(buf_add_char(&first, '\0'));
	make_signed(&both, TAGS "; l=2", first.p, "x", key_ed25519);
	verify(&o, buf_view(&both));
	assert_int_equal(o.v.signatures[0].verdict, DKIM_BAD_BODY);
	assert_int_equal(o.v.signatures[1].verdict, DKIM_GOOD);
	buf_finish(&first);
	buf_finish(&both);
	outcome_finish(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_example_of_rfc_8463),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_length_is_of_one_signature),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
