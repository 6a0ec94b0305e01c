/* SPDX-License-Identifier: MPL-2.0 */
/* The group auth.penalties: its rows, and what no row alone can check. */
#include "proxy/config_check.h"

#include <stddef.h>

#define MINUTE (60LL * 1000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define NAMED(key_, type_, member_) \
	.key = (key_), .type = (type_), .offset = offsetof(struct config_penalties, member_)

static const struct conf_row penalties_rows[] = {
	{ NAMED("delay", CONF_DURATION, delay_ms), .fallback = "1s", .min = 0, .max = MINUTE,
	    .help = "How long the next try of a login from an address waits after a wrong "
		    "password there; it doubles with each further one. \"0s\" means that "
		    "nobody waits." },
	{ NAMED("max_delay", CONF_DURATION, max_delay_ms), .fallback = "15s", .min = 0,
	    .max = 2 * MINUTE,
	    .help = "The longest of these delays, and what a blocked try waits for its reply; "
		    "most clients are patient for 30 seconds." },
	{ NAMED("login_guesses", CONF_INT, login_guesses), .fallback = "10", .min = 1,
	    .max = 1000000,
	    .help = "Different wrong passwords for one login from one address (IPv6: one /64) "
		    "until the two together are blocked; the login can still be used from "
		    "elsewhere." },
	{ NAMED("address_guesses", CONF_INT, address_guesses), .fallback = "50", .min = 1,
	    .max = 1000000,
	    .help = "Wrong passwords from one address, for any logins, until it is blocked for "
		    "all logins but those that have succeeded from there. Tries wait from half "
		    "of that on." },
	{ NAMED("block", CONF_DURATION, block_ms), .fallback = "15m", .min = 1000, .max = DAY,
	    .help =
		"How long a block lasts; who is blocked hears 454 4.7.0, and no password is "
		"looked at." },
	{ NAMED("forget", CONF_DURATION, forget_ms), .fallback = "1h", .min = 1000,
	    .max = 30 * DAY,
	    .help = "The counts are halved each time this has passed; a success takes those of "
		    "its login and address away." },
	{ NAMED("known", CONF_DURATION, known_ms), .fallback = "30d", .min = 0,
	    .max = 365 * DAY,
	    .help = "How long a login that has succeeded from an address is not affected by a "
		    "block of that address." },
	{ NAMED("entries", CONF_INT, entries), .fallback = "65536", .min = 64, .max = 10000000,
	    .help = "How many logins at addresses, and addresses, are remembered, in 64 octets "
		    "each; what matters least makes room." },
	{ .key = NULL },
};

const struct conf_table config_penalties_table = {
	.name = "penalties",
	.help =
	    "Against guessing of passwords. What is counted is kept in memory and outlives a "
	    "reload.",
	.size = sizeof(struct config_penalties),
	.rows = penalties_rows,
	.where_offset = SIZE_MAX,
};

void
config_check_penalties(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_penalties *p = &c->config.auth.penalties;
	const struct conf_where where = { .file = c->file };

	if (p->max_delay_ms < p->delay_ms)
		conf_error(errors, where, "auth.penalties.max_delay", "is shorter than delay");
	if (p->address_guesses < p->login_guesses)
		conf_error(errors, where, "auth.penalties.address_guesses",
		    "must not be under login_guesses (%lld): one login would block all others",
		    (long long)p->login_guesses);
}
