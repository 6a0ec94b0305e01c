/* SPDX-License-Identifier: MPL-2.0 */
/*
 * quiet_hours: an example of a policy as a plugin. Logins may send within some hours of the day
 * only (UTC): a password that was stolen is tried at night. Shows numbers as settings, a check
 * in setup, and facts.
 */
#include "lib/chain/link.h"

#include <stddef.h>

#define HOUR_S 3600
#define DAY_S  (24 * HOUR_S)

struct quiet_hours_settings {
	int64_t from, until; /* hours */
	struct conf_strings except;
};

static const struct conf_row quiet_hours_rows[] = {
	{ .key = "from",
	    .type = CONF_INT,
	    .offset = offsetof(struct quiet_hours_settings, from),
	    .fallback = "22",
	    .min = 0,
	    .max = 23,
	    .help = "The hour (UTC) in which it becomes quiet." },
	{ .key = "until",
	    .type = CONF_INT,
	    .offset = offsetof(struct quiet_hours_settings, until),
	    .fallback = "5",
	    .min = 0,
	    .max = 23,
	    .help = "The hour (UTC) in which logins may send again." },
	{ .key = "except",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct quiet_hours_settings, except),
	    .help = "Logins that may send at any time." },
	{ .key = NULL },
};

static const struct conf_table quiet_hours_table = {
	.name = "quiet_hours",
	.help = "Logins may not send at night.",
	.size = sizeof(struct quiet_hours_settings),
	.rows = quiet_hours_rows,
	.where_offset = SIZE_MAX,
};

static bool
quiet_hours_setup(const void *settings, struct conf_where where, const struct link_env *env,
    void **state_out, struct conf_errors *errors)
{
	const struct quiet_hours_settings *s = settings;

	(void)env;
	*state_out = NULL;
	if (s->from != s->until)
		return true;
	conf_error(errors, where, "quiet_hours", "from and until are the same hour");
	return false;
}

static bool
is_quiet(const struct quiet_hours_settings *s, int64_t now)
{
	const int64_t hour = now % DAY_S / HOUR_S;

	if (s->from < s->until)
		return hour >= s->from && hour < s->until;
	return hour >= s->from || hour < s->until; /* over midnight */
}

static bool
is_excepted(const struct quiet_hours_settings *s, const char *login)
{
	for (size_t i = 0; i < s->except.count; i++) {
		if (strcmp(s->except.items[i], login) == 0)
			return true;
	}
	return false;
}

static enum link_answer
quiet_hours_mail(struct link_call *call)
{
	const struct quiet_hours_settings *s = link_settings(call);
	const struct facts *facts = link_facts(call);
	const char *login = facts->identity.login;

	if (login == NULL || !is_quiet(s, facts->received_at) || is_excepted(s, login))
		return LINK_NEXT;
	return link_refuse(call, 450, "4.7.1",
	    "mail is taken from %lld:00 UTC on, please try again then", (long long)s->until);
}

extern const struct link gatepost_link;
const struct link gatepost_link = {
	.abi = LINK_ABI,
	.size = LINK_SIZE,
	.name = "quiet_hours",
	.summary = "lets logins send by day only",
	.refuses = "450 4.7.1",
	.kind = LINK_POLICY,
	.settings = &quiet_hours_table,
	.setup = quiet_hours_setup,
	.mail = quiet_hours_mail,
};
