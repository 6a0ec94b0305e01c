/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reading a DKIM-Signature field (RFC 6376 3.5, RFC 8463, RFC 8301), strictly: what is not in
 * order here never reaches libopendkim. Pure: no clock, no DNS, no message.
 */
#ifndef GATEPOST_DOMAIN_DKIM_FIELD_H
#define GATEPOST_DOMAIN_DKIM_FIELD_H

#include "lib/domain/dkim_hash.h"
#include "lib/domain/dkim_key.h"
#include "lib/domain/dkim_verify.h"

#define DKIM_SIGNATURE_MAX 2048	     /* octets of b= decoded: RSA of 16384 bits */
#define DKIM_TIME_NEVER	   INT64_MAX /* no t=, no x=, or one of more than 12 digits */

struct dkim_field {
	enum dkim_verdict verdict; /* DKIM_GOOD: all in order, so far as the text says */
	const char *reason;	   /* static; NULL for DKIM_GOOD */

	/* Good or not: what could be read, "" or NULL for what could not. */
	const char *domain;    /* d=, lower case */
	const char *selector;  /* s=, lower case */
	const char *identity;  /* i= without blanks, or NULL */
	const char *algorithm; /* a= */
	const char *b_start;   /* first 8 characters of b= */

	/* Only for DKIM_GOOD. */
	enum dkim_algorithm kind;
	enum dkim_canon header_canon, body_canon;
	struct view names;    /* h= without blanks: "from:to:subject" */
	size_t from_count;    /* times that it names From */
	uint64_t length;      /* l=, or DKIM_WHOLE_BODY */
	bool is_of_subdomain; /* i= is of a domain below d= */
	bool has_time;	      /* t= is there */
	int64_t signed_at;    /* t=, DKIM_TIME_NEVER when it is beyond all times */
	int64_t expires_at;   /* x=, or DKIM_TIME_NEVER */
	unsigned char body_hash[DKIM_HASH_SIZE]; /* bh= */
	struct view signature;			 /* b= decoded */
};

/* dkim_field_read - value: behind the colon, folds included. Texts live in the arena. */
void dkim_field_read(struct view value, struct arena *arena, struct dkim_field *out);

/* dkim_field_names - does h= name that field? (any case) */
bool dkim_field_names(const struct dkim_field *field, struct view name);

#endif
