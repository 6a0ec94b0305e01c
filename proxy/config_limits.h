/* SPDX-License-Identifier: MPL-2.0 */
/* The group limits of the configuration, what a client may use up: part of config.h. */
#ifndef GATEPOST_PROXY_CONFIG_LIMITS_H
#define GATEPOST_PROXY_CONFIG_LIMITS_H

#include <stdint.h>

struct config_limits {
	int64_t message_octets, memory_octets, header_octets;
	int64_t header_fields;
	int64_t recipients;
	int64_t connections;				  /* in all */
	int64_t address_connections, network_connections; /* from one: census.h */
	int64_t workers;				  /* threads at most */
	int64_t errors;					  /* refused commands before 421 */
	int64_t commands;      /* commands of a session without a message before 421 */
	int64_t auth_failures; /* per connection before 421 */
	int64_t greeting_ms, command_ms, data_ms, session_ms;
	int64_t data_rate; /* octets of content a second; 0: any */
};

#endif
