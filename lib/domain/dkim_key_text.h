/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A published DKIM key: finding and reading SELECTOR._domainkey.DOMAIN (RFC 6376 3.6.1, 3.6.2;
 * RFC 8463). Serves verification, the look at our own keys before we sign, and check-domain.
 */
#ifndef GATEPOST_DOMAIN_DKIM_KEY_TEXT_H
#define GATEPOST_DOMAIN_DKIM_KEY_TEXT_H

#include "lib/net/dns.h"

enum dkim_key_status {
	DKIM_PUBLISHED,
	DKIM_PUBLISHED_NONE, /* no name, no TXT record, or one that begins with another v= */
	/*
	 * More than one TXT record, whatever is in them: RFC 6376 3.6.2.2 leaves undefined
	 * what readers make of that, so neither do we trust one nor may our own keys rely on
	 * it.
	 */
	DKIM_PUBLISHED_SEVERAL,
	DKIM_PUBLISHED_SYNTAX,
	DKIM_PUBLISHED_REVOKED, /* p= is empty */
	DKIM_PUBLISHED_TEMPFAIL,
};

enum dkim_key_type { DKIM_KEY_RSA, DKIM_KEY_ED25519, DKIM_KEY_OTHER };

struct dkim_key_text {
	enum dkim_key_type type;
	/*
	 * p= decoded. RSA: always DER RSAPublicKey, written anew (published may be that or
	 * SubjectPublicKeyInfo). Ed25519: 32 octets. Another type: what there is.
	 */
	struct view key;
	struct view record; /* the whole record as published */
	unsigned bits;	    /* RSA: of the modulus; Ed25519: 256; 0: unknown type */
	bool sha256_allowed, sha1_allowed; /* h= */
	bool email_allowed;		   /* s= */
	bool is_test;			   /* t=y */
	bool is_strict;			   /* t=s */
};

/*
 * dkim_key_text_parse - pure. SYNTAX, REVOKED or PUBLISHED. Decoded octets live in the arena.
 * The grammar is kept strictly: duplicate tags, a v= that is not first or not DKIM1, base64
 * that is none, octets behind the key are SYNTAX. Unknown tags and list members are ignored.
 */
MUST_CHECK enum dkim_key_status dkim_key_text_parse(
    struct view record, struct arena *arena, struct dkim_key_text *out, const char **why_out);

/* dkim_key_text_name - "SELECTOR._domainkey.DOMAIN". */
MUST_CHECK const char *dkim_key_text_name(
    const char *domain, const char *selector, struct arena *arena);

/* dkim_key_text_find - ask DNS and parse; *why_out: a sentence when it is not PUBLISHED. */
MUST_CHECK enum dkim_key_status dkim_key_text_find(const struct dns_source *dns,
    const char *name, int64_t deadline_ms, struct arena *arena, struct dkim_key_text *out,
    const char **why_out);

/* dkim_key_text_of_answer - the same from an answer that is there already. */
MUST_CHECK enum dkim_key_status dkim_key_text_of_answer(const struct dns_answer *answer,
    struct arena *arena, struct dkim_key_text *out, const char **why_out);

/*
 * dkim_key_text_verify - does that signature of a SHA-256 hash hold under a PUBLISHED key? RSA:
 * PKCS#1 v1.5; Ed25519 as RFC 8463 3 has it. Sizes and h=, s=, t= are for the caller to judge.
 */
MUST_CHECK bool dkim_key_text_verify(
    const struct dkim_key_text *key, const unsigned char hash[32], struct view signature);

/*
 * dkim_key_text_matches - is this the public half of the key that signs? And may it be used
 * for mail with SHA-256? *why_out says what differs.
 */
struct dkim_key;
MUST_CHECK bool dkim_key_text_matches(
    const struct dkim_key_text *published, const struct dkim_key *key, const char **why_out);

#endif
