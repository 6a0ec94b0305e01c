/* SPDX-License-Identifier: MPL-2.0 */
/* Received-SPF: see spf_received.h. */
#include "filters/spf_received.h"

#define VALUE_MAX 330 /* octets shown of one text: an address has no more */

/*
 * Text between two quotes or parentheses: those, and the backslash, behind a backslash;
 * whatever is no printable ASCII as "?".
 */
static bool
add_text(struct buf *out, struct view text)
{
	for (size_t i = 0; i < text.len && i < VALUE_MAX; i++) {
		const char c = text.p[i] >= ' ' && text.p[i] <= '~' ? text.p[i] : '?';

		if (memchr("\\\"()", c, 4) != NULL && !buf_add_char(out, '\\'))
			return false;
		if (!buf_add_char(out, c))
			return false;
	}
	return true;
}

static bool
add_pair(struct buf *out, const char *key, const char *value)
{
	return buf_printf(out, "\r\n\t%s=\"", key) && add_text(out, view_of(value)) &&
	       buf_add_str(out, "\";");
}

/* What the result means, between parentheses. */
static bool
add_comment(struct buf *out, const struct facts *facts, const char *who,
    const struct spf_verdict *verdict)
{
	const struct view client = view_of(facts->client.text), domain = view_of(who);

	switch (verdict->result) {
	case AUTHRES_PASS:
		return buf_add_str(out, "the domain of ") && add_text(out, domain) &&
		       buf_add_str(out, " names ") && add_text(out, client) &&
		       buf_add_str(out, " as a permitted sender");
	case AUTHRES_FAIL:
	case AUTHRES_SOFTFAIL:
		return buf_add_str(out, "the domain of ") && add_text(out, domain) &&
		       buf_add_str(out, " does not name ") && add_text(out, client) &&
		       buf_add_str(out, " as a permitted sender");
	case AUTHRES_NEUTRAL:
		return buf_add_str(out, "the domain of ") && add_text(out, domain) &&
		       buf_add_str(out, " says nothing about ") && add_text(out, client);
	case AUTHRES_TEMPERROR:
	case AUTHRES_PERMERROR:
		return buf_add_str(out, "SPF could not be judged for ") &&
		       add_text(out, domain);
	default:
		return buf_add_str(out, "no SPF record for ") && add_text(out, domain);
	}
}

bool
spf_received_value(const struct facts *facts, enum spf_identity identity,
    const struct spf_verdict *verdict, struct buf *out)
{
	const bool is_helo = identity == SPF_HELO || facts->mail.path.is_null;
	const char *who = is_helo ? facts->helo : facts->reverse_path;

	return buf_printf(
		   out, "%s (%s: ", authres_result_name(verdict->result), facts->hostname) &&
	       add_comment(out, facts, who, verdict) && buf_add_char(out, ')') &&
	       buf_printf(out, "\r\n\treceiver=%s;", facts->hostname) &&
	       add_pair(out, "client-ip", facts->client.text) &&
	       add_pair(out, "envelope-from",
		   facts->mail.path.is_null ? "<>" : facts->reverse_path) &&
	       add_pair(out, "helo", facts->helo) &&
	       (verdict->mechanism[0] == '\0' ||
		   add_pair(out, "mechanism", verdict->mechanism)) &&
	       (verdict->problem[0] == '\0' || add_pair(out, "problem", verdict->problem)) &&
	       buf_printf(out, "\r\n\tidentity=%s", identity == SPF_HELO ? "helo" : "mailfrom");
}
