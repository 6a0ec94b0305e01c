/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DKIM verification (RFC 6376, 8301, 8463). Signatures are read by our own parser
 * (dkim_field.h), keys come by struct dns_source and are judged by dkim_key_text.h; libopendkim
 * canonicalises and hashes, behind the guards of dkim_hash.h; OpenSSL says whether the
 * signature holds. Any thread; blocks on DNS.
 */
#ifndef GATEPOST_DOMAIN_DKIM_VERIFY_H
#define GATEPOST_DOMAIN_DKIM_VERIFY_H

#include "lib/base/err.h"
#include "lib/mail/authres.h"
#include "lib/mail/message.h"
#include "lib/net/dns.h"

#define DKIM_SIGNATURES_MAX 16 /* verified at most; the default is 8 */

/* Why a signature is no pass; each has its own sentence. */
enum dkim_verdict {
	DKIM_GOOD,
	DKIM_BAD_BODY,	    /* fail: bh= does not match */
	DKIM_BAD_SIGNATURE, /* fail: b= does not match */
	DKIM_EXPIRED,	    /* fail: x= is past */
	DKIM_FROM_FUTURE,   /* fail: t= is later than now and the allowed skew */
	DKIM_SYNTAX,	    /* permerror: malformed field, duplicate tags, a tag missing */
	DKIM_VERSION,	    /* permerror: v= is not 1 */
	DKIM_ALGORITHM,	    /* policy: rsa-sha1; permerror: an unknown one */
	DKIM_FROM_UNSIGNED, /* permerror: h= does not name From */
	DKIM_FROM_ADDED,    /* policy: the message has more From fields than were signed */
	DKIM_IDENTITY,	    /* permerror: i= is not of d=, or a subdomain under t=s */
	DKIM_LENGTH,	    /* policy: l= leaves a part of the body unsigned */
	DKIM_KEY_NONE,	    /* permerror: no such key */
	DKIM_KEY_SEVERAL,   /* permerror: more than one TXT record */
	DKIM_KEY_SYNTAX,    /* permerror: malformed key record */
	DKIM_KEY_REVOKED,   /* permerror: p= is empty */
	DKIM_KEY_TYPE,	    /* permerror: k= or h= or s= do not allow this use */
	DKIM_KEY_SMALL,	    /* policy: RSA under the minimum */
	DKIM_KEY_TEMPORARY, /* temperror: DNS gives no answer now */
	DKIM_INTERNAL,	    /* temperror: the library failed */
};

struct dkim_verify_request {
	const struct message *message;
	const struct dns_source *dns;
	int64_t deadline_ms;
	int64_t now;		 /* seconds since 1970 */
	int64_t skew_s;		 /* a t= that much in the future is fine */
	unsigned max_signatures; /* 1..DKIM_SIGNATURES_MAX; the topmost ones */
	unsigned min_rsa_bits;	 /* RFC 8301: 1024 */
	bool allow_length;	 /* l= with an unsigned tail is no reason to refuse */
};

struct dkim_signature {
	enum authres_result result;
	enum dkim_verdict verdict;
	const char *reason;    /* a sentence; NULL for DKIM_GOOD */
	const char *domain;    /* d=, lower-case A-labels; "" when the field does not parse so
				  far */
	const char *selector;  /* s= */
	const char *identity;  /* i= as written, or NULL */
	const char *algorithm; /* a= */
	const char *b;	       /* first 8 characters of b=, for header.b (RFC 6008) */
	unsigned key_bits;     /* 0: not known; Ed25519: 256 */
	bool is_test;	       /* the key says t=y: the domain is only trying it out */
};

struct dkim_verification {
	struct dkim_signature signatures[DKIM_SIGNATURES_MAX]; /* from the top of the header */
	size_t count;
	size_t ignored; /* further DKIM-Signature fields */
};

/*
 * dkim_verify_message - texts live in the arena. Only the first max_signatures fields are
 * looked at. DNS is asked only for keys of signatures whose own text and body hash are in
 * order, and once for each key. FROM_ADDED, LENGTH and KEY_SMALL are said only of signatures
 * that hold.
 */
void dkim_verify_message(const struct dkim_verify_request *request, struct arena *arena,
    struct dkim_verification *out);

/* One-time set-up of the library; before threads start. */
MUST_CHECK bool dkim_verify_init(struct err *err);
void dkim_verify_finish(void);

const char *dkim_verdict_text(enum dkim_verdict verdict); /* "the body was changed" */

#endif
