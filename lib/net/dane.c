/* SPDX-License-Identifier: MPL-2.0 */
/* See dane.h. */
#include "lib/net/dane.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define TLSA_HEAD_OCTETS 3 /* usage, selector, matching type; RFC 6698 2.1 */

enum tlsa_usage { TLSA_TRUST_ANCHOR = 2, TLSA_END_ENTITY = 3 };

/*
 * is_usable - for SMTP (RFC 7672 3.1): usages 0 and 1 need authorities that both sides trust,
 * and there are none such between mail servers.
 */
static bool
is_usable(const struct dns_record *record)
{
	const struct view data = record->data;

	return data.len > TLSA_HEAD_OCTETS &&
	       (data.p[0] == TLSA_TRUST_ANCHOR || data.p[0] == TLSA_END_ENTITY);
}

static bool
judge(const struct dns_answer *answer, const char *name, struct err *err)
{
	switch (answer->status) {
	case DNS_TEMPFAIL:
		return err_set(err, ERR_TEMP, "DANE: TLSA of %s: %s", name, answer->why);
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		return err_set(err, ERR_TLS, "DANE: %s has no TLSA record", name);
	case DNS_FOUND:
		break;
	}
	return answer->is_secure ||
	       err_set(err, ERR_TLS, "DANE: TLSA of %s is not signed (DNSSEC)", name);
}

bool
dane_find(const struct dns_source *source, struct dane *dane, int64_t deadline_ms,
    struct arena *arena, struct err *err)
{
	const char *name = arena_printf(arena, "_%u._tcp.%s", dane->port, dane->host);
	struct dns_answer answer;

	dane->count = 0;
	dns_query(source, name, DNS_TLSA, deadline_ms, arena, &answer);
	if (!judge(&answer, name, err))
		return false;
	dane->records = answer.records;
	for (size_t i = 0; i < answer.count; i++) {
		if (is_usable(&answer.records[i]))
			dane->records[dane->count++] = answer.records[i];
	}
	return dane->count > 0 ||
	       err_set(err, ERR_TLS, "DANE: no TLSA record of %s has usage 2 or 3", name);
}

bool
dane_apply(SSL *ssl, const struct dane *dane, struct err *err)
{
	size_t taken = 0;

	if (SSL_dane_enable(ssl, dane->host) <= 0)
		return err_set(err, ERR_TLS, "DANE: \"%s\" is no name of a server", dane->host);
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < dane->count; i++) {
		const unsigned char *p = (const unsigned char *)dane->records[i].data.p;

		if (SSL_dane_tlsa_add(ssl, p[0], p[1], p[2], p + TLSA_HEAD_OCTETS,
			dane->records[i].data.len - TLSA_HEAD_OCTETS) > 0)
			taken++;
	}
	ERR_clear_error();
	return taken > 0 ||
	       err_set(err, ERR_TLS, "DANE: no TLSA record of \"%s\" is of use", dane->host);
}
