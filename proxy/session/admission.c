/* SPDX-License-Identifier: MPL-2.0 */
/* Admission; see admission.h. Called by the loop's thread, and by workers behind a balancer. */
#include "proxy/session/admission.h"

#include "lib/base/log.h"
#include "lib/base/metrics.h"

METRIC_COUNTER(turned_away_clients_total, "gatepost_turned_away_clients_total",
    "Client connections that were refused with 421 4.7.0: too many from one address or "
    "network.",
    "limit");

bool
admission_count(const struct sockaddr_storage *client, const struct config_limits *limits,
    struct census_place *place, enum reply_id *reply_out)
{
	uint64_t untold = 0;
	const enum census_verdict verdict = census_enter(client, limits, place, &untold);
	const char *limit =
	    verdict == CENSUS_NETWORK_FULL ? "network_connections" : "address_connections";
	char host[INET6_ADDRSTRLEN];

	if (verdict == CENSUS_ENTERED)
		return true;
	*reply_out = verdict == CENSUS_NETWORK_FULL ? REPLY_BUSY_NETWORK : REPLY_BUSY_ADDRESS;
	metric_add(&turned_away_clients_total, 1, METRIC_LABELS(limit));
	if (untold > 0) {
		address_host_text(client, host);
		log_event(LEVEL_WARNING, "session.turned_away_client", LOG_STR("client", host),
		    LOG_STR("limit", limit), LOG_U64("connections", untold));
	}
	return false;
}
