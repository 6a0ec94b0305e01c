/* SPDX-License-Identifier: MPL-2.0 */
/* What every source of DNS answers shares: see dns.h. */
#include "lib/net/dns.h"

#include "lib/base/metrics.h"
#include "lib/net/dns_wire.h"

METRIC_COUNTER(queries_total, "gatepost_dns_queries_total",
    "Questions to the DNS, answered from the cache or not.", "type", "status");

bool
dns_name_is_valid(struct view name)
{
	unsigned char wire[DNS_NAME_WIRE_MAX];

	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	}
	return dns_name_to_wire(name, wire) > 1; /* the root alone is none */
}

void
dns_query(const struct dns_source *source, const char *name, enum dns_type type,
    int64_t deadline_ms, struct arena *arena, struct dns_answer *out)
{
	*out = (struct dns_answer){ .status = DNS_NXDOMAIN };
	if (!dns_name_is_valid(view_of(name)))
		return;
	source->query(source->context, name, type, deadline_ms, arena, out);
	metric_add(&queries_total, 1,
	    METRIC_LABELS(dns_type_name(type), dns_status_name(out->status)));
}

const char *
dns_type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_NS:
		return "NS";
	case DNS_CNAME:
		return "CNAME";
	case DNS_SOA:
		return "SOA";
	case DNS_PTR:
		return "PTR";
	case DNS_MX:
		return "MX";
	case DNS_TXT:
		return "TXT";
	case DNS_AAAA:
		return "AAAA";
	case DNS_TLSA:
		return "TLSA";
	}
	BUG("DNS type %d", (int)type);
}

const char *
dns_status_name(enum dns_status status)
{
	switch (status) {
	case DNS_FOUND:
		return "found";
	case DNS_NODATA:
		return "nodata";
	case DNS_NXDOMAIN:
		return "nxdomain";
	case DNS_TEMPFAIL:
		return "tempfail";
	}
	BUG("DNS status %d", (int)status);
}
