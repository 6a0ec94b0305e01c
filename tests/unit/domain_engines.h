/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For unit tests: stand-ins for the engines of SPF and DMARC, which know no more than plain
 * records: "v=spf1 ip4:A ip6:B -all", and a DMARC record at the domain or its parent. They take
 * the engines' place in the test's program. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_DOMAIN_ENGINES_H
#define GATEPOST_TESTS_DOMAIN_ENGINES_H

#include "lib/domain/dmarc.h"
#include "lib/domain/spf.h"
#include "lib/net/address.h"

#include <stdio.h>

static inline enum authres_result
engine_spf(const char *record, const char *address)
{
	if (strstr(record, address) != NULL)
		return AUTHRES_PASS;
	if (strstr(record, "-all") != NULL)
		return AUTHRES_FAIL;
	if (strstr(record, "~all") != NULL)
		return AUTHRES_SOFTFAIL;
	return strstr(record, "bogus") != NULL ? AUTHRES_PERMERROR : AUTHRES_NEUTRAL;
}

void
spf_evaluate(const struct spf_request *request, struct arena *arena, struct spf_outcome *out)
{
	const char *name = arena_strdup(arena, request->domain);
	char address[INET6_ADDRSTRLEN];
	struct dns_answer answer;

	*out = (struct spf_outcome){ .domain = name, .result = AUTHRES_NONE };
	address_host_text(request->client, address);
	dns_query(request->dns, name, DNS_TXT, request->deadline_ms, arena, &answer);
	if (answer.status == DNS_TEMPFAIL) {
		out->result = AUTHRES_TEMPERROR;
		snprintf(out->problem, sizeof(out->problem), "no answer about %s", name);
	} else if (answer.status == DNS_FOUND) {
		out->result = engine_spf(arena_strdup(arena, answer.records[0].data), address);
		if (out->result == AUTHRES_PERMERROR)
			snprintf(out->problem, sizeof(out->problem), "there is no such term");
	}
}

static inline bool
engine_dmarc(const struct dns_source *dns, const char *domain, int64_t deadline_ms,
    struct arena *arena, struct dmarc_policy_found *out)
{
	struct dns_answer answer;

	dns_query(dns, arena_printf(arena, "_dmarc.%s", domain), DNS_TXT, deadline_ms, arena,
	    &answer);
	if (answer.status == DNS_TEMPFAIL)
		out->status = DMARC_FOUND_TEMPFAIL;
	if (answer.status != DNS_FOUND)
		return answer.status == DNS_TEMPFAIL;
	const char *text = arena_strdup(arena, answer.records[0].data);
	out->status = DMARC_FOUND;
	out->record = (struct dmarc_record){
		.text = view_of(text),
		.adkim_strict = strstr(text, "adkim=s") != NULL,
		.aspf_strict = strstr(text, "aspf=s") != NULL,
		.rua = { strstr(text, "mailto:") },
		.rua_count = strstr(text, "mailto:") != NULL,
	};
	out->policy_domain = domain;
	return true;
}

void
dmarc_discover(const struct dns_source *dns, const char *domain, int64_t deadline_ms,
    struct arena *arena, struct dmarc_policy_found *out)
{
	const char *dot = strchr(domain, '.');
	const bool has_parent = dot != NULL && strchr(dot + 1, '.') != NULL;

	*out = (struct dmarc_policy_found){ .status = DMARC_FOUND_NOTHING,
		.organizational_domain =
		    arena_strdup(arena, view_of(has_parent ? dot + 1 : domain)) };
	if (!engine_dmarc(dns, domain, deadline_ms, arena, out) && has_parent)
		(void)engine_dmarc(dns, dot + 1, deadline_ms, arena, out);
}

#endif
