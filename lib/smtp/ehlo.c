/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/smtp/ehlo.h"

#include "lib/smtp/xclient.h"

#define LIMIT_DIGITS_MAX 6 /* RFC 9422 3 */

/* Cut the next word off *rest; empty when there is none. */
static struct view
next_word(struct view *rest)
{
	*rest = view_trim(*rest);
	struct view word = view_make(rest->p, view_find(*rest, ' '));
	*rest = view_from(*rest, word.len);
	return word;
}

static void
take_auth(struct view mechanisms, struct smtp_ehlo *out)
{
	struct view name;

	while ((name = next_word(&mechanisms)).len > 0) {
		out->auth_plain = out->auth_plain || view_eq_nocase(name, VIEW("PLAIN"));
		out->auth_login = out->auth_login || view_eq_nocase(name, VIEW("LOGIN"));
	}
}

/* RFC 1870 3: the number may be missing, and 0 is "no fixed limit". */
static void
take_size(struct view rest, struct smtp_ehlo *out)
{
	uint64_t limit;

	out->size = true;
	if (view_to_u64(next_word(&rest), &limit))
		out->size_limit = limit;
}

/* RFC 9422 3: NAME=VALUE; names that are not known are passed over, and so is what is
 * malformed. */
static void
take_limits(struct view rest, struct smtp_ehlo *out)
{
	const struct {
		const char *name;
		uint64_t *value;
	} limits[] = {
		{ "MAILMAX", &out->mail_max },
		{ "RCPTMAX", &out->rcpt_max },
		{ "RCPTDOMAINMAX", &out->rcpt_domain_max },
	};
	struct view word;
	uint64_t value;

	while ((word = next_word(&rest)).len > 0) {
		const size_t equals = view_find(word, '=');

		if (equals + 1 + LIMIT_DIGITS_MAX < word.len ||
		    !view_to_u64(view_from(word, equals + 1), &value))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
			if (view_eq_nocase(view_make(word.p, equals), view_of(limits[i].name)))
				*limits[i].value = value;
		}
	}
}

static void
take_line(struct view line, struct smtp_ehlo *out)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "PIPELINING", &out->pipelining },
		{ "8BITMIME", &out->eightbitmime },
		{ "STARTTLS", &out->starttls },
		{ "ENHANCEDSTATUSCODES", &out->enhanced_codes },
		{ "SMTPUTF8", &out->smtputf8 },
		{ "CHUNKING", &out->chunking },
		{ "DSN", &out->dsn },
		{ "REQUIRETLS", &out->requiretls },
	};
	struct view keyword = next_word(&line);

	if (view_eq_nocase(keyword, VIEW("AUTH")))
		take_auth(line, out);
	else if (view_eq_nocase(keyword, VIEW("SIZE")))
		take_size(line, out);
	else if (view_eq_nocase(keyword, VIEW("LIMITS")))
		take_limits(line, out);
	else if (view_eq_nocase(keyword, VIEW("XCLIENT")))
		out->xclient = smtp_xclient_offered(line);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (view_eq_nocase(keyword, view_of(flags[i].name)))
			*flags[i].flag = true;
	}
}

void
smtp_ehlo_parse(const struct smtp_reply *reply, struct smtp_ehlo *out)
{
	struct view rest = view_of(reply->text);

	*out = (struct smtp_ehlo){ .size_limit = 0 };
	rest = view_from(rest, view_find(rest, '\n') + 1); /* the greeting */
	while (rest.len > 0) {
		size_t len = view_find(rest, '\n');
		take_line(view_make(rest.p, len), out);
		rest = view_from(rest, len + 1);
	}
}
