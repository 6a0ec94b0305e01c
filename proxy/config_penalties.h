/* SPDX-License-Identifier: MPL-2.0 */
/* The group auth.penalties of the configuration, against guessing: part of config.h. */
#ifndef GATEPOST_PROXY_CONFIG_PENALTIES_H
#define GATEPOST_PROXY_CONFIG_PENALTIES_H

#include <stdint.h>

struct config_penalties {
	int64_t delay_ms, max_delay_ms; /* before the next try: the first one, the longest */
	int64_t login_guesses;	 /* of one login from one address, until they are blocked */
	int64_t address_guesses; /* from one address, until it is blocked */
	int64_t block_ms;	 /* how long */
	int64_t forget_ms;	 /* all counts are halved whenever it is over */
	int64_t known_ms;	 /* how long a success makes login and address known */
	int64_t entries;	 /* of the table */
};

#endif
