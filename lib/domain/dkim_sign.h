/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Making DKIM signatures: libopendkim canonicalises and hashes, our keys sign, at nearly the
 * raw rate of RSA. Several signatures cost one body hash. No session, no configuration file.
 * RFC 6376 5, RFC 8463, RFC 8058 4 (List-Unsubscribe must be signed).
 */
#ifndef GATEPOST_DOMAIN_DKIM_SIGN_H
#define GATEPOST_DOMAIN_DKIM_SIGN_H

#include "lib/domain/dkim_hash.h"
#include "lib/domain/dkim_key.h"

struct dkim_sign_request {
	const struct message *message;
	const struct dkim_domain *domain; /* d=; one signature for each of its selectors */
	const char *identity;		  /* i=, or NULL */
	enum dkim_canon header_canon, body_canon;
	const char *const *sign; /* field names: signed as often as they are there */
	size_t sign_count;
	const char *const *oversign; /* field names: and once more */
	size_t oversign_count;
	int64_t now;	 /* t=, seconds since 1970 */
	int64_t valid_s; /* x= is now + valid_s; 0: no x= */
};

/* One-time set-up of the library; before threads start. */
MUST_CHECK bool dkim_sign_init(struct err *err);
void dkim_sign_finish(void);

/*
 * dkim_sign_message - append, for each selector, the value of one DKIM-Signature field (folded,
 * without name and final CRLF) to values_out (array of selector_count initialised bufs, cap >=
 * 16 KiB). Errors: ERR_CONFIG From is not in a list, i= is not of the domain, now is before
 * 2001; ERR_LIMIT; ERR_IO. Nothing is appended then. Any thread.
 *
 * Where a field holds blanks that verifiers do not agree on, header_canon gives way to what
 * they all read alike. Of hundreds of fields of one name only the lowest are signed: h= has an
 * end.
 */
MUST_CHECK bool dkim_sign_message(
    const struct dkim_sign_request *request, struct buf *values_out, struct err *err);

#endif
